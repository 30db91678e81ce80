//! `notes`: both of the forms that `RELEASES.md` takes, with every other byte kept.

mod support;

use expect_test::expect;
use support::{Tree, package};

const RULE: &str =
    "--------------------------------------------------------------------------------";

fn tree(notes: &str) -> Tree {
    let manifest = package("a", "1.0.0") + "repository = \"https://example.com/a/\"\n";
    Tree::new(&[("Cargo.toml", &manifest), ("RELEASES.md", notes)])
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
fn the_long_file_gets_a_new_section_on_top() {
    let notes = format!(
        "{RULE}\n\n## 1.0.0\n\nReleased 2024-01-20\n\n{RULE}\n\n## 0.9.0\n\nReleased 2023-12-20.\n"
    );
    let new = format!("## 1.1.0\n\nUnreleased.\n\n### Added\n\n### Changed\n\n{RULE}\n\n");
    assert_eq!(
        after(&notes, &["new", "1.1.0"]),
        notes.replacen("## 1.0.0", &(new + "## 1.0.0"), 1)
    );
}

#[test]
fn a_file_without_rules_gets_none() {
    let notes = "# History\n\n## 1.0.0\n\nReleased 2024-01-20\n";
    expect![[r#"
        # History

        ## 1.1.0

        Unreleased.

        ### Added

        ### Changed

        ## 1.0.0

        Released 2024-01-20
    "#]]
    .assert_eq(&after(notes, &["new", "1.1.0"]));
}

#[test]
fn a_file_without_sections_gets_its_first() {
    expect![[r#"
        ## 0.1.0

        Unreleased.

        ### Added

        ### Changed
    "#]]
    .assert_eq(&after("", &["new", "0.1.0"]));
    expect![[r#"
        # History

        ## 0.1.0

        Unreleased.

        ### Added

        ### Changed
    "#]]
    .assert_eq(&after("# History", &["new", "0.1.0"]));
    expect![[r#"
        # Notes

        Unreleased.

        ### Added

        * A thing.

        ## 49.0.0

        Unreleased.

        ### Added

        ### Changed

        --------------------------------------------------------------------------------

        Older notes are on their branches.

        <!-- ARCHIVE_START -->
    "#]]
    .assert_eq(&after(
        &archive("").replacen("## 48.0.0", "# Notes", 1),
        &["new", "49.0.0"],
    ));
}

#[test]
fn an_older_version_goes_where_it_belongs() {
    let notes = format!(
        "{RULE}\n\n## 3.0.0\n\nUnreleased.\n\n{RULE}\n\n## 1.0.0\n\nReleased 2024-01-20.\n"
    );
    expect![[r#"
        --------------------------------------------------------------------------------

        ## 3.0.0

        Unreleased.

        --------------------------------------------------------------------------------

        ## 2.0.1

        Unreleased.

        ### Added

        ### Changed

        --------------------------------------------------------------------------------

        ## 1.0.0

        Released 2024-01-20.
    "#]]
    .assert_eq(&after(&notes, &["new", "2.0.1"]));
    expect![[r#"
        --------------------------------------------------------------------------------

        ## 3.0.0

        Unreleased.

        --------------------------------------------------------------------------------

        ## 1.0.0

        Released 2024-01-20.

        --------------------------------------------------------------------------------

        ## 0.9.1

        Unreleased.

        ### Added

        ### Changed
    "#]]
    .assert_eq(&after(&notes, &["new", "0.9.1"]));
}

#[test]
fn in_the_archive_form_the_section_that_was_cut_leaves_and_a_link_comes() {
    let list = "* [47.0.x](https://github.com/o/r/blob/release-47.0.0/RELEASES.md)\n* [46.0.x](elsewhere)\n";
    expect![[r#"
        ## 49.0.0

        Unreleased.

        ### Added

        ### Changed

        --------------------------------------------------------------------------------

        Older notes are on their branches.

        <!-- ARCHIVE_START -->
        * [48.0.x](https://github.com/o/r/blob/release-48.0.0/RELEASES.md)
        * [47.0.x](https://github.com/o/r/blob/release-47.0.0/RELEASES.md)
        * [46.0.x](elsewhere)
    "#]]
    .assert_eq(&after(&archive(list), &["new", "49.0.0"]));
}

#[test]
fn the_first_link_of_an_archive_leads_to_the_repository() {
    expect![[r#"
        ## 49.0.0

        Unreleased.

        ### Added

        ### Changed

        --------------------------------------------------------------------------------

        Older notes are on their branches.

        <!-- ARCHIVE_START -->
        * [48.0.x](https://example.com/a/blob/release-48.0.0/RELEASES.md)
    "#]]
    .assert_eq(&after(archive("").trim_end(), &["new", "49.0.0"]));
}

#[test]
fn an_archive_that_has_the_link_gets_no_second() {
    let list = "* [48.0.x](https://github.com/o/r/blob/release-48.0.0/RELEASES.md)\n";
    assert!(
        after(&archive(list), &["new", "49.0.0"])
            .ends_with(&format!("<!-- ARCHIVE_START -->\n{list}"))
    );
}

#[test]
fn a_patch_of_an_archived_line_keeps_the_sections_of_its_line() {
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
fn a_date_takes_the_place_of_one_word() {
    let notes = "\u{feff}## 1.0.0\r\n\r\n_Unreleased_. (Unreleased, but soon)\r\n\r\n* Unreleased.\r\n\r\n## 0.9.0\r\n\r\nUnreleased\r\n";
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
fn what_is_done_is_not_done_again() {
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
    let body = "Released 2024-01-20.\n\n---\n\nA break, and a heading below text is none of ours:\n\nTitle\n---\n\n```text\n## 0.9.0\n<!-- ARCHIVE_START -->\n---\n```\n\n### Added\n\n* A thing.";
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
fn dashes_below_text_make_a_heading_and_end_no_section() {
    let notes = "## 1.0.0\n\nUnreleased.\n\nAt last\n-------\n\n## 0.9.0\n\nReleased 2024-01-20.\n";
    assert_eq!(
        tree(notes).done(&["notes", "show", "1.0.0"]).0,
        "## 1.0.0\n\nUnreleased.\n\nAt last\n-------\n"
    );
    assert!(!after(notes, &["new", "1.1.0"]).contains("-------\n\n## 1.0.0"));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
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
fn a_code_block_hides_its_headings_however_it_is_fenced() {
    for block in [
        "* Thus:\n\n  ```rust\n  ## 0.9.0\n  ```\n",
        "* ```rust\n  let a = 1;\n  ```\n",
        "~~~\n## 0.9.0\n```\n~~~\n",
        "````\n```\n## 0.9.0\n````\n",
        "```not a fence``` at all\n",
    ] {
        let notes =
            format!("## 1.0.0\n\nUnreleased.\n\n{block}\n## 0.9.0\n\nReleased 2024-01-20.\n");
        assert_eq!(
            tree(&notes).done(&["notes", "show", "0.9.0"]).0,
            "## 0.9.0\n\nReleased 2024-01-20.\n",
            "{block}"
        );
    }
}

#[test]
fn a_byte_order_mark_stays_in_front() {
    let notes = "\u{feff}## 1.0.0\n\nUnreleased.\n";
    let new = "\u{feff}## 1.1.0\n\nUnreleased.\n\n### Added\n\n### Changed\n\n";
    assert_eq!(
        after(notes, &["new", "1.1.0"]),
        new.to_string() + &notes[3..]
    );
}

#[test]
fn only_the_whole_word_is_replaced() {
    let notes = "## 1.0.0\n\nNonUnreleased Unreleased\n";
    let dated = after(notes, &["date", "1.0.0", "--date", "2024-01-20"]);
    assert_eq!(dated, "## 1.0.0\n\nNonUnreleased Released 2024-01-20\n");
}
