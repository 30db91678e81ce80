//! `adopt`: the tool into somebody else's workspace, and up to date there. The clone of release-train in these worlds is this
//! source, without its dependencies: a lock file is completed without a network.

mod support;

use std::fs;
use std::path::Path;

use expect_test::{Expect, expect};
use support::text;
use support::train::World;

const WORKFLOWS: &str = ".github/workflows";

/// A world with two more repositories: `train`, a clone of release-train, and `theirs`, with a package and a library in it.
struct Adopter {
    world: World,
}

impl Adopter {
    fn new() -> Adopter {
        let adopter = Adopter {
            world: World::new(),
        };
        for folder in ["train", "theirs"] {
            adopter.world.git("", &["init", "-q", "-b", "main", folder]);
        }
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for folder in ["xtask/src", WORKFLOWS, ".cargo"] {
            copy(&ours.join(folder), &adopter.path("train").join(folder));
        }
        for file in [
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "xtask/rustfmt.toml",
            "xtask/demo/Cargo.toml",
        ] {
            adopter.write("train", file, &fs::read_to_string(ours.join(file)).unwrap());
        }
        let manifest = fs::read_to_string(ours.join("xtask/Cargo.toml")).unwrap();
        let (head, tail) = manifest.split_once("[dependencies]\n").unwrap();
        let (_, tail) = tail.split_once("\n\n").unwrap();
        adopter.write(
            "train",
            "xtask/Cargo.toml",
            &format!("{head}[dependencies]\n\n{tail}"),
        );
        adopter.write(
            "train",
            "Cargo.toml",
            "[workspace]\nmembers = [\"xtask\"]\nexclude = [\"xtask/demo\"]\n",
        );
        adopter.write("train", "xtask/tests/some.rs", "");
        adopter.write("train", "xtask/benches/some.rs", "");
        adopter.commit("train");
        adopter.write("theirs", ".gitignore", "/target\n");
        adopter
    }

    /// With a virtual workspace of one version and a lock file.
    fn of_a_workspace() -> Adopter {
        let adopter = Adopter::new();
        let manifest =
            "[workspace]\nresolver = \"2\"\nmembers = [\n    \"a\",\n    \"b\", # the second\n]\n";
        adopter.write("theirs", "Cargo.toml", manifest);
        adopter.member("a", "1.2.0", "");
        adopter.member(
            "b",
            "1.2.0",
            "a = { path = \"../a\", version = \"=1.2.0\" }",
        );
        adopter.locked();
        adopter
    }

    /// Makes a lock file, and commits all.
    fn locked(&self) {
        let output = self
            .world
            .command("theirs", "cargo")
            .args(["generate-lockfile", "--offline"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        self.commit("theirs");
    }

    fn member(&self, name: &str, version: &str, dependency: &str) {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n\
             description = \"A part.\"\nlicense = \"MIT\"\n\n[dependencies]\n{dependency}\n"
        );
        self.write("theirs", &format!("{name}/Cargo.toml"), &manifest);
        self.write("theirs", &format!("{name}/src/lib.rs"), "");
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.world.path(path)
    }

    fn write(&self, repository: &str, file: &str, text: &str) {
        let path = self.path(repository).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path("theirs").join(file)).unwrap()
    }

