//! `yank`: the crates of a release, or of the candidates that a release supersedes, at the versions that they have at its tag.

use std::time::Duration;

use semver::Version;
use xshell::Shell;

use crate::outward;
use release_train::rules::version::{parse, release_of, tag};
use release_train::world::git::{fetch, lock_and_read_remote};
use release_train::world::registry::Registry;
use release_train::world::workspace::Workspace;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, Usage, finish, free, say};

pub const HELP: &str = "\
Yanks every crate of a release, at the version that it has at the release's tag.
Crates with versions of their own (`independent`) stay. Safe to run again.
Needs an API token with the scope `yank`; `cargo yank --undo` reverts a yank.

cargo xtask yank VERSION|--candidates [--registry NAME]

  --candidates  yanks the candidates of all versions that have a later candidate
                or a release in the registry
  --registry    as for `publish`
";

/// Reads the command line, and yanks.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let candidates = arguments.contains("--candidates");
    let registry = arguments.opt_value_from_str("--registry")?;
    let version = free(&mut arguments)?
        .map(|version| parse(&version))
        .transpose()?;
    finish(arguments)?;
    let registry = Registry::of(&Workspace::load(sh)?, registry, Duration::from_secs(60))?;
    let (_lock, remote) = lock_and_read_remote(sh)?;

    let mut yanked = 0;
    match (version, candidates) {
        (Some(version), false) => {
            let commit = remote.tags.get(&version);
            let commit = commit.ok_or_else(|| format!("origin has no tag {}", tag(&version)))?;
            yanked += yank(sh, &registry, &version, commit, false)?;
        }
        (None, true) => {
            for (version, commit) in remote
                .tags
                .iter()
                .filter(|(version, _)| !version.pre.is_empty())
            {
                let of_same_release = |other: &&Version| release_of(other) == release_of(version);
                // The last one of its release is superseded by nothing.
                if remote.tags.keys().rfind(of_same_release) != Some(version) {
                    yanked += yank(sh, &registry, version, commit, true)?;
                }
            }
        }
        _ => return Err(Usage("either VERSION or --candidates is required".into()).into()),
    }
    if yanked == 0 {
        say!(
            "nothing to do: nothing is left to yank in {}",
            registry.name
        );
    }
    Ok(())
}

/// Yanks the crates of a tagged version, and returns how many. `superseded`: only where the registry has a higher version of
/// the same release.
fn yank(
    sh: &Shell,
    registry: &Registry,
    version: &Version,
    commit: &str,
    superseded: bool,
) -> Result<usize> {
    fetch(sh, &[format!("refs/tags/{}", tag(version))])?;
    let tree = Worktree::add(sh, commit)?;
    let workspace = match Workspace::load_in(sh, &tree.root).context(tag(version)) {
        // A tag from before this was a workspace, or of another project.
        Err(error) if superseded => {
            say!("{error}; skipped");
            return Ok(0);
        }
        workspace => workspace?,
    };
    let mut yanked = 0;
    for (member, versions) in registry.versions_of_all(&workspace)? {
        let now = &member.version;
        let higher = || {
            versions
                .iter()
                .any(|(other, gone)| !gone && other > now && release_of(other) == release_of(now))
        };
        if member.follows_train && versions.get(now) == Some(&false) && (!superseded || higher()) {
            outward::yank(sh, &registry.name, &member.name, now).context(&member.name)?;
            yanked += 1;
        }
    }
    Ok(yanked)
}
