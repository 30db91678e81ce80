//! `Cargo.lock` after members moved: their entries and the references to them, edited in place and kept in cargo's order,
//! so that cargo finds nothing left to change. Pure: text in, text out.

use std::collections::HashMap;

use semver::Version;

use crate::rules::manifest::UNDO;
use crate::{Result, bail};

/// A member, and where it goes; `to` may be where it is.
pub struct Move<'a> {
    pub name: &'a str,
    pub from: &'a Version,
    pub to: &'a Version,
}

/// One `[[package]]`. A package of a path has no source.
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    source: Option<&'a str>,
    /// The version it moves to, or the one it has.
    next: String,
    /// The lines below `[[package]]`, without the white space behind them.
    lines: &'a str,
}

const HEADER: &str = "[[package]]";

/// Rewrites the lock file. Fails if it does not hold a member at the version that the member's manifest says.
pub fn rewrite(text: &str, moves: &[Move]) -> Result<String> {
    let start = text.find(HEADER).unwrap_or(text.len());
    let mut tables = text[start..]
        .match_indices("\n[")
        .map(|(at, _)| start + at + 1);
    let end = tables
        .find(|at| !text[*at..].starts_with(HEADER))
        .unwrap_or(text.len());
    let entries: Vec<&str> = text[start..end].split(HEADER).skip(1).collect();
    let mut packages: Vec<Package> = entries
        .iter()
        .map(|entry| package(entry))
        .collect::<Option<_>>()
        .ok_or("it is damaged")?;

    let mut members: HashMap<(&str, String), &Move> = moves
        .iter()
        .map(|moved| ((moved.name, moved.from.to_string()), moved))
        .collect();
    for package in packages
        .iter_mut()
        .filter(|package| package.source.is_none())
    {
        if let Some(moved) = members.remove(&(package.name, package.version.to_string())) {
            package.next = moved.to.to_string();
        }
    }
    if let Some((name, from)) = members.into_keys().min() {
        bail!(
            "it has no `{name}` {from}: bring it up to date with `cargo update --workspace`, or {UNDO}"
        );
    }

    // How cargo refers to each package that moves, and to its namesakes, before and after.
    let mut spellings = HashMap::new();
    for namesakes in packages.chunk_by_mut(|a, b| a.name == b.name) {
        if namesakes
            .iter()
            .all(|package| package.version == package.next)
        {
            continue;
        }
        let before: Vec<&str> = namesakes.iter().map(|package| package.version).collect();
        let after: Vec<&str> = namesakes.iter().map(|package| &*package.next).collect();
        for package in namesakes.iter() {
            spellings.insert(
                package.spelled(package.version, &before),
                package.spelled(&package.next, &after),
            );
            // Before cargo 1.41 every reference named the version.
            let full = |version: &str| format!("{} {version}", package.name);
            spellings
                .entry(full(package.version))
                .or_insert(full(&package.next));
        }
        // A member may pass a namesake from the registry.
        namesakes.sort_by_cached_key(|package| {
            (Version::parse(&package.next).ok(), package.source.is_some())
        });
    }

    let mut result = text[..start].to_string();
    for (package, entry) in packages.iter().zip(entries) {
        let gap = &entry[entry.trim_end().len()..];
        result.extend([HEADER, &package.rewritten(&spellings), gap]);
    }
    Ok(result + &text[end..])
}

impl Package<'_> {
    /// The reference to this package at a version, beside namesakes of these versions: no more than tells them apart.
    fn spelled(&self, version: &str, namesakes: &[&str]) -> String {
        let same = namesakes.iter().filter(|other| **other == version).count();
        match self.source {
            Some(source) if same > 1 => format!("{} {version} ({source})", self.name),
            _ if namesakes.len() > 1 => format!("{} {version}", self.name),
            _ => self.name.to_string(),
        }
    }

    fn rewritten(&self, spellings: &HashMap<String, String>) -> String {
        let references = self.lines.lines().filter_map(reference);
        let mut references: Vec<&str> = references
            .map(|old| spellings.get(old).map_or(old, |new| new))
            .collect();
        // Cargo orders them as text, the versions too.
        references.sort_by_key(|reference| {
            let mut parts = reference.split(' ');
            (parts.next(), parts.next(), parts.next().is_some())
        });
        let mut references = references.into_iter();
        let line = |line: &str| match reference(line) {
            Some(old) => line.replace(old, references.next().unwrap_or(old)),
            None if line.starts_with("version = ") => line.replace(self.version, &self.next),
            None => line.to_string(),
        };
        self.lines.split_inclusive('\n').map(line).collect()
    }
}

fn package(entry: &str) -> Option<Package<'_>> {
    let value = |key: &str| {
        entry.lines().find_map(|line| {
            line.strip_prefix(key)?
                .strip_prefix(" = \"")?
                .strip_suffix('"')
        })
    };
    let (name, version, source) = (value("name")?, value("version")?, value("source"));
    Some(Package {
        name,
        version,
        source,
        next: version.to_string(),
        lines: entry.trim_end(),
    })
}

/// The reference on a line of a list of dependencies: `name`, `name version` or `name version (source)`.
fn reference(line: &str) -> Option<&str> {
    line.trim().strip_prefix('"')?.strip_suffix("\",")
}
