//! The command line: help, arguments, dispatch and exit codes. It does no work itself.

mod adopt;
mod answer;
mod board;
mod calendar;
mod config;
mod findings;
mod git;
mod github;
mod lockfile;
mod manifest;
mod next;
mod notes;
mod outward;
mod packages;
mod proposal;
mod registry;
mod rehearse;
mod sha256;
mod shell;
mod survey;
mod tasks;
mod train;
mod upload;
mod version;
mod workspace;
mod worktree;

use std::fmt::{self, Arguments as Text, Display};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use pico_args::Arguments;
use time::Date;
use xshell::Shell;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;
/// A task, with the arguments that are left and the day that is today.
type Task = fn(&Shell, Arguments, Date) -> Result<()>;

const HELP: &str = "\
The release train of this workspace.

cargo xtask TASK [OPTIONS]         cargo xtask TASK --help

The train
  cut                              push main to release-X.Y.0 and bump main (5th of the month)
  release-latest                   date the latest train's release, in pull requests (20th)
  release-patch                    the same for a patch of one release branch or of several
  release-candidate                the same for the next candidate
  push-tag                         tag the merged release
  publish                          every crate that the registry lacks, until none is missing
  verify                           find what would stop or spoil a release
  dist                             binaries and a source tarball, into target/dist
  github-release                   a draft with them; public once the registry has every crate
  sync-notes                       bring the notes of a patch release to main
  check-branches                   start CI on every supported release branch (weekly)
  report-failure                   open an issue for a workflow that failed
  yank VERSION|--candidates        take a release, or replaced candidates, out of what cargo picks

Where it is
  status                           where every train is, and what to do next

Versions and notes
  bump [major|minor|patch|rc|release|X.Y.Z]
                                   write the next version everywhere it stands
  notes new|date|show VERSION      open, date or print a section of RELEASES.md

Try it
  rehearse                         a month of releases in a sandbox; nothing leaves this machine
  rehearse TASK                    one task there, and what it would propose
  rehearse --security              the day of a security release of three branches

Take it along
  adopt DIR                        put the tool, its alias and its workflows into another workspace

Options
  --date YYYY-MM-DD                stands for today

A task acts on the workspace that holds the current directory, and is safe to run again.
Exit code: 0 done or nothing to do, 1 an error, 2 a command line that is not understood.
";

fn main() -> ExitCode {
    if std::env::args_os().next().is_some_and(|name| Path::new(&name).file_stem() == Some("gh".as_ref())) {
        return rehearse::gh::main();
    }
    let result = dispatch(Arguments::from_env());
    let Err(error) = result else { return ExitCode::SUCCESS };
    say(format_args!("error: {error}"));
    let usage = error.is::<Usage>() || error.is::<pico_args::Error>();
    ExitCode::from(if usage { 2 } else { 1 })
}

fn dispatch(mut arguments: Arguments) -> Result<()> {
    // Options first: what stands before the task would be taken for it.
    let help = arguments.contains(["-h", "--help"]);
    let date = arguments.opt_value_from_str::<_, String>("--date")?;
    let today = date.map_or_else(|| Ok(calendar::today()), |date| calendar::parse_date(&date))?;
    let Some(task) = arguments.subcommand()? else {
        finish(arguments)?;
        return print(HELP);
    };
    let (text, run) = task_of(&task)?;
    if help { print(text) } else { run(&Shell::new()?, arguments, today) }
}

/// The help of a task, and what runs it.
fn task_of(name: &str) -> Result<(&'static str, Task)> {
    Ok(match name {
        "adopt" => (adopt::HELP, |sh, arguments, _| adopt::run(sh, arguments)),
        "bump" => (tasks::bump::HELP, |sh, arguments, _| tasks::bump::run(sh, arguments)),
        "check-branches" => (tasks::check_branches::HELP, tasks::check_branches::run),
        "cut" => (tasks::cut::HELP, tasks::cut::run),
        "dist" => (tasks::dist::HELP, |sh, arguments, _| tasks::dist::run(sh, arguments)),
        "github-release" => (tasks::github_release::HELP, |sh, arguments, _| tasks::github_release::run(sh, arguments)),
        "notes" => (tasks::notes::HELP, tasks::notes::run),
        "publish" => (tasks::publish::HELP, |sh, arguments, _| tasks::publish::run(sh, arguments)),
        "push-tag" => (tasks::push_tag::HELP, |sh, arguments, _| tasks::push_tag::run(sh, arguments)),
        "rehearse" => (rehearse::HELP, rehearse::run),
        "release-candidate" => {
            (tasks::release::CANDIDATE_HELP, |sh, arguments, _| tasks::release::next_candidate(sh, arguments))
        }
        "release-latest" => (tasks::release::LATEST_HELP, tasks::release::latest),
        "release-patch" => (tasks::release::PATCH_HELP, tasks::release::patch),
        "report-failure" => (tasks::report_failure::HELP, tasks::report_failure::run),
        "status" => (tasks::status::HELP, tasks::status::run),
        "sync-notes" => (tasks::sync_notes::HELP, |sh, arguments, _| tasks::sync_notes::run(sh, arguments)),
        "verify" => (tasks::verify::HELP, |sh, arguments, _| tasks::verify::run(sh, arguments)),
        "yank" => (tasks::yank::HELP, |sh, arguments, _| tasks::yank::run(sh, arguments)),
        _ => return Err(Usage(format!("there is no task `{name}`")).into()),
    })
}

/// Says where an error is, or what it is about: `place: error`.
trait Context<T> {
    fn context(self, place: impl Display) -> Result<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, place: impl Display) -> Result<T> {
        self.map_err(|error| format!("{place}: {error}").into())
    }
}

/// A command line that is not understood.
#[derive(Debug)]
struct Usage(String);

impl Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}; `cargo xtask --help` shows what there is", self.0)
    }
}

impl std::error::Error for Usage {}

/// The next argument, if it is no option.
fn free(arguments: &mut Arguments) -> Result<Option<String>> {
    match arguments.opt_free_from_str::<String>()? {
        Some(option) if option.starts_with('-') => Err(Usage(format!("there is no option `{option}` here")).into()),
        argument => Ok(argument),
    }
}

/// Fails if an argument is left.
fn finish(arguments: Arguments) -> Result<()> {
    match arguments.finish().first() {
        Some(argument) => Err(Usage(format!("unexpected argument `{}`", argument.display())).into()),
        None => Ok(()),
    }
}

/// Prints a result on stdout. A reader that has seen enough is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a line on stderr, and goes on if nobody listens.
fn say(text: Text) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
