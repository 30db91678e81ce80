//! `github-release`: a draft until everything is there, and the right one called the latest.

mod support;

use std::fs;

use expect_test::expect;
use serde_json::{Value, json};
use support::registry::{Registry, Rules};
use support::train::{Merge, World};

/// 12.0.0 is tagged and checked out; two artifacts are in target/dist.
fn tagged() -> (World, Registry) {
    let mut world = World::released();
    let registry = world.registry(Rules::default());
    world.check_out("v12.0.0");
    artifacts(&world, "12.0.0");
    (world, registry)
}

fn artifacts(world: &World, version: &str) {
    let dist = world.path("clone/target/dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(&dist).unwrap();
    for name in [
        "b-vVERSION-x86_64-unknown-linux-gnu.tar.gz",
        "demo-vVERSION-src.tar.gz",
    ] {
        fs::write(
            dist.join(name.replace("VERSION", version)),
            format!("{name} {version}"),
        )
        .unwrap();
    }
}

/// Tags, publishes and releases a patch of a line.
fn patched(world: &World, branch: &str, version: &str) {
    world.done(&format!("release-patch --branch {branch} --allow-empty"));
    world.merge(&format!("ci/release-{version}"), Merge::Commit);
    world.done(&format!("push-tag --branch {branch}"));
    world.check_out(&format!("v{version}"));
    artifacts(world, version);
    world.done("publish");
    world.done("github-release");
}

fn release(world: &World, tag: &str) -> Value {
    let state = world.stand_in();
    let found: Vec<&Value> = state["releases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|release| release["tag_name"] == tag)
        .collect();
    assert_eq!(found.len(), 1);
    found[0].clone()
}

fn assets(world: &World, tag: &str) -> usize {
    release(world, tag)["assets"].as_array().unwrap().len()
}

fn uploads(world: &World) -> usize {
    let calls = fs::read_to_string(world.path("gh/calls")).unwrap();
    calls
        .lines()
        .filter(|line| line.starts_with("[\"release\",\"upload\""))
        .count()
}

#[test]
fn a_draft_until_every_crate_is_in_the_index_then_public_and_the_latest() {
    let (world, _registry) = tagged();
    expect![[r#"
        $ gh release create v12.0.0 --draft --title "Demo 12.0.0" --notes-file -
        $ gh release upload v12.0.0 --clobber WORLD/clone/target/dist/b-v12.0.0-x86_64-unknown-linux-gnu.tar.gz WORLD/clone/target/dist/demo-v12.0.0-src.tar.gz
        v12.0.0 stays a draft: 2 crates are not in the registry yet; `cargo xtask publish`, then this again
    "#]].assert_eq(&world.done("github-release").replace(&world.path("").display().to_string(), "WORLD/"));
    let draft = release(&world, "v12.0.0");
    assert_eq!(
        (&draft["draft"], &draft["name"], assets(&world, "v12.0.0")),
        (&json!(true), &json!("Demo 12.0.0"), 2)
    );
    expect![[r#"
        Released 2026-03-20.

        ### Added

        * A thing."#]]
    .assert_eq(draft["body"].as_str().unwrap());
    // Nothing has changed.
    let before = world.stand_in();
    world.done("github-release");
    assert_eq!(world.stand_in(), before);
    let error = world.refused("github-release --public");
    assert!(
        error.starts_with("error: v12.0.0 stays a draft: 2 crates are not in the registry yet"),
        "{error}"
    );
    world.done("publish");
    expect![[r#"
        $ gh release edit v12.0.0 --draft=false --prerelease=false --latest=true
    "#]]
    .assert_eq(&world.done("github-release"));
    assert_eq!(
        (
            &release(&world, "v12.0.0")["draft"],
            &world.stand_in()["latest"]
        ),
        (&json!(false), &json!("v12.0.0"))
    );
    expect![[r#"
        nothing to do: https://github.com/rehearsal/rehearsal/releases/tag/v12.0.0 is public
    "#]]
    .assert_eq(&world.done("github-release"));
    assert_eq!(uploads(&world), 1);
}

#[test]
fn wasmtime_13329_a_patch_of_an_old_branch_is_not_the_latest() {
    let (world, _registry) = tagged();
    world.done("publish");
    world.done("github-release");
    world.cut("2026-04-05");
    world.release("13.0.0", "2026-04-20");
    world.check_out("v13.0.0");
    artifacts(&world, "13.0.0");
    world.done("publish");
    world.done("github-release");
    patched(&world, "release-12.0.0", "12.0.1");
    assert_eq!(world.stand_in()["latest"], "v13.0.0");
    patched(&world, "release-13.0.0", "13.0.1");
    assert_eq!(world.stand_in()["latest"], "v13.0.1");
    // Somebody, or the server, has called another the latest: it is mended, whichever release is looked at.
    world.set_stand_in(|state| state["latest"] = json!("v12.0.1"));
    let said = world.done("github-release");
    assert!(
        said.contains("the latest release is v12.0.1, and should be v13.0.1"),
        "{said}"
    );
    assert_eq!(world.stand_in()["latest"], "v13.0.1");
    // A release of something else in the same repository is somebody's own business.
    world.set_stand_in(|state| {
        state["latest"] = json!("editor-1.0");
        state["releases"].as_array_mut().unwrap().push(
            json!({ "tag_name": "editor-1.0", "draft": false, "prerelease": false, "assets": [], "html_url": "" }),
        );
    });
    world.done("github-release");
    assert_eq!(world.stand_in()["latest"], "editor-1.0");
}

#[test]
fn a_candidate_is_a_pre_release_and_never_the_latest() {
    let mut world = World::with(
        "name = \"Demo\"\nrelease-candidates = true\n",
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n\n* A thing.\n",
    );
    let _registry = world.registry(Rules::default());
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    world.check_out("v12.0.0-rc.1");
    artifacts(&world, "12.0.0-rc.1");
    world.done("publish");
    world.done("github-release");
    let release = release(&world, "v12.0.0-rc.1");
    assert_eq!(
        (
            &release["draft"],
            &release["prerelease"],
            &world.stand_in()["latest"]
        ),
        (&json!(false), &json!(true), &Value::Null)
    );
    assert_eq!(release["body"], "Unreleased.\n\n* A thing.");
}

#[test]
fn wasmtime_3812_no_release_without_its_artifacts() {
    let (world, _registry) = tagged();
    fs::remove_dir_all(world.path("clone/target")).unwrap();
    world.done("publish");
    expect!["error: target/dist is empty: `cargo xtask dist` makes the artifacts"]
        .assert_eq(&world.refused("github-release"));
    artifacts(&world, "12.0.0");
    let old = world.path("clone/target/dist/b-v11.0.0-x86_64-unknown-linux-gnu.tar.gz");
    fs::write(&old, "old").unwrap();
    expect!["error: WORLD/clone/target/dist/b-v11.0.0-x86_64-unknown-linux-gnu.tar.gz is not of 12.0.0: remove it"]
        .assert_eq(&world.refused("github-release").replace(&world.path("").display().to_string(), "WORLD/"));
    fs::remove_file(old).unwrap();
    world.done("github-release");
    assert_eq!(assets(&world, "v12.0.0"), 2);
}

#[test]
fn a_job_without_the_artifacts_makes_the_draft_of_another_job_public() {
    let (world, _registry) = tagged();
    world.done("github-release");
    fs::remove_dir_all(world.path("clone/target")).unwrap();
    world.done("publish");
    world.done("github-release");
    assert_eq!(release(&world, "v12.0.0")["draft"], false);
}

#[test]
fn an_asset_that_broke_off_or_is_another_is_uploaded_again_and_the_others_stay() {
    let (world, _registry) = tagged();
    world.done("github-release");
    world.set_stand_in(|state| state["releases"][0]["assets"][0]["state"] = json!("starter"));
    world.done("github-release");
    let calls = fs::read_to_string(world.path("gh/calls")).unwrap();
    let last = calls
        .lines()
        .rfind(|line| line.starts_with("[\"release\",\"upload\""))
        .unwrap();
    assert!(
        last.contains("b-v12.0.0-") && !last.contains("-src.tar.gz"),
        "{last}"
    );
    world.set_stand_in(|state| state["releases"][0]["assets"][1]["digest"] = json!("sha256:0"));
    world.done("github-release");
    assert_eq!((uploads(&world), assets(&world, "v12.0.0")), (3, 2));
    // Broken off, and not here to be uploaded again.
    world.set_stand_in(|state| state["releases"][0]["assets"][0]["state"] = json!("starter"));
    fs::remove_dir_all(world.path("clone/target")).unwrap();
    world.done("publish");
    expect!["error: the upload of demo-v12.0.0-src.tar.gz broke off: run this where target/dist has it, or delete it"]
        .assert_eq(&world.refused("github-release"));
}

#[test]
fn what_is_not_of_this_commit_does_not_go_out() {
    let (world, _registry) = tagged();
    fs::write(
        world.path("clone/RELEASES.md"),
        "## 12.0.0\n\nReleased 2026-03-20.\n\nNot committed.\n",
    )
    .unwrap();
    expect!["error: `RELEASES.md` is not committed: what goes out must be a commit"]
        .assert_eq(&world.refused("github-release"));
    world.git("clone", &["checkout", "-q", "."]);
    let dist = world.path("clone/target/dist");
    fs::write(dist.join("b-v12.0.0-rc.1-x.tar.gz"), "").unwrap();
    assert!(
        world
            .refused("github-release")
            .ends_with("b-v12.0.0-rc.1-x.tar.gz is not of 12.0.0: remove it")
    );
    fs::remove_file(dist.join("b-v12.0.0-rc.1-x.tar.gz")).unwrap();
    fs::write(dist.join("notes for users.pdf"), "").unwrap();
    assert!(
        world
            .refused("github-release")
            .contains("GitHub would change this name")
    );
    fs::remove_file(dist.join("notes for users.pdf")).unwrap();
    fs::write(dist.join(".DS_Store"), "").unwrap();
    world.done("github-release");
    assert_eq!(assets(&world, "v12.0.0"), 2);
    // A server that knows no digests.
    world.set_stand_in(|state| state["releases"][0]["assets"][0]["digest"] = Value::Null);
    world.done("github-release");
    assert_eq!(uploads(&world), 1);
}

#[test]
fn two_drafts_of_one_tag_are_not_chosen_from() {
    let (world, _registry) = tagged();
    world.done("github-release");
    world.set_stand_in(|state| {
        let mut second = state["releases"][0].clone();
        second["html_url"] =
            json!("https://github.com/rehearsal/rehearsal/releases/tag/untagged-2");
        state["releases"].as_array_mut().unwrap().push(second);
    });
    expect!["error: v12.0.0 has several releases: delete all but one of https://github.com/rehearsal/rehearsal/releases/tag/v12.0.0, https://github.com/rehearsal/rehearsal/releases/tag/untagged-2"].assert_eq(&world.refused("github-release"));
}

#[test]
fn only_at_the_tag() {
    let (world, _registry) = tagged();
    world.check_out("origin/main");
    expect!["error: origin has no tag v13.0.0: `cargo xtask push-tag` comes first"]
        .assert_eq(&world.refused("github-release"));
}

#[test]
fn notes_of_any_length_with_links_and_images() {
    let line = "* A [thing](https://example.com/a?b=c&d=%20) with ![an image](https://example.com/i.png), `code` and <b>more</b>.\n";
    let mut world = World::with(
        "name = \"Demo\"\n",
        "12.0.0",
        &format!("## 12.0.0\n\nUnreleased.\n\n{}", line.repeat(900)),
    );
    let _registry = world.registry(Rules::default());
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    world.check_out("v12.0.0");
    artifacts(&world, "12.0.0");
    world.done("github-release");
    let body = release(&world, "v12.0.0")["body"]
        .as_str()
        .unwrap()
        .to_string();
    assert_eq!(
        body,
        format!("Released 2026-03-20.\n\n{}", line.repeat(900).trim_end())
    );
    // Longer than GitHub takes.
    let notes = world
        .file("release-12.0.0", "RELEASES.md")
        .replace(line, &line.repeat(2));
    world.commit("release-12.0.0", "More notes", &[("RELEASES.md", &notes)]);
    patched_notes(&world, line);
}

/// The next patch has notes of its own that are too long.
fn patched_notes(world: &World, line: &str) {
    let notes = world.file("release-12.0.0", "RELEASES.md");
    let section = format!("## 12.0.1\n\nUnreleased.\n\n{}\n", line.repeat(2_000));
    world.commit(
        "release-12.0.0",
        "Notes",
        &[("RELEASES.md", &(section + &notes))],
    );
    world.done("release-patch --branch release-12.0.0");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    world.check_out("v12.0.1");
    artifacts(world, "12.0.1");
    world.done("github-release");
    let body = release(world, "v12.0.1")["body"]
        .as_str()
        .unwrap()
        .to_string();
    assert!(
        body.chars().count() < 125_000
            && body.ends_with("more</b>.\n\nThe rest is in RELEASES.md at this tag.\n")
    );
}
