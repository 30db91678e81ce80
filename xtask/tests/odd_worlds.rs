//! The train in worlds that nobody planned: foreign branches, forks, tags and worktrees, histories that went back and
//! forth, an environment that points elsewhere.

mod support;

use std::fs;

use expect_test::expect;
use serde_json::json;
use support::text;
use support::train::{Merge, World};

const PUSH: &str = "push-tag --branch release-12.0.0";
const PATCH: &str = "release-patch --branch release-12.0.0 --allow-empty --date 2026-03-25";

#[test]
fn a_patch_whose_marker_was_dropped_does_not_inherit_that_of_the_release_before() {
    let world = World::released();
    world.done(PATCH);
    world.merge("ci/release-12.0.1", Merge::SquashTitle);
    assert!(world.refused(PUSH).contains("no commit of it is marked"));
}

#[test]
fn a_release_that_was_reverted_and_done_again_is_tagged_by_hand() {
    let world = World::proposed();
    let first = world.merge("ci/release-12.0.0", Merge::Squash);
    world.checkout("release-12.0.0");
    for revert in [&first, "HEAD"] {
        world.git("github", &["revert", "--no-edit", revert]);
    }
    world.git(
        "github",
        &[
            "commit",
            "-q",
            "--amend",
            "-m",
            "Reapply \"Release Demo 12.0.0\"",
        ],
    );
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    let again = world.git("github", &["rev-parse", "HEAD"]);
    let said = world.refused(PUSH);
    assert!(
        said.ends_with(&format!(
            "cargo xtask push-tag --branch release-12.0.0 --commit {again}"
        )),
        "{said}"
    );
    world.done(&format!("{PUSH} --commit {again}"));
    assert_eq!(world.refs()["refs/tags/v12.0.0"], again);
}

#[test]
fn a_branch_that_was_merged_back_to_main_is_tagged_all_the_same() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    world.checkout("main");
    world.git(
        "github",
        &[
            "merge",
            "-q",
            "-s",
            "ours",
            "-m",
            "Merge it back",
            "origin/release-12.0.0",
        ],
    );
    world.git("github", &["push", "-q", "origin", "HEAD:main"]);
    world.done(PUSH);
    assert_eq!(world.refs()["refs/tags/v12.0.0"], merged);
}

#[test]
fn notes_that_were_dated_by_hand_are_tagged_by_the_command_that_is_printed() {
    let world = World::new();
    world.cut("2026-03-05");
    let dated = "## 12.0.0\n\nReleased 2026-03-20.\n";
    world.commit("release-12.0.0", "Date", &[("RELEASES.md", dated)]);
    assert!(
        world
            .done("release-latest --date 2026-03-20")
            .contains("`release-12.0.0` is dated: run ")
    );
    let said = world.refused(PUSH);
    world.done(said.split("by hand: cargo xtask ").nth(1).unwrap());
    assert!(world.refs().contains_key("refs/tags/v12.0.0"));
}

#[test]
fn a_tag_of_somebody_else_at_the_marked_commit_is_not_in_the_way() {
    let world = World::proposed();
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            &format!("{merged}:refs/tags/v12.0.0-demo"),
        ],
    );
    world.done(PUSH);
    assert_eq!(world.refs()["refs/tags/v12.0.0"], merged);
}

#[test]
fn wasmtime_release_2_0_1_a_branch_that_is_named_after_a_patch_is_nobodys_train() {
    let world = World::released();
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "origin/release-12.0.0:refs/heads/release-12.0.1",
        ],
    );
    assert!(
        world
            .done("release-latest --date 2026-03-21")
            .contains("the latest train is 12.0.0")
    );
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05");
    assert!(world.refs().contains_key("refs/heads/release-13.0.0"));
}

