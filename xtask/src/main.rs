//! The command line: help, arguments, dispatch and exit codes. It does no work itself.

mod calendar;
mod config;
mod lockfile;
mod manifest;
mod notes;
mod shell;
mod tasks;
mod version;
mod workspace;

use std::fmt::{self, Arguments as Text, Display};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use pico_args::Arguments;
use xshell::Shell;

type Error = Box<dyn std::error::Error + Send + Sync>;
type Result<T, E = Error> = std::result::Result<T, E>;

const HELP: &str = "\
The release train of this workspace.

cargo xtask TASK [OPTIONS]         cargo xtask TASK --help

Versions and notes
  bump [major|minor|patch|rc|release|X.Y.Z]
                                   write the next version everywhere it stands
  notes new|date|show VERSION      open, date or print a section of RELEASES.md

Options
  --date YYYY-MM-DD                stands for today

A task acts on the workspace that holds the current directory, and is safe to run again.
Exit code: 0 done or nothing to do, 1 an error, 2 a command line that is not understood.
";

fn main() -> ExitCode {
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
    let date = date.map_or_else(|| Ok(calendar::today()), |date| calendar::parse_date(&date))?;
    let task = arguments.subcommand()?;
    let sh = Shell::new()?;
    match task.as_deref() {
        Some("bump") if help => print(tasks::bump::HELP),
        Some("bump") => tasks::bump::run(&sh, arguments),
        Some("notes") if help => print(tasks::notes::HELP),
        Some("notes") => tasks::notes::run(&sh, arguments, date),
        Some(task) => Err(Usage(format!("there is no task `{task}`")).into()),
        None => {
            finish(arguments)?;
            print(HELP)
        }
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
