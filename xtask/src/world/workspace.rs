//! The workspace that holds the current directory: what cargo and its manifests say, whether they agree, and how its
//! files are written. It asks cargo alone, needs no network, and never decides where a version goes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use semver::Version;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::rules::config::Config;
use crate::rules::manifest::{Manifest, Requirement, UNDO};
use crate::rules::notes;
use crate::rules::version::is_exact;
use crate::{Context, Result, bail, world::process};

pub struct Workspace {
    pub root: PathBuf,
    pub config: Config,
    /// The version that names the train.
    pub version: Version,
    /// The members, in cargo's order.
    pub crates: Vec<Crate>,
    /// Where cargo builds.
    pub target: PathBuf,
    /// The root manifest first, then those of the members.
    pub manifests: Vec<Manifest>,
    /// From the folder of a member to its place in `crates`.
    folders: HashMap<PathBuf, usize>,
}

/// A member of the workspace.
pub struct Crate {
    pub name: String,
    pub version: Version,
    /// Whether some registry takes it.
    pub published: bool,
    /// The only registries that do; empty for any.
    pub registries: Vec<String>,
    /// Whether it moves with the train: published and not `independent`, or of an inherited version.
    pub follows_train: bool,
    /// Whether `dist` builds its binaries: it is among the default members, or published where those are all members.
    pub shipped: bool,
    /// What cargo says of the package (`cargo metadata`).
    pub about: Value,
    /// Its place in `manifests`.
    pub manifest: usize,
}

/// A file and its whole text, before and after.
pub struct Edit {
    pub path: PathBuf,
    pub before: String,
    pub after: String,
}

