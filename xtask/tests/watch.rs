//! What workflows run so that nothing fails in silence: `report-failure` and `check-branches`.

mod support;

use expect_test::expect;
use serde_json::{Value, json};
use support::train::{Merge, World};

const REPORT: &str = "report-failure --branch release-12.0.0";

/// A world whose tasks run in a workflow.
fn in_workflow(mut world: World) -> World {
    for (name, value) in [
        ("WORKFLOW", "push-tag"),
        ("SERVER_URL", "https://github.com"),
        ("REPOSITORY", "demo/demo"),
        ("RUN_ID", "7"),
    ] {
        world
            .env
            .push((format!("GITHUB_{name}"), value.to_string()));
    }
    world
}

/// The open issues, as `title: body`.
fn issues(world: &World) -> Vec<String> {
    let state = world.stand_in();
    let issue = |issue: &Value| {
        format!(
            "{}: {}",
            issue["title"].as_str().unwrap(),
            issue["body"].as_str().unwrap()
        )
    };
    state["issues"]
        .as_array()
        .unwrap()
        .iter()
        .map(issue)
        .collect()
}

#[test]
fn wasmtime_7040_a_release_that_does_not_come_is_said_once_in_an_issue() {
    let world = in_workflow(World::proposed());
    // A push that releases nothing, and whose CI fails.
    assert_eq!(
        world.done(REPORT),
        "nothing to report: no release of `release-12.0.0` is waiting\n"
    );
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(REPORT);
    expect![[r#"
        [
            "The release of Demo 12.0.0 has not come: A job of `push-tag` failed: https://github.com/demo/demo/actions/runs/7\n\n`release-12.0.0` is at 12.0.0, ready to release, and `v12.0.0` is not there. If the failure passes, re-run the failed jobs. If it takes a commit to mend it, that one must be marked, too: CI runs on the commit that is tagged.\n",
        ]
    "#]]
    .assert_debug_eq(&issues(&world));
    let again = world.done(REPORT);
    assert!(
        again.starts_with("nothing to do: https://github.com/"),
        "{again}"
    );
    assert_eq!(issues(&world).len(), 1);
}

#[test]
fn a_tag_without_a_public_release_is_one_that_has_not_come() {
    let world = in_workflow(World::released());
    world.set_stand_in(|state| {
        state["releases"] = json!([{ "tag_name": "v12.0.0", "draft": false }])
    });
    assert_eq!(
        world.done(REPORT),
        "nothing to report: no release of `release-12.0.0` is waiting\n"
    );
    world.set_stand_in(|state| state["releases"][0]["draft"] = json!(true));
    world.done(REPORT);
    assert!(
        issues(&world)[0].contains("`v12.0.0` is there, and its release is not public"),
        "{:?}",
        issues(&world)
    );
}

#[test]
fn what_fails_after_the_tag_is_said_also_when_the_release_is_public() {
    let world = in_workflow(World::released());
    world.set_stand_in(|state| {
        state["releases"] = json!([{ "tag_name": "v12.0.0", "draft": false }])
    });
    world.done(&format!("{REPORT} --tag v12.0.0"));
    assert!(
        issues(&world)[0].starts_with("The release of Demo 12.0.0 is not finished: "),
        "{:?}",
        issues(&world)
    );
    assert_eq!(
        world.refused("report-failure --tag main"),
        "error: `main` is no tag of a release"
    );
}

#[test]
fn a_schedule_that_failed_is_said_too() {
    let world = in_workflow(World::new());
    world.done("report-failure --date 2026-03-05");
    world.done("report-failure --date 2026-03-20");
    assert_eq!(
        issues(&world).len(),
        2,
        "the first one does not silence the second"
    );
    assert!(
        issues(&world)[1].starts_with("The workflow `push-tag` failed on 2026-03-20: "),
        "{:?}",
        issues(&world)
    );
}

#[test]
fn a_branch_that_is_not_there_is_named() {
    let world = in_workflow(World::new());
    expect!["error: origin has no branch `release-12.0.0`"].assert_eq(&world.refused(REPORT));
}

#[test]
fn outside_a_workflow_there_is_nothing_to_report() {
    expect!["error: GITHUB_WORKFLOW is not set: this task is for a workflow"]
        .assert_eq(&World::new().refused("report-failure"));
}

/// 12.0.0 and 13.0.0 are released; 12 is not supported any more in June.
fn two_lines() -> World {
    let world = World::released();
    world.cut("2026-04-05");
    world.release("13.0.0", "2026-04-20");
    world.today("2026-04-22");
    world
}

fn runs(world: &World) -> Vec<String> {
    let state = world.stand_in();
    let run = |run: &Value| {
        format!(
            "{} on {}",
            run["workflowName"].as_str().unwrap(),
            run["headBranch"].as_str().unwrap()
        )
    };
    state["runs"].as_array().unwrap().iter().map(run).collect()
}

#[test]
fn wasmtime_9407_the_ci_of_old_branches_does_not_rot_in_silence() {
    let world = two_lines();
    world.set_stand_in(|state| state["conclusions"] = json!({ "release-12.0.0": "failure" }));
    let said = world.done("check-branches --date 2026-04-22");
    assert_eq!(
        runs(&world),
        ["main.yml on release-12.0.0", "main.yml on release-13.0.0"]
    );
    assert!(said.contains("`release-13.0.0` is well\n"), "{said}");
    assert_eq!(issues(&world).len(), 1);
    assert!(
        issues(&world)[0].starts_with(
            "CI fails on `release-12.0.0`: https://github.com/rehearsal/rehearsal/actions/runs/1\n"
        ),
        "{:?}",
        issues(&world)
    );
    // Started again on that day, it looks at the same runs; a week later there are new ones, and still one issue.
    world.done("check-branches --date 2026-04-22");
    assert_eq!(runs(&world).len(), 2);
    world.today("2026-04-29");
    let said = world.done("check-branches --date 2026-04-29");
    assert_eq!((runs(&world).len(), issues(&world).len()), (4, 1), "{said}");
}

#[test]
fn a_question_that_fails_while_it_waits_is_asked_again() {
    let world = two_lines();
    // The third question is the first one after both runs were started.
    let (count, gh) = (world.path("gh/count"), world.path("real/gh"));
    let fails =
        "[ $(wc -l < $count) = 3 ] && { echo 'error connecting to api.github.com' >&2; exit 1; }";
    let script = format!(
        "case \"$1 $2\" in 'run list') echo >> $count; {fails};; esac; exec {} \"$@\"",
        gh.display()
    );
    world.wrap(
        "gh",
        &script.replace("$count", &count.display().to_string()),
    );
    let said = world.done("check-branches --date 2026-04-22");
    assert!(
        said.contains("`release-12.0.0`: gh: error connecting to api.github.com\n"),
        "{said}"
    );
    assert!(
        said.contains("`release-12.0.0` is well\n") && said.contains("`release-13.0.0` is well\n"),
        "{said}"
    );
}

#[test]
fn a_branch_that_is_not_supported_any_more_is_left_alone() {
    let world = two_lines();
    world.today("2026-07-01");
    world.done("check-branches --workflow ci.yml --date 2026-07-01");
    assert_eq!(runs(&world), ["ci.yml on release-13.0.0"]);
}

#[test]
fn before_the_first_release_there_is_nothing_to_check() {
    let world = World::new();
    assert_eq!(
        world.done("check-branches"),
        "nothing to do: no release branch has left\n"
    );
}

#[test]
fn a_run_that_does_not_end_is_an_error_and_so_is_one_that_does_not_start() {
    let world = two_lines();
    world.set_stand_in(|state| {
        let commit = world.refs()["refs/heads/release-13.0.0"].clone();
        state["runs"] = json!([{
            "workflowName": "main.yml", "headBranch": "release-13.0.0", "headSha": commit, "event": "workflow_dispatch",
            "status": "in_progress", "conclusion": "", "createdAt": "2026-04-22T00:00:00Z", "url": "https://run",
        }]);
    });
    world.wrap(
        "gh",
        &format!(
            "case \"$*\" in *--ref*12.0.0*) echo 'HTTP 422: no dispatch' >&2; exit 1;; esac; exec {} \"$@\"",
            world.path("real/gh").display()
        ),
    );
    let error = world
        .xtask("clone", "check-branches --date 2026-04-22 --patience 0")
        .output()
        .unwrap();
    assert_eq!(error.status.code(), Some(1));
    expect![[r#"
        $ gh workflow run main.yml --ref release-12.0.0
        `release-13.0.0`: there is https://run
        error: `release-12.0.0`: main.yml did not start: gh: HTTP 422: no dispatch; `release-13.0.0`: main.yml has not ended
    "#]]
    .assert_eq(&support::text(&error.stderr));
}