    fn edit(&self, repository: &str, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(repository).join(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        self.write(repository, file, &text.replacen(from, to, 1));
    }

    fn commit(&self, repository: &str) {
        self.world.git(repository, &["add", "--all"]);
        self.world.git(repository, &["commit", "-q", "-m", "Go on"]);
    }

    /// Exit code, stdout and stderr of a task.
    fn xtask(&self, folder: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.world.command(folder, env!("CARGO_BIN_EXE_xtask"));
        let output = command.args(arguments).output().unwrap();
        let hide = |bytes: &[u8]| {
            let words = text(bytes).replace(
                &self.path("").canonicalize().unwrap().display().to_string(),
                "$WORLD/",
            );
            let commit = self.world.git("train", &["rev-parse", "HEAD"]);
            words
                .replace(&commit, "$COMMIT")
                .replace(&commit[..10], "$COMMIT")
                .replace("$WORLD//", "$WORLD/")
        };
        (
            output.status.code(),
            hide(&output.stdout),
            hide(&output.stderr),
        )
    }

    /// Adopts, and returns what it printed.
    fn adopted(&self) -> String {
        let (code, stdout, stderr) = self.xtask("train", &["adopt", "../theirs"]);
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        stdout
    }

    /// Does not adopt, says so, and changes nothing.
    fn refused(&self, expected: Expect) {
        let status = || {
            self.world
                .git("theirs", &["status", "--porcelain", "--ignored"])
        };
        let before = status();
        let (code, stdout, stderr) = self.xtask("train", &["adopt", "../theirs"]);
        expected.assert_eq(&stderr);
        assert_eq!((code, &*stdout), (Some(1), ""));
        assert_eq!(status(), before);
        let worktrees = self.world.git("theirs", &["worktree", "list"]);
        assert_eq!(worktrees.lines().count(), 1, "{worktrees}");
    }

    /// The lines that are staged in a file, without context.
    fn staged(&self, file: &str) -> String {
        let diff = self
            .world
            .git("theirs", &["diff", "--cached", "--unified=0", "--", file]);
        let lines = diff
            .lines()
            .filter(|line| line.starts_with(['+', '-']) && !line.starts_with("+++ "));
        lines
            .filter(|line| !line.starts_with("--- "))
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

#[test]
fn a_workspace_gets_the_tool_as_a_diff_that_its_owner_reads() {
    let adopter = Adopter::of_a_workspace();
    expect![[r#"
        release-train $COMMIT is in ../theirs, staged and not committed: `git diff --cached` shows it
        Cargo.toml: [workspace.metadata.release-train] has guesses: read them
        next, in ../theirs: cargo xtask rehearse
    "#]]
    .assert_eq(&adopter.adopted());

    let status = adopter.world.git("theirs", &["status", "--porcelain"]);
    assert!(
        status
            .lines()
            .all(|line| ["A  ", "M  "].contains(&&line[..3])),
        "{status}"
    );
    let files: Vec<&str> = status
        .lines()
        .map(|line| &line[3..])
        .filter(|file| !file.starts_with("xtask/src/"))
        .collect();
    expect![[r#"
        .cargo/config.toml
        .github/workflows/check-branches.yml
        .github/workflows/dist.yml
        .github/workflows/main.yml
        .github/workflows/push-tag.yml
        .github/workflows/release-process.yml
        Cargo.lock
        Cargo.toml
        RELEASES.md
        xtask/Cargo.toml
        xtask/LICENSE-APACHE
        xtask/LICENSE-MIT
        xtask/README.md
        xtask/rustfmt.toml"#]]
    .assert_eq(&files.join("\n"));
    expect![[r#"
        +    "xtask",
        +
        +# The release train (`cargo xtask`). All keys are optional; xtask/README.md says what each is for.
        +[workspace.metadata.release-train]
        +# name = "theirs" # in titles; the repository's name if nothing is said
        +# The train is at 1.2.0: no `version-of` is needed.
        +# Guessed: the published members that no other one requires as `=X.Y.Z`. The others must be; a crate that your
        +# users depend on belongs here, too, without such pins.
        +public = ["b"]
        +# version-strings = [] # lines outside the manifests that carry the version: none with 1.2.0 was found
        +# release-candidates = false # if true, main is at X.Y.0-dev, and a branch begins at -rc.1
        +# independent = [] # published with the others, but with versions of their own
        +# owners = ["github:org:team"] # of crates that are published for the first time
    "#]]
    .assert_eq(&adopter.staged("Cargo.toml"));
    expect![[r#"
        +[alias]
        +# Locked: cargo must not mend a lock file that an interrupted bump left behind before the xtask has seen it.
        +xtask = "run --locked --quiet --package xtask --"
    "#]]
    .assert_eq(&adopter.staged(".cargo/config.toml"));
    expect![[r#"
        +
        +[[package]]
        +name = "xtask"
        +version = "0.0.0"
    "#]]
    .assert_eq(&adopter.staged("Cargo.lock"));
    expect![[r#"
        +<!-- The notes of each version, newest first. `cargo xtask notes new X.Y.Z` opens a section. -->
        +
        +## 1.2.0
        +
        +Unreleased.
        +
        +### Added
        +
        +### Changed
    "#]]
    .assert_eq(&adopter.staged("RELEASES.md"));
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for file in [
        "xtask/src/main.rs",
        "xtask/rustfmt.toml",
        ".github/workflows/push-tag.yml",
    ] {
        assert_eq!(
            adopter.read(file),
            fs::read_to_string(ours.join(file)).unwrap()
        );
    }
    // Cargo has nothing to add, nor has it another opinion of the manifests.
    let mut cargo = adopter.world.command("theirs", "cargo");
    let metadata = cargo
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", text(&metadata.stderr));
    assert!(text(&metadata.stdout).contains("\"name\":\"xtask\""));

    adopter.world.git("theirs", &["reset", "-q", "--hard"]);
    assert_eq!(
        adopter
            .world
            .git("theirs", &["status", "--porcelain", "--ignored"]),
        ""
    );
    assert!(!adopter.path("theirs/xtask").exists());
}

#[test]
fn the_tool_works_there_before_anything_is_committed() {
    let adopter = Adopter::of_a_workspace();
    // Without what was guessed, it would not be known which of the two names the train.
    adopter.edit(
        "theirs",
        "Cargo.toml",
        "\"a\",\n",
        "\"a\",\n    \"theirs\",\n",
    );
    adopter.member("theirs", "0.4.0", "");
    adopter.locked();
    adopter.adopted();
    let (code, stdout, stderr) = adopter.xtask("theirs", &["rehearse"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert!(
        stdout.contains("Begin with theirs as of ")
            && stdout.contains(", with what is not committed"),
        "{stdout}"
    );
    assert!(
        stdout.contains("v0.4.0 is out, and v0.4.1 after it"),
        "{stdout}"
    );
}

#[test]
fn a_package_alone_becomes_a_workspace_and_goes_without_a_lock_file() {
    let adopter = Adopter::new();
    adopter.write(
        "theirs",
        "Cargo.toml",
        "[package]\nname = \"theirs\"\nversion = \"0.3.1\"\nedition = \"2021\"\nrust-version = \"1.70\"\n",
    );
    adopter.write("theirs", "src/lib.rs", "");
    adopter.write("theirs", "RELEASES.md", "## 0.3.1\n\nUnreleased.\n");
    adopter.write(
        "theirs",
        ".github/workflows/release.yml",
        "on: push\njobs:\n  a:\n    steps:\n      - run: cargo publish\n        env:\n          CARGO_REGISTRY_TOKEN: x\n",
    );
    adopter.write("theirs", ".gitignore", "/target\nCargo.lock\n");
    adopter.commit("theirs");
    adopter
        .world
        .git("theirs", &["branch", "-q", "-m", "trunk"]);
    expect![[r#"
        release-train $COMMIT is in ../theirs, staged and not committed: `git diff --cached` shows it
        Cargo.toml: [workspace.metadata.release-train] has guesses: read them
        `rust-version` 1.70: cargo before 1.85 does not read a workspace with a crate of edition 2024, as the tool is; a CI job with such a cargo takes xtask out of `members` first
        .github/workflows/release.yml: it can publish, too (`CARGO_REGISTRY_TOKEN`): remove what the train replaces
        next, in ../theirs: cargo xtask rehearse
    "#]].assert_eq(&adopter.adopted());
    expect![[r#"
        +
        +[workspace]
        +members = ["xtask"]
        +
        +# The release train (`cargo xtask`). All keys are optional; xtask/README.md says what each is for.
        +[workspace.metadata.release-train]
        +# name = "theirs" # in titles; the repository's name if nothing is said
        +# The train is at 0.3.1: no `version-of` is needed.
        +# public = [] # with it, a published member that is not in it must be required as `=X.Y.Z`
        +# version-strings = [] # lines outside the manifests that carry the version: none with 0.3.1 was found
        +# release-candidates = false # if true, main is at X.Y.0-dev, and a branch begins at -rc.1
        +# independent = [] # published with the others, but with versions of their own
        +# owners = ["github:org:team"] # of crates that are published for the first time
        +# There is no Cargo.lock: the alias and the workflows go without `--locked`.
    "#]]
    .assert_eq(&adopter.staged("Cargo.toml"));
    expect![[r#"
        +[alias]
        +xtask = "run --quiet --package xtask --"
    "#]]
    .assert_eq(&adopter.staged(".cargo/config.toml"));
    assert_eq!(adopter.staged("RELEASES.md"), "");
    let workflow = adopter.read(".github/workflows/main.yml");
    assert!(
        workflow.contains("branches: [trunk]") && !workflow.contains("[main]"),
        "{workflow}"
    );
    for file in fs::read_dir(adopter.path("theirs").join(WORKFLOWS)).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let locked: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("--locked"))
            .collect();
        assert!(
            locked.iter().all(|line| line.contains("cargo install")),
            "{locked:?}"
        );
    }
    assert_eq!(adopter.xtask("theirs", &["bump", "minor"]).1, "0.3.2\n");
}

#[test]
fn what_is_in_use_is_guessed_and_what_may_be_the_past_is_a_comment() {
    let adopter = Adopter::of_a_workspace();
    adopter.edit("theirs", "Cargo.toml", "\"a\",\n", "\"a\",\n    \"c\",\n");
    adopter.member("c", "0.4.0", "");
    adopter.write("theirs", "README.md", "# B\n\n```toml\nb = \"1.2.0\"\na = { version = \"1.2\", features = [] }\n```\n\nb since 1.2.0: more.\nBA = \"1.2\"\n");
    adopter.write("theirs", "include/b.h", "#define B_VERSION \"1.2.0\"\n#define B_VERSION_MAJOR 1\n#define B_VERSION_MINOR 2\n  #define B_VERSION_PATCH 0\n#define B_OTHER 1\n");
    adopter.write("theirs", "twice.txt", "version: 1.2.0\nversion: 1.2.0\n");
    adopter.write(
        "theirs",
        "other.txt",
        "version: 11.2.0\nversion: 1.2.0.1\nversion: 1.2.0-rc.1\n",
    );
    adopter.write("theirs", "CHANGELOG.md", "## version: 1.2.0\n");
    adopter.write(
        "theirs",
        "a/src/lib.rs",
        "#![doc(html_root_url = \"https://docs.rs/a/1.2.0\")]\n#[deprecated(since = \"1.2.0\")]\npub fn a() {}\n",
    );
    adopter.locked();
    adopter.adopted();
    expect![[r#"
        +    "xtask",
        +
        +# The release train (`cargo xtask`). All keys are optional; xtask/README.md says what each is for.
        +[workspace.metadata.release-train]
        +# name = "theirs" # in titles; the repository's name if nothing is said
        +# Guessed: the published crates have 2 versions, and one must name the train.
        +version-of = "a"
        +# Guessed: the published members that no other one requires as `=X.Y.Z`. The others must be; a crate that your
        +# users depend on belongs here, too, without such pins.
        +public = ["b", "c"]
        +# Guessed: lines that follow each bump. Those in comments have the version, too, but may tell of the past.
        +version-strings = [
        +  { file = "README.md", line = 'b = "{version}"' },
        +  { file = "README.md", line = 'a = { version = "{major}.{minor}", features = [] }' },
        +  { file = "a/src/lib.rs", line = '#![doc(html_root_url = "https://docs.rs/a/{version}")]' },
        +  { file = "include/b.h", line = '#define B_VERSION "{version}"' },
        +  { file = "include/b.h", line = '#define B_VERSION_MAJOR {major}' },
        +  { file = "include/b.h", line = '#define B_VERSION_MINOR {minor}' },
        +  { file = "include/b.h", line = '#define B_VERSION_PATCH {patch}' },
        +  # { file = "README.md", line = 'b since {version}: more.' },
        +  # { file = "a/src/lib.rs", line = '#[deprecated(since = "{version}")]' },
        +]
        +# release-candidates = false # if true, main is at X.Y.0-dev, and a branch begins at -rc.1
        +# independent = [] # published with the others, but with versions of their own
        +# owners = ["github:org:team"] # of crates that are published for the first time
    "#]]
    .assert_eq(&adopter.staged("Cargo.toml"));
    // The guesses hold: a bump moves these lines, and no others.
    adopter
        .world
        .git("theirs", &["commit", "-q", "-m", "Adopt"]);
    let (_, next, said) = adopter.xtask("theirs", &["bump"]);
    assert_eq!(next, "2.0.0\n", "{said}");
    expect![[r#"
        +++ b/README.md
        +b = "2.0.0"
        +a = { version = "2.0", features = [] }
        +++ b/a/src/lib.rs
        +#![doc(html_root_url = "https://docs.rs/a/2.0.0")]
        +++ b/include/b.h
        +#define B_VERSION "2.0.0"
        +#define B_VERSION_MAJOR 2
        +#define B_VERSION_MINOR 0"#]]
    .assert_eq(
        &adopter
            .world
            .git(
                "theirs",
                &[
                    "diff",
                    "--unified=0",
                    "--",
                    "README.md",
                    "include",
                    "*.txt",
                    "a/src",
                ],
            )
            .lines()
            .filter(|line| line.starts_with('+'))
            .collect::<Vec<_>>()
            .join("\n"),
    );
}

#[test]
fn what_toml_cannot_say_or_nobody_reads_is_not_guessed() {
    let adopter = Adopter::of_a_workspace();
    adopter.write("theirs", "Cafe\u{301}.txt", "version: 1.2.0\n");
    adopter.write(
        "theirs",
        "colours.txt",
        "\u{1b}[1mversion: 1.2.0\u{1b}[0m\n",
    );
    adopter.write("theirs", "old_mac.txt", "one\rversion: 1.2.0\rtwo\r");
    adopter.write(
        "theirs",
        "min.js",
        &format!("x={{version:\"1.2.0\"}};{}\n", "a".repeat(100_000)),
    );
    adopter.write("theirs", "ui/package-lock.json", "\"version\": \"1.2.0\"\n");
    adopter.write("theirs", "third_party/z.h", "#define Z_VERSION \"1.2.0\"\n");
    adopter.write("theirs", "tab.txt", "version\t: 1.2.0\n");
    adopter.commit("theirs");
    adopter.adopted();
    let staged = adopter.staged("Cargo.toml");
    let lines: Vec<&str> = staged
        .lines()
        .filter(|line| line.contains("file = "))
        .collect();
    assert_eq!(
        lines,
        ["+  { file = \"tab.txt\", line = 'version\t: {version}' },"]
    );
    assert_eq!(adopter.xtask("theirs", &["bump"]).1, "2.0.0\n");
}

#[test]
fn another_pre_release_than_the_tool_makes_tells_nothing_of_candidates() {
    let adopter = Adopter::of_a_workspace();
    for (name, dependency) in [
        ("a", ""),
        ("b", "a = { path = \"../a\", version = \"=2.0.0-alpha.1\" }"),
    ] {
        adopter.member(name, "2.0.0-alpha.1", dependency);
    }
    adopter.locked();
    adopter.adopted();
    assert!(
        adopter
            .staged("Cargo.toml")
            .contains("+# release-candidates = false")
    );
}

#[test]
fn a_development_version_tells_of_candidates_and_a_long_list_stands_in_lines() {
    let adopter = Adopter::of_a_workspace();
    let names: Vec<String> = (1..12)
        .map(|number| format!("a-crate-number-{number}"))
        .collect();
    let members: Vec<String> = names
        .iter()
        .map(|name| format!("\"{name}\",\n    "))
        .collect();
    adopter.edit(
        "theirs",
        "Cargo.toml",
        "\"a\",\n",
        &format!("{}\"a\",\n", members.concat()),
    );
    for name in names.iter().map(String::as_str).chain(["a"]) {
        adopter.member(name, "2.0.0-dev", "");
    }
    adopter.member(
        "b",
        "2.0.0-dev",
        "a = { path = \"../a\", version = \"=2.0.0-dev\" }",
    );
    adopter.locked();
    adopter.edit("theirs", "Cargo.toml", "resolver = \"2\"\n", "");
    adopter.commit("theirs");
    let said = adopter.adopted();
    assert!(
        said.contains("Cargo.toml: without a `resolver`, cargo warns"),
        "{said}"
    );
    let staged = adopter.staged("Cargo.toml");
    assert!(
        staged.contains("+public = [\n+    \"a-crate-number-1\",\n"),
        "{staged}"
    );
    assert!(
        staged.contains("+# Guessed: main is at -dev.\n+release-candidates = true\n"),
        "{staged}"
    );
    assert!(adopter.read("RELEASES.md").contains("## 2.0.0\n"));
    assert_eq!(adopter.xtask("theirs", &["bump"]).1, "3.0.0-dev\n");
}

#[test]
fn pins_that_contradict_each_other_are_said_and_not_put_in_force() {
    let adopter = Adopter::of_a_workspace();
    adopter.edit("theirs", "Cargo.toml", "\"a\",\n", "\"a\",\n    \"c\",\n");
    adopter.member("c", "1.2.0", "a = { path = \"../a\", version = \"1.2\" }");
    adopter.locked();
    adopter.adopted();
    let staged = adopter.staged("Cargo.toml");
    assert!(staged.contains("+# public = [\"b\", \"c\"]\n"), "{staged}");
    assert!(
        staged.contains("some require a so, and some do not"),
        "{staged}"
    );
    assert_eq!(adopter.xtask("theirs", &["bump"]).1, "2.0.0\n");
}

#[test]
fn all_that_stands_in_the_way_is_named_at_once() {
    let adopter = Adopter::of_a_workspace();
    adopter.write("theirs", "xtask/notes.txt", "");
    // Of the two, rustup reads the one without an ending.
    adopter.write(
        "theirs",
        "rust-toolchain.toml",
        "[toolchain]\nchannel = \"1.95.0\"\n",
    );
    adopter.write("theirs", "rust-toolchain", "1.85.1\n");
    adopter.write(
        "theirs",
        ".cargo/config.toml",
        "[alias]\nxtask = \"run -p tasks --\"\n[build]\ntarget = \"wasm32-wasip1\"\n",
    );
    adopter.write("theirs", ".github/workflows/Main.yaml", "name: Tests\n");
    adopter.write(
        "theirs",
        ".github/workflows/ci.yml",
        "name: \"dist\" # all\n",
    );
    adopter.write("theirs", ".gitignore", "/target\n*.md\n");
    adopter.commit("theirs");
    adopter.refused(expect![[r#"
        .cargo/config.toml: there is an alias `xtask` of your own: rename it
        .cargo/config.toml: `build.target`: cargo would build the tool for it, and the workflows look for that in `target/debug`: say it on the command lines that need it
        .gitignore:2: `*.md` keeps git from what goes into RELEASES.md: narrow that rule
        .gitignore:2: `*.md` keeps git from what goes into xtask: narrow that rule
        rust-toolchain: Rust is 1.85.1 there, and the tool needs 1.90 or later: say so there
        xtask: there is one of your own: rename it
        .github/workflows/Main.yaml: a workflow of ours is called `main`, too: rename yours, its file and its `name`
        .github/workflows/ci.yml: a workflow of ours is called `dist`, too: rename yours, its file and its `name`
        error: 8 things stand in the way, and nothing was changed
    "#]]);
}

#[test]
fn each_obstacle_alone_is_one_line_that_says_what_to_do() {
    let adopter = Adopter::new();
    adopter.write(
        "theirs",
        "Cargo.toml",
        "[workspace]\nmembers = [\"a\", \"tasks\"]\n",
    );
    adopter.member("a", "1.2.0", "");
    adopter.write("theirs", "tasks/src/lib.rs", "");
    adopter.write(
        "theirs",
        "tasks/Cargo.toml",
        "[package]\nname = \"tasks\"\nversion = \"0.1.0\"\nedition = \"2021\"\npublish = false\n",
    );
    adopter.commit("theirs");
    for (file, before, expected) in [
        (
            "tasks/Cargo.toml",
            "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
            expect![[r#"
                error: $WORLD/theirs/tasks/Cargo.toml is a package called `xtask`, of your own: rename it
            "#]],
        ),
        (
            ".cargo/config",
            "[net]\nretry = 2\n",
            expect![[r#"
            error: .cargo/config: cargo reads it and not .cargo/config.toml, where the alias goes: rename it to that
        "#]],
        ),
        (
            ".cargo/config.toml",
            "alias = { t = \"test\" }\n",
            expect![[r#"
            error: .cargo/config.toml: `alias` is no table [alias], to which a line could be added: add `xtask = "run --locked --quiet --package xtask --"` to it
        "#]],
        ),
        (
            ".cargo/config.toml",
            "alias.t = \"test\"\nnet.retry = 2\n",
            expect![[r#"
            error: .cargo/config.toml: `alias` is no table [alias], to which a line could be added: add `xtask = "run --locked --quiet --package xtask --"` to it
        "#]],
        ),
        (
            "Cargo.toml",
            "workspace = { members = [\"a\", \"tasks\"] }\n",
            expect![[r#"
            error: Cargo.toml: `workspace` is no table [workspace], to which lines could be added: make it one
        "#]],
        ),
        (
            "Cargo.toml",
            "workspace.resolver = \"2\"\n[package]\nname = \"c\"\nversion = \"1.2.0\"\n[lib]\npath = \"a/src/lib.rs\"\n",
            expect![[r#"
            error: Cargo.toml: `workspace` is no table [workspace], to which lines could be added: make it one
        "#]],
        ),
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"tasks\"]\nmetadata = { x = 1 }\n",
            expect![[r#"
            error: Cargo.toml: `workspace.metadata` is no table [workspace.metadata], to which lines could be added: make it one
        "#]],
        ),
        (
            ".cargo/config.toml",
            "[alias\n",
            expect![[r#"
            error: could not load Cargo configuration: could not parse TOML configuration in `$WORLD/theirs/.cargo/config.toml`: TOML parse error at line 1, column 7: unclosed table, expected `]`
        "#]],
        ),
        (
            "rust-toolchain",
            "1.80\n",
            expect![[r#"
                error: rust-toolchain: Rust is 1.80 there, and the tool needs 1.90 or later: say so there
            "#]],
        ),
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"missing\"]\n",
            expect![[r#"
            error: failed to read `$WORLD/theirs/missing/Cargo.toml`: No such file or directory (os error 2)
        "#]],
        ),
        (
            "a/Cargo.toml",
            "[package]\nname = \"a\"\nversion = \"1.2.0\"\npublish = false\n",
            expect![[r#"
            error: Cargo.toml: [workspace.metadata.release-train]: no crate is published, so there is no version to name the train
        "#]],
        ),
    ] {
        adopter.write("theirs", file, before);
        adopter.commit("theirs");
        adopter.refused(expected);
        adopter
            .world
            .git("theirs", &["reset", "-q", "--hard", "HEAD~"]);
    }
}

#[test]
fn the_workflows_run_for_the_main_branch_whatever_is_checked_out() {
    let adopter = Adopter::of_a_workspace();
    adopter
        .world
        .git("theirs", &["branch", "-q", "-m", "master"]);
    adopter
        .world
        .git("theirs", &["checkout", "-q", "-b", "adopt"]);
    adopter.adopted();
    assert!(
        adopter
            .read(".github/workflows/main.yml")
            .contains("branches: [master]")
    );
}

#[test]
fn a_sparse_checkout_must_have_a_place_for_the_tool() {
    let adopter = Adopter::of_a_workspace();
    adopter
        .world
        .git("theirs", &["sparse-checkout", "set", "a", "b"]);
    adopter.refused(expect![[r#"
        error: this checkout is sparse, and what goes in would not be in it: `git sparse-checkout add xtask .github/workflows`, or `disable`
    "#]]);
    adopter
        .world
        .git("theirs", &["sparse-checkout", "add", "xtask", WORKFLOWS]);
    adopter.adopted();
    assert!(adopter.path("theirs/xtask/src/main.rs").exists());
}

#[test]
fn line_ends_that_git_checks_are_the_owner_s_own() {
    let adopter = Adopter::of_a_workspace();
    adopter
        .world
        .git("theirs", &["config", "core.autocrlf", "true"]);
    adopter
        .world
        .git("theirs", &["config", "core.safecrlf", "true"]);
    adopter.adopted();
    assert!(adopter.read("xtask/src/main.rs").contains("\r\n"));
}

#[test]
fn notes_that_the_tool_cannot_go_on_with_are_named_and_a_template_of_theirs_is_used() {
    let adopter = Adopter::of_a_workspace();
    adopter.write("theirs", "RELEASES.md", "# Releases\n\n## v1.1.0\n");
    adopter.commit("theirs");
    let said = adopter.adopted();
    let names = "RELEASES.md cannot be gone on with: `## v1.1.0` names no version: sections are headed `## X.Y.Z`\n";
    assert!(said.contains(names), "{said}");

    let adopter = Adopter::of_a_workspace();
    let table =
        "[workspace.metadata.release-train]\nnotes-template = \"notes.md\"\n\n[workspace]\n";
    adopter.edit("theirs", "Cargo.toml", "[workspace]\n", table);
    adopter.write(
        "theirs",
        "notes.md",
        "## VERSION\n\nUnreleased.\n\nNothing yet.\n",
    );
    adopter.commit("theirs");
    adopter.adopted();
    assert!(
        adopter
            .read("RELEASES.md")
            .ends_with("## 1.2.0\n\nUnreleased.\n\nNothing yet.\n")
    );
}

#[cfg(unix)]
#[test]
fn nothing_is_written_through_a_link() {
    let adopter = Adopter::of_a_workspace();
    adopter.write("theirs", ".cargo/keep", "");
    for (link, to) in [
        (".cargo/config.toml", "shared.toml"),
        ("RELEASES.md", "nowhere.md"),
    ] {
        std::os::unix::fs::symlink(adopter.path(to), adopter.path("theirs").join(link)).unwrap();
    }
    fs::write(adopter.path("shared.toml"), "[net]\nretry = 2\n").unwrap();
    adopter.commit("theirs");
    adopter.refused(expect![[r#"
        .cargo/config.toml: a symbolic link: put what it leads to in its place
        RELEASES.md: a symbolic link: put what it leads to in its place
        error: 2 things stand in the way, and nothing was changed
    "#]]);
    assert_eq!(
        fs::read_to_string(adopter.path("shared.toml")).unwrap(),
        "[net]\nretry = 2\n"
    );
    assert!(!adopter.path("nowhere.md").exists());
}

#[test]
fn a_folder_that_is_no_clean_workspace_is_left_alone() {
    let adopter = Adopter::of_a_workspace();
    adopter.write("theirs", "new.txt", "");
    adopter.refused(expect![[r#"
        error: ../theirs: `new.txt` is not committed: commit it first, and the diff is ours alone
    "#]]);
    let says = |folder: &str, to: &[&str]| adopter.xtask(folder, &[&["adopt"], to].concat());
    for (folder, to, expected) in [
        (
            "train",
            "../theirs/a",
            expect![[r#"
            error: ../theirs/a: a workspace must be at the root of its repository, where GitHub looks for workflows; this repository is at $WORLD/theirs
        "#]],
        ),
        (
            "train",
            "../nowhere",
            expect![[r#"
            error: ../nowhere: No such file or directory (os error 2)
        "#]],
        ),
        (
            "train",
            "..",
            expect![[r#"
            error: ..: not a git repository (or any parent up to mount point /dev): Stopping at filesystem boundary (GIT_DISCOVERY_ACROSS_FILESYSTEM not set).
        "#]],
        ),
        (
            "train",
            ".",
            expect![[r#"
            error: .: that is release-train itself
        "#]],
        ),
        (
            "theirs",
            "../train",
            expect![[r#"
            error: $WORLD/theirs is no clone of release-train: run `adopt` in one
        "#]],
        ),
    ] {
        let (code, stdout, stderr) = says(folder, &[to]);
        expected.assert_eq(&stderr);
        assert_eq!((code, &*stdout), (Some(1), ""));
    }
    let (code, _, stderr) = says("train", &[]);
    assert_eq!(code, Some(2), "{stderr}");
    fs::remove_file(adopter.path("theirs/new.txt")).unwrap();
    adopter.edit(
        "train",
        "xtask/src/main.rs",
        "//! The command line",
        "//! Some command line",
    );
    adopter.refused(expect![[r#"
        error: `xtask/src/main.rs` is not committed: what goes out must be a commit
    "#]]);
}

#[test]
fn run_again_it_brings_the_tool_up_to_date_and_keeps_what_was_changed_there() {
    let adopter = Adopter::of_a_workspace();
    adopter.adopted();
    // The owner makes the workflows their own, throws one away, and mends the tool.
    adopter.edit(
        "theirs",
        ".github/workflows/dist.yml",
        "          - { os: windows-latest",
        "          # - { os: windows-latest",
    );
    adopter.edit(
        "theirs",
        "Cargo.toml",
        "# owners",
        "support-months = 3\n# owners",
    );
    adopter.edit(
        "theirs",
        "RELEASES.md",
        "### Added\n",
        "### Added\n\n* This.\n",
    );
    fs::remove_file(adopter.path("theirs/.github/workflows/check-branches.yml")).unwrap();
    adopter.commit("theirs");
    let (code, stdout, stderr) = adopter.xtask("train", &["adopt", "../theirs"]);
    assert_eq!((code, &*stdout), (Some(0), ""), "{stderr}");
    expect![[r#"
        nothing to do: ../theirs has what release-train has at $COMMIT
    "#]]
    .assert_eq(&stderr);
    assert_eq!(adopter.world.git("theirs", &["status", "--porcelain"]), "");

    // Release-train goes on.
    adopter.edit(
        "train",
        ".github/workflows/dist.yml",
        "# The artifacts of one commit",
        "# What is made of one commit",
    );
    adopter.edit(
        "train",
        ".github/workflows/check-branches.yml",
        "# Once a week",
        "# Each week",
    );
    adopter.edit(
        "train",
        "xtask/src/version.rs",
        "[automatically-tag-and-release-this-commit]",
        "[release-this]",
    );
    fs::rename(
        adopter.path("train/xtask/src/sha256.rs"),
        adopter.path("train/xtask/src/digest.rs"),
    )
    .unwrap();
    adopter.commit("train");
    expect![[r#"
        release-train $COMMIT is in ../theirs, staged and not committed: `git diff --cached` shows it
        next, in ../theirs: cargo xtask rehearse
    "#]]
    .assert_eq(&adopter.adopted());
    let staged = adopter.world.git(
        "theirs",
        &["diff", "--cached", "--name-status", "--no-renames"],
    );
    expect![[r#"
        M	.github/workflows/dist.yml
        M	xtask/Cargo.toml
        A	xtask/src/digest.rs
        D	xtask/src/sha256.rs
        M	xtask/src/version.rs"#]]
    .assert_eq(&staged);
    expect![[r#"
        -# The artifacts of one commit, an archive a target, kept for the run: main.yml sees that they can be made, and push-tag.yml
        +# What is made of one commit, an archive a target, kept for the run: main.yml sees that they can be made, and push-tag.yml
    "#]].assert_eq(&adopter.staged(".github/workflows/dist.yml"));
    assert!(
        adopter
            .read(".github/workflows/dist.yml")
            .contains("# - { os: windows-latest")
    );
    let from = adopter.read("xtask/Cargo.toml");
    assert!(
        from.contains(&adopter.world.git("train", &["rev-parse", "HEAD"])),
        "{from}"
    );
}

#[test]
fn what_does_not_go_together_is_a_conflict_as_of_a_merge() {
    let adopter = Adopter::of_a_workspace();
    adopter.adopted();
    adopter.edit(
        "theirs",
        "xtask/src/version.rs",
        "[automatically-tag-and-release-this-commit]",
        "[ours]",
    );
    fs::remove_file(adopter.path("theirs/xtask/rustfmt.toml")).unwrap();
    adopter.commit("theirs");
    adopter.edit("train", "xtask/rustfmt.toml", "120", "100");
    adopter.edit(
        "train",
        "xtask/src/version.rs",
        "[automatically-tag-and-release-this-commit]",
        "[theirs]",
    );
    adopter.edit(
        "train",
        "xtask/src/config.rs",
        "what a workspace may wish",
        "what it may wish",
    );
    adopter.commit("train");
    let (code, stdout, stderr) = adopter.xtask("train", &["adopt", "../theirs"]);
    expect![[r#"
        release-train $COMMIT is in ../theirs, staged and not committed: `git diff --cached` shows it
        error: ../theirs: what changed here and there does not go together in xtask/rustfmt.toml, xtask/src/version.rs: settle it as after `git merge`, or drop all of it with `git reset --hard`
    "#]].assert_eq(&format!("{stdout}{}", stderr.split_once('\n').unwrap().1));
    assert_eq!(code, Some(1));
    let status = adopter.world.git("theirs", &["status", "--porcelain"]);
    expect![[r#"
        M  xtask/Cargo.toml
        DU xtask/rustfmt.toml
        M  xtask/src/config.rs
        UU xtask/src/version.rs"#]]
    .assert_eq(&status);
    let marked = adopter.read("xtask/src/version.rs");
    assert!(
        marked.contains("\"[ours]\"")
            && marked.contains("\"[theirs]\"")
            && marked.contains("=======\n"),
        "{marked}"
    );
    // Git does not let it be forgotten.
    let commit = adopter
        .world
        .command("theirs", "git")
        .args(["commit", "-m", "Update"])
        .output()
        .unwrap();
    assert!(!commit.status.success());
    adopter.world.git("theirs", &["reset", "-q", "--hard"]);
    assert!(
        adopter
            .read("xtask/src/config.rs")
            .contains("what a workspace may wish")
    );
}

#[test]
fn what_the_owner_gave_the_tool_outlives_an_update() {
    let adopter = Adopter::of_a_workspace();
    adopter.adopted();
    // A dependency, with its place in the lock file, and a file.
    adopter.edit(
        "theirs",
        "xtask/Cargo.toml",
        "[dependencies]\n",
        "[dependencies]\nb = { path = \"../b\" }\n",
    );
    adopter.write("theirs", "xtask/src/own.rs", "// Theirs.\n");
    adopter.locked();
    adopter.write("train", "xtask/src/own.rs", "// Ours.\n");
    adopter.edit(
        "train",
        "xtask/src/version.rs",
        "[automatically-tag-and-release-this-commit]",
        "[release-this]",
    );
    adopter.commit("train");
    let (code, _, stderr) = adopter.xtask("train", &["adopt", "../theirs"]);
    assert!(
        code == Some(1) && stderr.contains("does not go together in xtask/src/own.rs:"),
        "{stderr}"
    );
    assert_eq!(adopter.staged("Cargo.lock"), "");
    assert!(adopter.read("xtask/src/own.rs").contains("// Theirs.\n"));
    let mut cargo = adopter.world.command("theirs", "cargo");
    let metadata = cargo
        .args(["metadata", "--locked", "--format-version", "1"])
        .output()
        .unwrap();
    assert!(metadata.status.success(), "{}", text(&metadata.stderr));
}

#[test]
fn an_update_from_a_clone_that_lacks_the_commit_or_over_a_new_workflow_of_theirs_is_refused() {
    let adopter = Adopter::of_a_workspace();
    adopter.adopted();
    adopter.write("theirs", ".github/workflows/audit.yml", "name: audit\n");
    adopter.commit("theirs");
    adopter.write("train", ".github/workflows/audit.yml", "name: audit\n");
    adopter.commit("train");
    adopter.refused(expect![[r#"
        error: .github/workflows/audit.yml: a workflow of ours is called `audit`, too: rename yours, its file and its `name`
    "#]]);
    let from = adopter.world.git("train", &["rev-parse", "HEAD~"]);
    adopter.edit(
        "theirs",
        "xtask/Cargo.toml",
        &from,
        "0123456789012345678901234567890123456789",
    );
    adopter.commit("theirs");
    adopter.refused(expect![[r#"
        error: $WORLD/train: it lacks 0123456789012345678901234567890123456789, which xtask/Cargo.toml names: `git fetch`
    "#]]);
}
