//! What git and the registry say of the trains: main and the release branches that matter, each read in a worktree, and their
//! crates. It changes nothing, and goes on with what this clone knows where the remote cannot be asked.

use std::collections::BTreeMap;
use std::fs::File;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::calendar::is_long_term;
use crate::config::Config;
use crate::git::{Remote, are_here, commit_dates, fetch, file_at, manifests_differ, release_changes, subjects};
use crate::github::Release;
use crate::notes::{has, is_archive, is_dated};
use crate::registry::{Registry, Versions};
use crate::tasks::release::{load, supported};
use crate::tasks::yank::replaces;
use crate::tasks::{name, notes, sync_notes};
use crate::train::{Line, Page, Tagged, is_recent};
use crate::version::{same_line, tag};
use crate::workspace::{Crate, Workspace};
use crate::worktree::{Worktree, alone};
use crate::{Context, Result};

/// How long the registry is asked again when it does not answer: a board that is late is of no use.
const PATIENCE: Duration = Duration::from_secs(2);

/// What git says of origin and of main there.
pub struct Git {
    /// No other task in this clone meanwhile: it would take our worktrees for what a killed one has left.
    _alone: File,
    pub remote: Remote,
    pub name: String,
    pub version: Version,
    config: Config,
    pub undated: Option<Version>,
    /// As `release::supported` has them.
    pub supported: Vec<(String, (Date, Date))>,
    notes_missing: Vec<Version>,
    pub unknown: Vec<String>,
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

/// The answer of a question that was asked beside others.
pub fn answer<T>(asked: ScopedJoinHandle<Result<T>>) -> Result<T> {
    asked.join().map_err(|_| "a question broke off")?
}

/// Reads origin, or what this clone knows of it, and looks at main.
pub fn of_git(sh: &Shell, today: Date) -> Result<Git> {
    let alone = alone(sh)?;
    let mut unknown = Vec::new();
    let remote = Remote::read(sh).context("origin").or_else(|error| {
        let known = Remote::known(sh)?;
        if known.branches.is_empty() {
            return Err(error);
        }
        unknown.push(format!("{error}; what is shown of it is what this clone has fetched"));
        Ok(known)
    })?;
    bring(sh, &remote, &mut unknown)?;
    let main = &remote.main;
    let load = |tree: &Worktree| Workspace::load_in(sh, &tree.root).context(main);
    let (Workspace { config, version, .. }, text) = read_at(sh, remote.branch(main)?, load)?;
    let text = text.unwrap_or_default();
    let latest = remote.release_branches().into_keys().next_back();
    let undated =
        latest.filter(|latest| has(&text, latest).unwrap_or(false) && !is_dated(&text, latest).unwrap_or(true));
    let mut notes_missing = if is_archive(&text) { Vec::new() } else { sync_notes::missing(&remote, &text)? };
    notes_missing.retain(|version| {
        let theirs = file_at(sh, &remote.tags[version], notes::FILE);
        theirs.is_some_and(|text| has(&text, version).unwrap_or(true))
    });
    let supported = supported(sh, &remote, &config, today)?;
    let name = name(sh, &config)?;
    Ok(Git { _alone: alone, remote, name, version, config, undated, supported, notes_missing, unknown })
}

/// Fetches what this clone lacks of main and of the release branches, if anything.
fn bring(sh: &Shell, remote: &Remote, unknown: &mut Vec<String>) -> Result<()> {
    let branches = remote.release_branches();
    let heads = branches.values().copied().chain([remote.main.as_str()]);
    let heads = heads.filter_map(|name| Some((name.to_string(), remote.branches.get(name)?)));
    let tags = branches.keys().flat_map(|line| remote.line(line));
    let tags = tags.map(|(version, commit)| (format!("refs/tags/{}", tag(version)), commit));
    let refs: Vec<(String, &String)> = heads.chain(tags).collect();
    if !are_here(sh, refs.iter().map(|(_, commit)| *commit))? {
        known(fetch(sh, &refs.iter().map(|(name, _)| name).collect::<Vec<_>>()), unknown);
    }
    Ok(())
}

/// The workspace at a commit, as `load` reads it there, and its notes. What makes a member may be something unusual; then
/// the whole tree says it.
fn read_at(
    sh: &Shell,
    commit: &str,
    load: impl Fn(&Worktree) -> Result<Workspace>,
) -> Result<(Workspace, Result<String>)> {
    let read = |tree: Worktree| Ok((load(&tree)?, notes::read(&tree.root)));
    read(Worktree::outline(sh, commit)?).or_else(|_| read(Worktree::add(sh, commit)?))
}

impl Git {
    /// The release branches that somebody relies on or waits for, or may, oldest first; `at_work` says on which of them
    /// something goes on that git does not know.
    pub fn lines(
        &self,
        sh: &Shell,
        today: Date,
        at_work: impl Fn(&Version, &str) -> bool,
    ) -> Result<Vec<(Version, &str)>> {
        let remote = &self.remote;
        let branches = remote.release_branches();
        let newest = branches.keys().rfind(|line| remote.first_release(line).is_some());
        let last = |line: &Version| remote.line(line).pop();
        let dates = commit_dates(sh, branches.keys().filter_map(|line| Some(last(line)?.1)))?;
        let mut matter = Vec::new();
        for (line, branch) in &branches {
            let known = at_work(line, branch) || self.supported.iter().any(|(supported, _)| supported == branch);
            let matters = match last(line) {
                _ if known => true,
                // One that was left out while later ones were released is not waited for.
                None => newest.is_none_or(|newest| line > newest),
                Some((_, commit)) if is_recent(dates[commit], today) => true,
                Some((_, commit)) => {
                    let head = remote.branch(branch)?;
                    commit != head && !release_changes(sh, Some(commit), head)?.is_empty()
                }
            };
            matter.extend(matters.then(|| (line.clone(), *branch)));
        }
        Ok(matter)
    }

