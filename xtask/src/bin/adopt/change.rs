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
        let mut kept = Vec::new();
        let mut paths: BTreeSet<&String> = self.old.keys().collect();
        paths.extend(self.new.keys());
        for path in paths {
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
                    // A CI that calls the checks is complete.
                    if !path.ends_with("/main.yml") || !now.contains(CHECKS) {
                        kept.push(path);
                    }
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
        for path in kept {
            let advice = self.advice(path, &needed_by(path, &written));
            notices += &format!("{path}: yours, kept: {advice}\n");
        }
        for path in &self.left_out {
            let needed = needed_by(path, &written);
            if !needed.is_empty() {
                notices += &format!("{path}: left out{needed}\n");
            }
        }
        Ok((written, notices))
    }

    /// What to do about a file of the owner's in the place of one of the tool's.
    fn advice(&self, path: &str, needed: &str) -> String {
        if !self.new.contains_key(path) {
            return "release-train does not have it any more".to_string();
        }
        if !path.starts_with(WORKFLOWS) {
            return "to get release-train's, delete it and run this again".to_string();
        }
        if path.ends_with("/main.yml") {
            let manual = format!("\"Your own CI\" in {}/README.md", self.target.tool);
            return format!("let it call {CHECKS}: see {manual}");
        }
        let get = "rename yours, commit an empty file in its place, and run this again";
        format!("to get release-train's{needed}, {get}")
    }
}

/// The workflows of the tool that call or start another one, in parentheses; empty if there are none.
fn needed_by(path: &str, written: &Files) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_named = |line: &str| !line.trim_start().starts_with('#') && line.contains(name);
    let mut callers = Vec::new();
    for (caller, text) in written {
        let workflow = caller.strip_prefix(WORKFLOWS);
        callers.extend(workflow.filter(|_| text.lines().any(is_named)));
    }
    match callers.as_slice() {
        [] => String::new(),
        _ => format!(" (needed by {})", callers.join(", ")),
    }
}
