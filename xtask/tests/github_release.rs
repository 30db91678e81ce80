//! `github-release`: a draft, its files, then public, and the right one called the latest.

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
    check_out(&world, "12.0.0");
    (world, registry)
}

/// 12.0.0 is in the registry, too.
fn published() -> (World, Registry) {
    let (world, registry) = tagged();
    world.done("publish");
    (world, registry)
}

/// Checks a version's tag out, with artifacts as `dist` makes them.
fn check_out(world: &World, version: &str) {
    world.check_out(&format!("v{version}"));
    let dist = world.path("clone/target/dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(&dist).unwrap();
    for name in ["x86_64-unknown-linux-gnu.tar.gz", "src.tar.gz"] {
        fs::write(dist.join(format!("demo-v{version}-{name}")), name).unwrap();
    }
}

/// Publishes and releases a tagged version.
fn release(world: &World, version: &str) {
    check_out(world, version);
    world.done("publish");
    world.done("github-release");
}

/// Tags, publishes and releases a patch of a release branch.
fn patch(world: &World, branch: &str, version: &str) {
    world.done(&format!("release-patch --branch {branch} --allow-empty"));
    world.merge(&format!("ci/release-{version}"), Merge::Commit);
    world.done(&format!("push-tag --branch {branch}"));
    release(world, version);
}

/// The only release of a tag.
fn released(world: &World, tag: &str) -> Value {
    let mut found = world.stand_in()["releases"].as_array().unwrap().clone();
    found.retain(|release| release["tag_name"] == tag);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Makes the first release a draft again, and changes it.
fn redraft(world: &World, change: impl Fn(&mut Value)) {
    world.set_stand_in(|state| {
        state["releases"][0]["draft"] = json!(true);
        change(&mut state["releases"][0]);
    });
}

fn uploads(world: &World) -> usize {
    let calls = fs::read_to_string(world.path("gh/calls")).unwrap();
    calls.matches("[\"release\",\"upload\"").count()
}

#[test]
fn once_every_crate_is_published_it_is_public_with_its_files_and_the_latest() {
    let (world, _registry) = tagged();
    expect![
        "error: `a` 12.0.0 is missing from rehearsal or yanked: run `cargo xtask publish` first"
    ]
    .assert_eq(&world.refused("github-release"));
    assert_eq!(world.stand_in()["releases"], Value::Null);
    world.done("publish");
    let said = world.done("github-release");
    let place = world.path("").display().to_string();
    expect![[r#"
        $ gh release create v12.0.0 --draft --title "Demo 12.0.0" --notes-file - --repo rehearsal/rehearsal
        $ gh release upload v12.0.0 --clobber WORLD/clone/target/dist/demo-v12.0.0-src.tar.gz WORLD/clone/target/dist/demo-v12.0.0-x86_64-unknown-linux-gnu.tar.gz --repo rehearsal/rehearsal
        $ gh release edit v12.0.0 --draft=false --prerelease=false --latest=true --repo rehearsal/rehearsal
    "#]].assert_eq(&said.replace(&place, "WORLD/"));
    let release = released(&world, "v12.0.0");
    assert_eq!(
        (&release["draft"], &release["name"]),
        (&json!(false), &json!("Demo 12.0.0"))
    );
    expect![[r#"
        Released 2026-03-20.

        ### Added

        * A thing."#]]
    .assert_eq(release["body"].as_str().unwrap());
    assert_eq!(release["assets"].as_array().unwrap().len(), 2);
    assert_eq!(world.stand_in()["latest"], "v12.0.0");
    expect![[r#"
        nothing to do: https://github.com/rehearsal/rehearsal/releases/tag/v12.0.0 is public
    "#]]
    .assert_eq(&world.done("github-release"));
    assert_eq!(uploads(&world), 1);
}

#[test]
fn wasmtime_13329_a_patch_of_an_old_branch_is_not_the_latest() {
    let (world, _registry) = published();
    world.done("github-release");
    world.cut("2026-04-05");
    world.release("13.0.0", "2026-04-20");
    release(&world, "13.0.0");
    patch(&world, "release-12.0.0", "12.0.1");
    assert_eq!(world.stand_in()["latest"], "v13.0.0");
    patch(&world, "release-13.0.0", "13.0.1");
    assert_eq!(world.stand_in()["latest"], "v13.0.1");
    // A human, or the server, marked another as the latest.
    world.set_stand_in(|state| state["latest"] = json!("v12.0.1"));
    let said = world.done("github-release");
    assert!(
        said.contains("the latest release is v12.0.1, not v13.0.1"),
        "{said}"
    );
    assert_eq!(world.stand_in()["latest"], "v13.0.1");
    // A release of something else in the same repository is left alone.
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
    release(&world, "12.0.0-rc.1");
    let release = released(&world, "v12.0.0-rc.1");
    assert_eq!(
        (&release["draft"], &release["prerelease"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(world.stand_in()["latest"], Value::Null);
    assert_eq!(release["body"], "Unreleased.\n\n* A thing.");
}

#[test]
fn wasmtime_3812_no_release_without_its_files_and_none_with_others() {
    let (world, _registry) = published();
    let dist = world.path("clone/target/dist");
    for (name, expected) in [
        (
            "demo-v11.0.0-src.tar.gz",
            expect!["error: DIST/demo-v11.0.0-src.tar.gz is not of v12.0.0: remove it"],
        ),
        (
            "demo-v12.0.0-rc.1-src.tar.gz",
            expect!["error: DIST/demo-v12.0.0-rc.1-src.tar.gz is not of v12.0.0: remove it"],
        ),
        (
            "notes for users.pdf",
            expect![
                "error: DIST/notes for users.pdf: rename it: GitHub keeps only letters, digits and `._-+` in a name"
            ],
        ),
    ] {
        fs::write(dist.join(name), "").unwrap();
        let error = world.refused("github-release");
        expected.assert_eq(&error.replace(&dist.display().to_string(), "DIST"));
        fs::remove_file(dist.join(name)).unwrap();
    }
    fs::remove_dir_all(&dist).unwrap();
    let empty = "error: target/dist is empty: `cargo xtask dist` makes the artifacts";
    assert_eq!(world.refused("github-release"), empty);
    assert_eq!(world.stand_in()["releases"], Value::Null);
    check_out(&world, "12.0.0");
    fs::write(dist.join(".DS_Store"), "").unwrap();
    // GitHub accepts an upload that never arrives.
    let lossy = "[ \"$2\" = upload ] || exec \"$(dirname \"$0\")/../real/gh\" \"$@\"";
    world.wrap("gh", lossy);
    expect![
        "error: demo-v12.0.0-src.tar.gz was uploaded and is not shown by GitHub: run this again"
    ]
    .assert_eq(&world.refused("github-release"));
    assert_eq!(released(&world, "v12.0.0")["draft"], true);
    fs::remove_file(world.path("bin/gh")).unwrap();
    std::os::unix::fs::symlink(world.path("real/gh"), world.path("bin/gh")).unwrap();
    world.done("github-release");
    let release = released(&world, "v12.0.0");
    assert_eq!(release["assets"].as_array().unwrap().len(), 2);
    assert_eq!(release["draft"], false);
}

#[test]
fn an_incomplete_draft_is_completed_and_one_with_an_unknown_file_is_not_published() {
    let (world, _registry) = published();
    world.done("github-release");
    redraft(&world, |draft| {
        draft["assets"][0]["state"] = json!("starter")
    });
    world.done("github-release");
    let release = released(&world, "v12.0.0");
    assert_eq!((&release["draft"], uploads(&world)), (&json!(false), 2));
    assert_eq!(release["assets"][0]["state"], "uploaded");
    redraft(&world, |draft| draft["assets"][0]["name"] = json!("a.exe"));
    expect!["error: https://github.com/rehearsal/rehearsal/releases/tag/v12.0.0: `a.exe` is not in target/dist: delete it there, or the draft"].assert_eq(&world.refused("github-release"));
    assert_eq!(released(&world, "v12.0.0")["draft"], true);
}

#[test]
fn two_releases_of_one_tag_are_an_error() {
    let (world, _registry) = published();
    world.done("github-release");
    world.set_stand_in(|state| {
        let mut second = state["releases"][0].clone();
        second["html_url"] =
            json!("https://github.com/rehearsal/rehearsal/releases/tag/untagged-2");
        state["releases"].as_array_mut().unwrap().push(second);
    });
    expect!["error: v12.0.0 has several releases: delete https://github.com/rehearsal/rehearsal/releases/tag/v12.0.0 or https://github.com/rehearsal/rehearsal/releases/tag/untagged-2"].assert_eq(&world.refused("github-release"));
}

#[test]
fn only_the_tagged_commit_is_released() {
    let (world, _registry) = tagged();
    fs::write(world.path("clone/RELEASES.md"), "## 12.0.0\n\nOther.\n").unwrap();
    expect!["error: `RELEASES.md` is not committed: only a commit can be released"]
        .assert_eq(&world.refused("github-release"));
    world.git("clone", &["checkout", "-q", "."]);
    world.check_out("origin/main");
    expect![
        "error: origin has no release branch for 13.0.0: `cargo xtask status` says what comes next"
    ]
    .assert_eq(&world.refused("github-release"));
}

#[test]
fn notes_of_any_length_with_links_and_images_are_the_text_of_the_page() {
    let line = "* A [thing](https://example.com/a?b=c&d=%20) with ![an image](https://example.com/i.png), `code` and <b>more</b>.\n";
    let section =
        |version: &str, lines| format!("## {version}\n\nUnreleased.\n\n{}", line.repeat(lines));
    let mut world = World::with("name = \"Demo\"\n", "12.0.0", &section("12.0.0", 900));
    let _registry = world.registry(Rules::default());
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    release(&world, "12.0.0");
    let text = format!("Released 2026-03-20.\n\n{}", line.repeat(900));
    assert_eq!(released(&world, "v12.0.0")["body"], text.trim_end());
    // Longer than GitHub takes.
    let notes = section("12.0.1", 2_000) + "\n" + &world.file("release-12.0.0", "RELEASES.md");
    world.commit("release-12.0.0", "Notes", &[("RELEASES.md", &notes)]);
    patch(&world, "release-12.0.0", "12.0.1");
    let release = released(&world, "v12.0.1");
    let body = release["body"].as_str().unwrap();
    let end = "more</b>.\n\nThe rest is in RELEASES.md at this tag.\n";
    assert!(body.chars().count() < 125_000 && body.ends_with(end));
}

#[test]
fn nothing_is_published_before_every_configured_artifact_is_there() {
    let config =
        "name = \"Demo\"\nartifacts = [\"demo-v{version}-src.tar.gz\", \"setup-{major}.msi\"]\n";
    let mut world = World::with(config, "12.0.0", "## 12.0.0\n\nUnreleased.\n");
    let registry = world.registry(Rules::default());
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    check_out(&world, "12.0.0");
    let missing =
        "error: target/dist/setup-12.msi is missing, and `artifacts` in Cargo.toml names it";
    assert_eq!(world.refused("publish"), missing);
    let uploads = |line: &String| line.contains("/crates/new");
    assert!(!registry.log().iter().any(uploads));
    // One of one's own goes out as it is.
    let installer = world.path("clone/target/dist/setup-12.msi");
    fs::write(&installer, "mine").unwrap();
    world.done("publish");
    fs::remove_file(&installer).unwrap();
    assert_eq!(world.refused("github-release"), missing);
    fs::write(&installer, "mine").unwrap();
    world.done("github-release");
    let assets = released(&world, "v12.0.0")["assets"].clone();
    assert_eq!(assets.as_array().unwrap().len(), 3, "{assets}");
}
