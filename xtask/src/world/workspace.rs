//! The workspace around the current directory: what cargo and its manifests say, whether they agree, and how its files are
//! written. It asks only cargo, and needs no network.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;
use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::rules::config::Config;
use crate::rules::decisions::released_as;
use crate::rules::manifest::{Manifest, Requirement, UNDO};
use crate::rules::notes;
use crate::rules::version::{TagForm, is_exact, release_of};
use crate::world::{items, process, text};
use crate::{Context, Result, bail};

pub struct Workspace {
    pub root: PathBuf,
    pub config: Config,
    /// The version that names the train.
    pub version: Version,
    /// The members, in cargo's order.
    pub crates: Vec<Crate>,
    /// The folder that cargo builds in.
    pub target: PathBuf,
    /// The root manifest first, then those of the members.
    pub manifests: Vec<Manifest>,
}

/// A member of the workspace.
pub struct Crate {
    pub name: String,
    pub version: Version,
    /// Whether it may be published to some registry.
    pub published: bool,
    /// The only registries that it may be published to; empty for any.
    pub registries: Vec<String>,
    /// Whether it takes the version of `[workspace.package]`.
    pub inherits: bool,
    /// Whether it is bumped with the train: published and not `independent`, or of an inherited version.
    pub follows_train: bool,
    /// Whether `dist` builds its binaries: it is published and a default member.
    pub shipped: bool,
    /// The package in `cargo metadata`.
    pub about: Value,
    /// The index of its manifest in `manifests`.
    pub manifest: usize,
}

/// The new texts of files, by their paths in the workspace.
pub type Edits = BTreeMap<PathBuf, String>;

impl Workspace {
    /// The workspace around the shell's current directory. Fails if there is none, or if a manifest or the configuration
    /// is wrong; the error names the place if cargo does.
    pub fn load(sh: &Shell) -> Result<Workspace> {
        let metadata = metadata(sh)?;
        let root = PathBuf::from(text(&metadata["workspace_root"]));
        let table = "Cargo.toml: [workspace.metadata.release-train]";
        let config = Config::parse(&metadata["metadata"]["release-train"]).context(table)?;

        let packages = items(&metadata["packages"]);
        let defaults = items(&metadata["workspace_default_members"]);
        let mut manifests = vec![read_manifest(&root, &root.join("Cargo.toml"))?];
        let mut crates = Vec::new();
        for package in packages {
            let name = text(&package["name"]);
            let path = PathBuf::from(text(&package["manifest_path"]));
            let mut manifest = 0;
            if path != manifests[0].path {
                manifest = manifests.len();
                manifests.push(read_manifest(&root, &path)?);
            }
            let inherits = manifests[manifest].inherits_version();
            let independent = config.independent.contains(&name);
            if independent && inherits {
                bail!("{table}: `independent`: `{name}` inherits its version from the workspace");
            }
            let published = package["publish"] != json!([]);
            let is_default = defaults.contains(&package["id"]);
            crates.push(Crate {
                name,
                version: Version::parse(&text(&package["version"]))?,
                published,
                registries: items(&package["publish"]).iter().map(text).collect(),
                inherits,
                follows_train: inherits || published && !independent,
                shipped: published && is_default,
                about: package.clone(),
                manifest,
            });
        }

        let published = crates.iter().filter(|member| member.published);
        let published: Vec<_> = published.map(|member| &member.name).collect();
        for (key, names) in [
            ("public", config.public.as_deref().unwrap_or_default()),
            ("independent", &config.independent),
            ("new-crates", &config.new_crates),
        ] {
            if let Some(name) = names.iter().find(|name| !published.contains(name)) {
                bail!("{table}: `{key}`: `{name}` is not a published member");
            }
        }
        Ok(Workspace {
            version: train_version(&config, &manifests[0], &crates).context(table)?,
            target: PathBuf::from(text(&metadata["target_directory"])),
            root,
            config,
            crates,
            manifests,
        })
    }

    /// The workspace around another folder.
    pub fn load_in(sh: &Shell, folder: &Path) -> Result<Workspace> {
        let _folder = sh.push_dir(folder);
        Workspace::load(sh)
    }

