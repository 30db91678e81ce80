//! A `Cargo.toml` as text: where its versions and requirements are, and the same text with other versions. The text is
//! never printed anew from the parsed document: that loses CRLF, byte order marks and more.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use semver::{Version, VersionReq};
use toml_edit::{Document, Item};

use crate::Result;

/// What to do if the cause may be a bump that was killed.
pub const UNDO: &str = "undo an interrupted bump with `git restore :/`";

pub struct Manifest {
    pub path: PathBuf,
    /// The path for messages, relative to the root of the workspace.
    pub file: String,
    document: Document<String>,
}

/// A dependency that names a version, in whichever table.
pub struct Requirement<'a> {
    /// The package's own name, also if the dependency is renamed.
    pub package: &'a str,
    pub text: &'a str,
    /// The folder that `path` leads to.
    pub folder: Option<PathBuf>,
    /// The table of `[patch]` that applies: the address of a git repository, the name of a registry or `crates-io`.
    pub source: &'a str,
    /// The string in the document.
    pub item: &'a Item,
}

impl Manifest {
    /// `file` is the path for messages.
    pub fn parse(path: &Path, file: String, text: String) -> Result<Manifest> {
        Ok(Manifest {
            document: parse(&file, text)?,
            path: path.to_path_buf(),
            file,
        })
    }

    /// A key of `[package]`, or of `[project]`, its first name.
    fn key(&self, key: &str) -> Option<&Item> {
        let root = self.document.as_item();
        let package = root.get("package").or_else(|| root.get("project"))?;
        package.get(key)
    }

    /// `[package] version`, if it is a string in this file.
    pub fn version(&self) -> Option<&Item> {
        self.key("version").filter(|version| version.is_str())
    }

    /// `file:line` of a key of `[package]` or of a table, or of the package's name if there is none.
    pub fn place(&self, key: &str) -> String {
        let item = self.key(key).or(self.document.get(key));
        let item = item.or_else(|| self.key("name"));
        item.map_or(self.file.clone(), |item| self.at(item))
    }

    /// Whether `include` and `exclude` leave what is below a folder of the package in it, as far as that can be told without its
    /// files. The patterns are those of gitignore ("The exclude and include fields" in the Cargo book).
    pub fn packages(&self, folder: &str) -> bool {
        let patterns = |key| {
            let list = self.key(key).and_then(Item::as_array);
            let strings = list.into_iter().flatten().filter_map(|it| it.as_str());
            // Those of the other kind begin with `!`.
            strings.partition::<Vec<_>, _>(|pattern| !pattern.starts_with('!'))
        };
        let ((include, but_not), (exclude, but)) = (patterns("include"), patterns("exclude"));
        let holds = |pattern: &&str| holds(pattern.trim_start_matches('!'), folder);
        let reaches = |pattern: &&str| reaches(pattern.trim_start_matches('!'), folder);
        match include.is_empty() {
            true => !exclude.iter().any(holds) || but.iter().any(reaches),
            false => include.iter().any(reaches) && !but_not.iter().any(holds),
        }
    }

    /// Whether the package takes the version of `[workspace.package]`.
    pub fn inherits_version(&self) -> bool {
        let version = self.key("version");
        version.is_some_and(|version| version.get("workspace").is_some())
    }

    /// `[workspace.package] version`, and where it is.
    pub fn workspace_version(&self) -> Option<(Version, &Item)> {
        let workspace = self.document.as_item().get("workspace")?;
        let item = workspace.get("package")?.get("version")?;
        Some((Version::parse(item.as_str()?).ok()?, item))
    }

    /// The configuration, `[workspace.metadata.release-train]`.
    pub fn configuration(&self) -> Option<&Item> {
        let mut keys = ["workspace", "metadata", "release-train"].iter();
        keys.try_fold(self.document.as_item(), |item, key| item.get(key))
    }

