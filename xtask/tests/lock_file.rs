//! `Cargo.lock` after a bump: cargo itself has nothing left to change in it. The packages from outside come from a folder,
//! which cargo takes for the registry.

mod support;

use support::{Tree, package, root};

/// Versions of `enc` that other packages bring in from the registry, beside the member of that name.
const OUTSIDE: [&str; 3] = ["0.99.0", "0.100.0", "0.102.0"];

/// Two members, `enc` and `app`, both at a version; `app` and a package from outside depend on other versions of `enc`.
fn workspace(version: &str) -> Tree {
    let app = package("app", version)
        + &format!(
            "[dependencies]\nenc = {{ path = \"../enc\", version = \"{version}\" }}\nold = {{ package = \"enc\", version = \"0.99.0\" }}\nnew = {{ package = \"enc\", version = \"0.102.0\" }}\nother = \"1\"\n"
        );
    let tree = Tree::new(&[
        ("Cargo.toml", &root("app enc")),
        ("app/Cargo.toml", &app),
        ("enc/Cargo.toml", &package("enc", version)),
        (
            ".cargo/config.toml",
            "[source.crates-io]\nreplace-with = \"folder\"\n[source.folder]\ndirectory = \"vendor\"\n",
        ),
    ]);
    for outside in OUTSIDE {
        vendor(&tree, "enc", outside, "");
    }
    vendor(
        &tree,
        "other",
        "1.0.0",
        "[dependencies]\nenc = \"0.100.0\"\n",
    );
    tree.cargo(&["generate-lockfile", "--offline"]);
    tree
}

fn vendor(tree: &Tree, name: &str, version: &str, dependencies: &str) {
    let folder = format!("vendor/{name}-{version}");
    tree.write(
        &format!("{folder}/Cargo.toml"),
        &(package(name, version) + dependencies),
    );
    tree.write(&format!("{folder}/src/lib.rs"), "");
    let checksum = format!("{{\"files\":{{}},\"package\":\"{}\"}}", "0".repeat(64));
    tree.write(&format!("{folder}/.cargo-checksum.json"), &checksum);
}

/// Holds that a plain `cargo metadata` leaves the lock file as it is.
fn cargo_agrees(tree: &Tree) {
    let lock = tree.read("Cargo.lock");
    tree.cargo(&["metadata", "--offline", "--format-version=1"]);
    assert_eq!(tree.read("Cargo.lock"), lock);
}

#[test]
fn a_member_that_passes_its_namesakes_changes_places() {
    let tree = workspace("0.98.0");
    for version in [
        "0.99.0",
        "0.100.0",
        "0.101.0",
        "0.102.0",
        "0.103.0",
        "1.0.0-rc.1",
        "1.0.0",
    ] {
        tree.done(&["bump", version]);
        cargo_agrees(&tree);
        assert!(
            tree.read("Cargo.lock")
                .contains(&format!("name = \"enc\"\nversion = \"{version}\"\n")),
            "{version}"
        );
    }
    // And back: two packages of one name and version become one, and the references need no more than that.
    for version in ["0.102.0", "0.99.0", "0.98.0"] {
        tree.done(&["bump", version]);
        cargo_agrees(&tree);
    }
}

#[test]
fn only_the_lines_that_speak_of_members_change() {
    let tree = workspace("0.103.0");
    let before = tree.read("Cargo.lock");
    tree.done(&["bump"]);
    assert_eq!(
        tree.read("Cargo.lock"),
        before.replace("0.103.0", "0.104.0")
    );
    cargo_agrees(&tree);
}

#[test]
fn a_member_without_namesakes_is_named_without_its_version() {
    let b =
        package("b", "1.0.0") + "[dependencies]\na = { path = \"../a\", version = \"1.0.0\" }\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root("a b")),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        ("b/Cargo.toml", &b),
    ]);
    tree.cargo(&["generate-lockfile", "--offline"]);
    tree.done(&["bump"]);
    cargo_agrees(&tree);
    assert!(tree.read("Cargo.lock").contains(" \"a\",\n"));
}

#[test]
fn an_older_format_and_crlf_stay() {
    let tree = workspace("0.98.0");
    let before = tree
        .read("Cargo.lock")
        .replace("version = 4\n", "version = 3\n")
        .replace('\n', "\r\n");
    tree.write("Cargo.lock", &before);
    tree.done(&["bump", "0.97.0"]);
    assert_eq!(tree.read("Cargo.lock"), before.replace("0.98.0", "0.97.0"));
    cargo_agrees(&tree);
}

#[test]
fn the_oldest_format_names_every_version_and_stays() {
    let before = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\ndependencies = [\n \"a 1.0.0\",\n \"c 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)\",\n]\n\n[[package]]\nname = \"c\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n[metadata]\n\"checksum c 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)\" = \"0\"\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root("a b")),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        ("b/Cargo.toml", &package("b", "1.0.0")),
        ("Cargo.lock", before),
    ]);
    tree.done(&["bump"]);
    let moved = before
        .replacen("version = \"1.0.0\"", "version = \"2.0.0\"", 2)
        .replace("\"a 1.0.0\"", "\"a 2.0.0\"");
    assert_eq!(tree.read("Cargo.lock"), moved);
}

#[test]
fn references_that_differ_in_their_source_alone_keep_their_order() {
    let references = " \"enc 1.0.0 (registry+https://github.com/rust-lang/crates.io-index)\",\n \"enc 1.0.0 (git+https://example.com/enc)\",\n";
    let before = format!(
        "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [\n{references}]\n"
    );
    let tree = Tree::new(&[
        ("Cargo.toml", &package("a", "1.0.0")),
        ("Cargo.lock", &before),
    ]);
    tree.done(&["bump"]);
    assert!(tree.read("Cargo.lock").contains(references));
}

#[test]
fn what_stands_below_the_packages_stays() {
    let unused = "\n[[patch.unused]]\nname = \"a\"\nversion = \"1.0.0\"\n";
    let before = format!("version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n{unused}");
    let tree = Tree::new(&[
        ("Cargo.toml", &package("a", "1.0.0")),
        ("Cargo.lock", &before),
    ]);
    tree.done(&["bump"]);
    assert!(tree.read("Cargo.lock").ends_with(unused));
}

#[test]
fn a_workspace_without_a_lock_file_gets_none() {
    let tree = Tree::new(&[("Cargo.toml", &package("a", "1.0.0"))]);
    tree.done(&["bump"]);
    assert!(!tree.path().join("Cargo.lock").exists());
}