#[test]
fn a_pull_request_of_a_fork_is_not_ours() {
    let world = World::released();
    world.set_stand_in(|state| {
        let pulls = state["pulls"].as_array_mut().unwrap();
        pulls.push(json!({
            "number": 99, "url": "https://github.com/stranger/fork/pull/99", "state": "OPEN", "title": "Release Demo 12.0.1",
            "body": "", "createdAt": "2026-03-24T00:00:00Z", "headRefName": "ci/release-12.0.1", "headRefOid": "0",
            "baseRefName": "release-12.0.0", "isCrossRepository": true,
        }));
    });
    let said = world.done(PATCH);
    assert!(!said.contains("stranger"), "{said}");
    assert!(world.refs().contains_key("refs/heads/ci/release-12.0.1"));
}

#[test]
fn a_branch_that_a_human_made_at_the_last_moment_is_not_proposed() {
    let world = World::released();
    let main = world.refs()["refs/heads/main"].clone();
    let other = world.git(
        "origin.git",
        &["commit-tree", "-p", &main, "-m", "Mine", "main^{tree}"],
    );
    let git = World::real("git");
    let origin = world.path("origin.git").display().to_string();
    world.wrap(
        "git",
        &format!("case $1 in push) {git} -C {origin} update-ref refs/heads/ci/release-12.0.1 {other};; esac\nexec {git} \"$@\""),
    );
    let pulls = world.pulls();
    let output = world.xtask("clone", PATCH).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("holds other commits"));
    assert_eq!(world.pulls(), pulls);
}

#[test]
fn a_release_branch_that_somebody_else_cut_at_the_last_moment_is_not_moved_forward() {
    let world = World::new();
    let older = world.refs()["refs/heads/main"].clone();
    world.commit("main", "Something newer", &[]);
    let git = World::real("git");
    let origin = world.path("origin.git").display().to_string();
    world.wrap(
        "git",
        &format!(
            "case $1 in push) {git} -C {origin} update-ref refs/heads/release-12.0.0 {older};; esac\nexec {git} \"$@\""
        ),
    );
    let output = world.xtask("clone", "cut").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(world.refs()["refs/heads/release-12.0.0"], older);
    assert!(!world.refs().contains_key("refs/heads/ci/bump-to-13.0.0"));
}

#[test]
fn a_release_whose_first_pull_request_was_merged_gets_its_second() {
    for merged in [
        "ci/release-date-for-12.0.0",
        "ci/bump-to-13.0.0-dev",
        "ci/release-candidate-12.0.0-rc.1",
    ] {
        let candidates = merged.contains("-dev") || merged.contains("-rc");
        let mut world = if candidates {
            World::with(
                "name = \"Demo\"\nrelease-candidates = true\n",
                "12.0.0-dev",
                "## 12.0.0\n\nUnreleased.\n",
            )
        } else {
            World::new()
        };
        world.today("2026-03-05");
        let line = if candidates {
            "cut --date 2026-03-05"
        } else {
            "release-latest --date 2026-03-20"
        };
        if !candidates {
            world.cut("2026-03-05");
        }
        // The second pull request is not opened, and a human merges the first.
        let real = world.path("real/gh").display().to_string();
        let count = world.path("count").display().to_string();
        world.wrap(
            "gh",
            &format!(
                "case \"$1 $2\" in 'pr create') [ -e {count} ] && exit 1; touch {count};; esac\nexec {real} \"$@\""
            ),
        );
        assert!(
            !world
                .xtask("clone", line)
                .output()
                .unwrap()
                .status
                .success()
        );
        world.wrap("gh", &format!("exec {real} \"$@\""));
        world.env.clear();
        let opened = world
            .pulls()
            .into_iter()
            .find(|pull| pull.starts_with("OPEN"))
            .unwrap();
        world.merge(opened.split(' ').nth(1).unwrap(), Merge::Commit);
        world.done(line);
        let (all, open) = (
            world.pulls(),
            world
                .pulls()
                .into_iter()
                .filter(|pull| pull.starts_with("OPEN"))
                .count(),
        );
        assert_eq!(open, 1, "{all:#?}");
    }
}

#[test]
fn a_retry_of_the_cut_makes_no_candidate_once_one_is_tagged() {
    let world = World::with(
        "name = \"Demo\"\nrelease-candidates = true\n",
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n",
    );
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done(PUSH);
    let state = world.state();
    world.done("cut --date 2026-03-06");
    assert_eq!(world.state(), state);
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    let state = world.state();
    world.done("cut --date 2026-03-07");
    assert_eq!(world.state(), state);
}

