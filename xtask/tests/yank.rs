//! `yank`: each crate at its own version, if it is published and not yanked yet.

mod support;

use std::fs;

use expect_test::expect;
use support::publishing::{Failure, faults, package};
use support::registry::{Registry, Rules};
use support::text;
use support::train::{Merge, World};

/// The versions of a crate in the index, each as `version` or `version yanked`.
fn index(world: &World, name: &str) -> Vec<String> {
    let file = fs::read_to_string(world.path("registry/index").join(name)).unwrap_or_default();
    let mut versions = Vec::new();
    for line in file.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let yanked = if line["yanked"] == true {
            " yanked"
        } else {
            ""
        };
        versions.push(line["vers"].as_str().unwrap().to_string() + yanked);
    }
    versions
}

fn publish(world: &World, tag: &str) {
    world.check_out(tag);
    world.done("publish");
}

/// The release 12.0.0 of both crates is published.
fn released() -> (World, Registry) {
    let mut world = World::released();
    let registry = world.registry(Rules::default());
    publish(&world, "v12.0.0");
    (world, registry)
}

#[test]
fn candidates_are_yanked_once_a_later_one_or_the_release_is_published() {
    let config = "name = \"Demo\"\nrelease-candidates = true\nversion-of = \"a\"\n";
    let mut world = World::with(config, "12.0.0-dev", "## 12.0.0\n\nUnreleased.\n");
    let _registry = world.registry(Rules::default());
    // `b` has version numbers of its own.
    let needs = "[dependencies]\na = { path = \"../a\", version = \"=12.0.0-dev\" }\n";
    let manifest = package("b", "0.99.0-dev", needs);
    world.commit("main", "Other numbers", &[("b/Cargo.toml", &manifest)]);
    world.lock();
    world.git("clone", &["fetch", "-q"]);
    world.git("clone", &["checkout", "-q", "--detach", "origin/main"]);
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    publish(&world, "v12.0.0-rc.1");
    world.commit("release-12.0.0", "Fix", &[("a/src/lib.rs", "// fixed\n")]);
    world.done("release-candidate --branch release-12.0.0");
    world.merge("ci/release-candidate-12.0.0-rc.2", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    // rc.2 is tagged, and not published yet.
    assert!(world.done("yank --candidates").contains("nothing to do"));
    publish(&world, "v12.0.0-rc.2");
    // Tags of candidates of another project.
    world.git("github", &["checkout", "-q", "--orphan", "other"]);
    world.git("github", &["rm", "-rfq", "."]);
    world.git("github", &["commit", "-q", "--allow-empty", "-m", "Other"]);
    for tag in ["v0.1.0-rc.1", "v0.1.0-rc.2"] {
        let refspec = format!("HEAD:refs/tags/{tag}");
        world.git("github", &["push", "-q", "origin", &refspec]);
    }
    let said = world.done("yank --candidates");
    let (other, ours) = said.split_once("; skipped\n").unwrap();
    assert!(
        other.starts_with("v0.1.0-rc.1: could not find `Cargo.toml` in "),
        "{said}"
    );
    expect![[r#"
        $ cargo yank --registry rehearsal --version 12.0.0-rc.1 a
        $ cargo yank --registry rehearsal --version 0.99.0-rc.1 b
    "#]]
    .assert_eq(ours);
    assert_eq!(index(&world, "b"), ["0.99.0-rc.1 yanked", "0.99.0-rc.2"]);
    assert!(world.done("yank --candidates").contains("nothing to do"));
    world.release("12.0.0", "2026-03-20");
    publish(&world, "v12.0.0");
    world.done("yank --candidates");
    assert_eq!(
        index(&world, "a"),
        ["12.0.0-rc.1 yanked", "12.0.0-rc.2 yanked", "12.0.0"]
    );
}

#[test]
fn a_release_is_yanked_and_the_others_and_an_independent_crate_stay() {
    let (world, _registry) = released();
    let manifest =
        world.file("release-12.0.0", "Cargo.toml") + "independent = [\"a\"]\nversion-of = \"b\"\n";
    world.commit(
        "release-12.0.0",
        "Independent",
        &[("Cargo.toml", &manifest)],
    );
    world.done("release-patch --branch release-12.0.0");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    publish(&world, "v12.0.1");
    world.done("yank 12.0.1");
    assert_eq!(index(&world, "a"), ["12.0.0"]);
    assert_eq!(index(&world, "b"), ["12.0.0", "12.0.1 yanked"]);
    assert!(world.done("yank 12.0.1").contains("nothing to do"));
    expect!["error: origin has no tag v13.0.0"].assert_eq(&world.refused("yank 13.0.0"));
    for line in ["yank", "yank 12.0.1 --candidates"] {
        let output = world.task(line);
        let said = "error: either VERSION or --candidates is required; see --help\n";
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stderr), said);
    }
}

#[test]
fn a_yank_that_is_refused_continues_there_when_it_is_run_again() {
    let (mut world, registry) = released();
    drop(registry);
    let _registry = world.registry(faults(|method, _, count| {
        (method == "DELETE" && count == 1)
            .then(|| Failure::Refused(403, "authentication failed".to_string()))
    }));
    let error = world.refused("yank 12.0.0");
    assert!(
        error.starts_with("error: b: ")
            && error.ends_with("(status 403 Forbidden): authentication failed"),
        "{error}"
    );
    assert_eq!(index(&world, "a"), ["12.0.0 yanked"]);
    world.done("yank 12.0.0");
    assert_eq!(index(&world, "b"), ["12.0.0 yanked"]);
}

#[test]
fn a_tag_at_a_commit_of_another_version_yanks_nothing() {
    let mut world = World::released();
    let _registry = world.registry(Rules::default());
    world.check_out("v12.0.0");
    world.done("publish");
    let tag = format!("{}:refs/tags/v12.0.1", world.refs()["refs/tags/v12.0.0"]);
    world.git("github", &["fetch", "-q"]);
    world.git("github", &["push", "-q", "origin", &tag]);
    assert_eq!(
        world.refused("yank 12.0.1"),
        "error: v12.0.1 is at a commit of 12.0.0: delete the tag on origin"
    );
}
