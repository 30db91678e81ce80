//! One file for each command. A task reads from top to bottom: observe, decide, prepare, act.

pub mod bump;
pub mod cut;
pub mod dist;
pub mod github_release;
pub mod notes;
pub mod publish;
pub mod push_tag;
pub mod release;
pub mod status;
pub mod sync_notes;
pub mod verify;
pub mod yank;

use semver::Version;
use xshell::{Shell, cmd};

use release_train::rules::config::Config;
use release_train::world::git::{self, Remote, repository_name};
use release_train::world::process;
use release_train::{Result, bail};

/// The project's name in titles: the configured one, or the repository's.
fn project_name(sh: &Shell, config: &Config) -> Result<String> {
    match &config.name {
        Some(name) => Ok(name.clone()),
        None => repository_name(sh),
    }
}

/// The tag of a version, which must be at HEAD: what is published is what everyone finds under the tag. It must also be one
/// of ours, on its release branch along first parents: anyone who can push a tag could publish otherwise.
fn at_tag(sh: &Shell, remote: &Remote, version: &Version) -> Result<String> {
    let tag = remote.tag(version);
    let head = process::output_of(cmd!(sh, "git rev-parse HEAD"))?;
    match remote.tags.get(version) {
        Some(commit) if *commit == head => {
            let branch = remote.branch_of(version)?;
            git::fetch(sh, &[branch])?;
            let on_branch = git::first_parents(sh, remote.branch(branch)?)?;
            if !on_branch.contains(commit) {
                bail!("{tag} is at {commit}, which is not on `{branch}` along first parents");
            }
            Ok(tag)
        }
        Some(commit) => Err(format!(
            "{tag} is at {commit}, not at HEAD: check it out, `git checkout {tag}`"
        )
        .into()),
        None => Err(format!("origin has no tag {tag}: run `cargo xtask push-tag` first").into()),
    }
}