    /// Looks at release branches, several at a time.
    pub fn look_at(&self, lines: &[(Version, &str)]) -> Vec<Result<Seen>> {
        thread::scope(|scope| {
            let look = |(first, branch)| scope.spawn(move || self.look(&Shell::new()?, first, branch));
            let looking: Vec<_> = lines.iter().map(|(first, branch)| look((first, *branch))).collect();
            looking.into_iter().map(answer).collect()
        })
    }

    fn look(&self, sh: &Shell, first: &Version, branch: &str) -> Result<Seen> {
        let head = self.remote.branch(branch)?;
        let (workspace, text) = read_at(sh, head, |tree| load(sh, tree, branch))?;
        let version = workspace.version.clone();
        let dated = text.and_then(|text| is_dated(&text, &version)).context(branch)?;
        let (changes, released, tagged) = match self.remote.line(first).pop() {
            None => (0, None, Vec::new()),
            Some((last, commit)) => {
                let released = match manifests_differ(sh, commit, head)? {
                    false => Some(workspace),
                    true => read_at(sh, commit, |tree| load(sh, tree, branch)).ok().map(|(workspace, _)| workspace),
                };
                let day = commit_dates(sh, [commit])?[commit];
                (subjects(sh, commit, head)?.len(), released, vec![Tagged::new(last, day)])
            }
        };
        let supported = self.supported.iter().find(|(supported, _)| supported == branch);
        let line = Line {
            branch: branch.to_string(),
            first: first.clone(),
            dated,
            changes,
            left: self.remote.first_release(first).is_some(),
            tagged,
            replaced: false,
            support: supported.map(|(_, days)| *days),
            long_term: is_long_term(&self.config, first),
            notes_missing: self.notes_missing.iter().filter(|version| same_line(version, first)).cloned().collect(),
            version,
        };
        Ok(Seen { line, released })
    }
}

/// What the registry says.
pub struct Index {
    registry: Registry,
    versions: BTreeMap<String, Versions>,
}

/// Asks for the crates of the workspace that is checked out: those of the branches are the same, or nearly.
pub fn of_registry(sh: &Shell, named: Option<String>) -> Result<Index> {
    let workspace = Workspace::load(sh)?;
    let registry = Registry::find(sh, &workspace, named, PATIENCE)?;
    let state = thread::scope(|scope| {
        let check = scope.spawn(|| registry.check());
        let state = registry.state(&workspace);
        answer(check).and(state)
    })?;
    let versions = state.into_iter().map(|(member, versions)| (member.name.clone(), versions)).collect();
    Ok(Index { registry, versions })
}

impl Index {
    /// Counts the crates of a line's last tag.
    pub fn count(&mut self, workspace: &Workspace, line: &mut Line) -> Result<()> {
        let members: Vec<_> = self.registry.members(workspace).collect();
        let new = members.iter().map(|member| member.name.as_str());
        let new: Vec<&str> = new.filter(|name| !self.versions.contains_key(*name)).collect();
        let answers = self.registry.versions(&new)?;
        self.versions.extend(new.iter().map(|name| name.to_string()).zip(answers));
        let state = || members.iter().map(|member| (*member, &self.versions[&member.name]));
        let there = |(member, versions): &(&Crate, &Versions)| versions.contains_key(&member.version);
        let has_replaced = |(member, versions): (&Crate, &Versions)| {
            let mut picked = versions.iter().filter(|(_, yanked)| !**yanked).map(|(other, _)| other);
            member.moves && picked.any(|other| !other.pre.is_empty() && replaces(&member.version, other))
        };
        line.replaced = state().filter(there).any(has_replaced);
        if let Some(last) = line.tagged.last_mut() {
            last.crates = Some((state().filter(there).count(), members.len()));
            last.ownerless = !workspace.config.owners.is_empty() && state().any(|(_, versions)| versions.len() == 1);
        }
        Ok(())
    }
}

/// Adds what GitHub shows of the tags of a line.
pub fn show_pages(line: &mut Line, remote: &Remote, releases: &[Release]) {
    let page = |version: &Version| match releases.iter().find(|release| release.tag == tag(version)) {
        None => Page::Missing,
        Some(Release { draft: true, assets, .. }) => {
            Page::Draft { filled: !assets.is_empty() && assets.iter().all(|asset| asset.whole) }
        }
        Some(_) => Page::Public,
    };
    let Some(mut last) = line.tagged.pop() else { return };
    let earlier = remote.line(&line.first).into_iter().filter(|(version, _)| **version != last.version);
    let earlier = earlier.map(|(version, _)| Tagged { page: Some(page(version)), ..Tagged::new(version, last.day) });
    line.tagged.extend(earlier.filter(|tagged| matches!(tagged.page, Some(Page::Draft { .. }))));
    last.page = Some(page(&last.version));
    line.tagged.push(last);
}
