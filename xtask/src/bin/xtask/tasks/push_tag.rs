//! `push-tag`: chooses the commit of a release branch that is to be released, pushes its tag, and starts its release.

use std::thread;
use std::time::Duration;

use semver::Version;
use xshell::{Shell, cmd};

use crate::outward;
use crate::tasks::{notes, release};
use release_train::rules::decisions::{Decision, TagFacts, tag_commit, wrong_commit};
use release_train::rules::version::{branch_version, is_marked};
use release_train::world::git::{self, Remote, first_parents, lock_and_read_remote};
use release_train::world::process::{output_of, output_with_input, search_output};
use release_train::world::{github, workspace::Workspace};
use release_train::{Arguments, Context, Result, bail, finish, print, say};

pub const HELP: &str = "\
Tags the release that was merged to a release branch, and starts its release.

cargo xtask push-tag [--branch release-X.Y.0] [--find|--commit SHA]

  --branch  default: the branch that is checked out
  --find    prints the commit that is to be tagged or released, and does nothing
  --commit  tags this commit of the branch, marked or not

It tags the newest commit, along first parents since the last tag, whose message
(or that of a commit that it merged) holds the line
[automatically-tag-and-release-this-commit]. Its version must be the branch's
and dated, or a candidate, and every later change of versions or notes must be
of the same release. Nothing to tag is not an error. If main has
.github/workflows/release-tag.yml, the commit must have it, too, and the
workflow is started at the tag, once: if its run failed, the run is named.

Example: cargo xtask push-tag --branch release-12.0.0
";

/// The workflow that releases a tag.
const WORKFLOW: &str = "release-tag.yml";

/// Reads the command line, and tags.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    let find = arguments.contains("--find");
    let named: Option<String> = arguments.opt_value_from_str("--commit")?;
    finish(arguments)?;
    let branch = branch.map_or_else(|| git::current_branch(sh), Ok)?;
    if branch_version(&branch).is_none() {
        bail!("`{branch}` is not a release branch release-X.Y.0");
    }

    let (_lock, remote) = lock_and_read_remote(sh)?;
    let head = remote.branch(&branch)?;
    let (version, ready) = state_of(sh, &remote, &branch, head)?;
    let named = named.map(|commit| resolve(sh, &commit)).transpose()?;
    let tagged = remote.tags.get(&version);

    let mut chosen = None;
    if tagged.is_none() && ready {
        let is_this_release = |commit: &String| {
            state_of(sh, &remote, &branch, commit)
                .is_ok_and(|state| state == (version.clone(), true))
        };
        let commits = first_parents(sh, head)?;
        let candidate = match &named {
            Some(named) => commits.contains(named).then(|| named.clone()),
            None => newest_marked(sh, &remote, &commits)?,
        };
        // If it was reverted since, and what was reverted was done again, this is not the commit any more.
        if let Some(commit) = candidate.filter(is_this_release) {
            let later = git::release_changes(sh, Some(&commit), head)?;
            chosen = later.iter().all(is_this_release).then_some(commit);
        }
    }
    let changes = git::release_changes(sh, None, head)?;
    let tag = remote.tag(&version);
    let decision = tag_commit(&TagFacts {
        branch: &branch,
        version: &version,
        ready,
        tag: &tag,
        tagged: tagged.map(String::as_str),
        named: named.as_deref(),
        chosen,
        newest_change: changes.first().unwrap_or(head),
    });

    let starts = has_workflow(sh, remote.branch(&remote.main)?)?;
    let commit = match decision {
        Decision::Refuse(why) => return Err(why.into()),
        Decision::Go(commit) if starts && !has_workflow(sh, &commit)? => bail!(
            "{commit} cannot be released as {tag}: its {WORKFLOW} is missing or another; backport it to `{branch}`, with the marker line in the message of the merge or squash commit"
        ),
        Decision::Go(commit) => commit,
        Decision::Nothing(why) => match tagged {
            Some(commit) if starts && is_unstarted(sh, &tag, &branch, head, commit)? => {
                commit.clone()
            }
            _ => {
                release::check_newest_tag(sh, &remote, &version)?;
                say!("nothing to do: {why}");
                return Ok(());
            }
        },
    };
    if find {
        return print(&format!("{commit}\n"));
    }
    let is_due = tagged.is_some() || push(sh, &commit, &version, &tag)?;
    if starts && (is_due || is_unstarted(sh, &tag, &branch, head, &commit)?) {
        start(sh, &tag)?;
    }
    Ok(())
}

