//! `push-tag`: finds the commit of a release branch that is to be released, checks it, and pushes its tag.

use std::fs::OpenOptions;
use std::io::Write;

use semver::Version;
use xshell::{Shell, cmd};

use crate::git::{Remote, Worktree, alone, current_branch, fetch, first_parents, last_release_commit, messages};
use crate::notes::has;
use crate::tasks::notes;
use crate::tasks::release::{is_dated, load};
use crate::version::{branch_version, is_marked, same_line, tag, tag_version};
use crate::{Arguments, Result, finish, outward, say, shell};

pub const HELP: &str = "\
cargo xtask push-tag [--branch release-X.Y.0] [--commit SHA]

Looks through the commits of the release branch (the one that is checked out, if none is named) since its last tag,
along first parents, for the newest whose message, or the message of a commit that it merged, holds the line
[automatically-tag-and-release-this-commit]. Pushes its tag if the facts agree: its version belongs to the branch, is
no development version, is still the branch's and is not tagged, and its notes are dated, there and at the branch's head, or it is a candidate.

  --commit  tags this commit of the branch, marked or not, if the facts agree

Writes `tag` and `version` to $GITHUB_OUTPUT. Nothing to tag is no error.
";

/// Reads the command line, and tags.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    let by_hand: Option<String> = arguments.opt_value_from_str("--commit")?;
    finish(arguments)?;
    let branch = branch.map_or_else(|| current_branch(sh), Ok)?;
    let line = branch_version(&branch).ok_or_else(|| format!("`{branch}` is no release branch release-X.Y.0"))?;

    let _alone = alone(sh)?;
    let remote = Remote::read(sh)?;
    let (head, main) = (remote.branch(&branch)?, remote.branch(&remote.main)?);
    fetch(sh, &[&branch, &remote.main])?;
    // What may be left to release is the version that the branch is at.
    let (version, ready) = facts(sh, &branch, head)?;
    let tag = tag(&version);
    let by_hand = by_hand.map(|commit| resolve(sh, &commit)).transpose()?;
    if let Some(tagged) = remote.tags.get(&version) {
        if let Some(commit) = by_hand.filter(|commit| commit != tagged) {
            return Err(format!("{tag} is at {tagged}, not at {commit}: a tag that is out is not moved").into());
        }
        say(format_args!("nothing to do: {tag} is at {tagged}"));
        return if tagged == head { output(&tag, &version) } else { Ok(()) };
    }

    if !ready {
        // Not yet, or no more: a release that was reverted is none.
        let state = format!("`{branch}` is at {version}, which is not dated");
        if by_hand.is_some() {
            return Err(format!("{state}: there is nothing to tag").into());
        }
        say(format_args!("nothing to do: {state}"));
        return Ok(());
    }

    let mut commits = first_parents(sh, head, main)?;
    let is_tagged = |commit: &String| remote.tags.iter().any(|(version, at)| same_line(version, &line) && at == commit);
    commits.truncate(commits.iter().position(is_tagged).unwrap_or(commits.len()));
    let mut chosen = None;
    for (at, commit) in commits.iter().enumerate() {
        let wanted = match &by_hand {
            Some(by_hand) => by_hand == commit,
            None => messages(sh, commits.get(at + 1).unwrap_or(main), commit)?.iter().any(|message| is_marked(message)),
        };
        if wanted && facts(sh, &branch, commit).is_ok_and(|facts| facts == (version.clone(), true)) {
            chosen = Some(commit);
            break;
        }
    }
    match chosen {
        Some(commit) => push(sh, commit, &tag)?,
        None if by_hand.is_some() => {
            return Err(format!("that commit is none to tag as {tag}: it must be on `{branch}` since its last tag, at {version}, with dated notes").into());
        }
        None => {
            let dated = last_release_commit(sh, head)?;
            let command = format!("cargo xtask push-tag --branch {branch} --commit {dated}");
            return Err(format!("`{branch}`: {version} is dated and not tagged, and no commit to tag is marked (a squash may have dropped the line); to tag it by hand: {command}").into());
        }
    }
    output(&tag, &version)
}

/// The version of a commit of a branch, and whether it is one to release: dated, or a candidate.
fn facts(sh: &Shell, branch: &str, commit: &str) -> Result<(Version, bool)> {
    let tree = Worktree::add(sh, commit)?;
    let _in_tree = sh.push_dir(&tree.root);
    let version = load(sh, branch)?.version;
    let ready = match version.pre.as_str() {
        "" => {
            let text = notes::read(&tree.root)?;
            has(&text, &version)? && is_dated(&text, &version)?
        }
        pre => pre.starts_with("rc."),
    };
    Ok((version, ready))
}

fn resolve(sh: &Shell, commit: &str) -> Result<String> {
    let resolved = shell::read(cmd!(sh, "git rev-list -1 --end-of-options {commit} --"));
    Ok(resolved.map_err(|_| format!("`{commit}` is no commit of this repository"))?.trim().to_string())
}

/// Pushes an annotated tag as an object, so that no local tag comes or goes.
fn push(sh: &Shell, commit: &str, tag: &str) -> Result<()> {
    let tagger = shell::read(cmd!(sh, "git var GIT_COMMITTER_IDENT"))?;
    let text = format!("object {commit}\ntype commit\ntag {tag}\ntagger {}\n\n{tag}\n", tagger.trim());
    let object = shell::read(cmd!(sh, "git mktag").stdin(text))?.trim().to_string();
    if let Err(error) = outward::push(sh, &[(object, format!("refs/tags/{tag}"))]) {
        // Another run may have been quicker.
        let now = Remote::read(sh)?.tags;
        match tag_version(tag).and_then(|version| now.get(&version)) {
            Some(at) if at == commit => {}
            Some(at) => return Err(format!("{tag} is at {at}, not at {commit}: a tag that is out is not moved").into()),
            None => return Err(error),
        }
    }
    say(format_args!("{tag} is at {commit}"));
    Ok(())
}

/// Tells the workflow what follows.
fn output(tag: &str, version: &Version) -> Result<()> {
    if let Some(path) = std::env::var_os("GITHUB_OUTPUT") {
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        writeln!(file, "tag={tag}\nversion={version}")?;
    }
    Ok(())
}
