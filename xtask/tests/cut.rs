//! `cut`: one release branch a month, and main's next version.

mod support;

use expect_test::expect;
use support::text;
use support::train::{Merge, World};

#[test]
fn the_fifth_of_the_month() {
    let world = World::new();
    world.today("2026-03-05");
    let main = world.refs()["refs/heads/main"].clone();
    world.done("cut --date 2026-03-05");
    assert_eq!(world.refs()["refs/heads/release-12.0.0"], main);
    assert_eq!(world.refs()["refs/heads/main"], main);
    expect!["OPEN ci/bump-to-13.0.0 -> main: Bump Demo to 13.0.0"]
        .assert_eq(&world.pulls().join("\n"));
    expect![[r#"
        `release-12.0.0` is cut. Merging this makes main the development of 13.0.0.

        Changes that 12.0.0 still needs land on main first and are backported to `release-12.0.0`. Check the versions, and the new section in `RELEASES.md`.
    "#]].assert_eq(&world.body("ci/bump-to-13.0.0"));
    expect![[r#"
        diff --git a/RELEASES.md b/RELEASES.md
        index 0be2eee..a191814 100644
        --- a/RELEASES.md
        +++ b/RELEASES.md
        @@ -0,0 +1,8 @@
        +## 13.0.0
        +
        +Unreleased.
        +
        +### Added
        +
        +### Changed
        +
        diff --git a/a/Cargo.toml b/a/Cargo.toml
        index 11341eb..1faf9aa 100644
        --- a/a/Cargo.toml
        +++ b/a/Cargo.toml
        @@ -3 +3 @@ name = "a"
        -version = "12.0.0"
        +version = "13.0.0"
        diff --git a/b/Cargo.toml b/b/Cargo.toml
        index ecb7c93..e0619d4 100644
        --- a/b/Cargo.toml
        +++ b/b/Cargo.toml
        @@ -3 +3 @@ name = "b"
        -version = "12.0.0"
        +version = "13.0.0"
        @@ -8 +8 @@ description = "For a test."
        -a = { path = "../a", version = "=12.0.0" }
        +a = { path = "../a", version = "=13.0.0" }"#]]
    .assert_eq(&world.git(
        "origin.git",
        &[
            "diff",
            "--unified=0",
            "main",
            "ci/bump-to-13.0.0",
            "--",
            "*.toml",
            "*.md",
        ],
    ));
}

#[test]
fn a_retry_finds_everything_there() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    let state = world.state();
    assert!(
        world
            .done("cut --date 2026-03-06")
            .contains("/pull/1 is open: ")
    );
    assert_eq!(world.state(), state);
    // The bump is merged on the 6th: the retry of the 7th cuts no second train.
    world.merge("ci/bump-to-13.0.0", Merge::Commit);
    let state = world.state();
    assert!(
        world
            .done("cut --date 2026-03-07")
            .contains("nothing to do: ")
    );
    assert_eq!(world.state(), state);
}

#[test]
fn a_retry_does_not_move_the_branch_after_main() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    let state = world.state();
    let main = world.commit("main", "Something new", &[]);
    world.done("cut --date 2026-03-06");
    let mut expected = state;
    expected.0.insert("HEAD".into(), main.clone());
    expected.0.insert("refs/heads/main".into(), main);
    expected.0.remove("HEAD");
    assert_eq!(world.state(), expected);
}

#[test]
fn backports_before_the_bump_is_merged_disturb_no_retry() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    let state = world.state();
    world.done("cut --date 2026-03-06");
    assert_eq!(world.state(), state);
}

#[test]
fn no_train_is_cut_while_the_one_before_has_not_left() {
    let world = World::new();
    world.cut("2026-03-05");
    expect!["error: 12.0.0 is not released yet: it has no tag; run `cargo xtask status` for the next step, or pass --force"]
        .assert_eq(&world.refused("cut --date 2026-04-05"));
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05 --force");
    assert!(world.refs().contains_key("refs/heads/release-13.0.0"));
}

#[test]
fn the_next_month_the_next_train_is_cut() {
    let world = World::released();
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05");
    assert!(world.refs().contains_key("refs/heads/release-13.0.0"));
    assert!(world.refs().contains_key("refs/heads/ci/bump-to-14.0.0"));
}

#[test]
fn a_second_cut_in_a_month_takes_force() {
    let world = World::released();
    assert!(
        world
            .done("cut --date 2026-03-21")
            .contains("nothing to do")
    );
    world.done("cut --date 2026-03-21 --force");
    assert!(world.refs().contains_key("refs/heads/release-13.0.0"));
}

#[test]
fn there_is_one_cut_a_month_whatever_version_a_human_gives_to_main() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    let files = ["a/Cargo.toml", "b/Cargo.toml", "Cargo.lock", "RELEASES.md"];
    let files = files.map(|file| (file, world.file("main", file).replace("12.0.0", "12.1.0")));
    let files = files.each_ref().map(|(file, text)| (*file, text.as_str()));
    world.commit("main", "Bump by hand", &files);
    let said = world.done("cut --date 2026-03-06");
    assert!(
        said.contains("pull/1 is this month's cut; --force makes another"),
        "{said}"
    );
    assert!(!world.refs().contains_key("refs/heads/release-12.1.0"));
    let board = world
        .xtask("clone", "status --json --date 2026-03-06")
        .output()
        .unwrap();
    assert!(
        !text(&board.stdout).contains("xtask cut"),
        "{}",
        text(&board.stdout)
    );
}

