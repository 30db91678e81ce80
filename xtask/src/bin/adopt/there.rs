//! The workspace to adopt into: what is there, and all that stands in the way. It only reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml_edit::Document;
use xshell::{Shell, cmd};

use super::files::{self, Files};
use super::join;
use release_train::rules::notes::FILE as NOTES;
use release_train::world::workspace::metadata;
use release_train::{Result, world::process};

/// The oldest Rust that builds the tool.
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// What is known of the workspace at DIR.
pub struct There {
    pub root: PathBuf,
    /// The repository's name.
    pub name: String,
    /// The commit of release-train that the tool there is of, if it is there.
    pub adopted: Option<String>,
    /// The branch that everything lands on.
    pub main: String,
    /// Whether it keeps a Cargo.lock.
    pub locked: bool,
}

impl There {
    pub fn read(sh: &Shell, root: PathBuf) -> Result<There> {
        let adopted = match fs::read_to_string(root.join("xtask/Cargo.toml")) {
            Ok(text) => files::adopted(&text).map(str::to_string),
            Err(_) => None,
        };
        let locked = !process::output_of(cmd!(sh, "git ls-files Cargo.lock"))?.is_empty();
        Ok(There {
            name: release_train::world::git::repository_name(sh)?,
            root,
            adopted,
            main: main_branch(sh),
            locked,
        })
    }

    /// What stands in the way, each with what to do.
    pub fn obstacles(&self, sh: &Shell, old: &Files, new: &Files) -> Result<Vec<String>> {
        let mut found = join::obstacles(&self.root, self.adopted.is_some());
        found.extend(ignored(sh, new)?);
        found.extend(hidden(sh, new)?);
        match self.old_toolchain(sh)? {
            Some(old) => found.push(old), // cargo would not run, or begin with a download
            None if self.adopted.is_none() => found.extend(own_xtask(sh)?),
            None => {}
        }
        if self.adopted.is_none() && self.root.join("xtask").exists() {
            found.push("xtask: there is one of your own: rename it".to_string());
        }
        for (path, text) in workflows(&self.root)
            .into_iter()
            .filter(|(path, _)| !old.0.contains_key(path))
        {
            let file = path
                .rsplit('/')
                .next()
                .and_then(|file| file.split('.').next());
            let names = [
                file,
                text.lines().find_map(|line| line.strip_prefix("name:")),
            ]
            .map(Option::unwrap_or_default);
            let names = names.map(|name| {
                name.split(" #")
                    .next()
                    .unwrap_or_default()
                    .trim_matches([' ', '"', '\''])
            });
            // Not every file system keeps `Main.yml` apart from `main.yml`.
            let taken = |name: &&str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
            found.extend(new.workflows().find(taken).map(|name| {
                format!("{path}: a workflow of ours is called `{name}`, too: rename yours, its file and its `name`")
            }));
        }
        Ok(found)
    }

    /// A toolchain below what the tool needs, pinned by a number or as cargo says of itself.
    fn old_toolchain(&self, sh: &Shell) -> Result<Option<String>> {
        let numbers = |version: &str| -> Option<Vec<u64>> {
            version
                .split('-')
                .next()?
                .split('.')
                .map(|number| number.parse().ok())
                .collect()
        };
        let file = ["rust-toolchain", "rust-toolchain.toml"]
            .into_iter()
            .find(|file| self.root.join(file).exists());
        let text = file.map_or(Ok(String::new()), |file| {
            fs::read_to_string(self.root.join(file))
        })?;
        let channel = match Document::parse(text.as_str()) {
            Ok(document) => document
                .get("toolchain")
                .and_then(|table| table.get("channel")?.as_str())
                .map(str::to_string),
            Err(_) => Some(text.trim().to_string()), // the file once held a name alone
        };
        let version = match channel.filter(|channel| numbers(channel).is_some()) {
            Some(pinned) => pinned,
            None => process::output_of(cmd!(sh, "cargo --version"))?
                .split(' ')
                .nth(1)
                .unwrap_or_default()
                .to_string(),
        };
        let says = || {
            format!(
                "{}: Rust is {version} there, and the tool needs {RUST} or later: say so there",
                file.unwrap_or("cargo")
            )
        };
        Ok((numbers(&version) < numbers(RUST)).then(says))
    }
}

