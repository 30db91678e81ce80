//! What of this repository goes into another, where it goes, and what differs there. It reads git, and writes only into the
//! folder that it is given.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use xshell::{Shell, cmd};

use super::there::There;
use release_train::{Context, Result, rules::manifest, world::process};

pub const WORKFLOWS: &str = ".github/workflows";

/// In our manifest, what follows this line is for our tests and benchmarks.
const STAYS: &str = "# What follows is for the tests, and `adopt` leaves it out.\n";

/// Files with their texts.
#[derive(Default)]
pub struct Files(pub BTreeMap<String, String>);

impl Files {
    /// The files as they are at a commit of the clone of release-train at `here`, fitted to a workspace.
    pub fn read(sh: &Shell, here: &Path, commit: &str, there: &There) -> Result<Files> {
        let list = process::output_of(cmd!(sh, "git -C {here} ls-tree -r -z --name-only {commit}"))
            .map_err(|_| {
                format!(
                    "{}: it lacks {commit}, which xtask/Cargo.toml names: `git fetch`",
                    here.display()
                )
            })?;
        let places = list
            .split_terminator('\0')
            .filter_map(|name| Some((name, place(name)?)));
        let (names, paths): (Vec<&str>, Vec<String>) = places.unzip();
        // One more, of which git says that it is missing: the line ends behind the last would be lost.
        let questions: String = names
            .iter()
            .map(|name| format!("{commit}:{name}\n"))
            .collect();
        let questions = questions + "none\n";
        let answers =
            process::output_with_input(cmd!(sh, "git -C {here} cat-file --batch"), &questions)?;
        let mut rest = &*answers;
        let mut files = BTreeMap::new();
        for path in paths {
            // A line that ends with the number of bytes, and these, and a line end.
            let text = rest.split_once('\n').and_then(|(head, rest)| {
                rest.split_at_checked(head.rsplit(' ').next()?.parse().ok()?)
            });
            let (text, behind) = text.ok_or_else(|| format!("{path}: git does not tell it"))?;
            rest = behind.strip_prefix('\n').unwrap_or(behind);
            files.insert(path.clone(), fitted(&path, text, commit, there));
        }
        Ok(Files(files))
    }

    pub fn write(&self, root: &Path) -> Result<()> {
        for (path, text) in &self.0 {
            let full = root.join(path);
            fs::create_dir_all(full.parent().unwrap_or(root)).context(path)?;
            fs::write(&full, text).context(path)?;
        }
        Ok(())
    }

    pub fn remove(&self, root: &Path) -> Result<()> {
        for path in self.0.keys() {
            fs::remove_file(root.join(path))?;
        }
        Ok(())
    }

    /// The names of the workflows: they are those of their files.
    pub fn workflows(&self) -> impl Iterator<Item = &str> {
        let files = self
            .0
            .keys()
            .filter_map(|path| path.strip_prefix(WORKFLOWS)?.strip_suffix(".yml"));
        files.map(|file| file.trim_start_matches('/'))
    }
}

/// Where a file of this repository goes; `None` for what stays here.
fn place(name: &str) -> Option<String> {
    let stays = ["xtask/demo/", "xtask/tests/", "xtask/benches/"];
    match name {
        // Their licences must go along, and the tool's errors name the README.
        "LICENSE-APACHE" | "LICENSE-MIT" | "README.md" => Some(format!("xtask/{name}")),
        _ if stays.iter().any(|folder| name.starts_with(folder)) => None,
        _ if name.starts_with("xtask/") || name.starts_with(WORKFLOWS) => Some(name.to_string()),
        _ => None,
    }
}

/// A text as it must be there.
fn fitted(path: &str, text: &str, commit: &str, there: &There) -> String {
    match path {
        "xtask/Cargo.toml" => {
            let text = text.split(STAYS).next().unwrap_or_default();
            format!(
                "{text}[package.metadata.release-train]\nfrom = \"{commit}\" # the commit that `adopt` took this from\n"
            )
        }
        _ if path.starts_with(WORKFLOWS) => {
            let text = text.replace("branches: [main]", &format!("branches: [{}]", there.main));
            // What is installed has a lock file of its own.
            let locked = |line: &str| there.locked || line.contains("cargo install");
            let fit = |line: &str| {
                if locked(line) {
                    line.to_string()
                } else {
                    line.replace(" --locked", "")
                }
            };
            text.split_inclusive('\n').map(fit).collect()
        }
        _ => text.to_string(),
    }
}

/// The commit that a manifest says the tool was taken from.
pub fn adopted(text: &str) -> Option<&str> {
    let document = manifest::parse("xtask/Cargo.toml", text).ok()?;
    let from = document
        .get("package")?
        .get("metadata")?
        .get("release-train")?
        .get("from")?
        .span()?;
    Some(text[from].trim_matches(['"', '\'']))
}
