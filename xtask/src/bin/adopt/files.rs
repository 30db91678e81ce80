//! What git knows of this clone that other workspaces carry, and how it is adapted to one of them. It only reads git.

use std::collections::BTreeMap;
use std::path::Path;

use xshell::{Shell, cmd};

use release_train::rules::manifest;
use release_train::{Context, Result, world::process};

pub const REHEARSE: &str = "xtask/src/bin/rehearse";
pub const WORKFLOWS: &str = ".github/workflows";

/// In our manifest, what follows this line is for our tests and benchmarks.
const FOR_TESTS: &str = "# What follows is for the tests, and `adopt` leaves it out.\n";

/// From the path of a file in the workspace that adopts to its text.
pub type Files = BTreeMap<String, String>;

/// The workspace that adopts.
pub struct Target {
    /// The repository's name.
    pub name: String,
    /// The branch that everything lands on.
    pub main: String,
    /// Whether its Cargo.lock is committed.
    pub locked: bool,
}

/// The files as they are at a commit of this clone, adapted to a workspace.
pub fn read(sh: &Shell, clone: &Path, commit: &str, target: &Target) -> Result<Files> {
    let missing = format!("{} has no {commit}: run `git fetch` there", clone.display());
    let list = cmd!(sh, "git -C {clone} ls-tree -r --name-only {commit}");
    let list = process::output_of(list).context(missing)?;
    let mut files = Files::new();
    // Without it, `cargo fmt --check` would fail where the workspace's own rustfmt.toml asks for another style.
    let style = "# Rustfmt's default style, whatever that of the workspace is.\n";
    files.insert("xtask/rustfmt.toml".to_string(), style.to_string());
    for name in list.lines() {
        if let Some(path) = destination(name) {
            let blob = cmd!(sh, "git -C {clone} cat-file blob {commit}:{name}");
            let text = process::output_of(blob)? + "\n";
            files.insert(path.clone(), adapted(&path, &text, commit, target));
        }
    }
    Ok(files)
}

/// The commit that xtask/Cargo.toml in the current directory says it was copied from; `None` if it is not ours.
pub fn adopted_commit(sh: &Shell) -> Option<String> {
    let text = sh.read_file("xtask/Cargo.toml").ok()?;
    let document = manifest::parse("xtask/Cargo.toml", text.as_str()).ok()?;
    let metadata = document.get("package")?.get("metadata")?;
    Some(metadata.get("release-train")?.get("from")?.as_str()?.into())
}

/// Where a file of this clone goes; `None` for those that stay here.
fn destination(name: &str) -> Option<String> {
    if let Some(inside) = name.strip_prefix("xtask/") {
        let stays = ["benches/", "demo/", "src/bin/adopt/", "tests/"];
        let carried = !stays.iter().any(|folder| inside.starts_with(folder));
        return carried.then(|| name.to_string());
    }
    match name {
        "LICENSE-APACHE" | "LICENSE-MIT" => Some(format!("xtask/{name}")),
        _ => name.starts_with(WORKFLOWS).then(|| name.to_string()),
    }
}

/// A text as the workspace needs it.
fn adapted(path: &str, text: &str, commit: &str, target: &Target) -> String {
    if path == "xtask/Cargo.toml" {
        let carried = text.split(FOR_TESTS).next().unwrap_or_default();
        let from = format!("from = \"{commit}\" # the commit that `cargo adopt` copied");
        return format!("{carried}[package.metadata.release-train]\n{from}\n");
    }
    let mut text = text.to_string();
    if path.starts_with(WORKFLOWS) {
        text = text.replace("branches: [main]", &format!("branches: [{}]", target.main));
        if !target.locked {
            // With `cargo install`, it means the lock file of what is installed.
            text = text.replace(" --locked", "");
            text = text.replace("cargo install", "cargo install --locked");
        }
    }
    text
}
