//! `release-latest`, `release-patch` and `release-candidate`: pull requests to release branches. Merging one tags and releases
//! its version.

use std::fs;
use std::path::Path;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::proposal::{Change, Proposal, propose};
use crate::tasks::{bump::bump_workspace, notes, project_name};
use release_train::rules::manifest::Manifest;
use release_train::rules::notes::{FILE, draft, has, is_dated, released_on};
use release_train::rules::version::{
    Bump, MARKER, branch_version, first_of_line, release_branch, release_of, same_line,
};
use release_train::rules::{calendar::supported_until, config::Config};
use release_train::world::git::{self, Remote, lock_and_read_remote};
use release_train::world::workspace::{Workspace, read_notes};
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, bail, finish, say};

pub const LATEST_HELP: &str = "\
Opens the pull requests that date the latest train in RELEASES.md, on main and
on its release branch.

cargo xtask release-latest [--date YYYY-MM-DD]

  --date  the date of the release (default: today)

The latest train is the highest release branch. Merging the pull request to it
tags and releases X.Y.0. That one also drops the suffix of a candidate. Once
X.Y.0 is tagged there is nothing to do.

Example: cargo xtask release-latest --date 2026-12-20
";

pub const PATCH_HELP: &str = "\
Opens a pull request to each release branch that bumps the patch version and
dates its notes.

cargo xtask release-patch [--branch release-X.Y.0]... [--all-supported]
                          [--allow-empty] [--date YYYY-MM-DD]

  --branch         default: the branch that is checked out
  --all-supported  every release branch that is supported
  --allow-empty    also if nothing has changed since the last tag: for a fix
                   that is not public yet
  --date           the date of the release (default: today)

Merging one tags and releases the patch. If RELEASES.md has no section for it,
one is drafted from the commits since the last tag.

Example: cargo xtask release-patch --branch release-12.0.0
";

pub const CANDIDATE_HELP: &str = "\
Opens a pull request that makes the next release candidate of a release branch.

cargo xtask release-candidate [--branch release-X.Y.0]

  --branch  default: the highest release branch

Merging it tags the candidate and publishes it as a pre-release.

Example: cargo xtask release-candidate --branch release-12.0.0
";

/// Proposes the release of the latest train. `today` is the date in its notes.
pub fn latest(sh: &Shell, arguments: Arguments, today: Date) -> Result<()> {
    finish(arguments)?;
    let (_lock, remote) = lock_and_read_remote(sh)?;
    let (version, branch) = highest(&remote)?;
    if let Some((first, _)) = remote.first_release(&version) {
        let tag = remote.tag(first);
        say!("nothing to do: the latest train is {version}, and {tag} is tagged");
        return Ok(());
    }
    let main = &remote.main;

    let (tree, workspace) = load(sh, &remote, branch, remote.branch(branch)?)?;
    let now = &workspace.version;
    if release_of(now) != version {
        bail!(
            "`{branch}` is at {now}, but {version} is not tagged: fix its version, with `cargo xtask bump {version}`"
        );
    }
    let is_candidate = !now.pre.is_empty();
    let name = project_name(sh, &workspace.config)?;
    let mut proposals = Vec::new();
    let dated = released_on(&read_notes(&tree.root).context(branch)?, &version);
    let tree_of_main = Worktree::add(sh, remote.branch(main)?)?;
    let text = read_notes(&tree_of_main.root).context(main)?;
    let in_notes = format!("{main}: {FILE}");
    if !has(&text, &version).context(&in_notes)? {
        say!("nothing to date on {main}: its {FILE} has no section of {version}");
    } else if is_dated(&text, &version).context(&in_notes)? {
        say!("nothing to date on {main}: {version} is dated there");
    } else {
        let places = format!("`{FILE}` of {main}, as on `{branch}`");
        proposals.push(Proposal {
            branch: format!("ci/release-date-for-{version}"),
            base: main.clone(),
            title: format!("Update release date of {name} {version}"),
            body: format!("Dates {version} in {places}. Check the date.\n"),
            dates: Some(version.clone()),
            date: dated.unwrap_or(today),
            change: Box::new(|root, date| {
                let dated = notes::date(root, &version, date);
                dated.context(main).map(drop)
            }),
        });
    }
    // The release comes last: once it is tagged, nothing is left to do.
    if !is_candidate && notes::is_dated(&tree.root, &version).context(branch)? {
        say!("`{branch}` is dated: run `cargo xtask push-tag --branch {branch}`");
    } else {
        let change: Change = Box::new(|root, date| {
            if is_candidate {
                bump_workspace(sh, root, Some(&Bump::Release)).context(branch)?;
            }
            notes::date(root, &version, date).context(branch).map(drop)
        });
        let checks = "- [ ] The [open issues that mention RUSTSEC](../issues?q=is:open+RUSTSEC).\n";
        let proposal = release(&remote, &name, branch, &version, checks, today, change);
        proposals.push(proposal);
    }
    propose(sh, &remote, None, &proposals)
}

