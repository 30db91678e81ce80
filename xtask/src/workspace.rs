//! The workspace that holds the current directory: what cargo and its manifests say, whether they agree, and how its
//! files are written. It asks cargo alone, needs no network, and never decides where a version goes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use semver::{Version, VersionReq};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::config::Config;
use crate::manifest::{Manifest, Requirement};
use crate::version::is_exact;
use crate::{Context, Result, shell};

pub struct Workspace {
    pub root: PathBuf,
    pub config: Config,
    /// The version that names the train.
    pub version: Version,
    /// The members, in cargo's order.
    pub crates: Vec<Crate>,
    /// The members that cargo works on where none is named; empty if the workspace does not say.
    pub defaults: Vec<String>,
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
    /// The members that must be published before it, as places in `crates`. A dev-dependency without a version is left out
    /// of the package.
    pub needs: BTreeSet<usize>,
    /// Those of them that it names without a path, which `[patch]` meets. Where cargo packages several members it knows
    /// of no such: they must be in the registry before.
    pub from_outside: BTreeSet<usize>,
    /// Whether it moves with the train: published and not `independent`, or of an inherited version.
    pub moves: bool,
    /// What cargo says of the package (`cargo metadata`).
    pub about: Value,
    /// Its place in `manifests`.
    pub manifest: usize,
}

/// What to do where the cause may be a bump that was killed.
pub const UNDO: &str = "undo an interrupted bump with `git restore :/`";

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
        let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
        let table = "Cargo.toml: [workspace.metadata.release-train]";
        let config = Config::parse(&metadata["metadata"]["release-train"]).context(table)?;

        let mut manifests = vec![Manifest::read(&root, &root.join("Cargo.toml"))?];
        let mut crates = Vec::new();
        for package in packages {
            let name = text(&package["name"]);
            let path = PathBuf::from(text(&package["manifest_path"]));
            let manifest = if path == manifests[0].path { 0 } else { manifests.len() };
            if manifest > 0 {
                manifests.push(Manifest::read(&root, &path)?);
            }
            let inherits = manifests[manifest].inherits_version();
            let independent = config.independent.contains(&name);
            if independent && inherits {
                return Err(format!("{table}: `independent`: `{name}` takes its version from the workspace").into());
            }
            let published = package["publish"].as_array().is_none_or(|registries| !registries.is_empty());
            crates.push(Crate {
                version: Version::parse(&text(&package["version"]))?,
                published,
                registries: package["publish"].as_array().into_iter().flatten().map(text).collect(),
                needs: BTreeSet::new(),
                from_outside: BTreeSet::new(),
                moves: inherits || published && !independent,
                about: package.clone(),
                name,
                manifest,
            });
        }

        let published = |name: &&String| crates.iter().any(|member| member.name == **name && member.published);
        for (key, names) in
            [("public", config.public.as_deref().unwrap_or_default()), ("independent", &config.independent)]
        {
            if let Some(name) = names.iter().find(|name| !published(name)) {
                return Err(format!("{table}: `{key}`: `{name}` is no published member").into());
            }
        }
        let version = train_version(&config, &manifests[0], &crates).context(table)?;
        let ids = |key: &str| metadata[key].as_array().map_or(&[][..], Vec::as_slice);
        let (defaults, members) = (ids("workspace_default_members"), ids("workspace_members"));
        let named =
            crates.iter().filter(|member| defaults.len() < members.len() && defaults.contains(&member.about["id"]));
        let defaults = named.map(|member| member.name.clone()).collect();
        let target = PathBuf::from(text(&metadata["target_directory"]));

        let places = crates.iter().enumerate().map(|(at, member)| (member.name.clone(), at));
        let places: HashMap<String, usize> = places.collect();
        for (at, package) in packages.iter().enumerate() {
            for dependency in package["dependencies"].as_array().into_iter().flatten() {
                let word = |key: &str| dependency[key].as_str().unwrap_or_default();
                // By name: `[patch]` meets a requirement without a path, too.
                let Some(need) = places.get(word("name")).copied().filter(|need| *need != at) else { continue };
                let left_out = word("kind") == "dev" && word("req") == "*";
                if !left_out && VersionReq::parse(word("req")).is_ok_and(|req| req.matches(&crates[need].version)) {
                    crates[at].needs.insert(need);
                    crates[at].from_outside.extend(dependency["path"].is_null().then_some(need));
                }
            }
        }
        let folder = |member: &Crate| manifests[member.manifest].path.parent().map(Path::to_path_buf);
        let folders = crates.iter().enumerate().filter_map(|(at, member)| Some((folder(member)?, at))).collect();
        Ok(Workspace { root, config, version, crates, defaults, target, manifests, folders })
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
        let mut patches = self.manifests[0].patches(requirement.package).filter(|_| !requirement.elsewhere);
        let at = patches.find_map(|folder| self.folders.get(&folder).copied())?;
        requirement.admits(&self.crates[at].version).then_some(at)
    }

    /// Those of these crates that cargo cannot package before another one of them is in the registry, with its name.
    pub fn waiting<'a>(&'a self, these: &[&'a Crate]) -> BTreeMap<&'a str, &'a str> {
        let name = |need: &usize| self.crates[*need].name.as_str();
        let mut waiting = BTreeMap::new();
        loop {
            let known = waiting.len();
            for member in these {
                let mut outside = member.from_outside.iter().map(name);
                let outside = outside.find(|need| these.iter().any(|other| other.name == *need));
                let cause = outside.or_else(|| member.needs.iter().find_map(|need| waiting.get(name(need)).copied()));
                cause.map(|cause| waiting.insert(member.name.as_str(), cause));
            }
            if waiting.len() == known {
                return waiting;
            }
        }
    }

    /// Every requirement on a member, with its manifest and the member, and whether it reaches users: what a crate that is
    /// not published asks for, or asks of one, does not.
    pub fn requirements(&self) -> impl Iterator<Item = (&Manifest, Requirement<'_>, &Crate, bool)> {
        self.manifests.iter().enumerate().flat_map(move |(place, manifest)| {
            let goes_out = place == 0 || self.crates.iter().any(|member| member.manifest == place && member.published);
            manifest.requirements().into_iter().filter_map(move |requirement| {
                let member = &self.crates[self.member(&requirement)?];
                Some((manifest, requirement, member, goes_out && member.published))
            })
        })
    }

    /// Every requirement on a member that does not admit it, or breaks the pin rule, as `file:line: what is wrong`.
    pub fn disagreements(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (manifest, requirement, Crate { name, version, .. }, for_users) in self.requirements() {
            let text = requirement.text;
            let mut say = |what: String| found.push(format!("{}: {what}", manifest.at(requirement.literal)));
            if !requirement.admits(version) {
                say(format!("`{text}` does not admit `{name}` {version}: mend it, or {UNDO}"));
            }
            let public = self.config.public.as_ref().filter(|_| for_users);
            match public.map(|public| (public.contains(name), is_exact(text))) {
                Some((true, true)) => say(format!("`{text}` pins `{name}`, which is `public`: say `{version}`")),
                Some((false, false)) => {
                    say(format!("`{text}` does not pin `{name}`, which is not `public`: say `={version}`"))
                }
                _ => {}
            }
        }
        found
    }

    /// The crates that others rely on: those that are `public`, or without that list all that are published.
    pub fn relied_on(&self) -> impl Iterator<Item = &Crate> {
        let public = |name| self.config.public.as_ref().is_none_or(|public| public.contains(name));
        self.crates.iter().filter(move |member| member.published && public(&member.name))
    }
}

