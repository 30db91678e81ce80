//! `push-tag`: chooses the commit of a release branch that is to be released, and pushes its tag.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;

use semver::Version;
use xshell::{Shell, cmd};

use crate::outward;
use crate::tasks::{notes, release};
use release_train::rules::decisions::{Decision, TagFacts, tag_commit, wrong_commit};
use release_train::rules::version::{branch_version, is_marked, tag};
use release_train::world::git::{self, Remote, first_parents, lock_and_read_remote};
use release_train::world::process::{output_of, output_with_input};
use release_train::world::{github::is_public, worktree::Worktree};
use release_train::{Arguments, Context, Result, finish, say};

pub const HELP: &str = "\
Tags the release that was merged to a release branch: the newest commit, along
first parents since the last tag, whose message (or that of a commit that it
merged) holds the line [automatically-tag-and-release-this-commit]. Its version
must be the branch's and dated, or a candidate, and every later change of
versions or notes must be of the same release. Nothing to tag is not an error.

cargo xtask push-tag [--branch release-X.Y.0] [--find|--commit SHA]

  --branch  default: the branch that is checked out
  --find    pushes nothing; writes `commit` to $GITHUB_OUTPUT, for CI to test
  --commit  tags this commit of the branch, marked or not

Writes `tag` and `version` to $GITHUB_OUTPUT if the tag was pushed, or if it was
there and its release is not public on GitHub yet.
";

/// Reads the command line, and tags.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    let find = arguments.contains("--find");
    let named: Option<String> = arguments.opt_value_from_str("--commit")?;
    finish(arguments)?;
    let branch = branch.map_or_else(|| git::current_branch(sh), Ok)?;
    let first = branch_version(&branch)
        .ok_or_else(|| format!("`{branch}` is not a release branch release-X.Y.0"))?;

    let (_lock, remote) = lock_and_read_remote(sh)?;
    let head = remote.branch(&branch)?;
    git::fetch(sh, &[&branch, &remote.main])?;
    write_output("")?; // fails before anything is pushed, not after
    let (version, ready) = state_of(sh, &branch, head)?;
    let named = named.map(|commit| resolve(sh, &commit)).transpose()?;
    let tagged = remote.tags.get(&version);

    let mut chosen = None;
    if tagged.is_none() && ready {
        let is_this_release = |commit: &String| {
            state_of(sh, &branch, commit).is_ok_and(|state| state == (version.clone(), true))
        };
        let commits = first_parents(sh, head)?;
        let candidate = match &named {
            Some(named) => commits.contains(named).then(|| named.clone()),
            None => newest_marked(sh, &remote, &first, &commits, is_this_release)?,
        };
        // If it was reverted since, and what was reverted was done again, this is not the commit any more.
        if let Some(commit) = candidate.filter(is_this_release)
            && git::release_changes(sh, Some(&commit), head)?
                .iter()
                .all(is_this_release)
        {
            chosen = Some(commit);
        }
    }
    let changes = git::release_changes(sh, None, head)?;
    let decision = tag_commit(&TagFacts {
        branch: &branch,
        version: &version,
        ready,
        tagged: tagged.map(String::as_str),
        named: named.as_deref(),
        chosen,
        newest_change: changes.first().unwrap_or(head),
    });

    let tag = tag(&version);
    let output = format!("tag={tag}\nversion={version}\n");
    match decision {
        Decision::Refuse(why) => Err(why.into()),
        Decision::Nothing(why) => {
            say!("nothing to do: {why}");
            // The workflow continues a release that an earlier run did not complete.
            let in_workflow = std::env::var_os("GITHUB_OUTPUT").is_some();
            let incomplete = tagged.is_some() && in_workflow && !is_public(sh, &tag)?;
            if incomplete || named.is_some() {
                write_output(&output)
            } else {
                Ok(())
            }
        }
        Decision::Go(commit) if find => {
            say!("{commit} is to be tagged as {tag}");
            write_output(&format!("commit={commit}\n"))
        }
        Decision::Go(commit) => {
            push(sh, &commit, &version)?;
            write_output(&output)
        }
    }
}

/// The newest marked commit of this release. Commits of main and those below the branch's last tag do not count.
fn newest_marked(
    sh: &Shell,
    remote: &Remote,
    first: &Version,
    commits: &[String],
    is_this_release: impl Fn(&String) -> bool,
) -> Result<Option<String>> {
    let of_main = first_parents(sh, remote.branch(&remote.main)?)?;
    let of_main: HashSet<&String> = HashSet::from_iter(&of_main);
    let tagged: Vec<&String> = remote
        .line(first)
        .into_iter()
        .map(|(_, commit)| commit)
        .collect();
    for (at, commit) in commits.iter().enumerate() {
        if of_main.contains(commit) || tagged.contains(&commit) {
            break;
        }
        let messages = git::marking_messages(sh, commits.get(at + 1).map(String::as_str), commit)?;
        if messages.iter().any(|message| is_marked(message)) && is_this_release(commit) {
            return Ok(Some(commit.clone()));
        }
    }
    Ok(None)
}

/// The version of a commit of a branch, and whether it can be tagged: dated, or a candidate.
pub fn state_of(sh: &Shell, branch: &str, commit: &str) -> Result<(Version, bool)> {
    let tree = Worktree::add(sh, commit)?;
    let version = release::load(sh, &tree, branch)?.version;
    let ready = match version.pre.as_str() {
        "" => notes::is_dated(&tree.root, &version).context(branch)?,
        pre => pre.starts_with("rc."),
    };
    Ok((version, ready))
}

fn resolve(sh: &Shell, commit: &str) -> Result<String> {
    let resolved = output_of(cmd!(sh, "git rev-list -1 --end-of-options {commit} --"));
    Ok(resolved.map_err(|_| format!("`{commit}` is not a commit of this repository"))?)
}

/// Pushes an annotated tag as an object: no local tag is made.
fn push(sh: &Shell, commit: &str, version: &Version) -> Result<()> {
    let tag = tag(version);
    let tagger = output_of(cmd!(sh, "git var GIT_COMMITTER_IDENT"))?;
    let text = format!("object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{tag}\n");
    let object = output_with_input(cmd!(sh, "git mktag"), &text)?;
    let (name, old) = (format!("refs/tags/{tag}"), String::new());
    let push = outward::Push { object, name, old };
    if let Err(error) = outward::push(sh, &[push]) {
        // Another run may have been faster.
        match Remote::read(sh)?.tags.get(version) {
            Some(at) if at == commit => {}
            Some(at) => return Err(wrong_commit(&tag, at, commit).into()),
            None => return Err(error),
        }
    }
    say!("{tag} is at {commit}");
    Ok(())
}

/// Appends to the file from which a workflow reads a step's output, if there is one.
fn write_output(lines: &str) -> Result<()> {
    let Ok(path) = std::env::var("GITHUB_OUTPUT") else {
        return Ok(());
    };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(lines.as_bytes()));
    written.context(format_args!("GITHUB_OUTPUT {path}"))
}
