//! `status`: where every train is. It asks git, GitHub and the registry, all at once, and changes nothing; what follows from
//! the answers is in `train.rs`, how it is shown in `board.rs`.

use std::collections::BTreeMap;
use std::fs::File;
use std::thread::{self, ScopedJoinHandle};

use semver::Version;
use time::{Date, Duration};
use xshell::Shell;

use crate::calendar::is_long_term;
use crate::config::Config;
use crate::git::{
    Remote, Worktree, alone, are_here, commit_date, fetch, file_at, manifests_differ, release_changes, subjects,
};
use crate::github::{Proposed, Release, bumps, latest_release, proposed, releases, security_issues};
use crate::notes::{has, is_archive, is_dated};
use crate::registry::{Registry, Versions};
use crate::tasks::github_release::passed_over;
use crate::tasks::release::{load, supported};
use crate::tasks::{name, notes, sync_notes};
use crate::train::{Line, Page, Tagged, Train};
use crate::version::{branch_version, release_of, same_line, tag, tag_version};
use crate::workspace::Workspace;
use crate::{Arguments, Result, board, finish, print};

pub const HELP: &str = "\
cargo xtask status [--json|--markdown] [--registry NAME]

Shows main and every release branch that is supported or not at its end: where it stands, its open pull requests and their
CI, its tag, how many of its crates are in the registry, its release on GitHub, how long it is supported; open RUSTSEC
issues; the next days of cutting and of releasing; and what to do next, as commands to paste. It changes nothing. What
could not be asked is named, and the rest is shown all the same.

  --json      one line for a workflow: `supported`, `branches`, `next` and the rest
  --markdown  with a chart of the trains: cargo xtask status --markdown >> \"$GITHUB_STEP_SUMMARY\"
  --registry  as for `publish`
";

/// Reads the command line, and shows.
pub fn run(_: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let json = arguments.contains("--json");
    let markdown = arguments.contains("--markdown");
    let named = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let train = ask(named, today)?;
    print(&match (json, markdown) {
        (true, _) => board::json(&train),
        (_, true) => board::markdown(&train),
        _ => board::table(&train),
    })
}

/// What git says.
struct Git {
    /// No other task in this clone meanwhile: it would take our worktrees for what a killed one has left.
    _alone: File,
    remote: Remote,
    main: Main,
    /// The release branches that are looked at, oldest first.
    seen: Vec<Result<Seen>>,
    unknown: Vec<String>,
}

/// What is known of main.
struct Main {
    name: String,
    version: Version,
    config: Config,
    undated: Option<Version>,
    supported: BTreeMap<String, (Date, Date)>,
    order: Vec<String>,
    notes_missing: Vec<Version>,
}

/// A release branch, with the workspace at its last tag.
struct Seen {
    line: Line,
    released: Option<Workspace>,
}

/// What the registry says.
struct Index {
    registry: Registry,
    versions: BTreeMap<String, Versions>,
}

