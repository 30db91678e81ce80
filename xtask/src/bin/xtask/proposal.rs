//! The pull requests that a task wants: what of them exists, and what is missing. Existing ones are kept, a human's branch is
//! never overwritten, and what a killed run left is completed.

use xshell::Shell;

use crate::outward;
use release_train::rules::status::PullRequest;
use release_train::rules::version::MARKER;
use release_train::world::git::{Remote, fetch, subjects};
use release_train::world::github::pull_requests;
use release_train::world::worktree::Worktree;
use release_train::{Result, bail, say};

/// A pull request that a task wants.
pub struct Proposal {
    /// The branch that it comes from.
    pub branch: String,
    /// The branch that it goes to.
    pub base: String,
    pub title: String,
    pub body: String,
    /// What it proposes, committed here and not pushed yet.
    pub commit: String,
}

impl Proposal {
    /// Commits the changes in a tree. The title is the subject of the message; a marker in the body is in it, too.
    pub fn commit(
        tree: &Worktree,
        branch: String,
        base: &str,
        title: String,
        body: String,
    ) -> Result<Proposal> {
        let marker = if body.contains(MARKER) { MARKER } else { "" };
        let commit = tree.commit(format!("{title}\n\n{marker}").trim_end())?;
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

/// Pushes the missing ones of a branch (its commit and name) and of the proposals' branches, all or none, and opens the missing
/// pull requests. Fails before it changes anything if one of them was closed, or if one of their branches holds something else.
pub fn propose(
    sh: &Shell,
    remote: &Remote,
    branch: Option<(String, String)>,
    proposals: Vec<Proposal>,
) -> Result<()> {
    let mut missing = Vec::new();
    for proposal in proposals {
        match find_open(sh, remote, &proposal)? {
            Some(url) => say!("{url} is open: {}", proposal.title),
            None => missing.push(proposal),
        }
    }

    let mut refs = Vec::from_iter(branch);
    refs.extend(
        missing
            .iter()
            .map(|wanted| (wanted.commit.clone(), wanted.branch.clone())),
    );
    refs.retain(|(_, name)| !remote.branches.contains_key(name));
    let full = |(commit, name): &(String, String)| (commit.clone(), format!("refs/heads/{name}"));
    let full: Vec<_> = refs.iter().map(full).collect();
    if !full.is_empty()
        && let Err(error) = outward::push(sh, &full)
    {
        // Another run may have been faster: then this one continues from there.
        let now = Remote::read(sh)?;
        if !refs.iter().all(|(_, name)| now.branches.contains_key(name)) {
            return Err(error);
        }
        for proposal in &missing {
            find_open(sh, &now, proposal)?;
        }
    }
    for wanted in &missing {
        let (branch, base, title) = (&wanted.branch, &wanted.base, &wanted.title);
        match outward::open_pull_request(sh, branch, base, title, &wanted.body) {
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

/// The URL of the pull request, if it is open. Fails if its branch is on origin and must not be proposed.
fn find_open(sh: &Shell, remote: &Remote, proposal: &Proposal) -> Result<Option<String>> {
    let (branch, base) = (&proposal.branch, &proposal.base);
    let found = pull_requests(sh, branch, base)?;
    let Some(head) = remote
        .branches
        .get(branch)
        .filter(|_| open_url(&found).is_none())
    else {
        return Ok(open_url(&found).map(str::to_string));
    };
    if let Some(ended) = found.iter().find(|pull_request| pull_request.head == *head) {
        let advice = match ended.state.as_str() {
            "MERGED" => "was merged: delete",
            _ => "was closed: reopen it, or delete",
        };
        bail!(
            "`{branch}`: {} {advice} the branch and run this again",
            ended.url
        );
    }
    fetch(sh, &[branch, base])?;
    // A killed run leaves one commit of ours.
    match subjects(sh, remote.branch(base)?, head)? == [&*proposal.title] {
        true => Ok(None),
        false => Err(format!(
            "`{branch}` on origin holds other commits: open its pull request by hand, or delete it"
        )
        .into()),
    }
}

fn open_url(found: &[PullRequest]) -> Option<&str> {
    let mut open = found
        .iter()
        .filter(|pull_request| pull_request.state == "OPEN");
    open.next().map(|pull_request| pull_request.url.as_str())
}