    /// `file:line` of a dependency with this key.
    pub fn dependency(&self, key: &str) -> String {
        let mut all = self.dependencies().into_iter();
        let found = all.find(|(name, _)| *name == key);
        found.map_or(self.file.clone(), |(_, item)| self.at(item))
    }

    /// Every dependency: of all kinds and for every target, written inline, dotted or as a table, each with its key. Then those
    /// that members can inherit, and those of `[patch]`.
    pub fn dependencies(&self) -> Vec<(&str, &Item)> {
        let root = self.document.as_item();
        let targets = root.get("target").into_iter().flat_map(entries);
        let targets = targets.map(|(_, target)| target);
        let parents = [root].into_iter().chain(targets);
        let parents = parents.chain(root.get("workspace"));
        let mut tables: Vec<_> = parents.flat_map(entries).collect();
        // Cargo still reads `dev_dependencies`, with a warning.
        tables.retain(|(kind, _)| kind.ends_with("dependencies"));
        tables.extend(root.get("patch").into_iter().flat_map(entries));
        let all = tables.into_iter().map(|(_, table)| table);
        all.flat_map(entries).collect()
    }

    /// Every dependency that names a version.
    pub fn requirements(&self) -> Vec<Requirement<'_>> {
        let all = self.dependencies().into_iter();
        all.filter_map(|(key, item)| self.requirement(key, item))
            .collect()
    }

    fn requirement<'a>(&'a self, key: &'a str, item: &'a Item) -> Option<Requirement<'a>> {
        let version = match item.as_str() {
            Some(_) => item,
            None => item.get("version")?,
        };
        let mut sources = ["git", "registry", "registry-index"].into_iter();
        let source = sources.find_map(|key| item.get(key)?.as_str());
        Some(Requirement {
            package: package(key, item),
            text: version.as_str()?,
            folder: self.folder(item),
            source: source.unwrap_or("crates-io"),
            item: version,
        })
    }

    /// The folders that `[patch]` uses for the package of a requirement: there can be one for each version.
    pub fn patches(&self, requirement: &Requirement) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        for (source, table) in self.document.get("patch").into_iter().flat_map(entries) {
            let is_source = plain(source) == plain(requirement.source);
            for (key, patch) in entries(table) {
                if is_source && package(key, patch) == requirement.package {
                    folders.extend(self.folder(patch));
                }
            }
        }
        folders
    }

    /// The folder of a dependency with a path, without `..`, resolved by name alone, as cargo does.
    pub fn folder(&self, dependency: &Item) -> Option<PathBuf> {
        let path = dependency.get("path")?.as_str()?;
        let mut folder = PathBuf::new();
        for part in self.path.parent()?.join(path).components() {
            match part {
                Component::ParentDir => drop(folder.pop()),
                part => folder.push(part),
            }
        }
        Some(folder)
    }

    /// `file:line` of an item, for messages.
    pub fn at(&self, item: &Item) -> String {
        let line = line_at(self.document.raw(), item.span());
        format!("{}:{line}", self.file)
    }

    /// The text with some strings replaced; every other byte stays.
    pub fn with(&self, mut strings: Vec<(&Item, String)>) -> String {
        let mut text = self.document.raw().to_string();
        // From the end, so that the places before it stay valid.
        strings.sort_by_key(|(item, _)| item.span().map(|span| span.start));
        for (item, new) in strings.into_iter().rev() {
            if let Some(span) = item.span() {
                let string = text[span.clone()].trim_start_matches(['"', '\'']);
                let quotes = span.len() - string.len();
                text.replace_range(span.start + quotes..span.end - quotes, &new);
            }
        }
        text
    }
}

impl Requirement<'_> {
    pub fn admits(&self, version: &Version) -> bool {
        VersionReq::parse(self.text).is_ok_and(|requirement| requirement.matches(version))
    }
}