#[test]
fn wasmtime_4874_a_branch_that_came_from_elsewhere_is_not_taken_for_the_cut() {
    let world = World::new();
    world.git("github", &["checkout", "-q", "--orphan", "other"]);
    world.git(
        "github",
        &["commit", "-q", "--allow-empty", "-m", "Something else"],
    );
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/heads/release-12.0.0"],
    );
    for line in ["cut --date 2026-03-05", "cut --date 2026-03-05 --force"] {
        expect!["error: `release-12.0.0` is on origin with commits that are not on main: rename it if it is not a release branch"]
            .assert_eq(&world.refused(line));
    }
}

#[test]
fn main_that_was_not_bumped_is_not_cut_again() {
    let world = World::released();
    let back = ["a/Cargo.toml", "b/Cargo.toml", "Cargo.lock"]
        .map(|file| (file, world.file("v12.0.0", file)));
    world.commit(
        "main",
        "Back to 12",
        &back.each_ref().map(|(file, text)| (*file, &**text)),
    );
    expect!["error: main is at 12.0.0, which is tagged as v12.0.0: bump it first, with `cargo xtask bump`"]
        .assert_eq(&world.refused("cut --date 2026-04-05"));
    let old = back
        .each_ref()
        .map(|(file, text)| (*file, text.replace("12.0.0", "11.0.0")));
    world.commit(
        "main",
        "Back to 11",
        &old.each_ref().map(|(file, text)| (*file, &**text)),
    );
    expect![
        "error: main is at 11.0.0, behind `release-12.0.0`: bump it first, with `cargo xtask bump`"
    ]
    .assert_eq(&world.refused("cut --date 2026-04-05"));
}

#[test]
fn wasmtime_3894_a_branch_with_a_humans_commits_is_never_overwritten() {
    let world = World::new();
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/heads/ci/bump-to-13.0.0"],
    );
    world.commit(
        "ci/bump-to-13.0.0",
        "My own attempt",
        &[("a/src/lib.rs", "// mine\n")],
    );
    expect!["error: `ci/bump-to-13.0.0` on origin holds other commits: open its pull request by hand, or delete it"]
        .assert_eq(&world.refused("cut --date 2026-03-05"));
}

#[test]
fn a_closed_pull_request_is_reported_and_not_reopened() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    world.close("ci/bump-to-13.0.0");
    expect!["error: `ci/bump-to-13.0.0`: https://github.com/rehearsal/rehearsal/pull/1 was closed: reopen it, or delete the branch and run this again"].assert_eq(&world.refused("cut --date 2026-03-06"));
    world.git("github", &["push", "-q", "origin", ":ci/bump-to-13.0.0"]);
    world.done("cut --date 2026-03-06");
    assert_eq!(world.pulls().len(), 2);
}

#[test]
fn commits_of_humans_on_an_open_pull_request_are_kept() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    world.commit(
        "ci/bump-to-13.0.0",
        "Bless the tests",
        &[("a/src/lib.rs", "// blessed\n")],
    );
    let state = world.state();
    world.done("cut --date 2026-03-06");
    assert_eq!(world.state(), state);
}

