//! `[workspace.metadata.release-train]` of the root manifest: the keys that a workspace can set, and their defaults.
//! The tasks check whether the crates and files named there exist.

use std::collections::BTreeMap;
use std::num::NonZero;

use semver::Version;
use serde_json::{Map, Value, from_value};

use crate::rules::version::{Bump, TagForm};
use crate::{Result, bail};

/// The configuration of one workspace. Each field is the key of that name; the README explains them.
#[derive(Debug)]
pub struct Config {
    pub name: Option<String>,
    pub version_of: Option<String>,
    /// With this list, requirements on members are checked against it.
    pub public: Option<Vec<String>>,
    pub independent: Vec<String>,
    pub version_strings: Vec<VersionString>,
    /// Crates that the registry need not have seen.
    pub new_crates: Vec<String>,
    /// Programs with their arguments.
    pub after_bump: Vec<Vec<String>>,
    pub checks: Vec<Vec<String>>,
    /// A file, relative to the root of the workspace.
    pub notes_template: Option<String>,
    /// Files that a release has, with placeholders that `fill` replaces.
    pub artifacts: Vec<String>,
    /// The form of tags.
    pub tag: TagForm,
    /// What a cut bumps main by: `Major` or `Minor`.
    pub train: Bump,
    pub release_candidates: bool,
    /// Every how many trains one has long-term support; `None` for never.
    pub lts_every: Option<u64>,
    pub lts_months: u64,
    pub support_months: u64,
}

/// A line outside the manifests that carries the train's version.
#[derive(Debug)]
pub struct VersionString {
    /// Relative to the root of the workspace.
    pub file: String,
    /// The line without its indentation, with placeholders that `fill` replaces.
    pub line: String,
}

/// A text for a version, in the place of the placeholders.
pub fn fill(line: &str, version: &Version) -> String {
    line.replace("{version}", &version.to_string())
        .replace("{major}", &version.major.to_string())
        .replace("{minor}", &version.minor.to_string())
        .replace("{patch}", &version.patch.to_string())
}

/// A type in words, and its parser.
type Type<T> = (&'static str, fn(Value) -> Option<T>);

const BOOLEAN: Type<bool> = ("true or false", |value| value.as_bool());
const NUMBER: Type<NonZero<u64>> = ("a whole number above 0", |value| from_value(value).ok());
const STRING: Type<String> = ("a string", |value| from_value(value).ok());
const STRINGS: Type<Vec<String>> = ("a list of strings", |value| from_value(value).ok());
const TRAIN: Type<Bump> = ("\"major\" or \"minor\"", |value| match value.as_str()? {
    "major" => Some(Bump::Major),
    "minor" => Some(Bump::Minor),
    _ => None,
});
const COMMANDS: Type<Vec<Vec<String>>> = ("a list of commands, each a list of strings", |value| {
    let commands: Vec<Vec<String>> = from_value(value).ok()?;
    (!commands.iter().any(Vec::is_empty)).then_some(commands)
});
/// GitHub keeps no other characters in the name of a file of a release.
const FILES: Type<Vec<String>> = (
    "a list of names of letters, digits and ._-+, each with {version}, {major}, {minor} or {patch} at will",
    |value| {
        let names: Vec<String> = from_value(value).ok()?;
        let is_plain = |name: &String| {
            let name = fill(name, &Version::new(0, 0, 0));
            let is_kept = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
            name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_kept)
        };
        names.iter().all(is_plain).then_some(names)
    },
);
const LINES: Type<Vec<VersionString>> = (
    "a list of { file = \"...\", line = \"...\" }, each line with {version}, {major}, {minor} or {patch}",
    version_strings,
);

fn version_strings(list: Value) -> Option<Vec<VersionString>> {
    let mut found = Vec::new();
    for mut entry in from_value::<Vec<BTreeMap<String, String>>>(list).ok()? {
        let (file, line) = (entry.remove("file")?, entry.remove("line")?);
        let has_placeholder = fill(&line, &Version::new(0, 0, 0)) != line;
        if file.is_empty() || !has_placeholder || !entry.is_empty() {
            return None;
        }
        let line = line.trim().to_string();
        found.push(VersionString { file, line });
    }
    Some(found)
}

/// Takes a key out of those that are not read yet.
fn take<T>(keys: &mut Map<String, Value>, key: &str, (kind, parse): Type<T>) -> Result<Option<T>> {
    let Some(value) = keys.remove(key) else {
        return Ok(None);
    };
    let wrong = || format!("`{key}` must be {kind}").into();
    parse(value).ok_or_else(wrong).map(Some)
}

impl Config {
    /// Reads the table; `null` stands for a workspace without one. Fails on an unknown key or a wrong type and names it.
    pub fn parse(table: &Value) -> Result<Config> {
        let keys = &mut match table {
            Value::Null => Map::new(),
            Value::Object(table) => table.clone(),
            _ => bail!("it must be a table"),
        };
        take(keys, "owners", STRINGS)?; // not used any more; old branches have it
        let config = Config {
            name: take(keys, "name", STRING)?,
            version_of: take(keys, "version-of", STRING)?,
            public: take(keys, "public", STRINGS)?,
            independent: take(keys, "independent", STRINGS)?.unwrap_or_default(),
            version_strings: take(keys, "version-strings", LINES)?.unwrap_or_default(),
            new_crates: take(keys, "new-crates", STRINGS)?.unwrap_or_default(),
            after_bump: take(keys, "after-bump", COMMANDS)?.unwrap_or_default(),
            checks: take(keys, "checks", COMMANDS)?.unwrap_or_default(),
            notes_template: take(keys, "notes-template", STRING)?,
            artifacts: take(keys, "artifacts", FILES)?.unwrap_or_default(),
            tag: TagForm::parse(take(keys, "tag", STRING)?.as_deref())?,
            train: take(keys, "train", TRAIN)?.unwrap_or(Bump::Major),
            release_candidates: take(keys, "release-candidates", BOOLEAN)?.unwrap_or_default(),
            lts_every: take(keys, "lts-every", NUMBER)?.map(NonZero::get),
            lts_months: take(keys, "lts-months", NUMBER)?.map_or(24, NonZero::get),
            support_months: take(keys, "support-months", NUMBER)?.map_or(2, NonZero::get),
        };
        if let Some(key) = keys.keys().next() {
            bail!("unknown key `{key}`: remove it, or see the README for the keys");
        }
        Ok(config)
    }

    /// Whether a bump leads to a development version: with candidates, that of a new train does.
    pub fn leads_to_dev(&self, bump: &Bump) -> bool {
        self.release_candidates && [&Bump::Major, &self.train].contains(&bump)
    }

    /// The version of the train after one.
    pub fn next_train(&self, now: &Version) -> Result<Version> {
        self.train.next(now, self.release_candidates)
    }
}
