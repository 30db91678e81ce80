//! `cut`: the release branch of main's version, main's next version, and the pull requests that go with them.

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::proposal::{Proposal, propose};
use crate::tasks::bump::bump_workspace;
use crate::tasks::{notes, project_name, release};
use release_train::rules::calendar::same_month;
use release_train::rules::version::{Bump, branch_version, release_branch, release_of, tag};
use release_train::world::git::{fetch, is_ancestor, lock_and_read_remote};
use release_train::world::github::pull_requests;
use release_train::world::workspace::Workspace;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, finish, say};

pub const HELP: &str = "\
cargo xtask cut [--force]

Pushes main, at X.Y.0, to release-X.Y.0, and opens a pull request that bumps main to the next major
version and opens the notes of that one. With `release-candidates` it opens the one of the first candidate, too.

There is one cut a month, and none while the train before has not left (no release of it is tagged); --force makes one
all the same. What is there already is kept.
";

/// Reads the command line and cuts. `today` may be another day.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let force = arguments.contains("--force");
    finish(arguments)?;

    let (_alone, remote) = lock_and_read_remote(sh)?;
    let main = &remote.main;
    let head = remote.branch(main)?;
    fetch(sh, &[main])?;
    let tree = Worktree::add(sh, head)?;
    let workspace = Workspace::load_in(sh, &tree.root).context(main)?;
    let version = release_of(&workspace.version);
    let branch = release_branch(&version);
    if branch_version(&branch).is_none() {
        return Err(
            format!("{main} is at {version}, but a train is cut at X.Y.0: {BUMP_FIRST}").into(),
        );
    }

    let brought = pull_requests(sh, &bump_branch(&workspace.version), main)?;
    let this_month = brought
        .iter()
        .find(|brought| brought.state == "MERGED" && same_month(brought.opened, today));
    if let (Some(brought), false) = (this_month, force) {
        say(format_args!(
            "nothing to do: {} made this month's cut; --force makes another",
            brought.url
        ));
        return Ok(());
    }
    let next = Bump::Major.next(&workspace.version, workspace.config.release_candidates)?;
    let bump_branch = bump_branch(&next);
    let commit = remote.branches.get(&branch).unwrap_or(head);
    if commit != head {
        fetch(sh, &[&branch])?;
    }
    // A cut that was begun is completed, whatever has happened since.
    let mut bumps = pull_requests(sh, &bump_branch, main)?
        .into_iter()
        .filter(|bump| bump.state != "MERGED");
    let begun = remote.branches.contains_key(&bump_branch)
        || remote.branches.contains_key(&branch) && bumps.next().is_some();
    if !begun {
        if remote.tags.contains_key(&version) {
            return Err(format!("{main} is at {version}, which is tagged: {BUMP_FIRST}").into());
        }
        if !is_ancestor(sh, commit, head)? {
            return Err(format!(
                "`{branch}` is on origin with commits that are not on {main}: if it is no release branch, rename it"
            )
            .into());
        }
        let previous = remote
            .release_branches()
            .into_iter()
            .rfind(|(_, name)| *name != branch);
        match previous {
            Some((ahead, name)) if ahead > version => {
                return Err(
                    format!("{main} is at {version}, behind `{name}`: {BUMP_FIRST}").into(),
                );
            }
            Some((previous, name)) if remote.first_release(&previous).is_none() && !force => {
                let tag = tag(&previous);
                return Err(format!(
                    "`{name}` has not left: {tag} is missing; `cargo xtask status` says what comes next, or say --force"
                )
                .into());
            }
            _ => {}
        }
    }

    bump_workspace(sh, &tree.root, &Bump::Major).context(main)?;
    notes::open(&workspace, &release_of(&next)).context(main)?;
    let title = format!("Bump {} to {next}", project_name(sh, &workspace.config)?);
    let body = format!(
        "`{branch}` is cut. Merging this makes {main} the development of {next}.\n\nWhat {version} still needs lands on {main} first and is backported to `{branch}`. To look at: the versions, and the new section in `RELEASES.md`.\n"
    );
    let bump = Proposal::commit(&tree, bump_branch, main, title, "", body)?;
    let mut proposals = Vec::new();
    if workspace.config.release_candidates && remote.line(&version).is_empty() {
        proposals.extend(release::candidate(sh, &remote, &branch, commit)?);
    }
    // The bump comes last: once it is merged, there is nothing left to do.
    proposals.push(bump);
    propose(sh, &remote, Some((head.clone(), branch)), proposals)
}

const BUMP_FIRST: &str = "bump it first, with `cargo xtask bump`";

pub fn bump_branch(version: &Version) -> String {
    format!("ci/bump-to-{version}")
}