#[test]
fn wasmtime_38_a_train_whose_first_release_was_its_first_patch_has_left() {
    let world = World::new();
    world.cut("2026-03-05");
    let files = ["a/Cargo.toml", "b/Cargo.toml", "Cargo.lock"].map(|file| {
        (
            file,
            world
                .file("release-12.0.0", file)
                .replace("12.0.0", "12.0.1"),
        )
    });
    let mut files: Vec<_> = files.iter().map(|(file, text)| (*file, &**text)).collect();
    files.push(("RELEASES.md", "## 12.0.1\n\nReleased 2026-03-21.\n"));
    world.commit(
        "release-12.0.0",
        "By hand\n\n[automatically-tag-and-release-this-commit]",
        &files,
    );
    world.done(PUSH);
    assert!(
        world
            .done("release-latest --date 2026-03-22")
            .contains("nothing to do: the latest train is 12.0.0, and v12.0.1 is tagged")
    );
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05");
    world.done("release-patch --all-supported --allow-empty --date 2026-04-06");
    assert!(world.refs().contains_key("refs/heads/ci/release-12.0.2"));
}

#[test]
fn a_patch_that_waits_for_its_tag_does_not_stop_the_others() {
    let world = World::released();
    world.cut("2026-04-05");
    world.release("13.0.0", "2026-04-20");
    world.done(PATCH);
    world.merge("ci/release-12.0.1", Merge::Commit);
    let said =
        world.done("release-patch --branch release-12.0.0 --branch release-13.0.0 --allow-empty");
    assert!(
        said.contains(
            "nothing to do: 12.0.1 waits for `cargo xtask push-tag --branch release-12.0.0`"
        ),
        "{said}"
    );
    assert!(world.refs().contains_key("refs/heads/ci/release-13.0.1"));
}

#[test]
fn below_0_1_there_are_no_patches() {
    let world = World::with("name = \"Demo\"", "0.0.1", "## 0.0.1\n\nUnreleased.\n");
    world.cut("2026-03-05");
    world.release("0.0.1", "2026-03-20");
    expect!["error: `release-0.0.1` has no patch releases: 0.0.2 is the next train"]
        .assert_eq(&world.refused("release-patch --branch release-0.0.1 --allow-empty"));
    world.today("2026-04-05");
    world.done("cut --date 2026-04-05");
    assert!(world.refs().contains_key("refs/heads/release-0.0.2"));
}

#[test]
fn all_patches_come_back_to_main_and_those_without_notes_do_not_matter() {
    let world = World::released();
    let released = world.refs()["refs/tags/v12.0.0"].clone();
    let tags = [
        "origin/main:refs/tags/v12.0.9-rc.1",
        &format!("{released}:refs/tags/v12.0.8"),
    ];
    world.git("github", &[&["push", "-q", "origin"], &tags[..]].concat());
    for version in ["12.0.1", "12.0.2"] {
        world.commit(
            "release-12.0.0",
            "Fix a thing",
            &[("a/src/lib.rs", version)],
        );
        world.done("release-patch --branch release-12.0.0");
        world.merge(&format!("ci/release-{version}"), Merge::Commit);
        world.done(PUSH);
    }
    world.done("sync-notes");
    world.merge("ci/sync-notes-12.0.2", Merge::Commit);
    let notes = world.file("main", "RELEASES.md");
    let headings: Vec<&str> = notes
        .lines()
        .filter(|line| line.starts_with("## "))
        .collect();
    assert_eq!(
        headings,
        ["## 13.0.0", "## 12.0.2", "## 12.0.1", "## 12.0.0"]
    );
    assert!(world.done("sync-notes").contains("nothing to do"));
}

