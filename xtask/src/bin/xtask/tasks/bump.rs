//! `bump`: the next version, in every manifest, in `Cargo.lock` and in the configured version strings. It computes and
//! checks everything before it writes the first file, and it commits nothing.

use std::fs;
use std::io;
use std::path::Path;

use semver::Version;
use toml_edit::Item;
use xshell::Shell;

use release_train::rules::config::{VersionString, fill};
use release_train::rules::lockfile::{self, Move};
use release_train::rules::manifest::{Manifest, Requirement, parse};
use release_train::rules::version::{Bump, follow};
use release_train::world::workspace::{self, Edit, Workspace};
use release_train::{
    Arguments, Context, Error, Result, bail, finish, free, print, say, world::process,
};

pub const HELP: &str = "\
cargo xtask bump [major|minor|patch|rc|release|X.Y.Z]

Writes the next version into every manifest, Cargo.lock and the configured version strings. Published members move,
each from its own version, and so does every inherited version. Prints what moved on stderr and the train's new
version alone on stdout.

  major    the next version that may break users: 12.0.0 -> 13.0.0, 0.99.0 -> 0.100.0, 0.0.1 -> 0.0.2.
           This is the default. With `release-candidates` it leads to -dev
  minor    the next one that adds and does not break: 12.0.0 -> 12.1.0, 0.99.0 -> 0.99.1
  patch    the next one that repairs: 12.0.0 -> 12.0.1
  rc       the next candidate: -dev -> -rc.1 -> -rc.2
  release  the version without its suffix
  X.Y.Z    this version, for the crates that share the train's

A bump by a level moves on each time; `git restore :/` undoes one.
";

/// Reads the command line, bumps, and prints the train's new version.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let bump = free(&mut arguments)?.map_or(Ok(Bump::Major), |text| Bump::parse(&text))?;
    finish(arguments)?;
    let version = bump_workspace(sh, &sh.current_dir(), &bump)?;
    print(&format!("{version}\n"))
}

/// Bumps the workspace around a folder, runs `after-bump` in it, and returns the train's version.
pub fn bump_workspace(sh: &Shell, folder: &Path, bump: &Bump) -> Result<Version> {
    let workspace = Workspace::load_in(sh, folder)?;
    if let [first, more @ ..] = &workspace.inconsistencies()[..] {
        let more = if more.is_empty() {
            String::new()
        } else {
            format!(" ({} more of the kind)", more.len())
        };
        bail!("{first}{more}");
    }

    let plan = Plan::decide(&workspace, bump)?;

    let mut edits = Vec::new();
    for (place, manifest) in workspace.manifests.iter().enumerate() {
        let after = plan.manifest(place, manifest)?;
        edits.push(Edit {
            path: manifest.path.clone(),
            before: manifest.text().to_string(),
            after,
        });
    }
    if let Some(error) = plan.beside_manifests(&mut edits).into_iter().next() {
        return Err(error);
    }
    edits.retain(|edit| edit.before != edit.after);

    workspace::write(&workspace.root, &edits)?;
    let _root = sh.push_dir(&workspace.root);
    plan.report(&edits);
    for command in &workspace.config.after_bump {
        process::run_configured(sh.cmd(&command[0]).args(&command[1..]))
            .map_err(|error| format!("after-bump: {error}, when every version had been written"))?;
    }
    Ok(plan.train)
}

/// Version strings and a lock file that do not hold the present version, as `file: what is wrong`.
pub fn stale(workspace: &Workspace) -> Vec<String> {
    let crates = workspace
        .crates
        .iter()
        .map(|member| member.version.clone())
        .collect();
    let plan = Plan {
        workspace,
        train: workspace.version.clone(),
        inherited: None,
        crates,
    };
    plan.beside_manifests(&mut Vec::new())
        .iter()
        .map(Error::to_string)
        .collect()
}

/// Where every version goes.
struct Plan<'a> {
    workspace: &'a Workspace,
    train: Version,
    /// `[workspace.package] version` after the bump.
    inherited: Option<Version>,
    /// The version of each member after the bump, in the order of the members.
    crates: Vec<Version>,
}

