//! `push-tag`: the right commit gets the tag, however it was merged and whatever else is on the branch. Where a failure of
//! Wasmtime's is tested, the name says which.

mod support;

use std::fs;

use expect_test::expect;
use serde_json::json;
use support::text;
use support::train::{Merge, World};

const TAG: &str = "refs/tags/v12.0.0";
const PUSH: &str = "push-tag --branch release-12.0.0";
const MARKER: &str = "[automatically-tag-and-release-this-commit]";

fn tagged(world: &World) -> Option<String> {
    world.refs().remove(TAG)
}

#[test]
fn a_release_is_tagged_however_it_was_merged() {
    for how in [Merge::Commit, Merge::Squash, Merge::Rebase] {
        let world = World::proposed();
        assert!(
            world
                .done(PUSH)
                .contains("nothing to do: `release-12.0.0` is at 12.0.0, which is not dated")
        );
        assert_eq!(tagged(&world), None);
        let merged = world.merge("ci/release-12.0.0", how);
        world.done(PUSH);
        assert_eq!(tagged(&world), Some(merged), "{how:?}");
        let tag = world.git("origin.git", &["cat-file", "-p", "v12.0.0"]);
        assert!(
            tag.contains("\ntype commit\ntag v12.0.0\ntagger Demo <demo@example.com> "),
            "{tag}"
        );
        let state = world.state();
        assert!(world.done(PUSH).contains("nothing to do: v12.0.0 is at "));
        assert_eq!(world.state(), state);
    }
}

#[test]
fn wasmtime_2_0_1_the_tag_goes_to_the_marked_commit_and_not_to_the_head() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.commit(
        "release-12.0.0",
        "Something after it",
        &[("a/src/lib.rs", "// after\n")],
    );
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged));
}

#[test]
fn a_fix_that_is_marked_again_is_tagged_in_the_place_of_what_failed() {
    let world = World::proposed();
    world.merge("ci/release-12.0.0", Merge::Commit);
    let fix = world.commit(
        "release-12.0.0",
        &format!("Mend CI\n\n{MARKER}"),
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(fix));
}

#[test]
fn a_patch_that_was_made_by_hand_under_its_marker_is_tagged() {
    let world = World::released();
    let files = ["a/Cargo.toml", "b/Cargo.toml", "Cargo.lock"];
    let mut files: Vec<_> = files
        .map(|file| {
            (
                file,
                world
                    .file("release-12.0.0", file)
                    .replace("12.0.0", "12.0.1"),
            )
        })
        .to_vec();
    files.push((
        "RELEASES.md",
        "## 12.0.1\n\nReleased 2026-03-25\n".to_string(),
    ));
    let files: Vec<_> = files.iter().map(|(file, text)| (*file, &**text)).collect();
    let commit = world.commit(
        "release-12.0.0",
        &format!("By hand\r\n\r\n{MARKER}\r\n"),
        &files,
    );
    world.done(PUSH);
    assert_eq!(world.refs()["refs/tags/v12.0.1"], commit);
}

#[test]
fn a_revert_that_quotes_the_marker_is_not_tagged() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Squash);
    world.checkout("release-12.0.0");
    world.git("github", &["revert", "--no-edit", &merged]);
    world.git(
        "github",
        &[
            "commit",
            "-q",
            "--amend",
            "-m",
            &format!("Revert \"Release\"\n\nIt said:\n\n{MARKER}\n"),
        ],
    );
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    assert!(world.done(PUSH).contains("nothing to do"));
    assert_eq!(tagged(&world), None);
}

#[test]
fn a_marker_in_a_code_block_or_in_another_line_is_a_quotation() {
    let world = World::new();
    world.cut("2026-03-05");
    for quotation in [
        format!("Say it\n\n```\n{MARKER}\n```"),
        format!("Mend `{MARKER}`"),
        format!("Quote\n\n> {MARKER}\n\n    {MARKER}"),
    ] {
        world.commit("release-12.0.0", &quotation, &[]);
    }
    world.commit(
        "release-12.0.0",
        "Date it",
        &[("RELEASES.md", "## 12.0.0\n\nReleased 2026-03-20.\n")],
    );
    assert!(world.refused(PUSH).contains("no commit of it is marked"));
    assert_eq!(tagged(&world), None);
}

