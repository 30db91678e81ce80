//! Bad input: one clear line that names the place and what to do, exit code 1, and not a byte changed.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use expect_test::expect;
use support::{Tree, package, root};

fn with_config(config: &str) -> Tree {
    let root = root("a b") + "[workspace.metadata.release-train]\n" + config + "\n";
    let b =
        package("b", "1.0.0") + "[dependencies]\na = { path = \"../a\", version = \"1.0.0\" }\n";
    Tree::new(&[
        ("Cargo.toml", &root),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        ("b/Cargo.toml", &b),
    ])
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

#[test]
fn outside_a_workspace() {
    Tree::new(&[("file", "")]).refused(
        &["bump"],
        expect!["error: could not find `Cargo.toml` in `$TREE` or any parent directory"],
    );
    Tree::new(&[("file", "")]).refused(
        &["notes", "show", "1.0.0"],
        expect!["error: could not find `Cargo.toml` in `$TREE` or any parent directory"],
    );
}

#[test]
fn a_toolchain_that_is_missing_without_the_backtrace_that_rustup_adds() {
    let tree = with_config("");
    // As rustup 1.28 says it where RUST_BACKTRACE is set.
    tree.write(
        "bin/cargo",
        "#!/bin/sh\ncat >&2 <<END\nerror: toolchain '1.76' is not installed\nhelp: run `rustup toolchain install` to install it\n\n\
         Stack backtrace:\n   0: anyhow::error::from\n             at ./csu/libc-start.c:360:3\nEND\nexit 1\n"
            .replace('`', "\\`")
            .as_str(),
    );
    fs::set_permissions(
        tree.path().join("bin/cargo"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("bump").current_dir(tree.path()).env(
        "PATH",
        format!("{}/bin:/usr/bin:/bin", tree.path().display()),
    );
    expect!["error: toolchain '1.76' is not installed: help: run `rustup toolchain install` to install it\n"]
        .assert_eq(&support::text(&command.output().unwrap().stderr));
}

#[test]
fn broken_toml() {
    let tree = with_config("");
    tree.write(
        "b/Cargo.toml",
        "[package]\nname = \"b\nversion = \"1.0.0\"\n",
    );
    tree.refused(
        &["bump"],
        expect![[r#"error: invalid basic string, expected `"`: b/Cargo.toml:2:10"#]],
    );
}

#[test]
fn broken_toml_in_the_root() {
    let tree = with_config("]");
    tree.refused(
        &["bump"],
        expect!["error: missing table open, expected `[`: Cargo.toml:5:1"],
    );
}

#[test]
fn a_manifest_that_is_missing() {
    let tree = with_config("");
    fs::remove_file(tree.path().join("b/Cargo.toml")).unwrap();
    tree.refused(
        &["bump"],
        expect![
            "error: failed to read `$TREE/b/Cargo.toml`: No such file or directory (os error 2)"
        ],
    );
}

#[test]
fn a_version_in_a_manifest_that_is_no_semver() {
    at_version("1.0").refused(
        &["bump"],
        expect![
            "error: unexpected end of input while parsing minor version number: Cargo.toml:3:11"
        ],
    );
}

#[test]
fn a_requirement_that_is_none() {
    let tree = with_config("");
    tree.write(
        "b/Cargo.toml",
        &(package("b", "1.0.0") + "[dependencies]\na = { path = \"../a\", version = \"one\" }\n"),
    );
    tree.refused(&["bump"], expect!["error: failed to parse manifest at `$TREE/b/Cargo.toml`: failed to parse the version requirement `one` for dependency `a`: unexpected character 'o' while parsing major version number"]);
}

#[test]
fn an_argument_that_is_no_version() {
    at_version("1.0.0").refused(&["bump", "1.1"], expect!["error: `1.1` is neither a level (major, minor, patch, rc, release) nor a version X.Y.Z: unexpected end of input while parsing minor version number"]);
    at_version("1.0.0").refused(&["bump", "v1.1.0"], expect!["error: `v1.1.0` is neither a level (major, minor, patch, rc, release) nor a version X.Y.Z: unexpected character 'v' while parsing major version number"]);
    with_notes("").refused(
        &["notes", "new", "one"],
        expect!["error: `one` is not a version X.Y.Z: unexpected character 'o' while parsing major version number"],
    );
}

#[test]
fn a_requirement_that_does_not_admit_its_member() {
    let tree = with_config("");
    tree.write(
        "b/Cargo.toml",
        &(package("b", "1.0.0") + "[dependencies]\na = { path = \"../a\", version = \"0.9\" }\n"),
    );
    tree.refused(&["bump"], expect!["error: b/Cargo.toml:6: `0.9` does not admit `a` 1.0.0: fix it, or undo an interrupted bump with `git restore :/`"]);
}

#[test]
fn a_bump_that_was_interrupted_between_the_manifests() {
    let tree = with_config("");
    tree.write(
        "b/Cargo.toml",
        &tree.read("b/Cargo.toml").replace("1.0.0", "2.0.0"),
    );
    tree.refused(&["bump", "patch"], expect![[r#"error: Cargo.toml: [workspace.metadata.release-train]: the published crates have several versions: add `version-of = "crate"` to say which one names the train, or undo an interrupted bump with `git restore :/`"#]]);
}

#[test]
fn a_bump_that_was_interrupted_before_the_lock_file() {
    let tree = with_config("");
    tree.cargo(&["generate-lockfile", "--offline"]);
    let lock = tree.read("Cargo.lock");
    tree.done(&["bump"]);
    tree.write("Cargo.lock", &lock);
    tree.refused(&["bump"], expect!["error: Cargo.lock: `a` 2.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`"]);
}

#[test]
fn a_requirement_that_cannot_follow() {
    let tree = with_config("");
    tree.write(
        "b/Cargo.toml",
        &(package("b", "1.0.0")
            + "[dependencies]\na = { path = \"../a\", version = \">=1, <2\" }\n"),
    );
    tree.refused(
        &["bump"],
        expect!["error: b/Cargo.toml:6: `a`: `>=1, <2` cannot be updated to 2.0.0: write it with one of ^ = ~ >="],
    );
}

#[test]
fn an_internal_crate_that_is_not_pinned() {
    with_config("public = [\"b\"]").refused(
        &["bump"],
        expect![
            "error: b/Cargo.toml:6: `1.0.0` does not pin `a`, which is not `public`: write `=1.0.0`"
        ],
    );
}

#[test]
fn a_public_crate_that_is_pinned() {
    let tree = with_config("public = [\"a\", \"b\"]");
    tree.write(
        "b/Cargo.toml",
        &tree
            .read("b/Cargo.toml")
            .replace("\"1.0.0\" }", "\"=1.0.0\" }"),
    );
    tree.refused(
        &["bump"],
        expect!["error: b/Cargo.toml:6: `=1.0.0` pins `a`, which is `public`: write `1.0.0`"],
    );
}

#[test]
fn several_pins_that_are_missing() {
    let tree = with_config("public = [\"b\"]");
    tree.write(
        "b/Cargo.toml",
        &(tree.read("b/Cargo.toml")
            + "[build-dependencies]\na = { path = \"../a\", version = \"1\" }\n"),
    );
    tree.refused(
        &["bump"],
        expect![
            "error: b/Cargo.toml:6: `1.0.0` does not pin `a`, which is not `public`: write `=1.0.0` (1 more of the kind)"
        ],
    );
}

#[test]
fn an_unknown_key() {
    with_config("pubic = []").refused(&["bump"], expect!["error: Cargo.toml: [workspace.metadata.release-train]: unknown key `pubic`: remove it, or see the README for the keys"]);
}

#[test]
fn a_key_of_the_wrong_type() {
    with_config("public = \"a\"").refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: `public` must be a list of strings"],
    );
    with_config("public = [1]").refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: `public` must be a list of strings"],
    );
    with_config("release-candidates = \"yes\"").refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: `release-candidates` must be true or false"],
    );
    with_config("after-bump = [\"cargo vet\"]").refused(&["bump"], expect!["error: Cargo.toml: [workspace.metadata.release-train]: `after-bump` must be a list of commands, each a list of strings"]);
    with_config("after-bump = [[]]").refused(&["bump"], expect!["error: Cargo.toml: [workspace.metadata.release-train]: `after-bump` must be a list of commands, each a list of strings"]);
    with_config("lts-months = 0").refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: `lts-months` must be a whole number above 0"],
    );
    with_config("version-strings = [{ file = \"a\" }]").refused(&["bump"], expect![[r#"error: Cargo.toml: [workspace.metadata.release-train]: `version-strings` must be a list of { file = "...", line = "..." }, each line with {version}, {major}, {minor} or {patch}"#]]);
    with_config("version-strings = [{ file = \"a\", line = \"no placeholder\" }]").refused(&["bump"], expect![[r#"error: Cargo.toml: [workspace.metadata.release-train]: `version-strings` must be a list of { file = "...", line = "..." }, each line with {version}, {major}, {minor} or {patch}"#]]);
    Tree::new(&[("Cargo.toml", "[workspace]\nmetadata.release-train = 1\n")]).refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: it must be a table"],
    );
}

#[test]
fn a_crate_in_the_configuration_that_is_no_member() {
    with_config("public = [\"c\"]").refused(
        &["bump"],
        expect![
            "error: Cargo.toml: [workspace.metadata.release-train]: `c` is not a published member"
        ],
    );
    with_config("independent = [\"c\"]").refused(
        &["bump"],
        expect![
            "error: Cargo.toml: [workspace.metadata.release-train]: `c` is not a published member"
        ],
    );
    with_config("version-of = \"c\"").refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: `version-of`: `c` is not a member that is bumped with the train"],
    );
}

#[test]
fn an_independent_crate_that_inherits_its_version() {
    let root =
        root("a") + "package.version = \"1.0.0\"\nmetadata.release-train.independent = [\"a\"]\n";
    let a = "[package]\nname = \"a\"\nversion.workspace = true\n";
    Tree::new(&[("Cargo.toml", &root), ("a/Cargo.toml", a)]).refused(&["bump"], expect!["error: Cargo.toml: [workspace.metadata.release-train]: `independent`: `a` inherits its version from the workspace"]);
}

#[test]
fn a_workspace_whose_train_has_no_single_version() {
    let tree = with_config("");
    tree.write("b/Cargo.toml", &package("b", "0.3.0"));
    tree.refused(&["bump"], expect![[r#"error: Cargo.toml: [workspace.metadata.release-train]: the published crates have several versions: add `version-of = "crate"` to say which one names the train, or undo an interrupted bump with `git restore :/`"#]]);
}

#[test]
fn a_workspace_that_publishes_nothing() {
    let private = package("a", "1.0.0") + "publish = false\n";
    Tree::new(&[("Cargo.toml", &private)]).refused(&["bump"], expect!["error: Cargo.toml: [workspace.metadata.release-train]: no crate is published, so there is no version to name the train"]);
}

#[test]
fn a_version_string_whose_file_is_missing() {
    with_config("version-strings = [{ file = \"version.h\", line = \"V {version}\" }]").refused(
        &["bump"],
        expect!["error: version.h: No such file or directory (os error 2); `version-strings` in Cargo.toml names it"],
    );
}

#[test]
fn a_version_string_whose_line_is_missing() {
    let tree = with_config("version-strings = [{ file = \"version.h\", line = \"V {version}\" }]");
    tree.write("version.h", "V 1.0.1\nV 1.0.0 too\n");
    tree.refused(
        &["bump"],
        expect![
            "error: version.h: no line is `V 1.0.0`: mend it, or `version-strings` in Cargo.toml"
        ],
    );
}

#[test]
fn a_version_string_whose_line_is_there_twice() {
    let tree = with_config("version-strings = [{ file = \"version.h\", line = \"V {version}\" }]");
    tree.write("version.h", "V 1.0.0\n  V 1.0.0\n");
    tree.refused(
        &["bump"],
        expect![
            "error: version.h: 2 lines are `V 1.0.0`: `version-strings` in Cargo.toml must name one"
        ],
    );
}

#[test]
fn a_candidate_of_a_release() {
    at_version("1.0.0").refused(
        &["bump", "rc"],
        expect![
            "error: a is at 1.0.0: a candidate follows only -dev or -rc.N; use `bump X.Y.Z-rc.1`"
        ],
    );
}

#[test]
fn a_patch_of_what_is_not_released() {
    at_version("1.0.0-dev").refused(
        &["bump", "patch"],
        expect!["error: a is at 1.0.0-dev: a minor or patch version follows only a release; use `bump release`"],
    );
    at_version("1.0.0-rc.1").refused(
        &["bump", "minor"],
        expect!["error: a is at 1.0.0-rc.1: a minor or patch version follows only a release; use `bump release`"],
    );
}

#[test]
fn a_crate_that_cannot_go_where_the_others_go() {
    let tree = with_config("version-of = \"b\"");
    tree.write("b/Cargo.toml", &package("b", "2.0.0-dev"));
    tree.refused(
        &["bump", "rc"],
        expect![
            "error: a is at 1.0.0: a candidate follows only -dev or -rc.N; use `bump X.Y.Z-rc.1`"
        ],
    );
}

#[test]
fn a_number_that_cannot_grow() {
    at_version("18446744073709551615.0.0").refused(
        &["bump"],
        expect!["error: a is at 18446744073709551615.0.0: there is no higher number"],
    );
}

#[test]
fn a_file_whose_mode_forbids_writing() {
    let tree = with_config("");
    let file = tree.path().join("b/Cargo.toml");
    let mut mode = fs::metadata(&file).unwrap().permissions();
    mode.set_readonly(true);
    fs::set_permissions(&file, mode).unwrap();
    tree.refused(
        &["bump"],
        expect![
            "error: b/Cargo.toml: its mode forbids writing: make it writable; nothing was changed"
        ],
    );
}

#[test]
fn a_lock_file_that_is_out_of_date() {
    let tree = with_config("");
    tree.write(
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n",
    );
    tree.refused(&["bump"], expect!["error: Cargo.lock: `b` 1.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`"]);
}

#[test]
fn a_lock_file_with_conflict_markers() {
    let tree = with_config("");
    tree.cargo(&["generate-lockfile", "--offline"]);
    tree.write("Cargo.lock", &(tree.read("Cargo.lock") + "<<<<<<< ours\n"));
    tree.refused(
        &["bump"],
        expect!["error: Cargo.lock:15: key with no value, expected `=`"],
    );
}

#[test]
fn a_bump_that_was_interrupted_between_crates_that_do_not_ask_for_each_other() {
    let tree = with_config("version-of = \"a\"");
    tree.write("b/Cargo.toml", &package("b", "1.0.0"));
    tree.cargo(&["generate-lockfile", "--offline"]);
    tree.write("a/Cargo.toml", &package("a", "2.0.0"));
    tree.refused(&["bump", "2.0.0"], expect!["error: Cargo.lock: `a` 2.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`"]);
}

#[test]
fn an_error_of_cargo_is_one_line_also_where_colours_are_on() {
    let tree = with_config("");
    tree.write("b/Cargo.toml", "[package]\nname = \"b\n");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command
        .arg("bump")
        .current_dir(tree.path())
        .env("CARGO_TERM_COLOR", "always")
        .output()
        .unwrap();
    expect![[r#"error: invalid basic string, expected `"`: b/Cargo.toml:2:10"#]]
        .assert_eq(support::text(&output.stderr).trim_end());
}

#[test]
fn a_train_that_is_named_by_a_crate_that_stays() {
    let tree = with_config("version-of = \"a\"\nindependent = [\"a\"]");
    tree.refused(
        &["bump"],
        expect!["error: Cargo.toml: [workspace.metadata.release-train]: `version-of`: `a` is not a member that is bumped with the train"],
    );
}

#[test]
fn notes_of_another_format() {
    with_notes("# Changelog\n\n## [1.0.0] - 2024-01-20\n").refused(
        &["notes", "new", "1.1.0"],
        expect!["error: RELEASES.md: `## [1.0.0] - 2024-01-20` names no version: sections are headed `## X.Y.Z`"],
    );
}

#[test]
fn an_archive_with_text_between_its_sections() {
    let tree = with_notes(
        "## 1.0.0\n\nUnreleased.\n\n## Policy\n\n---\n\n<!-- ARCHIVE_START -->\n* [0.9.x](release-0.9.0)\n",
    );
    tree.refused(
        &["notes", "new", "2.0.0"],
        expect!["error: RELEASES.md: `## Policy` stands between the sections, and would leave with them: move it"],
    );
}

#[test]
fn notes_that_are_missing() {
    at_version("1.0.0").refused(
        &["notes", "show", "1.0.0"],
        expect![
            "error: RELEASES.md: there is none at the root of the workspace: create it, be it empty"
        ],
    );
}

#[test]
fn notes_that_are_not_text() {
    let tree = with_notes("");
    fs::write(tree.path().join("RELEASES.md"), b"## 1.0.0\n\n\xff\n").unwrap();
    tree.refused(
        &["notes", "show", "1.0.0"],
        expect!["error: RELEASES.md: stream did not contain valid UTF-8"],
    );
}

#[test]
fn a_section_that_is_missing() {
    with_notes("## 1.0.0\n\nUnreleased.\n").refused(
        &["notes", "date", "1.0.1"],
        expect!["error: RELEASES.md: there is no section `## 1.0.1`; `cargo xtask notes new 1.0.1` opens one"],
    );
    with_notes("## 1.0.0\n\nUnreleased.\n").refused(
        &["notes", "show", "1.0.1"],
        expect!["error: RELEASES.md: there is no section `## 1.0.1`; `cargo xtask notes new 1.0.1` opens one"],
    );
}

#[test]
fn a_section_that_is_there_twice() {
    let tree = with_notes("## 1.0.0\n\nUnreleased.\n\n## 1.0.0\n\nUnreleased.\n");
    tree.refused(
        &["notes", "date", "1.0.0"],
        expect!["error: RELEASES.md: the section `## 1.0.0` is there twice: remove one"],
    );
    tree.refused(
        &["notes", "show", "1.0.0"],
        expect!["error: RELEASES.md: the section `## 1.0.0` is there twice: remove one"],
    );
    tree.refused(
        &["notes", "new", "1.0.0"],
        expect!["error: RELEASES.md: the section `## 1.0.0` is there twice: remove one"],
    );
}

#[test]
fn a_section_that_is_dated_otherwise() {
    let tree = with_notes("## 1.0.0\n\nReleased 2024-01-20.\n");
    tree.refused(
        &["notes", "date", "1.0.0", "--date", "2024-01-21"],
        expect!["error: RELEASES.md: `## 1.0.0` is dated 2024-01-20 already, not 2024-01-21"],
    );
}

#[test]
fn a_section_that_says_nothing_of_its_release() {
    let tree = with_notes("## 1.0.0\n\n### Added\n\nUnreleased.\n");
    tree.refused(
        &["notes", "date", "1.0.0"],
        expect!["error: RELEASES.md: `Unreleased.` is missing under `## 1.0.0`: write it there"],
    );
}

#[test]
fn a_date_that_is_none() {
    let tree = with_notes("## 1.0.0\n\nUnreleased.\n");
    for date in [
        "2024-02-30",
        "2024-13-01",
        "2024-1-1",
        "tomorrow",
        "20240101",
        "",
    ] {
        let date = ["notes", "date", "1.0.0", "--date", date];
        let output = tree.xtask(&date);
        assert_eq!(output.status.code(), Some(1), "{date:?}");
    }
    tree.refused(
        &["notes", "date", "1.0.0", "--date", "2024-02-30"],
        expect!["error: `2024-02-30` is not a date: write YYYY-MM-DD"],
    );
}

#[test]
fn a_template_without_a_section() {
    let root = package("a", "1.0.0")
        + "[workspace]\nmetadata.release-train.notes-template = \"template.md\"\n";
    let tree = Tree::new(&[("Cargo.toml", &root), ("RELEASES.md", "")]);
    tree.refused(
        &["notes", "new", "1.0.0"],
        expect!["error: template.md: No such file or directory (os error 2); `notes-template` in Cargo.toml names it"],
    );
    tree.write("template.md", "Unreleased.\n");
    tree.refused(
        &["notes", "new", "1.0.0"],
        expect!["error: template.md: it must hold one section, `## VERSION`; `notes-template` in Cargo.toml names it"],
    );
}

#[test]
fn an_archive_that_does_not_say_where_it_is() {
    let tree = with_notes("## 1.0.0\n\nUnreleased.\n\n<!-- ARCHIVE_START -->\n");
    tree.refused(&["notes", "new", "2.0.0"], expect!["error: RELEASES.md: the list of archived notes has no link to follow and no crate names its `repository`: write the first"]);
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2() {
    let tree = at_version("1.0.0");
    for line in [
        &["bumb"][..],
        &["bump", "--dry-run"],
        &["bump", "major", "minor"],
        &["--frobnicate"],
        &["notes"],
        &["notes", "new"],
        &["notes", "old", "1.0.0"],
        &["notes", "show", "1.0.0", "2.0.0"],
        &["notes", "date", "1.0.0", "--date"],
    ] {
        let output = tree.xtask(line);
        let stderr = support::text(&output.stderr);
        assert_eq!(
            (output.status.code(), stderr.lines().count()),
            (Some(2), 1),
            "{line:?}: {stderr}"
        );
    }
}