impl Workspace {
    /// The workspace around the shell's current directory. Fails, with the place where cargo names one, if there is
    /// none, if it is broken, or if its configuration is.
    pub fn load(sh: &Shell) -> Result<Workspace> {
        let metadata = metadata(sh)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let root = PathBuf::from(text(&metadata["workspace_root"]));
        let packages = metadata["packages"]
            .as_array()
            .ok_or("cargo metadata names no packages")?;
        let table = "Cargo.toml: [workspace.metadata.release-train]";
        let config = Config::parse(&metadata["metadata"]["release-train"]).context(table)?;

        let defaults = metadata["workspace_default_members"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let all_default = defaults.len() == packages.len();
        let is_default = |package: &Value| defaults.contains(&package["id"]);
        let mut manifests = vec![read_manifest(&root, &root.join("Cargo.toml"))?];
        let mut crates = Vec::new();
        for package in packages {
            let name = text(&package["name"]);
            let path = PathBuf::from(text(&package["manifest_path"]));
            let manifest = if path == manifests[0].path {
                0
            } else {
                manifests.len()
            };
            if manifest > 0 {
                manifests.push(read_manifest(&root, &path)?);
            }
            let inherits = manifests[manifest].inherits_version();
            let independent = config.independent.contains(&name);
            if independent && inherits {
                bail!("{table}: `independent`: `{name}` takes its version from the workspace");
            }
            let published = package["publish"]
                .as_array()
                .is_none_or(|registries| !registries.is_empty());
            crates.push(Crate {
                version: Version::parse(&text(&package["version"]))?,
                published,
                shipped: if all_default {
                    published
                } else {
                    is_default(package)
                },
                registries: package["publish"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(text)
                    .collect(),
                follows_train: inherits || published && !independent,
                about: package.clone(),
                name,
                manifest,
            });
        }

        let published = |name: &&String| {
            crates
                .iter()
                .any(|member| member.name == **name && member.published)
        };
        for (key, names) in [
            ("public", config.public.as_deref().unwrap_or_default()),
            ("independent", &config.independent),
        ] {
            if let Some(name) = names.iter().find(|name| !published(name)) {
                bail!("{table}: `{key}`: `{name}` is no published member");
            }
        }
        let version = train_version(&config, &manifests[0], &crates).context(table)?;
        let target = PathBuf::from(text(&metadata["target_directory"]));

        let folder = |member: &Crate| {
            manifests[member.manifest]
                .path
                .parent()
                .map(Path::to_path_buf)
        };
        let folders = crates
            .iter()
            .enumerate()
            .filter_map(|(at, member)| Some((folder(member)?, at)))
            .collect();
        Ok(Workspace {
            root,
            config,
            version,
            crates,
            target,
            manifests,
            folders,
        })
    }

    /// The same around another folder.
    pub fn load_in(sh: &Shell, folder: &Path) -> Result<Workspace> {
        let _folder = sh.push_dir(folder);
        Workspace::load(sh)
    }

    /// The member that a requirement is about, as a place in `crates`: named by its path, or put in the place of the
    /// published package by `[patch.crates-io]` while the requirement admits it.
    pub fn member(&self, requirement: &Requirement) -> Option<usize> {
        if let Some(folder) = &requirement.folder {
            return self.folders.get(folder).copied();
        }
        let mut patches = self.manifests[0]
            .patches(requirement.package)
            .filter(|_| !requirement.elsewhere);
        let at = patches.find_map(|folder| self.folders.get(&folder).copied())?;
        requirement.admits(&self.crates[at].version).then_some(at)
    }

    /// Every requirement on a member, with its manifest and the member, and whether it reaches users: what a crate that is
    /// not published asks for, or asks of one, does not.
    pub fn requirements(&self) -> impl Iterator<Item = (&Manifest, Requirement<'_>, &Crate, bool)> {
        self.manifests
            .iter()
            .enumerate()
            .flat_map(move |(place, manifest)| {
                let goes_out = place == 0
                    || self
                        .crates
                        .iter()
                        .any(|member| member.manifest == place && member.published);
                manifest
                    .requirements()
                    .into_iter()
                    .filter_map(move |requirement| {
                        let member = &self.crates[self.member(&requirement)?];
                        Some((manifest, requirement, member, goes_out && member.published))
                    })
            })
    }

    /// Every requirement on a member that does not admit it, or breaks the pin rule, as `file:line: what is wrong`.
    pub fn inconsistencies(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (manifest, requirement, Crate { name, version, .. }, for_users) in self.requirements() {
            let text = requirement.text;
            let mut say =
                |what: String| found.push(format!("{}: {what}", manifest.at(requirement.literal)));
            if !requirement.admits(version) {
                say(format!(
                    "`{text}` does not admit `{name}` {version}: mend it, or {UNDO}"
                ));
            }
            let public = self.config.public.as_ref().filter(|_| for_users);
            match public.map(|public| (public.contains(name), is_exact(text))) {
                Some((true, true)) => say(format!(
                    "`{text}` pins `{name}`, which is `public`: say `{version}`"
                )),
                Some((false, false)) => say(format!(
                    "`{text}` does not pin `{name}`, which is not `public`: say `={version}`"
                )),
                _ => {}
            }
        }
        found
    }

    /// A new section of the notes, from the workspace's template or the tool's own.
    pub fn new_section(&self, version: &Version) -> Result<String> {
        let Some(file) = &self.config.notes_template else {
            return notes::render(notes::TEMPLATE, version);
        };
        let template = fs::read_to_string(self.root.join(file)).map_err(crate::Error::from);
        let section = template.and_then(|template| notes::render(&template, version));
        section.context(format_args!("`notes-template` in Cargo.toml: {file}"))
    }

    /// The address of the repository that the published crates name.
    pub fn repository(&self) -> Option<&str> {
        self.public_crates()
            .find_map(|member| member.about["repository"].as_str())
    }

    /// The members that some registry takes.
    pub fn published(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|member| member.published)
    }

    /// The crates that others rely on: those that are `public`, or without that list all that are published.
    pub fn public_crates(&self) -> impl Iterator<Item = &Crate> {
        let public = |name| {
            self.config
                .public
                .as_ref()
                .is_none_or(|public| public.contains(name))
        };
        self.crates
            .iter()
            .filter(move |member| member.published && public(&member.name))
    }
}

fn read_manifest(root: &Path, path: &Path) -> Result<Manifest> {
    let file = relative(root, path);
    let text = fs::read_to_string(path).context(&file)?;
    Manifest::parse(path, file, text)
}

/// The text of `RELEASES.md` at the root of a workspace.
pub fn read_notes(root: &Path) -> Result<String> {
    let file = notes::FILE;
    let text = fs::read_to_string(root.join(file)).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            format!("{file}: missing at the root of the workspace: create it, it may be empty")
        }
        _ => format!("{file}: {error}"),
    });
    Ok(text?)
}