#[test]
fn a_clone_in_a_folder_of_our_name_is_nobodys_leftover() {
    let world = World::new();
    for folder in ["release-train-worktree-demo", "release-train-worktree-1-2"] {
        fs::create_dir(world.path(folder)).unwrap();
        for clone in ["demo", "tree"] {
            world.git(folder, &["clone", "-q", "../origin.git", clone]);
            fs::write(world.path(folder).join(clone).join("untracked"), "mine").unwrap();
            let output = world
                .xtask(&format!("{folder}/{clone}"), "push-tag")
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1));
            let output = world
                .xtask(&format!("{folder}/{clone}"), "release-latest")
                .output()
                .unwrap();
            assert_eq!(output.status.code(), Some(1));
            assert!(world.path(folder).join(clone).join("untracked").exists());
        }
    }
}

#[test]
fn a_worktree_of_the_users_that_is_away_for_a_while_stays_theirs() {
    let world = World::new();
    world.git("clone", &["worktree", "add", "-q", "--detach", "../mine"]);
    fs::rename(world.path("mine"), world.path("away")).unwrap();
    let output = world.xtask("clone", "cut").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    fs::rename(world.path("away"), world.path("mine")).unwrap();
    assert_eq!(world.git("mine", &["status", "--short"]), "");
}

#[test]
fn an_environment_that_points_git_elsewhere_does_not_matter() {
    let mut world = World::new();
    let git = world.path("clone/.git");
    world
        .env
        .push(("GIT_DIR".into(), git.display().to_string()));
    world.env.push((
        "GIT_INDEX_FILE".into(),
        git.join("index").display().to_string(),
    ));
    let output = world.xtask("clone", "cut").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    world.env.clear();
    assert_eq!(world.git("clone", &["status", "--short"]), "");
    assert!(world.refs().contains_key("refs/heads/release-12.0.0"));
}

#[test]
fn a_sparse_checkout_makes_no_sparse_release() {
    let world = World::new();
    world.git(
        "clone",
        &["sparse-checkout", "set", "--no-cone", "/Cargo.toml", "/a/"],
    );
    world.done("cut");
    assert!(
        world
            .file("ci/bump-to-13.0.0", "b/Cargo.toml")
            .contains("\"=13.0.0\"")
    );
    assert!(
        world
            .file("ci/bump-to-13.0.0", "Cargo.lock")
            .contains("13.0.0")
    );
}

/// Moves the workspace on main to the folder `rust`, in the maintainer's clone too.
fn move_to_a_folder(world: &World) {
    world.checkout("main");
    fs::create_dir(world.path("github/rust")).unwrap();
    for name in ["Cargo.toml", "Cargo.lock", "RELEASES.md", "a", "b"] {
        world.git("github", &["mv", name, "rust/"]);
    }
    world.git("github", &["commit", "-q", "-m", "Move to a folder"]);
    world.git("github", &["push", "-q", "origin", "HEAD:main"]);
    world.git("clone", &["pull", "-q"]);
}

#[test]
fn a_workspace_in_a_folder_of_the_repository_is_released_from_there() {
    let world = World::new();
    move_to_a_folder(&world);
    let output = world.xtask("clone/rust/a", "cut").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        world
            .file("ci/bump-to-13.0.0", "rust/b/Cargo.toml")
            .contains("\"=13.0.0\"")
    );
    assert!(
        world
            .file("ci/bump-to-13.0.0", "rust/RELEASES.md")
            .starts_with("## 13.0.0")
    );
}

#[test]
fn what_github_does_not_say_is_not_taken_for_nothing() {
    let world = World::new();
    let real = world.path("real/gh").display().to_string();
    world.cut("2026-03-05");
    world.wrap(
        "gh",
        &format!("case $1 in pr) echo null; exit 0;; esac\nexec {real} \"$@\""),
    );
    let said = world.refused("release-latest --date 2026-03-20");
    assert!(
        said.starts_with("error: gh pr list: invalid type: null"),
        "{said}"
    );
}

#[test]
fn main_that_is_at_no_train_is_not_cut() {
    for version in ["1.2.3", "0.1.1"] {
        let world = World::with("", version, &format!("## {version}\n\nUnreleased.\n"));
        assert!(world.refused("cut").contains("not at X.Y.0"));
    }
}

