//! `bump`: the next version in every manifest, in `Cargo.lock` and in the configured version strings. It computes and checks
//! everything before it writes the first file, and it commits nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;
use toml_edit::Item;
use xshell::{Shell, cmd};

use release_train::rules::config::{VersionString, fill};
use release_train::rules::lockfile::{self, Move};
use release_train::rules::manifest::{self, Manifest};
use release_train::rules::version::{Bump, follow};
use release_train::world::process::{output_of, run_configured};
use release_train::world::workspace::{self, Edits, Workspace, relative, write};
use release_train::{Arguments, Context, Result, bail, count, finish, free, print, say};

pub const HELP: &str = "\
Writes the next version into every manifest, Cargo.lock and version string.

cargo xtask bump [major|minor|patch|rc|release|X.Y.Z] [--verbose]

  major      the next version that may break users: 12.0.0 -> 13.0.0,
             0.99.0 -> 0.100.0, 0.0.1 -> 0.0.2
  minor      the next one that adds: 12.0.0 -> 12.1.0, 0.99.0 -> 0.99.1
  patch      the next one that fixes: 12.0.0 -> 12.0.1
  rc         the next candidate: -dev -> -rc.1 -> -rc.2
  release    the version without its suffix
  X.Y.Z      this version, for the crates that have the train's
  --verbose  names every crate and file

The default is the next train: `major`, or what `train` in Cargo.toml says. With
`release-candidates`, that leads to -dev. Every published member is bumped, from
its own version. The train's new version is printed on stdout. To undo a bump:
`git restore :/`.

Example: cargo xtask bump patch
";

/// Reads the command line, bumps, and prints the train's new version.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let verbose = arguments.contains("--verbose");
    let bump = free(&mut arguments)?;
    let bump = bump.map(|text| Bump::parse(&text)).transpose()?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let (plan, changed) = write_versions(&workspace, bump.as_ref())?;
    plan.report(&changed, verbose);
    plan.finish(sh)?;
    print(&format!("{}\n", plan.train))
}

/// Bumps the workspace in a folder, by default to the next train, runs `after-bump` in it, and returns the train's version.
pub fn bump_workspace(sh: &Shell, folder: &Path, bump: Option<&Bump>) -> Result<Version> {
    let workspace = Workspace::load_in(sh, folder)?;
    let (plan, _) = write_versions(&workspace, bump)?;
    plan.finish(sh)?;
    Ok(plan.train)
}

/// Writes the versions after a bump. Returns what they are, and the files that changed.
fn write_versions<'a>(
    workspace: &'a Workspace,
    bump: Option<&Bump>,
) -> Result<(Plan<'a>, Vec<PathBuf>)> {
    let bump = bump.unwrap_or(&workspace.config.train);
    if let Some(first) = workspace.inconsistencies().first() {
        bail!("{first}");
    }
    let plan = Plan::of(workspace, bump)?;
    let mut edits = Edits::default();
    for (place, manifest) in workspace.manifests.iter().enumerate() {
        edits.insert(manifest.path.clone(), plan.manifest(bump, place, manifest)?);
    }
    if let Some(first) = plan.beside_manifests(&mut edits).first() {
        bail!("{first}");
    }
    Ok((plan, write(&workspace.root, edits)?))
}

/// Version strings and a lock file that do not hold the present version, as `file: what is wrong`.
pub fn stale(workspace: &Workspace) -> Result<Vec<String>> {
    let plan = Plan::of(workspace, &Bump::To(workspace.version.clone()))?;
    Ok(plan.beside_manifests(&mut Edits::default()))
}

/// The text of a file with its edits so far: a version string may be in a manifest.
fn text(edits: &mut Edits, path: PathBuf) -> Result<&mut String> {
    let before = fs::read_to_string(&path)?;
    Ok(edits.entry(path).or_insert(before))
}

/// The versions after the bump.
struct Plan<'a> {
    workspace: &'a Workspace,
    train: Version,
    /// Those of the members, in their order.
    crates: Vec<Version>,
}

/// The version after the bump of `name`, which is at `now`. A bump to a version is for what has the train's, and a pre-release
/// of a crate's own stays, but for the next train.
fn next(workspace: &Workspace, bump: &Bump, name: &str, now: &Version) -> Result<Version> {
    let pre = now.pre.as_str();
    let is_ours = pre == "dev" || pre.starts_with("rc.");
    let to_dev = workspace.config.leads_to_dev(bump);
    let stays = match bump {
        Bump::To(_) => true,
        Bump::Minor | Bump::Patch => !(pre.is_empty() || is_ours && to_dev),
        Bump::Rc | Bump::Release => !pre.is_empty() && !is_ours,
        Bump::Major => false,
    };
    if stays && *now != workspace.version {
        return Ok(now.clone());
    }
    let next = bump.next(now, to_dev);
    next.context(format_args!("{name} is at {now}"))
}