    /// The member in a folder, as an index in `crates`.
    pub fn member_in(&self, folder: &Path) -> Option<usize> {
        let is_there = |it: &Crate| self.manifests[it.manifest].path.parent() == Some(folder);
        self.crates.iter().position(is_there)
    }

    /// The member that a requirement is about, as an index in `crates`: its path leads there, or `[patch]` replaces the
    /// published package by it and the requirement admits its version.
    pub fn member(&self, requirement: &Requirement) -> Option<usize> {
        let find = |folder: &PathBuf| self.member_in(folder);
        if let Some(folder) = &requirement.folder {
            return find(folder);
        }
        let patches = self.manifests[0].patches(requirement);
        let member = patches.iter().find_map(find)?;
        let version = &self.crates[member].version;
        requirement.admits(version).then_some(member)
    }

    /// Every requirement on a member, with its manifest and the member, and whether users get it: both crates are published.
    pub fn requirements(&self) -> impl Iterator<Item = (&Manifest, Requirement<'_>, &Crate, bool)> {
        let mut found = Vec::new();
        for (index, manifest) in self.manifests.iter().enumerate() {
            // Any member can inherit the requirements of the root.
            let published = index == 0 || self.published().any(|member| member.manifest == index);
            for requirement in manifest.requirements() {
                if let Some(member) = self.member(&requirement) {
                    let member = &self.crates[member];
                    found.push((manifest, requirement, member, published && member.published));
                }
            }
        }
        found.into_iter()
    }

    /// Every requirement on a member that does not admit it, or that breaks the rule of `public`, as `file:line: problem`.
    pub fn inconsistencies(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (manifest, requirement, Crate { name, version, .. }, for_users) in self.requirements() {
            let text = requirement.text;
            let list = self.config.public.as_ref().filter(|_| for_users);
            let is_public = list.map(|list| list.contains(name));
            let problem = match (is_public, is_exact(text)) {
                _ if !requirement.admits(version) => {
                    format!("does not admit `{name}` {version}: fix it, or {UNDO}")
                }
                (Some(true), true) => {
                    format!("pins `{name}`, which is `public`: write `{version}`")
                }
                (Some(false), false) => {
                    format!("does not pin `{name}`, which is not `public`: write `={version}`")
                }
                _ => continue,
            };
            let place = manifest.at(requirement.item);
            found.push(format!("{place}: `{text}` {problem}"));
        }
        found
    }

    /// A new section of the notes, from the workspace's template or the tool's own.
    pub fn new_section(&self, version: &Version) -> Result<String> {
        let Some(file) = &self.config.notes_template else {
            return notes::render(notes::TEMPLATE, version);
        };
        let place = format!("`notes-template` in Cargo.toml: {file}");
        let path = below(&self.root, file).context(&place)?;
        let template = fs::read_to_string(path).context(&place)?;
        notes::render(&template, version).context(place)
    }

    /// How the train's version is released, if it is, by the names of all tags and the text of the notes.
    pub fn released_as(&self, tags: &[String], notes: &str) -> Option<String> {
        let mut crates = Vec::from_iter(&self.crates);
        crates.retain(|member| member.follows_train && member.version == self.version);
        let mut names = Vec::from_iter(crates.iter().map(|member| member.name.as_str()));
        let project = self
            .config
            .name
            .as_deref()
            .unwrap_or_default()
            .to_lowercase();
        names.push(&project);
        let version = release_of(&self.version);
        released_as(&version, &self.config.tag, &names, tags, notes)
    }

    /// The members that may be published to some registry.
    pub fn published(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|member| member.published)
    }

    /// The published crates that others rely on: those in `public`, or all without that list.
    pub fn public_crates(&self) -> impl Iterator<Item = &Crate> {
        let list = self.config.public.as_ref();
        let is_public = move |name| list.is_none_or(|list| list.contains(name));
        self.published()
            .filter(move |member| is_public(&member.name))
    }
}

impl Crate {
    /// Whether `publish` allows a registry.
    pub fn is_allowed_in(&self, registry: &str) -> bool {
        self.registries.is_empty() || self.registries.iter().any(|allowed| allowed == registry)
    }
}

