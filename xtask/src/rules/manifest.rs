//! A `Cargo.toml` as text: where its versions and requirements stand, and the same text with others in their place.
//! It never prints TOML of its own: a document that is parsed and printed again loses CRLF, byte order marks and more.

use std::cmp::Reverse;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use semver::{Version, VersionReq};
use toml_edit::{Document, Item, TableLike};

use crate::{Context, Result};

/// What to do where the cause may be a bump that was killed.
pub const UNDO: &str = "undo an interrupted bump with `git restore :/`";

pub struct Manifest {
    pub path: PathBuf,
    /// The path for messages, relative to the root of the workspace where it lies inside.
    pub file: String,
    document: Document<String>,
}

/// A dependency that names a version, wherever it stands in a manifest.
pub struct Requirement<'a> {
    /// The package's own name, also where the dependency is renamed.
    pub package: &'a str,
    pub text: &'a str,
    /// The folder that `path` leads to.
    pub folder: Option<PathBuf>,
    /// Whether it names a git repository or a registry.
    pub elsewhere: bool,
    /// Where the text stands.
    pub literal: &'a Item,
}

/// The tables cargo reads dependencies from; with the underscore it warns.
const KINDS: [&str; 5] = [
    "dependencies",
    "dev-dependencies",
    "build-dependencies",
    "dev_dependencies",
    "build_dependencies",
];

impl Manifest {
    /// `file` is its path for messages.
    pub fn parse(path: &Path, file: String, text: String) -> Result<Manifest> {
        let document = parse(&file, text)?;
        Ok(Manifest {
            path: path.to_path_buf(),
            file,
            document,
        })
    }

    pub fn text(&self) -> &str {
        self.document.raw()
    }

    fn root(&self) -> &dyn TableLike {
        self.document.as_table()
    }

    /// `[package]`, or `[project]`, as it was called at first.
    fn package(&self) -> Option<&dyn TableLike> {
        table(self.root(), "package").or_else(|| table(self.root(), "project"))
    }

    /// `[package] version`, if it is written here.
    pub fn version(&self) -> Option<&Item> {
        self.package()?
            .get("version")
            .filter(|version| version.is_str())
    }

    /// `file:line` of a key of `[package]`, or of its name where it has no such key.
    pub fn place(&self, key: &str) -> String {
        let item = self
            .package()
            .and_then(|package| package.get(key).or_else(|| package.get("name")));
        item.map_or(self.file.clone(), |item| self.at(item))
    }

    /// Whether the package takes the version of `[workspace.package]`.
    pub fn inherits_version(&self) -> bool {
        let version = self.package().and_then(|package| table(package, "version"));
        version.is_some_and(|version| version.contains_key("workspace"))
    }

    /// `[workspace.package] version`.
    pub fn workspace_version(&self) -> Result<Option<(Version, &Item)>> {
        let package =
            table(self.root(), "workspace").and_then(|workspace| table(workspace, "package"));
        let Some(literal) = package.and_then(|package| package.get("version")) else {
            return Ok(None);
        };
        let version =
            Version::parse(literal.as_str().unwrap_or_default()).context(self.at(literal))?;
        Ok(Some((version, literal)))
    }

    /// Every dependency with a version: of the three kinds, for every target and of the whole workspace, written
    /// inline, dotted or as a table. `[patch]` and `[replace]` are not among them.
    pub fn requirements(&self) -> Vec<Requirement<'_>> {
        let root = self.root();
        let targets = table(root, "target")
            .into_iter()
            .flat_map(|targets| targets.iter());
        let holders = targets
            .filter_map(|(_, target)| target.as_table_like())
            .chain([root]);
        let tables =
            holders.flat_map(|holder| KINDS.iter().filter_map(move |kind| table(holder, kind)));
        let shared =
            table(root, "workspace").and_then(|workspace| table(workspace, "dependencies"));
        let dependencies = tables.chain(shared).flat_map(|table| table.iter());
        dependencies
            .filter_map(|(key, item)| self.requirement(key, item))
            .collect()
    }

    fn requirement<'a>(&'a self, key: &'a str, item: &'a Item) -> Option<Requirement<'a>> {
        let Some(dependency) = item.as_table_like() else {
            let text = item.as_str()?;
            return Some(Requirement {
                package: key,
                text,
                folder: None,
                elsewhere: false,
                literal: item,
            });
        };
        let literal = dependency.get("version")?;
        let package = name(key, dependency);
        let elsewhere = ["git", "registry", "registry-index"]
            .iter()
            .any(|key| dependency.contains_key(key));
        Some(Requirement {
            package,
            text: literal.as_str()?,
            folder: self.folder(dependency),
            elsewhere,
            literal,
        })
    }

    /// The folders that `[patch.crates-io]` puts in the place of a published package: it may have one for each of its versions.
    pub fn patches(&self, package: &str) -> impl Iterator<Item = PathBuf> {
        let registries = ["crates-io", "https://github.com/rust-lang/crates.io-index"].into_iter();
        let tables =
            registries.filter_map(|registry| table(table(self.root(), "patch")?, registry));
        let patches = tables.flat_map(|patches| patches.iter());
        let patches = patches.filter_map(|(key, item)| Some((key, item.as_table_like()?)));
        let of_package = patches.filter(move |(key, patch)| name(key, *patch) == package);
        of_package.filter_map(|(_, patch)| self.folder(patch))
    }

    fn folder(&self, dependency: &dyn TableLike) -> Option<PathBuf> {
        let path = dependency.get("path")?.as_str()?;
        Some(normal(&self.path.parent()?.join(path)))
    }

    /// `file:line` of an item, for messages.
    pub fn at(&self, item: &Item) -> String {
        format!("{}:{}", self.file, line_at(self.text(), item.span()))
    }

    /// The text with other strings in the place of some; every other byte stays.
    pub fn with(&self, mut strings: Vec<(&Item, String)>) -> String {
        let mut text = self.text().to_string();
        // From the end, so that the places of those before stay.
        strings.sort_by_key(|(item, _)| Reverse(item.span().map(|span| span.start)));
        for (item, new) in strings {
            let (Some(span), Some(old)) = (item.span(), item.as_str()) else {
                continue;
            };
            let raw = &text[span.clone()];
            // Whatever the quotes, the string stands between them as it is, unless it is escaped.
            let literal = if raw.contains('\\') {
                format!("\"{new}\"")
            } else {
                raw.replacen(old, &new, 1)
            };
            text.replace_range(span, &literal);
        }
        text
    }
}

impl Requirement<'_> {
    pub fn admits(&self, version: &Version) -> bool {
        VersionReq::parse(self.text).is_ok_and(|requirement| requirement.matches(version))
    }
}

/// Parses a file; an error names it and the line.
pub fn parse<S: AsRef<str> + Clone>(file: &str, text: S) -> Result<Document<S>> {
    Document::parse(text.clone()).map_err(|error| {
        let line = line_at(text.as_ref(), error.span());
        format!("{file}:{line}: {}", error.message()).into()
    })
}

fn line_at(text: &str, span: Option<Range<usize>>) -> usize {
    text[..span.map_or(0, |span| span.start)]
        .matches('\n')
        .count()
        + 1
}

fn name<'a>(key: &'a str, dependency: &'a dyn TableLike) -> &'a str {
    dependency
        .get("package")
        .and_then(Item::as_str)
        .unwrap_or(key)
}

fn table<'a>(parent: &'a dyn TableLike, key: &str) -> Option<&'a dyn TableLike> {
    parent.get(key)?.as_table_like()
}

/// The path without `.` and `..`, resolved by name alone, as cargo does.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}
