//! `Cargo.lock` after a bump: the entries of the bumped members and the references to them, edited in place and kept in
//! cargo's order, so that cargo has nothing left to change.

use std::collections::HashMap;

use semver::Version;

use crate::rules::manifest::UNDO;
use crate::{Result, bail};

/// A member and its versions before and after the bump; they can be the same.
pub struct Move<'a> {
    pub name: &'a str,
    pub from: &'a Version,
    pub to: &'a Version,
}

/// A part of the file between blank lines: a `[[package]]`, or something else, which has no name.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    /// Empty if the package comes from a path.
    source: &'a str,
    /// The version after the bump.
    next: String,
    text: &'a str,
}

/// Rewrites the lock file. Fails if a member is not in it at the version that its manifest says.
pub fn rewrite(text: &str, moves: &[Move]) -> Result<String> {
    let (content, end) = text.split_at(text.trim_end().len());
    let line_end = if text.contains('\r') { "\r\n" } else { "\n" };
    let blank_line = line_end.repeat(2);
    let mut packages: Vec<_> = content.split(&blank_line).map(package).collect();
    for Move { name, from, to } in moves {
        let from = from.to_string();
        let wanted = (*name, &*from, "");
        let mut all = packages.iter_mut();
        let Some(member) = all.find(|it| (it.name, it.version, it.source) == wanted) else {
            bail!("`{name}` {from} is missing: run `cargo update --workspace`, or {UNDO}");
        };
        member.next = to.to_string();
    }

    // How cargo refers to each package before and after the bump.
    let mut references = HashMap::new();
    for same_name in packages.chunk_by_mut(|a, b| a.name == b.name) {
        let before: Vec<_> = same_name.iter().map(|package| package.version).collect();
        let after: Vec<_> = same_name.iter().map(|package| &*package.next).collect();
        for package in same_name.iter() {
            let (name, version, next) = (package.name, package.version, &package.next);
            let reference = package.reference(version, &before);
            references.insert(reference, package.reference(next, &after));
            // Before cargo 1.41, every reference had the version.
            let old_form = references.entry(format!("{name} {version}"));
            old_form.or_insert_with(|| format!("{name} {next}"));
        }
        // A member can overtake a package of the same name from a registry.
        let order = |it: &Package| (Version::parse(&it.next).ok(), !it.source.is_empty());
        same_name.sort_by_cached_key(order);
    }
    let bumped = packages.iter().map(|package| package.bumped(&references));
    Ok(bumped.collect::<Vec<_>>().join(&blank_line) + end)
}

impl Package<'_> {
    /// The reference to this package at a version, if packages of the same name have `versions`: no longer than needed.
    fn reference(&self, version: &str, versions: &[&str]) -> String {
        let Package { name, source, .. } = self;
        let same = versions.iter().filter(|other| **other == version).count();
        match versions.len() {
            1 => name.to_string(),
            _ if same > 1 && !source.is_empty() => format!("{name} {version} ({source})"),
            _ => format!("{name} {version}"),
        }
    }

    /// The text after the bump.
    fn bumped(&self, references: &HashMap<String, String>) -> String {
        let mut sorted: Vec<&str> = self.text.lines().filter_map(reference).collect();
        for reference in &mut sorted {
            *reference = references.get(*reference).map_or(*reference, |new| new);
        }
        sorted.sort_by_key(|reference| (reference.split(" (").next(), reference.ends_with(')')));
        let mut sorted = sorted.into_iter();
        let mut text = String::new();
        for line in self.text.split_inclusive('\n') {
            text += &match reference(line) {
                Some(old) => line.replace(old, sorted.next().unwrap_or(old)),
                None if line.starts_with("version = ") => line.replace(self.version, &self.next),
                None => line.to_string(),
            };
        }
        text
    }
}

fn package(text: &str) -> Package<'_> {
    let value = |key: &str| {
        let mut lines = text.lines().filter(|_| text.starts_with("[[package]]"));
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        value.unwrap_or_default().trim_end_matches('"')
    };
    let (name, version, source) = (value("name"), value("version"), value("source"));
    let next = version.to_string();
    Package {
        name,
        version,
        source,
        next,
        text,
    }
}

/// The reference on a line of a list of dependencies: `name`, `name version` or `name version (source)`.
fn reference(line: &str) -> Option<&str> {
    line.trim().strip_prefix('"')?.strip_suffix("\",")
}
