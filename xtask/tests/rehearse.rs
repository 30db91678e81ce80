//! Rehearsals from outside: the month of the demo, one task, a step that fails, and what of the user's environment gets in.

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use expect_test::expect;
use support::train::World;
use support::{Tree, package, temporary, text};

/// The folder of this repository, which holds the demo.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A rehearsal, begun in a folder, with a place for its sandbox.
fn rehearse(folder: &Path, place: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("rehearse")
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("TMPDIR", place);
    command
}

/// What it printed, without what differs from run to run: times, folders and commits.
fn said(output: &Output, place: &Path) -> String {
    let said = text(&output.stdout).replace(
        &place.canonicalize().unwrap().display().to_string(),
        "$TMPDIR",
    );
    let commit = |word: &str| word.len() == 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut plain = String::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let words = words.iter().enumerate().map(|(at, &word)| match word {
            _ if word.starts_with("$TMPDIR/rehearsal-") => "$SANDBOX",
            _ if words.get(at + 1) == Some(&"s") => "N",
            // Whether cargo semver-checks is installed is to know, too.
            _ if words[at + 1..].starts_with(&["to", "know"]) => "N",
            _ if commit(word) => "COMMIT",
            _ => word,
        });
        plain += &(words.collect::<Vec<_>>().join(" ") + "\n");
    }
    // A longer time has less room before it.
    while plain.contains("  N s") {
        plain = plain.replace("  N s", " N s");
    }
    plain
}

fn run(folder: &Path, program: &str, arguments: &[&str]) {
    assert!(
        Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .status()
            .unwrap()
            .success(),
        "{program}"
    );
}

fn git(folder: &Path, arguments: &[&str]) {
    run(folder, "git", arguments);
}

/// A copy of the demo as a repository of its own, changed by a command line of sed.
fn demo(folder: &Path, changed: &str, file: &str) {
    run(folder, "cp", &["-r", &format!("{HERE}/xtask/demo/."), "."]);
    run(folder, "sed", &["-i", changed, file]);
    commit(folder);
}

/// Makes a repository of a folder.
fn commit(folder: &Path) {
    git(folder, &["init", "-q", "-b", "main"]);
    git(folder, &["add", "."]);
    git(
        folder,
        &[
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
            "commit",
            "-q",
            "-m",
            "Begin",
        ],
    );
}

