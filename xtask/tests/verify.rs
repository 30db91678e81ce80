//! `verify`: everything at once, each with its place.

mod support;

use std::fs;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use support::publishing::{Publishing, package};
use support::registry::{Failure, Fault, Registry, Rules};
use support::train::{Merge, World};
use support::{root, text};

fn world() -> (World, Registry) {
    let mut world = World::new();
    let registry = world.registry(Rules::default());
    (world, registry)
}

/// What it says, without how it is built.
fn said(world: &World, line: &str) -> String {
    let output = world.xtask("clone", line).output().unwrap();
    let said = text(&output.stderr);
    // Cargo before 1.93 has its own words for a manifest without an address.
    let cargo = [
        "warning: manifest has no documentation",
        "See https://doc.rust-lang.org",
    ];
    let ours = said
        .lines()
        .filter(|line| !cargo.iter().any(|words| line.starts_with(words)))
        .filter(|line| !line.starts_with([' ', '$']) || line.starts_with("$ cargo semver"));
    ours.collect::<Vec<_>>()
        .join("\n")
        .replace(&world.path("").display().to_string(), "WORLD/")
}

#[test]
fn a_workspace_that_is_fine() {
    let (world, _registry) = world();
    expect![[r#"
        warning: rehearsal has never seen a, b: trusted publishing cannot create a crate: an owner publishes it once by hand
        verified 12.0.0 and its 2 crates: 0 errors, 1 warning"#]].assert_eq(&said(&world, "verify"));
    let left = fs::read_dir(world.path("clone/target"))
        .into_iter()
        .flatten();
    assert_eq!(
        left.map(|entry| entry.unwrap().file_name())
            .collect::<Vec<_>>(),
        [""; 0]
    );
    assert_eq!(world.git("clone", &["status", "--porcelain"]), "");
}

#[test]
fn everything_that_is_wrong_is_said_at_once_with_its_place() {
    let files = [
        (
            "Cargo.toml",
            root("a b c d")
                + r#"
[workspace.metadata.release-train]
version-of = "a"
public = ["a"]
version-strings = [{ file = "version.h", line = '#define VERSION "{version}"' }]
"#,
        ),
        ("version.h", "#define VERSION \"0.9.0\"\n".to_string()),
        (
            "RELEASES.md",
            "## 0.9.0\n\nReleased 2026-01-01.\n".to_string(),
        ),
        ("Cargo.lock", "version = 4\n".to_string()),
        (
            "a/Cargo.toml",
            support::package("a", "1.0.0")
                + "keywords = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f g\"]\nreadme = \"README.md\"\n",
        ),
        (
            "b/Cargo.toml",
            package(
                "b",
                "1.0.0",
                "[dependencies]\na = { path = \"../a\", version = \"=1.0.0\" }\n",
            ),
        ),
        (
            "c/Cargo.toml",
            package(
                "c",
                "1.0.0",
                "license-file = \"LICENSE\"\n\n[dependencies]\nd = { path = \"../d\", version = \"=1.0.0\" }\n",
            ),
        ),
        (
            "d/Cargo.toml",
            package(
                "d",
                "1.0.0",
                "[dev-dependencies]\nc = { path = \"../c\", version = \"=1.0.0\" }\n",
            ),
        ),
    ];
    let publishing = Publishing::with(&files, Rules::default());
    publishing.tag();
    untag(&publishing);
    let run = |line: &str, actions: bool| {
        let mut command = publishing.command(env!("CARGO_BIN_EXE_xtask"), line);
        command
            .env_remove("GITHUB_ACTIONS")
            .envs(actions.then_some(("GITHUB_ACTIONS", "true")));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    expect![[r#"
        b/Cargo.toml:8: `=1.0.0` pins `a`, which is `public`: write `1.0.0`
        version.h: the line `#define VERSION "1.0.0"` must be there once: fix it, or `version-strings` in Cargo.toml
        Cargo.lock: `a` 1.0.0 is missing: run `cargo update --workspace`, or undo an interrupted bump with `git restore :/`
        RELEASES.md: the section `## 1.0.0` is missing; `cargo xtask notes new 1.0.0` adds it
        a/Cargo.toml:2: `a` has no description: add one, or `publish = false`
        a/Cargo.toml:2: `a` has no license and no license-file: add one, or `publish = false`
        a/Cargo.toml:5: `a` has more than 5 keywords, which is the limit
        a/Cargo.toml:5: `a` has the keyword `f g`: it must be of at most 20 letters, digits, `_`, `-` and `+`, the first a letter or digit
        a/Cargo.toml:6: `a` names `README.md`, which does not exist
        c/Cargo.toml:7: `c` names `LICENSE`, which does not exist
        warning: rehearsal has never seen a, b, c, d: trusted publishing cannot create a crate: an owner publishes it once by hand
        d/Cargo.toml:7: `d` and `c` are in a dependency cycle: leave out its version
        error: 11 errors, 1 warning
    "#]].assert_eq(&run("verify", false));
    // Where GitHub shows it beside the line.
    expect!["::error file=b/Cargo.toml,line=8::b/Cargo.toml:8: `=1.0.0` pins `a`, which is `public`: write `1.0.0`"]
        .assert_eq(run("verify --fast", true).lines().next().unwrap());
}

#[test]
fn wasmtime_4097_a_pin_that_is_broken_is_found_long_before_release_day() {
    let (world, _registry) = world();
    let manifest = world.file("main", "Cargo.toml") + "public = [\"b\"]\n";
    let b = world
        .file("main", "b/Cargo.toml")
        .replace("\"=12.0.0\"", "\"12.0.0\"");
    world.commit(
        "main",
        "Break the pin",
        &[("Cargo.toml", &manifest), ("b/Cargo.toml", &b)],
    );
    world.git("clone", &["pull", "-q"]);
    expect![[r#"
        b/Cargo.toml:8: `12.0.0` does not pin `a`, which is not `public`: write `=12.0.0`
        warning: rehearsal has never seen a, b: trusted publishing cannot create a crate: an owner publishes it once by hand
        error: 1 error, 1 warning"#]].assert_eq(&said(&world, "verify --fast"));
}

#[test]
fn a_tag_that_is_taken_and_a_branch_that_has_gone_on_after_it() {
    let mut world = World::released();
    let _registry = world.registry(Rules::default());
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.check_out("origin/release-12.0.0");
    assert!(said(&world, "verify --fast --branch release-12.0.0").contains("0 errors"));
    world.check_out("v12.0.0");
    assert!(said(&world, "verify --fast").contains("0 errors"));
    // The same version elsewhere.
    world.check_out("v12.0.0^");
    let tag = world.refs()["refs/tags/v12.0.0"].clone();
    expect![[r#"
        Cargo.toml: v12.0.0 is at TAG, not below HEAD: bump the version
        warning: rehearsal has never seen a, b: trusted publishing cannot create a crate: an owner publishes it once by hand
        error: 1 error, 1 warning"#]].assert_eq(&said(&world, "verify --fast").replace(&tag, "TAG"));
    // A version on a branch of another line.
    world.check_out("origin/main");
    expect![[r#"
        Cargo.toml: 13.0.0 does not belong to `release-12.0.0`
        warning: rehearsal has never seen a, b: trusted publishing cannot create a crate: an owner publishes it once by hand
        error: 1 error, 1 warning"#]].assert_eq(&said(&world, "verify --fast --branch release-12.0.0"));
}

#[test]
fn wasmtime_11313_crates_that_the_registry_has_never_seen_are_named() {
    let (mut world, registry) = world();
    assert!(said(&world, "verify --fast").contains("has never seen a, b: "));
    drop(registry);
    let fault: Fault = Box::new(|_, _, _| Some(Failure::Refused(500, "oops".into())));
    let _registry = world.registry(Rules {
        fault: Some(fault),
        ..Rules::default()
    });
    let said = said(&world, "verify --fast");
    assert!(
        said.starts_with("warning: the registry is not checked: ") && said.contains("0 errors"),
        "{said}"
    );
}

#[test]
fn the_index_is_asked_about_many_crates_over_few_connections() {
    let names: Vec<String> = (0..80).map(|at| format!("demo-{at}")).collect();
    let late: Fault = Box::new(|_, _, _| Some(Failure::Late(Duration::from_millis(20))));
    let rules = Rules {
        fault: Some(late),
        ..Rules::default()
    };
    let mut publishing =
        Publishing::new(&names.iter().map(String::as_str).collect::<Vec<_>>(), rules);
    // What stands between counts them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let index = publishing.registry.index();
    let (registry, _) = index
        .trim_start_matches("sparse+http://")
        .split_once('/')
        .unwrap();
    let (registry, between) = (
        registry.to_string(),
        listener.local_addr().unwrap().to_string(),
    );
    publishing.tag();
    publishing.env.push((
        "CARGO_REGISTRIES_REHEARSAL_INDEX".into(),
        index.replace(&registry, &between),
    ));
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    thread::spawn(move || {
        for client in listener.incoming().map(Result::unwrap) {
            count.fetch_add(1, Ordering::Relaxed);
            let server = TcpStream::connect(&registry).unwrap();
            for (mut from, mut to) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    let output = publishing
        .command(env!("CARGO_BIN_EXE_xtask"), "verify --fast")
        .output()
        .unwrap();
    assert!(
        text(&output.stderr).contains("has never seen demo-0, "),
        "{}",
        text(&output.stderr)
    );
    let connections = connections.load(Ordering::Relaxed);
    assert!((1..=17).contains(&connections), "{connections} connections");
}

#[test]
fn a_registry_that_publish_would_not_know_is_an_error_and_not_one_that_is_down() {
    let (world, _registry) = world();
    expect![[r#"
        Cargo.toml: registry `nosuch`: set CARGO_REGISTRIES_NOSUCH_INDEX to its sparse index without credentials, sparse+https://...
        error: 1 error, 0 warnings"#]]
    .assert_eq(&said(&world, "verify --fast --registry nosuch"));
    let manifest = world.path("clone/a/Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replace("license", "publish = [\"ours\"]\nlicense"),
    )
    .unwrap();
    expect![[r#"
        Cargo.toml: `a`: its `publish` does not allow registry `rehearsal`: pass --registry
        error: 1 error, 0 warnings"#]]
    .assert_eq(&said(&world, "verify --fast"));
}

#[test]
fn what_was_mended_in_one_crate_is_seen_by_the_others_and_no_lock_file_is_touched() {
    let (world, _registry) = world();
    let uses = "pub fn uses() { a::added() }\n";
    fs::write(world.path("clone/b/src/lib.rs"), uses).unwrap();
    assert!(said(&world, "verify").contains("see cargo's output above"));
    fs::write(world.path("clone/a/src/lib.rs"), "pub fn added() {}\n").unwrap();
    assert!(said(&world, "verify").contains("0 errors"));
    fs::write(world.path("clone/a/src/lib.rs"), "").unwrap();
    assert!(said(&world, "verify").contains("see cargo's output above"));
    let lock = fs::read_to_string(world.path("clone/Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(world.path("clone/a/Cargo.toml")).unwrap();
    fs::write(
        world.path("clone/a/Cargo.toml"),
        manifest + "[dev-dependencies]\nb = { path = \"../b\" }\n",
    )
    .unwrap();
    assert!(said(&world, "verify").contains("--locked"));
    assert_eq!(
        fs::read_to_string(world.path("clone/Cargo.lock")).unwrap(),
        lock
    );
}

#[test]
fn what_does_not_go_to_the_registry_that_is_named_is_not_said_to_be_there() {
    let (world, _registry) = world();
    let manifest = fs::read_to_string(world.path("clone/b/Cargo.toml")).unwrap();
    let elsewhere = manifest.replacen("[package]\n", "[package]\npublish = [\"elsewhere\"]\n", 1);
    fs::write(world.path("clone/b/Cargo.toml"), elsewhere).unwrap();
    let said = said(&world, "verify --registry rehearsal");
    assert!(
        said.contains("never seen a:") && !said.contains("--package b"),
        "{said}"
    );
}

#[test]
fn what_is_published_is_not_packaged_again_and_stands_in_no_circle() {
    let mut world = World::released();
    let _registry = world.registry(Rules::default());
    world.check_out("v12.0.0");
    world.done("publish");
    // A branch goes on at the version that is out, until it is bumped.
    let manifest = world.file("release-12.0.0", "a/Cargo.toml")
        + "[dev-dependencies]\nb = { path = \"../b\", version = \"=12.0.0\" }\n";
    let lock = world.file("release-12.0.0", "Cargo.lock");
    let lock = lock.replacen(
        "version = \"12.0.0\"\n",
        "version = \"12.0.0\"\ndependencies = [\n \"b\",\n]\n",
        1,
    );
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[
            ("a/src/lib.rs", "// mended\n"),
            ("a/Cargo.toml", &manifest),
            ("Cargo.lock", &lock),
        ],
    );
    world.check_out("origin/release-12.0.0");
    let said = said(&world, "verify");
    assert!(
        said.contains("already has a 12.0.0, b 12.0.0") && said.contains("0 errors"),
        "{said}"
    );
}

#[test]
fn a_version_that_is_published_before_its_tag_is_an_error_once_its_release_is_announced() {
    let publishing = Publishing::new(&["a", "b: a", "own"], Rules::default());
    let manifest = publishing.tree.read("Cargo.toml");
    let config =
        "[workspace.metadata.release-train]\nversion-of = \"a\"\nindependent = [\"own\"]\n";
    publishing.tree.write("Cargo.toml", &(manifest + config));
    publishing
        .tree
        .write("RELEASES.md", "## 1.0.0\n\nUnreleased.\n");
    publishing.publish_by_hand("--workspace");
    publishing.tag();
    untag(&publishing);
    // A branch goes on at the version that was released by other means.
    expect![[r#"
        warning: rehearsal already has a 1.0.0, b 1.0.0, own 1.0.0
        verified 1.0.0 and its 3 crates: 0 errors, 1 warning
    "#]]
    .assert_eq(&verified(&publishing));
    publishing
        .tree
        .write("RELEASES.md", "## 1.0.0\n\nReleased 2026-03-20.\n");
    expect![[r#"
        a/Cargo.toml:3: `a` 1.0.0 is in rehearsal, and has no tag: ask its owners there, or bump the version
        b/Cargo.toml:3: `b` 1.0.0 is in rehearsal, and has no tag: ask its owners there, or bump the version
        warning: rehearsal already has own 1.0.0
        error: 2 errors, 1 warning
    "#]].assert_eq(&verified(&publishing));
    publishing.tag();
    assert!(verified(&publishing).contains("0 errors, 1 warning"));
    // A candidate needs no date. `b` stays at a version that has one.
    publishing
        .tree
        .write("RELEASES.md", "## 1.1.0\n\nUnreleased.\n");
    publishing.member("b", "1.0.0", "");
    publishing.member("a", "1.1.0-rc.1", "");
    publishing.publish_by_hand("--package a");
    expect![[r#"
        a/Cargo.toml:3: `a` 1.1.0-rc.1 is in rehearsal, and has no tag: ask its owners there, or bump the version
        warning: rehearsal already has b 1.0.0, own 1.0.0
        error: 1 error, 1 warning
    "#]].assert_eq(&verified(&publishing));
}

#[test]
fn a_crate_that_the_registry_has_never_seen_is_an_error_unless_it_is_meant_to_be_new() {
    let publishing = Publishing::new(&["a", "b: a"], Rules::default());
    publishing
        .tree
        .write("RELEASES.md", "## 1.0.0\n\nUnreleased.\n");
    publishing.tag();
    assert!(verified(&publishing).contains("0 errors, 1 warning"));
    publishing.publish_by_hand("--package a");
    // A first release takes hours: of the new crates, crates.io takes one in ten minutes.
    assert!(verified(&publishing).contains("0 errors, 2 warnings"));
    untag(&publishing);
    expect![[r#"
        b/Cargo.toml:2: `b` is new to rehearsal: if that is right, add it to `new-crates` in Cargo.toml
        warning: rehearsal already has a 1.0.0
        error: 1 error, 1 warning
    "#]].assert_eq(&verified(&publishing));
    let manifest = publishing.tree.read("Cargo.toml");
    let config = "[workspace.metadata.release-train]\nnew-crates = [\"b\"]\n";
    publishing.tree.write("Cargo.toml", &(manifest + config));
    assert!(verified(&publishing).contains("0 errors, 2 warnings"));
}

/// Takes the tag away again.
fn untag(publishing: &Publishing) {
    let origin = publishing.file("").with_file_name("origin.git");
    let mut untag = Command::new("git");
    let untag = untag.args(["tag", "-d", "v1.0.0"]).current_dir(origin);
    assert!(untag.output().unwrap().status.success());
}

/// What `verify --fast` says.
fn verified(publishing: &Publishing) -> String {
    let mut verify = publishing.command(env!("CARGO_BIN_EXE_xtask"), "verify --fast");
    text(&verify.env_remove("GITHUB_ACTIONS").output().unwrap().stderr)
}

#[test]
fn dependencies_that_stop_a_publish_are_named_with_their_places() {
    let members = "a b c d inner self-old self-new";
    let shared =
        "[workspace.dependencies]\nlog = \"*\"\na = { path = \"a\", version = \"1.0.0\" }\n";
    let publishing = Publishing::with(&[("Cargo.toml", root(members) + shared)], Rules::default());
    for (name, rest) in [
        ("a", ""),
        ("inner", "publish = false\n"),
        ("b", "[dependencies]\na = { path = \"../a\" }\n"),
        (
            "c",
            "[build-dependencies]\ninner = { path = \"../inner\", version = \"1.0.0\" }\n",
        ),
        (
            "d",
            "[dependencies]\na.workspace = true\n[dev-dependencies]\ninner = { path = \"../inner\", version = \"1\" }\n\
             b = { path = \"../b\" }\n[target.'cfg(unix)'.dependencies]\nlog.workspace = true\n",
        ),
        (
            "self-old",
            "[dev-dependencies]\nself-old = { path = \".\", version = \"1.0\" }\n",
        ),
        (
            "self-new",
            "[dev-dependencies]\nself-new = { path = \".\", version = \"1.0.0\" }\n",
        ),
    ] {
        publishing.member(name, "1.0.0", rest);
    }
    publishing
        .tree
        .write("RELEASES.md", "## 1.0.0\n\nUnreleased.\n");
    publishing.tag();
    // The registry has a version of it that its tests can use.
    let old = support::Tree::new(&[("Cargo.toml", &package("self-old", "1.0.0", ""))]);
    let mut publish = publishing.command(
        "cargo",
        "publish --quiet --allow-dirty --registry rehearsal",
    );
    assert!(publish.current_dir(old.path()).status().unwrap().success());
    let said = verified(&publishing);
    let errors = said
        .lines()
        .filter(|line| line.contains("Cargo.toml:") && !line.contains("is new to"));
    expect![[r#"
        b/Cargo.toml:8: `b` depends on `a`, which has no version: add one
        c/Cargo.toml:8: `c` depends on `inner`, which is not published
        d/Cargo.toml:10: `d` depends on `inner`, which is not published: leave out its version
        d/Cargo.toml:13: `d` depends on `log`, which is a wildcard, which crates.io refuses
        self-new/Cargo.toml:8: `self-new` depends on `self-new`, which is not published: leave out its version"#]].assert_eq(&errors.collect::<Vec<_>>().join("\n"));
}

#[test]
fn cargo_resolves_the_tree_with_what_the_registry_has() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing
        .tree
        .write("RELEASES.md", "## 2.0.0\n\nUnreleased.\n");
    publishing.publish_by_hand("--package a");
    let outside = package("outside", "1.0.0", "[dependencies]\na = \"1\"\n");
    let outside = support::Tree::new(&[("Cargo.toml", &outside)]);
    let mut publish = publishing.command(
        "cargo",
        "publish --quiet --allow-dirty --registry rehearsal",
    );
    assert!(
        publish
            .current_dir(outside.path())
            .status()
            .unwrap()
            .success()
    );
    // A package of the registry that depends on a member, in whose place `[patch]` puts ours.
    let patch = "[patch.crates-io]\na = { path = \"a\" }\n";
    publishing.tree.write("Cargo.toml", &(root("a") + patch));
    publishing.member("a", "1.1.0", "[dev-dependencies]\noutside = \"1\"\n");
    let mut lock = publishing.command("cargo", "generate-lockfile --quiet");
    assert!(lock.status().unwrap().success());
    publishing.tag();
    let exclude = publishing.tree.path().join(".git/info/exclude");
    fs::write(exclude, "target\n").unwrap();
    publishing.tag();
    let bumped = publishing
        .command(env!("CARGO_BIN_EXE_xtask"), "bump")
        .output()
        .unwrap();
    assert!(bumped.status.success(), "{}", text(&bumped.stderr));
    let said = verified(&publishing);
    let lock = said.lines().find(|line| line.starts_with("Cargo.lock: "));
    assert!(lock.is_some_and(|lock| lock.contains("--locked")), "{said}");
}

#[test]
fn checks_of_the_configuration_are_run_without_a_token_and_each_failure_is_an_error() {
    let mut world = World::new();
    let registry = world.registry(Rules::default());
    let script = "#!/bin/sh\necho \"checked $1 with ${CARGO_REGISTRIES_REHEARSAL_TOKEN-no token}\"\nexit $2\n";
    let checks = "checks = [[\"sh\", \"check.sh\", \"one\", \"0\"], [\"sh\", \"check.sh\", \"two\", \"3\"]]\n";
    let manifest = world.file("main", "Cargo.toml") + checks;
    world.commit(
        "main",
        "Checks",
        &[("Cargo.toml", &manifest), ("check.sh", script)],
    );
    world.check_out("origin/main");
    let output = world.xtask("clone", "verify --fast").output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(1), String::new())
    );
    let said = text(&output.stderr);
    let ours = said.lines().filter(|line| line.contains("check"));
    expect![[r#"
        $ sh check.sh one 0
        checked one with no token
        $ sh check.sh two 3
        checked two with no token
        Cargo.toml: `checks`: `sh check.sh two 3` failed"#]]
    .assert_eq(&ours.collect::<Vec<_>>().join("\n"));
    drop(registry);
}

#[test]
fn wasmtime_13904_a_package_that_is_too_big_is_named_with_its_biggest_files() {
    let (world, _registry) = world();
    // Noise does not compress.
    let mut noise = 1_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise.to_le_bytes()
    })
    .take(11 << 17)
    .flatten()
    .collect();
    fs::write(world.path("clone/a/data.bin"), bytes).unwrap();
    let said = said(&world, "verify");
    expect![
        "a/Cargo.toml:2: `a` packs to 11268 KiB, more than 10240: `exclude` what users do not need"
    ]
    .assert_eq(said.lines().rev().take(2).collect::<Vec<_>>()[1]);
}

#[test]
fn wasmtime_8993_what_is_not_committed_and_the_users_configuration_stay() {
    let (world, _registry) = world();
    let config = "[build]\nincremental = false\n";
    fs::create_dir(world.path("clone/.cargo")).unwrap();
    fs::write(world.path("clone/.cargo/config.toml"), config).unwrap();
    fs::write(
        world.path("clone/a/src/lib.rs"),
        "pub fn broken() -> u8 { \"\" }\n",
    )
    .unwrap();
    let before = world.git("clone", &["status", "--porcelain"]);
    let output = world.xtask("clone", "verify").output().unwrap();
    let said = text(&output.stderr);
    assert!(
        said.contains("mismatched types") && said.contains("see cargo's output above"),
        "{said}"
    );
    assert_eq!(
        (
            output.status.code(),
            world.git("clone", &["status", "--porcelain"])
        ),
        (Some(1), before)
    );
    assert_eq!(
        fs::read_to_string(world.path("clone/.cargo/config.toml")).unwrap(),
        config
    );
}

/// A patch on a release branch that has a crate more, and one that is a program alone; `cargo-semver-checks` ends so.
fn patch(status: u8, says: &str) -> (World, Registry, String) {
    let mut world = World::released();
    let registry = world.registry(Rules::default());
    let manifest = world.file("release-12.0.0", "Cargo.toml");
    let manifest = manifest.replace("\"a\", \"b\"", "\"a\", \"b\", \"later\", \"tool\"");
    let (later, tool) = (
        package("later", "12.0.0", ""),
        package("tool", "12.0.0", ""),
    );
    let entry = |name| format!("\n[[package]]\nname = \"{name}\"\nversion = \"12.0.0\"\n");
    let lock = world.file("release-12.0.0", "Cargo.lock");
    let lock = lock.trim_end().to_string() + "\n" + &entry("later") + &entry("tool");
    let files = [
        ("Cargo.toml", &*manifest),
        ("Cargo.lock", &lock),
        ("later/Cargo.toml", &later),
        ("later/src/lib.rs", ""),
        ("tool/Cargo.toml", &tool),
        ("tool/src/main.rs", "fn main() {}\n"),
    ];
    world.commit("release-12.0.0", "Backport a fix", &files);
    world.check_out("origin/release-12.0.0");
    let tag = world.refs()["refs/tags/v12.0.0"].clone();
    // It says what it was asked.
    world.wrap(
        "cargo-semver-checks",
        &format!("echo '{says}' >&2; exit {status}"),
    );
    (world, registry, tag)
}

#[test]
fn a_patch_is_compared_with_the_last_release() {
    for (status, says, expected) in [
        (
            0,
            "no semver update required",
            expect![[r#"
            v12.0.0 does not have `later`: it is not compared
            $ cargo semver-checks --release-type patch --baseline-rev TAG --package a --package b
            no semver update required"#]],
        ),
        (
            100,
            "semver requires new major version",
            expect![[r#"
            v12.0.0 does not have `later`: it is not compared
            $ cargo semver-checks --release-type patch --baseline-rev TAG --package a --package b
            semver requires new major version
            Cargo.toml: not a patch of v12.0.0: see above"#]],
        ),
        (
            101,
            "error: unsupported rustdoc format v61",
            expect![[r#"
            v12.0.0 does not have `later`: it is not compared
            $ cargo semver-checks --release-type patch --baseline-rev TAG --package a --package b
            Cargo.toml: cargo-semver-checks failed: exit status: 101: see above; install it with the version in xtask/ci.json: `cargo install --locked cargo-semver-checks@VERSION`"#]],
        ),
    ] {
        let (world, _registry, tag) = patch(status, says);
        let said = text(
            &world
                .xtask("clone", "verify --fast --semver")
                .output()
                .unwrap()
                .stderr,
        );
        let ours = said.lines().filter(|line| {
            line.contains("semver") || line.contains("compared") || line.contains("patch")
        });
        expected.assert_eq(&ours.collect::<Vec<_>>().join("\n").replace(&tag, "TAG"));
    }
}

#[test]
fn a_patch_at_its_tag_is_compared_with_the_release_before_it() {
    let (world, _registry, tag) = patch(0, "");
    let asked = |line: &str| text(&world.xtask("clone", line).output().unwrap().stderr);
    let merged = "release-patch --branch release-12.0.0";
    world.done(merged);
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    world.check_out("v12.0.1");
    assert!(asked("verify --fast --semver").contains(&format!("--baseline-rev {tag}")));
    assert!(!asked("verify --fast").contains("semver"));
    fs::remove_file(world.path("bin/cargo-semver-checks")).unwrap();
    let said = asked("verify --fast --semver");
    assert!(
        said.contains("cargo-semver-checks failed: exit status: 101: see above; install it with the version in xtask/ci.json"),
        "{said}"
    );
}

#[test]
fn a_last_release_that_cannot_be_read_is_a_warning() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.tag();
    // A tag from before there was a workspace.
    let manifest = publishing.tree.read("Cargo.toml");
    std::fs::remove_file(publishing.tree.path().join("Cargo.toml")).unwrap();
    publishing.member("a", "0.9.0", "");
    publishing.tag();
    publishing.tree.write("Cargo.toml", &manifest);
    publishing.member("a", "1.0.0", "");
    publishing
        .tree
        .write("RELEASES.md", "## 1.0.0\n\nReleased 2026-03-20.\n");
    publishing.tag();
    untag(&publishing);
    publishing.publish_by_hand("--package a");
    let said = verified(&publishing);
    let warned = said.starts_with("warning: the last release is not read: ");
    assert!(
        warned && said.contains("`a` 1.0.0 is in rehearsal"),
        "{said}"
    );
}

#[test]
fn crates_io_takes_no_dependency_of_another_registry() {
    let mut publishing = Publishing::new(&["a"], Rules::default());
    publishing.member(
        "a",
        "1.0.0",
        "[dependencies]\nlog = { version = \"1\", registry = \"rehearsal\" }\n",
    );
    publishing.tag();
    assert!(!verified(&publishing).contains("another registry"));
    let default = "CARGO_REGISTRY_DEFAULT".to_string();
    publishing.env.push((default, "crates-io".to_string()));
    let said = verified(&publishing);
    let found = "a/Cargo.toml:8: `a` depends on `log`, which is in another registry, which crates.io refuses\n";
    assert!(said.contains(found), "{said}");
}

#[test]
fn notes_that_could_not_be_dated_on_the_20th_are_an_error_and_those_of_a_release_are_not_asked_for()
{
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.tag();
    // An adopting pull request, at a version that is out.
    let said = verified(&publishing);
    assert!(said.contains("0 errors"), "{said}");
    untag(&publishing);
    for (notes, expected) in [
        (
            "## 1.0.0\n\nComing soon.\n",
            "line 1: `Unreleased.` is missing below `## 1.0.0`",
        ),
        (
            "## 0.9.0\n\nReleased 2026-01-01.\n",
            "the section `## 1.0.0` is missing",
        ),
    ] {
        publishing.tree.write("RELEASES.md", notes);
        let said = verified(&publishing);
        assert!(said.contains(&format!("RELEASES.md: {expected}")), "{said}");
    }
}

#[test]
fn a_release_branch_without_the_configuration_of_main_does_not_pass() {
    let world = World::released();
    let manifest = world.file("release-12.0.0", "Cargo.toml");
    let (before, _) = manifest.split_once("[workspace.metadata").unwrap();
    world.commit("release-12.0.0", "Lose it", &[("Cargo.toml", before)]);
    world.check_out("origin/release-12.0.0");
    let said = text(&world.task("verify --fast").stderr);
    let found =
        "Cargo.toml: [workspace.metadata.release-train] is missing, which main has: backport it";
    assert!(said.contains(found), "{said}");
}

#[test]
fn the_notes_of_a_train_that_is_cut_and_waits_are_checked_on_main_too() {
    let world = World::new();
    world.cut("2026-03-05");
    let notes = "## 13.0.0\n\nUnreleased.\n\n## 12.0.0\n\nComing soon.\n";
    world.commit("main", "Write", &[("RELEASES.md", notes)]);
    world.git("clone", &["pull", "-q", "--ff-only"]);
    let output = world.task("verify --fast");
    let said = text(&output.stderr);
    let found = "RELEASES.md: line 5: `Unreleased.` is missing below `## 12.0.0`";
    assert!(said.contains(found), "{said}");
}
