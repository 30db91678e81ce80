//! `status` from outside: the board of a train, what it says is next, and what it shows when it cannot ask.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use expect_test::expect;
use serde_json::{Value, json};
use support::publishing::{Failure, Fault};
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
    for task in ["dist", "github-release", "publish", "github-release"] {
        world.done(task);
    }
}

#[test]
fn the_board_shows_every_train_and_what_is_next() {
    let (world, _registry) = three_lines();
    expect![[r#"
        Demo on 2026-05-20

        branch          version  tag      crates  release  supported until
        release-12.0.0  12.0.0   v12.0.0  2 of 2  public   2028-03-20, long-term
          released
        release-13.0.0  13.0.1   v13.0.1  0 of 2  none     2026-06-20
          dated and tagged, 0 of 2 crates published, without a release on GitHub
          the notes of 13.0.1 are missing on main
        release-14.0.0  14.0.0   none
          cut, not released
          #10 CI has not run: Release Demo 14.0.0
        main            15.0.0
          development of 15.0.0
          #9 CI has not run: Update release date of Demo 14.0.0

        latest    v13.0.0
        next      cut on 2026-06-05, release on 2026-05-20
        RUSTSEC   no open issue

        What to do next
          # v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub
          git fetch origin tag v13.0.1
          git checkout v13.0.1
          cargo xtask dist
          cargo xtask github-release
          cargo xtask publish
          cargo xtask github-release
          # Release Demo 14.0.0, whose CI has not run
          # -> merge https://github.com/rehearsal/rehearsal/pull/10
          # main lacks the notes of 13.0.1
          cargo xtask sync-notes
          # Update release date of Demo 14.0.0, whose CI has not run
          # -> merge https://github.com/rehearsal/rehearsal/pull/9
    "#]]
    .assert_eq(&board(&world, "--date 2026-05-20"));
    expect![[r#"
        ## Releases of Demo, 2026-05-20

        | branch | version | where it stands | crates | release | supported until | pull requests |
        |---|---|---|---|---|---|---|
        | `release-14.0.0` | 14.0.0 | cut, not released |  |  |  | https://github.com/rehearsal/rehearsal/pull/10 (CI has not run) |
        | `release-13.0.0` | 13.0.1 | dated and tagged, 0 of 2 crates published, without a release on GitHub; the notes of 13.0.1 are missing on main | 0 of 2 | none | 2026-06-20 |  |
        | `release-12.0.0` | 12.0.0 | released | 2 of 2 | public | 2028-03-20, long-term |  |
        | `main` | 15.0.0 | development of 15.0.0 | | | | https://github.com/rehearsal/rehearsal/pull/9 (CI has not run) |

        ```mermaid
        gantt
            dateFormat YYYY-MM-DD
            axisFormat %Y-%m
            section 12.0.0 (long-term)
            supported :2026-03-20, 2028-03-20
            section 13.0.0
            supported :2026-04-20, 2026-06-20
            section 14.0.0
            tested :2026-05-05, 2026-05-20
            section 15.0.0
            developed :2026-05-20, 2026-06-05
            tested :2026-06-05, 2026-06-20
        ```

        What to do next:

        ```sh
        # v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub
        git fetch origin tag v13.0.1
        git checkout v13.0.1
        cargo xtask dist
        cargo xtask github-release
        cargo xtask publish
        cargo xtask github-release
        # Release Demo 14.0.0, whose CI has not run
        # -> merge https://github.com/rehearsal/rehearsal/pull/10
        # main lacks the notes of 13.0.1
        cargo xtask sync-notes
        # Update release date of Demo 14.0.0, whose CI has not run
        # -> merge https://github.com/rehearsal/rehearsal/pull/9
        ```
    "#]].assert_eq(&board(&world, "--markdown --date 2026-05-20"));
    expect![[r#"
        {"branches":[{"branch":"release-12.0.0","changes":0,"crates":{"of":2,"published":2},"latest":false,"long_term":true,"notes_missing":[],"pull_requests":[],"release":"public","stands":"released","supported":true,"tag":"v12.0.0","until":"2028-03-20","version":"12.0.0"},{"branch":"release-13.0.0","changes":0,"crates":{"of":2,"published":0},"latest":false,"long_term":false,"notes_missing":["13.0.1"],"pull_requests":[],"release":"none","stands":"dated and tagged, 0 of 2 crates published, without a release on GitHub; the notes of 13.0.1 are missing on main","supported":true,"tag":"v13.0.1","until":"2026-06-20","version":"13.0.1"},{"branch":"release-14.0.0","changes":0,"crates":null,"latest":false,"long_term":false,"notes_missing":[],"pull_requests":[{"branch":"ci/release-14.0.0","ci":"none","title":"Release Demo 14.0.0","url":"https://github.com/rehearsal/rehearsal/pull/10"}],"release":null,"stands":"cut, not released","supported":false,"tag":null,"until":null,"version":"14.0.0"},{"branch":"main","pull_requests":[{"branch":"ci/release-date-for-14.0.0","ci":"none","title":"Update release date of Demo 14.0.0","url":"https://github.com/rehearsal/rehearsal/pull/9"}],"stands":"development of 15.0.0","version":"15.0.0"}],"cut":{"day":"2026-06-05","weekend":null},"day":"2026-05-20","latest":"v13.0.0","main":"main","name":"Demo","next":[{"command":"git fetch origin tag v13.0.1","why":"v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub"},{"command":"git checkout v13.0.1","why":"v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub"},{"command":"cargo xtask dist","why":"v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub"},{"command":"cargo xtask github-release","why":"v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub"},{"command":"cargo xtask publish","why":"v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub"},{"command":"cargo xtask github-release","why":"v13.0.1: dated and tagged, 0 of 2 crates published, without a release on GitHub"},{"human":"merge https://github.com/rehearsal/rehearsal/pull/10","url":"https://github.com/rehearsal/rehearsal/pull/10","why":"Release Demo 14.0.0, whose CI has not run"},{"command":"cargo xtask sync-notes","why":"main lacks the notes of 13.0.1"},{"human":"merge https://github.com/rehearsal/rehearsal/pull/9","url":"https://github.com/rehearsal/rehearsal/pull/9","why":"Update release date of Demo 14.0.0, whose CI has not run"}],"release":{"day":"2026-05-20","weekend":null},"security":[],"supported":["release-12.0.0","release-13.0.0"],"unknown":[]}
    "#]].assert_eq(&board(&world, "--json --date 2026-05-20"));
}

#[test]
fn the_questions_go_out_together() {
    let slow = Duration::from_secs(2);
    let mut world = World::released();
    let fault: Fault = Box::new(move |_, _, _| Some(Failure::Late(slow)));
    let _registry = world.registry(Rules {
        fault: Some(fault),
        ..Rules::default()
    });
    let gh = world.path("real/gh");
    world.wrap(
        "gh",
        &format!("sleep {}; exec {} \"$@\"", slow.as_secs(), gh.display()),
    );
    let git = World::real("git");
    world.wrap(
        "git",
        &format!(
            "case $1 in ls-remote) sleep {};; esac; exec {git} \"$@\"",
            slow.as_secs()
        ),
    );
    let begun = Instant::now();
    let output = world
        .xtask("clone", "status --json --date 2026-03-20")
        .output()
        .unwrap();
    let time = begun.elapsed();
    let board: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&board["unknown"], &board["branches"][0]["crates"]["of"]),
        (&json!([]), &json!(2))
    );
    assert!(time < slow * 2, "{time:?}");
    println!("status took {time:?}, its slowest question {slow:?}");
}

#[test]
fn without_gh_and_without_network_it_shows_what_git_knows() {
    let mut world = World::released();
    drop(world.registry(Rules::default()));
    world.check_out("origin/main");
    fs::create_dir(world.path("few")).unwrap();
    for program in ["git", "cargo", "rustc"] {
        std::os::unix::fs::symlink(World::real(program), world.path("few").join(program)).unwrap();
    }
    world
        .env
        .push(("PATH".into(), world.path("few").display().to_string()));
    world.git("clone", &["remote", "set-url", "origin", "/nowhere"]);
    let shown = board(&world, "--date 2026-04-04");
    let index = shown
        .lines()
        .find_map(|line| line.split("http://").nth(1)?.split('/').next())
        .unwrap()
        .to_string();
    expect![[r#"
        Demo on 2026-04-04 (a Saturday)

        branch          version  tag      crates  release  supported until
        release-12.0.0  12.0.0   v12.0.0  ?       ?        2026-05-01
          dated and tagged
        main            13.0.0
          development of 13.0.0

        next      cut on 2026-04-05 (a Sunday), release on 2026-04-20
        RUSTSEC   ?
        unknown   origin: '/nowhere' does not appear to be a git repository: Could not read from remote repository.: Please make sure you have the correct access rights: and the repository exists.; what is shown of it is what this clone has fetched
        unknown   gh: `gh` is not installed
        unknown   http://INDEX/index/config.json: io: Connection refused (os error 111); what is published cannot be known

        What to do next
          # nothing else is known to be due: see what is unknown
    "#]].assert_eq(&shown.replace(&index, "INDEX"));

    // Where nothing was fetched, nothing can be shown.
    world.git("clone", &["remote", "remove", "origin"]);
    let said = world.refused("status");
    assert!(
        said.starts_with("error: origin: 'origin' does not appear to be a git repository"),
        "{said}"
    );
}

#[test]
fn what_is_due_and_what_is_half_made_is_next() {
    let world = World::new();
    // The 5th is a Sunday; whoever is late is reminded.
    assert_eq!(next(&world, "--date 2026-04-04"), [""; 0]);
    assert!(
        board(&world, "--date 2026-04-04")
            .contains("next      cut on 2026-04-05 (a Sunday), release on 2026-04-20\n")
    );
    assert_eq!(
        json(&world, "--date 2026-04-04")["cut"],
        json!({ "day": "2026-04-05", "weekend": "a Sunday" })
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
        ("failure", "mend the CI of URL, then merge it"),
        ("", "wait for the CI of URL, then merge it"),
        ("success", "merge URL"),
    ] {
        world.set_stand_in(|state| {
            state["runs"] = json!([{ "headSha": head, "headBranch": "ci/release-12.0.0", "workflowName": "CI", "status": "completed", "conclusion": conclusion }]);
        });
        assert_eq!(
            next(&world, "--date 2026-04-20")[0],
            expected.replace("URL", "https://github.com/rehearsal/rehearsal/pull/3")
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
    assert!(board(&world, "--date 2026-03-06").contains("v12.0.0-rc.4000"));
}