/// Asks everything that needs no other answer at once.
fn ask(named: Option<String>, today: Date) -> Result<Train> {
    fn question<T>(ask: impl FnOnce(&Shell) -> Result<T>) -> Result<T> {
        ask(&Shell::new()?)
    }
    fn answer<T>(thread: ScopedJoinHandle<Result<T>>) -> Result<T> {
        thread.join().map_err(|_| "a question broke off")?
    }
    let (git, proposed, bumps, releases, latest, issues, index) = thread::scope(|scope| {
        let git = scope.spawn(|| question(|sh| of_git(sh, today)));
        let proposed = scope.spawn(|| question(proposed));
        let bumps = scope.spawn(|| question(bumps));
        let releases = scope.spawn(|| question(releases));
        let latest = scope.spawn(|| question(latest_release));
        let issues = scope.spawn(|| question(security_issues));
        let index = scope.spawn(|| question(|sh| of_registry(sh, named)));
        (answer(git), answer(proposed), answer(bumps), answer(releases), answer(latest), answer(issues), answer(index))
    });
    let Git { _alone, remote, main, mut seen, mut unknown } = git?;
    let proposed: Option<Vec<Proposed>> = known(proposed, &mut unknown);
    let bumps = known(bumps, &mut unknown).unwrap_or_default();
    let releases: Option<Vec<Release>> = known(releases, &mut unknown);
    let latest = known(latest, &mut unknown);
    let issues = known(issues, &mut unknown);
    let mut index = known(index, &mut unknown);

    // What GitHub alone knows to be unfinished.
    let at_work = |line: &Version, branch: &str| {
        let drafts = releases.iter().flatten().filter(|release| release.draft);
        let mut drafts = drafts.filter_map(|release| tag_version(&release.tag));
        proposed.iter().flatten().any(|proposed| proposed.base == branch) || drafts.any(|tag| same_line(&tag, line))
    };
    let branches = remote.release_branches();
    let new = |branch: &str| !seen.iter().flatten().any(|seen| seen.line.branch == branch);
    let more: Vec<&str> = branches
        .iter()
        .filter(|(line, branch)| at_work(line, branch) && new(branch))
        .map(|(_, branch)| *branch)
        .collect();
    seen.extend(look_at(&remote, &main, &more));

    let mut lines = Vec::new();
    for seen in seen {
        let Some(Seen { mut line, released }) = known(seen, &mut unknown) else { continue };
        if let Some(workspace) = &released {
            let counted = index.as_mut().map(|index| index.count(workspace, &mut line));
            counted.and_then(|counted| known(counted, &mut unknown));
        }
        if let Some(releases) = &releases {
            line.show_pages(&remote, releases);
        }
        lines.push(line);
    }
    lines.sort_by(|one, other| one.first.cmp(&other.first));

    let version = &main.version;
    let bump = |branch: &str| branch == format!("ci/bump-to-{version}");
    let open = proposed.iter().flatten().filter(|proposed| proposed.branch.starts_with("ci/bump-to-"));
    let brought = bumps.into_iter().filter(|(branch, _)| bump(branch)).map(|(_, day)| day);
    let mut train = Train {
        today,
        name: main.name,
        main: remote.main.clone(),
        undated: main.undated,
        supported: main.order,
        begun: remote.branches.keys().filter(|name| name.starts_with("ci/")).cloned().collect(),
        last_cut: open.map(|proposed| proposed.opened).chain(brought).max(),
        version: main.version,
        passed_over: releases
            .as_ref()
            .zip(latest.as_ref())
            .and_then(|(all, latest)| passed_over(all, latest.as_deref())),
        latest: latest.flatten(),
        lines,
        proposed,
        issues,
        unknown,
    };
    train.leave_out_what_is_done();
    Ok(train)
}

/// An answer, or what stands in its place.
fn known<T>(answer: Result<T>, unknown: &mut Vec<String>) -> Option<T> {
    answer.map_err(|error| (!unknown.contains(&error.to_string())).then(|| unknown.push(error.to_string()))).ok()
}

