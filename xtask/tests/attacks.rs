//! What someone who may write to the repository, but not release, tries: each attack by its name.

mod support;

use support::registry::Rules;
use support::train::{Merge, World};

const PUSH: &str = "push-tag --branch release-12.0.0";
const MARKER: &str = "[automatically-tag-and-release-this-commit]";

/// 12.0.0 is released, and a registry waits.
fn released() -> (World, support::registry::Registry) {
    let mut world = World::released();
    let registry = world.registry(Rules::default());
    world.git("github", &["fetch", "-q", "--tags"]);
    (world, registry)
}

#[test]
fn a_tag_on_no_release_branch_is_not_acted_on() {
    let (world, _registry) = released();
    world.git("github", &["checkout", "-q", "-b", "side", "v12.0.0"]);
    for file in ["a/Cargo.toml", "b/Cargo.toml", "Cargo.lock"] {
        let text = world.file("v12.0.0", file).replace("12.0.0", "12.0.1");
        std::fs::write(world.path("github").join(file), text).unwrap();
    }
    world.git("github", &["commit", "-q", "-am", "A back door"]);
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/tags/v12.0.1"],
    );
    world.check_out("v12.0.1");
    for task in ["publish", "github-release"] {
        let error = world.refused(task);
        assert!(
            error.contains("which is not on `release-12.0.0` along first parents"),
            "{error}"
        );
    }
    // A version of no release branch at all.
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "HEAD:refs/heads/side",
            ":refs/heads/release-12.0.0",
        ],
    );
    world.cut("2026-04-05");
    let error = world.refused("publish");
    assert_eq!(
        error,
        "error: origin has no release branch for 12.0.1: `cargo xtask status` says what comes next"
    );
}

#[test]
fn a_tag_that_is_no_version_is_not_acted_on() {
    let (world, _registry) = released();
    world.commit(
        "release-12.0.0",
        "A back door",
        &[("a/src/lib.rs", "// in\n")],
    );
    for tag in ["nightly", "v12.0", "v12.0.0-evil", "12.0.0", "V12.0.0"] {
        let reference = format!("HEAD:refs/tags/{tag}");
        world.git("github", &["push", "-q", "origin", &reference]);
        world.check_out(tag);
        for task in ["publish", "github-release"] {
            let error = world.refused(task);
            assert!(error.contains("v12.0.0 is at "), "{tag}: {error}");
        }
    }
}

#[test]
fn a_tag_that_was_moved_is_not_acted_on() {
    let (world, _registry) = released();
    world.git("github", &["checkout", "-q", "-b", "side", "v12.0.0"]);
    world.git(
        "github",
        &["commit", "-q", "--allow-empty", "-m", "A back door"],
    );
    world.git(
        "github",
        &["push", "-q", "--force", "origin", "HEAD:refs/tags/v12.0.0"],
    );
    world.git(
        "clone",
        &["fetch", "-q", "--force", "origin", "tag", "v12.0.0"],
    );
    world.git("clone", &["checkout", "-q", "--detach", "v12.0.0"]);
    let error = world.refused("publish");
    assert!(error.contains("not on `release-12.0.0`"), "{error}");
}

#[test]
fn a_workspace_without_release_branches_publishes_at_a_tag_of_its_main_branch() {
    let mut world = World::new();
    let _registry = world.registry(Rules::default());
    world.git(
        "github",
        &["push", "-q", "origin", "origin/main:refs/tags/v12.0.0"],
    );
    world.check_out("v12.0.0");
    world.done("publish");
}

/// The release branch at 12.0.1, dated, and not marked.
fn unmarked_patch() -> World {
    let world = World::released();
    world.done("release-patch --branch release-12.0.0 --allow-empty --date 2026-03-25");
    world.merge("ci/release-12.0.1", Merge::SquashTitle);
    world
}

#[test]
fn a_back_merge_of_a_marked_commit_is_not_tagged() {
    let world = unmarked_patch();
    world.git(
        "github",
        &["checkout", "-q", "-b", "side", "origin/release-12.0.0"],
    );
    let message = format!("Fix the docs\n\n{MARKER}");
    world.git("github", &["commit", "-q", "--allow-empty", "-m", &message]);
    world.checkout("release-12.0.0");
    world.git(
        "github",
        &["merge", "-q", "--no-ff", "-m", "Merge the docs", "side"],
    );
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    let error = world.refused(PUSH);
    assert!(error.contains("no commit of it is marked"), "{error}");
}

