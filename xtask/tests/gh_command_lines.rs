//! Every command line for `gh` that the tasks issue, through the real `gh` where one is installed: it checks its flags and
//! fields before it connects, so a failure to connect says that it accepts the line, as its stand-in here does.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;
use support::registry::Rules;
use support::text;
use support::train::{Merge, World};

/// The command lines of a month, and the world whose files they name.
fn issued() -> (World, BTreeSet<Vec<String>>) {
    let mut world = World::with(
        "name = \"Demo\"\nrelease-candidates = true\n",
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n",
    );
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    world.release("12.0.0", "2026-03-20");
    world.done("release-patch --branch release-12.0.0 --allow-empty");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    world.done("sync-notes");
    let _registry = world.registry(Rules::default());
    for tag in ["v12.0.0-rc.1", "v12.0.1", "v12.0.0"] {
        world.check_out(tag);
        let dist = world.path("clone/target/dist");
        let _ = fs::remove_dir_all(&dist);
        fs::create_dir_all(&dist).unwrap();
        fs::write(dist.join(format!("demo-{tag}-src.tar.gz")), tag).unwrap();
        world.done("publish");
        world.done("github-release");
    }
    world.set_stand_in(|state| state["latest"] = json!("v12.0.0"));
    world.done("status");
    world.done("github-release");
    world.done("check-branches --date 2026-03-20");
    for name in ["WORKFLOW", "SERVER_URL", "REPOSITORY", "RUN_ID"] {
        world.env.push((format!("GITHUB_{name}"), "x".to_string()));
    }
    world.done("report-failure");
    // The last one named files that are there.
    let named = |line: &Vec<String>| {
        line.iter()
            .all(|word| !word.starts_with('/') || fs::exists(word).unwrap())
    };
    let calls = fs::read_to_string(world.path("gh/calls")).unwrap();
    let calls = calls
        .lines()
        .map(|line| serde_json::from_str::<Vec<String>>(line).unwrap())
        .filter(named)
        .collect();
    (world, calls)
}

#[test]
fn the_real_gh_accepts_every_command_line() {
    let path = std::env::var("PATH").unwrap();
    let Some(gh) = path
        .split(':')
        .map(|folder| format!("{folder}/gh"))
        .find(|gh| fs::exists(gh).unwrap())
    else {
        return println!("gh is not installed: its command lines were not checked");
    };
    let home = support::Tree::new(&[("empty", "")]);
    for line in [
        "init -q",
        "remote add origin https://github.invalid/o/r.git",
    ] {
        assert!(
            Command::new("git")
                .args(line.split(' '))
                .current_dir(home.path())
                .status()
                .unwrap()
                .success()
        );
    }
    let (_world, lines) = issued();
    for line in [
        "release create",
        "release upload",
        "release edit",
        "issue create",
        "workflow run",
        "run list",
    ] {
        assert!(
            lines.iter().any(|words| words[..2].join(" ") == line),
            "{line}"
        );
    }
    assert!(
        lines
            .iter()
            .any(|words| words.contains(&"--search".to_string())),
        "status"
    );
    for line in lines {
        let mut command = Command::new(&gh);
        command
            .args(&line)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .env("GH_CONFIG_DIR", home.path())
            .env("HOME", home.path());
        command
            .env("GH_HOST", "github.invalid")
            .env("GH_REPO", "github.invalid/o/r")
            .env("GH_ENTERPRISE_TOKEN", "none");
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert!(
            said.contains("error connecting to github.invalid"),
            "{gh} {line:?}: {said}"
        );
    }
}

#[test]
fn the_stand_in_refuses_what_it_does_not_know() {
    let world = World::new();
    let gh = |line: &str| {
        let mut command = Command::new(world.path("bin/gh"));
        command
            .args(line.split(' '))
            .current_dir(world.path("clone"))
            .env("GH_CONFIG_DIR", world.path("gh"));
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{line}");
        text(&output.stderr)
    };
    assert_eq!(gh("pr list --json url --mine"), "unknown flag: --mine\n");
    assert_eq!(gh("pr merge"), "unknown command \"pr merge\" for \"gh\"\n");
    assert!(
        gh("pr create --head none --base main --title T --body-file -")
            .contains("Head ref must be a branch")
    );
    assert!(
        gh("pr create --head main --base main --title T --body-file -")
            .contains("No commits between")
    );
    world.done("cut");
    assert_eq!(
        gh("pr list --json nothing"),
        "Unknown JSON field: \"nothing\"\n"
    );
    let again = gh("pr create --head ci/bump-to-13.0.0 --base main --title T --body-file -");
    assert!(again.contains("already exists:\nhttps://"), "{again}");
}