impl Crate {
    /// Whether `publish` allows a registry.
    pub fn is_allowed_in(&self, registry: &str) -> bool {
        self.registries.is_empty() || self.registries.iter().any(|allowed| allowed == registry)
    }
}

/// What cargo says of the workspace around the shell's current directory and of its members.
pub fn metadata(sh: &Shell) -> Result<Value> {
    Ok(serde_json::from_str(&process::output_of(cmd!(
        sh,
        "cargo metadata --no-deps --format-version 1"
    ))?)?)
}

/// The root of the workspace around the shell's current directory, also of one that does not load. Cargo is asked once: it
/// takes longer to start than git, and a task may look at many commits.
pub fn root(sh: &Shell) -> Result<PathBuf> {
    static KNOWN: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    let here = sh.current_dir();
    let known = || {
        KNOWN
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    };
    if let Some(root) = known().get(&here) {
        return Ok(root.clone());
    }
    let manifest = process::output_of(cmd!(
        sh,
        "cargo locate-project --workspace --message-format plain"
    ))?;
    let root = Path::new(&manifest)
        .parent()
        .map(PathBuf::from)
        .unwrap_or_default();
    known().insert(here, root.clone());
    Ok(root)
}

/// Which version names the train: `version-of`, else `[workspace.package]`, else the published root package, else the
/// one that all crates share.
fn train_version(config: &Config, root: &Manifest, crates: &[Crate]) -> Result<Version> {
    if let Some(name) = &config.version_of {
        let named = crates
            .iter()
            .find(|member| member.name == *name && member.follows_train);
        return Ok(named
            .ok_or_else(|| format!("`version-of`: `{name}` is no member that moves"))?
            .version
            .clone());
    }
    if let Some((version, _)) = root.workspace_version()? {
        return Ok(version);
    }
    let moving = || crates.iter().filter(|member| member.follows_train);
    if let Some(package) = moving().find(|member| member.manifest == 0) {
        return Ok(package.version.clone());
    }
    let versions: BTreeSet<&Version> = moving().map(|member| &member.version).collect();
    match Vec::from_iter(&versions)[..] {
        [version] => Ok((*version).clone()),
        [] => Err("no crate is published, so there is no version to name the train".into()),
        [..] => Err(format!(
            "the published crates have several versions: name the train's with `version-of = \"crate\"`, or {UNDO}"
        )
        .into()),
    }
}

/// A path for messages: relative to the root of the workspace where it lies inside.
pub fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .unwrap_or(path)
        .display()
        .to_string()
}

/// Writes files whose new texts are all computed and checked; none if the mode of one forbids it.
pub fn write(root: &Path, edits: &[Edit]) -> Result<()> {
    for Edit { path, .. } in edits {
        if fs::metadata(path).is_ok_and(|file| file.permissions().readonly()) {
            let file = relative(root, path);
            bail!("{file}: its mode forbids writing: make it writable; nothing was changed");
        }
    }
    let write =
        |edit: &Edit| fs::write(&edit.path, &edit.after).context(relative(root, &edit.path));
    edits
        .iter()
        .try_for_each(write)
        .map_err(|error| format!("{error}; {UNDO}").into())
}
