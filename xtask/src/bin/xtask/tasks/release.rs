//! `release-latest`, `release-patch` and `release-candidate`: the pull requests whose merging tags and releases a version
//! of a release branch.

use std::collections::BTreeMap;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::proposal::{Proposal, propose};
use crate::tasks::bump::bump_workspace;
use crate::tasks::{notes, project_name};
use release_train::rules::calendar::supported_until;
use release_train::rules::config::Config;
use release_train::rules::notes::FILE;
use release_train::rules::notes::{draft, has, is_dated};
use release_train::rules::version::{Bump, MARKER, branch_version, release_of, same_line, tag};
use release_train::world::git::{
    Remote, commit_dates, current_branch, fetch, lock_and_read_remote, subjects,
};
use release_train::world::workspace::Workspace;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, finish, say};

pub const LATEST_HELP: &str = "\
cargo xtask release-latest

For the highest release branch, if no release of it is tagged: opens a pull request to main that dates X.Y.0 in its
RELEASES.md, and one to the branch that dates it there (and drops a candidate's suffix) in a commit whose merging tags and
releases it. --date YYYY-MM-DD stands for today.
";

pub const PATCH_HELP: &str = "\
cargo xtask release-patch [--branch release-X.Y.0]... [--all-supported] [--allow-empty]

For the branch that is checked out, for those named or for all that are supported: opens a pull request that bumps the
patch version and dates its notes, in a commit whose merging tags and releases it. Where the notes have no section for
it, one is drafted from the subjects of the commits since the last tag. Once that is tagged, it is the next patch's turn.

  --allow-empty  also where nothing has changed since the last tag: the fix is not public yet
";

pub const CANDIDATE_HELP: &str = "\
cargo xtask release-candidate [--branch release-X.Y.0]

For the highest release branch, or the one named: opens a pull request that makes the next candidate, in a commit whose
merging tags it and publishes it as a pre-release.
";

/// Proposes the release of the latest train. `today` is the date in its notes.
pub fn latest(sh: &Shell, arguments: Arguments, today: Date) -> Result<()> {
    finish(arguments)?;
    let (_alone, remote) = lock_and_read_remote(sh)?;
    let (version, branch) = highest(&remote)?;
    if let Some((first, _)) = remote.first_release(&version) {
        say(format_args!(
            "nothing to do: the latest train is {version}, and {} is out",
            tag(first)
        ));
        return Ok(());
    }
    fetch(sh, &[remote.main.as_str(), branch])?;

    let commit = remote.branch(branch)?;
    let tree = Worktree::add(sh, commit)?;
    let workspace = load(sh, &tree, branch)?;
    let now = &workspace.version;
    if release_of(now) != version {
        return Err(format!(
            "`{branch}` is at {now}, but {version} is not tagged: mend its version, with `cargo xtask bump {version}`"
        )
        .into());
    }
    let mut proposals = Vec::new();
    let is_candidate = !now.pre.is_empty();
    if !is_candidate && notes::is_dated(&tree.root, &version).context(branch)? {
        say(format_args!(
            "`{branch}` is dated; `cargo xtask push-tag --branch {branch}` tags it"
        ));
    } else {
        if is_candidate {
            bump_workspace(sh, &tree.root, &Bump::Release).context(branch)?;
        }
        notes::date(&tree.root, &version, today).context(branch)?;
        proposals.push(release(sh, &tree, &workspace, branch, &version, SECURITY)?);
    }

    let main = &remote.main;
    let tree = Worktree::add(sh, remote.branch(main)?)?;
    let text = release_train::world::workspace::read_notes(&tree.root).context(main)?;
    if !has(&text, &version).context(main)? {
        say(format_args!(
            "nothing to date on {main}: {FILE} has no section of {version} there"
        ));
    } else if is_dated(&text, &version).context(main)? {
        say(format_args!(
            "nothing to date on {main}: the section of {version} is dated there"
        ));
    } else {
        notes::date(&tree.root, &version, today).context(main)?;
        let title = format!(
            "Update release date of {} {version}",
            project_name(sh, &workspace.config)?
        );
        let body = format!(
            "Dates {version} in `{FILE}` of {main}, as its release does on `{branch}`. To look at: the date.\n"
        );
        let branch = format!("ci/release-date-for-{version}");
        // In front of the release: once that is tagged, there is nothing left to do.
        proposals.insert(0, Proposal::commit(&tree, branch, main, title, "", body)?);
    }
    propose(sh, &remote, None, proposals)
}

/// Proposes patch releases. `today` is the date in their notes, and decides what is supported.
pub fn patch(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let mut branches: Vec<String> = arguments.values_from_str("--branch")?;
    let all = arguments.contains("--all-supported");
    let allow_empty = arguments.contains("--allow-empty");
    finish(arguments)?;

    let (_alone, remote) = lock_and_read_remote(sh)?;
    if all {
        branches.extend(all_supported(sh, &remote, today)?);
        if branches.is_empty() {
            return Err("no release branch has left: there is nothing to patch".into());
        }
    } else if branches.is_empty() {
        branches.push(current_branch(sh)?);
    }
    let mut lines = BTreeMap::new();
    for branch in &branches {
        lines.insert(
            branch_version(branch).ok_or_else(|| format!("`{branch}` is no release branch"))?,
            branch,
        );
        remote.branch(branch)?;
    }
    fetch(sh, &branches)?;

    let mut proposals = Vec::new();
    for branch in lines.values() {
        let commit = remote.branch(branch)?;
        let tree = Worktree::add(sh, commit)?;
        let workspace = load(sh, &tree, branch)?;
        let now = &workspace.version;
        if !now.pre.is_empty() {
            return Err(format!(
                "`{branch}` is at {now}: `cargo xtask release-latest` releases it"
            )
            .into());
        }
        let Some(tagged) = remote.tags.get(now) else {
            if !notes::is_dated(&tree.root, now).context(branch)? {
                return Err(format!("`{branch}` is at {now}, which is neither dated nor tagged: release that first; `cargo xtask status` says what comes next").into());
            }
            say(format_args!(
                "nothing to do: {now} waits for `cargo xtask push-tag --branch {branch}`"
            ));
            continue;
        };
        let tag = tag(now);
        fetch(sh, &[format!("refs/tags/{tag}")])?; // it need not be on the branch
        let subjects = subjects(sh, tagged, commit)?;
        if tagged == commit && !allow_empty {
            return Err(format!(
                "`{branch}` has not changed since {tag}: backport the fixes first, or say --allow-empty"
            )
            .into());
        }
        let version = bump_workspace(sh, &tree.root, &Bump::Patch).context(branch)?;
        load(sh, &tree, branch)?; // below 0.1 there are no patches: the next version is another train's
        let mut checks = String::new();
        if release_train::world::workspace::read_notes(&tree.root)
            .and_then(|text| has(&text, &version))
            .context(branch)?
        {
            notes::date(&tree.root, &version, today).context(branch)?;
        } else {
            notes::add(
                &tree.root,
                &version,
                &draft(&version, today, &subjects),
                None,
            )
            .context(branch)?;
            checks += "- [ ] The notes are a draft from the subjects of the commits: rewrite them for users.\n";
        }
        if tagged == commit {
            checks += "- [ ] Nothing has changed yet since the last release: the fixes are merged first.\n";
        }
        proposals.push(release(sh, &tree, &workspace, branch, &version, &checks)?);
    }
    propose(sh, &remote, None, proposals)
}

/// Proposes the next candidate.
pub fn next_candidate(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    finish(arguments)?;
    let (_alone, remote) = lock_and_read_remote(sh)?;
    let branch = branch.map_or_else(
        || highest(&remote).map(|(_, branch)| branch.to_string()),
        Ok,
    )?;
    let commit = remote.branch(&branch)?;
    fetch(sh, &[&branch])?;

    let proposals = Vec::from_iter(candidate(sh, &remote, &branch, commit)?);
    if proposals.is_empty() {
        say(format_args!(
            "nothing to do: `{branch}` is released, or waits for `cargo xtask push-tag --branch {branch}`"
        ));
    }
    propose(sh, &remote, None, proposals)
}

/// The proposal of the candidate that follows a commit of a release branch; `None` if its version is no development
/// version and no candidate that is tagged.
pub fn candidate(
    sh: &Shell,
    remote: &Remote,
    branch: &str,
    commit: &str,
) -> Result<Option<Proposal>> {
    let tree = Worktree::add(sh, commit)?;
    let workspace = load(sh, &tree, branch)?;
    let now = &workspace.version;
    if !workspace.config.release_candidates {
        return Err(format!(
            "`{branch}` does without candidates: Cargo.toml there says `release-candidates = false`"
        )
        .into());
    }
    match remote.tags.get(now) {
        Some(tagged) if tagged == commit && !now.pre.is_empty() => {
            return Err(format!(
                "`{branch}` has not changed since {}: backport the fixes first",
                tag(now)
            )
            .into());
        }
        Some(_) if !now.pre.is_empty() => {}
        None if now.pre.as_str() == "dev" => {}
        _ => return Ok(None),
    }
    let next = bump_workspace(sh, &tree.root, &Bump::Rc).context(branch)?;
    release(sh, &tree, &workspace, branch, &next, "").map(Some)
}

const SECURITY: &str =
    "- [ ] The [open issues that mention RUSTSEC](../issues?q=is:open+RUSTSEC).\n";

/// The proposal to release a version: what has changed in the tree of a branch's head, in a marked commit.
fn release(
    sh: &Shell,
    tree: &Worktree,
    workspace: &Workspace,
    base: &str,
    version: &Version,
    checks: &str,
) -> Result<Proposal> {
    let title = format!("Release {} {version}", project_name(sh, &workspace.config)?);
    let (tag, notes) = (tag(version), release_of(version));
    let body = format!(
        "Merging this tags {tag} and releases it. Before that, check:\n\n- [ ] The notes of {notes} in `{FILE}`.\n- [ ] CI of this pull request.\n{checks}\nKeep the line below in the commit message, also when squashing. Do not rebase if commits were added here: they would come after the commit that is tagged.\n\n{MARKER}\n"
    );
    let kind = if version.pre.is_empty() {
        "release"
    } else {
        "release-candidate"
    };
    Proposal::commit(
        tree,
        format!("ci/{kind}-{version}"),
        base,
        title,
        MARKER,
        body,
    )
}

/// The workspace of a branch, in a tree. Fails if its version is not of the branch's line.
pub fn load(sh: &Shell, tree: &Worktree, branch: &str) -> Result<Workspace> {
    let workspace = Workspace::load_in(sh, &tree.root).context(branch)?;
    match branch_version(branch).is_some_and(|line| same_line(&line, &workspace.version)) {
        true => Ok(workspace),
        false => Err(format!(
            "`{branch}` is at {}: that version is not the branch's",
            workspace.version
        )
        .into()),
    }
}

fn highest(remote: &Remote) -> Result<(Version, &str)> {
    Ok(remote
        .release_branches()
        .pop_last()
        .ok_or("origin has no release branch: `cargo xtask cut` makes one")?)
}

/// The release branches that a patch of all of them is for, as main's configuration says it.
pub fn all_supported(sh: &Shell, remote: &Remote, today: Date) -> Result<Vec<String>> {
    let firsts = remote
        .release_branches()
        .into_keys()
        .filter_map(|line| Some(tag(remote.first_release(&line)?.0)));
    let refs: Vec<String> = firsts
        .map(|tag| format!("refs/tags/{tag}"))
        .chain([remote.main.clone()])
        .collect();
    fetch(sh, &refs)?;
    let tree = Worktree::add(sh, remote.branch(&remote.main)?)?;
    let Workspace { config, .. } = Workspace::load_in(sh, &tree.root).context(&remote.main)?;
    let supported = supported(sh, remote, &config, today)?;
    Ok(supported.into_iter().map(|(branch, _)| branch).collect())
}

/// The release branches of the lines that are supported on a day, and of the latest that has left, oldest first, each with
/// the day of its first release and the first one without support. The commits of those releases must be here.
pub fn supported(
    sh: &Shell,
    remote: &Remote,
    config: &Config,
    today: Date,
) -> Result<Vec<(String, (Date, Date))>> {
    let lines = remote.release_branches().into_iter();
    let out: Vec<_> = lines
        .filter_map(|(line, branch)| Some((branch, remote.first_release(&line)?)))
        .collect();
    let dates = commit_dates(sh, out.iter().map(|(_, (_, commit))| *commit))?;
    let mut supported = Vec::new();
    for (at, (branch, (first, commit))) in out.iter().enumerate() {
        let released = dates[*commit];
        let until = supported_until(config, first, released);
        if today < until || at + 1 == out.len() {
            supported.push((branch.to_string(), (released, until)));
        }
    }
    Ok(supported)
}
