//! `status`: where every train is. It asks git, GitHub and the registry, all at once, and changes nothing; what follows from
//! the answers is in `train.rs` and `next.rs`, how it is shown in `board.rs`.

use std::collections::BTreeMap;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::git::Remote;
use crate::github::{Release, bumps, latest_release, proposed, releases, security_issues};
use crate::registry::{Registry, Versions};
use crate::survey::{Git, Seen, known, look_at, of_git};
use crate::tasks::github_release::passed_over;
use crate::train::{Line, Page, Tagged, Train};
use crate::version::{release_of, same_line, tag, tag_version};
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

/// How long the registry is asked again when it does not answer: a board that is late is of no use.
const PATIENCE: Duration = Duration::from_secs(2);

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
    let proposed = known(proposed, &mut unknown);
    let bumps = known(bumps, &mut unknown).unwrap_or_default();
    let releases = known(releases, &mut unknown);
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
            show_pages(&mut line, &remote, releases);
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

/// Asks for the crates of the workspace that is checked out: those of the branches are the same, or nearly.
fn of_registry(sh: &Shell, named: Option<String>) -> Result<Index> {
    let workspace = Workspace::load(sh)?;
    let registry = Registry::find(sh, &workspace, named, PATIENCE)?;
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
            let new = |name: &str| self.versions[name].len() == 1;
            last.crates = Some((published, members.len()));
            last.ownerless = !workspace.config.owners.is_empty() && members.iter().any(|member| new(&member.name));
        }
        Ok(())
    }
}

/// Adds what GitHub shows of the tags of a line.
fn show_pages(line: &mut Line, remote: &Remote, releases: &[Release]) {
    let page = |version: &Version| {
        let found = releases.iter().find(|release| release.tag == tag(version));
        found.map_or(Page::Missing, |release| match release.draft {
            true => {
                Page::Draft { filled: !release.assets.is_empty() && release.assets.iter().all(|asset| asset.whole) }
            }
            false => Page::Public,
        })
    };
    let Some(mut last) = line.tagged.pop() else { return };
    for (version, _) in remote.line(&line.first) {
        if *version != last.version && matches!(page(version), Page::Draft { .. }) {
            line.tagged.push(Tagged { page: Some(page(version)), ..Tagged::new(version, last.day) });
        }
    }
    last.page = Some(page(&last.version));
    line.tagged.push(last);
}