/// The branch that everything lands on: origin's default, else the one with a usual name. That which is checked out may be
/// there for this change alone.
fn main_branch(sh: &Shell) -> String {
    let leads = |name: &str, start: &str| {
        let to = process::output_of(cmd!(sh, "git symbolic-ref --quiet {name}")).ok()?;
        to.strip_prefix(start).map(str::to_string)
    };
    let is_there = |branch: &str| {
        process::output_of(cmd!(sh, "git rev-parse --quiet --verify {branch}")).is_ok()
    };
    leads("refs/remotes/origin/HEAD", "refs/remotes/origin/").unwrap_or_else(|| {
        let current = leads("HEAD", "refs/heads/");
        let is_known = |name: &&str| {
            ["heads", "remotes/origin"]
                .iter()
                .any(|place| is_there(&format!("refs/{place}/{name}")))
        };
        let usual = ["main", "master"]
            .into_iter()
            .filter(is_known)
            .max_by_key(|name| current.as_deref() == Some(name));
        usual
            .map(str::to_string)
            .or(current)
            .unwrap_or("main".to_string())
    })
}

/// A package that has the tool's name, wherever it lies.
fn own_xtask(sh: &Shell) -> Result<Option<String>> {
    let metadata = metadata(sh)?;
    let own = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "xtask");
    let what = "is a package called `xtask`, of your own: rename it";
    Ok(own.map(|own| {
        format!(
            "{} {what}",
            own["manifest_path"].as_str().unwrap_or_default()
        )
    }))
}

/// The rules by which git would ignore files of ours there, and leave them out of a commit.
fn ignored(sh: &Shell, new: &Files) -> Result<BTreeSet<String>> {
    let files = [join::CONFIG, NOTES]
        .into_iter()
        .chain(new.0.keys().map(String::as_str));
    let list = files.map(|file| format!("{file}\0")).collect::<String>();
    let said = process::search_output(cmd!(sh, "git check-ignore --verbose --stdin -z"), &list)?;
    let fields: Vec<&str> = said.split_terminator('\0').collect();
    let rules = fields
        .chunks_exact(4)
        .filter(|rule| !rule[2].starts_with('!'));
    let says = |rule: &[&str]| {
        let folder = rule[3].split('/').next().unwrap_or_default();
        format!(
            "{}:{}: `{}` keeps git from what goes into {folder}: narrow that rule",
            rule[0], rule[1], rule[2]
        )
    };
    Ok(rules.map(says).collect())
}

/// Whether a sparse checkout would leave out what goes in.
fn hidden(sh: &Shell, new: &Files) -> Result<Option<String>> {
    if process::search_output(cmd!(sh, "git config --type=bool core.sparseCheckout"), "")? != "true"
    {
        return Ok(None);
    }
    let list = new
        .0
        .keys()
        .map(|file| format!("{file}\0"))
        .collect::<String>();
    let shown = process::output_with_input(cmd!(sh, "git sparse-checkout check-rules -z"), &list)?;
    let what = "this checkout is sparse, and what goes in would not be in it";
    let says = || {
        format!(
            "{what}: `git sparse-checkout add xtask {}`, or `disable`",
            files::WORKFLOWS
        )
    };
    Ok((shown.split_terminator('\0').count() < new.0.len()).then(says))
}

/// The workflows of a repository: their paths and texts.
pub fn workflows(root: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(root.join(files::WORKFLOWS))
        .into_iter()
        .flatten();
    let read = |file: std::io::Result<fs::DirEntry>| {
        let path = file.ok()?.path();
        Some((
            format!("{}/{}", files::WORKFLOWS, path.file_name()?.to_str()?),
            fs::read_to_string(&path).ok()?,
        ))
    };
    files.filter_map(read).collect()
}