impl Plan<'_> {
    fn of<'a>(workspace: &'a Workspace, bump: &Bump) -> Result<Plan<'a>> {
        let mut crates = Vec::new();
        for member in &workspace.crates {
            let now = &member.version;
            crates.push(match member.follows_train {
                true => next(workspace, bump, &member.name, now)?,
                false => now.clone(),
            });
        }
        let train = next(workspace, bump, "the train", &workspace.version)?;
        Ok(Plan {
            workspace,
            train,
            crates,
        })
    }

    /// The text of a manifest after the bump. `place` is its place in `Workspace::manifests`.
    fn manifest(&self, bump: &Bump, place: usize, manifest: &Manifest) -> Result<String> {
        let crates = &self.workspace.crates;
        let mut strings: Vec<(&Item, String)> = Vec::new();
        let leftover = crates.iter().all(|member| !member.inherits)
            && crates.iter().any(|member| member.published);
        if let (0, false, Some((now, literal))) = (place, leftover, manifest.workspace_version()) {
            let next = next(self.workspace, bump, "[workspace.package]", &now)?;
            strings.push((literal, next.to_string()));
        }
        // Cargo asks for a version of every package that can be published.
        let at = crates.iter().position(|member| member.manifest == place);
        if let (Some(at), Some(literal)) = (at, manifest.version()) {
            strings.push((literal, self.crates[at].to_string()));
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
        let path = workspace::below(&self.workspace.root, file);
        let text = path.and_then(|path| text(edits, path));
        let text = text.map_err(|error| format!("{error}; {named} names it"))?;
        let (old, new) = (fill(line, &self.workspace.version), fill(line, &self.train));
        let mut lines: Vec<&str> = text.split('\n').collect();
        let mut found = lines.iter_mut().filter(|line| line.trim() == old);
        let (Some(line), None) = (found.next(), found.next()) else {
            bail!("the line `{old}` must be there once: fix it, or {named}");
        };
        let bumped = line.replace(&old, &new);
        *line = &bumped;
        *text = lines.join("\n");
        Ok(())
    }

    fn lock_file(&self, edits: &mut Edits) -> Result<()> {
        let path = self.workspace.root.join("Cargo.lock");
        if !path.exists() {
            return Ok(());
        }
        let mut moves = Vec::new();
        for (member, to) in self.workspace.crates.iter().zip(&self.crates) {
            let (name, from) = (&member.name, &member.version);
            moves.push(Move { name, from, to });
        }
        let text = text(edits, path).context("Cargo.lock")?;
        manifest::parse("Cargo.lock", text.as_str())?; // conflict markers, or an interrupted write
        *text = lockfile::rewrite(text, &moves).context("Cargo.lock")?;
        Ok(())
    }

    /// What is left once the versions are written.
    fn finish(&self, sh: &Shell) -> Result<()> {
        let _root = sh.push_dir(&self.workspace.root);
        self.report_other_workspaces(sh);
        for command in &self.workspace.config.after_bump {
            let done = run_configured(sh.cmd(&command[0]).args(&command[1..]));
            done.map_err(|error| format!("after-bump: {error}; the versions are written"))?;
        }
        Ok(())
    }

    /// Prints which packages of the same repository are not members and need an update after the bump, as `file:line: what`.
    /// cargo does not know them here.
    fn report_other_workspaces(&self, sh: &Shell) {
        let top = output_of(cmd!(sh, "git rev-parse --show-toplevel")).unwrap_or_default();
        let files = cmd!(sh, "git -C {top} ls-files -z -- Cargo.toml **/Cargo.toml");
        let mut found = Vec::new();
        for file in output_of(files).unwrap_or_default().split_terminator('\0') {
            let path = Path::new(&top).join(file);
            if self.workspace.manifests.iter().any(|own| own.path == path) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            let Ok(manifest) = Manifest::parse(&path, file.to_string(), text) else {
                continue; // a template, or data of a test
            };
            let bumped = |(_, item): (_, &Item)| {
                let at = self.workspace.member_in(&manifest.folder(item)?)?;
                let member = &self.workspace.crates[at];
                (member.version != self.crates[at]).then_some((manifest.at(item), &member.name))
            };
            let mut all = manifest.dependencies().into_iter();
            if let Some((place, name)) = all.find_map(bumped) {
                let what = "from another workspace: update it and its Cargo.lock";
                found.push(format!("{place}: depends on `{name}` {what}"));
            }
        }
        for line in found.iter().take(3) {
            say!("{line}");
        }
        if found.len() > 3 {
            say!("and so do {}", count(found.len() - 3, "other manifest"));
        }
    }

    fn report(&self, changed: &[PathBuf], verbose: bool) {
        let (workspace, train) = (self.workspace, &self.train);
        if changed.is_empty() {
            return say!("nothing to do: the version is {train}");
        }
        let mut moved: BTreeMap<_, Vec<&str>> = BTreeMap::new();
        for (member, to) in workspace.crates.iter().zip(&self.crates) {
            let (name, from) = (&member.name, &member.version);
            if from != to {
                moved.entry((from, to)).or_default().push(name);
            } else if member.follows_train && to != train {
                say!("{name} {to} left alone: its version is not the train's");
            }
        }
        if moved.is_empty() {
            let package = vec!["[workspace.package]"];
            moved.insert((&workspace.version, train), package);
        }
        for ((from, to), names) in moved {
            match &names[..] {
                [_, _, ..] if !verbose => say!("{} {from} -> {to}", count(names.len(), "crate")),
                names => names.iter().for_each(|name| say!("{name} {from} -> {to}")),
            }
        }
        match changed {
            [_, _, ..] if !verbose => say!("changed {}", count(changed.len(), "file")),
            files => files
                .iter()
                .for_each(|file| say!("changed {}", relative(&workspace.root, file))),
        }
    }
}