/// Proposes patch releases. `today` is the date in their notes, and decides what is supported.
pub fn patch(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let mut branches: Vec<String> = arguments.values_from_str("--branch")?;
    let all = arguments.contains("--all-supported");
    let allow_empty = arguments.contains("--allow-empty");
    finish(arguments)?;

    let (_lock, remote) = lock_and_read_remote(sh)?;
    if all {
        let (_, workspace) = read_main(sh, &remote)?;
        let supported = supported(sh, &remote, &workspace.config, today)?;
        for (first, name) in remote.release_branches() {
            if !supported.iter().any(|(supported, _)| supported == name) {
                let why = match remote.first_release(&first) {
                    Some(_) => "is not supported any more",
                    None => "is not released yet",
                };
                say!("left out: `{name}` {why}");
            }
        }
        for (version, commit) in &remote.tags {
            let branch = release_branch(version);
            if first_of_line(version) != *version || remote.branches.contains_key(&branch) {
                continue;
            }
            let until = supported_until(&workspace.config, version, git::commit_date(sh, commit)?);
            if today <= until {
                say!("left out: `{branch}` is not on origin, and supported until {until}");
            }
        }
        if supported.is_empty() {
            bail!("no release branch is released: there is nothing to patch");
        }
        branches.extend(supported.into_iter().map(|(name, _)| name));
    } else if branches.is_empty() {
        branches.push(git::current_branch(sh)?);
    }
    branches.sort_by_cached_key(|branch| branch_version(branch));
    branches.dedup();
    for branch in &branches {
        if branch_version(branch).is_none() {
            bail!("`{branch}` is not a release branch");
        }
        remote.branch(branch)?;
    }
    let mut proposals = Vec::new();
    for branch in &branches {
        proposals.extend(patch_of(sh, &remote, branch, today, allow_empty)?);
    }
    propose(sh, &remote, None, &proposals)
}

/// The proposal of the next patch of a branch; `None` if the last one still waits for its tag.
fn patch_of<'a>(
    sh: &'a Shell,
    remote: &'a Remote,
    branch: &'a str,
    today: Date,
    allow_empty: bool,
) -> Result<Option<Proposal<'a>>> {
    let head = remote.branch(branch)?;
    let (tree, workspace) = load(sh, remote, branch, head)?;
    let now = &workspace.version;
    if !now.pre.is_empty() {
        bail!("`{branch}` is at {now}: `cargo xtask release-latest` releases it");
    }
    let last = remote.line(now).pop().map(|(_, commit)| commit);
    let Some(last) = last.filter(|_| remote.first_release(now).is_some()) else {
        bail!("`{branch}` is not released yet: `cargo xtask release-latest` releases {now}");
    };
    let is_tagged = remote.tags.contains_key(now);
    if !is_tagged && notes::is_dated(&tree.root, now).context(branch)? {
        say!("nothing to do: {now} waits for `cargo xtask push-tag --branch {branch}`");
        return Ok(None);
    }
    let unchanged = last == head;
    if unchanged && !allow_empty {
        let tag = remote.tag(now);
        bail!(
            "`{branch}` has not changed since {tag}: backport the fixes first, or pass --allow-empty"
        );
    }
    // A version that people have bumped the branch to is dated as it is.
    let next = match is_tagged {
        true => Bump::Patch.next(now, false)?,
        false => now.clone(),
    };
    if !branch_version(branch).is_some_and(|first| same_line(&first, &next)) {
        bail!("`{branch}` has no patch releases: {next} is the next train");
    }
    if remote.tags.contains_key(&next) {
        check_tag(sh, remote, &next)?;
        bail!(
            "`{branch}` is at {now}, and {} exists: bump it past that",
            remote.tag(&next)
        );
    }
    let mut checks = String::new();
    if !has(&read_notes(&tree.root).context(branch)?, &next).context(branch)? {
        checks += "- [ ] The notes are a draft from the subjects of the commits: rewrite them for users.\n";
    }
    if unchanged {
        checks += "- [ ] Nothing has changed since the last release yet: merge the fixes first.\n";
    }
    let of = next.clone();
    let change: Change = Box::new(move |root, date| {
        if is_tagged {
            bump_workspace(sh, root, Some(&Bump::Patch)).context(branch)?;
        }
        if has(&read_notes(root)?, &of).context(branch)? {
            return notes::date(root, &of, date).context(branch).map(drop);
        }
        let _root = sh.push_dir(root);
        let section = draft(&of, date, &git::subjects(sh, last, "HEAD")?);
        notes::add(root, &of, &section).context(branch).map(drop)
    });
    let name = project_name(sh, &workspace.config)?;
    let proposal = release(remote, &name, branch, &next, &checks, today, change);
    Ok(Some(proposal))
}

