//! Bad input: one clear line that names the place and what to do, exit code 1, and not a byte changed.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use expect_test::expect;
use support::{Tree, package, root, text};

/// `a`, and `b` with a dependency on it.
fn with_config(config: &str) -> Tree {
    let root = root("a b") + "[workspace.metadata.release-train]\n" + config + "\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root),
        ("a/Cargo.toml", &package("a", "1.0.0")),
    ]);
    tree.write("b/src/lib.rs", "");
    depends(&tree, "1.0.0");
    tree
}

/// Makes `b` depend on `a` with this requirement.
fn depends(tree: &Tree, requirement: &str) {
    let needs = format!("[dependencies]\na = {{ path = \"../a\", version = \"{requirement}\" }}\n");
    tree.write("b/Cargo.toml", &(package("b", "1.0.0") + &needs));
}

fn at_version(version: &str) -> Tree {
    Tree::new(&[("Cargo.toml", &package("a", version))])
}

fn with_notes(notes: &str) -> Tree {
    Tree::new(&[
        ("Cargo.toml", &package("a", "1.0.0")),
        ("RELEASES.md", notes),
    ])
}

/// The error of a task, which must be one line and change nothing.
fn error(tree: &Tree, line: &str) -> String {
    tree.error(&line.split(' ').collect::<Vec<_>>())
}

/// The errors of a task in several trees, one a line.
fn errors(trees: &[Tree], line: &str) -> String {
    let errors = trees.iter().map(|tree| error(tree, line) + "\n");
    errors.collect()
}

#[test]
fn outside_a_workspace() {
    let tree = Tree::new(&[("file", "")]);
    let expected = "error: could not find `Cargo.toml` in `$TREE` or any parent directory";
    assert_eq!(error(&tree, "bump"), expected);
    assert_eq!(error(&tree, "notes show 1.0.0"), expected);
}

