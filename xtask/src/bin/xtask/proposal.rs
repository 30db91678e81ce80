//! The pull requests that a task wants: what of them exists, and what is missing. What a killed run left is completed, what is
//! still ours is dated anew, and a branch that humans changed is kept.

use std::path::Path;

use semver::Version;
use time::Date;
use xshell::{Shell, cmd};

use crate::outward::{self, Push};
use release_train::rules::notes;
use release_train::rules::status::PullRequest;
use release_train::rules::version::MARKER;
use release_train::world::git::{self, Remote};
use release_train::world::github::pull_requests;
use release_train::world::process::output_of;
use release_train::world::worktree::Worktree;
use release_train::{Context, Result, bail, say};

/// Makes changes in a folder that holds a workspace, as of a date.
pub type Change<'a> = Box<dyn Fn(&Path, Date) -> Result<()> + 'a>;

/// A pull request that a task wants.
pub struct Proposal<'a> {
    /// The branch that it comes from.
    pub branch: String,
    /// The branch that it goes to.
    pub base: String,
    pub title: String,
    pub body: String,
    /// The version that it dates in the notes, if it does, and the date.
    pub dates: Option<Version>,
    pub date: Date,
    /// Its changes.
    pub change: Change<'a>,
}

impl Proposal<'_> {
    /// Commits the changes on top of a commit. The title is the subject of the message; a marker in the body is in it, too.
    fn commit(&self, sh: &Shell, at: &str, date: Date) -> Result<String> {
        let tree = Worktree::add(sh, at)?;
        (self.change)(&tree.root, date)?;
        let mut message = self.title.clone();
        if self.body.contains(MARKER) {
            message += &format!("\n\n{MARKER}");
        }
        tree.commit(&message).context(&self.title)
    }

    /// The parent of a found commit, if the commit holds exactly what we would have made on that parent, on the date that it
    /// writes. A subject or an author proves nothing: everyone can write them.
    fn parent_if_ours(&self, sh: &Shell, remote: &Remote, head: &str) -> Result<Option<String>> {
        let line = output_of(cmd!(sh, "git rev-list --parents -1 {head}"))?;
        let Some((_, parent)) = line.split_once(' ') else {
            return Ok(None);
        };
        let base = remote.branch_or_main(&self.base)?;
        if parent.contains(' ') || !git::is_ancestor(sh, parent, base)? {
            return Ok(None);
        }
        let text = git::file_at(sh, head, notes::FILE).unwrap_or_default();
        let dates = self.dates.as_ref();
        let date = dates.and_then(|version| notes::released_on(&text, version));
        let Ok(made) = self.commit(sh, parent, date.unwrap_or(self.date)) else {
            return Ok(None);
        };
        let ours = tree_of(sh, &made)? == tree_of(sh, head)?;
        Ok(ours.then(|| parent.to_string()))
    }
}

fn tree_of(sh: &Shell, commit: &str) -> Result<String> {
    let tree = format!("{commit}^{{tree}}");
    output_of(cmd!(sh, "git rev-parse {tree}"))
}

/// Pushes what is missing of a branch (its commit and name) and of the proposals' branches, all or none, and opens the missing
/// pull requests. Fails before it changes anything if one of them was closed, or if one of their branches without a pull
/// request is not ours.
pub fn propose(
    sh: &Shell,
    remote: &Remote,
    branch: Option<(String, String)>,
    proposals: &[Proposal],
) -> Result<()> {
    let (mut pushes, mut to_open) = (Vec::new(), Vec::new());
    if let Some((object, name)) = branch.filter(|(_, name)| !remote.branches.contains_key(name)) {
        let (name, old) = (format!("refs/heads/{name}"), String::new());
        pushes.push(Push { object, name, old });
    }
    for proposal in proposals {
        let (branch, base, title) = (&proposal.branch, &proposal.base, &proposal.title);
        let found = pull_requests(sh, branch, base)?;
        let head = remote.branches.get(branch);
        let parent = match head {
            None => Some(remote.branch_or_main(base)?.clone()),
            Some(head) => {
                refuse_ended(&found, branch, head)?;
                git::fetch(sh, &[format!("refs/heads/{branch}")])?;
                proposal.parent_if_ours(sh, remote, head)?
            }
        };
        match (open_url(&found), &parent) {
            (Some(url), Some(_)) => say!("{url} is open: {title}"),
            (Some(url), None) => {
                say!("{url} is open, with changes by others, and is kept: {title}")
            }
            (None, Some(_)) => to_open.push(proposal),
            (None, None) => bail!(
                "`{branch}` on origin holds other commits: open its pull request by hand, or delete it"
            ),
        }
        let Some(parent) = parent else { continue };
        let object = proposal.commit(sh, &parent, proposal.date)?;
        let found_tree = head.map(|head| tree_of(sh, head)).transpose()?;
        if found_tree != Some(tree_of(sh, &object)?) {
            let name = format!("refs/heads/{branch}");
            let old = head.cloned().unwrap_or_default();
            pushes.push(Push { object, name, old });
        }
    }

    if !pushes.is_empty()
        && let Err(error) = outward::push(sh, &pushes)
    {
        // Another run may have been faster: then this one continues from there.
        let now = Remote::read(sh)?;
        let moved = |push: &Push| {
            let branch = push.name.trim_start_matches("refs/heads/");
            now.branches.get(branch).is_some_and(|at| *at != push.old)
        };
        if !pushes.iter().all(moved) {
            return Err(error);
        }
        return propose(sh, &now, None, proposals);
    }
    for proposal in to_open {
        let (branch, base, title) = (&proposal.branch, &proposal.base, &proposal.title);
        match outward::open_pull_request(sh, branch, base, title, &proposal.body) {
            Ok(url) => say!("opened {url}: {title}"),
            Err(error) => {
                let found = pull_requests(sh, branch, base)?;
                let url = open_url(&found).ok_or(error)?;
                say!("{url} is open: {title}");
            }
        }
    }
    Ok(())
}

/// Fails if the pull request of a branch's commit was merged or closed, and none is open.
fn refuse_ended(found: &[PullRequest], branch: &str, head: &str) -> Result<()> {
    let ended = found.iter().find(|it| it.head == *head);
    if let (Some(PullRequest { url, state, .. }), None) = (ended, open_url(found)) {
        let advice = match state.as_str() {
            "MERGED" => "was merged: delete",
            _ => "was closed: reopen it, or delete",
        };
        bail!("`{branch}`: {url} {advice} the branch and run this again");
    }
    Ok(())
}

fn open_url(found: &[PullRequest]) -> Option<&str> {
    let open = found.iter().find(|it| it.state == "OPEN");
    open.map(|it| it.url.as_str())
}