fn read_manifest(root: &Path, path: &Path) -> Result<Manifest> {
    let file = relative(root, path);
    let text = fs::read_to_string(path).context(&file)?;
    Manifest::parse(path, file, text)
}

/// The form of tags that the manifest in the shell's current directory configures, even if the workspace does not load.
pub fn tag_form(sh: &Shell) -> Result<TagForm> {
    let root = sh.current_dir();
    let manifest = read_manifest(&root, &root.join("Cargo.toml"))?;
    let tag = manifest.configuration().and_then(|table| table.get("tag"));
    TagForm::parse(tag.and_then(|tag| tag.as_str())).context("Cargo.toml")
}

/// The text of `RELEASES.md` at the root of a workspace.
pub fn read_notes(root: &Path) -> Result<String> {
    let file = notes::FILE;
    if !root.join(file).exists() {
        bail!("{file}: missing at the root of the workspace: create it, it may be empty");
    }
    fs::read_to_string(below(root, file).context(file)?).context(file)
}

/// A file of the workspace that notes or configuration name, links followed. Fails if it is outside: a branch must not have
/// other files of this machine read or written.
pub fn below(root: &Path, file: &str) -> Result<PathBuf> {
    let path = root.join(file).canonicalize()?;
    let inside = path.strip_prefix(root.canonicalize()?);
    Ok(root.join(inside.map_err(|_| "it is outside of the workspace")?))
}

/// What cargo says of the workspace around the shell's current directory and of its members.
pub fn metadata(sh: &Shell) -> Result<Value> {
    let metadata = cmd!(sh, "cargo metadata --no-deps --format-version 1");
    Ok(serde_json::from_str(&process::output_of(metadata)?)?)
}

/// The root of the workspace around the shell's current directory, even if the workspace does not load.
pub fn root(sh: &Shell) -> Result<PathBuf> {
    let plain = ["--message-format", "plain"];
    let locate = cmd!(sh, "cargo locate-project --workspace {plain...}");
    let mut root = PathBuf::from(process::output_of(locate)?);
    root.pop();
    Ok(root)
}

/// The version that names the train: of the crate in `version-of`, else of `[workspace.package]` unless all
/// published crates have their own, else of the root package,
/// else the one that all crates share.
fn train_version(config: &Config, root: &Manifest, crates: &[Crate]) -> Result<Version> {
    let bumped = || crates.iter().filter(|member| member.follows_train);
    if let Some(name) = &config.version_of {
        let Some(member) = bumped().find(|member| member.name == *name) else {
            bail!("`version-of`: `{name}` is not a member that is bumped with the train");
        };
        return Ok(member.version.clone());
    }
    let published = || bumped().filter(|member| member.published);
    let is_used = published().any(|member| member.inherits) || published().next().is_none();
    if let (Some((version, _)), true) = (root.workspace_version(), is_used) {
        return Ok(version);
    }
    let root_package = published().find(|member| member.manifest == 0);
    let Some(Crate { version, .. }) = root_package.or(published().next()) else {
        bail!("no crate is published, so there is no version to name the train");
    };
    if root_package.is_none() && published().any(|member| member.version != *version) {
        let add = "add `version-of = \"crate\"` to say which one names the train";
        bail!("the published crates have several versions: {add}, or {UNDO}");
    }
    Ok(version.clone())
}

/// A path for messages: relative to the root of the workspace if it is inside.
pub fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.display().to_string()
}

/// Writes files whose new texts are all computed and checked; none if the mode of one forbids it. Returns those that changed.
pub fn write(root: &Path, mut edits: Edits) -> Result<Vec<PathBuf>> {
    edits.retain(|path, text| fs::read(path).ok().as_deref() != Some(text.as_bytes()));
    for path in edits.keys() {
        let file = relative(root, path);
        if path.is_symlink() {
            bail!("{file}: it is a link, and may lead anywhere");
        }
        if fs::metadata(path).is_ok_and(|file| file.permissions().readonly()) {
            bail!("{file}: its mode forbids writing: make it writable; nothing was changed");
        }
    }
    for (path, text) in &edits {
        let written = fs::write(path, text).context(relative(root, path));
        written.map_err(|error| format!("{error}; {UNDO}"))?;
    }
    Ok(edits.into_keys().collect())
}
