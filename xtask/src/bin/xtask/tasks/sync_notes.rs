//! `sync-notes`: brings the notes of patch releases to main, in their place.

use semver::Version;
use xshell::Shell;

use crate::proposal::{Proposal, propose};
use crate::tasks::{notes, project_name};
use release_train::rules::notes::{has, standalone};
use release_train::rules::version::tag;
use release_train::world::git::{Remote, fetch, file_at, lock_and_read_remote};
use release_train::world::workspace::Workspace;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, finish, say};

pub const HELP: &str = "\
cargo xtask sync-notes

Opens a pull request that puts the notes of the patch releases that main's RELEASES.md lacks where they belong.
";

/// Reads the command line, and proposes.
pub fn run(sh: &Shell, arguments: Arguments) -> Result<()> {
    finish(arguments)?;
    let (_alone, remote) = lock_and_read_remote(sh)?;
    let main = &remote.main;
    let head = remote.branch(main)?;
    fetch(sh, &[main])?;
    let tree = Worktree::add(sh, head)?;
    let missing = missing(
        sh,
        &remote,
        &release_train::world::workspace::read_notes(&tree.root).context(main)?,
    )
    .context(main)?;
    let Some((newest, _)) = missing.last() else {
        say(format_args!("nothing to do: {main} has the notes"));
        return Ok(());
    };
    for (version, section) in &missing {
        notes::add(&tree.root, version, section, None).context(main)?;
    }
    let name = project_name(
        sh,
        &Workspace::load_in(sh, &tree.root).context(main)?.config,
    )?;
    let versions: Vec<String> = missing
        .iter()
        .map(|(version, _)| version.to_string())
        .collect();
    let title = format!("Add the release notes of {name} {}", versions.join(", "));
    let body = format!(
        "Copies the sections of {} from their tags to {main}. Check where they were put.\n",
        versions.join(", ")
    );
    let proposal = Proposal::commit(
        &tree,
        format!("ci/sync-notes-{newest}"),
        main,
        title,
        "",
        body,
    )?;
    propose(sh, &remote, None, vec![proposal])
}

/// The patch releases whose section main's notes lack, oldest first, each with the section at its tag.
pub fn missing(sh: &Shell, remote: &Remote, text: &str) -> Result<Vec<(Version, String)>> {
    let mut missing = Vec::new();
    for line in remote.release_branches().keys() {
        for (version, commit) in remote.line(line) {
            if version.patch == line.patch || !version.pre.is_empty() || has(text, version)? {
                continue;
            }
            fetch(sh, &[format!("refs/tags/{}", tag(version))])?;
            let theirs = file_at(sh, commit, release_train::rules::notes::FILE).unwrap_or_default();
            if has(&theirs, version)? {
                missing.push((
                    version.clone(),
                    standalone(&theirs, version)?.replace("\r\n", "\n"),
                ));
            }
        }
    }
    Ok(missing)
}
