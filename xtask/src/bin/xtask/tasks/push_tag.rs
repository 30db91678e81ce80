//! `push-tag`: finds the commit of a release branch that is to be released, checks it, and pushes its tag.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;

use semver::Version;
use xshell::{Shell, cmd};

use crate::outward;
use crate::tasks::notes;
use crate::tasks::release::load;
use release_train::rules::version::{branch_version, is_marked, tag};
use release_train::world::git::{
    Remote, current_branch, fetch, first_parents, lock_and_read_remote, messages, release_changes,
};
use release_train::world::github::is_public;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Error, Result, finish, say, world::process};

pub const HELP: &str = "\
cargo xtask push-tag [--branch release-X.Y.0] [--find|--commit SHA]

Looks through the commits of the release branch (the one that is checked out, if none is named) since its last tag,
along first parents, for the newest whose message, or the message of a commit that it merged, holds the line
[automatically-tag-and-release-this-commit]. Pushes its tag if the facts agree: its version belongs to the branch, is
no development version, is still the branch's and is not tagged, and its notes are dated and have stayed so, or it is a
candidate.

  --find    pushes nothing: writes the commit that it would tag to $GITHUB_OUTPUT, as `commit`, so that CI runs on it first
  --commit  tags this commit of the branch, marked or not, if the facts agree

Writes `tag` and `version` to $GITHUB_OUTPUT if the tag was pushed, or if it was there and its release is not public on
GitHub: what is left of one goes on. Nothing to tag is no error.
";

/// Reads the command line, and tags.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    let find = arguments.contains("--find");
    let by_hand: Option<String> = arguments.opt_value_from_str("--commit")?;
    finish(arguments)?;
    let branch = branch.map_or_else(|| current_branch(sh), Ok)?;
    let line = branch_version(&branch)
        .ok_or_else(|| format!("`{branch}` is no release branch release-X.Y.0"))?;

    let (_alone, remote) = lock_and_read_remote(sh)?;
    let head = remote.branch(&branch)?;
    fetch(sh, &[&branch, &remote.main])?;
    output("")?; // before the tag goes out, so that it does not go out in vain
    // What may be left to release is the version that the branch is at.
    let (version, ready) = facts(sh, &branch, head)?;
    let tag = tag(&version);
    let out = format!("tag={tag}\nversion={version}\n");
    let by_hand = by_hand.map(|commit| resolve(sh, &commit)).transpose()?;
    if let Some(tagged) = remote.tags.get(&version) {
        if let Some(commit) = by_hand.as_ref().filter(|commit| *commit != tagged) {
            return Err(elsewhere(&tag, tagged, commit));
        }
        say(format_args!("nothing to do: {tag} is at {tagged}"));
        // A workflow that asks what follows goes on with what an earlier run has left.
        let open = std::env::var_os("GITHUB_OUTPUT").is_some() && !is_public(sh, &tag)?;
        return if open || by_hand.is_some() {
            output(&out)
        } else {
            Ok(())
        };
    }

    if !ready {
        // Not yet, or no more: a release that was reverted is none.
        let state = format!("`{branch}` is at {version}, which is not dated");
        if by_hand.is_some() {
            return Err(format!("{state}: there is nothing to tag").into());
        }
        say(format_args!(
            "nothing to do: {state}; `cargo xtask status` says what comes next"
        ));
        return Ok(());
    }

    let commits = first_parents(sh, head)?;
    let fits = |commit: &String| {
        facts(sh, &branch, commit).is_ok_and(|facts| facts == (version.clone(), true))
    };
    let mut chosen = None;
    if let Some(by_hand) = &by_hand {
        chosen = commits
            .iter()
            .find(|commit| *commit == by_hand && fits(commit));
    } else {
        // Those of the branch itself that are newer than its last tag.
        let mains = HashSet::<String>::from_iter(first_parents(sh, remote.branch(&remote.main)?)?);
        let old = |commit: &&String| {
            mains.contains(*commit) || remote.line(&line).iter().any(|(_, at)| at == commit)
        };
        for (at, commit) in commits.iter().take_while(|commit| !old(commit)).enumerate() {
            if messages(sh, commits.get(at + 1), commit)?
                .iter()
                .any(|message| is_marked(message))
                && fits(commit)
            {
                // If it was reverted since, and what was reverted done again, this is not the commit any more.
                let changes = release_changes(sh, Some(commit), head)?;
                chosen = changes.iter().all(fits).then_some(commit);
                break;
            }
        }
    }
    let (dated, notes) = if version.pre.is_empty() {
        ("dated and ", " and with dated notes")
    } else {
        ("", "")
    };
    match chosen {
        Some(commit) if find => {
            say(format_args!("{commit} is the one to tag as {tag}"));
            return output(&format!("commit={commit}\n"));
        }
        Some(commit) => push(sh, commit, &version)?,
        None if by_hand.is_some() => {
            return Err(format!("that commit is none to tag as {tag}: it must be on `{branch}`, along first parents, at {version}{notes}").into());
        }
        None => {
            let changes = release_changes(sh, None, head)?;
            let commit = changes.first().unwrap_or(head);
            let command = format!("cargo xtask push-tag --branch {branch} --commit {commit}");
            return Err(format!("`{branch}`: {version} is {dated}not tagged, and no commit to tag is marked (a squash may have dropped the line, or a revert was reverted); to tag it by hand: {command}").into());
        }
    }
    output(&out)
}

/// The version of a commit of a branch, and whether it is one to release: dated, or a candidate.
pub fn facts(sh: &Shell, branch: &str, commit: &str) -> Result<(Version, bool)> {
    let tree = Worktree::add(sh, commit)?;
    let version = load(sh, &tree, branch)?.version;
    let ready = match version.pre.as_str() {
        "" => notes::is_dated(&tree.root, &version).context(branch)?,
        pre => pre.starts_with("rc."),
    };
    Ok((version, ready))
}

fn resolve(sh: &Shell, commit: &str) -> Result<String> {
    let resolved = process::output_of(cmd!(sh, "git rev-list -1 --end-of-options {commit} --"));
    Ok(resolved.map_err(|_| format!("`{commit}` is no commit of this repository"))?)
}

/// Pushes an annotated tag as an object, so that no local tag comes or goes.
fn push(sh: &Shell, commit: &str, version: &Version) -> Result<()> {
    let tag = tag(version);
    let tagger = process::output_of(cmd!(sh, "git var GIT_COMMITTER_IDENT"))?;
    let text = format!("object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{tag}\n");
    let object = process::output_with_input(cmd!(sh, "git mktag"), &text)?;
    if let Err(error) = outward::push(sh, &[(object, format!("refs/tags/{tag}"))]) {
        // Another run may have been quicker.
        match Remote::read(sh)?.tags.get(version) {
            Some(at) if at == commit => {}
            Some(at) => return Err(elsewhere(&tag, at, commit)),
            None => return Err(error),
        }
    }
    say(format_args!("{tag} is at {commit}"));
    Ok(())
}

fn elsewhere(tag: &str, at: &str, commit: &str) -> Error {
    format!("{tag} is at {at}, not at {commit}: a tag that is out is not moved").into()
}

/// Writes what follows to where a workflow reads it, if there is such a place.
fn output(lines: &str) -> Result<()> {
    let Ok(path) = std::env::var("GITHUB_OUTPUT") else {
        return Ok(());
    };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(lines.as_bytes()))
        .context(format_args!("GITHUB_OUTPUT {path}"))
}
