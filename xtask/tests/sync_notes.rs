//! `sync-notes`: what a patch release said comes back to main.

mod support;

use expect_test::expect;
use support::train::{Merge, World};

/// A world in which 12.0.1 is released, with these notes.
fn patched(main: &str) -> World {
    let world = World::with("name = \"Demo\"", "12.0.0", main);
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    let notes = format!(
        "## 12.0.1\n\nUnreleased.\n\n### Fixed\n\n* A fix.\n\n{}",
        world.file("release-12.0.0", "RELEASES.md")
    );
    world.commit("release-12.0.0", "Fix a thing", &[("RELEASES.md", &notes)]);
    world.done("release-patch --branch release-12.0.0 --date 2026-03-25");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    world
}

const LONG: &str =
    "## 12.0.0\n\nUnreleased.\n\n### Added\n\n* A thing.\n\n## 11.0.0\n\nReleased 2026-02-20.\n";

#[test]
fn the_notes_of_a_patch_come_back_to_their_place() {
    let world = patched(LONG);
    world.done("sync-notes");
    assert_eq!(
        world.pulls().last().unwrap(),
        "OPEN ci/sync-notes-12.0.1 -> main: Add the release notes of Demo 12.0.1"
    );
    expect![[r#"
        ## 13.0.0

        Unreleased.

        ### Added

        ### Changed

        ## 12.0.1

        Released 2026-03-25.

        ### Fixed

        * A fix.

        ## 12.0.0

        Released 2026-03-20.

        ### Added

        * A thing.

        ## 11.0.0

        Released 2026-02-20.
    "#]]
    .assert_eq(&world.file("ci/sync-notes-12.0.1", "RELEASES.md"));
    let state = world.state();
    world.done("sync-notes");
    assert_eq!(world.state(), state);
    world.merge("ci/sync-notes-12.0.1", Merge::Squash);
    let state = world.state();
    assert!(world.done("sync-notes").contains("nothing to do"));
    assert_eq!(world.state(), state);
}

#[test]
fn an_archive_needs_no_notes_back() {
    let world = patched(
        "## 12.0.0\n\nUnreleased.\n\n---\n\n<!-- ARCHIVE_START -->\n* [11.0.x](x/release-11.0.0/RELEASES.md)\n",
    );
    let state = world.state();
    assert!(world.done("sync-notes").contains("nothing to do"));
    assert_eq!(world.state(), state);
}