#[test]
fn a_marked_commit_that_was_not_dated_is_not_tagged() {
    let world = World::new();
    world.cut("2026-03-05");
    world.commit("release-12.0.0", MARKER, &[]);
    assert!(world.done(PUSH).contains("nothing to do"));
    assert_eq!(tagged(&world), None);
}

#[test]
fn wasmtime_6566_a_squash_that_dropped_the_marker_is_never_silent() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::SquashTitle);
    let head = world.commit(
        "release-12.0.0",
        "Something after it",
        &[("a/src/lib.rs", "// after\n")],
    );
    let said = world.refused(PUSH);
    expect!["error: `release-12.0.0`: 12.0.0 is not tagged, and no commit of it is marked (a squash may have dropped the line, or a revert was reverted); to tag it by hand: cargo xtask push-tag --branch release-12.0.0 --commit MERGED"].assert_eq(&said.replace(&merged, "MERGED").replace(&head, "HEAD"));
    let command = said.split("by hand: cargo xtask ").nth(1).unwrap();
    world.done(command);
    assert_eq!(tagged(&world), Some(merged));
    world.done(command);
}

#[test]
fn a_candidate_whose_marker_was_dropped_is_not_called_dated() {
    let world = World::with(
        "release-candidates = true\n",
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n",
    );
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::SquashTitle);
    let said = world.refused(PUSH);
    assert!(
        said.starts_with(
            "error: `release-12.0.0`: 12.0.0-rc.1 is not tagged, and no commit of it is marked"
        ),
        "{said}"
    );
    let cut = world.refs()["refs/heads/main"].clone();
    expect!["error: CUT cannot be tagged as v12.0.0-rc.1: it must be on `release-12.0.0`, along first parents, at 12.0.0-rc.1, dated unless it is a candidate, and the commits after it must not change that"]
        .assert_eq(&world.refused(&format!("{PUSH} --commit {cut}")).replace(&cut, "CUT"));
}

#[test]
fn by_hand_the_same_facts_are_checked() {
    let world = World::proposed();
    let cut = world.refs()["refs/heads/release-12.0.0"].clone();
    let main = world.refs()["refs/heads/main"].clone();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    let second = world.git("github", &["rev-parse", "HEAD^2"]);
    for commit in [&cut, &main, &second] {
        assert!(
            world
                .refused(&format!("{PUSH} --commit {commit}"))
                .contains("cannot be tagged as v12.0.0"),
            "{commit}"
        );
    }
    expect!["error: `no-such-commit` is not a commit of this repository"]
        .assert_eq(&world.refused(&format!("{PUSH} --commit no-such-commit")));
    expect!["error: `0000000000000000000000000000000000000000` is not a commit of this repository"]
        .assert_eq(&world.refused(&format!("{PUSH} --commit {}", "0".repeat(40))));
    world.done(&format!("{PUSH} --commit {}", &merged[..10]));
    assert_eq!(tagged(&world), Some(merged.clone()));
    let refused = world.refused(&format!("{PUSH} --commit {cut}"));
    expect!["error: v12.0.0 is at MERGED, not at CUT: a published tag is never moved"]
        .assert_eq(&refused.replace(&merged, "MERGED").replace(&cut, "CUT"));
}

#[test]
fn tags_of_other_people_are_not_in_the_way() {
    let world = World::proposed();
    for tag in ["v1", "vscode-1.2", "12.0.0", "v12.0", "v12.0.0-demo"] {
        world.git(
            "github",
            &[
                "push",
                "-q",
                "origin",
                &format!("origin/main:refs/tags/{tag}"),
            ],
        );
    }
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged));
}

#[test]
fn a_lightweight_tag_at_the_commit_is_success_and_elsewhere_it_stays() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.git("github", &["push", "-q", "origin", &format!("HEAD:{TAG}")]);
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged.clone()));
    world.git(
        "github",
        &["push", "-q", "origin", &format!("+HEAD^:{TAG}")],
    );
    assert!(
        world
            .refused(&format!("{PUSH} --commit {merged}"))
            .contains("a published tag is never moved")
    );
}

