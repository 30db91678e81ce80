//! Rehearsals from outside: the month of the demo, one task, a step that fails, and that nothing of the environment gets in.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use expect_test::expect;
use support::registry::{Registry, Rules};
use support::train::World;
use support::{Tree, package, temporary, text};

/// The folder of this repository, which holds the demo.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

const REHEARSE: &str = env!("CARGO_BIN_EXE_rehearse");

/// A rehearsal, not yet started, in a folder, with a place for its sandbox.
fn rehearse(folder: &Path, place: &Path, line: &str) -> Command {
    let mut command = Command::new(REHEARSE);
    command
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("TMPDIR", place);
    command
}

/// What it printed, without what differs from run to run: times, folders and commits. No line is longer than 80 columns but
/// the paths in it, and a line that was broken is whole again: where depends on the time in it.
fn said(output: &Output, place: &Path) -> String {
    let place = place.canonicalize().unwrap().display().to_string();
    let commit = |word: &str| word.len() == 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut plain = String::new();
    for line in text(&output.stdout).lines() {
        let is_raw = line.contains(&place) || line.starts_with("    | ");
        assert!(is_raw || line.chars().count() <= 80, "{line}");
        let mut line = line;
        for broken in [" ".repeat(22), " ".repeat(6)] {
            if let Some(rest) = line.strip_prefix(&broken).filter(|it| !it.starts_with(' ')) {
                plain.pop();
                plain.push(' ');
                line = rest;
            }
        }
        let line = line.replace(&place, "$TMPDIR");
        let words: Vec<&str> = line.split(' ').collect();
        for (at, &word) in words.iter().enumerate() {
            let next = words.get(at + 1).copied().unwrap_or_default();
            plain += &match word {
                _ if word.contains("$TMPDIR/rehearsal-") => "$SANDBOX".to_string(),
                _ if next == "s)" => "(N".to_string(),
                _ if next.trim_end_matches(',') == "s" => "N".to_string(),
                _ if commit(word) => "COMMIT".to_string(),
                _ => word.to_string(),
            };
            plain += if at + 1 == words.len() { "\n" } else { " " };
        }
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
fn the_month_of_the_demo_completes_and_nothing_of_the_environment_gets_in() {
    let place = temporary();
    // Git, as the sandbox finds it behind its own folders, records its environment.
    let (bin, seen) = (place.path().join("bin"), place.path().join("seen"));
    fs::create_dir(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\n[ -z \"$GIT_CONFIG_NOSYSTEM\" ] || env >>{}\nexec {} \"$@\"\n",
        seen.display(),
        World::real("git")
    );
    fs::write(bin.join("git"), script).unwrap();
    fs::set_permissions(bin.join("git"), fs::Permissions::from_mode(0o755)).unwrap();

    // A program with nothing beside it, and cargo's target folder under another name.
    let (alone, target) = (bin.join("rehearse"), place.path().join("planted"));
    // By another process: one that a parallel test forks would hold the copy open for writing, and Linux would not run it.
    let copied = Command::new("cp").arg(REHEARSE).arg(&alone).status();
    assert!(copied.unwrap().success());
    let built = Path::new(REHEARSE).ancestors().nth(2).unwrap();
    std::os::unix::fs::symlink(built, &target).unwrap();

    let mut command = Command::new(alone);
    command
        .args("--demo --keep --date 2026-01-10".split(' '))
        .current_dir(Path::new(HERE).join("xtask/src"))
        .env("TMPDIR", place.path())
        .env("CARGO_TARGET_DIR", target);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path);
    for name in [
        "GH_TOKEN",
        "GITHUB_TOKEN",
        "GITHUB_OUTPUT",
        "SSH_AUTH_SOCK",
        "CARGO_REGISTRY_TOKEN",
        "GIT_AUTHOR_NAME",
    ] {
        command.env(name, "planted");
    }
    // A program that asks for the network fails here.
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
        sandbox: $SANDBOX
        2026-02-05
          cut               branch release-4.0.0
                            #1 Bump Tinytable to 5.0.0 (N s)
          (merge)           #1 into main (N s)
        2026-02-12
          (fix)             main is at COMMIT (N s)
          (backport)        release-4.0.0 is at COMMIT (N s)
        2026-02-20
          release-latest    #2 Update release date of Tinytable 4.0.0
                            #3 Release Tinytable 4.0.0 (N s)
          (merge)           #2 into main, #3 into release-4.0.0 (N s)
          push-tag          tag v4.0.0 (N s)
          verify            verified 4.0.0 and its 5 crates: 0 errors, 1 warning (N s)
            warning: rehearsal has never seen tinytable-cli, tinytable, tinytable-derive, tinytable-themes, tinytable-width: trusted publishing cannot create a crate: an owner publishes it once by hand
          dist              packed target/dist/tinytable-v4.0.0-src.tar.gz (N s)
          publish           5 crates published (N s)
          github-release    v4.0.0 is public and the latest, with 2 files (N s)
        2026-02-27
          (fix)             main is at COMMIT (N s)
          (backport)        release-4.0.0 is at COMMIT (N s)
          release-patch     #4 Release Tinytable 4.0.1 (N s)
          (merge)           #4 into release-4.0.0 (N s)
          push-tag          tag v4.0.1 (N s)
          verify            verified 4.0.1 and its 5 crates: 0 errors, 0 warnings (N s)
          dist              packed target/dist/tinytable-v4.0.1-src.tar.gz (N s)
          publish           5 crates published (N s)
          github-release    v4.0.1 is public and the latest, with 2 files (N s)
          sync-notes        #5 Add the release notes of Tinytable 4.0.1 (N s)
          (merge)           #5 into main (N s)
          (use crates)      builds with tinytable 4.0.1, tinytable-themes 0.9.1 (N s)

        *   COMMIT (HEAD -> main) Merge pull request #5 from ci/sync-notes-4.0.1
        |\
        | * COMMIT Add the release notes of Tinytable 4.0.1
        |/
        * COMMIT Fix what a user found
        *   COMMIT Merge pull request #2 from ci/release-date-for-4.0.0
        |\
        | * COMMIT Update release date of Tinytable 4.0.0
        |/
        * COMMIT Fix what a tester found
        *   COMMIT Merge pull request #1 from ci/bump-to-5.0.0
        |\
        | * COMMIT Bump Tinytable to 5.0.0
        |/
        | *   COMMIT (tag: v4.0.1, release-4.0.0) Merge pull request #4 from ci/release
        | |\
        | | * COMMIT Release Tinytable 4.0.1
        | |/
        | * COMMIT Fix what a user found
        | *   COMMIT (tag: v4.0.0) Merge pull request #3 from ci/release-4.0.0
        | |\
        | | * COMMIT Release Tinytable 4.0.0
        | |/
        | * COMMIT Fix what a tester found
        |/
        * COMMIT Begin with the demo

        released v4.0.0 and v4.0.1 in N s, without the build of the tool
        enter the sandbox with: sh $SANDBOX
    "#]]
    .assert_eq(&said(&output, place.path()));
    for line in text(&output.stderr).lines() {
        let progress = ["Blocking", "Compiling", "Finished"]; // of cargo, which builds `xtask`
        let word = line.split_whitespace().next().unwrap();
        assert!(progress.contains(&word), "{line}");
    }

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

/// The repository of a workspace of one crate, with lines of its configuration and more files.
fn workspace(version: &str, config: &str, files: &[(&str, &str)]) -> Tree {
    let more = "description = \"A.\"\nlicense = \"MIT\"\n[workspace.metadata.release-train]\nname = \"Demo\"\n";
    let manifest = package("a", version) + more + config;
    let tree = Tree::new(&[("Cargo.toml", &manifest), (".gitignore", "target\n")]);
    for (file, text) in files {
        tree.write(file, text);
    }
    commit(tree.path());
    tree
}

/// What the rehearsal of such a workspace prints, which must end with what it released.
fn month_of(version: &str, config: &str, files: &[(&str, &str)], released: &str) -> String {
    let place = temporary();
    let tree = workspace(version, config, files);
    let output = rehearse(tree.path(), place.path(), "--fast")
        .output()
        .unwrap();
    let said = said(&output, place.path());
    assert!(
        said.contains(&format!("\nreleased {released} in N s")),
        "{said}{}",
        text(&output.stderr)
    );
    said
}

#[test]
fn the_month_of_a_workspace_below_0_1_has_no_patch_release() {
    month_of("0.0.3", "", &[], "v0.0.3");
}

#[test]
fn the_month_of_a_workspace_whose_main_keeps_the_notes_of_the_next_release_alone() {
    let notes = "## 1.0.0\n\nUnreleased.\n\n<!-- ARCHIVE_START -->\n";
    let files = [("RELEASES.md", notes)];
    let said = month_of("1.0.0", "", &files, "v1.0.0 and v1.0.1");
    let (_, end) = said.split_once("  sync-notes ").unwrap();
    assert!(!end.contains("(merge)"), "{said}");
}

#[test]
fn the_month_of_a_workspace_whose_tags_have_another_form() {
    let said = month_of("1.0.0", "tag = \"{version}\"\n", &[], "1.0.0 and 1.0.1");
    assert!(
        said.contains("tag 1.0.1 (N s)\n") && !said.contains("tag v"),
        "{said}"
    );
}

/// Configures that a file names the major version.
fn names_version(file: &str) -> String {
    format!("version-strings = [{{ file = \"{file}\", line = 'a = \"{{major}}\"' }}]\n")
}

#[test]
fn the_month_of_a_workspace_whose_readme_ends_with_its_version() {
    let (config, file) = (names_version("README.md"), ("README.md", "a = \"1\"\n"));
    month_of("1.0.0", &config, &[file], "v1.0.0 and v1.0.1");
}

#[test]
fn a_failure_of_git_is_shown_without_its_hints() {
    let place = temporary();
    // The bump changes the line that the fix, too, is next to.
    let (config, file) = (names_version("REHEARSED.md"), "a = \"1\"\n");
    let tree = workspace("1.0.0", &config, &[("REHEARSED.md", file)]);
    let output = rehearse(tree.path(), place.path(), "--fast").output();
    let said = said(&output.unwrap(), place.path());
    assert!(said.contains("    | CONFLICT (content): "), "{said}");
    assert!(!said.contains("hint:"), "{said}");
}

#[test]
fn artifacts_are_written_nowhere_but_to_their_folder() {
    let place = temporary();
    let absolute = place.path().join("absolute").display().to_string();
    for name in [&*absolute, "../../../../relative", "..", "inside/file"] {
        let tree = workspace("1.0.0", &format!("artifacts = [{name:?}]\n"), &[]);
        let output = rehearse(tree.path(), place.path(), "--fast").output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let error = text(&output.stderr);
        assert!(error.contains("artifacts"), "{error}");
    }
    for entry in fs::read_dir(place.path()).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(name.display().to_string().starts_with("rehearsal-"));
    }
}

#[test]
fn without_network_only_a_workspace_with_dependencies_is_refused() {
    for (dependencies, expected) in [("", ""), ("[dependencies]\nb = \"1\"\n", "error: ")] {
        let place = temporary();
        let tree = workspace("1.0.0", dependencies, &[]);
        let mut command = rehearse(tree.path(), place.path(), "--fast");
        command.env("CARGO_HTTP_PROXY", "http://127.0.0.1:1");
        let output = command.output().unwrap();
        assert_eq!(output.status.success(), expected.is_empty());
        let (said, error) = (said(&output, place.path()), text(&output.stderr));
        let error = error.find("error: ").map_or("", |at| &error[at..]);
        if expected.is_empty() {
            assert_eq!(error, "");
            continue;
        }
        assert_eq!(said.lines().count(), 1, "{said}"); // where the sandbox is
        let begin = "error: crates.io does not answer: https://index.crates.io/config.json: ";
        let end = ": a rehearsal of this workspace needs its index; --demo needs no network\n";
        assert!(error.starts_with(begin) && error.ends_with(end), "{error}");
    }
}

#[test]
fn a_step_that_fails_is_shown_and_its_sandbox_can_be_entered() {
    let (place, folder) = (temporary(), temporary());
    let place = place.path().join("it's temporary");
    fs::create_dir(&place).unwrap();
    let folder = folder.path().join("my workspace"); // which has a name of two words
    fs::create_dir(&folder).unwrap();
    demo(&folder, "/^description/d", "themes/Cargo.toml");
    let output = rehearse(&folder, &place, "--date 2026-01-05")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let (said, error) = (said(&output, &place), text(&output.stderr));
    let step = said
        .lines()
        .position(|line| line.ends_with("  failed (N s)"))
        .unwrap();
    let shown: Vec<&str> = said.lines().skip(step).collect();
    assert!(shown[0].starts_with("  verify "), "{said}");
    assert!(
        shown[1..].iter().all(|line| line.starts_with("    | ")),
        "{said}"
    );
    let missing = "`tinytable-themes` has no description";
    assert!(said.contains(missing), "{said}");
    // The last line is one to paste: it starts a shell in the sandbox.
    let (error, enter) = error.trim_end().rsplit_once('\n').unwrap();
    let expected = "error: `verify` failed on 2026-01-20: see its output above";
    assert!(error.ends_with(expected), "{error}");
    let enter = enter.strip_prefix("enter the sandbox with: ").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", enter]).env("GH_TOKEN", "planted");
    shell.env("SHELL", "/bin/sh").current_dir("/");
    shell.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.stderr(Stdio::piped()).spawn().unwrap();
    let lines = "pwd; git log -1 --format=%s; gh pr list --json number --state open\n\
        echo \"$GH_TOKEN.\"; xtask status --date 2026-01-20\n";
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    let output = shell.wait_with_output().unwrap();
    let (entered, hints) = (text(&output.stdout), text(&output.stderr));
    assert!(
        entered.contains(
            "/clone\nMerge pull request #3 from ci/release-4.0.0\n[]\n.\nTinytable on 2026-01-20"
        ),
        "{entered}"
    );
    assert!(hints.contains("The registry has ended"), "{hints}");
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
fn if_the_version_is_released_the_next_train_is_rehearsed() {
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
            // Tags of another form, and a setting that would change how they are listed.
            git(folder.path(), &["tag", "tinytable-4.0.0"]);
            git(folder.path(), &["tag", "unicode-0.1.0"]);
            git(folder.path(), &["config", "column.ui", "always"]);
        }
        let (said, people) = begun(
            rehearse(folder.path(), place.path(), "--date 2026-01-05"),
            place.path(),
        );
        assert!(said.contains("in the copy: bumped main to 5.0.0"), "{said}");
        // Independent crates are bumped, too: their versions are released as well.
        let themes = fs::read_to_string(people.join("themes/Cargo.toml")).unwrap();
        assert!(themes.contains("version = \"0.10.0\""), "{themes}");
        assert!(
            said.contains("in the copy: added 5.0.0 to RELEASES.md"),
            "{said}"
        );
    }
}

#[test]
fn from_a_version_that_is_published_the_next_free_one_is_rehearsed() {
    let folder = temporary();
    let registry = Registry::start(folder.path().join("registry"), Rules::default()).unwrap();
    let line = |version: &str| {
        format!(
            r#"{{"name":"a","vers":"{version}","deps":[],"cksum":"","features":{{}},"yanked":false}}"#
        )
    };
    let index = folder.path().join("registry/index");
    fs::create_dir_all(&index).unwrap();
    fs::write(index.join("a"), line("1.0.0") + "\n" + &line("2.0.0")).unwrap();
    let nothing_there = "sparse+http://127.0.0.1:1/".to_string();
    // It is asked where the workspace needs registries anyway.
    let some = "[dev-dependencies]\nb = \"1\"\n";
    let bumped = "in the copy: bumped main to 2.0.0: a 1.0.0 is published\n\
        in the copy: bumped main to 3.0.0: a 2.0.0 is published\n";
    let unknown = "not checked whether these versions are published:\n  http://127.0.0.1:1/";
    for (index, dependencies, expected) in [
        (registry.index(), some, bumped),
        (registry.index(), "", ""),
        (nothing_there, some, unknown),
    ] {
        let place = temporary();
        let manifest = package("a", "1.0.0") + dependencies;
        let tree = Tree::new(&[("Cargo.toml", &manifest), (".gitignore", "target\n")]);
        commit(tree.path());
        let mut command = rehearse(tree.path(), place.path(), "--date 2026-01-05");
        command
            .env("CARGO_REGISTRY_DEFAULT", "rehearsal")
            .env("CARGO_REGISTRIES_REHEARSAL_INDEX", &index);
        let (said, _) = begun(command, place.path());
        assert!(said.contains(expected), "{said}");
        let is_moved = said.contains("bumped") || said.contains("not checked");
        assert_eq!(is_moved, !expected.is_empty(), "{said}");
    }
}

#[test]
fn a_fast_month_builds_nothing() {
    let place = temporary();
    let output = rehearse(Path::new(HERE), place.path(), "--demo --fast --keep");
    let output = { output }.output().unwrap();
    let said = said(&output, place.path());
    for expected in [
        "  verify --fast     verified 4.0.0 and its 5 crates",
        "  dist --source     packed target/dist/tinytable-v4.0.0-src.tar.gz",
        "v4.0.0 is public and the latest, with 1 file",
        "resolves tinytable 4.0.1, tinytable-themes 0.9.1; not built",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    let mut folders = fs::read_dir(place.path()).unwrap();
    let sandbox = folders.next().unwrap().unwrap().path();
    assert!(sandbox.join("dependent/Cargo.lock").exists());
    for built in [
        "dependent/target",
        "clone/target/debug",
        "clone/target/release",
    ] {
        assert!(!sandbox.join(built).exists(), "{built}");
    }
}

#[test]
fn a_month_of_minor_versions_stands_in_for_the_artifacts_of_other_machines() {
    let (place, tree) = (temporary(), temporary());
    let config = "[workspace.metadata.release-train]\\ntrain = \"minor\"\\nartifacts = [\"setup-{version}.msi\"]";
    let changed = format!("s/^.workspace.metadata.release-train.$/{config}/");
    demo(tree.path(), &changed, "Cargo.toml");
    let output = rehearse(tree.path(), place.path(), "--fast").output();
    let said = text(&output.unwrap().stdout);
    for line in [
        "#1 Bump Tinytable to 4.1.0",
        "(artifacts)       added 1 configured artifact without content",
        "v4.0.0 is public and the latest, with 2 files",
        "\nreleased v4.0.0 and v4.0.1 in ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn each_warning_is_shown_once_and_of_many_the_first_ones() {
    let place = temporary();
    let more = "description = \"A.\"\nlicense = \"MIT\"\nexclude = [\"tests\"]\n\
        [workspace.metadata.release-train]\nname = \"Demo\"\n";
    let manifest = package("a", "1.0.0") + more;
    let tree = Tree::new(&[("Cargo.toml", &manifest), (".gitignore", "target\n")]);
    // Cargo warns of each when it packages, for both releases.
    for test in ["one", "two", "three", "four", "five", "six"] {
        tree.write(&format!("tests/{test}.rs"), "");
    }
    commit(tree.path());
    let output = rehearse(tree.path(), place.path(), "--fast").output();
    let said = said(&output.unwrap(), place.path());
    assert!(said.contains("\nreleased v1.0.0 and v1.0.1 "), "{said}");
    let ignored = "\n    warning: ignoring test `";
    assert_eq!(said.matches(ignored).count(), 4, "{said}");
    let more = said.matches("\n    more warnings: see --verbose\n");
    assert_eq!(more.count(), 1, "{said}");
}

#[test]
fn behind_a_task_fast_is_an_option_of_the_task() {
    let (world, place) = (World::new(), temporary());
    let output = rehearse(&world.path("clone"), place.path(), "cut --fast");
    let output = { output }.output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains("unexpected argument `--fast`"), "{said}");
}

#[test]
fn changes_that_are_not_committed_are_rehearsed_without_files_that_git_does_not_know() {
    let (place, folder) = (temporary(), temporary());
    demo(folder.path(), "", "RELEASES.md");
    // With this protocol, git fetches only what a ref names.
    let config = folder.path().join(".git/theirs");
    fs::write(&config, "[protocol]\nversion = 1\n").unwrap();
    let long = format!("new/{}", "long".repeat(12));
    fs::create_dir(folder.path().join("new")).unwrap();
    for file in ["README.md", "added", &long] {
        fs::write(folder.path().join(file), "Changed.\n").unwrap();
    }
    git(folder.path(), &["add", "added"]);
    let mut command = rehearse(folder.path(), place.path(), "--date 2026-01-05");
    command.env("GIT_CONFIG_GLOBAL", config);
    let (said, people) = begun(command, place.path());
    assert!(
        said.contains(&format!("not committed and left out:\n  {long}, ...")),
        "{said}"
    );
    let copied = |file: &str| fs::read_to_string(people.join(file)).unwrap_or_default();
    assert_eq!(
        ["README.md", "added", &long].map(copied),
        ["Changed.\n", "Changed.\n", ""]
    );
}

#[test]
fn one_task_shows_what_it_would_propose_and_changes_nothing() {
    let world = World::new();
    world.cut("2026-03-05");
    world.git("clone", &["fetch", "-q"]);
    let (before, calls) = (world.state(), fs::read(world.path("gh/calls")).unwrap());
    let task = "release-latest --date 2026-03-20";
    let mut command = world.command("clone", REHEARSE);
    let output = command.args(task.split(' ')).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(world.state(), before);
    assert_eq!(fs::read(world.path("gh/calls")).unwrap(), calls);
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
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
fn a_task_before_the_adoption_is_merged_is_refused() {
    let (place, manifest) = (temporary(), package("a", "1.0.0"));
    let tree = Tree::new(&[("Cargo.toml", &manifest)]);
    commit(tree.path());
    let refused = |expected: &str| {
        let output = rehearse(tree.path(), place.path(), "cut").output().unwrap();
        let error = text(&output.stderr);
        assert!(error.ends_with(&format!("{expected}\n")), "{error}");
    };
    refused("knows no branch of `origin`: push main, or run `git fetch origin`");
    git(
        tree.path(),
        &["update-ref", "refs/remotes/origin/main", "HEAD"],
    );
    let table = "[workspace.metadata.release-train]";
    tree.write("Cargo.toml", &format!("{manifest}{table}\n"));
    refused(&format!(
        "origin's main has no {table}: merge the adoption first"
    ));
}

#[test]
fn a_wrong_command_line_is_refused_before_a_sandbox_is_made() {
    let world = World::new();
    let place = temporary();
    for (line, expected) in [
        ("cutt", "unknown task `cutt`"),
        ("rehearse cut", "unknown task `rehearse`"),
        (
            "--demo cut",
            "--demo, --security and --fast take no task such as `cut`",
        ),
        ("--slow", "unknown option `--slow`"),
        (
            "publish --registry=other",
            "a rehearsal has its own registry, without --registry",
        ),
    ] {
        let output = rehearse(&world.path("clone"), place.path(), line)
            .output()
            .unwrap();
        let expected = format!("error: {expected}; see --help\n");
        let stderr = text(&output.stderr);
        assert!(stderr.ends_with(&expected), "{stderr}");
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}

#[test]
fn the_program_that_gets_a_token_never_acts_as_gh() {
    let world = World::new();
    let gh = world.path("home/gh");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_xtask"), &gh).unwrap();
    let mut command = world.command("clone", gh.to_str().unwrap());
    let output = command.args(["pr", "list"]).output().unwrap();
    assert_eq!(
        text(&output.stderr),
        "error: unknown task `pr`; see --help\n"
    );
    assert!(!world.path("gh/calls").exists());
}

#[test]
fn the_registry_takes_only_well_formed_names_and_only_its_token() {
    let place = temporary();
    let rules = Rules {
        token: Some("right".to_string()),
        ..Rules::default()
    };
    let registry = Registry::start(place.path().join("registry"), rules).unwrap();
    let index = registry.index();
    let address = index.trim_start_matches("sparse+http://");
    let address = address.trim_end_matches("/index/");
    let publish = |name: &str, version: &str, token: &str| {
        let crate_ = format!(
            r#"{{"name":"{name}","vers":"{version}","deps":[],"description":"A.","license":"MIT"}}"#
        );
        let mut body = (crate_.len() as u32).to_le_bytes().to_vec();
        body.extend(crate_.as_bytes());
        body.extend([0; 4]);
        let length = body.len();
        let head = format!(
            "PUT /api/v1/crates/new HTTP/1.1\r\nUser-Agent: test\r\nAuthorization: {token}\r\n\
             Content-Length: {length}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(&[head.into_bytes(), body].concat())
            .unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer["HTTP/1.1 ".len()..][..3].to_string()
    };
    assert_eq!(publish("../../a", "1.0.0", "right"), "400");
    assert_eq!(publish("a", "1.0.0/../../../a", "right"), "400");
    assert_eq!(publish("a", "x", "right"), "400");
    assert_eq!(publish("a", "1.0.0", "wrong"), "403");
    // A body that no memory would hold is not waited for.
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "PUT /api/v1/crates/new HTTP/1.1\r\nContent-Length: 1099511627776\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(!place.path().join("registry").exists());
    assert_eq!(publish("a", "1.0.0", "right"), "200");
}
