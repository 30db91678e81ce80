//! `bump`: the next version in every manifest, in `Cargo.lock` and in the configured version strings. It computes and checks
//! everything before it writes the first file, and it commits nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;
use toml_edit::Item;
use xshell::Shell;

use release_train::rules::config::{VersionString, fill};
use release_train::rules::lockfile::{self, Move};
use release_train::rules::manifest::{self, Manifest};
use release_train::rules::version::{Bump, follow};
use release_train::world::process::run_configured;
use release_train::world::workspace::{self, Edit, Workspace};
use release_train::{Arguments, Context, Result, bail, finish, free, print, say};

pub const HELP: &str = "\
Writes the next version into every manifest, Cargo.lock and the configured
version strings. Published members are bumped, each from its own version, and so
is every inherited version. Prints the bumped crates on stderr, and the train's
new version alone on stdout. `git restore :/` undoes it.

cargo xtask bump [major|minor|patch|rc|release|X.Y.Z]

  major    the next version that may break users: 12.0.0 -> 13.0.0,
           0.99.0 -> 0.100.0, 0.0.1 -> 0.0.2; with `release-candidates`, to
           -dev. This is the default
  minor    the next one that adds: 12.0.0 -> 12.1.0, 0.99.0 -> 0.99.1
  patch    the next one that fixes: 12.0.0 -> 12.0.1
  rc       the next candidate: -dev -> -rc.1 -> -rc.2
  release  the version without its suffix
  X.Y.Z    this version, for the crates that have the train's
";

/// Reads the command line, bumps, and prints the train's new version.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let bump = match free(&mut arguments)? {
        Some(text) => Bump::parse(&text)?,
        None => Bump::Major,
    };
    finish(arguments)?;
    let version = bump_workspace(sh, &sh.current_dir(), &bump)?;
    print(&format!("{version}\n"))
}

/// Bumps the workspace around a folder, runs `after-bump` in it, and returns the train's version.
pub fn bump_workspace(sh: &Shell, folder: &Path, bump: &Bump) -> Result<Version> {
    let workspace = Workspace::load_in(sh, folder)?;
    if let Some(first) = workspace.inconsistencies().first() {
        bail!("{first}");
    }
    let plan = Plan::of(&workspace, bump)?;
    let mut edits = Edits::default();
    for (place, manifest) in workspace.manifests.iter().enumerate() {
        *edits.text(&manifest.path)? = plan.manifest(place, manifest)?;
    }
    if let Some(first) = plan.beside_manifests(&mut edits).first() {
        bail!("{first}");
    }
    let mut edits = Vec::from_iter(edits.0.into_values());
    edits.retain(|edit| edit.before != edit.after);

    workspace::write(&workspace.root, &edits)?;
    let _root = sh.push_dir(&workspace.root);
    plan.report(&edits);
    for command in &workspace.config.after_bump {
        let done = run_configured(sh.cmd(&command[0]).args(&command[1..]));
        done.map_err(|error| format!("after-bump: {error}; the versions are written"))?;
    }
    Ok(plan.train)
}

/// Version strings and a lock file that do not hold the present version, as `file: what is wrong`.
pub fn stale(workspace: &Workspace) -> Vec<String> {
    let crates = workspace.crates.iter().map(|member| member.version.clone());
    let (crates, train) = (crates.collect(), workspace.version.clone());
    let plan = Plan {
        workspace,
        train,
        inherited: None,
        crates,
    };
    plan.beside_manifests(&mut Edits::default())
}

/// The files to write, by their real paths: a version string may be in a manifest.
#[derive(Default)]
struct Edits(BTreeMap<PathBuf, Edit>);

impl Edits {
    /// The text of a file with its edits so far.
    fn text(&mut self, path: &Path) -> Result<&mut String> {
        let edit = match self.0.entry(path.canonicalize()?) {
            Entry::Occupied(edit) => edit.into_mut(),
            Entry::Vacant(place) => {
                let (path, before) = (path.to_path_buf(), fs::read_to_string(path)?);
                place.insert(Edit {
                    path,
                    after: before.clone(),
                    before,
                })
            }
        };
        Ok(&mut edit.after)
    }
}

/// The versions after the bump.
struct Plan<'a> {
    workspace: &'a Workspace,
    train: Version,
    /// `[workspace.package] version`.
    inherited: Option<Version>,
    /// Those of the members, in their order.
    crates: Vec<Version>,
}