/// Proposes the next candidate.
pub fn next_candidate(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    finish(arguments)?;
    let (_lock, remote) = lock_and_read_remote(sh)?;
    let branch = match branch {
        Some(branch) => branch,
        None => highest(&remote)?.1.to_string(),
    };
    remote.branch(&branch)?;
    let proposal = candidate(sh, &remote, &branch, today)?;
    if proposal.is_none() {
        say!(
            "nothing to do: `{branch}` is released, or waits for `cargo xtask push-tag --branch {branch}`"
        );
    }
    propose(sh, &remote, None, &Vec::from_iter(proposal))
}

/// The proposal of the next candidate of a release branch; `None` if its version is neither a development version nor a tagged
/// candidate.
pub fn candidate<'a>(
    sh: &'a Shell,
    remote: &Remote,
    branch: &'a str,
    today: Date,
) -> Result<Option<Proposal<'a>>> {
    let commit = remote.branch_or_main(branch)?;
    let (_, workspace) = load(sh, remote, branch, commit)?;
    let now = &workspace.version;
    if !workspace.config.release_candidates {
        bail!("`{branch}` has no candidates: Cargo.toml there says `release-candidates = false`");
    }
    match remote.tags.get(now) {
        Some(tagged) if tagged == commit && !now.pre.is_empty() => {
            let tag = remote.tag(now);
            bail!("`{branch}` has not changed since {tag}: backport the fixes first");
        }
        Some(_) if !now.pre.is_empty() => {}
        None if now.pre.as_str() == "dev" => {}
        _ => return Ok(None),
    }
    let next = Bump::Rc.next(now, true)?;
    let change: Change = Box::new(move |root, _| {
        let bumped = bump_workspace(sh, root, Some(&Bump::Rc)).context(branch);
        bumped.map(drop)
    });
    let name = project_name(sh, &workspace.config)?;
    let proposal = release(remote, &name, branch, &next, "", today, change);
    Ok(Some(proposal))
}

/// The proposal to release a version from a branch; `checks` are further lines for who merges it.
fn release<'a>(
    remote: &Remote,
    name: &str,
    base: &str,
    version: &Version,
    checks: &str,
    date: Date,
    change: Change<'a>,
) -> Proposal<'a> {
    let (notes, tag) = (release_of(version), remote.tag(version));
    let body = format!(
        "Merging this tags {tag} and releases it. Before that, check:\n\n\
        - [ ] The notes of {notes} in `{FILE}`.\n\
        - [ ] CI of this pull request.\n\
        {checks}\n\
        Keep the line below in the commit message, also when squashing. \
        Do not rebase if commits were added here: they would come after the commit that is tagged.\n\n\
        {MARKER}\n"
    );
    let is_final = version.pre.is_empty();
    let kind = if is_final { "" } else { "-candidate" };
    Proposal {
        branch: format!("ci/release{kind}-{version}"),
        base: base.to_string(),
        title: format!("Release {name} {version}"),
        body,
        dates: is_final.then(|| version.clone()),
        date,
        change,
    }
}

