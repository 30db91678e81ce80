//! `notes`: both of the forms that `RELEASES.md` takes, with every other byte kept.

mod support;

use support::{Tree, package};

const RULE: &str =
    "--------------------------------------------------------------------------------";

fn tree(notes: &str) -> Tree {
    Tree::new(&[
        ("Cargo.toml", &package("a", "1.0.0")),
        ("RELEASES.md", notes),
    ])
}

/// `RELEASES.md` after these words.
fn after(notes: &str, words: &[&str]) -> String {
    let tree = tree(notes);
    tree.done(&[&["notes"], words].concat());
    tree.read("RELEASES.md")
}

fn archive(list: &str) -> String {
    format!(
        "## 48.0.0\n\nUnreleased.\n\n### Added\n\n* A thing.\n\n{RULE}\n\nOlder notes are on their branches.\n\n<!-- ARCHIVE_START -->\n{list}"
    )
}

#[test]
fn a_new_section_is_the_first_and_the_file_keeps_its_form() {
    let new = "## 1.1.0\n\nUnreleased.\n\n### Added\n\n### Changed\n";
    let old = "## 1.0.0\n\nReleased 2024-01-20";
    for (before, after_it) in [
        // With rules, and without.
        (
            format!("{RULE}\n\n{old}\n\n{RULE}\n\n## 0.9.0\n\nReleased 2023-12-20.\n"),
            format!(
                "{RULE}\n\n{new}\n{RULE}\n\n{old}\n\n{RULE}\n\n## 0.9.0\n\nReleased 2023-12-20.\n"
            ),
        ),
        (
            format!("# History\n\n{old}\n"),
            format!("# History\n\n{new}\n{old}\n"),
        ),
        // The first section of all.
        (String::new(), new.to_string()),
        ("# History".to_string(), format!("# History\n\n{new}")),
        (
            format!("# Notes\n\n* A thing.\n\n{RULE}\n\nOld ones.\n\n<!-- ARCHIVE_START -->\n"),
            format!(
                "# Notes\n\n* A thing.\n\n{new}\n{RULE}\n\nOld ones.\n\n<!-- ARCHIVE_START -->\n"
            ),
        ),
        // A byte order mark, CRLF, and an anchor that belongs to its heading.
        (
            format!("\u{feff}{old}\n"),
            format!("\u{feff}{new}\n{old}\n"),
        ),
        (
            format!("<a id=\"1.0.0\"></a>\r\n{}", old.replace('\n', "\r\n")),
            format!("{new}\n<a id=\"1.0.0\"></a>\n{old}").replace('\n', "\r\n"),
        ),
        // Dashes below text are a heading, and not a rule.
        (
            format!("{old}\n\nAt last\n-------\n\n## 0.9.0\n"),
            format!("{new}\n{old}\n\nAt last\n-------\n\n## 0.9.0\n"),
        ),
    ] {
        assert_eq!(after(&before, &["new", "1.1.0"]), after_it);
    }
}

#[test]
fn a_section_is_added_in_version_order() {
    let section =
        |version: &str| format!("## {version}\n\nUnreleased.\n\n### Added\n\n### Changed");
    let rule = format!("\n\n{RULE}\n\n");
    let notes = |versions: &[&str]| {
        let sections: Vec<String> = versions.iter().map(|version| section(version)).collect();
        sections.join(&rule) + "\n"
    };
    for (version, order) in [
        ("2.0.1", ["3.0.0", "2.0.1", "1.0.0"]),
        ("0.9.1", ["3.0.0", "1.0.0", "0.9.1"]),
    ] {
        let before = notes(&["3.0.0", "1.0.0"]);
        assert_eq!(after(&before, &["new", version]), notes(&order));
    }
}

#[test]
fn in_the_archive_form_the_section_that_was_cut_is_replaced_by_a_link() {
    let new = format!(
        "## 49.0.0\n\nUnreleased.\n\n### Added\n\n### Changed\n\n{RULE}\n\nOlder notes are on their branches.\n\n<!-- ARCHIVE_START -->\n"
    );
    let list = "* [47.0.x](https://github.com/o/r/blob/release-47.0.0/RELEASES.md)\n* [46.0.x](elsewhere)\n";
    let link = "* [48.0.x](https://github.com/o/r/blob/release-48.0.0/RELEASES.md)\n";
    let first = "* [48.0.x](../release-48.0.0/RELEASES.md)\n";
    for (before, expected) in [
        (list, format!("{new}{link}{list}")),
        // The first link leads to the branch, as GitHub shows a file.
        ("", format!("{new}{first}")),
        // The link is there already.
        (link, format!("{new}{link}")),
    ] {
        assert_eq!(after(&archive(before), &["new", "49.0.0"]), expected);
    }
    let without_end = archive("");
    assert_eq!(
        after(without_end.trim_end(), &["new", "49.0.0"]),
        format!("{new}{first}")
    );
}

