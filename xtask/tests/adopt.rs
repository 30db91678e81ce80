//! `cargo adopt`: copies the tool into another workspace, and brings it up to date there. The clone of release-train in these
//! tests is this source without its dependencies, so that a lock file is completed without a network.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use support::text;
use support::train::World;

/// Its members stand in lines, and the last one has a comment.
const WORKSPACE: &str = r#"[workspace]
resolver = "2"
members = [
    "a",
    "b", # last
]
"#;
const PACKAGE: &str = "name = \"c\"\nversion = \"0.3.1\"\n\n[lib]\npath = \"a/src/lib.rs\"\n";
const CONFIG: &str = "theirs/.cargo/config.toml";
const MANIFEST: &str = "theirs/Cargo.toml";
const MAIN_YML: &str = "theirs/.github/workflows/main.yml";
const LIB: &str = "xtask/src/lib.rs";
const CI_JSON: &str = "theirs/xtask/ci.json";
const ORIGIN: &str =
    "Copied from release-train: `cargo adopt` overwrites this file unless you delete this line.";

/// Two repositories: `train`, a clone of release-train, and `theirs`, a workspace.
struct Adopter(World);

/// A file of this repository.
fn ours(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

fn read(file: PathBuf) -> String {
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Copies a folder to a place that does not exist.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = Command::new("cp").arg("-R").args([from, to]).status();
    assert!(status.unwrap().success());
}

impl Adopter {
    /// With a root manifest, and packages `a` and `b` of one version, of which `b` pins `a`.
    fn of(manifest: &str) -> Adopter {
        let adopter = Adopter(World::new());
        for folder in ["train", "theirs"] {
            adopter.0.git("", &["init", "-q", "-b", "main", folder]);
        }
        for folder in ["xtask/src", ".github/workflows"] {
            copy(&ours(folder), &adopter.path("train").join(folder));
        }
        for file in [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "xtask/README.md",
            "xtask/ci.json",
        ] {
            adopter.write(&format!("train/{file}"), &read(ours(file)));
        }
        let text = read(ours("xtask/Cargo.toml"));
        let (head, tail) = text.split_once("[dependencies]\n").unwrap();
        let (_, tail) = tail.split_once("\n\n").unwrap();
        adopter.write("train/xtask/Cargo.toml", &format!("{head}{tail}"));
        adopter.write("train/Cargo.toml", "[workspace]\nmembers = [\"xtask\"]\n");
        for file in ["tests/t.rs", "benches/b.rs", "demo/Cargo.toml"] {
            adopter.write(&format!("train/xtask/{file}"), "");
        }
        adopter.commit("train");

        adopter.write("theirs/.gitignore", "/target\n");
        adopter.write(MANIFEST, manifest);
        adopter.member("a", "1.2.0", "");
        adopter.member("b", "1.2.0", "=1.2.0");
        adopter.cargo(&["generate-lockfile"]);
        adopter.commit("theirs");
        adopter
    }

    /// Writes a package, which requires `a` if a requirement is given.
    fn member(&self, name: &str, version: &str, requirement: &str) {
        let mut text = support::package(name, version);
        if !requirement.is_empty() {
            let dependency = format!("a = {{ path = \"../a\", version = \"{requirement}\" }}");
            text += &format!("[dependencies]\n{dependency}\n");
        }
        self.write(&format!("theirs/{name}/Cargo.toml"), &text);
        self.write(&format!("theirs/{name}/src/lib.rs"), "");
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path(path)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = read(self.path(file));
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(file, &text.replacen(from, to, 1));
    }

    /// Runs git in the workspace.
    fn git(&self, line: &str) -> String {
        self.0.git("theirs", &line.split(' ').collect::<Vec<_>>())
    }

    fn commit(&self, repository: &str) {
        self.0.git(repository, &["add", "--all"]);
        self.0.git(repository, &["commit", "-q", "-m", "Go on"]);
    }

    /// Runs cargo in the workspace; it must succeed.
    fn cargo(&self, arguments: &[&str]) -> String {
        let mut cargo = self.0.command("theirs", "cargo");
        let output = cargo.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Cargo takes the tool for a member, and the lock file is complete.
    fn is_member(&self) {
        let metadata = self.cargo(&["metadata", "--locked", "--format-version", "1"]);
        assert!(metadata.contains("\"name\":\"xtask\""));
    }

    /// Exit code, stdout and stderr.
    fn adopt(&self, folder: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.0.command(folder, env!("CARGO_BIN_EXE_adopt"));
        let output = command.args(arguments).output().unwrap();
        let root = self.path("").canonicalize().unwrap();
        let commit = self.0.git("train", &["rev-parse", "HEAD"]);
        let hide = |bytes: &[u8]| {
            let text = text(bytes).replace(&commit, "$COMMIT");
            text.replace(&root.display().to_string(), "$WORLD")
        };
        let (stdout, stderr) = (hide(&output.stdout), hide(&output.stderr));
        (output.status.code(), stdout, stderr)
    }

    /// Adopts, and returns what it printed.
    fn adopted(&self) -> String {
        self.adopted_with(&[])
    }

    /// The same with options.
    fn adopted_with(&self, options: &[&str]) -> String {
        let arguments = [&["../theirs"], options].concat();
        let (code, stdout, stderr) = self.adopt("train", &arguments);
        assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
        stdout
    }

    /// Refuses to adopt and changes nothing; returns why.
    fn refused(&self) -> String {
        let state = || self.git("status --short --ignored") + &self.git("worktree list");
        let before = state();
        let (code, stdout, stderr) = self.adopt("train", &["../theirs"]);
        assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
        assert_eq!(state(), before);
        stderr
    }

    /// Copies the workspace to a place that is always the same, so that what cargo makes of it is replaced.
    fn copied(&self, name: &str) -> PathBuf {
        let copied = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&copied);
        copy(&self.path("theirs"), &copied);
        copied
    }

    /// The lines that are staged in a file, without context.
    fn staged(&self, file: &str) -> String {
        let diff = self.git(&format!("diff --cached --unified=0 -- {file}"));
        let mut lines = String::new();
        for line in diff.lines().skip(4) {
            if line.starts_with(['+', '-']) && !line.starts_with("+++ ") {
                lines += &format!("{line}\n");
            }
        }
        lines
    }
}

#[test]
fn a_workspace_gets_the_tool_as_a_staged_change() {
    let adopter = Adopter::of(WORKSPACE);
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
    "#]]
    .assert_eq(&adopter.adopted());
    let files = adopter.git("diff --cached --name-status -- . :!xtask/src :!.github");
    expect![[r#"
        A	.cargo/config.toml
        M	Cargo.lock
        M	Cargo.toml
        A	RELEASES.md
        A	xtask/Cargo.toml
        A	xtask/LICENSE-APACHE
        A	xtask/LICENSE-MIT
        A	xtask/README.md
        A	xtask/ci.json
        A	xtask/rustfmt.toml"#]]
    .assert_eq(&files);
    expect![[r#"
        +    "xtask",
        +
        +# Guessed by `cargo adopt`: check it. xtask/README.md explains every key.
        +[workspace.metadata.release-train]
        +public = [
        +    "b",
        +]
    "#]]
    .assert_eq(&adopter.staged("Cargo.toml"));
    expect![[r#"
        +[alias]
        +xtask = "run --locked --package xtask --bin xtask --"
        +rehearse = "run --locked --package xtask --bin rehearse --"
    "#]]
    .assert_eq(&adopter.staged(".cargo/config.toml"));
    expect![[r#"
        +
        +[[package]]
        +name = "xtask"
        +version = "0.0.0"
    "#]]
    .assert_eq(&adopter.staged("Cargo.lock"));
    let notes = read(adopter.path("theirs/RELEASES.md"));
    assert!(notes.starts_with("## 1.2.0\n\nUnreleased.\n"), "{notes}");
    let config = read(ours(".cargo/config.toml"));
    for alias in read(adopter.path(CONFIG)).lines() {
        assert!(config.contains(alias), "{alias}");
    }
    // Each text begins with the line of origin, and is ours below it.
    let added = adopter.git("diff --cached --name-only --diff-filter=A -- xtask .github");
    for file in added.lines() {
        let text = read(adopter.path("theirs").join(file));
        let (first, rest) = text.split_once('\n').unwrap();
        let has_comments = !file.ends_with(".json") && !file.contains("LICENSE");
        assert_eq!(first.contains(ORIGIN), has_comments, "{file}: {first}");
        if file == LIB || file.starts_with(".github") {
            assert_eq!(rest, read(ours(file)));
        }
    }
    assert_eq!(read(adopter.path(CI_JSON)), read(ours("xtask/ci.json")));
    assert!(!adopter.path("theirs/xtask/src/bin/adopt").exists());
    assert_eq!(adopter.git("diff"), "");
    adopter.is_member();

    adopter.git("reset -q --hard");
    assert_eq!(adopter.git("status --short --ignored"), "");
    assert!(!adopter.path("theirs/xtask").exists());
}

#[test]
fn a_package_becomes_a_workspace_and_is_not_given_a_lock_file() {
    let adopter = Adopter::of(&format!("[package]\n{PACKAGE}"));
    adopter.write("theirs/.gitignore", "/target\nCargo.lock\n");
    adopter.git("rm -q --cached Cargo.lock");
    adopter.commit("theirs");
    adopter.git("branch -q -m trunk");
    adopter.git("tag v0.3.1");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
        0.3.1 is tagged as v0.3.1: run `cargo xtask bump`, then `cargo xtask notes new 0.4.0`
    "#]]
    .assert_eq(&adopter.adopted());
    expect![[r#"
        +
        +[workspace]
        +members = ["xtask"]
        +exclude = ["a", "b"]
        +
        +# Guessed by `cargo adopt`: check it. xtask/README.md explains every key.
        +[workspace.metadata.release-train]
    "#]]
    .assert_eq(&adopter.staged("Cargo.toml"));
    assert!(!read(adopter.path(CONFIG)).contains("--locked"));
    assert_eq!(read(adopter.path("theirs/RELEASES.md")), "");
    let main = read(adopter.path(MAIN_YML));
    assert!(main.contains("branches: [trunk]") && !main.contains("[main]"));
    for file in fs::read_dir(adopter.path("theirs/.github/workflows")).unwrap() {
        for line in read(file.unwrap().path()).lines() {
            let installs = line.contains("cargo install");
            assert_eq!(line.contains("--locked"), installs, "{line}");
        }
    }
    adopter.cargo(&["metadata", "--format-version", "1"]);
}

#[test]
fn the_tool_becomes_a_member_unless_a_pattern_covers_it() {
    for (before, after) in [
        (r#"["a", "b"]"#, r#"["xtask", "a", "b"]"#),
        ("[ # all\n 'a',\n 'b']", "[ \"xtask\", # all\n 'a',\n 'b']"),
        ("['[a-x]*']", "['[a-x]*']"),
    ] {
        let manifest = |list: &str| format!("[workspace]\nresolver = \"2\"\nmembers = {list}\n");
        let adopter = Adopter::of(&manifest(before));
        adopter.write(CONFIG, "[net]\nretry = 2");
        adopter.commit("theirs");
        adopter.adopted();
        let text = read(adopter.path(MANIFEST));
        assert!(text.starts_with(&manifest(after)), "{text}");
        let text = read(adopter.path(CONFIG));
        assert!(text.starts_with("[net]\nretry = 2\n\n[alias]\n"), "{text}");
        adopter.is_member();
    }
}

#[test]
fn lines_that_cannot_be_appended_are_printed() {
    let adopter = Adopter::of(&format!("[workspace]\n\n[package]\n{PACKAGE}"));
    let config = "[alias]\nrehearse = \"run -p tasks --\"\n\n[net]\nretry = 2\n";
    adopter.write(CONFIG, config);
    adopter.commit("theirs");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        .cargo/config.toml: set in [alias]:
        xtask = "run --locked --package xtask --bin xtask --"
        rehearse = "run --locked --package xtask --bin rehearse --"
        Cargo.toml: add `members = ["xtask"]` to [workspace], then run `cargo update --workspace`
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
    "#]]
    .assert_eq(&adopter.adopted());
    assert_eq!(read(adopter.path(CONFIG)), config);
    // When the owner has added the member, the rest follows.
    let with_member = "[workspace]\nmembers = [\"xtask\"]\n";
    adopter.edit(MANIFEST, "[workspace]\n", with_member);
    adopter.commit("theirs");
    adopter.adopted();
    assert_eq!(adopter.git("status --short"), "M  Cargo.lock");
    adopter.is_member();
}

#[cfg(unix)]
#[test]
fn an_alias_of_the_owner_with_the_name_of_the_tool_is_not_replaced() {
    let adopter = Adopter::of(WORKSPACE);
    let config = "alias.xtask = [\"run\", \"-p\", \"tasks\", \"--\"]\n";
    adopter.write(CONFIG, config);
    std::os::unix::fs::symlink("config.toml", adopter.path("theirs/.cargo/config")).unwrap();
    adopter.commit("theirs");
    expect![[r#"
        error: .cargo/config.toml: its alias `xtask` is yours: pass `--name NAME` for another name
    "#]]
    .assert_eq(&adopter.refused());
    let said = adopter.adopted_with(&["--name", "train"]);
    assert!(said.contains("set in [alias]:\ntrain = "), "{said}");
    // Afterwards, an alias of that name is the tool's with a change.
    adopter.git("reset -q --hard");
    adopter.git("rm -q .cargo/config.toml");
    adopter.commit("theirs");
    adopter.adopted();
    adopter.edit(CONFIG, "--locked", "-q --locked");
    adopter.commit("theirs");
    let said = adopter.adopted();
    assert!(said.contains("set in [alias]:\nxtask = "), "{said}");
}

#[test]
fn the_configuration_is_guessed_from_versions_and_pins() {
    // The version of `a` and `b`, the name and version of another crate, and what it requires of `a`.
    let guessed = |version: &str, name: &str, other: &str, requirement: &str| {
        let adopter = Adopter::of(WORKSPACE);
        adopter.edit(MANIFEST, "\"b\"", &format!("\"b\", \"{name}\""));
        adopter.member("a", version, "");
        adopter.member("b", version, &format!("={version}"));
        adopter.member(name, other, requirement);
        adopter.cargo(&["generate-lockfile"]);
        adopter.commit("theirs");
        adopter.adopted();
        let staged = adopter.staged("Cargo.toml");
        let (_, keys) = staged.split_once("release-train]\n").unwrap();
        keys.replace(['+', '\n', ' ', '"'], "")
    };
    let public = "public=[b,c,]";
    assert_eq!(guessed("1.2.0", "c", "1.2.0", "=1.2.0"), public);
    // A crate that is required with a pin and without one shows nothing.
    assert_eq!(guessed("1.2.0", "c", "1.2.0", "1.2"), "");
    // The crate with the repository's name names the train, or one of the highest version.
    let named = guessed("1.2.0", "theirs", "0.4.0", "1.2");
    assert_eq!(named, "version-of=theirs");
    let highest = guessed("1.2.0", "c", "0.4.0", "");
    assert_eq!(highest, format!("version-of=b{public}"));
    // Of `a` and the crates that are called after it, `a`.
    assert_eq!(guessed("0.1.0", "a-derive", "0.4.0", "0.1"), "version-of=a");
    let development = guessed("2.0.0-dev", "c", "2.0.0-dev", "");
    assert_eq!(development, format!("{public}release-candidates=true"));
    assert_eq!(guessed("2.0.0-alpha.1", "c", "2.0.0-alpha.1", ""), public);
}

#[test]
fn where_the_main_crate_is_pinned_no_crate_is_guessed_to_be_public() {
    // The crate that `b` pins, the version of `b`, and the configuration.
    for (main, version, expected) in [
        ("theirs", "1.2.0", ""),
        ("other", "1.2.0", "public=[a,b,]"),
        // Most others are called after it, so that `version-of` names it.
        ("a", "1.3.0", "version-of=a"),
    ] {
        let adopter = Adopter::of(WORKSPACE);
        adopter.edit(
            MANIFEST,
            "\"b\"",
            &format!("\"b\", \"{main}\", \"a-extra\""),
        );
        adopter.member(main, "1.2.0", "");
        adopter.member("b", version, "=1.2.0");
        adopter.edit(
            "theirs/b/Cargo.toml",
            "a = { path = \"../a\"",
            &format!("{main} = {{ path = \"../{main}\""),
        );
        adopter.member("a-extra", version, "");
        if main != "a" {
            adopter.edit(
                "theirs/a-extra/Cargo.toml",
                "[package]",
                "[package]\npublish = false",
            );
        }
        adopter.cargo(&["generate-lockfile"]);
        adopter.commit("theirs");
        adopter.adopted();
        let staged = adopter.staged("Cargo.toml");
        let (_, keys) = staged.split_once("release-train]\n").unwrap();
        assert_eq!(keys.replace(['+', '\n', ' ', '"'], ""), expected, "{main}");
    }
}

#[test]
fn a_package_that_the_tool_replaces_in_the_lock_file_is_named() {
    let adopter = Adopter::of(WORKSPACE);
    let package = |name: &str, version: &str| {
        let folder = format!("theirs/vendor/{name}-{version}");
        adopter.write(
            &format!("{folder}/Cargo.toml"),
            &support::package(name, version),
        );
        adopter.write(&format!("{folder}/src/lib.rs"), "");
        adopter.write(&format!("{folder}/.cargo-checksum.json"), "{\"files\":{}}");
    };
    let vendor =
        "[source.crates-io]\nreplace-with = \"vendor\"\n[source.vendor]\ndirectory = \"vendor\"\n";
    adopter.write(CONFIG, vendor);
    package("semver", "1.0.4");
    package("semver-parser", "0.1.0");
    package("semver-parser", "0.2.0");
    let needs = "[dependencies]\nsemver = \"1\"\nsemver-parser = \"0.1\"\n";
    adopter.write(
        "theirs/a/Cargo.toml",
        &(support::package("a", "1.2.0") + needs),
    );
    adopter.cargo(&["generate-lockfile"]);
    package("semver", "1.0.28");
    // Cargo follows it in the lock file, and the tool has nothing to do with it.
    adopter.edit("theirs/b/Cargo.toml", "1.2.0", "1.2.1");
    adopter.commit("theirs");
    let needs = "[dependencies]\nsemver = \"1.0.20\"\nsemver-parser = \"0.2\"\n\n# What follows";
    adopter.edit("train/xtask/Cargo.toml", "# What follows", needs);
    adopter.commit("train");
    let said = adopter.adopted();
    let lines = Vec::from_iter(said.lines().filter(|line| line.contains("Cargo.lock")));
    assert_eq!(
        lines,
        ["Cargo.lock: semver 1.0.4 is replaced: the tool needs a newer one"]
    );
    let lock = read(adopter.path("theirs/Cargo.lock"));
    assert!(lock.contains("version = \"1.0.28\"") && lock.contains("version = \"1.2.1\""));
}

#[test]
fn the_form_of_the_tags_is_that_of_the_newest() {
    for (tags, expected) in [
        ("", ""),
        ("v1.1.0 1.0.0 nightly", ""),
        ("v0.9.0 1.0.0 1.1.0", "tag={version}"),
        ("theirs-1.1.0 v1.0.0", "tag=theirs-{version}"),
        ("v1.1.0 test-data-3.0.0 a-v1.1.0", ""),
        ("v1.0.0 release-1.1.0 release/1.1.0 p@1.1.0", ""),
        // The name of a member before others, and digits in a name.
        ("v1.0.0 theirs-1.1.0 b-1.1.0 z-1.1.0", "tag=b-{version}"),
        ("v1.0.0 theirs-1.1.0 b-v1.1.0 z-1.1.0", "tag=b-v{version}"),
        ("v1.0.0 h2-v1.1.0 h2-v11.0.0", "tag=h2-v{version}"),
    ] {
        let adopter = Adopter::of(WORKSPACE);
        for tag in tags.split_whitespace() {
            adopter.git(&format!("tag {tag}"));
        }
        adopter.adopted();
        let staged = adopter
            .staged("Cargo.toml")
            .replace(['+', '\n', ' ', '"'], "");
        assert!(
            staged.ends_with(&format!("public=[b,]{expected}")),
            "{staged}"
        );
    }
}

#[test]
fn a_configuration_and_notes_that_exist_stay_as_they_are() {
    let table = "[workspace.metadata.release-train]\n\n";
    let adopter = Adopter::of(&format!("{table}{WORKSPACE}"));
    adopter.write("theirs/RELEASES.md", "# Releases\n");
    adopter.commit("theirs");
    adopter.adopted();
    assert_eq!(adopter.staged("Cargo.toml"), "+    \"xtask\",\n");
    assert_eq!(adopter.staged("RELEASES.md"), "");
}

#[test]
fn notes_in_another_form_and_workflows_that_run_on_tags_are_named() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.write(
        "theirs/RELEASES.md",
        "Version 1.1.0 (2024-01-01)\n==========\n\n- A thing\n",
    );
    for (name, on) in [
        ("tags", "on:\n  push:\n    tags: [\"v*\"]\n"),
        (
            "release",
            "# on tags\n'on':\n  # Who\n  release:\n    types: [published]\n",
        ),
        ("list", "on: [push, create]\n"),
        ("lines", "on:\n- push\n- release # again\n"),
        ("flow", "on: {push: {tags: [v1]}}\n"),
        ("asks", "on: push\n#refs/tags/\n"),
        (
            "ci",
            "on: # not: release\n# tags: none\n  push:\n    branches: [main, release]\n    tags-ignore: [v1]\n",
        ),
        (
            "form",
            "on:\n  workflow_dispatch:\n    inputs:\n      release:\n        description: create tags\n",
        ),
        ("all", "on: push\n"),
        ("plz", "on: push\n# uses: release-plz/action@v1\n"),
        (
            "publish",
            "on: workflow_dispatch\n# run: cargo publish -p a\n",
        ),
        (
            "cargo-release",
            "on: workflow_dispatch\n# run: cargo release --execute\n",
        ),
        ("dry-run", "on: push\n# run: cargo publish --dry-run\n"),
    ] {
        let text = format!("name: {name}\n{on}\njobs:\n  release:\n    tags: 1\n");
        adopter.write(&format!("theirs/.github/workflows/{name}.yml"), &text);
    }
    adopter.commit("theirs");
    // What git does not know is nothing to the adoption.
    adopter.write("theirs/new.txt", "");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
        RELEASES.md: line 1: `Version 1.1.0 (2024-01-01)`: a section of a version is headed `## X.Y.Z`
        .github/workflows/asks.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/cargo-release.yml: publishes or tags: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/flow.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/lines.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/list.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/plz.yml: publishes or tags: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/publish.yml: publishes or tags: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/release.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/tags.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
    "#]].assert_eq(&adopter.adopted());
    assert!(
        adopter
            .git("diff --cached --stat -- RELEASES.md new.txt")
            .is_empty()
    );
}

#[test]
fn packages_in_the_folder_of_a_package_are_no_members_unless_it_depends_on_them() {
    let needs = "[dependencies]\nderive = { path = \"derive\" }\n";
    let adopter = Adopter::of(&format!("[package]\n{PACKAGE}"));
    let package = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
    };
    for (folder, text) in [
        ("derive", package("derive")),
        ("examples/one", package("one") + "[dependencies]\n"),
        ("fuzz", package("fuzz") + "[workspace]\n"),
        (
            "templates/new",
            "[package]\nname = {{ name }}\n".to_string(),
        ),
    ] {
        adopter.write(&format!("theirs/{folder}/Cargo.toml"), &text);
        adopter.write(&format!("theirs/{folder}/src/lib.rs"), "");
    }
    adopter.write(MANIFEST, &format!("[package]\n{PACKAGE}{needs}"));
    adopter.cargo(&["update", "--workspace", "--offline"]);
    adopter.commit("theirs");
    adopter.adopted();
    expect![[r#"
        +
        +[workspace]
        +members = ["xtask"]
        +exclude = ["a", "b", "examples/one"]
        +
        +# Guessed by `cargo adopt`: check it. xtask/README.md explains every key.
        +[workspace.metadata.release-train]
    "#]]
    .assert_eq(&adopter.staged("Cargo.toml"));
    adopter.is_member();
    for folder in ["examples/one", "fuzz"] {
        let manifest = format!("{folder}/Cargo.toml");
        adopter.cargo(&[
            "metadata",
            "--no-deps",
            "--format-version",
            "1",
            "--manifest-path",
            &manifest,
        ]);
    }
}

#[test]
fn the_printed_commands_run_where_adopt_was_started() {
    let adopter = Adopter::of(WORKSPACE);
    let said = adopter.adopted();
    for (start, expected) in [("see it: ", true), ("undo it: ", false)] {
        let line = said.lines().find_map(|line| line.strip_prefix(start));
        let arguments: Vec<&str> = line.unwrap().split(' ').skip(1).collect();
        let output = adopter.0.git("train", &arguments);
        assert_eq!(output.contains("release-train"), expected, "{output}");
    }
    assert_eq!(adopter.git("status --short"), "");
}

#[test]
fn a_version_that_is_out_is_named_where_release_notes_exist() {
    for notes in [
        "## 1.2.0\n\nReleased 2024-01-02.\n",
        "## 1.1.0\n\nReleased 2023-01-02.\n",
    ] {
        let adopter = Adopter::of(WORKSPACE);
        adopter.write("theirs/RELEASES.md", notes);
        adopter.commit("theirs");
        adopter.git("branch release-1.2.0");
        if !notes.contains("1.2.0") {
            adopter.git("tag v1.2.0");
        }
        let said = adopter.adopted();
        let next = "run `cargo xtask bump`, then `cargo xtask notes new 2.0.0`\n";
        assert!(said.contains("1.2.0 is ") && said.ends_with(next), "{said}");
        adopter.git("reset -q --hard");
        adopter.git("checkout -q release-1.2.0");
        let said = adopter.adopted();
        assert!(!said.contains("bump"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn every_blocker_is_reported_at_once() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.write("theirs/xtask/Cargo.toml", "");
    adopter.write(MAIN_YML, "name: Tests\n");
    adopter.write("theirs/.gitignore", "/target\n*.md\n!xtask/README.md\n");
    adopter.write("theirs/.cargo/config", "");
    adopter.write("shared.toml", "[net]\nretry = 2\n");
    std::os::unix::fs::symlink(adopter.path("shared.toml"), adopter.path(CONFIG)).unwrap();
    adopter.commit("theirs");
    adopter.write(
        "theirs/.gitignore",
        "/target\n*.md\n!xtask/README.md\n# More\n",
    );
    expect![[r#"
        .cargo/config.toml: a symbolic link: replace it by its target
        .cargo/config: cargo reads it instead of config.toml: rename it
        .gitignore: not committed: commit or stash it
        RELEASES.md: ignored by git: change .gitignore
        xtask: yours: pass `--name NAME` for another name
        error: ../theirs: nothing was changed: see above what to fix first
    "#]]
    .assert_eq(&adopter.refused());
    assert_eq!(read(adopter.path("shared.toml")), "[net]\nretry = 2\n");
}

#[test]
fn what_cargo_does_not_accept_is_refused_before_anything_changes() {
    let adopter = Adopter::of(WORKSPACE);
    let mut errors = String::new();
    for (file, text) in [
        (MANIFEST, "[workspace]\nmembers = ['missing']\n"),
        (MANIFEST, "[workspace]\nmembers = ['a']\nmetadata = {}\n"),
        ("theirs/a/Cargo.toml", "[package]\nname = 'xtask'\n"),
        (CONFIG, "[alias\n"),
        ("theirs/xtask", ""),
    ] {
        adopter.write(file, text);
        adopter.commit("theirs");
        errors += &adopter.refused();
        adopter.git("reset -q --hard HEAD~");
    }
    expect![[r#"
        error: failed to read `missing/Cargo.toml`: No such file or directory (os error 2)
        error: cannot extend value of type inline table with a dotted key: Cargo.toml:6:12
        xtask: yours: pass `--name NAME` for another name
        error: ../theirs: nothing was changed: see above what to fix first
        error: .cargo/config.toml:1: unclosed table, expected `]`
        xtask: yours: pass `--name NAME` for another name
        error: ../theirs: nothing was changed: see above what to fix first
    "#]]
    .assert_eq(&errors);
}

#[test]
fn a_folder_that_is_not_a_workspace_at_the_root_of_a_repository_is_refused() {
    let adopter = Adopter::of(WORKSPACE);
    let mut errors = String::new();
    for (folder, dir) in [
        ("train", "../theirs/a"),
        ("train", "../nowhere"),
        ("train", "."),
        ("theirs", "../train"),
    ] {
        let (code, stdout, stderr) = adopter.adopt(folder, &[dir]);
        assert_eq!((code, &*stdout), (Some(1), ""));
        errors += &stderr;
    }
    expect![[r#"
        error: ../theirs/a: not the root of another repository with a workspace
        error: ../nowhere: No such file or directory (os error 2)
        error: .: not the root of another repository with a workspace
        error: not a clone of release-train: $WORLD/theirs
    "#]]
    .assert_eq(&errors);
    let (_, _, error) = adopter.adopt("train", &["../home"]);
    assert!(error.contains("../home: not a git repository"), "{error}");
    for arguments in [&[][..], &["--force"], &["../theirs", "b"]] {
        let (code, ..) = adopter.adopt("train", arguments);
        assert_eq!(code, Some(2), "{arguments:?}");
    }
    adopter.edit("train/xtask/src/lib.rs", "//!", "//! Changed.\n//!");
    expect![[r#"
        error: `xtask/src/lib.rs` is not committed: only a commit can be released
    "#]]
    .assert_eq(&adopter.refused());
}

#[test]
fn run_again_it_updates_the_tool_and_nothing_else() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.adopted();
    // The owner changes a workflow, adds to the tool, and deletes what they do not need.
    adopter.edit(MAIN_YML, "name: main", "name: all");
    adopter.edit(MANIFEST, "public = [\n", "support-months = 3\npublic = [\n");
    adopter.write("theirs/xtask/src/own.rs", "");
    adopter.git("rm -q -r -f .github/workflows/release-process.yml xtask/src/bin/rehearse");
    adopter.edit(CONFIG, "rehearse = ", "# ");
    adopter.commit("theirs");

    adopter.edit("train/xtask/src/lib.rs", "//!", "//! Newer.\n//!");
    let version = adopter.path("train/xtask/src/rules/version.rs");
    fs::rename(&version, version.with_file_name("newer.rs")).unwrap();
    adopter.write("train/xtask/src/bin/rehearse/newer.rs", "");
    adopter.commit("train");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        .github/workflows/main.yml: your changes are overwritten
        .github/workflows/release-process.yml: left out (needed by cut.yml, release-latest.yml)
    "#]]
    .assert_eq(&adopter.adopted());
    let changes = adopter.git("diff --cached --name-status --no-renames");
    expect![[r#"
        M	.github/workflows/main.yml
        M	xtask/Cargo.toml
        M	xtask/src/lib.rs
        A	xtask/src/rules/newer.rs
        D	xtask/src/rules/version.rs"#]]
    .assert_eq(&changes);
    assert_eq!(adopter.staged(LIB), "+//! Newer.\n");
    adopter.commit("theirs");
    expect![[r#"
        nothing to do: ../theirs has release-train $COMMIT
        .github/workflows/release-process.yml: left out (needed by cut.yml, release-latest.yml)
    "#]]
    .assert_eq(&adopter.adopted());
}

#[test]
fn an_update_from_a_clone_without_the_old_commit_is_refused() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.adopted();
    let from = adopter.0.git("train", &["rev-parse", "HEAD"]);
    adopter.edit("theirs/xtask/Cargo.toml", &from, &"0".repeat(40));
    adopter.commit("theirs");
    expect![[r#"
        error: $WORLD/train has no 0000000000000000000000000000000000000000: run `git fetch` there: not a tree object
    "#]].assert_eq(&adopter.refused());
}

#[test]
fn workflows_of_the_owner_are_kept_and_named_with_what_to_do() {
    let adopter = Adopter::of(WORKSPACE);
    let theirs = ["main", "dist", "cut"];
    for name in theirs {
        let file = format!("theirs/.github/workflows/{name}.yml");
        adopter.write(&file, "name: Theirs\non:\n  push:\n    tags: [v1]\n");
    }
    adopter.commit("theirs");
    let notices = expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        .github/workflows/cut.yml: yours, kept: to get release-train's, rename yours, commit an empty file in its place, and run this again
        .github/workflows/dist.yml: yours, kept: to get release-train's (needed by release-tag.yml), rename yours, commit an empty file in its place, and run this again
        .github/workflows/main.yml: yours, kept: let it call release-checks.yml: see "Your own CI" in xtask/README.md
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
        .github/workflows/cut.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/dist.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
        .github/workflows/main.yml: runs on tags or releases: see "Workflows that run on tags" in xtask/README.md
    "#]];
    notices.assert_eq(&adopter.adopted());
    for name in theirs {
        let file = format!(".github/workflows/{name}.yml");
        assert_eq!(adopter.staged(&file), "");
    }
    adopter.commit("theirs");
    let again = adopter.adopted();
    assert!(again.starts_with("nothing to do"), "{again}");
    assert!(again.contains("main.yml: yours, kept: "), "{again}");
    // They can still take ours.
    adopter.git("mv .github/workflows/cut.yml .github/workflows/mine.yml");
    adopter.write("theirs/.github/workflows/cut.yml", "");
    adopter.commit("theirs");
    assert!(!adopter.adopted().contains("cut.yml"));
    let cut = adopter.path("theirs/.github/workflows/cut.yml");
    assert!(read(cut).ends_with(&read(ours(".github/workflows/cut.yml"))));
}

#[test]
fn a_file_without_the_line_of_origin_is_kept_and_one_with_it_is_overwritten() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.write("train/xtask/src/removed.rs", "//! A.\n");
    adopter.write("train/xtask/src/gone.rs", "//! B.\n");
    adopter.commit("train");
    adopter.adopted();
    let line = format!("// {ORIGIN}\n");
    for file in ["lib.rs", "removed.rs"] {
        let file = format!("theirs/xtask/src/{file}");
        adopter.edit(&file, &line, "// Mine.\n");
    }
    adopter.edit("theirs/xtask/LICENSE-MIT", "Permission", "Refusal");
    adopter.edit("theirs/xtask/src/rules/version.rs", "//!", "//! Mine.\n//!");
    adopter.edit("theirs/xtask/src/gone.rs", "B.", "Mine.");
    adopter.commit("theirs");
    adopter.edit("train/xtask/src/lib.rs", "//!", "//! Newer.\n//!");
    adopter.edit("train/LICENSE-APACHE", "Apache", "New");
    adopter.0.git(
        "train",
        &["rm", "-q", "xtask/src/removed.rs", "xtask/src/gone.rs"],
    );
    adopter.commit("train");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        xtask/LICENSE-MIT: yours, kept: to get release-train's, delete it and run this again
        xtask/src/gone.rs: your changes are overwritten
        xtask/src/lib.rs: yours, kept: to get release-train's, delete it and run this again
        xtask/src/removed.rs: yours, kept: release-train does not have it any more
        xtask/src/rules/version.rs: your changes are overwritten
    "#]]
    .assert_eq(&adopter.adopted());
    let changes = adopter.git("diff --cached --name-status");
    expect![[r#"
        M	xtask/Cargo.toml
        M	xtask/LICENSE-APACHE
        D	xtask/src/gone.rs
        M	xtask/src/rules/version.rs"#]]
    .assert_eq(&changes);
}

#[test]
fn a_file_whose_line_of_origin_alone_was_deleted_is_kept_by_an_update() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.adopted();
    let line = format!("// {ORIGIN}\n");
    for file in [LIB, "xtask/src/rules/version.rs"] {
        adopter.edit(&format!("theirs/{file}"), &line, "");
    }
    adopter.commit("theirs");
    adopter.edit("train/xtask/src/lib.rs", "//!", "//! Newer.\n//!");
    adopter.commit("train");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        xtask/src/lib.rs: yours, kept: to get release-train's, delete it and run this again
        xtask/src/rules/version.rs: yours, kept: to get release-train's, delete it and run this again
    "#]]
    .assert_eq(&adopter.adopted());
    assert_eq!(adopter.git("diff --cached --name-only"), "xtask/Cargo.toml");
}

#[test]
fn a_main_yml_of_the_owner_that_calls_the_checks_is_kept_without_a_notice() {
    let adopter = Adopter::of(WORKSPACE);
    let text = "name: Theirs\non: push\njobs:\n  release:\n    uses: ./.github/workflows/release-checks.yml\n";
    adopter.write(MAIN_YML, text);
    adopter.commit("theirs");
    let said = adopter.adopted();
    assert!(!said.contains("main.yml"), "{said}");
    assert_eq!(read(adopter.path(MAIN_YML)), text);
}

#[test]
fn what_is_left_out_stays_out() {
    let adopter = Adopter::of(WORKSPACE);
    let without = [
        "--without",
        "rehearse",
        "--without=dist.yml",
        "--without",
        "cut.yml",
    ];
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        .github/workflows/dist.yml: left out (needed by main.yml, release-tag.yml)
        Cargo.toml: check [workspace.metadata.release-train]
    "#]]
    .assert_eq(&adopter.adopted_with(&without));
    let left_out = || {
        for file in [
            "xtask/src/bin/rehearse",
            ".github/workflows/dist.yml",
            ".github/workflows/cut.yml",
        ] {
            assert!(!adopter.path("theirs").join(file).exists(), "{file}");
        }
        assert!(adopter.path("theirs/xtask/src/bin/xtask/main.rs").exists());
    };
    left_out();
    assert!(!read(adopter.path(CONFIG)).contains("rehearse"));
    adopter.commit("theirs");
    adopter.write("train/xtask/src/bin/rehearse/newer.rs", "");
    adopter.commit("train");
    adopter.adopted();
    assert_eq!(adopter.git("diff --cached --name-only"), "xtask/Cargo.toml");
    left_out();
    adopter.commit("theirs");
    // What is there can be left out later.
    adopter.adopted_with(&["--without", "check-branches.yml"]);
    let removed = "D\t.github/workflows/check-branches.yml";
    assert_eq!(adopter.git("diff --cached --name-status"), removed);
    let (code, _, stderr) = adopter.adopt("train", &["../theirs", "--without", "ci"]);
    assert_eq!(code, Some(2));
    expect![[r#"
        error: --without: `ci` is not one of check-branches.yml, cut.yml, dist.yml, main.yml, push-tag.yml, rehearse, release-checks.yml, release-latest.yml, release-process.yml, release-tag.yml, report-failure.yml; see --help
    "#]].assert_eq(&stderr);
}

#[test]
fn the_choices_of_the_owner_are_never_overwritten() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.adopted();
    adopter.commit("theirs");
    let ours = "train/xtask/ci.json";
    // Not even those that are as they were copied.
    for (from, to) in [("1.95.0", "1.99.0"), ("0.51.0", "0.52.0")] {
        adopter.edit(ours, from, to);
        adopter.commit("train");
        let said = adopter.adopted();
        assert!(!said.contains("ci.json"), "{said}");
        assert_eq!(adopter.git("diff --cached --name-only"), "xtask/Cargo.toml");
        adopter.edit(CI_JSON, "ubuntu", "my-ubuntu");
        adopter.commit("theirs");
    }
    adopter.git("rm -q xtask/ci.json");
    adopter.commit("theirs");
    adopter.adopted();
    assert_eq!(read(adopter.path(CI_JSON)), read(adopter.path(ours)));
}

#[test]
fn support_is_guessed_from_the_patches_of_the_release_branches() {
    // For each train, the days from its release to its last patch.
    let guessed = |trains: &[(u64, u64)]| {
        let adopter = Adopter::of(WORKSPACE);
        adopter.edit("theirs/a/Cargo.toml", "1.2.0", "99.0.0");
        adopter.edit("theirs/b/Cargo.toml", "1.2.0", "99.0.0");
        adopter.edit("theirs/b/Cargo.toml", "=1.2.0", "=99.0.0");
        adopter.cargo(&["update", "--workspace", "--offline"]);
        adopter.commit("theirs");
        let commit = |day: u64, tag: &str| {
            let mut git = adopter.0.command("theirs", "git");
            git.args(["commit", "-q", "--allow-empty", "-m", tag]);
            let second = 1_700_000_000 + day * 86_400;
            git.env("GIT_COMMITTER_DATE", format!("{second} +0000"));
            assert!(git.status().unwrap().success());
            adopter.git(&format!("tag {tag}"));
        };
        for (train, days) in trains {
            commit(0, &format!("v{train}.0.0-rc.1"));
            commit(10, &format!("v{train}.0.0"));
            if *days > 0 {
                commit(10 + days / 2, &format!("v{train}.0.1"));
                commit(10 + days, &format!("v{train}.0.10"));
            }
            let branch = format!("refs/remotes/origin/release-{train}.0.0");
            adopter.git(&format!("update-ref {branch} HEAD"));
        }
        adopter.adopted();
        let staged = adopter.staged("Cargo.toml");
        let (_, keys) = staged.split_once("]\n").unwrap();
        keys.replace(['+', ' '], "")
            .replace('\n', " ")
            .trim()
            .to_string()
    };
    let public = "public=[ \"b\", ]";
    let usual = [(20, 40), (21, 55), (22, 0), (23, 20)];
    for (more, expected) in [
        (&[][..], " support-months=2"),
        (&[(24, 700), (36, 400)], " support-months=2 lts-every=12"),
        // One says nothing of the others, and these have no divisor.
        (&[(24, 700)], " support-months=2"),
        (&[(24, 700), (35, 400)], " support-months=2"),
        // Of four, the one that was patched late does not count.
        (&[(25, 90)], " support-months=2"),
        (&[(25, 90), (26, 90)], " support-months=3"),
    ] {
        let trains = [&usual, more].concat();
        assert_eq!(guessed(&trains), format!("{public}{expected}"), "{more:?}");
    }
    assert_eq!(guessed(&usual[..3]), public, "two trains are not enough");
}

#[test]
fn on_a_release_branch_the_configuration_is_that_of_main_and_nothing_is_advised_for_main() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.git("tag v1.2.0");
    adopter.git("branch release-1.2.0");
    let table = "[workspace.metadata.release-train]\nname = \"Theirs\"\nchecks = [\n[\"true\"],\n[\"true\", \"]\"],\n]\n\n\
                 [[workspace.metadata.release-train.version-strings]]\nfile = \"a/src/lib.rs\"\nline = \"{version}\"\n";
    let after = "\n# The rest.\n[profile.dev]\ndebug = false\n";
    adopter.write(MANIFEST, &format!("{WORKSPACE}\n{table}{after}"));
    adopter.commit("theirs");
    adopter.git("update-ref refs/remotes/origin/main HEAD");
    adopter.git("symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/main");
    adopter.git("checkout -q release-1.2.0");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        Cargo.toml: [workspace.metadata.release-train] is that of origin/main
    "#]]
    .assert_eq(&adopter.adopted());
    let manifest = read(adopter.path(MANIFEST));
    assert!(manifest.ends_with(&format!("]\n\n{table}")), "{manifest}");
    assert_eq!(read(adopter.path("theirs/RELEASES.md")), "");

    // A table that does not fit is left to the owner.
    adopter.git("reset -q --hard");
    adopter.git("checkout -q main");
    adopter.edit(MANIFEST, "name = \"Theirs\"", "public = [\"new\"]");
    adopter.commit("theirs");
    adopter.git("update-ref refs/remotes/origin/main HEAD");
    adopter.git("checkout -q release-1.2.0");
    expect![[r#"
        error: [workspace.metadata.release-train] is that of origin/main: commit one that fits here: Cargo.toml: [workspace.metadata.release-train]: `public`: `new` is not a published member
    "#]].assert_eq(&adopter.refused());

    // Without a table on main, it is guessed.
    adopter.git("update-ref refs/remotes/origin/main release-1.2.0");
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
    "#]]
    .assert_eq(&adopter.adopted());
}

#[test]
fn a_workspace_with_an_xtask_of_its_own_gets_the_tool_under_another_name() {
    let adopter = with_dependencies();
    let package =
        support::package("xtask", "0.0.0").replace("[package]", "[package]\npublish = false");
    adopter.edit(MANIFEST, "\"a\",", "\"a\", \"xtask\",");
    adopter.write("theirs/xtask/Cargo.toml", &package);
    adopter.write("theirs/xtask/src/main.rs", "fn main() {}\n");
    let config = "[alias]\nxtask = \"run -q -p xtask --\"\n";
    adopter.write(CONFIG, config);
    adopter.cargo(&["update", "--workspace", "--offline"]);
    adopter.commit("theirs");
    expect![[r#"
        xtask: yours: pass `--name NAME` for another name
        error: ../theirs: nothing was changed: see above what to fix first
    "#]]
    .assert_eq(&adopter.refused());
    for name in [
        "Train", "my-train", "rehearse", "../xtask", "", "test", "publish",
    ] {
        let (code, _, stderr) = adopter.adopt("train", &["../theirs", "--name", name]);
        assert_eq!(code, Some(2), "{name}: {stderr}");
    }
    let name = ["--name", "train"];
    expect![[r#"
        staged release-train $COMMIT in ../theirs
        see it: git -C ../theirs diff --cached
        undo it: git -C ../theirs reset --hard
        .cargo/config.toml: set in [alias]:
        train = "run --locked --package train --bin train --"
        rehearse = "run --locked --package train --bin rehearse --"
        Cargo.toml: check [workspace.metadata.release-train], then run `cargo rehearse`
    "#]]
    .assert_eq(&adopter.adopted_with(&name));
    assert_eq!(adopter.git("diff --cached --name-only -- xtask"), "");
    let aliases = ["train", "rehearse"]
        .map(|bin| format!("{bin} = \"run --locked --package train --bin {bin} --\"\n"));
    adopter.write(CONFIG, &format!("{config}{}", aliases.concat()));
    let mut grep = adopter.0.command("theirs", "git");
    let grep = grep.args(["grep", "--cached", "xtask", "--", "train", ".github"]);
    assert_eq!(
        grep.status().unwrap().code(),
        Some(1),
        "the old name is left"
    );
    adopter.commit("theirs");
    let nothing = "nothing to do: ../theirs has release-train $COMMIT\n";
    assert_eq!(adopter.adopted(), nothing);
    assert_eq!(adopter.adopted_with(&name), nothing);
    expect![[r#"
        error: ../theirs: the tool is there as `train`: leave out --name
    "#]]
    .assert_eq(&adopter.adopt("train", &["../theirs", "--name", "other"]).2);

    let copied = adopter.copied("with-a-name");
    for (line, expected) in [
        ("train --help", "cargo train TASK --help"),
        ("train bump --help", "cargo train bump [major"),
        // Not run: it would take the place of our own program of that name.
        ("check --package train --bin rehearse", ""),
        ("fmt --package train --check", ""),
    ] {
        let mut cargo = adopter.0.command("theirs", "cargo");
        cargo.current_dir(&copied).args(line.split(' '));
        let output = cargo.env("CARGO_TARGET_DIR", target()).output().unwrap();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            output.status.success() && said.contains(expected),
            "{line}: {said}"
        );
    }
}

#[test]
fn the_workflows_run_for_the_main_branch_when_another_is_checked_out() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.git("branch -q -m master");
    adopter.git("checkout -q -b adopt");
    adopter.adopted();
    assert!(read(adopter.path(MAIN_YML)).contains("branches: [master]"));
}

#[test]
fn line_ends_are_those_of_the_owner_s_checkouts() {
    let adopter = Adopter::of(WORKSPACE);
    adopter.git("config core.autocrlf true");
    adopter.git("config core.safecrlf true");
    adopter.adopted();
    assert!(read(adopter.path("theirs").join(LIB)).contains("\r\n"));
    // The files from before have other line ends, which git looks at again if they are as new as its index.
    adopter.git("config core.safecrlf false");
    adopter.commit("theirs");
    adopter.git("config core.safecrlf true");
    assert!(adopter.adopted().starts_with("nothing to do"));
}

/// With the dependencies of the real manifest, in the versions that are compiled here already.
fn with_dependencies() -> Adopter {
    let profile = "[profile.dev]\ndebug = false\n";
    let adopter = Adopter::of(&format!("{WORKSPACE}{profile}"));
    adopter.write("train/xtask/Cargo.toml", &read(ours("xtask/Cargo.toml")));
    adopter.commit("train");
    adopter.write("theirs/Cargo.lock", &read(ours("Cargo.lock")));
    adopter.commit("theirs");
    adopter
}

/// The folder that this test was built in.
fn target() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_adopt")).ancestors().nth(2);
    target.unwrap().to_path_buf()
}

#[test]
fn the_tool_compiles_without_the_rehearsal() {
    let adopter = with_dependencies();
    adopter.adopted_with(&["--without", "rehearse"]);
    let copied = adopter.copied("without-rehearsal");
    let manifest = copied.join("xtask/Cargo.toml").display().to_string();
    let target = target().display().to_string();
    let check = ["check", "--locked", "--target-dir", &target];
    adopter.cargo(&[&check[..], &["--manifest-path", &manifest]].concat());
}
