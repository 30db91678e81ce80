//! `status`: where every train is. It asks git, GitHub and the registry, all at once, and changes nothing. How they are read is
//! in `survey.rs` and `github.rs`, what follows from the answers in `train.rs` and `next.rs`, how it is shown in `board.rs`.

use std::thread;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::github::{Release, bumps, latest_release, proposed, releases, security_issues};
use crate::survey::{Seen, answer, known, of_git, of_registry, show_pages};
use crate::tasks::github_release::passed_over;
use crate::train::Trains;
use crate::version::{same_line, tag_version};
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
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let json = arguments.contains("--json");
    let markdown = arguments.contains("--markdown");
    let named = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let trains = ask(sh, named, today)?;
    print(&match (json, markdown) {
        (true, _) => board::json(&trains),
        (_, true) => board::markdown(&trains),
        _ => board::table(&trains),
    })
}

/// Asks everything that needs no other answer at once, then looks at the release branches that matter.
fn ask(sh: &Shell, named: Option<String>, today: Date) -> Result<Trains> {
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
    let mut trains = Trains {
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
    trains.leave_out_what_is_done();
    Ok(trains)
}
