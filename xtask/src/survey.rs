//! What git says of the trains: main and the release branches that matter, each read in a worktree. It changes nothing, and
//! goes on with what this clone knows where the remote cannot be asked.

use std::collections::BTreeMap;
use std::fs::File;
use std::thread;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::calendar::is_long_term;
use crate::config::Config;
use crate::git::{
    Remote, Worktree, alone, are_here, commit_dates, fetch, file_at, manifests_differ, release_changes, subjects,
};
use crate::notes::{has, is_archive, is_dated};
use crate::tasks::release::{load, supported};
use crate::tasks::{name, notes, sync_notes};
use crate::train::{Line, Tagged, is_recent};
use crate::version::{branch_version, same_line, tag};
use crate::workspace::Workspace;
use crate::{Context, Result};

/// What git says.
pub struct Git {
    /// No other task in this clone meanwhile: it would take our worktrees for what a killed one has left.
    pub _alone: File,
    pub remote: Remote,
    pub main: Main,
    /// The release branches that are looked at, oldest first.
    pub seen: Vec<Result<Seen>>,
    pub unknown: Vec<String>,
}

/// What is known of main.
pub struct Main {
    pub name: String,
    pub version: Version,
    pub config: Config,
    pub undated: Option<Version>,
    pub supported: BTreeMap<String, (Date, Date)>,
    pub order: Vec<String>,
    pub notes_missing: Vec<Version>,
}

/// A release branch, with the workspace at its last tag.
pub struct Seen {
    pub line: Line,
    pub released: Option<Workspace>,
}

/// An answer, or what stands in its place.
pub fn known<T>(answer: Result<T>, unknown: &mut Vec<String>) -> Option<T> {
    answer.map_err(|error| (!unknown.contains(&error.to_string())).then(|| unknown.push(error.to_string()))).ok()
}

/// Reads origin, or what this clone knows of it, and looks at main and at the release branches that matter.
pub fn of_git(sh: &Shell, today: Date) -> Result<Git> {
    let alone = alone(sh)?;
    let mut unknown = Vec::new();
    let remote = match Remote::read(sh) {
        Ok(remote) => remote,
        Err(error) => {
            unknown.push(format!("origin: {error}; what is shown of it is what this clone has fetched"));
            Remote::known(sh)?
        }
    };
    bring(sh, &remote, &mut unknown)?;
    let main = of_main(sh, &remote, today)?;
    let branches = remote.release_branches();
    let newest = branches.keys().rfind(|line| remote.first_release(line).is_some());
    let lasts = branches.keys().filter_map(|line| Some(remote.line(line).pop()?.1));
    let dates = commit_dates(sh, lasts)?;
    let mut matter = Vec::new();
    for (line, branch) in &branches {
        let matters = match remote.line(line).pop() {
            _ if main.supported.contains_key(*branch) => true,
            // One that was left out while later ones were released is not waited for.
            None => newest.is_none_or(|newest| line > newest),
            Some((_, commit)) => {
                let head = remote.branch(branch)?;
                let moved =
                    || Ok::<_, crate::Error>(commit != head && !release_changes(sh, Some(commit), head)?.is_empty());
                is_recent(dates[commit], today) || moved()?
            }
        };
        matter.extend(matters.then_some(*branch));
    }
    let seen = look_at(&remote, &main, &matter);
    Ok(Git { _alone: alone, main, seen, unknown, remote })
}

/// Fetches what this clone lacks of main and of the release branches, if anything.
fn bring(sh: &Shell, remote: &Remote, unknown: &mut Vec<String>) -> Result<()> {
    let branches = remote.release_branches();
    let heads: Vec<&str> = branches.values().copied().chain([remote.main.as_str()]).collect();
    let tags: Vec<_> = branches.keys().flat_map(|line| remote.line(line)).collect();
    let commits =
        heads.iter().filter_map(|name| remote.branches.get(*name)).chain(tags.iter().map(|(_, commit)| *commit));
    if !are_here(sh, commits)? {
        let tags: Vec<String> = tags.iter().map(|(version, _)| format!("refs/tags/{}", tag(version))).collect();
        let refs: Vec<&str> = heads.into_iter().chain(tags.iter().map(String::as_str)).collect();
        known(fetch(sh, &refs), unknown);
    }
    Ok(())
}

