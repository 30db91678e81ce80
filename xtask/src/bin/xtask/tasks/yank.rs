//! `yank`: the crates of a release, or of the candidates that a release supersedes, at the versions that they have at its tag.

use std::time::Duration;

use semver::Version;
use xshell::Shell;

use crate::outward;
use release_train::rules::version::{parse, release_of};
use release_train::world::git::lock_and_read_remote;
use release_train::world::registry::Registry;
use release_train::world::workspace::Workspace;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, Usage, bail, finish, free, say};

pub const HELP: &str = "\
Yanks every crate of a release, at the version that it has at the release's tag.

cargo xtask yank VERSION|--candidates [--registry NAME]

  --candidates  yanks the candidates of all versions that have a later candidate
                or a release in the registry
  --registry    as for `publish`

Crates with versions of their own (`independent`) stay. Safe to run again. It
needs an API token with the scope `yank`; `cargo yank --undo` reverts a yank.

Example: cargo xtask yank 12.0.1
";

/// Reads the command line, and yanks.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let candidates = arguments.contains("--candidates");
    let registry = arguments.opt_value_from_str("--registry")?;
    let version = free(&mut arguments)?;
    finish(arguments)?;
    if version.is_some() == candidates {
        return Err(Usage("either VERSION or --candidates is required".into()).into());
    }
    let version = version.map(|version| parse(&version)).transpose()?;
    let registry = Registry::of(&Workspace::load(sh)?, registry, Duration::from_secs(60))?;
    let (_lock, remote) = lock_and_read_remote(sh)?;
    let tags = &remote.tags;
    if let Some(version) = version.as_ref().filter(|it| !tags.contains_key(it)) {
        bail!("origin has no tag {}", remote.tag(version));
    }

    let mut yanked = 0;
    for (tagged, commit) in tags {
        let supersedes = |other: &Version| other > tagged && is_same_release(other, tagged);
        let is_superseded = !tagged.pre.is_empty() && tags.keys().any(supersedes);
        if version.as_ref() != Some(tagged) && !(candidates && is_superseded) {
            continue;
        }
        let tree = Worktree::add(sh, commit)?;
        let workspace = match Workspace::load_in(sh, &tree.root).context(remote.tag(tagged)) {
            // A tag from before this was a workspace, or of another project.
            Err(error) if candidates => {
                say!("{error}; skipped");
                continue;
            }
            workspace => workspace?,
        };
        if workspace.version != *tagged {
            let (tag, version) = (remote.tag(tagged), &workspace.version);
            bail!("{tag} is at a commit of {version}: delete the tag on origin");
        }
        for (member, mut versions) in registry.versions_of_all(&workspace)? {
            let now = &member.version;
            versions.retain(|other, gone| !*gone && other >= now && is_same_release(other, now));
            // A candidate stays until the registry has a higher version of the same release.
            let is_left = versions.contains_key(now) && (!candidates || versions.len() > 1);
            if member.follows_train && is_left {
                outward::yank(sh, &registry.name, &member.name, now).context(&member.name)?;
                yanked += 1;
            }
        }
    }
    if yanked == 0 {
        let registry = registry.name;
        say!("nothing to do: nothing is left to yank in {registry}");
    }
    Ok(())
}

fn is_same_release(one: &Version, other: &Version) -> bool {
    release_of(one) == release_of(other)
}