#[test]
fn wasmtime_5082_a_version_that_is_inherited_names_the_tag() {
    let world = World::proposed();
    world.merge("ci/release-12.0.0", Merge::Commit);
    let root = world
        .file("release-12.0.0", "Cargo.toml")
        .replace("[workspace]\n", "[workspace]\npackage.version = '12.0.0'\n");
    let a = world
        .file("release-12.0.0", "a/Cargo.toml")
        .replace("version = \"12.0.0\"", "version.workspace = true");
    let files = [("Cargo.toml", &*root), ("a/Cargo.toml", &*a)];
    let commit = world.commit("release-12.0.0", &format!("Inherit\n\n{MARKER}"), &files);
    world.done(PUSH);
    let tags: Vec<_> = world
        .refs()
        .into_iter()
        .filter(|(name, _)| name.starts_with("refs/tags/"))
        .collect();
    assert_eq!(tags, [(TAG.to_string(), commit)]);
}

#[test]
fn messages_that_are_no_utf_8_do_not_matter() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    fs::write(world.path("message"), b"Gr\xfc\xdfe\n\nna\xefve\n").unwrap();
    world.git(
        "github",
        &["commit", "-q", "--allow-empty", "-F", "../message"],
    );
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged));
}

const WORKFLOW: &str = ".github/workflows/release-tag.yml";

/// `World::proposed` with the workflow that releases a tag, on main and on the release branch.
fn with_workflow() -> World {
    let world = World::new();
    let files = [(WORKFLOW, "name: release-tag\n")];
    world.commit("main", "Adopt", &files);
    world.cut("2026-03-05");
    world.done("release-latest --date 2026-03-20");
    world
}

/// The runs of workflows that were started: each file, and where.
fn started(world: &World) -> Vec<String> {
    let state = world.stand_in();
    let runs = state["runs"].as_array().unwrap().iter();
    runs.map(|run| format!("{} {}", run["workflowName"], run["headBranch"]).replace('"', ""))
        .collect()
}

#[test]
fn the_release_is_started_at_its_tag_once() {
    let world = with_workflow();
    world.done(PUSH);
    assert!(started(&world).is_empty());
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(PUSH);
    assert_eq!(started(&world), ["release-tag.yml v12.0.0"]);
    assert_eq!(world.stand_in()["runs"][0]["headSha"], merged);
    // A later push, while it runs, and after it.
    world.commit("release-12.0.0", "Backport a fix", &[]);
    let state = world.stand_in();
    assert!(world.done(PUSH).contains("nothing to do: v12.0.0 is at "));
    world.set_stand_in(|state| {
        state["releases"] = json!([{ "tag_name": "v12.0.0", "draft": false }])
    });
    assert!(world.done(PUSH).contains("nothing to do: v12.0.0 is at "));
    assert_eq!(world.stand_in()["runs"], state["runs"]);
}

#[test]
fn a_tag_whose_release_was_not_started_is_started_by_the_next_push() {
    let world = with_workflow();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(PUSH);
    world.set_stand_in(|state| {
        // Of another event, of another tag, and on a branch whose name begins so.
        state["runs"] = json!([
            { "workflowName": "release-tag.yml", "headBranch": "v12.0.0", "event": "push", "status": "completed", "conclusion": "success", "html_url": "" },
            { "workflowName": "release-tag.yml", "headBranch": "v12.0.0-rc.1", "event": "workflow_dispatch", "status": "completed", "conclusion": "success", "html_url": "" },
        ]);
        state["releases"] = json!([{ "tag_name": "v12.0.0", "draft": true }]);
    });
    let find = world.task(&format!("{PUSH} --find"));
    assert_eq!(text(&find.stdout), format!("{merged}\n"));
    assert_eq!(started(&world).len(), 2);
    world.done(PUSH);
    assert_eq!(started(&world)[2], "release-tag.yml v12.0.0");
}

