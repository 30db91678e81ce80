//! The command line: help, dispatch and exit codes. The tasks are in `tasks/`, one file for each. Only `outward.rs` changes
//! anything beyond this machine.

mod outward;
mod proposal;
mod tasks;

use std::process::ExitCode;

use release_train::rules::calendar::parse_date;
use release_train::world::{today, workspace};
use release_train::{Arguments, Result, Usage, exit_code, finish, print};
use time::Date;
use xshell::Shell;

use tasks::*;

/// A task, with the arguments that are left and the day that stands for today.
type Task = fn(&Shell, Arguments, Date) -> Result<()>;

const HELP: &str = "\
The release train of this workspace.

cargo xtask TASK [OPTIONS]     cargo xtask TASK --help

The train
  cut                 push main to release-X.Y.0 and bump main (on the 5th)
  release-latest      date the latest version, in pull requests (on the 20th)
  release-patch       the same for a patch of one or more release branches
  release-candidate   the same for the next release candidate
  push-tag            tag the merged release
  verify              find what would stop or spoil a release
  dist                build binaries and a source tarball into target/dist
  publish             publish every crate that is missing from the registry
  github-release      make the release on GitHub public, with its files
  sync-notes          copy the notes of patch releases to main
  yank                yank a release, or superseded candidates

Overview
  status              show where each train is, and what to run next

Versions and notes
  bump [major|minor|patch|rc|release|X.Y.Z]
                      write the next version everywhere
  notes new|date|show VERSION
                      add, date or print a section of RELEASES.md

Options
  --date YYYY-MM-DD   stands for today

A task acts on the workspace that holds the current directory, and is safe to
run again. Exit code: 0 done or nothing to do, 1 an error, 2 a usage error.
";

fn main() -> ExitCode {
    exit_code(dispatch(Arguments::from_env()))
}

fn dispatch(mut arguments: Arguments) -> Result<()> {
    // Options first: pico-args would take what stands before the task for the task.
    let help = arguments.contains(["-h", "--help"]);
    let date: Option<String> = arguments.opt_value_from_str("--date")?;
    let date = date.map(|date| parse_date(&date)).transpose()?;
    let today = date.unwrap_or_else(today);
    let Some(task) = arguments.subcommand()? else {
        finish(arguments)?;
        return print(HELP);
    };
    let (text, run): (&str, Task) = match task.as_str() {
        "bump" => (bump::HELP, |sh, rest, _| bump::run(sh, rest)),
        "cut" => (cut::HELP, cut::run),
        "dist" => (dist::HELP, |sh, rest, _| dist::run(sh, rest)),
        "github-release" => (github_release::HELP, |sh, rest, _| {
            github_release::run(sh, rest)
        }),
        "notes" => (notes::HELP, notes::run),
        "publish" => (publish::HELP, |sh, rest, _| publish::run(sh, rest)),
        "push-tag" => (push_tag::HELP, |sh, rest, _| push_tag::run(sh, rest)),
        "release-candidate" => (release::CANDIDATE_HELP, release::next_candidate),
        "release-latest" => (release::LATEST_HELP, release::latest),
        "release-patch" => (release::PATCH_HELP, release::patch),
        "status" => (status::HELP, status::run),
        "sync-notes" => (sync_notes::HELP, sync_notes::run),
        "verify" => (verify::HELP, |sh, rest, _| verify::run(sh, rest)),
        "yank" => (yank::HELP, |sh, rest, _| yank::run(sh, rest)),
        _ => return Err(Usage(format!("unknown task `{task}`")).into()),
    };
    if help {
        return print(text);
    }
    let sh = Shell::new()?;
    sh.change_dir(workspace::root(&sh)?);
    run(&sh, arguments, today)
}