/// The newest marked commit of a branch. Commits of main and those below the last tag do not count.
fn newest_marked(sh: &Shell, remote: &Remote, commits: &[String]) -> Result<Option<String>> {
    let of_main = first_parents(sh, remote.branch(&remote.main)?)?;
    let is_tagged = |commit| remote.tags.values().any(|tagged| tagged == commit);
    for (at, commit) in commits.iter().enumerate() {
        if of_main.contains(commit) || is_tagged(commit) {
            break;
        }
        let messages = git::marking_messages(sh, commits.get(at + 1).map(String::as_str), commit)?;
        if messages.iter().any(|message| is_marked(message)) {
            return Ok(Some(commit.clone()));
        }
    }
    Ok(None)
}

/// The version of a commit of a branch, and whether it can be tagged: dated, or a candidate.
pub fn state_of(
    sh: &Shell,
    remote: &Remote,
    branch: &str,
    commit: &str,
) -> Result<(Version, bool)> {
    let (tree, Workspace { version, .. }) = release::load(sh, remote, branch, commit)?;
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

/// Pushes an annotated tag as an object: no local tag is made. Returns whether git says that this run pushed it.
fn push(sh: &Shell, commit: &str, version: &Version, tag: &str) -> Result<bool> {
    let tagger = output_of(cmd!(sh, "git var GIT_COMMITTER_IDENT"))?;
    let text = format!("object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{tag}\n");
    let object = output_with_input(cmd!(sh, "git mktag"), &text)?;
    let (name, old) = (format!("refs/tags/{tag}"), String::new());
    let pushed = outward::push(sh, &[outward::Push { object, name, old }]);
    if let Err(error) = &pushed {
        // Another run may have been faster, or the answer was lost.
        match Remote::read(sh)?.tags.get(version) {
            Some(at) if at == commit => say!("{tag} was pushed before: {error}"),
            Some(at) => return Err(wrong_commit(tag, at, commit).into()),
            None => return Err(error.to_string().into()),
        }
    }
    say!("{tag} is at {commit}");
    Ok(pushed.is_ok())
}

/// Whether the tree of a commit has the workflow that releases a tag, and not another file of that name.
pub fn has_workflow(sh: &Shell, commit: &str) -> Result<bool> {
    let file = format!(":(top).github/workflows/{WORKFLOW}");
    let line = "^name: release-tag[[:space:]]*$";
    let lines = cmd!(sh, "git grep -a -G -e {line} {commit} -- {file}");
    Ok(!search_output(lines, "")?.is_empty())
}

/// Whether a tag that exists is not released and has no run. One from before the workflows is left alone.
fn is_unstarted(sh: &Shell, tag: &str, branch: &str, head: &str, commit: &String) -> Result<bool> {
    let mut releases = github::releases(sh)?.into_iter();
    if releases.any(|release| release.tag == tag && !release.draft) {
        return Ok(false);
    }
    if !first_parents(sh, head)?.contains(commit) {
        bail!("{tag} is at {commit}, which is not on `{branch}` along first parents");
    }
    if !has_workflow(sh, commit)? {
        return Ok(false);
    }
    let run = github::run_at(sh, WORKFLOW, tag)?;
    if let Some((state, url)) = &run {
        say!("{tag} has a run of {WORKFLOW}, which is not started again: {state}: {url}");
        say!("if it failed, re-run its failed jobs there; if it waits, approve it there");
    }
    Ok(run.is_none())
}

/// Starts the release. GitHub may not know a new tag for some seconds. A branch may have the name of the tag.
fn start(sh: &Shell, tag: &str) -> Result<()> {
    let name = format!("refs/tags/{tag}");
    for _ in 0..10 {
        match outward::start_workflow(sh, WORKFLOW, &name) {
            Err(error) if error.to_string().contains("No ref found") => say!("{error}"),
            started => return started,
        }
        thread::sleep(Duration::from_secs(2));
    }
    outward::start_workflow(sh, WORKFLOW, &name)
}
