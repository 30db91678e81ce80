//! The real `gh`, of whatever version is installed, on a stand-in for GitHub's API: what only it and GitHub do.
//! `faults.rs` goes through every fault of the API.

mod support;

use std::fs;

use serde_json::json;
use support::github::{GitHub, Rules};
use support::registry;
use support::text;
use support::train::{Merge, World};

/// A world whose `gh` is the real one; `None` where there is none.
fn world(rules: Rules) -> Option<(World, GitHub)> {
    let path = std::env::var("PATH").unwrap();
    if !path
        .split(':')
        .any(|folder| fs::exists(format!("{folder}/gh")).unwrap())
    {
        println!("gh is not installed: it was not tried");
        return None;
    }
    let mut world = World::with("name = \"Demo\"\n", "12.0.0", "## 12.0.0\n\nUnreleased.\n");
    let workflow = (".github/workflows/release-tag.yml", "name: release-tag\n");
    world.commit("main", "Adopt", &[workflow]);
    world.git("clone", &["pull", "-q"]);
    // gh would take it first.
    let upstream = "http://github.localhost/upstream/r";
    world.git("clone", &["remote", "add", "upstream", upstream]);
    // What makes gh write for a terminal.
    for (name, value) in [
        ("CLICOLOR_FORCE", "1"),
        ("GH_FORCE_TTY", "100%"),
        ("GH_DEBUG", "api"),
        ("DEBUG", "1"),
    ] {
        world.env.push((name.to_string(), value.to_string()));
    }
    let github = GitHub::start(&mut world, &World::real("gh"), rules);
    Some((world, github))
}

/// Publishes a tag's crates, and makes its release public.
fn publish(world: &World, tag: &str) {
    world.check_out(tag);
    let dist = world.path("clone/target/dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(&dist).unwrap();
    fs::write(dist.join(format!("demo-{tag}-src.tar.gz")), tag).unwrap();
    world.done("publish");
    world.done("github-release");
}

#[test]
#[ignore = "takes a while"]
fn a_month_and_a_patch_of_an_old_branch() {
    // GitHub's list of releases is late.
    let rules = Rules {
        late: 2,
        ..Rules::default()
    };
    let Some((mut world, github)) = world(rules) else {
        return;
    };
    let _registry = world.registry(registry::Rules::default());
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    publish(&world, "v12.0.0");
    world.cut("2026-04-05");
    world.release("13.0.0", "2026-04-20");
    publish(&world, "v13.0.0");
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// fixed\n")],
    );
    world.done("release-patch --branch release-12.0.0 --date 2026-04-21");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    publish(&world, "v12.0.1");
    let state = world.stand_in();
    let releases = state["releases"].as_array().unwrap();
    let releases: Vec<_> = releases
        .iter()
        .map(|it| format!("{} {}", it["tag_name"], it["draft"]))
        .collect();
    assert_eq!(
        releases,
        [
            "\"v12.0.0\" false",
            "\"v13.0.0\" false",
            "\"v12.0.1\" false"
        ]
    );
    assert_eq!(state["latest"], "v13.0.0");
    // Started once for each tag, and not again.
    world.done("push-tag --branch release-12.0.0");
    assert_eq!(world.stand_in()["runs"].as_array().unwrap().len(), 3);
    world.done("sync-notes --date 2026-04-22");
    world.done("status --date 2026-04-22");
    assert!(
        !github
            .log()
            .iter()
            .any(|request| request.contains("search"))
    );
}

#[test]
fn two_drafts_and_one_that_broke_off() {
    let Some((mut world, _github)) = world(Rules::default()) else {
        return;
    };
    let _registry = world.registry(registry::Rules::default());
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    let draft = || {
        json!({ "tag_name": "v12.0.0", "html_url": "https://github.com/x", "name": "Demo", "body": "",
        "draft": true, "prerelease": false, "assets": [{ "name": "demo-v12.0.0-src.tar.gz", "state": "starter", "size": 0 }] })
    };
    world.set_stand_in(|state| state["releases"] = json!([draft(), draft()]));
    world.check_out("v12.0.0");
    let dist = world.path("clone/target/dist");
    fs::create_dir_all(&dist).unwrap();
    fs::write(dist.join("demo-v12.0.0-src.tar.gz"), "sources").unwrap();
    world.done("publish");
    assert!(
        world
            .refused("github-release")
            .contains("has several releases: delete ")
    );
    world.set_stand_in(|state| state["releases"] = json!([draft()]));
    world.done("github-release");
    let release = world.stand_in()["releases"][0].clone();
    assert_eq!(
        (&release["draft"], &release["assets"][0]["size"]),
        (&json!(false), &json!(7))
    );
}

#[test]
fn a_release_that_was_started_twice_is_not_started_again() {
    let Some((world, _github)) = world(Rules::default()) else {
        return;
    };
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    world.set_stand_in(|state| {
        let runs = state["runs"].as_array_mut().unwrap();
        runs.push(runs[0].clone());
    });
    let said = world.done("push-tag --branch release-12.0.0");
    assert!(
        said.contains("v12.0.0 has a run of release-tag.yml"),
        "{said}"
    );
    assert_eq!(world.stand_in()["runs"].as_array().unwrap().len(), 2);
}

/// What `status` says of the CI of the bump.
fn ci(world: &World) -> String {
    let output = world
        .xtask("clone", "status --date 2026-03-05")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let overview = text(&output.stdout);
    let line = overview
        .lines()
        .find(|line| line.contains("Bump Demo to 13.0.0"));
    line.unwrap_or(&overview).to_string()
}

#[test]
fn of_a_check_that_was_run_again_the_last_run_counts() {
    let Some((world, _github)) = world(Rules::default()) else {
        return;
    };
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    let head = world.refs()["refs/heads/ci/bump-to-13.0.0"].clone();
    for (conclusions, expected) in [
        (&["failure"][..], "failed"),
        (&["cancelled", "failure", "success"], "passed"),
        (&["success", "failure"], "failed"),
    ] {
        world.set_stand_in(|state| {
            let run = |conclusion: &&str| json!({ "workflowName": "CI", "headSha": head, "status": "completed", "conclusion": conclusion });
            state["runs"] = conclusions.iter().map(run).collect();
        });
        let said = ci(&world);
        assert!(said.contains(expected), "{conclusions:?}: {said}");
    }
}

#[test]
fn checks_that_the_token_may_not_read_are_unknown_and_the_rest_is_shown() {
    let rules = Rules {
        no_checks: true,
        ..Rules::default()
    };
    let Some((world, _github)) = world(rules) else {
        return;
    };
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    let said = ci(&world);
    assert!(said.contains("unknown"), "{said}");
}
