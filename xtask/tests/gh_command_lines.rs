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
    let workflow = (".github/workflows/release-tag.yml", "name: release-tag\n");
    world.commit("main", "Adopt", &[workflow]);
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
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
    let calls = fs::read_to_string(world.path("gh/calls")).unwrap();
    let calls = calls
        .lines()
        .map(|line| serde_json::from_str::<Vec<String>>(line).unwrap());
    // Only the files of the last one are there.
    let exists = |word: &String| !word.starts_with('/') || fs::exists(word).unwrap();
    let calls = calls.filter(|line| line.iter().all(exists)).collect();
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
    let (_world, lines) = issued();
    for line in [
        "pr create",
        "pr list",
        "release create",
        "release upload",
        "release edit",
        "workflow run",
        "pr view",
        "api --paginate",
    ] {
        let issued = lines.iter().any(|words| words[..2].join(" ") == line);
        assert!(issued, "{line}");
    }
    let home = support::Tree::new(&[("empty", "")]);
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(home.path())
            .stdin(Stdio::null())
            .env("HOME", home.path())
            .env("GH_CONFIG_DIR", home.path())
            .env("GH_HOST", "github.invalid")
            .env("GH_REPO", "github.invalid/o/r")
            .env("GH_ENTERPRISE_TOKEN", "none");
        text(&command.output().unwrap().stderr)
    };
    run("git", &["init", "-q"]);
    let origin = "https://github.invalid/o/r.git";
    run("git", &["remote", "add", "origin", origin]);
    for line in lines {
        let line: Vec<String> = line
            .iter()
            .map(|word| word.replace("https://github.com/", "https://github.invalid/"))
            .collect();
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let said = run(&gh, &line);
        let accepted = said.contains("error connecting to github.invalid");
        assert!(accepted, "{gh} {line:?}: {said}");
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
    let missing = gh("workflow run release-tag.yml --ref refs/tags/v1.0.0");
    assert!(missing.contains("HTTP 422: No ref found for: refs/tags/v1.0.0"));
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