#[test]
fn a_cut_whose_bump_was_thrown_away_is_completed_whatever_has_happened_since() {
    let world = World::new();
    world.today("2026-03-05");
    world.done("cut --date 2026-03-05");
    world.close("ci/bump-to-13.0.0");
    world.git("github", &["push", "-q", "origin", ":ci/bump-to-13.0.0"]);
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("RELEASES.md", "## 12.0.0\n\nReleased 2026-03-20.\n")],
    );
    world.commit(
        "release-12.0.0",
        "Mark\n\n[automatically-tag-and-release-this-commit]",
        &[],
    );
    world.done(PUSH);
    world.done("cut --date 2026-03-21");
    assert_eq!(
        world.pulls().last().unwrap(),
        "OPEN ci/bump-to-13.0.0 -> main: Bump Demo to 13.0.0"
    );
}

#[test]
fn a_workspace_that_has_moved_since_the_cut_is_released_all_the_same() {
    let world = World::new();
    world.cut("2026-03-05");
    move_to_a_folder(&world);
    let output = world
        .xtask("clone/rust", "release-latest --date 2026-03-20")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        world
            .file("ci/release-12.0.0", "RELEASES.md")
            .contains("Released 2026-03-20")
    );
    assert!(
        world
            .file("ci/release-date-for-12.0.0", "rust/RELEASES.md")
            .contains("Released 2026-03-20")
    );
}

#[test]
fn notes_that_cannot_be_read_are_those_of_the_branch_that_is_named() {
    let world = World::new();
    world.cut("2026-03-05");
    for line in ["release-latest --date 2026-03-20", PUSH] {
        world.commit(
            "release-12.0.0",
            "Lose the notes",
            &[("RELEASES.md", "## 12.0.0\n")],
        );
        expect!["error: release-12.0.0: RELEASES.md: line 1: `Unreleased.` is missing below `## 12.0.0`: write it on the first line"]
            .assert_eq(&world.refused(line));
        fs::remove_file(world.path("github/RELEASES.md")).unwrap();
        world.commit("release-12.0.0", "Lose the notes", &[]);
        expect!["error: release-12.0.0: RELEASES.md: missing at the root of the workspace: create it, it may be empty"]
        .assert_eq(&world.refused(line));
    }
}

#[test]
fn what_is_wrong_in_a_file_of_a_branch_is_said_with_its_name() {
    let world = World::released();
    for (branch, lines) in [
        ("release-12.0.0", &["release-patch --all-supported"][..]),
        ("main", &["cut", "sync-notes"]),
    ] {
        world.checkout(branch);
        fs::remove_file(world.path("github/RELEASES.md")).unwrap();
        world.commit(branch, "Lose the notes", &[]);
        for line in lines {
            let said = world.refused(&format!("{line} --date 2026-04-05"));
            assert!(
                said.starts_with(&format!("error: {branch}: RELEASES.md: missing ")),
                "{line}: {said}"
            );
        }
    }
}

#[test]
fn a_date_on_main_that_was_thrown_away_is_proposed_again_until_the_tag() {
    let world = World::proposed();
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.close("ci/release-date-for-12.0.0");
    world.git(
        "github",
        &["push", "-q", "origin", ":ci/release-date-for-12.0.0"],
    );
    world.done("release-latest --date 2026-03-21");
    assert_eq!(
        world
            .pulls()
            .iter()
            .filter(|pull| pull.starts_with("OPEN"))
            .count(),
        1
    );
}

#[test]
fn a_killed_worktree_that_git_had_locked_leaves_no_entry() {
    let world = World::new();
    let folder = world.path("tmp/release-train-worktree-1-0");
    world.git(
        "clone",
        &[
            "worktree",
            "add",
            "-q",
            "--lock",
            "--detach",
            &folder.display().to_string(),
        ],
    );
    let output = world.xtask("clone", "cut").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(world.git("clone", &["worktree", "list"]).lines().count(), 1);
    assert!(!folder.exists());
}