#[test]
fn a_pull_request_that_dates_the_notes_in_a_comment_is_not_tagged() {
    let world = World::new();
    world.cut("2026-03-05");
    world.git("github", &["fetch", "-q"]);
    world.git(
        "github",
        &["checkout", "-q", "-b", "side", "origin/release-12.0.0"],
    );
    let notes = world.file("release-12.0.0", "RELEASES.md");
    let dated = "Unreleased.\n\n<!--\nReleased 2026-03-05.\n-->\n";
    let notes = notes.replacen("Unreleased.\n", dated, 1);
    std::fs::write(world.path("github/RELEASES.md"), &notes).unwrap();
    let message = format!("Fix a word of the notes\n\n{MARKER}");
    world.git("github", &["commit", "-q", "-am", &message]);
    world.checkout("release-12.0.0");
    let merge = ["merge", "-q", "--no-ff", "-m", "Merge a word", "side"];
    world.git("github", &merge);
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    let said = world.done(PUSH);
    assert!(said.starts_with("nothing to do: "), "{said}");
    assert!(!world.refs().contains_key("refs/tags/v12.0.0"));
    // Above the line that counts.
    let first = notes.replacen("Unreleased.\n\n", "", 1);
    world.commit("release-12.0.0", &message, &[("RELEASES.md", &first)]);
    let error = world.refused(PUSH);
    assert!(error.contains("`Unreleased.` is missing below"), "{error}");
}

#[test]
fn a_marker_in_another_encoding_does_not_count() {
    let world = unmarked_patch();
    world.checkout("release-12.0.0");
    let message = format!("Fix a thing\n\n{MARKER}");
    let latin = "i18n.commitEncoding=ISO-8859-1";
    world.git(
        "github",
        &["-c", latin, "commit", "-q", "--allow-empty", "-m", &message],
    );
    world.git("github", &["push", "-q", "origin", "HEAD:release-12.0.0"]);
    let error = world.refused(PUSH);
    assert!(error.contains("no commit of it is marked"), "{error}");
}

#[test]
fn a_branch_that_names_a_folder_as_its_toolchain_is_refused() {
    let world = World::new();
    let toolchain = "[toolchain]\npath = \"/tmp/evil\"\n";
    for file in ["rust-toolchain.toml", "rust-toolchain"] {
        world.commit("main", "A toolchain", &[(file, toolchain)]);
        let error = world.refused("cut");
        assert!(
            error.ends_with(&format!(
                "{file} names a `path`: programs of a branch are not run"
            )),
            "{error}"
        );
        std::fs::remove_file(world.path("github").join(file)).unwrap();
        world.commit("main", "None", &[]);
    }
}

#[test]
fn after_bump_gets_no_token_and_works_in_a_private_folder() {
    let config = "name = \"Demo\"\nafter-bump = [[\"env\"], [\"git\", \"-c\", \"alias.x=!env; :\", \"x\", \"push\"], [\"stat\", \"-c\", \"mode %a\", \".\"]]\n";
    let mut world = World::with(config, "12.0.0", "## 12.0.0\n\nUnreleased.\n");
    for name in [
        "GH_TOKEN",
        "CARGO_REGISTRY_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "SSH_AUTH_SOCK",
    ] {
        world.env.push((name.to_string(), "planted".to_string()));
    }
    let output = world.xtask("clone", "cut").output().unwrap();
    let printed = support::text(&output.stderr);
    assert!(
        printed.contains("\nPATH=") && printed.contains("\nmode 700\n"),
        "{printed}"
    );
    assert!(!printed.contains("planted"), "{printed}");
}

#[test]
fn a_tag_with_the_highest_numbers_stops_no_task() {
    let (world, _registry) = released();
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "v12.0.0:refs/tags/v18446744073709551615.1.0",
        ],
    );
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "v12.0.0^{}:refs/heads/release-18446744073709551615.0.0",
        ],
    );
    for task in [
        "status",
        "sync-notes",
        "push-tag --branch release-12.0.0",
        "release-patch --all-supported --allow-empty",
        "cut --force",
    ] {
        let output = world.task(task);
        let printed = support::text(&output.stderr);
        assert!(!printed.contains("panicked"), "{task}: {printed}");
    }
}

#[test]
fn a_back_door_under_the_right_subject_is_not_proposed() {
    let world = World::new();
    world.cut("2026-03-05");
    world.git(
        "github",
        &[
            "checkout",
            "-q",
            "-b",
            "ci/release-12.0.0",
            "origin/release-12.0.0",
        ],
    );
    let notes = world
        .file("release-12.0.0", "RELEASES.md")
        .replace("Unreleased", "Released 2026-03-20");
    for (file, text) in [
        ("RELEASES.md", &*notes),
        ("a/src/lib.rs", "// a back door\n"),
    ] {
        std::fs::write(world.path("github").join(file), text).unwrap();
    }
    let message = format!("Release Demo 12.0.0\n\n{MARKER}");
    world.git("github", &["commit", "-q", "-am", &message]);
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:ci/release-12.0.0"],
    );
    let before = world.state();
    let error = world.refused("release-latest --date 2026-03-20");
    assert!(
        error.contains("`ci/release-12.0.0` on origin holds other commits"),
        "{error}"
    );
    assert_eq!(world.state(), before);
}