#[test]
fn a_patch_of_the_archived_release_keeps_its_section() {
    let list = "* [47.0.x](https://github.com/o/r/blob/release-47.0.0/RELEASES.md)\n";
    let notes = archive(list);
    let new = format!("## 48.0.1\n\nUnreleased.\n\n### Added\n\n### Changed\n\n{RULE}\n\n");
    assert_eq!(after(&notes, &["new", "48.0.1"]), new + &notes);
}

#[test]
fn a_template_may_end_with_a_rule_and_have_other_line_ends() {
    let manifest = package("a", "1.0.0")
        + "[workspace]\nmetadata.release-train.notes-template = \"ci/notes.md\"\n";
    let template = format!("## VERSION\n\nUnreleased.\n\nSee v[VERSION].\n\n{RULE}\n");
    let notes = "# History\r\n\r\n## 1.0.0\r\n\r\nReleased 2024-01-20.\r\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &manifest),
        ("ci/notes.md", &template),
        ("RELEASES.md", notes),
    ]);
    tree.done(&["notes", "new", "1.1.0"]);
    let new = "## 1.1.0\r\n\r\nUnreleased.\r\n\r\nSee v[1.1.0].\r\n\r\n## 1.0.0";
    assert_eq!(tree.read("RELEASES.md"), notes.replace("## 1.0.0", new));
}

#[test]
fn a_date_replaces_one_word_at_the_beginning_of_the_first_line() {
    let notes = "\u{feff}## 1.0.0\r\n\r\nUnreleased. (Unreleased, but soon)\r\n\r\n* Unreleased.\r\n\r\n## 0.9.0\r\n\r\nUnreleased\r\n";
    let date = |version| after(notes, &["date", version, "--date", "2024-02-29"]);
    assert_eq!(
        date("1.0.0"),
        notes.replacen("Unreleased", "Released 2024-02-29", 1)
    );
    assert_eq!(
        date("0.9.0"),
        notes.replace("\r\nUnreleased\r\n", "\r\nReleased 2024-02-29\r\n")
    );
}

#[test]
fn without_a_date_it_is_today() {
    let dated = after("## 1.0.0\n\nUnreleased.\n", &["date", "1.0.0"]);
    let date = dated
        .strip_prefix("## 1.0.0\n\nReleased ")
        .unwrap()
        .strip_suffix(".\n")
        .unwrap();
    assert_eq!(date.len(), 10, "{date}");
}

#[test]
fn a_second_run_changes_nothing() {
    for (notes, words) in [
        (
            "## 1.0.0\n\nReleased 2024-01-20.\n",
            &["date", "1.0.0", "--date", "2024-01-20"][..],
        ),
        (
            "## 1.0.0\n\nReleased on 2024-01-20\n",
            &["date", "1.0.0", "--date", "2024-01-20"],
        ),
        ("## 1.0.0\n\nReleased 2024-01-20.\n", &["new", "1.0.0"]),
    ] {
        let tree = tree(notes);
        let (stdout, stderr) = tree.done(&[&["notes"], words].concat());
        assert!(
            stdout.is_empty() && stderr.starts_with("nothing to do: "),
            "{stderr}"
        );
        assert_eq!(tree.read("RELEASES.md"), notes);
    }
}

#[test]
fn a_section_is_shown_from_its_heading_to_its_last_line() {
    let body = "Released 2024-01-20.\n\n---\n\nA break, and a heading that is not of a section:\n\nTitle\n---\n\n```text\n## 0.9.0\n<!-- ARCHIVE_START -->\n---\n```\n\n### Added\n\n* A thing.";
    let notes = format!("{RULE}\n\n## 1.0.0\n\n{body}\n\n{RULE}\n\n## 0.9.0\n\nLast.\n\n{RULE}\n");
    assert_eq!(
        tree(&notes).done(&["notes", "show", "1.0.0"]).0,
        format!("## 1.0.0\n\n{body}\n")
    );
    assert_eq!(
        tree(&notes).done(&["notes", "show", "0.9.0"]).0,
        "## 0.9.0\n\nLast.\n"
    );
    assert_eq!(
        tree(&archive("")).done(&["notes", "show", "48.0.0"]).0,
        "## 48.0.0\n\nUnreleased.\n\n### Added\n\n* A thing.\n"
    );
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    use std::io::Read;
    use std::process::{Command, Stdio};
    let tree = tree(&format!("## 1.0.0\n\n{}", "A long line.\n".repeat(100_000)));
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["notes", "show", "1.0.0"])
        .current_dir(tree.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut [0; 8])
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), support::text(&output.stderr)),
        (Some(0), String::new())
    );
}