#[test]
fn a_release_run_that_failed_or_waits_is_named_and_not_started_again() {
    let world = with_workflow();
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(PUSH);
    world.commit("release-12.0.0", "Push again", &[]);
    for (status, conclusion) in [("completed", "failure"), ("waiting", "")] {
        world.set_stand_in(|state| {
            state["runs"][0]["status"] = json!(status);
            state["runs"][0]["conclusion"] = json!(conclusion);
        });
        let state = if conclusion.is_empty() {
            status
        } else {
            conclusion
        };
        let expected = format!(
            "v12.0.0 has a run of release-tag.yml, which is not started again: {state}: https://"
        );
        for line in [PUSH, &format!("{PUSH} --find")] {
            let output = world.task(line);
            let said = text(&output.stderr);
            assert!(
                output.status.success() && said.contains(&expected),
                "{said}"
            );
            assert!(said.contains("re-run its failed jobs there"), "{said}");
            assert!(output.stdout.is_empty(), "{line}");
        }
        assert_eq!(started(&world).len(), 1);
    }
}

#[test]
fn a_commit_without_release_tag_yml_is_refused_before_it_is_tagged() {
    let world = with_workflow();
    let is_refused = |commit: &str| {
        for line in [PUSH, &format!("{PUSH} --find")] {
            expect!["error: MARKED cannot be released as v12.0.0: its release-tag.yml is missing or another; backport it to `release-12.0.0`, with the marker line in the message of the merge or squash commit"]
                .assert_eq(&world.refused(line).replace(commit, "MARKED"));
        }
    };
    let marked = format!("Mark\n\n{MARKER}");
    let another = [(WORKFLOW, "name: release\n")];
    world.commit("release-12.0.0", "Another file", &another);
    is_refused(&world.merge("ci/release-12.0.0", Merge::Commit));
    for file in ["# name: release-tag\n", "name: release-tag-too\n"] {
        is_refused(&world.commit("release-12.0.0", &marked, &[(WORKFLOW, file)]));
    }
    let backport = [(WORKFLOW, "name: release-tag\r\n")];
    let backported = world.commit("release-12.0.0", &marked, &backport);
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(backported));
}

#[test]
fn a_tag_elsewhere_is_not_released() {
    let world = with_workflow();
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.git(
        "github",
        &["push", "-q", "origin", &format!("origin/main:{TAG}")],
    );
    let main = world.refs()["refs/heads/main"].clone();
    world.commit("main", "Something", &[]);
    expect!["error: v12.0.0 is at MAIN, which is not on `release-12.0.0` along first parents"]
        .assert_eq(&world.refused(PUSH).replace(&main, "MAIN"));
}

#[test]
fn a_tag_that_github_does_not_know_yet_is_tried_again() {
    let world = with_workflow();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.wrap(
        "gh",
        &format!(
            r#"
if [ "$1 $2" = "workflow run" ] && [ ! -e {asked} ]; then
  touch {asked}
  echo 'could not create workflow dispatch event: HTTP 422: No ref found for: refs/tags/v12.0.0' >&2
  exit 1
fi
exec {gh} "$@""#,
            asked = world.path("asked").display(),
            gh = world.path("real/gh").display()
        ),
    );
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged));
    assert_eq!(started(&world), ["release-tag.yml v12.0.0"]);
}

#[test]
fn a_repository_without_the_workflows_just_gets_its_tag() {
    let world = World::proposed();
    // A file of the same name that is not ours, as others may have it.
    world.commit("main", "Theirs", &[(WORKFLOW, "name: theirs\n")]);
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(PUSH);
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged));
    assert!(started(&world).is_empty());
}

#[test]
fn ci_is_told_which_commit_it_must_see_before_the_tag() {
    let world = World::proposed();
    let find = || text(&world.task(&format!("{PUSH} --find")).stdout);
    assert_eq!(find(), "");
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.commit("release-12.0.0", "Backport a fix", &[]);
    assert_eq!(find(), format!("{merged}\n"));
    assert_eq!(tagged(&world), None);
    world.done(&format!("{PUSH} --commit {merged}"));
    assert_eq!(tagged(&world), Some(merged));
    assert_eq!(find(), "");
}