fn of_main(sh: &Shell, remote: &Remote, today: Date) -> Result<Main> {
    let read = |tree: Worktree| -> Result<(Workspace, String, String)> {
        let workspace = Workspace::load_in(sh, &tree.root).context(&remote.main)?;
        let name = name(sh, &workspace.config)?;
        Ok((workspace, notes::read(&tree.root).unwrap_or_default(), name))
    };
    let main = remote.branch(&remote.main)?;
    // What makes a member may be something unusual; then the whole tree says it.
    let read = read(Worktree::outline(sh, main)?).or_else(|_| read(Worktree::add(sh, main)?));
    let (Workspace { config, version, .. }, text, name) = read?;
    let latest = remote.release_branches().into_keys().next_back();
    let undated =
        latest.filter(|latest| has(&text, latest).unwrap_or(false) && !is_dated(&text, latest).unwrap_or(true));
    let missing = if is_archive(&text) { Vec::new() } else { sync_notes::missing(remote, &text)? };
    let written = |version: &Version| {
        let theirs = file_at(sh, &remote.tags[version], notes::FILE);
        theirs.is_some_and(|text| has(&text, version).unwrap_or(true))
    };
    let supported = supported(sh, remote, &config, today)?;
    Ok(Main {
        name,
        notes_missing: missing.into_iter().filter(written).collect(),
        order: supported.iter().map(|(branch, _)| branch.clone()).collect(),
        supported: supported.into_iter().collect(),
        version,
        config,
        undated,
    })
}

/// Looks at release branches, several at a time.
pub fn look_at(remote: &Remote, main: &Main, branches: &[&str]) -> Vec<Result<Seen>> {
    let look = |branch: &str| look(&Shell::new()?, remote, main, branch);
    thread::scope(|scope| {
        let looking: Vec<_> = branches.iter().map(|branch| scope.spawn(move || look(branch))).collect();
        looking.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a look broke off".into()))).collect()
    })
}

fn look(sh: &Shell, remote: &Remote, main: &Main, branch: &str) -> Result<Seen> {
    let first = branch_version(branch).ok_or_else(|| format!("`{branch}` is no release branch"))?;
    let head = remote.branch(branch)?;
    let read =
        |tree: Worktree| -> Result<(Workspace, String)> { Ok((load(sh, &tree, branch)?, notes::read(&tree.root)?)) };
    let at = |commit: &str| read(Worktree::outline(sh, commit)?).or_else(|_| read(Worktree::add(sh, commit)?));
    let (workspace, text) = at(head)?;
    let version = workspace.version.clone();
    let (changes, released, tagged) = match remote.line(&first).pop() {
        None => (0, None, Vec::new()),
        Some((last, commit)) => {
            let released = match manifests_differ(sh, commit, head)? {
                false => Some(workspace),
                true => at(commit).ok().map(|(workspace, _)| workspace),
            };
            (subjects(sh, commit, head)?.len(), released, vec![Tagged::new(last, commit_dates(sh, [commit])?[commit])])
        }
    };
    let line = Line {
        dated: is_dated(&text, &version).context(branch)?,
        changes,
        left: remote.first_release(&first).is_some(),
        tagged,
        replaced: false,
        support: main.supported.get(branch).copied(),
        long_term: is_long_term(&main.config, &first),
        notes_missing: main.notes_missing.iter().filter(|version| same_line(version, &first)).cloned().collect(),
        branch: branch.to_string(),
        version,
        first,
    };
    Ok(Seen { line, released })
}
