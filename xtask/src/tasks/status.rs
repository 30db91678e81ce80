//! `status`: where every train is. It asks git, GitHub and the registry, all at once, and changes nothing; what follows from
//! the answers is in `train.rs` and `next.rs`, how it is shown in `board.rs`.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::git::Remote;
use crate::github::{Release, bumps, latest_release, proposed, releases, security_issues};
use crate::registry::{Registry, Versions};
use crate::survey::{Seen, answer, known, of_git};
use crate::tasks::github_release::passed_over;
use crate::tasks::yank::replaces;
use crate::train::{Line, Page, Tagged, Train};
use crate::version::{same_line, tag, tag_version};
use crate::workspace::{Crate, Workspace};
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
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let json = arguments.contains("--json");
    let markdown = arguments.contains("--markdown");
    let named = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let train = ask(sh, named, today)?;
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

/// Asks everything that needs no other answer at once, then looks at the release branches that matter.
fn ask(sh: &Shell, named: Option<String>, today: Date) -> Result<Train> {
    fn question<T>(ask: impl FnOnce(&Shell) -> Result<T>) -> Result<T> {
        ask(&Shell::new()?)
    }
    let (git, proposed, bumps, releases, latest, issues, index) = thread::scope(|scope| {
        let proposed = scope.spawn(|| question(proposed));
        let bumps = scope.spawn(|| question(bumps));
        let releases = scope.spawn(|| question(releases));
        let latest = scope.spawn(|| question(latest_release));
        let issues = scope.spawn(|| question(security_issues));
        let index = scope.spawn(|| question(|sh| of_registry(sh, named)));
        let git = of_git(sh, today);
        (git, answer(proposed), answer(bumps), answer(releases), answer(latest), answer(issues), answer(index))
    });
    let mut git = git?;
    let proposed = known(proposed, &mut git.unknown);
    let bumps = known(bumps, &mut git.unknown).unwrap_or_default();
    let releases = known(releases, &mut git.unknown);
    let latest = known(latest, &mut git.unknown);
    let issues = known(issues, &mut git.unknown);
    let mut index = known(index, &mut git.unknown);

    let at_work = |line: &Version, branch: &str| {
        let ours = |release: &Release| tag_version(&release.tag).is_some_and(|version| same_line(&version, line));
        proposed.iter().flatten().any(|proposed| proposed.base == branch)
            || releases.iter().flatten().any(|release| release.draft && ours(release))
    };
    let mut lines = Vec::new();
    for seen in git.look_at(&git.lines(sh, today, at_work)?) {
        let Some(Seen { mut line, released }) = known(seen, &mut git.unknown) else { continue };
        if let (Some(index), Some(workspace)) = (&mut index, &released) {
            known(index.count(workspace, &mut line), &mut git.unknown);
        }
        if let Some(releases) = &releases {
            show_pages(&mut line, &git.remote, releases);
        }
        lines.push(line);
    }

    let bump = format!("ci/bump-to-{}", git.version);
    let open = proposed.iter().flatten().filter(|proposed| proposed.branch.starts_with("ci/bump-to-"));
    let brought = bumps.into_iter().filter(|(branch, _)| *branch == bump).map(|(_, day)| day);
    let mut train = Train {
        today,
        name: git.name,
        version: git.version,
        undated: git.undated,
        supported: git.supported.into_iter().map(|(branch, _)| branch).collect(),
        begun: git.remote.branches.keys().filter(|name| name.starts_with("ci/")).cloned().collect(),
        main: git.remote.main,
        last_cut: open.map(|proposed| proposed.opened).chain(brought).max(),
        passed_over: match (&releases, &latest) {
            (Some(releases), Some(latest)) => passed_over(releases, latest.as_deref()),
            _ => None,
        },
        latest: latest.flatten(),
        lines,
        proposed,
        issues,
        unknown: git.unknown,
    };
    train.leave_out_what_is_done();
    Ok(train)
}

/// Asks for the crates of the workspace that is checked out: those of the branches are the same, or nearly.
fn of_registry(sh: &Shell, named: Option<String>) -> Result<Index> {
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
    fn count(&mut self, workspace: &Workspace, line: &mut Line) -> Result<()> {
        let members: Vec<_> = self.registry.members(workspace).collect();
        let new = members.iter().map(|member| member.name.as_str());
        let new: Vec<&str> = new.filter(|name| !self.versions.contains_key(*name)).collect();
        let answers = self.registry.versions(&new)?;
        self.versions.extend(new.iter().map(|name| name.to_string()).zip(answers));
        let state = || members.iter().map(|member| (*member, &self.versions[&member.name]));
        let there = |(member, versions): &(&Crate, &Versions)| versions.contains_key(&member.version);
        let replaces = |(member, versions): (&Crate, &Versions)| {
            let mut picked = versions.iter().filter(|(_, yanked)| !**yanked).map(|(other, _)| other);
            member.moves && picked.any(|other| !other.pre.is_empty() && replaces(&member.version, other))
        };
        line.replaced = state().filter(there).any(replaces);
        if let Some(last) = line.tagged.last_mut() {
            last.crates = Some((state().filter(there).count(), members.len()));
            last.ownerless = !workspace.config.owners.is_empty() && state().any(|(_, versions)| versions.len() == 1);
        }
        Ok(())
    }
}

/// Adds what GitHub shows of the tags of a line.
fn show_pages(line: &mut Line, remote: &Remote, releases: &[Release]) {
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