#[test]
fn a_release_branch_that_cannot_be_read_hides_no_other_from_status() {
    let (world, _registry) = released();
    world.git(
        "github",
        &[
            "push",
            "-q",
            "origin",
            "v12.0.0^{}:refs/heads/release-99.0.0",
        ],
    );
    let output = world.task("status");
    let shown = support::text(&output.stdout);
    assert!(
        shown.contains("| release-12.0.0 ")
            && shown.contains("Problem: `release-99.0.0` is at 12.0.0"),
        "{shown}"
    );
}

#[test]
fn a_change_that_git_is_told_not_to_see_is_not_published() {
    let (world, _registry) = released();
    world.check_out("v12.0.0");
    for (mark, unmark) in [
        ("--assume-unchanged", "--no-assume-unchanged"),
        ("--skip-worktree", "--no-skip-worktree"),
    ] {
        world.git("clone", &["update-index", mark, "a/src/lib.rs"]);
        std::fs::write(world.path("clone/a/src/lib.rs"), "// a back door\n").unwrap();
        let error = world.refused("publish");
        assert!(
            error.contains("`a/src/lib.rs` is marked so that git does not see its changes"),
            "{error}"
        );
        let output = world.xtask("clone/b", "publish").output().unwrap();
        assert!(
            support::text(&output.stderr).contains("`a/src/lib.rs` is marked"),
            "from another folder"
        );
        world.git("clone", &["update-index", unmark, "a/src/lib.rs"]);
        world.git("clone", &["checkout", "-q", "a/src/lib.rs"]);
    }
}

#[test]
fn configuration_and_links_reach_no_file_outside_of_the_workspace() {
    let line = "{ file = \"../outside\", line = 'version {version}' }";
    for (config, link) in [
        (format!("version-strings = [{line}]\n"), false),
        ("notes-template = \"../outside\"\n".to_string(), false),
        (String::new(), true),
    ] {
        let world = World::with(&config, "12.0.0", "## 12.0.0\n\nUnreleased.\n");
        let outside = world.path("outside");
        std::fs::write(&outside, "version 12.0.0\n").unwrap();
        if link {
            std::fs::remove_file(world.path("clone/RELEASES.md")).unwrap();
            std::os::unix::fs::symlink(&outside, world.path("clone/RELEASES.md")).unwrap();
        }
        for task in ["bump", "notes new 13.0.0"] {
            let output = world.xtask("clone", task).output().unwrap();
            let error = support::text(&output.stderr);
            let harmless =
                output.status.success() && std::fs::read(&outside).unwrap() == b"version 12.0.0\n";
            assert!(
                harmless || error.contains("it is outside of the workspace"),
                "{task}: {error}"
            );
        }
        assert_eq!(std::fs::read(&outside).unwrap(), b"version 12.0.0\n");
    }
}

#[test]
fn bump_writes_through_no_link() {
    for file in ["Cargo.lock", "b/Cargo.toml"] {
        let world = World::new();
        let (inside, outside) = (world.path("clone").join(file), world.path("outside"));
        std::fs::rename(&inside, &outside).unwrap();
        std::os::unix::fs::symlink(&outside, &inside).unwrap();
        let before = std::fs::read(&outside).unwrap();
        let output = world.xtask("clone", "bump").output().unwrap();
        let error = support::text(&output.stderr);
        assert_eq!(
            error,
            format!("error: {file}: it is a link, and may lead anywhere\n")
        );
        assert_eq!(std::fs::read(&outside).unwrap(), before);
        let changed = world.git("clone", &["status", "--porcelain"]);
        assert!(
            changed.ends_with(file) && !changed.contains('\n'),
            "{changed}"
        );
    }
}

#[test]
fn a_release_branch_with_another_form_of_tags_gets_no_second_tag() {
    let (world, _registry) = released();
    let manifest = world.file("main", "Cargo.toml");
    let manifest = manifest.replace("name = \"Demo\"", "name = \"Demo\"\ntag = \"{version}\"");
    world.commit("main", "No v", &[("Cargo.toml", &manifest)]);
    world.git("clone", &["fetch", "-q"]);
    world.git("clone", &["checkout", "-q", "--detach", "origin/main"]);
    for task in ["release-patch --branch release-12.0.0", PUSH] {
        let error = world.refused(task);
        assert!(
            error.contains("`tag` is not the one of this checkout"),
            "{task}: {error}"
        );
    }
}
