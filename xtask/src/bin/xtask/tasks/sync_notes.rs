//! `sync-notes`: copies the notes of patch releases to main, in version order.

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::proposal::{Proposal, propose};
use crate::tasks::{notes, project_name, release};
use release_train::rules::notes::{FILE, has, is_archive, standalone};
use release_train::world::git::{Remote, file_at, lock_and_read_remote};
use release_train::world::workspace::read_notes;
use release_train::{Arguments, Context, Result, finish, say};

pub const HELP: &str = "\
Opens a pull request that copies the notes of patch releases to main.

cargo xtask sync-notes

The notes are those at the tags of all patch releases that have no section in
main's RELEASES.md. Nothing is copied to a file that keeps an archive.

Example: cargo xtask sync-notes
";

/// Reads the command line, and proposes.
pub fn run(sh: &Shell, arguments: Arguments, today: Date) -> Result<()> {
    finish(arguments)?;
    let (_lock, remote) = lock_and_read_remote(sh)?;
    let main = &remote.main;
    let (tree, workspace) = release::read_main(sh, &remote)?;
    let text = read_notes(&tree.root).context(main)?;
    let missing = missing(sh, &remote, &text).context(main)?;
    let Some((newest, _)) = missing.last() else {
        say!("nothing to do: {main} has the notes of all patch releases");
        return Ok(());
    };
    let name = project_name(sh, &workspace.config)?;
    let versions = missing.iter().map(|(version, _)| version.to_string());
    let versions = versions.collect::<Vec<_>>().join(", ");
    let copies = format!("Copies the notes of {versions} from their tags to {main}.");
    let proposal = Proposal {
        branch: format!("ci/sync-notes-{newest}"),
        base: main.clone(),
        title: format!("Add the release notes of {name} {versions}"),
        body: format!("{copies} Check their places.\n"),
        dates: None,
        date: today,
        change: Box::new(|root, _| {
            for (version, section) in &missing {
                notes::add(root, version, section).context(main)?;
            }
            Ok(())
        }),
    };
    propose(sh, &remote, None, &[proposal])
}

/// The patch releases without a section in main's notes, oldest first, each with its section at the tag. A tag without a
/// section, or with notes in another form, has nothing to copy.
pub fn missing(sh: &Shell, remote: &Remote, text: &str) -> Result<Vec<(Version, String)>> {
    let mut missing = Vec::new();
    if is_archive(text)? {
        return Ok(missing);
    }
    for first in remote.release_branches().keys() {
        for (version, commit) in remote.line(first) {
            if version.patch == first.patch || !version.pre.is_empty() || has(text, version)? {
                continue;
            }
            let notes = file_at(sh, commit, FILE).unwrap_or_default();
            if has(&notes, version).unwrap_or(false) {
                let section = standalone(&notes, version)?.replace("\r\n", "\n");
                missing.push((version.clone(), section));
            }
        }
    }
    Ok(missing)
}