/// Whether a pattern of gitignore is about a folder or one above it.
fn holds(pattern: &str, folder: &str) -> bool {
    let whole = pattern.trim_start_matches('/').trim_end_matches(['*', '/']);
    let name = whole.trim_start_matches("**/");
    let begins = pattern.ends_with('*') && !pattern.ends_with("/*") && !pattern.ends_with("/**");
    let is_name = |part: &str| part == name || begins && part.starts_with(name);
    let anywhere = !pattern.trim_end_matches('/').contains('/') || pattern.starts_with("**/");
    let below = Path::new(folder).starts_with(whole) || begins && folder.starts_with(whole);
    below || anywhere && !name.contains('/') && folder.split('/').any(is_name)
}

/// Whether a pattern of gitignore can be about files below a folder: up to its first wildcard, one leads to the other.
fn reaches(pattern: &str, folder: &str) -> bool {
    let mut parts = pattern.trim_start_matches('/').split(['*', '?', '[']);
    let start = parts.next().unwrap_or_default();
    let leads = Path::new(start).starts_with(folder) || folder.starts_with(start);
    leads || holds(pattern, folder)
}

/// Parses a file; an error names it and the line.
pub fn parse<S: AsRef<str> + Clone>(file: &str, text: S) -> Result<Document<S>> {
    Document::parse(text.clone()).map_err(|error| {
        let line = line_at(text.as_ref(), error.span());
        format!("{file}:{line}: {}", error.message()).into()
    })
}

fn line_at(text: &str, span: Option<Range<usize>>) -> usize {
    let before = &text[..span.map_or(0, |span| span.start)];
    before.matches('\n').count() + 1
}

/// The name of the package that an entry of a table of dependencies is about.
fn package<'a>(key: &'a str, dependency: &'a Item) -> &'a str {
    let renamed = dependency.get("package").and_then(Item::as_str);
    renamed.unwrap_or(key)
}

/// An address of a repository in one form: cargo takes them for the same with and without these ends.
fn plain(source: &str) -> &str {
    source.trim_end_matches('/').trim_end_matches(".git")
}

fn entries(table: &Item) -> impl Iterator<Item = (&str, &Item)> {
    let table = table.as_table_like().into_iter();
    table.flat_map(|table| table.iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submodule_is_packaged_unless_a_pattern_leaves_it_out() {
        for (patterns, folder, expected) in [
            ("", "vendor", true),
            ("exclude = [\"vendor\"]", "vendor", false),
            ("exclude = [\"/vendor/\"]", "vendor/zlib", false),
            ("exclude = [\"vendor/**\"]", "vendor", false),
            ("exclude = [\"vendor/*\"]", "vendor/zlib", false),
            ("exclude = [\"**/zlib\"]", "vendor/zlib", false),
            ("exclude = [\"zlib\"]", "vendor/zlib", false),
            ("exclude = [\"zlib/docs\"]", "zlib", true),
            ("exclude = [\"*.md\", \"tests\"]", "vendor", true),
            ("exclude = [\"vend\"]", "vendor", true),
            ("exclude = [\"test*\"]", "testdata", false),
            ("exclude = [\"vendor/*\", \"!vendor/z\"]", "vendor/z", true),
            ("include = [\"**/*\", \"!/vendor\"]", "vendor", false),
            ("include = [\"src\", \"zlib\"]", "vendor/zlib", true),
            ("include = [\"src\", \"Cargo.toml\"]", "vendor", false),
            ("include = [\"src/**/*.rs\"]", "vendor", false),
            ("include = [\"/vendor/*.c\"]", "vendor", true),
            ("include = [\"vendor/zlib/*.[ch]\"]", "vendor", true),
            ("include = [\"vendor\"]", "vendor/zlib", true),
            ("include = [\"**/*.c\"]", "vendor", true),
            ("include.workspace = true", "vendor", true),
        ] {
            let text = format!("[package]\nname = \"a\"\n{patterns}\n");
            let manifest = Manifest::parse(Path::new("/a/Cargo.toml"), "a".into(), text).unwrap();
            assert_eq!(manifest.packages(folder), expected, "{patterns} {folder}");
        }
    }
}
