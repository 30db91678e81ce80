//! `[workspace.metadata.release-train]` of the root manifest: what a workspace may wish, and the defaults.
//! It only reads what cargo parsed; whether the crates and files named there exist is for the tasks to say.

use semver::Version;
use serde_json::{Map, Value};

use crate::Result;

/// The configuration of one workspace. Each field is the key of that name; the README says what it is for.
#[derive(Debug)]
pub struct Config {
    pub name: Option<String>,
    pub version_of: Option<String>,
    /// With this list the pin rule holds; without it there is none.
    pub public: Option<Vec<String>>,
    pub independent: Vec<String>,
    pub version_strings: Vec<VersionString>,
    /// Programs with their arguments.
    pub after_bump: Vec<Vec<String>>,
    /// A file, relative to the root of the workspace.
    pub notes_template: Option<String>,
    pub release_candidates: bool,
    /// Every how many trains one is long-term; `None` for never.
    pub lts_every: Option<u64>,
    pub lts_months: u64,
    pub support_months: u64,
}

/// A line outside the manifests that carries the train's version.
#[derive(Debug)]
pub struct VersionString {
    /// Relative to the root of the workspace.
    pub file: String,
    /// The line without its indentation, with at least one of `PLACEHOLDERS` in it.
    pub line: String,
}

/// What stands in such a line for a version and its numbers.
const PLACEHOLDERS: [&str; 4] = ["{version}", "{major}", "{minor}", "{patch}"];

/// The line of a version string for a version.
pub fn fill(line: &str, version: &Version) -> String {
    let Version {
        major,
        minor,
        patch,
        ..
    } = version;
    let values = [
        version.to_string(),
        major.to_string(),
        minor.to_string(),
        patch.to_string(),
    ];
    let values = PLACEHOLDERS.iter().zip(values);
    values.fold(line.to_string(), |line, (placeholder, value)| {
        line.replace(placeholder, &value)
    })
}

impl Config {
    /// Reads the table; `null` stands for a workspace without one. Fails on an unknown key or a wrong type and names it.
    pub fn parse(table: &Value) -> Result<Config> {
        let keys = &mut match table {
            Value::Null => Map::new(),
            table => table.as_object().cloned().ok_or("it must be a table")?,
        };
        take(keys, "owners", STRINGS)?; // dropped, and on branches still
        let config = Config {
            name: take(keys, "name", STRING)?,
            version_of: take(keys, "version-of", STRING)?,
            public: take(keys, "public", STRINGS)?,
            independent: take(keys, "independent", STRINGS)?.unwrap_or_default(),
            version_strings: take(keys, "version-strings", VERSION_STRINGS)?.unwrap_or_default(),
            after_bump: take(keys, "after-bump", COMMANDS)?.unwrap_or_default(),
            notes_template: take(keys, "notes-template", STRING)?,
            release_candidates: take(keys, "release-candidates", BOOLEAN)?.unwrap_or_default(),
            lts_every: take(keys, "lts-every", NUMBER)?,
            lts_months: take(keys, "lts-months", NUMBER)?.unwrap_or(24),
            support_months: take(keys, "support-months", NUMBER)?.unwrap_or(2),
        };
        match keys.keys().next() {
            Some(key) => Err(format!(
                "unknown key `{key}`: remove it, or see the README for the keys"
            )
            .into()),
            None => Ok(config),
        }
    }
}

/// What a value must be, in words, and what reads it: `None` is a wrong type.
type Kind<T> = (&'static str, fn(&Value) -> Option<T>);

const BOOLEAN: Kind<bool> = ("true or false", Value::as_bool);
const NUMBER: Kind<u64> = ("a whole number above 0", |value| {
    value.as_u64().filter(|number| *number > 0)
});
const STRING: Kind<String> = ("a string", string);
const STRINGS: Kind<Vec<String>> = ("a list of strings", |value| list(value, string));
const COMMANDS: Kind<Vec<Vec<String>>> = ("a list of commands, each a list of strings", |value| {
    list(value, command)
});
const VERSION_STRINGS: Kind<Vec<VersionString>> = (
    "a list of { file = \"...\", line = \"...\" }, each line with {version}, {major}, {minor} or {patch}",
    |value| list(value, version_string),
);

/// Takes a key out of those that are left.
fn take<T>(
    keys: &mut Map<String, Value>,
    key: &str,
    (must_be, read): Kind<T>,
) -> Result<Option<T>> {
    let value = keys
        .remove(key)
        .map(|value| read(&value).ok_or_else(|| format!("`{key}` must be {must_be}")));
    Ok(value.transpose()?)
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_string)
}

fn list<T>(value: &Value, item: fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(item).collect()
}

fn command(value: &Value) -> Option<Vec<String>> {
    list(value, string).filter(|words| !words.is_empty())
}

fn version_string(value: &Value) -> Option<VersionString> {
    let line = VersionString {
        file: string(&value["file"])?,
        line: string(&value["line"])?.trim().to_string(),
    };
    let whole = value.as_object()?.len() == 2
        && PLACEHOLDERS
            .iter()
            .any(|placeholder| line.line.contains(placeholder));
    whole.then_some(line)
}