#[test]
fn an_archive_gets_its_link() {
    let list = "* [11.0.x](https://github.com/o/r/blob/release-11.0.0/RELEASES.md)\n";
    let notes = format!("## 12.0.0\n\nUnreleased.\n\n---\n\n<!-- ARCHIVE_START -->\n{list}");
    let world = World::with("", "12.0.0", &notes);
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    expect![[r#"
        ## 13.0.0

        Unreleased.

        ### Added

        ### Changed

        ---

        <!-- ARCHIVE_START -->
        * [12.0.x](https://github.com/o/r/blob/release-12.0.0/RELEASES.md)
        * [11.0.x](https://github.com/o/r/blob/release-11.0.0/RELEASES.md)
    "#]]
    .assert_eq(&world.file("ci/bump-to-13.0.0", "RELEASES.md"));
    assert_eq!(
        world.pulls(),
        ["OPEN ci/bump-to-13.0.0 -> main: Bump origin to 13.0.0"]
    );
}

#[test]
fn a_version_that_is_out_is_not_cut_again() {
    for (notes, tag, why) in [
        ("Unreleased.", "12.0.0", "is tagged as 12.0.0"),
        ("Unreleased.", "v12.0.0", "is tagged as v12.0.0"),
        ("Unreleased.", "a-v12.0.0", "is tagged as a-v12.0.0"),
        ("Unreleased.", "other-12.0.0", ""),
        (
            "Released 2026-02-20.",
            "w1",
            "is dated 2026-02-20 in RELEASES.md",
        ),
    ] {
        let notes = format!("## 12.0.0\n\n{notes}\n");
        let world = World::with("tag = \"demo-v{version}\"\n", "12.0.0", &notes);
        let tag = format!("HEAD:refs/tags/{tag}");
        world.git("github", &["push", "-q", "origin", &tag]);
        world.today("2026-03-05");
        if why.is_empty() {
            world.done("cut --date 2026-03-05");
            continue;
        }
        let bump = "bump it first, with `cargo xtask bump`";
        assert_eq!(
            world.refused("cut --date 2026-03-05"),
            format!("error: main is at 12.0.0, which {why}: {bump}")
        );
        let next = world.task("status --date 2026-03-05");
        let next = text(&next.stdout);
        let advice = format!("# -> bump main, which is at 12.0.0: that {why}\n");
        assert!(next.contains(&advice), "{next}");
        assert!(!next.contains("cargo xtask cut"), "{next}");
    }
}

#[test]
fn a_train_of_minor_versions_goes_from_the_cut_to_the_release() {
    let config = "train = \"minor\"\nlts-every = 12\n";
    let world = World::with(config, "1.12.0", "## 1.12.0\n\nUnreleased.\n");
    world.cut("2026-03-05");
    assert_eq!(
        world.pulls(),
        ["MERGED ci/bump-to-1.13.0 -> main: Bump origin to 1.13.0"]
    );
    assert!(world.file("main", "RELEASES.md").starts_with("## 1.13.0"));
    // One cut a month, as for major versions.
    assert!(
        world
            .done("cut --date 2026-03-06")
            .contains("nothing to do: ")
    );
    world.release("1.12.0", "2026-03-20");
    // Every twelfth minor version is supported for long.
    let board = text(&world.task("status --date 2026-03-21").stdout);
    assert!(board.contains("| release-1.12.0   | 1.12.0 "), "{board}");
    assert!(board.contains("| 2028-03-01 |"), "{board}");
    assert!(board.contains("next cut 2026-04-05"), "{board}");
    world.cut("2026-04-05");
    assert!(world.refs().contains_key("refs/heads/release-1.13.0"));
}

#[test]
fn a_train_of_minor_versions_begins_at_1() {
    let notes = "## 0.12.0\n\nUnreleased.\n";
    let world = World::with("train = \"minor\"\n", "0.12.0", notes);
    assert_eq!(
        world.refused("cut"),
        "error: the train after 0.12.0 would be 0.12.1, which is not X.Y.0: set `train = \"major\"` in Cargo.toml"
    );
}

#[test]
fn what_only_the_checkout_has_is_named_and_not_cut() {
    let world = World::new();
    world.today("2026-03-05");
    let commit = ["commit", "-q", "--allow-empty", "-m", "Only here"];
    world.git("clone", &commit);
    std::fs::write(world.path("clone/new.txt"), "").unwrap();
    let main = &world.refs()["refs/heads/main"];
    let said = world.done("cut --date 2026-03-05");
    for line in [
        format!("main is cut as it is on origin, at {main}\n"),
        "left out: not pushed: Only here\n".to_string(),
        "left out: what is not committed, as new.txt\n".to_string(),
    ] {
        assert!(said.contains(&line), "{said}");
    }
    assert_eq!(world.refs()["refs/heads/release-12.0.0"], *main);
}

#[test]
fn a_default_branch_of_another_name_is_cut_too() {
    let world = World::new();
    world.git("github", &["push", "-q", "origin", "HEAD:trunk"]);
    world.git("origin.git", &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    world.git("github", &["push", "-q", "origin", ":main"]);
    world.done("cut --date 2026-03-05");
    assert_eq!(
        world.pulls(),
        ["OPEN ci/bump-to-13.0.0 -> trunk: Bump Demo to 13.0.0"]
    );
}

#[test]
fn one_cut_a_month_holds_when_the_configuration_changes_between_two() {
    let with = |config: &str| format!("{}{config}", text_of_manifest());
    for config in ["train = \"minor\"\n", "release-candidates = true\n"] {
        // After the bump is merged.
        let world = World::new();
        world.cut("2026-03-05");
        world.release("12.0.0", "2026-03-20");
        world.commit("main", "Another train", &[("Cargo.toml", &with(config))]);
        let said = world.done("cut --date 2026-03-25");
        assert!(said.contains("nothing to do: "), "{said}");
        // While it is open.
        let world = World::new();
        world.today("2026-03-05");
        world.done("cut --date 2026-03-05");
        world.commit("main", "Another train", &[("Cargo.toml", &with(config))]);
        let said = world.done("cut --date 2026-03-06");
        assert!(said.contains("nothing to do: "), "{said}");
        assert_eq!(world.pulls().len(), 1);
    }
}

/// The root manifest of a world.
fn text_of_manifest() -> String {
    let world = World::new();
    world.file("main", "Cargo.toml")
}
