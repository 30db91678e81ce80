//! What git knows of this clone that other workspaces carry, and how it is adapted to one of them. It only reads git.

use std::collections::BTreeMap;
use std::path::Path;

use xshell::{Shell, cmd};

use release_train::{Context, Result, rules::manifest, world::process};

pub const WORKFLOWS: &str = ".github/workflows/";

/// In our manifest, what follows this line is for our tests and benchmarks.
const FOR_TESTS: &str = "# What follows is for the tests, and `adopt` leaves it out.\n";

/// The line that each file begins with. Without it, a file is the owner's.
const ORIGIN: &str =
    "Copied from release-train: `cargo adopt` overwrites this file unless you delete this line.";

/// From the path of a file in the workspace that adopts to its text.
pub type Files = BTreeMap<String, String>;

/// The workspace that adopts.
pub struct Target {
    /// The repository's name.
    pub name: String,
    /// The name of the tool's folder, package, program and alias there.
    pub tool: String,
    /// The branch that everything lands on.
    pub main: String,
    /// Whether a release branch is checked out.
    pub on_release_branch: bool,
    /// Whether its Cargo.lock is committed.
    pub locked: bool,
}

/// The files as they are at a commit of this clone, adapted to a workspace.
pub fn read(sh: &Shell, clone: &Path, commit: &str, target: &Target) -> Result<Files> {
    let missing = format!("{} has no {commit}: run `git fetch` there", clone.display());
    let list = cmd!(sh, "git -C {clone} ls-tree -r --name-only {commit}");
    let list = process::output_of(list).context(missing)?;
    // Without it, `cargo fmt --check` would fail where the workspace has another style, or a longer name the lines.
    let style = "disable_all_formatting = true\n".to_string();
    let mut all = vec![("xtask/rustfmt.toml".to_string(), style)];
    for name in list.lines() {
        if let Some(path) = destination(name) {
            let blob = cmd!(sh, "git -C {clone} cat-file blob {commit}:{name}");
            let text = adapted(&path, process::output_of(blob)? + "\n", commit, target);
            all.push((path, text));
        }
    }
    let renamed = |text: String| text.replace("xtask", &target.tool);
    let all = all
        .into_iter()
        .map(|(path, text)| (origin(&path) + &text, path));
    Ok(all
        .map(|(text, path)| (renamed(path), renamed(text)))
        .collect())
}

/// The name of the tool in the repository around the current directory, and the commit of this clone that it was copied from;
/// `None` if it is not there.
pub fn adopted(sh: &Shell) -> Option<(String, String)> {
    let manifests = process::output_of(cmd!(sh, "git ls-files -- :(glob)*/Cargo.toml"));
    manifests.ok()?.lines().find_map(|file| {
        let document = manifest::parse(file, sh.read_file(file).ok()?).ok()?;
        let metadata = document.get("package")?.get("metadata")?;
        let commit = metadata.get("release-train")?.get("from")?.as_str()?;
        Some((file.replace("/Cargo.toml", ""), commit.to_string()))
    })
}

/// The line of origin as a comment; empty for a file without comments.
pub fn origin(path: &str) -> String {
    match path.rsplit('.').next() {
        Some("rs") => format!("// {ORIGIN}\n"),
        Some("md") => format!("<!-- {ORIGIN} -->\n"),
        Some("toml" | "yml") => format!("# {ORIGIN}\n"),
        _ => String::new(),
    }
}

/// Where a file of this clone goes; `None` for those that stay here.
fn destination(name: &str) -> Option<String> {
    let stays = ["benches/", "demo/", "src/bin/adopt/", "tests/"];
    let inside = name.strip_prefix("xtask/").unwrap_or(stays[0]);
    let is_carried = !stays.iter().any(|folder| inside.starts_with(folder));
    match name {
        "LICENSE-APACHE" | "LICENSE-MIT" => Some(format!("xtask/{name}")),
        _ => (is_carried || name.starts_with(WORKFLOWS)).then(|| name.to_string()),
    }
}

/// A text as the workspace needs it, but for the name of the tool.
fn adapted(path: &str, text: String, commit: &str, target: &Target) -> String {
    if path == "xtask/Cargo.toml" {
        let carried = text.split(FOR_TESTS).next().unwrap_or_default();
        let from = format!("from = \"{commit}\" # the commit that `cargo adopt` copied");
        return format!("{carried}[package.metadata.release-train]\n{from}\n");
    }
    let text = text.replace("branches: [main]", &format!("branches: [{}]", target.main));
    if target.locked || !path.starts_with(WORKFLOWS) {
        return text;
    }
    // With `cargo install`, it means the lock file of what is installed.
    let text = text.replace(" --locked", "");
    text.replace("cargo install", "cargo install --locked")
}
