//! The pull requests that a task wants: what of them is there, and what is missing. Found ones are kept, a human's branch is
//! never overwritten, and what a killed run left is completed.

use xshell::Shell;

use crate::outward;
use release_train::rules::status::PullRequest;
use release_train::world::git::{Remote, fetch, subjects};
use release_train::world::github::pull_requests;
use release_train::world::worktree::Worktree;
use release_train::{Result, say};

/// A pull request that a task wants.
pub struct Proposal {
    /// The branch that it comes from.
    pub branch: String,
    /// The branch that it goes to.
    pub base: String,
    pub title: String,
    pub body: String,
    /// What it proposes, committed here and not yet pushed.
    pub commit: String,
}

impl Proposal {
    /// Commits what was changed in a tree, under the title and with what is to stand below it, if anything.
    pub fn commit(
        tree: &Worktree,
        branch: String,
        base: &str,
        title: String,
        below: &str,
        body: String,
    ) -> Result<Proposal> {
        let commit = tree.commit(format!("{title}\n\n{below}").trim_end())?;
        let commit = commit.ok_or_else(|| format!("{title}: there is nothing to commit"))?;
        Ok(Proposal {
            branch,
            base: base.to_string(),
            title,
            body,
            commit,
        })
    }
}

/// Pushes what is missing of a branch (its commit and name) and of the proposals' branches, all or none, and opens what
/// is missing of the pull requests. Fails before it does anything if one of them was closed, or if one of their branches
/// holds something else.
pub fn propose(
    sh: &Shell,
    remote: &Remote,
    branch: Option<(String, String)>,
    proposals: Vec<Proposal>,
) -> Result<()> {
    let mut missing = Vec::new();
    for proposal in proposals {
        match found(sh, remote, &proposal)? {
            Some(url) => say(format_args!("there is {url}: {}", proposal.title)),
            None => missing.push(proposal),
        }
    }

    let of_proposals = missing
        .iter()
        .map(|proposal| (proposal.commit.clone(), proposal.branch.clone()));
    let mut refs: Vec<_> = branch.into_iter().chain(of_proposals).collect();
    refs.retain(|(_, name)| !remote.branches.contains_key(name));
    if !refs.is_empty() {
        let full: Vec<_> = refs
            .iter()
            .map(|(commit, name)| (commit.clone(), format!("refs/heads/{name}")))
            .collect();
        if let Err(error) = outward::push(sh, &full) {
            // Another run may have been quicker; then this one goes on from there.
            let now = Remote::read(sh)?;
            if refs
                .iter()
                .any(|(_, name)| !now.branches.contains_key(name))
            {
                return Err(error);
            }
            for proposal in &missing {
                found(sh, &now, proposal)?;
            }
        }
    }
    for Proposal {
        branch,
        base,
        title,
        body,
        ..
    } in &missing
    {
        match outward::open_pull_request(sh, branch, base, title, body) {
            Ok(url) => say(format_args!("opened {url}: {title}")),
            Err(error) => match open(&pull_requests(sh, branch, base)?) {
                Some(url) => say(format_args!("there is {url}: {title}")),
                None => return Err(error),
            },
        }
    }
    Ok(())
}

/// The address of the pull request, if it is open. Fails if its branch is there and must not be proposed.
fn found(sh: &Shell, remote: &Remote, proposal: &Proposal) -> Result<Option<String>> {
    let branch = &proposal.branch;
    let pull_requests = pull_requests(sh, branch, &proposal.base)?;
    if let Some(url) = open(&pull_requests) {
        return Ok(Some(url.to_string()));
    }
    let Some(head) = remote.branches.get(branch) else {
        return Ok(None);
    };
    if let Some(PullRequest { url, state, .. }) = pull_requests
        .iter()
        .find(|pull_request| pull_request.head == *head)
    {
        let (state, reopen) = if state == "MERGED" {
            ("merged", "")
        } else {
            ("closed", "reopen it, or ")
        };
        return Err(format!(
            "`{branch}`: {url} was {state}: {reopen}delete the branch and run this again"
        )
        .into());
    }
    let base = remote.branch(&proposal.base)?;
    fetch(sh, &[branch, &proposal.base])?;
    // A run that was killed leaves one commit of ours.
    match subjects(sh, base, head)? == [&*proposal.title] {
        true => Ok(None),
        false => Err(format!(
            "`{branch}` on origin holds other commits: open its pull request, or delete it, by hand"
        )
        .into()),
    }
}

fn open(pull_requests: &[PullRequest]) -> Option<&str> {
    pull_requests
        .iter()
        .find(|pull_request| pull_request.state == "OPEN")
        .map(|pull_request| &*pull_request.url)
}