/// What cargo says of the workspace around the shell's current directory and of its members.
pub fn metadata(sh: &Shell) -> Result<Value> {
    Ok(serde_json::from_str(&shell::read(cmd!(sh, "cargo metadata --no-deps --format-version 1"))?)?)
}

/// The root of the workspace around the shell's current directory, also of one that does not load. Cargo is asked once: it
/// takes longer to start than git, and a task may look at many commits.
pub fn root(sh: &Shell) -> Result<PathBuf> {
    static KNOWN: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    let here = sh.current_dir();
    let known = || KNOWN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(root) = known().get(&here) {
        return Ok(root.clone());
    }
    let manifest = shell::read(cmd!(sh, "cargo locate-project --workspace --message-format plain"))?;
    let root = Path::new(&manifest).parent().map(PathBuf::from).unwrap_or_default();
    known().insert(here, root.clone());
    Ok(root)
}

/// Which version names the train: `version-of`, else `[workspace.package]`, else the published root package, else the
/// one that all crates share.
fn train_version(config: &Config, root: &Manifest, crates: &[Crate]) -> Result<Version> {
    if let Some(name) = &config.version_of {
        let named = crates.iter().find(|member| member.name == *name && member.moves);
        return Ok(named.ok_or_else(|| format!("`version-of`: `{name}` is no member that moves"))?.version.clone());
    }
    if let Some((version, _)) = root.workspace_version()? {
        return Ok(version);
    }
    let moving = || crates.iter().filter(|member| member.moves);
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
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Writes all files, or none: an unwritable one is found first, and a failure undoes what was written.
pub fn write(root: &Path, edits: &[Edit]) -> Result<()> {
    let failed = |path, error: &dyn Display| format!("{}: {error}; nothing was changed", relative(root, path));
    for Edit { path, .. } in edits {
        let metadata = OpenOptions::new().write(true).open(path).and_then(|file| file.metadata());
        // What holds for everybody else does not stop the superuser.
        if metadata.map_err(|error| failed(path, &error))?.permissions().readonly() {
            return Err(failed(path, &"its mode forbids writing: make it writable").into());
        }
    }
    for (at, Edit { path, after, .. }) in edits.iter().enumerate() {
        if let Err(error) = overwrite(path, after) {
            for Edit { path, before, .. } in &edits[..=at] {
                let _ = overwrite(path, before);
            }
            return Err(failed(path, &error).into());
        }
    }
    Ok(())
}

/// Without emptying the file first: it keeps its place on a full disk, and ext4 does not wait for the disk.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}