#[test]
fn the_month_of_the_demo_comes_to_its_end_and_nothing_of_the_environment_gets_in() {
    let place = temporary();
    // Git, as the sandbox finds it behind its own folders, tells what it was given.
    let (bin, seen) = (place.path().join("bin"), place.path().join("seen"));
    fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\n[ -z \"$GIT_CONFIG_NOSYSTEM\" ] || env >>{}\nexec {} \"$@\"\n",
        seen.display(),
        World::real("git")
    );
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();

    let mut command = rehearse(
        Path::new(HERE),
        place.path(),
        "--demo --keep --date 2026-01-10",
    );
    command.env(
        "PATH",
        format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()),
    );
    for name in [
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "GITHUB_OUTPUT",
        "SSH_AUTH_SOCK",
        "CARGO_REGISTRY_TOKEN",
        "CARGO_TARGET_DIR",
        "GIT_AUTHOR_NAME",
    ] {
        command.env(name, "planted");
    }
    // Nothing of the network: whoever asks for it fails here.
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "CARGO_HTTP_PROXY",
    ] {
        command.env(name, "http://planted.invalid:9");
    }
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    expect![[r#"
        the sandbox is $SANDBOX
        2026-02-05  tool   cut N s  release-4.0.0; #1 Bump Tinytable to 5.0.0
        2026-02-05  human  merge N s  #1 into main
        2026-02-12  human  a fix on main N s  main is at COMMIT
        2026-02-12  human  its backport N s  release-4.0.0 is at COMMIT
        2026-02-20  tool   release-latest N s  #2 Update release date of Tinytable 4.0.0; #3 Release Tinytable 4.0.0
        2026-02-20  human  merge N s  #2 into main, #3 into release-4.0.0
        2026-02-20  tool   push-tag --branch release-4.0.0 N s  tag v4.0.0
        2026-02-20  tool   verify N s  verified 4.0.0 and its 5 crates: nothing to mend, N to know
        2026-02-20  tool   dist N s  packed target/dist/tinytable-v4.0.0-src.tar.gz
        2026-02-20  tool   github-release N s  a draft of v4.0.0 with 2 files
        2026-02-20  tool   publish N s  5 crates published
        2026-02-20  tool   github-release N s  v4.0.0 is public, and the latest
        2026-02-27  human  a fix on main N s  main is at COMMIT
        2026-02-27  human  its backport N s  release-4.0.0 is at COMMIT
        2026-02-27  tool   release-patch --branch release-4.0.0 N s  #4 Release Tinytable 4.0.1
        2026-02-27  human  merge N s  #4 into release-4.0.0
        2026-02-27  tool   push-tag --branch release-4.0.0 N s  tag v4.0.1
        2026-02-27  tool   verify N s  verified 4.0.1 and its 5 crates: nothing to mend, N to know
        2026-02-27  tool   dist N s  packed target/dist/tinytable-v4.0.1-src.tar.gz
        2026-02-27  tool   github-release N s  a draft of v4.0.1 with 2 files
        2026-02-27  tool   publish N s  5 crates published
        2026-02-27  tool   github-release N s  v4.0.1 is public, and the latest
        2026-02-27  tool   sync-notes N s  #5 Add the release notes of Tinytable 4.0.1
        2026-02-27  human  merge N s  #5 into main
        2026-02-27  human  cargo build of a user's crate N s  builds with tinytable 4.0.1, tinytable-themes 0.9.1

        branches  main at 5.0.0, release-4.0.0 at 4.0.1
        tags      v4.0.0, v4.0.1
        crates    1 of 0.9.0, 1 of 0.9.1, 4 of 4.0.0, 4 of 4.0.1
        releases  v4.0.0, v4.0.1 (latest)

        *   COMMIT (HEAD -> main) Merge pull request #5 from ci/sync-notes-4.0.1
        |\
        | * COMMIT Add the release notes of Tinytable 4.0.1
        |/
        * COMMIT Mend what a user found
        *   COMMIT Merge pull request #2 from ci/release-date-for-4.0.0
        |\
        | * COMMIT Update release date of Tinytable 4.0.0
        |/
        * COMMIT Mend what a tester found
        *   COMMIT Merge pull request #1 from ci/bump-to-5.0.0
        |\
        | * COMMIT Bump Tinytable to 5.0.0
        |/
        | *   COMMIT (tag: v4.0.1, release-4.0.0) Merge pull request #4 from ci/release-4.0.1
        | |\
        | | * COMMIT Release Tinytable 4.0.1
        | |/
        | * COMMIT Mend what a user found
        | *   COMMIT (tag: v4.0.0) Merge pull request #3 from ci/release-4.0.0
        | |\
        | | * COMMIT Release Tinytable 4.0.0
        | |/
        | * COMMIT Mend what a tester found
        |/
        * COMMIT Begin with the demo

        v4.0.0 is out, and v4.0.1 after it, in N s
    "#]]
    .assert_eq(&said(&output, place.path()));
    assert_eq!(text(&output.stderr), "");

    let seen = fs::read_to_string(seen).unwrap();
    assert!(
        seen.lines().any(|line| line.starts_with("GH_CONFIG_DIR=")),
        "the wrapper was not called"
    );
    assert!(
        !seen.contains("planted"),
        "{}",
        seen.lines().find(|line| line.contains("planted")).unwrap()
    );
    let kept: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        kept.iter()
            .any(|name| name.to_string_lossy().starts_with("rehearsal-")),
        "{kept:?}"
    );
}

#[test]
fn the_month_of_a_workspace_below_0_1_has_no_patch() {
    let place = temporary();
    let more = "description = \"A.\"\nlicense = \"MIT\"\n[workspace.metadata.release-train]\nname = \"Demo\"\n";
    let manifest = package("a", "0.0.3") + more;
    let tree = Tree::new(&[("Cargo.toml", &manifest), (".gitignore", "target\n")]);
    commit(tree.path());
    let output = rehearse(tree.path(), place.path(), "").output().unwrap();
    let said = said(&output, place.path());
    assert!(
        said.ends_with("\nv0.0.3 is out, in N s\n"),
        "{said}{}",
        text(&output.stderr)
    );
}