impl Plan<'_> {
    fn decide<'a>(workspace: &'a Workspace, bump: &Bump) -> Result<Plan<'a>> {
        let next = |name: &str, now: &Version| {
            if matches!(bump, Bump::To(_)) && *now != workspace.version {
                return Ok(now.clone());
            }
            bump.next(now, workspace.config.release_candidates)
                .context(format_args!("{name} is at {now}"))
        };
        let crates = workspace
            .crates
            .iter()
            .map(|member| match member.follows_train {
                true => next(&member.name, &member.version),
                false => Ok(member.version.clone()),
            });
        let crates = crates.collect::<Result<_>>()?;
        let inherited = workspace.manifests[0].workspace_version();
        let inherited = inherited
            .map(|(now, _)| next("[workspace.package]", &now))
            .transpose()?;
        Ok(Plan {
            workspace,
            train: next("the train", &workspace.version)?,
            inherited,
            crates,
        })
    }

    /// The text of a manifest after the bump. `place` is its place in `Workspace::manifests`.
    fn manifest(&self, place: usize, manifest: &Manifest) -> Result<String> {
        let mut strings: Vec<(&Item, String)> = Vec::new();
        if let (0, Some((_, literal)), Some(next)) =
            (place, manifest.workspace_version(), &self.inherited)
        {
            strings.push((literal, next.to_string()));
        }
        let member = self
            .workspace
            .crates
            .iter()
            .position(|member| member.manifest == place);
        match (member, manifest.version()) {
            (Some(at), Some(literal)) => strings.push((literal, self.crates[at].to_string())),
            (Some(at), None)
                if self.workspace.crates[at].follows_train && !manifest.inherits_version() =>
            {
                bail!("{}: the version of the package is not found", manifest.file);
            }
            _ => {}
        }
        for requirement in manifest.requirements() {
            let Some(at) = self.workspace.member(&requirement) else {
                continue;
            };
            // One without a path is met by the registry too: as long as it can be, its lower bound is its author's.
            let stays = requirement.folder.is_none() && requirement.admits(&self.crates[at]);
            if self.crates[at] != self.workspace.crates[at].version && !stays {
                let Requirement {
                    package,
                    text,
                    item,
                    ..
                } = requirement;
                let followed = follow(text, &self.crates[at]);
                let followed =
                    followed.context(format_args!("{}: `{package}`", manifest.at(item)))?;
                strings.push((item, followed));
            }
        }
        Ok(manifest.with(strings))
    }

    /// Moves the version strings and the lock file, in the text that `edits` already holds for a file, if any. Returns
    /// what is wrong with them.
    fn beside_manifests(&self, edits: &mut Vec<Edit>) -> Vec<Error> {
        let lines = self.workspace.config.version_strings.iter();
        let mut done: Vec<_> = lines
            .map(|line| self.version_string(line, edits).context(&line.file))
            .collect();
        done.push(self.lock_file(edits));
        done.into_iter().filter_map(Result::err).collect()
    }

    fn version_string(
        &self,
        VersionString { file, line }: &VersionString,
        edits: &mut Vec<Edit>,
    ) -> Result<()> {
        let text = text_of(edits, &self.workspace.root.join(file));
        let text =
            text.map_err(|error| format!("{error}; `version-strings` in Cargo.toml names it"))?;
        let (old, new) = (fill(line, &self.workspace.version), fill(line, &self.train));
        match text.lines().filter(|line| line.trim() == old).count() {
            1 => {}
            0 => {
                bail!("no line is `{old}`: mend it, or `version-strings` in Cargo.toml");
            }
            count => {
                bail!("{count} lines are `{old}`: `version-strings` in Cargo.toml must name one");
            }
        }
        let moved = |line: &str| {
            if line.trim() == old {
                line.replace(&old, &new)
            } else {
                line.to_string()
            }
        };
        *text = text.split_inclusive('\n').map(moved).collect();
        Ok(())
    }

    fn lock_file(&self, edits: &mut Vec<Edit>) -> Result<()> {
        let path = self.workspace.root.join("Cargo.lock");
        if !path.exists() {
            return Ok(());
        }
        let text = text_of(edits, &path).context("Cargo.lock")?;
        parse("Cargo.lock", text.as_str())?; // conflict markers, or an interrupted write
        *text = lockfile::rewrite(text, &self.moves().collect::<Vec<_>>()).context("Cargo.lock")?;
        Ok(())
    }

    fn moves(&self) -> impl Iterator<Item = Move<'_>> {
        let members = self.workspace.crates.iter().zip(&self.crates);
        members.map(|(member, to)| Move {
            name: &member.name,
            from: &member.version,
            to,
        })
    }

    fn report(&self, edits: &[Edit]) {
        if edits.is_empty() {
            return say!("nothing to do: the version is {}", self.train);
        }
        for Move { name, from, to } in self.moves().filter(|moved| moved.from != moved.to) {
            say!("{name} {from} -> {to}");
        }
        for (member, to) in self.workspace.crates.iter().zip(&self.crates) {
            if member.follows_train && member.version == *to && *to != self.train {
                say!(
                    "{} {to} left alone: its version is not the train's",
                    member.name
                );
            }
        }
        if self.moves().all(|moved| moved.from == moved.to) {
            say!(
                "[workspace.package] {} -> {}",
                self.workspace.version,
                self.train
            );
        }
        for edit in edits {
            say!(
                "changed {}",
                workspace::relative(&self.workspace.root, &edit.path)
            );
        }
    }
}

/// The text of a file after the edits, whatever path it goes by; it is read if it is not among them.
fn text_of<'a>(edits: &'a mut Vec<Edit>, path: &Path) -> io::Result<&'a mut String> {
    let real = path.canonicalize()?;
    let at = match edits
        .iter()
        .position(|edit| edit.path.canonicalize().is_ok_and(|path| path == real))
    {
        Some(at) => at,
        None => {
            let before = fs::read_to_string(path)?;
            edits.push(Edit {
                path: path.to_path_buf(),
                after: before.clone(),
                before,
            });
            edits.len() - 1
        }
    };
    Ok(&mut edits[at].after)
}
