//! `cut`: the release branch of main's version, and the pull requests that go with it.

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::proposal::{Proposal, propose};
use crate::tasks::bump::bump_workspace;
use crate::tasks::{notes, project_name, release};
use release_train::rules::calendar::same_month;
use release_train::rules::config::Config;
use release_train::rules::decisions::{self, CutFacts, Decision};
use release_train::rules::notes::plain;
use release_train::rules::status::PullRequest;
use release_train::rules::version::{Bump, bump_branch, first_of_line, release_branch, release_of};
use release_train::world::git::{self, Remote, is_ancestor, lock_and_read_remote};
use release_train::world::github::pull_requests;
use release_train::world::workspace::{Workspace, read_notes};
use release_train::{Arguments, Context, Result, finish, say};

/// The version of the train that was cut last, but for one. Where its branch is deleted, its tag is there.
pub fn last_train(remote: &Remote, but: Option<&Version>) -> Option<Version> {
    let tagged = remote.tags.keys().map(first_of_line);
    let cut = tagged.chain(remote.release_branches().into_keys());
    cut.filter(|first| Some(first) != but).max()
}

/// The pull requests that bumped main after the cut of a version, whatever main's version is now, and whatever the
/// configuration said then.
pub fn bumps_after(
    sh: &Shell,
    remote: &Remote,
    config: &Config,
    cut: Option<&Version>,
) -> Result<Vec<PullRequest>> {
    let Some(cut) = cut else {
        return Ok(Vec::new());
    };
    let mut tried = Vec::new();
    for train in [&config.train, &Bump::Major, &Bump::Minor] {
        for to_dev in [config.release_candidates, !config.release_candidates] {
            let branch = bump_branch(&train.next(cut, to_dev)?);
            let found = match tried.contains(&branch) {
                true => Vec::new(),
                false => pull_requests(sh, &branch, &remote.main)?,
            };
            if !found.is_empty() {
                return Ok(found);
            }
            tried.push(branch);
        }
    }
    Ok(Vec::new())
}

/// What the checkout has and origin's main does not, if main is checked out.
fn only_here(sh: &Shell, main: &str, head: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    if git::current_branch(sh).is_ok_and(|branch| branch == main) {
        let commits = git::subjects(sh, head, "HEAD")?.into_iter();
        found.extend(commits.map(|subject| format!("not pushed: {}", plain(&subject))));
        let changed = git::uncommitted(sh, "normal")?;
        found.extend(changed.map(|file| format!("what is not committed, as {file}")));
    }
    Ok(found)
}

pub const HELP: &str = "\
Pushes main, at X.Y.0, to release-X.Y.0, and opens the pull request of the next
version.

cargo xtask cut [--force] [--date YYYY-MM-DD]

  --force  also if a train was cut this month already, or if the previous one is
           not released yet; otherwise neither happens

It takes main as it is on origin, whatever is checked out. The pull request
bumps main to the next major version, or the next minor one with `train`, and
adds its section to RELEASES.md. With `release-candidates` another one makes the
first candidate. To undo a cut, delete release-X.Y.0 and ci/bump-to-... on
origin, and close or revert the pull requests.

Example: cargo xtask cut --date 2026-12-05
";

/// Reads the command line, and cuts. `today` decides whether this month's cut was made.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let force = arguments.contains("--force");
    finish(arguments)?;

    let (_lock, remote) = lock_and_read_remote(sh)?;
    let main = &remote.main;
    let head = remote.branch(main)?;
    let (tree, workspace) = release::read_main(sh, &remote)?;
    let notes = read_notes(&tree.root).unwrap_or_default();
    let version = release_of(&workspace.version);
    let branch = release_branch(&version);
    let next = workspace
        .config
        .next_train(&workspace.version)
        .context(main)?;
    let next_branch = bump_branch(&next);

    let mut others = remote.release_branches();
    others.retain(|_, name| *name != branch);
    let previous = others.into_keys().next_back();
    let last = last_train(&remote, Some(&version));
    let mut last_bumps = bumps_after(sh, &remote, &workspace.config, last.as_ref())?;
    last_bumps.retain(|bump| same_month(bump.opened, today));
    let mut next_bumps = bumps_after(sh, &remote, &workspace.config, Some(&version))?;
    let opened = next_bumps.iter().any(|bump| bump.state != "MERGED");
    // One that was opened under another configuration is this month's cut, too.
    next_bumps.retain(|bump| bump.branch != next_branch && bump.state == "OPEN");
    last_bumps.extend(next_bumps);
    let decision = decisions::cut(&CutFacts {
        main,
        version: &version,
        next: &next,
        force,
        cut_this_month: last_bumps.pop().map(|bump| bump.url),
        begun: remote.branches.contains_key(&next_branch)
            || remote.branches.contains_key(&branch) && opened,
        released: workspace.released_as(&remote.tag_names, &notes),
        on_main: is_ancestor(sh, remote.branch_or_main(&branch)?, head)?,
        previous: previous.map(|last| {
            let released = remote.first_release(&last).is_some();
            (last, released)
        }),
    });
    match decision {
        Decision::Go(()) => {}
        Decision::Nothing(why) => {
            say!("nothing to do: {why}");
            return Ok(());
        }
        Decision::Refuse(why) => return Err(why.into()),
    }
    if !remote.branches.contains_key(&branch) {
        say!("{main} is cut as it is on origin, at {head}");
        for left_out in only_here(sh, main, head)? {
            say!("left out: {left_out}");
        }
    }

    let body = format!(
        "`{branch}` is cut. Merging this makes {main} the development of {next}.\n\n\
        Changes that {version} still needs land on {main} first and are backported to `{branch}`. \
        Check the versions, and the new section in `RELEASES.md`.\n"
    );
    let bump = Proposal {
        branch: next_branch,
        base: main.clone(),
        title: format!("Bump {} to {next}", project_name(sh, &workspace.config)?),
        body,
        dates: None,
        date: today,
        change: Box::new(|root, _| {
            let workspace = Workspace::load_in(sh, root).context(main)?;
            let next = bump_workspace(sh, root, None).context(main)?;
            let added = notes::open(&workspace, &release_of(&next));
            added.context(main).map(drop)
        }),
    };
    let mut proposals = Vec::new();
    if workspace.config.release_candidates && remote.line(&version).is_empty() {
        proposals.extend(release::candidate(sh, &remote, &branch, today)?);
    }
    // The bump comes last: once it is merged, nothing is left to do.
    proposals.push(bump);
    let cut = Some((head.clone(), branch.clone()));
    propose(sh, &remote, cut, &proposals)
}