/// Reads origin, or what this clone knows of it, and looks at main and at the release branches that matter.
fn of_git(sh: &Shell, today: Date) -> Result<Git> {
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
    let mut matter = Vec::new();
    for (line, branch) in &branches {
        let matters = match remote.line(line).pop() {
            _ if main.supported.contains_key(*branch) => true,
            // One that was left out while later ones were released is not waited for.
            None => newest.is_none_or(|newest| line > newest),
            Some((_, commit)) => {
                let recent = commit_date(sh, commit)? + Duration::days(31) > today;
                recent || !release_changes(sh, Some(commit), remote.branch(branch)?)?.is_empty()
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
    let tree = Worktree::add(sh, remote.branch(&remote.main)?)?;
    let _in_tree = sh.push_dir(&tree.root);
    let Workspace { config, version, .. } = Workspace::load(sh).map_err(|error| format!("{}: {error}", remote.main))?;
    let text = notes::read(&tree.root).unwrap_or_default();
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
        name: name(sh, &config)?,
        notes_missing: missing.into_iter().filter(written).collect(),
        order: supported.iter().map(|(branch, _)| branch.clone()).collect(),
        supported: supported.into_iter().collect(),
        version,
        config,
        undated,
    })
}

/// Looks at release branches, several at a time.
fn look_at(remote: &Remote, main: &Main, branches: &[&str]) -> Vec<Result<Seen>> {
    let look = |branch: &str| look(&Shell::new()?, remote, main, branch);
    thread::scope(|scope| {
        let looking: Vec<_> = branches.iter().map(|branch| scope.spawn(move || look(branch))).collect();
        looking.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a look broke off".into()))).collect()
    })
}

fn look(sh: &Shell, remote: &Remote, main: &Main, branch: &str) -> Result<Seen> {
    let first = branch_version(branch).ok_or_else(|| format!("`{branch}` is no release branch"))?;
    let head = remote.branch(branch)?;
    let at = |commit: &str| -> Result<(Workspace, String)> {
        let tree = Worktree::add(sh, commit)?;
        let _in_tree = sh.push_dir(&tree.root);
        Ok((load(sh, branch)?, notes::read(&tree.root)?))
    };
    let (workspace, text) = at(head)?;
    let version = workspace.version.clone();
    let last = remote.line(&first).pop();
    let (changes, released) = match last {
        None => (0, None),
        Some((_, commit)) => {
            let released = match manifests_differ(sh, commit, head)? {
                false => Some(workspace),
                true => at(commit).ok().map(|(workspace, _)| workspace),
            };
            (subjects(sh, commit, head)?.len(), released)
        }
    };
    let line = Line {
        dated: is_dated(&text, &version).map_err(|error| format!("{branch}: {error}"))?,
        changes,
        left: remote.first_release(&first).is_some(),
        tagged: last
            .iter()
            .map(|(version, _)| Tagged { version: (*version).clone(), crates: None, page: None })
            .collect(),
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

/// Asks for the crates of the workspace that is checked out: those of the branches are the same, or nearly.
fn of_registry(sh: &Shell, named: Option<String>) -> Result<Index> {
    let workspace = Workspace::load(sh)?;
    let registry = Registry::find(sh, &workspace, named, Duration::SECOND.unsigned_abs())?;
    let names: Vec<&str> = registry.members(&workspace).map(|member| member.name.as_str()).collect();
    let versions = thread::scope(|scope| {
        let check = scope.spawn(|| registry.check());
        let versions = registry.versions(&names);
        check.join().map_err(|_| "a question to the registry broke off")??;
        versions
    })?;
    let versions = names.iter().map(|name| name.to_string()).zip(versions).collect();
    Ok(Index { registry, versions })
}

impl Index {
    /// Counts the crates of a line's last tag.
    fn count(&mut self, workspace: &Workspace, line: &mut Line) -> Result<()> {
        let members: Vec<_> = self.registry.members(workspace).collect();
        let new = members.iter().map(|member| member.name.as_str());
        let new: Vec<&str> = new.filter(|name| !self.versions.contains_key(*name)).collect();
        let answers = self.registry.versions(&new)?;
        self.versions.extend(new.iter().map(|name| name.to_string()).zip(answers));
        let there = |version: &Version, name: &str| self.versions[name].contains_key(version);
        let published = members.iter().filter(|member| there(&member.version, &member.name)).count();
        // `yank --candidates` has the same rule.
        let replaced = |own: &Version, name: &str| {
            let older = |(other, yanked): (&Version, &bool)| {
                !yanked && !other.pre.is_empty() && other < own && release_of(other) == release_of(own)
            };
            there(own, name) && self.versions[name].iter().any(older)
        };
        line.replaced = members.iter().any(|member| member.moves && replaced(&member.version, &member.name));
        if let Some(last) = line.tagged.last_mut() {
            last.crates = Some((published, members.len()));
        }
        Ok(())
    }
}

impl Line {
    /// Adds what GitHub shows of the tags.
    fn show_pages(&mut self, remote: &Remote, releases: &[Release]) {
        let page = |version: &Version| {
            let found = releases.iter().find(|release| release.tag == tag(version));
            found.map_or(Page::Missing, |release| match release.draft {
                true => {
                    let filled = !release.assets.is_empty() && release.assets.iter().all(|asset| asset.whole);
                    Page::Draft { filled }
                }
                false => Page::Public,
            })
        };
        for tagged in &mut self.tagged {
            tagged.page = Some(page(&tagged.version));
        }
        let mut drafts = Vec::new();
        for (version, _) in remote.line(&self.first) {
            let page = page(version);
            if page != Page::Missing
                && page != Page::Public
                && self.tagged.iter().all(|tagged| tagged.version != *version)
            {
                drafts.push(Tagged { version: version.clone(), crates: None, page: Some(page) });
            }
        }
        self.tagged.splice(0..0, drafts);
    }
}
