//! What is to be written: which parts of the tool are left out, which files may be overwritten, and what the owner is told of
//! those that may not.

use std::collections::BTreeSet;

use xshell::Shell;

use super::files::{Files, Target, WORKFLOWS, origin};
use release_train::{Result, Usage};

/// The workflow that a main.yml of the owner's must call.
const CHECKS: &str = "release-checks.yml";

pub struct Change {
    /// The tool's files as they were copied before; empty if they were not.
    pub old: Files,
    /// Those to be written.
    pub new: Files,
    /// Those that are left out.
    pub left_out: Vec<String>,
    pub target: Target,
}

impl Change {
    /// Leaves out parts of the tool, and those that were copied and deleted. Fails if a part does not exist.
    pub fn without(mut self, sh: &Shell, without: &[String]) -> Result<Change> {
        let rehearse = format!("{}/src/bin/rehearse/", self.target.tool);
        let mut parts = BTreeSet::new();
        for path in self.new.keys() {
            let (part, place) = match path.strip_prefix(WORKFLOWS) {
                Some(name) => (name, path),
                None if path.starts_with(&rehearse) => ("rehearse", &rehearse),
                None => continue,
            };
            let is_known = self.old.keys().any(|old| old.starts_with(place));
            let is_deleted = is_known && !sh.path_exists(place);
            if is_deleted || without.iter().any(|what| what == part) {
                self.left_out.push(path.clone());
            }
            parts.insert(part.to_string());
        }
        if let Some(what) = without.iter().find(|what| !parts.contains(*what)) {
            let parts = parts.into_iter().collect::<Vec<_>>().join(", ");
            return Err(Usage(format!("--without: `{what}` is not one of {parts}")).into());
        }
        self.new.retain(|path, _| !self.left_out.contains(path));
        Ok(self)
    }

    /// Writes the tool's files into the current directory, and removes those that it does not have any more. A file without
    /// the line of origin is the owner's and stays, unless it is empty; one that cannot have comments, if it was changed.
    /// Returns the files that are the tool's, and what to tell the owner, in lines.
    pub fn write(&self, sh: &Shell) -> Result<(Files, String)> {
        let (mut written, mut notices) = (self.new.clone(), String::new());
        for path in BTreeSet::from_iter(self.old.keys().chain(self.new.keys())) {
            let (before, after) = (self.old.get(path), self.new.get(path));
            if sh.path_exists(path) {
                let now = sh.read_file(path)?.replace("\r\n", "\n");
                // The owner's choices are written once.
                if after == Some(&now) || path.ends_with("/ci.json") {
                    continue;
                }
                let line = origin(path);
                let has_line = !line.is_empty() && now.starts_with(&line);
                let is_changed = !now.is_empty() && before != Some(&now);
                if is_changed && !has_line {
                    written.remove(path);
                    notices += &self.kept(sh, path, &now);
                    continue;
                }
                if is_changed {
                    notices += &format!("{path}: your changes are overwritten\n");
                }
                sh.remove_path(path)?;
            }
            if let Some(after) = after {
                sh.write_file(path, after)?;
            }
        }
        for path in &self.left_out {
            if let Some(needed) = needed_by(sh, path, &self.new) {
                notices += &format!("{path}: left out{needed}\n");
            }
        }
        Ok((written, notices))
    }

    /// What to do about a file of the owner's in the place of one of the tool's, as a line; empty if it fits.
    fn kept(&self, sh: &Shell, path: &str, now: &str) -> String {
        let manual = format!("see \"Your own CI\" in {}/README.md", self.target.tool);
        let needed = needed_by(sh, path, &self.new).unwrap_or_default();
        let get = "rename yours, commit an empty file in its place, and run this again";
        let advice = match path.strip_prefix(WORKFLOWS) {
            _ if !self.new.contains_key(path) => "release-train does not have it any more".into(),
            Some("main.yml") if now.contains(CHECKS) => return String::new(),
            Some("main.yml") => format!("let it call {CHECKS}: {manual}"),
            Some(_) => format!("to get release-train's{needed}, {get}"),
            None => "to get release-train's, delete it and run this again".into(),
        };
        format!("{path}: yours, kept: {advice}\n")
    }
}

/// The workflows of the tool that call or start another one, in parentheses; `None` if there are none. Where the owner has one
/// in the place of the tool's, theirs counts.
fn needed_by(sh: &Shell, path: &str, files: &Files) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let is_named = |line: &str| !line.trim_start().starts_with('#') && line.contains(name);
    let mut callers = Vec::new();
    for (caller, text) in files {
        let text = sh.read_file(caller).unwrap_or(text.clone());
        let workflow = caller.strip_prefix(WORKFLOWS);
        callers.extend(workflow.filter(|it| *it != name && text.lines().any(is_named)));
    }
    (!callers.is_empty()).then(|| format!(" (needed by {})", callers.join(", ")))
}
