//! The train under disturbance: a remote that refuses, a user with wishes of their own. What counts is the state at the end.
//! Tasks that fail or are killed are in `faults.rs`.

mod support;

use std::fs;

use expect_test::expect;
use support::text;
use support::train::{Merge, World};

fn on_the_twentieth() -> World {
    let world = World::new();
    world.cut("2026-03-05");
    world.today("2026-03-20");
    world
}

fn merged() -> World {
    let world = on_the_twentieth();
    world.done("release-latest --date 2026-03-20");
    world.merge("ci/release-12.0.0", Merge::Commit);
    world
}

const LATEST: &str = "release-latest --date 2026-03-20";
const PUSH_TAG: &str = "push-tag --branch release-12.0.0";

#[test]
fn a_remote_that_refuses_one_ref_gets_none() {
    let world = on_the_twentieth();
    let hook = world.path("origin.git/hooks/update");
    fs::create_dir(hook.parent().unwrap()).unwrap();
    fs::write(
        &hook,
        "#!/bin/sh\ncase $1 in *date-for*) echo '::error::not today'; exit 1;; esac\n",
    )
    .unwrap();
    fs::set_permissions(
        &hook,
        <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755),
    )
    .unwrap();
    let said = world.refused(LATEST);
    assert!(said.contains("remote: ::error::not today"), "{said}");
    fs::remove_file(&hook).unwrap();
    world.done(LATEST);
}

#[test]
fn a_remote_that_moved_meanwhile_is_not_overwritten() {
    let world = on_the_twentieth();
    // Somebody makes the very branch between our look and our push.
    let elsewhere = world.refs()["refs/heads/main"].clone();
    let other = world.git(
        "origin.git",
        &["commit-tree", "-p", &elsewhere, "-m", "Mine", "main^{tree}"],
    );
    let git = World::real("git");
    let script = format!(
        "case $1 in push) {git} -C {} update-ref refs/heads/ci/release-12.0.0 {other};; esac\nexec {git} \"$@\"",
        world.path("origin.git").display()
    );
    world.wrap("git", &script);
    let output = world.xtask("clone", LATEST).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(world.refs()["refs/heads/ci/release-12.0.0"], other);
    assert!(
        !world
            .refs()
            .contains_key("refs/heads/ci/release-date-for-12.0.0")
    );
    assert_eq!(world.pulls().len(), 1);
}

#[test]
fn what_the_user_has_configured_for_themselves_stays_with_them() {
    let world = merged();
    let hooks = world.path("hooks");
    fs::create_dir(&hooks).unwrap();
    for hook in [
        "pre-commit",
        "commit-msg",
        "prepare-commit-msg",
        "post-checkout",
        "pre-push",
        "post-commit",
    ] {
        fs::write(
            hooks.join(hook),
            format!(
                "#!/bin/sh\necho {hook} >> {}\nexit 1\n",
                world.path("ran").display()
            ),
        )
        .unwrap();
        fs::set_permissions(
            hooks.join(hook),
            <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755),
        )
        .unwrap();
    }
    let config = format!(
        "[commit]\ngpgsign = true\n[tag]\ngpgsign = true\n[gpg]\nprogram = /bin/false\n[push]\nfollowTags = true\nrecurseSubmodules = on-demand\ngpgSign = true\n[core]\nhooksPath = {}\n[color]\nui = always\n[log]\nshowSignature = true\n[fetch]\nprune = true\n[user]\nsigningKey = nobody\n",
        hooks.display()
    );
    world.git("clone", &["tag", "-a", "-m", "mine", "my-own-tag"]);
    fs::write(world.path("home/.gitconfig"), config).unwrap();
    world.done(PUSH_TAG);
    world.done("release-patch --branch release-12.0.0 --allow-empty");
    assert!(!world.refs().keys().any(|name| name.contains("my-own-tag")));
    assert!(
        !world.path("ran").exists(),
        "{}",
        fs::read_to_string(world.path("ran")).unwrap()
    );
    assert!(
        !world
            .git("origin.git", &["cat-file", "-p", "ci/release-12.0.1"])
            .contains("gpgsig")
    );
}

#[test]
fn a_checkout_that_is_dirty_detached_and_elsewhere_does_not_matter() {
    let world = on_the_twentieth();
    world.git("clone", &["checkout", "-q", "--detach"]);
    fs::write(
        world.path("clone/Cargo.toml"),
        "[workspace]\nmembers = []\n",
    )
    .unwrap();
    fs::write(world.path("clone/untracked"), "").unwrap();
    fs::write(world.path("clone/RELEASES.md"), "mine\n").unwrap();
    world.git("clone", &["add", "RELEASES.md"]);
    world.done(LATEST);
    assert_eq!(world.pulls().len(), 3);
}

#[test]
fn a_run_that_was_killed_leaves_nothing_behind_after_the_next() {
    let mut world = on_the_twentieth();
    let git = World::real("git");
    world.wrap(
        "git",
        &format!(
            "case \"$KILL $*\" in \"yes \"*\"worktree add\"*) {git} \"$@\"; kill -9 $PPID;; esac\nexec {git} \"$@\""
        ),
    );
    world.env.push(("KILL".into(), "yes".into()));
    assert!(
        !world
            .xtask("clone", LATEST)
            .output()
            .unwrap()
            .status
            .success()
    );
    world.env.clear();
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 1);
    assert_eq!(world.git("clone", &["worktree", "list"]).lines().count(), 2);
    let output = world.xtask("clone", LATEST).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read_dir(world.path("tmp")).unwrap().count(), 0);
    assert_eq!(world.git("clone", &["worktree", "list"]).lines().count(), 1);
}

#[test]
fn without_gh_nothing_is_begun() {
    let mut world = on_the_twentieth();
    fs::create_dir(world.path("few")).unwrap();
    for program in ["git", "cargo", "rustc"] {
        std::os::unix::fs::symlink(World::real(program), world.path("few").join(program)).unwrap();
    }
    world
        .env
        .push(("PATH".into(), world.path("few").display().to_string()));
    expect!["error: gh: `gh` is not installed"].assert_eq(&world.refused(LATEST));
}

#[test]
fn without_a_remote_nothing_is_begun() {
    let world = World::new();
    world.git("clone", &["remote", "set-url", "origin", "/nowhere"]);
    expect!["error: '/nowhere' does not appear to be a git repository: Could not read from remote repository.: Please make sure you have the correct access rights: and the repository exists."].assert_eq(&world.refused("cut"));
    world.git(
        "clone",
        &["remote", "set-url", "origin", "http://127.0.0.1:1/o/r"],
    );
    assert!(
        world
            .refused("cut")
            .contains("unable to access 'http://127.0.0.1:1/o/r/'")
    );
    world.git("clone", &["remote", "remove", "origin"]);
    expect!["error: No such remote 'origin'"].assert_eq(&world.refused("cut"));
}