#[test]
fn a_shallow_clone_as_ci_makes_it_sees_the_whole_branch() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    for count in 0..3 {
        world.commit("release-12.0.0", &format!("Later {count}"), &[]);
    }
    let origin = format!("file://{}", world.path("origin.git").display());
    world.git(
        "",
        &[
            "clone",
            "-q",
            "--depth",
            "1",
            "--branch",
            "release-12.0.0",
            &origin,
            "shallow",
        ],
    );
    let output = world.xtask("shallow", "push-tag").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(tagged(&world), Some(merged));
    world.git(
        "",
        &["clone", "-q", "--depth", "1", &origin, "shallow-main"],
    );
    world.today("2026-04-05");
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    let output = world
        .xtask("shallow-main", "cut --date 2026-04-05")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(world.refs().contains_key("refs/heads/release-13.0.0"));
}

#[test]
fn wasmtime_6425_submodules_are_left_alone() {
    let world = World::proposed();
    world.git("", &["init", "-q", "-b", "main", "library"]);
    world.git("library", &["commit", "-q", "--allow-empty", "-m", "Begin"]);
    world.checkout("release-12.0.0");
    world.git(
        "github",
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            "../library",
            "library",
        ],
    );
    world.git("github", &["commit", "-q", "-m", "Add a submodule"]);
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    world.git("clone", &["fetch", "-q"]);
    world.git(
        "clone",
        &["checkout", "-q", "--detach", "origin/release-12.0.0"],
    );
    world.git(
        "clone",
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "update",
            "--init",
        ],
    );
    let link = |world: &World, name: &str| world.git("origin.git", &["ls-tree", name, "library"]);
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(merged));
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.done("release-patch --branch release-12.0.0");
    assert_eq!(
        link(&world, "ci/release-12.0.1"),
        link(&world, "release-12.0.0")
    );
}

#[test]
fn wasmtime_14169_the_tool_that_runs_is_mains_however_old_the_branch() {
    let world = World::proposed();
    world.merge("ci/release-12.0.0", Merge::Commit);
    // The branch's workspace holds no xtask at all.
    let head = world.commit(
        "release-12.0.0",
        &format!("Older\n\n{MARKER}"),
        &[(
            "Cargo.toml",
            &(world.file("release-12.0.0", "Cargo.toml") + "version-strings = []\n"),
        )],
    );
    world.done(PUSH);
    assert_eq!(tagged(&world), Some(head));
}

#[test]
fn bad_input_of_push_tag() {
    let world = World::new();
    expect!["error: `main` is not a release branch release-X.Y.0"]
        .assert_eq(&world.refused("push-tag"));
    expect!["error: `release-12.0` is not a release branch release-X.Y.0"]
        .assert_eq(&world.refused("push-tag --branch release-12.0"));
    expect!["error: origin has no branch `release-12.0.0`"]
        .assert_eq(&world.refused("push-tag --branch release-12.0.0"));
    let output = world.xtask("clone", "push-tag --branch").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_tag_made_by_hand_at_another_version_is_named_and_not_taken_for_a_release() {
    let world = World::released();
    let tag = "HEAD:refs/tags/v12.0.1";
    world.checkout("release-12.0.0");
    world.git("github", &["push", "-q", "origin", tag]);
    let way_out = "v12.0.1 is at a commit of 12.0.0 and cannot be released: delete the tag on origin, or bump the branch past it in a pull request if something uses it";
    assert_eq!(world.refused(PUSH), format!("error: {way_out}"));
    let board = text(&world.task("status --date 2026-03-21").stdout);
    assert!(board.contains(way_out), "{board}");
    assert!(!board.contains("git checkout v12.0.1"), "{board}");

    // The patch of that version is not proposed before, either.
    world.commit("release-12.0.0", "Fix", &[("a/src/lib.rs", "// fixed\n")]);
    let patch = "release-patch --branch release-12.0.0 --date 2026-03-25";
    assert_eq!(world.refused(patch), format!("error: {way_out}"));
    world.git("github", &["push", "-q", "origin", ":refs/tags/v12.0.1"]);
    world.done(patch);
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done(PUSH);
    assert!(world.refs().contains_key("refs/tags/v12.0.1"));
}
