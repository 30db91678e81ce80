//! `status` from outside: the board of a train, what it says is next, and what it shows when it cannot ask.

mod support;

use std::fs;

use expect_test::expect;
use serde_json::{Value, json};
use support::registry::{Registry, Rules};
use support::text;
use support::train::{Merge, World};

/// The board on a day, which changes nothing.
fn board(world: &World, line: &str) -> String {
    let before = (world.state(), world.stand_in());
    let output = world.task(&format!("status {line}"));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        (world.state(), world.stand_in()),
        before,
        "status changed something"
    );
    text(&output.stdout)
}

fn json(world: &World, line: &str) -> Value {
    let printed = board(world, &format!("--json {line}"));
    assert_eq!(printed.lines().count(), 1);
    serde_json::from_str(&printed).unwrap()
}

/// What is to be done next, each as its command or its sentence.
fn next(world: &World, line: &str) -> Vec<String> {
    let board = json(world, line);
    let said = |step: &Value| {
        step["command"]
            .as_str()
            .or(step["human"].as_str())
            .unwrap()
            .to_string()
    };
    board["next"].as_array().unwrap().iter().map(said).collect()
}

/// Three lines: 12 is long-term and released, the patch of 13 is tagged, and 14 is proposed.
fn three_lines() -> (World, Registry) {
    let config = "name = \"Demo\"\nlts-every = 12\n";
    let mut world = World::with(
        config,
        "12.0.0",
        "## 12.0.0\n\nUnreleased.\n\n### Added\n\n* A thing.\n",
    );
    let registry = world.registry(Rules::default());
    for (month, version) in [(3, "12.0.0"), (4, "13.0.0")] {
        world.env.push((
            "GIT_COMMITTER_DATE".into(),
            format!("2026-0{month}-20T00:00:00Z"),
        ));
        world.cut(&format!("2026-0{month}-05"));
        world.release(version, &format!("2026-0{month}-20"));
        public(&world, version);
    }
    world.commit(
        "release-13.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.done("release-patch --branch release-13.0.0 --date 2026-04-25");
    world.merge("ci/release-13.0.1", Merge::Commit);
    world.done("push-tag --branch release-13.0.0");
    world.cut("2026-05-05");
    world.today("2026-05-20");
    world.done("release-latest --date 2026-05-20");
    (world, registry)
}

fn public(world: &World, version: &str) {
    world.check_out(&format!("v{version}"));
    for task in ["dist", "publish", "github-release"] {
        world.done(task);
    }
}

#[test]
fn the_overview_shows_every_release_branch_and_what_is_next() {
    let (world, _registry) = three_lines();
    let shown = board(&world, "--date 2026-05-20");
    expect![[r#"
        Demo on 2026-05-20: next cut 2026-06-05, next release 2026-05-20

        | branch           | version      | state                        | support    |
        | ---              | ---          | ---                          | ---        |
        | release-12.0.0   | 12.0.0       | released                     | 2028-03-20 |
        | release-13.0.0   | 13.0.1       | tagged, not public on GitHub | 2026-06-20 |
        | release-14.0.0   | 14.0.0       | not released                 |            |
        | main             | 15.0.0       | development                  |            |

        Open pull requests, and their CI:

        - https://github.com/rehearsal/rehearsal/pull/9 to main, none: `Update release date of Demo 14.0.0`
        - https://github.com/rehearsal/rehearsal/pull/10 to release-14.0.0, none: `Release Demo 14.0.0`

        Next:

        ```sh
        # v13.0.1 has no public release on GitHub
        git fetch origin tag v13.0.1
        git checkout v13.0.1
        cargo xtask dist
        cargo xtask publish
        cargo xtask github-release
        # the notes of 13.0.1 are missing on main
        cargo xtask sync-notes
        # Update release date of Demo 14.0.0
        # -> merge https://github.com/rehearsal/rehearsal/pull/9
        # Release Demo 14.0.0
        # -> merge https://github.com/rehearsal/rehearsal/pull/10
        ```
    "#]].assert_eq(&shown);
    assert!(shown.lines().all(|line| line.len() <= 100), "{shown}");
    let json = json(&world, "--date 2026-05-20");
    assert_eq!(
        json["supported"],
        json!(["release-12.0.0", "release-13.0.0"])
    );
    assert_eq!(json["problems"], json!([]));
    expect![[
        r#"{"command":"cargo xtask sync-notes","why":"the notes of 13.0.1 are missing on main"}"#
    ]]
    .assert_eq(&json["next"][5].to_string());
}

#[test]
fn what_github_does_not_answer_is_named_and_the_rest_is_shown() {
    let world = World::released();
    world.check_out("origin/main");
    world.wrap(
        "gh",
        "echo 'error connecting to api.github.com' >&2; exit 1",
    );
    expect![[r#"
        Demo on 2026-04-04: next cut 2026-04-05, next release 2026-04-20

        | branch           | version      | state                        | support    |
        | ---              | ---          | ---                          | ---        |
        | release-12.0.0   | 12.0.0       | released                     | 2026-05-01 |
        | main             | 13.0.0       | development                  |            |

        Problem: gh: error connecting to api.github.com

        Next:

        ```sh
        # see the problems above
        ```
    "#]]
    .assert_eq(&board(&world, "--date 2026-04-04"));
    assert_eq!(json(&world, "--date 2026-04-05")["next"], json!([]));

    world.git("clone", &["remote", "set-url", "origin", "/nowhere"]);
    let error = world.refused("status");
    assert!(
        error.starts_with("error: '/nowhere' does not appear to be a git repository"),
        "{error}"
    );
}

#[test]
fn a_title_cannot_leave_its_line_or_the_code_block() {
    let world = World::new();
    world.cut("2026-03-05");
    world.set_stand_in(|state| {
        state["pulls"][0]["state"] = json!("OPEN");
        state["pulls"][0]["title"] = json!("Bump\n```\n::error::`@all` $(id); \u{1b}[31m");
    });
    let shown = board(&world, "--date 2026-03-06");
    assert!(
        shown.contains(": ```` Bump ``` ::error::`@all` $(id);  [31m ````"),
        "{shown}"
    );
    let lines = shown.lines().filter(|line| line.starts_with("```"));
    assert_eq!(lines.collect::<Vec<_>>(), ["```sh", "```"]);
    // Some shells have no comments at their prompt, where this is pasted.
    let (_, pasted) = shown.split_once("```sh\n").unwrap();
    assert!(
        pasted.contains("id") && !pasted.replace("```\n", "").contains(['$', '`', ';', '(']),
        "{shown}"
    );
    assert!(
        !shown.contains("\n::error") && !shown.contains('\u{1b}'),
        "{shown}"
    );
}

#[test]
fn what_is_due_and_what_is_half_made_is_next() {
    let world = World::new();
    assert_eq!(next(&world, "--date 2026-04-04"), [""; 0]);
    let shown = board(&world, "--date 2026-04-04");
    assert!(
        shown.contains("next cut 2026-04-05, next release 2026-04-20\n"),
        "{shown}"
    );
    assert_eq!(next(&world, "--date 2026-04-08"), ["cargo xtask cut"]);

    // The pull request of the cut is not there: a search finds it late, or it was never opened.
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05");
    let pulls = world.stand_in();
    world.set_stand_in(|state| state["pulls"] = json!([]));
    assert_eq!(next(&world, "--date 2026-04-05"), ["cargo xtask cut"]);
    world.set_stand_in(|state| *state = pulls.clone());
    assert_eq!(
        next(&world, "--date 2026-04-05"),
        ["merge https://github.com/rehearsal/rehearsal/pull/1"]
    );
    world.merge("ci/bump-to-13.0.0", Merge::Commit);
    assert_eq!(next(&world, "--date 2026-04-19"), [""; 0]);
    assert_eq!(
        next(&world, "--date 2026-04-20"),
        ["cargo xtask release-latest"]
    );

    world.done("release-latest --date 2026-04-20");
    let head = world.refs()["refs/heads/ci/release-12.0.0"].clone();
    for (conclusion, expected) in [
        ("failure", "repair the CI of URL"),
        ("", "wait for the CI of URL"),
        ("success", "merge URL"),
    ] {
        world.set_stand_in(|state| {
            state["runs"] = json!([{ "headSha": head, "headBranch": "ci/release-12.0.0", "workflowName": "CI", "status": "completed", "conclusion": conclusion }]);
        });
        let expected = expected.replace("URL", "https://github.com/rehearsal/rehearsal/pull/3");
        assert!(
            next(&world, "--date 2026-04-20").contains(&expected),
            "{expected}"
        );
    }
    world.merge("ci/release-12.0.0", Merge::Commit);
    assert_eq!(
        next(&world, "--date 2026-04-20")[0],
        "cargo xtask push-tag --branch release-12.0.0"
    );
}

#[test]
fn tags_by_the_thousand_are_looked_at_in_one_go() {
    let world = World::new();
    world.cut("2026-03-05");
    let head = &world.refs()["refs/heads/release-12.0.0"];
    let tags: String = (1..=4_000)
        .map(|number| format!("{head} refs/tags/v12.0.0-rc.{number}\n"))
        .collect();
    // Git itself takes seconds to fetch so many by their names: their commit is here, and only asked for.
    world.git("clone", &["fetch", "-q"]);
    fs::write(world.path("origin.git/packed-refs"), tags).unwrap();
    let shown = board(&world, "--date 2026-03-06");
    assert!(shown.contains("next cut 2026-04-05"), "{shown}");
}

#[test]
fn the_last_day_of_support_is_included() {
    let mut world = World::with("name = \"Demo\"\n", "12.0.0", "## 12.0.0\n\nUnreleased.\n");
    for (month, version) in [(3, "12.0.0"), (4, "13.0.0")] {
        let date = format!("2026-0{month}-20T00:00:00Z");
        world.env.push(("GIT_COMMITTER_DATE".into(), date));
        world.cut(&format!("2026-0{month}-05"));
        world.release(version, &format!("2026-0{month}-20"));
    }
    for (day, supported) in [
        ("2026-05-20", &["release-12.0.0", "release-13.0.0"][..]),
        ("2026-05-21", &["release-13.0.0"]),
    ] {
        assert_eq!(
            json(&world, &format!("--date {day}"))["supported"],
            json!(supported),
            "{day}"
        );
    }
}

#[test]
fn a_tag_whose_release_branch_was_deleted_is_not_forgotten() {
    let world = World::released();
    world.cut("2026-04-05");
    let (refs, delete) = (world.refs(), ":refs/heads/release-12.0.0");
    world.git("github", &["push", "-q", "origin", delete]);
    let shown = board(&world, "--date 2026-03-31");
    let commit = &refs["refs/tags/v12.0.0"];
    let lost = format!(
        "v12.0.0 has no public release on GitHub and no release branch: push {commit} to `release-12.0.0`"
    );
    assert!(shown.contains(&lost), "{shown}");
    // One that is old was never to have a release on GitHub.
    let shown = board(&world, "--date 2026-04-05");
    assert!(!shown.contains("v12.0.0"), "{shown}");
}

#[test]
fn a_branch_without_the_workflows_of_main_is_named() {
    let world = World::released();
    let said = || next(&world, "--date 2026-03-21");
    let backport = "backport xtask/, .cargo/config.toml and .github/workflows to `release-12.0.0`";
    assert!(!said().contains(&backport.to_string()));
    let workflow = [(".github/workflows/release-tag.yml", "name: release-tag\n")];
    world.commit("main", "Adopt the train", &workflow);
    assert!(said().contains(&backport.to_string()));
    world.commit("release-12.0.0", "Adopt the train", &workflow);
    assert!(!said().contains(&backport.to_string()));
}

#[test]
fn the_tag_of_the_only_release_branch_is_not_forgotten_and_no_second_train_is_cut() {
    let world = World::released();
    let delete = ":refs/heads/release-12.0.0";
    world.git("github", &["push", "-q", "origin", delete]);
    let shown = board(&world, "--date 2026-03-25");
    let commit = &world.refs()["refs/tags/v12.0.0"];
    assert!(
        shown.contains(&format!("push {commit} to `release-12.0.0`")),
        "{shown}"
    );
    assert!(
        world
            .done("cut --date 2026-03-25")
            .contains("nothing to do: ")
    );
    // What is advised leads out.
    let branch = format!("{commit}:refs/heads/release-12.0.0");
    world.git("github", &["push", "-q", "origin", &branch]);
    let next = next(&world, "--date 2026-03-25");
    assert!(
        next.contains(&"git checkout v12.0.0".to_string()),
        "{next:?}"
    );
}

#[test]
fn a_tag_of_a_train_that_was_never_cut_is_not_called_a_lost_one() {
    let world = World::released();
    let commit = &world.refs()["refs/tags/v12.0.0"];
    let tag = format!("{commit}:refs/tags/v14.0.0");
    world.git("github", &["push", "-q", "origin", &tag]);
    let shown = board(&world, "--date 2026-03-25");
    assert!(
        shown.contains("v14.0.0 is at a commit of 12.0.0"),
        "{shown}"
    );
    // One of no commit is named, and the rest is shown.
    let blob = world.git("github", &["rev-parse", "HEAD:RELEASES.md"]);
    let tag = format!("{blob}:refs/tags/v11.0.0");
    world.git("github", &["push", "-q", "origin", &tag]);
    let shown = board(&world, "--date 2026-03-25");
    assert!(
        shown.contains(&format!("points to {blob}, not to a commit")),
        "{shown}"
    );
    assert!(shown.contains("| release-12.0.0 "), "{shown}");
    // One at the right version, and not on the branch, cannot be released either.
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            ":refs/tags/v14.0.0",
            ":refs/tags/v12.0.0",
        ],
    );
    world.checkout("release-12.0.0");
    world.git("github", &["commit", "-q", "--allow-empty", "-m", "Beside"]);
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/tags/v12.0.0"],
    );
    let shown = board(&world, "--date 2026-03-25");
    let beside = "v12.0.0 is not on `release-12.0.0` along first parents";
    assert!(shown.contains(beside), "{shown}");
    assert!(!shown.contains("git checkout v12.0.0"), "{shown}");
}

#[test]
fn a_bump_that_was_reverted_after_the_release_is_asked_for_and_no_cut() {
    let world = World::new();
    world.cut("2026-03-05");
    world.checkout("main");
    world.git("github", &["revert", "--no-edit", "-m", "1", "HEAD"]);
    world.git("github", &["push", "-q", "origin", "HEAD:main"]);
    world.release("12.0.0", "2026-03-20");
    let next = next(&world, "--date 2026-04-05");
    assert!(!next.contains(&"cargo xtask cut".to_string()), "{next:?}");
    let bump = "bump main, which is at 12.0.0: that is tagged as v12.0.0";
    assert!(next.contains(&bump.to_string()), "{next:?}");
}
