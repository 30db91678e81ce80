//! `yank`: each crate on its own version line, what is there and not yanked yet.

mod support;

use std::fs;

use expect_test::expect;
use support::publishing::{Failure, Fault, package};
use support::registry::{Registry, Rules};
use support::text;
use support::train::{Merge, World};

/// The index of a crate, as `version` or `version yanked`.
fn index(world: &World, name: &str) -> Vec<String> {
    let file = fs::read_to_string(world.path("registry/index").join(name)).unwrap_or_default();
    let lines = file
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let said = |line: serde_json::Value| {
        format!(
            "{}{}",
            line["vers"].as_str().unwrap(),
            if line["yanked"] == true {
                " yanked"
            } else {
                ""
            }
        )
    };
    lines.map(said).collect()
}

fn published(world: &World, tag: &str) {
    world.check_out(tag);
    world.done("publish");
}

/// Two candidates and the release of 12.0.0 are published. `b` is on a version line of its own.
fn candidates() -> (World, Registry) {
    let mut world = World::with(
        "name = \"Demo\"\nrelease-candidates = true\nversion-of = \"a\"\n",
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n",
    );
    let registry = world.registry(Rules::default());
    let dependency = "[dependencies]\na = { path = \"../a\", version = \"=12.0.0-dev\" }\n";
    world.commit(
        "main",
        "Another line",
        &[("b/Cargo.toml", &package("b", "0.99.0-dev", dependency))],
    );
    world.lock();
    world.git("clone", &["fetch", "-q"]);
    world.git("clone", &["checkout", "-q", "--detach", "origin/main"]);
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    published(&world, "v12.0.0-rc.1");
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.done("release-candidate --branch release-12.0.0");
    world.merge("ci/release-candidate-12.0.0-rc.2", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    (world, registry)
}

#[test]
fn candidates_are_yanked_when_what_replaces_them_is_there_each_on_its_own_line() {
    let (world, _registry) = candidates();
    assert!(
        world.done("yank --candidates").contains("nothing to do"),
        "rc.2 is tagged and not published"
    );
    published(&world, "v12.0.0-rc.2");
    // A tag of this form that is nobody's candidate.
    world.git("github", &["checkout", "-q", "--orphan", "other"]);
    world.git("github", &["rm", "-rfq", "."]);
    world.git("github", &["commit", "-q", "--allow-empty", "-m", "Other"]);
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/tags/v0.1.0-rc.1"],
    );
    let said = world.done("yank --candidates");
    assert!(
        said.starts_with("v0.1.0-rc.1: could not find `Cargo.toml` in "),
        "{said}"
    );
    expect![[r#"
        $ cargo yank --registry rehearsal --version 12.0.0-rc.1 a
        $ cargo yank --registry rehearsal --version 0.99.0-rc.1 b
    "#]]
    .assert_eq(said.split_once("; left out\n").unwrap().1);
    assert_eq!(index(&world, "b"), ["0.99.0-rc.1 yanked", "0.99.0-rc.2"]);
    assert!(world.done("yank --candidates").contains("nothing to do"));
    world.release("12.0.0", "2026-03-20");
    published(&world, "v12.0.0");
    world.done("yank --candidates");
    assert_eq!(
        index(&world, "a"),
        ["12.0.0-rc.1 yanked", "12.0.0-rc.2 yanked", "12.0.0"]
    );
}

#[test]
fn a_release_is_yanked_and_what_another_release_has_too_stays() {
    let mut world = World::released();
    let _registry = world.registry(Rules::default());
    published(&world, "v12.0.0");
    world.done("release-patch --branch release-12.0.0 --allow-empty");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    published(&world, "v12.0.1");
    world.done("yank 12.0.1");
    assert_eq!(
        (index(&world, "a"), index(&world, "b")),
        (
            vec!["12.0.0".into(), "12.0.1 yanked".into()],
            vec!["12.0.0".to_string(), "12.0.1 yanked".into()]
        )
    );
    assert!(world.done("yank 12.0.1").contains("nothing to do"));
    expect!["error: origin has no tag v13.0.0: what it released is not known"]
        .assert_eq(&world.refused("yank 13.0.0"));
    for line in ["yank", "yank 12.0.1 --candidates"] {
        let output = world.task(line);
        let said =
            "error: say which VERSION, or --candidates; `cargo xtask --help` shows what there is\n";
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(2), said)
        );
    }
}

#[test]
fn what_a_later_release_needs_stays_though_its_crate_has_become_independent() {
    let mut world = World::released();
    let _registry = world.registry(Rules::default());
    published(&world, "v12.0.0");
    let manifest =
        world.file("release-12.0.0", "Cargo.toml") + "independent = [\"a\"]\nversion-of = \"b\"\n";
    world.commit("release-12.0.0", "On its own", &[("Cargo.toml", &manifest)]);
    world.done("release-patch --branch release-12.0.0");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    published(&world, "v12.0.1");
    assert!(
        world
            .done("yank 12.0.0")
            .contains("a 12.0.0 stays: another release has it, too")
    );
    assert_eq!(index(&world, "a"), ["12.0.0"]);
    assert_eq!(index(&world, "b"), ["12.0.0 yanked", "12.0.1"]);
}

#[test]
fn a_yank_that_is_refused_says_which_token_it_needs_and_goes_on_from_there() {
    let mut world = World::released();
    let registry = world.registry(Rules::default());
    published(&world, "v12.0.0");
    drop(registry);
    let fault: Fault = Box::new(|method, _, count| {
        (method == "DELETE" && count == 1)
            .then(|| Failure::Refused(403, "authentication failed".to_string()))
    });
    let _registry = world.registry(Rules {
        fault: Some(fault),
        ..Rules::default()
    });
    expect!["error: `b` 12.0.0: status 403 Forbidden: authentication failed; 1 are left, and the same command goes on from there (it needs an API token with the scope `yank`)"]
        .assert_eq(&world.refused("yank 12.0.0"));
    assert_eq!(index(&world, "a"), ["12.0.0 yanked"]);
    world.done("yank 12.0.0");
    assert_eq!(index(&world, "b"), ["12.0.0 yanked"]);
}