#[test]
fn a_missing_toolchain_is_reported_without_the_backtrace_that_rustup_adds() {
    let tree = with_config("");
    // What rustup 1.28 prints where RUST_BACKTRACE is set.
    tree.write(
        "bin/cargo",
        "#!/bin/sh\ncat >&2 <<'END'\nerror: toolchain '1.76' is not installed\nhelp: run `rustup toolchain install` to install it\n\n\
         Stack backtrace:\n   0: anyhow::error::from\n             at ./csu/libc-start.c:360:3\nEND\nexit 1\n",
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(tree.path().join("bin/cargo"), mode).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let path = format!("{}/bin:/usr/bin:/bin", tree.path().display());
    command
        .arg("bump")
        .current_dir(tree.path())
        .env("PATH", path);
    expect!["error: toolchain '1.76' is not installed: help: run `rustup toolchain install` to install it"].assert_eq(text(&command.output().unwrap().stderr).trim_end());
}

#[test]
fn manifests_that_cannot_be_read() {
    let trees = [
        "[package]\nname = \"b\nversion = \"1.0.0\"\n",
        "[package]\nname = \"b\"\nversion = \"1.0\"\n",
        "[package]\nname = \"b\"\n[dependencies]\na = \"one\"\n",
    ]
    .map(|manifest| {
        let tree = with_config("");
        tree.write("b/Cargo.toml", manifest);
        tree
    });
    expect![[r#"
        error: invalid basic string, expected `"`: b/Cargo.toml:2:10
        error: unexpected end of input while parsing minor version number: b/Cargo.toml:3:11
        error: failed to parse manifest at `$TREE/b/Cargo.toml`: failed to parse the version requirement `one` for dependency `a`: unexpected character 'o' while parsing major version number
    "#]].assert_eq(&errors(&trees, "bump"));
    let missing = with_config("");
    fs::remove_file(missing.path().join("b/Cargo.toml")).unwrap();
    expect![[r#"
        error: failed to read `$TREE/b/Cargo.toml`: No such file or directory (os error 2)
        error: missing table open, expected `[`: Cargo.toml:5:1
    "#]]
    .assert_eq(&errors(&[missing, with_config("]")], "bump"));
}

#[test]
fn an_error_of_cargo_is_one_line_also_where_colours_are_on() {
    let tree = with_config("");
    tree.write("b/Cargo.toml", "[package]\nname = \"b\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("bump")
        .current_dir(tree.path())
        .env("CARGO_TERM_COLOR", "always");
    expect![[r#"error: invalid basic string, expected `"`: b/Cargo.toml:2:10"#]]
        .assert_eq(text(&command.output().unwrap().stderr).trim_end());
}

#[test]
fn arguments_that_are_not_versions_and_bumps_that_lead_nowhere() {
    let mut all = String::new();
    for (version, line) in [
        ("1.0.0", "bump 1.1"),
        ("1.0.0", "bump v1.1.0"),
        ("1.0.0", "notes new one"),
        ("1.0.0", "bump rc"),
        ("1.0.0-dev", "bump patch"),
        ("1.0.0-rc.1", "bump minor"),
        ("18446744073709551615.0.0", "bump"),
    ] {
        all += &(error(&at_version(version), line) + "\n");
    }
    // One crate cannot go where the others go.
    let tree = with_config("version-of = \"b\"");
    tree.write("b/Cargo.toml", &package("b", "2.0.0-dev"));
    all += &error(&tree, "bump rc");
    expect![[r#"
        error: `1.1` is neither a level (major, minor, patch, rc, release) nor a version X.Y.Z: unexpected end of input while parsing minor version number
        error: `v1.1.0` is neither a level (major, minor, patch, rc, release) nor a version X.Y.Z: unexpected character 'v' while parsing major version number
        error: `one` is not a version X.Y.Z: unexpected character 'o' while parsing major version number
        error: a is at 1.0.0: a candidate follows only -dev or -rc.N: `cargo xtask bump 1.0.0-rc.1`
        error: a is at 1.0.0-dev: a minor or patch version follows only a release: `cargo xtask bump release`
        error: a is at 1.0.0-rc.1: a minor or patch version follows only a release: `cargo xtask bump release`
        error: a is at 18446744073709551615.0.0: the number cannot be increased
        error: a is at 1.0.0: a candidate follows only -dev or -rc.N: `cargo xtask bump 1.0.0-rc.1`"#]].assert_eq(&all);
}

#[test]
fn requirements_that_do_not_match_or_cannot_follow_or_pin_the_wrong_crates() {
    let trees = [
        ("", "0.9"),
        ("", ">=1, <2"),
        ("public = [\"b\"]", "1.0.0"),
        ("public = [\"a\", \"b\"]", "=1.0.0"),
    ]
    .map(|(config, requirement)| {
        let tree = with_config(config);
        depends(&tree, requirement);
        tree
    });
    expect![[r#"
        error: b/Cargo.toml:6: `0.9` does not admit `a` 1.0.0: fix it, or undo an interrupted bump with `git restore :/`
        error: b/Cargo.toml:6: `a`: `>=1, <2` cannot be updated to 2.0.0: write it with one of ^ = ~ >=
        error: b/Cargo.toml:6: `1.0.0` does not pin `a`, which is not `public`: write `=1.0.0`
        error: b/Cargo.toml:6: `=1.0.0` pins `a`, which is `public`: write `1.0.0`
    "#]].assert_eq(&errors(&trees, "bump"));
}

#[test]
fn an_interrupted_bump() {
    // Between manifests that depend on each other.
    let first = with_config("");
    let manifest = first.read("b/Cargo.toml").replace("1.0.0", "2.0.0");
    first.write("b/Cargo.toml", &manifest);
    // Before the lock file.
    let second = with_config("");
    second.cargo(&["generate-lockfile", "--offline"]);
    let lock = second.read("Cargo.lock");
    second.done(&["bump"]);
    second.write("Cargo.lock", &lock);
    // Between manifests that do not depend on each other.
    let third = with_config("version-of = \"a\"");
    third.write("b/Cargo.toml", &package("b", "1.0.0"));
    third.cargo(&["generate-lockfile", "--offline"]);
    third.write("a/Cargo.toml", &package("a", "2.0.0"));
    expect![[r#"
        error: Cargo.toml: [workspace.metadata.release-train]: the published crates have several versions: add `version-of = "crate"` to say which one names the train, or undo an interrupted bump with `git restore :/`
        error: Cargo.lock: `a` 2.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`
        error: Cargo.lock: `a` 2.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`
    "#]].assert_eq(&errors(&[first, second, third], "bump patch"));
}

#[test]
fn lock_files_that_are_out_of_date_or_in_conflict() {
    let old = with_config("");
    let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
    old.write("Cargo.lock", lock);
    let conflict = with_config("");
    conflict.cargo(&["generate-lockfile", "--offline"]);
    let lock = conflict.read("Cargo.lock") + "<<<<<<< ours\n";
    conflict.write("Cargo.lock", &lock);
    expect![[r#"
        error: Cargo.lock: `b` 1.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`
        error: Cargo.lock:15: key with no value, expected `=`
    "#]].assert_eq(&errors(&[old, conflict], "bump"));
}

#[test]
fn a_file_whose_mode_forbids_writing() {
    let tree = with_config("");
    let mode = fs::Permissions::from_mode(0o444);
    fs::set_permissions(tree.path().join("b/Cargo.toml"), mode).unwrap();
    expect!["error: b/Cargo.toml: its mode forbids writing: make it writable; nothing was changed"]
        .assert_eq(&error(&tree, "bump"));
}

#[test]
fn configurations_with_unknown_keys_wrong_types_and_crates_that_are_not_members() {
    let trees = [
        "pubic = []",
        "public = \"a\"",
        "public = [1]",
        "release-candidates = \"yes\"",
        "after-bump = [\"cargo vet\"]",
        "after-bump = [[]]",
        "checks = [\"cargo deny check\"]",
        "checks = [[]]",
        "new-crates = \"a\"",
        "new-crates = [\"c\"]",
        "lts-months = 0",
        "version-strings = [{ file = \"a\" }]",
        "version-strings = [{ file = \"a\", line = \"no version\" }]",
        "public = [\"c\"]",
        "independent = [\"c\"]",
        "version-of = \"c\"",
        "version-of = \"a\"\nindependent = [\"a\"]",
    ]
    .map(with_config);
    let place = "error: Cargo.toml: [workspace.metadata.release-train]: ";
    let said = errors(&trees, "bump");
    assert_eq!(said.matches(place).count(), trees.len());
    expect![[r#"
        unknown key `pubic`: remove it, or see the README for the keys
        `public` must be a list of strings
        `public` must be a list of strings
        `release-candidates` must be true or false
        `after-bump` must be a list of commands, each a list of strings
        `after-bump` must be a list of commands, each a list of strings
        `checks` must be a list of commands, each a list of strings
        `checks` must be a list of commands, each a list of strings
        `new-crates` must be a list of strings
        `new-crates`: `c` is not a published member
        `lts-months` must be a whole number above 0
        `version-strings` must be a list of { file = "...", line = "..." }, each line with {version}, {major}, {minor} or {patch}
        `version-strings` must be a list of { file = "...", line = "..." }, each line with {version}, {major}, {minor} or {patch}
        `public`: `c` is not a published member
        `independent`: `c` is not a published member
        `version-of`: `c` is not a member that is bumped with the train
        `version-of`: `a` is not a member that is bumped with the train
    "#]].assert_eq(&said.replace(place, ""));
    let tree = with_config("");
    tree.write("Cargo.toml", "[workspace]\nmetadata.release-train = 1\n");
    assert_eq!(
        error(&tree, "bump"),
        place.to_string() + "it must be a table"
    );
}

#[test]
fn workspaces_without_one_version_that_names_the_train() {
    let several = with_config("");
    several.write("b/Cargo.toml", &package("b", "0.3.0"));
    let private = with_config("");
    for name in ["a", "b"] {
        let manifest = package(name, "1.0.0") + "publish = false\n";
        private.write(&format!("{name}/Cargo.toml"), &manifest);
    }
    // An independent crate with the workspace's version.
    let inherits = with_config("independent = [\"a\"]\n[workspace.package]\nversion = \"1.0.0\"");
    let manifest = "[package]\nname = \"a\"\nversion.workspace = true\n";
    inherits.write("a/Cargo.toml", manifest);
    expect![[r#"
        error: Cargo.toml: [workspace.metadata.release-train]: the published crates have several versions: add `version-of = "crate"` to say which one names the train, or undo an interrupted bump with `git restore :/`
        error: Cargo.toml: [workspace.metadata.release-train]: no crate is published, so there is no version to name the train
        error: Cargo.toml: [workspace.metadata.release-train]: `independent`: `a` inherits its version from the workspace
    "#]].assert_eq(&errors(&[several, private, inherits], "bump"));
}

#[test]
fn version_strings_whose_file_or_line_is_missing_or_not_the_only_one() {
    let tree = with_config("version-strings = [{ file = \"version.h\", line = \"V {version}\" }]");
    let mut all = error(&tree, "bump");
    for text in ["V 1.0.1\nV 1.0.0 too\n", "V 1.0.0\n  V 1.0.0\n"] {
        tree.write("version.h", text);
        all += &format!("\n{}", error(&tree, "bump"));
    }
    expect![[r#"
        error: version.h: No such file or directory (os error 2); `version-strings` in Cargo.toml names it
        error: version.h: the line `V 1.0.0` must be there once: fix it, or `version-strings` in Cargo.toml
        error: version.h: the line `V 1.0.0` must be there once: fix it, or `version-strings` in Cargo.toml"#]].assert_eq(&all);
}

#[test]
fn notes_that_are_missing_or_not_text() {
    let bytes = with_notes("");
    fs::write(bytes.path().join("RELEASES.md"), b"## 1.0.0\n\n\xff\n").unwrap();
    let trees = [at_version("1.0.0"), bytes];
    expect![[r#"
        error: RELEASES.md: missing at the root of the workspace: create it, it may be empty
        error: RELEASES.md: stream did not contain valid UTF-8
    "#]]
    .assert_eq(&errors(&trees, "notes show 1.0.0"));
}

#[test]
fn notes_whose_headings_are_in_another_form() {
    let trees = [
        "# 1.0.0 (January 20, 2024)",
        "## [1.0.0] - 2024-01-20",
        "## [1.0.0](https://example.com)",
        "## v1.0.0 - 2024-01-20",
        "1.0.0\n-----",
        "Version 1.0.0 (2024-01-20)\n====",
    ]
    .map(|heading| with_notes(&format!("Changelog\n\n{heading}\n\nReleased.\n")));
    expect![[r#"
        error: RELEASES.md: line 3: `# 1.0.0 (January 20, 2024)`: a section of a version is headed `## X.Y.Z`
        error: RELEASES.md: line 3: `## [1.0.0] - 2024-01-20`: a section of a version is headed `## X.Y.Z`
        error: RELEASES.md: line 3: `## [1.0.0](https://example.com)`: a section of a version is headed `## X.Y.Z`
        error: RELEASES.md: line 3: `## v1.0.0 - 2024-01-20`: a section of a version is headed `## X.Y.Z`
        error: RELEASES.md: line 3: `1.0.0`: a section of a version is headed `## X.Y.Z`
        error: RELEASES.md: line 3: `Version 1.0.0 (2024-01-20)`: a section of a version is headed `## X.Y.Z`
    "#]].assert_eq(&errors(&trees, "notes new 1.1.0"));
}

#[test]
fn sections_that_are_missing_or_there_twice() {
    let section = "## 1.0.0\n\nUnreleased.\n";
    let one = with_notes(section);
    let two = with_notes(&format!("{section}\n{section}"));
    for action in ["date", "show", "new"] {
        if action != "new" {
            expect!["error: RELEASES.md: the section `## 1.0.1` is missing; `cargo xtask notes new 1.0.1` adds it"]
                .assert_eq(&error(&one, &format!("notes {action} 1.0.1")));
        }
        expect!["error: RELEASES.md: line 5: the section `## 1.0.0` is there twice: remove one"]
            .assert_eq(&error(&two, &format!("notes {action} 1.0.0")));
    }
}

#[test]
fn sections_whose_first_line_is_not_a_status() {
    for first in [
        "### Added\n\nUnreleased.",
        "_Unreleased_",
        "NonUnreleased",
        "* Unreleased buffers are freed now.",
        "* The time zones are those of 2024-02-01.",
        "Released soon.",
    ] {
        let tree = with_notes(&format!("## 1.0.0\n\n{first}\n"));
        expect!["error: RELEASES.md: line 1: `Unreleased.` is missing below `## 1.0.0`: write it on the first line"]
            .assert_eq(&error(&tree, "notes date 1.0.0 --date 2024-05-05"));
    }
    let tree = with_notes("## 1.0.0\n\nReleased 2024-01-20.\n");
    expect!["error: RELEASES.md: line 3: `## 1.0.0` is already dated 2024-01-20, not 2024-01-21"]
        .assert_eq(&error(&tree, "notes date 1.0.0 --date 2024-01-21"));
}

#[test]
fn dates_that_do_not_exist() {
    let tree = with_notes("## 1.0.0\n\nUnreleased.\n");
    for date in [
        "2024-02-30",
        "2024-13-01",
        "2024-1-1",
        "tomorrow",
        "20240101",
        "",
    ] {
        let error = tree.error(&["notes", "date", "1.0.0", "--date", date]);
        assert_eq!(
            error,
            format!("error: `{date}` is not a date: write YYYY-MM-DD")
        );
    }
}

#[test]
fn templates_that_are_missing_or_have_no_section() {
    let trees = [None, Some("Unreleased.\n")].map(|template| {
        let root = package("a", "1.0.0")
            + "[workspace]\nmetadata.release-train.notes-template = \"template.md\"\n";
        let tree = Tree::new(&[("Cargo.toml", &root), ("RELEASES.md", "")]);
        if let Some(text) = template {
            tree.write("template.md", text);
        }
        tree
    });
    expect![[r#"
        error: `notes-template` in Cargo.toml: template.md: No such file or directory (os error 2)
        error: `notes-template` in Cargo.toml: template.md: it must hold one section, `## VERSION`, and begin it with `Unreleased.`
    "#]]
    .assert_eq(&errors(&trees, "notes new 1.0.0"));
}

#[test]
fn an_archive_with_text_between_the_sections() {
    let trees = [
        "## 1.0.0\n\nUnreleased.\n\n## Policy\n\n---\n\n<!-- ARCHIVE_START -->\n* [0.9.x](release-0.9.0)\n",
    ]
    .map(with_notes);
    expect![[r#"
        error: RELEASES.md: line 5: `## Policy` stands below the newest section: move it
    "#]]
    .assert_eq(&errors(&trees, "notes new 2.0.0"));
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2() {
    let tree = at_version("1.0.0");
    for line in [
        "bumb",
        "bump --dry-run",
        "bump major minor",
        "--frobnicate",
        "notes",
        "notes new",
        "notes old 1.0.0",
        "notes show 1.0.0 2.0.0",
        "notes date 1.0.0 --date",
    ] {
        let output = tree.xtask(&line.split(' ').collect::<Vec<_>>());
        let stderr = text(&output.stderr);
        let lines = stderr.lines().count();
        assert_eq!(
            (output.status.code(), lines),
            (Some(2), 1),
            "{line}: {stderr}"
        );
    }
}

#[test]
fn artifacts_that_are_not_plain_names() {
    for name in [
        "../x",
        "/etc/passwd",
        "sub/x.msi",
        ".sums",
        "my x.msi",
        "",
        "x-{target}.zip",
    ] {
        let config = format!("[workspace]\nmetadata.release-train.artifacts = [\"{name}\"]\n");
        let tree = Tree::new(&[("Cargo.toml", &(package("a", "1.0.0") + &config))]);
        assert_eq!(
            tree.error(&["bump"]),
            "error: Cargo.toml: [workspace.metadata.release-train]: `artifacts` must be a list of names of letters, digits and ._-+, each with {version}, {major}, {minor} or {patch} at will"
        );
    }
}