#[test]
fn what_a_reader_does_not_see_as_a_heading_is_not_a_section() {
    for hidden in [
        "* Thus:\n\n  ```rust\n  ## 0.9.0\n  ```\n",
        "* ```rust\n  let a = 1;\n  ```\n",
        "* Write\n\n  ```toml\n  a = 1\n",
        "~~~\n## 0.9.0\n```\n~~~\n",
        "````\n```\n## 0.9.0\n````\n",
        "```not a fence``` at all\n",
        "<pre>\n## 0.9.0\n</pre>\n",
        "<!-- Copy this:\n\n## 0.9.0\n\nUnreleased.\n-->\n",
        "<!-- one line -->\n",
        "  <!-- Copy this:\n\n## 0.9.0\n\nUnreleased.\n-->\n",
        "<PRE>\n## 0.9.0\n</PRE>\n",
        "* 1.0.0 was bad\n---\n",
    ] {
        let notes =
            format!("## 1.0.0\n\nUnreleased.\n\n{hidden}\n## 0.9.0 ##\n\nReleased 2024-01-20.\n");
        assert_eq!(
            tree(&notes).done(&["notes", "show", "0.9.0"]).0,
            "## 0.9.0 ##\n\nReleased 2024-01-20.\n",
            "{hidden}"
        );
    }
}

#[test]
fn a_comment_above_the_status_line_does_not_count() {
    let notes =
        tree("## 1.1.0\n\n<!-- Write\n\nhere -->\n\nUnreleased. <!-- soon -->\n\n* A thing\n");
    notes.done(&["notes", "date", "1.1.0", "--date", "2026-03-20"]);
    assert!(
        notes
            .read("RELEASES.md")
            .contains("here -->\n\nReleased 2026-03-20. <!-- soon -->\n")
    );
}

#[test]
fn notes_with_headings_of_another_form_are_refused_and_not_appended_to() {
    for heading in [
        "### 1.0.0",
        "  ## 1.0.0",
        "##\t1.0.0",
        "## 1.0",
        "## v0.9",
        "## `1.0.0`",
        "## **1.0.0**",
        "## The release 1.0.0",
        "## 2024-01-01, Version 1.0.0",
        "Release notes for 1.0.0 of p\n====",
        "## [Unreleased]",
        "**1.1.0** (2024-01-01)",
        "* 1.1.0: x",
    ] {
        let tree = tree(&format!("# Changelog\n\n{heading}\n\n- A thing\n"));
        let said = tree.error(&["notes", "new", "1.1.0"]);
        assert!(said.contains("RELEASES.md: line 3: "), "{heading}: {said}");
    }
    // Above or in a section of ours, any heading is the owner's.
    let notes = "# Since 1.0\n\n## 1.0.0\n\nUnreleased.\n\n### Upgrading from 0.9.0\n";
    tree(notes).done(&["notes", "new", "1.1.0"]);
    let notes = "## 1.0.0\n\nUnreleased.\n\n## MSRV 1.90.0\n\n* Update\n  1.2.3 of it\n---\n";
    tree(notes).done(&["notes", "new", "1.1.0"]);
    let mixed = tree("## Unreleased\n\n* A thing\n\n## 1.0.0\n\nReleased 2024-01-20.\n");
    assert!(mixed.error(&["notes", "new", "1.1.0"]).contains("line 1: "));
    tree("# Changelog\n").done(&["notes", "new", "1.1.0"]);
}

#[test]
fn a_section_is_shown_with_the_definitions_of_its_links() {
    let section = "## 1.1.0\n\nUnreleased.\n\n* Fixed [#12], see [the Book][book] and [here].\n\n[here]: https://example.com/here";
    let rest = "## 1.0.0\n\nReleased 2024-01-20, see [#1].\n\n[#1]: https://example.com/1\n[#12]: https://example.com/12\n[Book]: https://example.com/book\n";
    assert_eq!(
        tree(&format!("{section}\n\n{rest}"))
            .done(&["notes", "show", "1.1.0"])
            .0,
        format!("{section}\n\n[#12]: https://example.com/12\n[Book]: https://example.com/book\n")
    );
}

#[test]
fn a_line_may_begin_with_any_character() {
    for line in [
        "• A bullet",
        "“Quoted”",
        "✅ Done",
        "—",
        "日本",
        "é",
        "`",
        "~",
        "<!",
    ] {
        let notes = format!("## 1.0.0\n\nReleased 2026-01-20.\n\n{line}\n");
        assert_eq!(
            tree(&notes).done(&["notes", "show", "1.0.0"]).0,
            notes,
            "{line}"
        );
    }
}