/// The tree and workspace of a commit of a branch. Fails if its version does not belong to the branch, or if it has no
/// configuration and main has one: without it, less would be released than is meant.
pub fn load<'a>(
    sh: &'a Shell,
    remote: &Remote,
    branch: &str,
    commit: &str,
) -> Result<(Worktree<'a>, Workspace)> {
    let tree = Worktree::add(sh, commit)?;
    refuse_unconfigured(sh, remote, &tree.root).context(format_args!("`{branch}`"))?;
    let workspace = Workspace::load_in(sh, &tree.root).context(branch)?;
    let version = &workspace.version;
    if !branch_version(branch).is_some_and(|first| same_line(&first, version)) {
        bail!("`{branch}` is at {version}, which does not belong to it");
    }
    if workspace.config.tag != remote.form {
        bail!("`{branch}`: Cargo.toml: `tag` is not the one of this checkout: make it the same");
    }
    Ok((tree, workspace))
}

/// Fails if the workspace in a folder has no configuration and main has one: it is older than the tool, and less would be
/// released than is meant.
pub fn refuse_unconfigured(sh: &Shell, remote: &Remote, root: &Path) -> Result<()> {
    let is_configured = |text: String| -> Result<bool> {
        let manifest = Manifest::parse(Path::new(""), "Cargo.toml".into(), text)?;
        Ok(manifest.configuration().is_some())
    };
    let main = &remote.main;
    let of_main = git::file_at(sh, remote.branch(main)?, "Cargo.toml").unwrap_or_default();
    if is_configured(of_main).context(main)?
        && !is_configured(fs::read_to_string(root.join("Cargo.toml"))?)?
    {
        bail!(
            "Cargo.toml: [workspace.metadata.release-train] is missing, which {main} has: backport it, with xtask/, .cargo/config.toml and the workflows"
        );
    }
    Ok(())
}

/// Fails if a tag, as one that was made by hand, is at a commit of another version or not on its release branch: what is
/// there cannot be released. A tag from before the tool tells nothing.
pub fn check_tag(sh: &Shell, remote: &Remote, version: &Version) -> Result<()> {
    let (tag, commit) = (remote.tag(version), &remote.tags[version]);
    let tree = Worktree::add(sh, commit)?;
    let loaded = refuse_unconfigured(sh, remote, &tree.root);
    let Ok(at) = loaded.and_then(|()| Workspace::load_in(sh, &tree.root)) else {
        return Ok(());
    };
    let branch = release_branch(&first_of_line(version));
    let place = match remote.branches.get(&branch) {
        _ if at.version != *version => format!("at a commit of {}", at.version),
        Some(head) if !git::first_parents(sh, head)?.contains(commit) => {
            format!("not on `{branch}` along first parents")
        }
        _ => return Ok(()),
    };
    bail!(
        "{tag} is {place} and cannot be released: delete the tag on origin, or bump the branch past it in a pull request if something uses it"
    )
}

/// The same for the newest tag of a release branch, unless the branch is at a higher version, `now`.
pub fn check_newest_tag(sh: &Shell, remote: &Remote, now: &Version) -> Result<()> {
    match remote.line(now).pop() {
        Some((tagged, _)) if now <= tagged => check_tag(sh, remote, tagged),
        _ => Ok(()),
    }
}

fn highest(remote: &Remote) -> Result<(Version, &str)> {
    let last = remote.release_branches().pop_last();
    Ok(last.ok_or("origin has no release branch: `cargo xtask cut` pushes one")?)
}

/// The tree and workspace of main.
pub fn read_main<'a>(sh: &'a Shell, remote: &Remote) -> Result<(Worktree<'a>, Workspace)> {
    let main = &remote.main;
    let tree = Worktree::add(sh, remote.branch(main)?)?;
    let workspace = Workspace::load_in(sh, &tree.root).context(main)?;
    Ok((tree, workspace))
}

/// The release branches that are supported on a day, by main's configuration, and the latest released one, oldest first, each
/// with the last day of its support.
pub fn supported(
    sh: &Shell,
    remote: &Remote,
    config: &Config,
    today: Date,
) -> Result<Vec<(String, Date)>> {
    let mut supported = Vec::new();
    for (first, name) in remote.release_branches() {
        if let Some((version, commit)) = remote.first_release(&first) {
            let released = git::commit_date(sh, commit)?;
            let until = supported_until(config, version, released);
            supported.push((name.to_string(), until));
        }
    }
    let latest = supported.pop();
    supported.retain(|(_, until)| today <= *until);
    supported.extend(latest);
    Ok(supported)
}