impl Plan<'_> {
    fn of<'a>(workspace: &'a Workspace, bump: &Bump) -> Result<Plan<'a>> {
        let next = |name: &str, now: &Version| {
            if matches!(bump, Bump::To(_)) && *now != workspace.version {
                return Ok(now.clone());
            }
            let next = bump.next(now, workspace.config.release_candidates);
            next.context(format_args!("{name} is at {now}"))
        };
        let mut crates = Vec::new();
        for member in &workspace.crates {
            crates.push(match member.follows_train {
                true => next(&member.name, &member.version)?,
                false => member.version.clone(),
            });
        }
        let inherited = match workspace.manifests[0].workspace_version() {
            Some((now, _)) => Some(next("[workspace.package]", &now)?),
            None => None,
        };
        let train = next("the train", &workspace.version)?;
        Ok(Plan {
            workspace,
            train,
            inherited,
            crates,
        })
    }

    /// The text of a manifest after the bump. `place` is its place in `Workspace::manifests`.
    fn manifest(&self, place: usize, manifest: &Manifest) -> Result<String> {
        let crates = &self.workspace.crates;
        let mut strings: Vec<(&Item, String)> = Vec::new();
        if let (0, Some(next)) = (place, &self.inherited) {
            let now = manifest.workspace_version();
            strings.extend(now.map(|(_, literal)| (literal, next.to_string())));
        }
        if let Some(at) = crates.iter().position(|member| member.manifest == place) {
            match manifest.version() {
                Some(literal) => strings.push((literal, self.crates[at].to_string())),
                None if crates[at].follows_train && !manifest.inherits_version() => {
                    bail!("{}: the version of the package is not found", manifest.file);
                }
                None => {}
            }
        }
        for requirement in manifest.requirements() {
            let Some(at) = self.workspace.member(&requirement) else {
                continue;
            };
            let (now, next) = (&crates[at].version, &self.crates[at]);
            // Without a path the registry can satisfy it, too: while it admits the next version, its author's bound stays.
            let stays = requirement.folder.is_none() && requirement.admits(next);
            if now != next && !stays {
                let place = manifest.at(requirement.item);
                let text = follow(requirement.text, next);
                let text = text.context(format_args!("{place}: `{}`", requirement.package))?;
                strings.push((requirement.item, text));
            }
        }
        Ok(manifest.with(strings))
    }

    /// Edits the version strings and the lock file, and returns what is wrong with them, as `file: what`.
    fn beside_manifests(&self, edits: &mut Edits) -> Vec<String> {
        let mut wrong = Vec::new();
        for line in &self.workspace.config.version_strings {
            wrong.extend(self.version_string(line, edits).context(&line.file).err());
        }
        wrong.extend(self.lock_file(edits).err());
        wrong.iter().map(|error| error.to_string()).collect()
    }

    fn version_string(&self, string: &VersionString, edits: &mut Edits) -> Result<()> {
        let VersionString { file, line } = string;
        let named = "`version-strings` in Cargo.toml";
        let text = edits.text(&self.workspace.root.join(file));
        let text = text.map_err(|error| format!("{error}; {named} names it"))?;
        let (old, new) = (fill(line, &self.workspace.version), fill(line, &self.train));
        match text.lines().filter(|line| line.trim() == old).count() {
            1 => {}
            0 => bail!("no line is `{old}`: fix it, or {named}"),
            count => bail!("{count} lines are `{old}`: {named} must name one"),
        }
        let mut after = String::new();
        for line in text.split_inclusive('\n') {
            match line.trim() == old {
                true => after += &line.replace(&old, &new),
                false => after += line,
            }
        }
        *text = after;
        Ok(())
    }

    fn lock_file(&self, edits: &mut Edits) -> Result<()> {
        let path = self.workspace.root.join("Cargo.lock");
        if !path.exists() {
            return Ok(());
        }
        let text = edits.text(&path).context("Cargo.lock")?;
        manifest::parse("Cargo.lock", text.as_str())?; // conflict markers, or an interrupted write
        *text = lockfile::rewrite(text, &self.moves()).context("Cargo.lock")?;
        Ok(())
    }

    /// Every member, with its version before and after.
    fn moves(&self) -> Vec<Move<'_>> {
        let mut moves = Vec::new();
        for (member, to) in self.workspace.crates.iter().zip(&self.crates) {
            let (name, from) = (&member.name, &member.version);
            moves.push(Move { name, from, to });
        }
        moves
    }

    fn report(&self, edits: &[Edit]) {
        let Plan {
            workspace, train, ..
        } = self;
        if edits.is_empty() {
            return say!("nothing to do: the version is {train}");
        }
        let mut moves = self.moves();
        moves.retain(|moved| moved.from != moved.to);
        for Move { name, from, to } in &moves {
            say!("{name} {from} -> {to}");
        }
        for (member, to) in workspace.crates.iter().zip(&self.crates) {
            if member.follows_train && member.version == *to && to != train {
                say!(
                    "{} {to} left alone: its version is not the train's",
                    member.name
                );
            }
        }
        if moves.is_empty() {
            say!("[workspace.package] {} -> {train}", workspace.version);
        }
        for edit in edits {
            say!(
                "changed {}",
                workspace::relative(&workspace.root, &edit.path)
            );
        }
    }
}
