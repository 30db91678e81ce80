//! `[workspace.metadata.release-train]` of the root manifest: what a workspace may wish, and the defaults.
//! It only reads what cargo parsed; whether the crates and files named there exist is for the tasks to say.

use serde_json::Value;

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
    pub owners: Vec<String>,
    /// A file, relative to the root of the workspace.
    pub notes_template: Option<String>,
    pub release_candidates: bool,
    /// Every how many trains one is long-term; `None` for never.
    pub lts_every: Option<u64>,
    pub lts_months: u64,
    pub support_months: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            name: None,
            version_of: None,
            public: None,
            independent: Vec::new(),
            version_strings: Vec::new(),
            after_bump: Vec::new(),
            owners: Vec::new(),
            notes_template: None,
            release_candidates: false,
            lts_every: None,
            lts_months: 24,
            support_months: 2,
        }
    }
}

/// A line outside the manifests that carries the train's version.
#[derive(Debug)]
pub struct VersionString {
    /// Relative to the root of the workspace.
    pub file: String,
    /// The line without its indentation, with at least one of `PLACEHOLDERS` in it.
    pub line: String,
}

/// What a version string may hold in place of the version and its numbers.
pub const PLACEHOLDERS: [&str; 4] = ["{version}", "{major}", "{minor}", "{patch}"];

impl Config {
    /// Reads the table; `null` stands for a workspace without one. Fails on an unknown key or a wrong type and names it.
    pub fn parse(table: &Value) -> Result<Config> {
        let mut config = Config::default();
        let none = serde_json::Map::new();
        let table = match table {
            Value::Null => &none,
            table => table.as_object().ok_or("it must be a table")?,
        };
        for (key, value) in table {
            // Each key reads itself; `None` is a wrong type.
            let (must_be, read) = match key.as_str() {
                "name" => ("a string", string(value).map(|name| config.name = Some(name))),
                "version-of" => ("a string", string(value).map(|name| config.version_of = Some(name))),
                "public" => (STRINGS, list(value, string).map(|names| config.public = Some(names))),
                "independent" => (STRINGS, list(value, string).map(|names| config.independent = names)),
                "version-strings" => (
                    "a list of { file = \"...\", line = \"...\" }, each line with {version}, {major}, {minor} or {patch}",
                    list(value, version_string).map(|lines| config.version_strings = lines),
                ),
                "after-bump" => (
                    "a list of commands, each a list of strings",
                    list(value, command).map(|commands| config.after_bump = commands),
                ),
                "owners" => (STRINGS, list(value, string).map(|names| config.owners = names)),
                "notes-template" => ("a string", string(value).map(|file| config.notes_template = Some(file))),
                "release-candidates" => ("true or false", value.as_bool().map(|yes| config.release_candidates = yes)),
                "lts-every" => (NUMBER, number(value).map(|trains| config.lts_every = Some(trains))),
                "lts-months" => (NUMBER, number(value).map(|months| config.lts_months = months)),
                "support-months" => (NUMBER, number(value).map(|months| config.support_months = months)),
                _ => return Err(format!("unknown key `{key}`: remove it, or see the README for the keys").into()),
            };
            read.ok_or_else(|| format!("`{key}` must be {must_be}"))?;
        }
        Ok(config)
    }
}

const STRINGS: &str = "a list of strings";
const NUMBER: &str = "a whole number above 0";

fn number(value: &Value) -> Option<u64> {
    value.as_u64().filter(|number| *number > 0)
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
    let line = VersionString { file: string(&value["file"])?, line: string(&value["line"])?.trim().to_string() };
    let whole = value.as_object()?.len() == 2 && PLACEHOLDERS.iter().any(|placeholder| line.line.contains(placeholder));
    whole.then_some(line)
}
