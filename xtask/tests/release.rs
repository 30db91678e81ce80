//! `release-latest`, `release-patch` and `release-candidate`: what they propose, and when they do not.

mod support;

use expect_test::expect;
use serde_json::json;
use support::train::{Merge, World};

/// A world on the 20th: 12.0.0 is cut, main is at 13.0.0.
fn cut() -> World {
    let world = World::new();
    world.cut("2026-03-05");
    world.today("2026-03-20");
    world
}

#[test]
fn the_twentieth_of_the_month() {
    let world = cut();
    let head = world.refs()["refs/heads/release-12.0.0"].clone();
    world.set_stand_in(|state| {
        state["issues"] = json!([
            { "state": "OPEN", "title": "RUSTSEC-2026-0001: `time` and [a](link) of @somebody", "body": "", "url": "https://github.com/o/r/issues/7" },
            { "state": "OPEN", "title": "Something else", "body": "", "url": "https://github.com/o/r/issues/8" },
        ]);
        state["runs"] = json!([
            { "headBranch": "release-12.0.0", "headSha": head, "workflowName": "CI", "status": "completed", "conclusion": "success" },
            { "headBranch": "release-12.0.0", "headSha": head, "workflowName": "Docs", "status": "in_progress", "conclusion": "" },
            { "headBranch": "release-12.0.0", "headSha": "0000", "workflowName": "Old", "status": "completed", "conclusion": "failure" },
        ]);
    });
    world.done("release-latest --date 2026-03-20");
    expect![[r#"
        OPEN ci/release-date-for-12.0.0 -> main: Update release date of Demo 12.0.0
        OPEN ci/release-12.0.0 -> release-12.0.0: Release Demo 12.0.0"#]]
    .assert_eq(&world.pulls()[1..].join("\n"));
    expect![[r#"
        Merging this tags v12.0.0 and releases it. Before that, check:

        - [ ] The notes of 12.0.0 in `RELEASES.md`.
        - [ ] CI of this pull request.
        - [ ] The [open issues that mention RUSTSEC](../issues?q=is:open+RUSTSEC).

        Keep the line below in the commit message, also when squashing. Do not rebase if commits were added here: they would come after the commit that is tagged.

        [automatically-tag-and-release-this-commit]
    "#]]
    .assert_eq(&world.body("ci/release-12.0.0").replace(&head[..12], "HEAD"));
    expect![[r#"
        Dates 12.0.0 in `RELEASES.md` of main, as on `release-12.0.0`. Check the date.
    "#]]
    .assert_eq(&world.body("ci/release-date-for-12.0.0"));
    let log = world.git(
        "origin.git",
        &["log", "-1", "--format=%B", "ci/release-12.0.0"],
    );
    expect![[r#"
        Release Demo 12.0.0

        [automatically-tag-and-release-this-commit]"#]]
    .assert_eq(&log);
    assert!(
        world
            .file("ci/release-12.0.0", "RELEASES.md")
            .starts_with("## 12.0.0\n\nReleased 2026-03-20.\n")
    );
    assert!(
        world
            .file("ci/release-date-for-12.0.0", "RELEASES.md")
            .contains("## 12.0.0\n\nReleased 2026-03-20.\n")
    );
    assert!(
        world
            .file("ci/release-date-for-12.0.0", "RELEASES.md")
            .starts_with("## 13.0.0\n\nUnreleased.\n")
    );
}

#[test]
fn a_retry_of_the_release_finds_everything_there() {
    let world = cut();
    world.done("release-latest --date 2026-03-20");
    let state = world.state();
    world.done("release-latest --date 2026-03-20");
    assert_eq!(world.state(), state);
    world.merge("ci/release-date-for-12.0.0", Merge::Squash);
    let state = world.state();
    world.done("release-latest --date 2026-03-20");
    assert_eq!(world.state(), state);
}

#[test]
fn on_a_later_day_an_open_release_is_dated_anew_if_it_is_still_ours() {
    let world = cut();
    world.done("release-latest --date 2026-03-20");
    let parent = world.refs()["refs/heads/release-12.0.0"].clone();
    world.done("release-latest --date 2026-03-21");
    world.git("github", &["fetch", "-q"]);
    for (branch, base) in [
        ("ci/release-12.0.0", "release-12.0.0"),
        ("ci/release-date-for-12.0.0", "main"),
    ] {
        assert!(
            world
                .file(branch, "RELEASES.md")
                .contains("Released 2026-03-21."),
            "{branch}"
        );
        assert_eq!(
            world.git(
                "github",
                &[
                    "rev-list",
                    "--count",
                    &format!("origin/{base}..origin/{branch}")
                ]
            ),
            "1"
        );
    }
    assert_eq!(
        world.git("github", &["rev-parse", "origin/ci/release-12.0.0^"]),
        parent
    );
    assert_eq!(
        world
            .pulls()
            .iter()
            .filter(|pull| pull.starts_with("OPEN"))
            .count(),
        2
    );

    // A human has changed the notes: the branch is kept and reported.
    let notes = world
        .file("ci/release-12.0.0", "RELEASES.md")
        .replace("* A thing.", "* A fine thing.");
    world.commit(
        "ci/release-12.0.0",
        "Better notes",
        &[("RELEASES.md", &notes)],
    );
    let head = world.refs()["refs/heads/ci/release-12.0.0"].clone();
    let printed = world.done("release-latest --date 2026-03-22");
    assert!(
        printed.contains("is open, with changes by others, and is kept"),
        "{printed}"
    );
    assert_eq!(world.refs()["refs/heads/ci/release-12.0.0"], head);
}

#[test]
fn a_date_that_was_merged_and_reverted_is_not_to_be_reopened() {
    let world = cut();
    world.done("release-latest --date 2026-03-20");
    let proposed = world.refs()["refs/heads/ci/release-date-for-12.0.0"].clone();
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    world.git("github", &["revert", "--mainline", "1", "HEAD"]);
    let branch = format!("{proposed}:refs/heads/ci/release-date-for-12.0.0");
    world.git("github", &["push", "-q", "origin", "HEAD:main", &branch]);
    let said = world.refused("release-latest --date 2026-03-21");
    assert!(
        said.ends_with("was merged: delete the branch and run this again"),
        "{said}"
    );
}

#[test]
fn wasmtime_4927_notes_that_are_dated_already_stop_nothing() {
    let world = cut();
    world.done("release-latest --date 2026-03-20");
    world.merge("ci/release-12.0.0", Merge::Commit);
    let state = world.state();
    let said = world.done("release-latest --date 2026-03-21");
    assert!(
        said.contains(
            "`release-12.0.0` is dated: run `cargo xtask push-tag --branch release-12.0.0`"
        ),
        "{said}"
    );
    assert_eq!(world.state(), state);
}

#[test]
fn a_train_that_has_left_is_not_released_again() {
    let world = World::released();
    let state = world.state();
    assert!(
        world
            .done("release-latest --date 2026-03-21")
            .contains("nothing to do: the latest train is 12.0.0")
    );
    assert_eq!(world.state(), state);
}

#[test]
fn wasmtime_4055_the_latest_branch_is_the_highest_by_version_and_not_the_newest() {
    let world = World::released();
    world.cut("2026-04-05");
    // A later commit on an older branch, and branches whose names are no versions.
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// later\n")],
    );
    for name in ["release-99", "release-next", "release-14.0.0-old"] {
        world.git(
            "github",
            &["push", "-q", "origin", &format!("HEAD:refs/heads/{name}")],
        );
    }
    world.today("2026-04-20");
    world.done("release-latest --date 2026-04-20");
    assert!(
        world
            .pulls()
            .contains(&"OPEN ci/release-13.0.0 -> release-13.0.0: Release Demo 13.0.0".to_string())
    );
}

#[test]
fn wasmtime_38_an_older_train_that_never_left_is_not_the_latest() {
    let world = cut();
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05 --force");
    world.merge("ci/bump-to-14.0.0", Merge::Commit);
    world.release("13.0.0", "2026-04-20");
    assert!(
        world
            .done("release-latest --date 2026-04-21")
            .contains("nothing to do: the latest train is 13.0.0")
    );
}

#[test]
fn in_the_archive_form_there_is_nothing_to_date_on_main() {
    let notes = "## 12.0.0\n\nUnreleased.\n\n---\n\n<!-- ARCHIVE_START -->\n* [11.0.x](x/release-11.0.0/RELEASES.md)\n";
    let world = World::with("name = \"Demo\"", "12.0.0", notes);
    world.cut("2026-03-05");
    world.today("2026-03-20");
    let said = world.done("release-latest --date 2026-03-20");
    assert!(
        said.contains("nothing to date on main: its RELEASES.md has no section of 12.0.0"),
        "{said}"
    );
    assert_eq!(
        world.pulls()[1..],
        ["OPEN ci/release-12.0.0 -> release-12.0.0: Release Demo 12.0.0"]
    );
}

#[test]
fn a_branch_whose_version_is_not_its_name_is_not_released() {
    let world = cut();
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "origin/main:refs/heads/release-14.0.0",
        ],
    );
    expect!["error: `release-14.0.0` is at 13.0.0, which does not belong to it"]
        .assert_eq(&world.refused("release-latest --date 2026-03-20"));
    expect!["error: `release-14.0.0` is at 13.0.0, which does not belong to it"]
        .assert_eq(&world.refused("push-tag --branch release-14.0.0"));
}

#[test]
fn without_a_release_branch_there_is_nothing_to_release() {
    let world = World::new();
    expect!["error: origin has no release branch: `cargo xtask cut` pushes one"]
        .assert_eq(&world.refused("release-latest"));
    expect!["error: no release branch is released: there is nothing to patch"]
        .assert_eq(&world.refused("release-patch --all-supported"));
}

const PATCH_NOTES: &str =
    "## 12.0.1\n\nUnreleased.\n\n### Fixed\n\n* A fix.\n\n## 12.0.0\n\nReleased 2026-03-20.\n";

#[test]
fn a_patch_with_its_notes() {
    let world = World::released();
    world.commit(
        "release-12.0.0",
        "Fix a thing",
        &[
            ("a/src/lib.rs", "// mended\n"),
            ("RELEASES.md", PATCH_NOTES),
        ],
    );
    world.today("2026-03-25");
    world.done("release-patch --branch release-12.0.0 --date 2026-03-25");
    assert_eq!(
        world.pulls().last().unwrap(),
        "OPEN ci/release-12.0.1 -> release-12.0.0: Release Demo 12.0.1"
    );
    assert_eq!(
        world.file("ci/release-12.0.1", "RELEASES.md"),
        PATCH_NOTES.replace("Unreleased", "Released 2026-03-25")
    );
    assert!(
        world
            .file("ci/release-12.0.1", "b/Cargo.toml")
            .contains("\"=12.0.1\"")
    );
    assert!(
        world
            .file("ci/release-12.0.1", "Cargo.lock")
            .contains("version = \"12.0.1\"")
    );
    assert!(!world.body("ci/release-12.0.1").contains("draft"));
    let state = world.state();
    world.done("release-patch --branch release-12.0.0 --date 2026-03-25");
    assert_eq!(world.state(), state);
}

#[test]
fn a_patch_without_notes_gets_a_draft_in_which_no_subject_has_an_effect() {
    let world = World::released();
    for subject in [
        "Fix `a`, thanks @somebody; $(rm -rf /) \"quoted\" 'too'",
        "::set-output name=tag::v66.6.6",
        "[click](https://example.com) <b>bold</b> ## 99.0.0",
        "## 98.0.0",
    ] {
        world.commit("release-12.0.0", subject, &[]);
    }
    let said = world.done("release-patch --branch release-12.0.0 --date 2026-03-25");
    assert!(said.lines().all(|line| !line.starts_with("::")), "{said}");
    let notes = world.file("ci/release-12.0.1", "RELEASES.md");
    expect![[r###"
        ## 12.0.1

        Released 2026-03-25.

        ### Fixed

        * `## 98.0.0`

        * `[click](https://example.com) <b>bold</b> ## 99.0.0`

        * `::set-output name=tag::v66.6.6`

        * `` Fix `a`, thanks @somebody; $(rm -rf /) "quoted" 'too' ``

    "###]]
    .assert_eq(notes.split("## 12.0.0").next().unwrap());
    expect![[r#"
        Merging this tags v12.0.1 and releases it. Before that, check:

        - [ ] The notes of 12.0.1 in `RELEASES.md`.
        - [ ] CI of this pull request.
        - [ ] The notes are a draft from the subjects of the commits: rewrite them for users.

        Keep the line below in the commit message, also when squashing. Do not rebase if commits were added here: they would come after the commit that is tagged.

        [automatically-tag-and-release-this-commit]
    "#]]
    .assert_eq(&world.body("ci/release-12.0.1").replace(&world.refs()["refs/heads/release-12.0.0"][..12], "HEAD"));
}

#[test]
fn a_branch_without_a_change_is_patched_only_if_that_is_meant() {
    let world = World::released();
    expect!["error: `release-12.0.0` has not changed since v12.0.0: backport the fixes first, or pass --allow-empty"]
        .assert_eq(&world.refused("release-patch --branch release-12.0.0"));
    world.done("release-patch --branch release-12.0.0 --allow-empty");
    assert!(
        world
            .body("ci/release-12.0.1")
            .contains("Nothing has changed since the last release yet")
    );
}

#[test]
fn what_is_not_released_is_not_patched() {
    let world = cut();
    expect![
        "error: `release-12.0.0` is not released yet: `cargo xtask release-latest` releases 12.0.0"
    ]
    .assert_eq(&world.refused("release-patch --branch release-12.0.0"));
    expect!["error: `main` is not a release branch"]
        .assert_eq(&world.refused("release-patch --branch main"));
    expect!["error: origin has no branch `release-11.0.0`"]
        .assert_eq(&world.refused("release-patch --branch release-11.0.0"));
    expect!["error: `main` is not a release branch"].assert_eq(&world.refused("release-patch"));
}

#[test]
fn without_a_name_the_branch_that_is_checked_out_is_patched() {
    let world = World::released();
    world.commit("release-12.0.0", "Fix a thing", &[]);
    world.git("clone", &["fetch", "-q"]);
    world.git("clone", &["checkout", "-q", "release-12.0.0"]);
    world.done("release-patch");
    assert!(world.refs().contains_key("refs/heads/ci/release-12.0.1"));
    world.git("clone", &["checkout", "-q", "--detach"]);
    expect!["error: no branch is checked out: pass `--branch`"]
        .assert_eq(&world.refused("release-patch"));
}

#[test]
fn a_security_release_is_for_all_branches_that_are_supported() {
    let mut world = World::with(
        "name = \"Demo\"\nlts-every = 12\n",
        "12.0.0",
        "## 12.0.0\n\nUnreleased.\n",
    );
    for (version, month) in [("12.0.0", 3), ("13.0.0", 4), ("14.0.0", 5), ("15.0.0", 6)] {
        world.env = ["AUTHOR", "COMMITTER"]
            .map(|role| {
                (
                    format!("GIT_{role}_DATE"),
                    format!("2026-0{month}-20T12:00:00Z"),
                )
            })
            .to_vec();
        world.cut(&format!("2026-0{month}-05"));
        world.release(version, &format!("2026-0{month}-20"));
    }
    // On the last day of June, 12 is long-term, 13 is two months and more old, 14 is not.
    world.today("2026-06-30");
    world.done("release-patch --all-supported --allow-empty --date 2026-06-30");
    expect![[r#"
        OPEN ci/release-12.0.1 -> release-12.0.0: Release Demo 12.0.1
        OPEN ci/release-14.0.1 -> release-14.0.0: Release Demo 14.0.1
        OPEN ci/release-15.0.1 -> release-15.0.0: Release Demo 15.0.1"#]]
    .assert_eq(
        &world
            .pulls()
            .into_iter()
            .filter(|pull| pull.starts_with("OPEN"))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    // All or nothing: one that cannot be patched stops the others.
    let twice = "release-patch --branch release-13.0.0 --branch release-99.0.0 --allow-empty";
    expect!["error: origin has no branch `release-99.0.0`"].assert_eq(&world.refused(twice));
    world.done("release-patch --branch release-13.0.0 --branch release-15.0.0 --allow-empty");
    assert_eq!(
        world.pulls().last().unwrap(),
        "OPEN ci/release-13.0.1 -> release-13.0.0: Release Demo 13.0.1"
    );
}

/// A world with candidates, on the day of the cut.
fn with_candidates() -> World {
    let world = World::with(
        "name = \"Demo\"\nrelease-candidates = true\n",
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n",
    );
    world.today("2026-03-05");
    world
}

#[test]
fn a_train_with_candidates_from_the_cut_to_the_release() {
    let world = with_candidates();
    world.done("cut --date 2026-03-05");
    expect![[r#"
        OPEN ci/release-candidate-12.0.0-rc.1 -> release-12.0.0: Release Demo 12.0.0-rc.1
        OPEN ci/bump-to-13.0.0-dev -> main: Bump Demo to 13.0.0-dev"#]]
    .assert_eq(&world.pulls().join("\n"));
    world.merge("ci/bump-to-13.0.0-dev", Merge::Commit);
    expect!["error: `release-12.0.0` is at 12.0.0-dev: `cargo xtask release-latest` releases it"]
        .assert_eq(&world.refused("release-patch --branch release-12.0.0"));
    world.done("release-candidate");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Squash);
    assert!(world.done("release-candidate").contains("nothing to do"));
    world.done("push-tag --branch release-12.0.0");
    assert!(world.refs().contains_key("refs/tags/v12.0.0-rc.1"));
    expect!["error: `release-12.0.0` has not changed since v12.0.0-rc.1: backport the fixes first"]
        .assert_eq(&world.refused("release-candidate"));
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.done("release-candidate --branch release-12.0.0");
    world.merge("ci/release-candidate-12.0.0-rc.2", Merge::Rebase);
    world.done("push-tag --branch release-12.0.0");
    world.release("12.0.0", "2026-03-20");
    let tags: Vec<_> = world
        .refs()
        .into_keys()
        .filter(|name| name.starts_with("refs/tags/"))
        .collect();
    assert_eq!(
        tags,
        [
            "refs/tags/v12.0.0",
            "refs/tags/v12.0.0-rc.1",
            "refs/tags/v12.0.0-rc.2"
        ]
    );
    assert!(
        world
            .file("v12.0.0", "b/Cargo.toml")
            .contains("\"=12.0.0\"")
    );
    assert!(
        world
            .file("main", "b/Cargo.toml")
            .contains("\"=13.0.0-dev\"")
    );
    assert!(world.done("release-candidate").contains("nothing to do"));
}

#[test]
fn a_retry_of_the_cut_makes_no_second_first_candidate() {
    let world = with_candidates();
    world.done("cut --date 2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    let state = world.state();
    world.done("cut --date 2026-03-06");
    assert_eq!(world.state(), state);
}

#[test]
fn a_train_without_candidates_has_none() {
    let world = cut();
    expect!["error: `release-12.0.0` has no candidates: Cargo.toml there says `release-candidates = false`"]
        .assert_eq(&world.refused("release-candidate"));
}

#[test]
fn a_release_branch_without_the_configuration_of_main_is_refused_by_every_task() {
    let world = World::proposed();
    let manifest = world.file("release-12.0.0", "Cargo.toml");
    let (before, _) = manifest.split_once("[workspace.metadata").unwrap();
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.commit("release-12.0.0", "Lose it", &[("Cargo.toml", before)]);
    let backport = "`release-12.0.0`: Cargo.toml: [workspace.metadata.release-train] is missing, which main has: backport it, with xtask/, .cargo/config.toml and the workflows";
    for task in [
        "release-latest",
        "release-patch --branch release-12.0.0",
        "release-candidate",
        "push-tag --branch release-12.0.0",
    ] {
        assert_eq!(world.refused(task), format!("error: {backport}"), "{task}");
    }
    let board = world.task("status --date 2026-03-20");
    assert!(support::text(&board.stdout).contains(backport));
    // Where main has none, either, nothing is missing.
    let manifest = world.file("main", "Cargo.toml");
    let (before, _) = manifest.split_once("[workspace.metadata").unwrap();
    world.commit("main", "Lose it, too", &[("Cargo.toml", before)]);
    assert!(!world.refused("release-candidate").contains("backport it"));
}

#[test]
fn the_branches_that_all_supported_leaves_out_are_named() {
    let mut world = World::new();
    for (month, version) in [(3, "12.0.0"), (4, "13.0.0"), (7, "14.0.0")] {
        let date = format!("2026-0{month}-20T00:00:00Z");
        world.env.push(("GIT_COMMITTER_DATE".into(), date));
        world.cut(&format!("2026-0{month}-05"));
        world.release(version, &format!("2026-0{month}-20"));
    }
    world.cut("2026-08-05");
    let said = world.done("release-patch --all-supported --allow-empty --date 2026-08-06");
    let mut left_out = Vec::from_iter(said.lines().filter(|it| it.starts_with("left out")));
    left_out.sort();
    expect![[r#"
        left out: `release-12.0.0` is not supported any more
        left out: `release-13.0.0` is not supported any more
        left out: `release-15.0.0` is not released yet"#]]
    .assert_eq(&left_out.join("\n"));
    assert_eq!(world.pulls().len(), 4 + 3 * 2 + 1);
}

#[test]
fn a_branch_that_was_bumped_past_a_tag_made_by_hand_is_patched_as_it_is() {
    let world = World::released();
    world.checkout("release-12.0.0");
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/tags/v12.0.1"],
    );
    world.commit("release-12.0.0", "Fix", &[("a/src/lib.rs", "// fixed\n")]);
    let patch = "release-patch --branch release-12.0.0 --date 2026-03-25";
    let refused = world.refused(patch);
    assert!(
        refused.contains("v12.0.1 is at a commit of 12.0.0"),
        "{refused}"
    );
    let mut files = Vec::new();
    for file in ["a/Cargo.toml", "b/Cargo.toml", "Cargo.lock"] {
        let text = world
            .file("release-12.0.0", file)
            .replace("12.0.0", "12.0.2");
        files.push((file, text));
    }
    let notes = world.file("release-12.0.0", "RELEASES.md");
    files.push((
        "RELEASES.md",
        format!("## 12.0.2\n\nUnreleased.\n\n{notes}"),
    ));
    let files = Vec::from_iter(files.iter().map(|(file, text)| (*file, text.as_str())));
    world.commit("release-12.0.0", "Bump past it", &files);
    world.done(patch);
    world.merge("ci/release-12.0.2", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    assert!(world.refs().contains_key("refs/tags/v12.0.2"));
}

#[test]
fn a_branch_without_the_table_is_named_also_where_its_crates_have_several_versions() {
    let world = World::with(
        "version-of = \"a\"\n",
        "12.0.0",
        "## 12.0.0\n\nUnreleased.\n",
    );
    world.cut("2026-03-05");
    let manifest = world.file("release-12.0.0", "Cargo.toml");
    let (before, _) = manifest.split_once("[workspace.metadata").unwrap();
    let b = world.file("release-12.0.0", "b/Cargo.toml");
    let b = b.replacen("12.0.0", "0.5.0", 1);
    let files = [("Cargo.toml", before), ("b/Cargo.toml", &b)];
    world.commit("release-12.0.0", "Lose it", &files);
    let refused = world.refused("release-latest");
    assert!(
        refused.contains("[workspace.metadata.release-train] is missing"),
        "{refused}"
    );
}

#[test]
fn a_supported_train_whose_branch_was_deleted_is_named() {
    let world = World::released();
    world.cut("2026-04-05");
    world.release("13.0.0", "2026-04-20");
    let delete = ":refs/heads/release-12.0.0";
    world.git("github", &["push", "-q", "origin", delete]);
    let said = world.done("release-patch --all-supported --allow-empty --date 2026-04-21");
    let left_out = "left out: `release-12.0.0` is not on origin, and supported until 2026-05-01\n";
    assert!(said.contains(left_out), "{said}");
}