#[test]
fn a_tag_of_a_version_that_leads_to_no_commit_is_named() {
    let world = World::released();
    let blob = world.git("github", &["rev-parse", "HEAD:RELEASES.md"]);
    world.git("github", &["checkout", "-q", "-b", "release-11.0.0"]);
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "release-11.0.0",
            &format!("{blob}:refs/tags/v11.0.0"),
        ],
    );
    let said = world.refused("release-patch --all-supported --date 2026-04-04");
    assert_eq!(
        said,
        format!("error: the tag of a version points to {blob}, not to a commit: delete it")
    );
}

/// What users tell git to do for their own eyes, their own commits and their own remotes.
const TOLD: &str = "
[column]\n ui = always\n[color]\n ui = always\n[core]\n abbrev = 4\n commentChar = \";\"\n editor = /bin/false\n
[diff]\n noprefix = true\n external = /bin/false\n renames = copies\n[interactive]\n singleKey = true\n
[status]\n short = true\n branch = true\n showUntrackedFiles = no\n relativePaths = false\n
[log]\n date = relative\n decorate = full\n abbrevCommit = true\n follow = true\n showRoot = false\n[format]\n pretty = oneline\n
[i18n]\n logOutputEncoding = ISO-8859-1\n[tag]\n sort = -version:refname\n gpgSign = true\n[branch]\n sort = -committerdate\n
[push]\n default = nothing\n followTags = true\n autoSetupRemote = true\n[fetch]\n prune = true\n pruneTags = true\n all = true\n
[merge]\n ff = only\n[commit]\n gpgSign = true\n verbose = true\n cleanup = scissors\n[gpg]\n program = /bin/false\n
[protocol]\n version = 0\n[submodule]\n recurse = true\n[rerere]\n enabled = true\n[grep]\n lineNumber = true\n column = true\n
[remote \"origin\"]\n tagOpt = --tags\n push = refs/heads/*\n";

#[test]
fn a_month_is_the_same_whatever_git_is_told_to_do_for_its_user() {
    let month = |told: &str| {
        let world = World::new();
        let config = world.path("clone/.git/config");
        // A tag that is nobody else's must neither go out nor be pruned.
        world.git("clone", &["tag", "--annotate", "--message", "mine", "mine"]);
        fs::write(&config, fs::read_to_string(&config).unwrap() + told).unwrap();
        world.commit(
            "main",
            "Mend \u{e4} thing",
            &[("a/src/lib.rs", "// mended\n")],
        );
        world.cut("2026-03-05");
        world.release("12.0.0", "2026-03-20");
        world.commit(
            "release-12.0.0",
            "Mend \u{f6}ther things",
            &[("b/src/lib.rs", "// mended\n")],
        );
        world.today("2026-03-25");
        let said = [
            "release-patch --branch release-12.0.0 --date 2026-03-25",
            PUSH,
            "sync-notes",
        ]
        .map(|task| {
            let said = world.done(task);
            if task.starts_with("release-patch") {
                world.merge("ci/release-12.0.1", Merge::Commit);
            }
            said
        });
        let status = world.done("status --date 2026-03-25");
        let place = world.path("").display().to_string();
        (
            world.state(),
            [&said[..], &[status]]
                .concat()
                .concat()
                .replace(&place, "$WORLD/"),
        )
    };
    let (plain, told) = (month(""), month(TOLD));
    assert_eq!(told.0, plain.0);
    assert_eq!(told.1, plain.1);
}

#[test]
fn an_origin_whose_pushes_go_to_another_repository_is_refused() {
    for (push, refused) in [
        ("git@github.com:o/r.git", false),
        ("ssh://git@ssh.github.com:443/o/R", false),
        ("https://github.com/me/r.git", true),
    ] {
        let world = World::new();
        let set = |options: &[&str]| {
            world.git("clone", &[&["remote", "set-url"], options].concat());
        };
        set(&["origin", "https://user:secret@github.com/o/r.git"]);
        set(&["--push", "origin", push]);
        let error = world.refused("cut");
        let expected = "error: origin is o/r, but pushes go to me/r: give each a remote of its own";
        assert_eq!(error == expected, refused, "{error}");
    }
}
