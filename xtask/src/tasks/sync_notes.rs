//! `sync-notes`: brings the notes of patch releases to main, in their place.

use std::fs;

use semver::Version;
use xshell::{Shell, cmd};

use crate::git::{Remote, begin, fetch};
use crate::notes::{has, is_archive, show};
use crate::proposal::{Proposal, propose};
use crate::tasks::{name, notes};
use crate::version::{self, same_line, tag};
use crate::workspace::Workspace;
use crate::worktree::Worktree;
use crate::{Arguments, Context, Result, finish, print, say};

pub const HELP: &str = "\
cargo xtask sync-notes [--version X.Y.Z]

Opens a pull request that puts the notes of a patch release where they belong in main's RELEASES.md: of the version
named, or of every patch of the release branches whose section main lacks, one of a line at a time. Nothing is to be done
where main has the section, or keeps an archive. If the section of --version differs on main, the difference is shown and
left to you.
";

/// Reads the command line, and proposes.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let named: Option<String> = arguments.opt_value_from_str("--version")?;
    finish(arguments)?;
    let named = named.map(|text| version::parse(&text)).transpose()?;

    let (_alone, remote) = begin(sh)?;
    let main = &remote.main;
    let head = remote.branch(main)?;
    fetch(sh, &[main])?;
    let tree = Worktree::add(sh, head)?;
    let text = notes::read(&tree.root).context(main)?;
    let name = name(sh, &Workspace::load_in(sh, &tree.root).context(main)?.config)?;
    if is_archive(&text) {
        say(format_args!("nothing to do: {main} keeps an archive, whose links lead to the notes of patch releases"));
        return Ok(());
    }
    let versions = match &named {
        Some(version) => vec![version.clone()],
        None => missing(&remote, &text).context(main)?,
    };

    let mut proposals = Vec::new();
    let mut proposed: Vec<Version> = Vec::new();
    for version in versions {
        // Two of one line go to the same place: the second would conflict with the first.
        if let Some(first) = proposed.iter().find(|first| same_line(first, &version)) {
            say(format_args!(
                "the notes of {version} come after those of {first}: run this again once they are merged"
            ));
            continue;
        }
        let tag = tag(&version);
        let released = remote.tags.get(&version).ok_or_else(|| format!("{tag} is not on origin"))?;
        fetch(sh, &[format!("refs/tags/{tag}")])?;
        let theirs = notes::read(&Worktree::add(sh, released)?.root).context(&tag)?;
        if named.is_none() && !has(&theirs, &version).context(&tag)? {
            say(format_args!("{tag} has no notes of its own"));
            continue;
        }
        let section = show(&theirs, &version).context(&tag)?.replace("\r\n", "\n");
        if has(&text, &version).context(main)? {
            let ours = show(&text, &version)?.replace("\r\n", "\n");
            if ours != section {
                let folder = sh.create_temp_dir()?;
                let _in_folder = sh.push_dir(folder.path());
                fs::write(folder.path().join("main"), ours + "\n")?;
                fs::write(folder.path().join("tag"), section + "\n")?;
                let diff = cmd!(sh, "git diff --no-index --no-color --no-ext-diff main tag").quiet().ignore_status();
                // Behind a bar, since in a workflow's log a line of its own could be a command.
                print(&diff.read()?.lines().map(|line| format!("| {line}\n")).collect::<String>())?;
                return Err(format!(
                    "the notes of {version} on {main} are not those of {tag}: see above, and mend one"
                )
                .into());
            }
            continue;
        }
        let tree = Worktree::add(sh, head)?;
        notes::add(&tree.root, &version, &section, None).context(main)?;
        let title = format!("Add the release notes of {name} {version}");
        let body =
            format!("Brings the notes of {version}, as they are in {tag}, to {main}. To look at: their place.\n");
        proposals.push(Proposal::commit(&tree, format!("ci/sync-notes-{version}"), main, title, "", body)?);
        proposed.push(version);
    }
    if proposals.is_empty() {
        say(format_args!("nothing to do: {main} has the notes"));
    }
    propose(sh, &remote, None, proposals)
}

/// The patch releases of the release branches whose section main's notes lack, oldest first.
pub fn missing(remote: &Remote, text: &str) -> Result<Vec<Version>> {
    let mut missing = Vec::new();
    for line in remote.release_branches().keys() {
        let patches = remote.line(line).into_iter().map(|(version, _)| version);
        for version in patches.filter(|version| version.patch > line.patch && version.pre.is_empty()) {
            missing.extend((!has(text, version)?).then(|| version.clone()));
        }
    }
    Ok(missing)
}