#[test]
fn a_step_that_fails_is_shown_and_its_sandbox_is_kept() {
    let (place, folder) = (temporary(), temporary());
    let folder = folder.path().join("my workspace"); // which has a name of two words
    fs::create_dir(&folder).unwrap();
    demo(&folder, "/^description/d", "themes/Cargo.toml");
    let output = rehearse(&folder, place.path(), "--date 2026-01-05")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (said, error) = (said(&output, place.path()), text(&output.stderr));
    let step = said
        .lines()
        .position(|line| line.ends_with("failed"))
        .unwrap();
    let shown: Vec<&str> = said.lines().skip(step).collect();
    assert!(shown[0].starts_with("2026-01-20  tool   verify "), "{said}");
    assert!(
        shown[1..].iter().all(|line| line.starts_with("    | ")),
        "{said}"
    );
    assert!(
        said.contains("`tinytable-themes` has no description"),
        "{said}"
    );
    assert!(error.starts_with(
        "error: `verify` of 2026-01-20 failed: what it said is above; the sandbox is kept"
    ));
    let kept = fs::read_dir(place.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    assert!(
        kept.join("clone/Cargo.toml").exists() && error.contains(&kept.display().to_string()),
        "{error}"
    );
}

/// What a rehearsal says before its first step, and the root of the humans' clone there: the steps are those of any train.
fn begun(mut command: Command, place: &Path) -> (String, PathBuf) {
    let mut running = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let lines: Vec<String> = lines
        .map(Result::unwrap)
        .take_while(|line| !line.contains("cut  "))
        .collect();
    running.kill().unwrap();
    running.wait().unwrap();
    (
        lines.join("\n"),
        fs::read_dir(place)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path()
            .join("people"),
    )
}

#[test]
fn where_the_version_is_released_the_rehearsal_is_that_of_the_next_train() {
    for tagged in [false, true] {
        let (place, folder) = (temporary(), temporary());
        demo(
            folder.path(),
            if tagged {
                ""
            } else {
                "s/^Unreleased/Released 2025-12-20/"
            },
            "RELEASES.md",
        );
        if tagged {
            // As others name them, and like to see them.
            git(folder.path(), &["tag", "tinytable-4.0.0"]);
            git(folder.path(), &["tag", "unicode-0.1.0"]);
            git(folder.path(), &["config", "column.ui", "always"]);
        }
        let (said, people) = begun(
            rehearse(folder.path(), place.path(), "--date 2026-01-05"),
            place.path(),
        );
        assert!(
            said.contains(
                "in the copy, main goes on from 4.0.0 to 5.0.0, with which a train begins"
            ),
            "{said}"
        );
        // Crates of another version line go on as well: they are as little what is out.
        let themes = fs::read_to_string(people.join("themes/Cargo.toml")).unwrap();
        assert!(themes.contains("version = \"0.10.0\""), "{themes}");
        assert!(
            said.contains("in the copy, opened the section of 5.0.0 in RELEASES.md"),
            "{said}"
        );
    }
}

#[test]
fn what_is_not_committed_is_rehearsed_with_a_new_file_once_git_knows_it() {
    let (place, folder) = (temporary(), temporary());
    demo(folder.path(), "", "RELEASES.md");
    // With it git asks for what has a name alone, unless it is told otherwise.
    let config = folder.path().join(".git/theirs");
    fs::write(&config, "[protocol]\nversion = 1\n").unwrap();
    for file in ["README.md", "added", "new"] {
        fs::write(folder.path().join(file), "Changed.\n").unwrap();
    }
    git(folder.path(), &["add", "added"]);
    let mut command = rehearse(folder.path(), place.path(), "--date 2026-01-05");
    command.env("GIT_CONFIG_GLOBAL", config);
    let (said, people) = begun(command, place.path());
    assert!(
        said.contains("not committed, and so left out: new, ..."),
        "{said}"
    );
    let copied = |file: &str| fs::read_to_string(people.join(file)).unwrap_or_default();
    assert_eq!(
        ["README.md", "added", "new"].map(copied),
        ["Changed.\n", "Changed.\n", ""]
    );
}

#[test]
fn one_task_shows_what_it_would_propose_and_changes_nothing() {
    let world = World::new();
    world.cut("2026-03-05");
    world.git("clone", &["fetch", "-q"]);
    let before = world.state();
    let output = world.task("rehearse release-latest --date 2026-03-20");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(world.state(), before);
    let said = text(&output.stdout);
    for expected in [
        "\n== ci/release-12.0.0 -> release-12.0.0: Release Demo 12.0.0\n",
        "\n== ci/release-date-for-12.0.0 -> main: Update release date of Demo 12.0.0\n",
        "\n-Unreleased.\n+Released 2026-03-20.\n",
        "\n$ gh pr create --head ci/release-12.0.0 ",
    ] {
        assert!(said.contains(expected), "{expected} is not in:\n{said}");
    }
}

#[test]
fn a_task_that_is_none_is_refused_before_a_sandbox_is_made() {
    let world = World::new();
    let place = temporary();
    for (line, expected) in [
        (
            "cutt",
            "error: there is no task `cutt`; `cargo xtask --help` shows what there is\n",
        ),
        (
            "rehearse cut",
            "error: a rehearsal is not rehearsed; `cargo xtask --help` shows what there is\n",
        ),
    ] {
        let output = rehearse(&world.path("clone"), place.path(), line)
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(2), expected)
        );
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
