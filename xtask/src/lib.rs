//! The library of the release train: it reads git, GitHub, the registry and the workspace, computes, and writes files on
//! this machine. Only the program `xtask` changes anything beyond it, in `outward.rs`.
//!
//! Imports run one way: programs -> `world` -> `rules`.

pub mod rules;
pub mod world;

use std::fmt::{self, Display};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;

pub use pico_args::Arguments;
pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Adds to an error where it happened, or what it is about: `place: error`.
pub trait Context<T> {
    fn context(self, place: impl Display) -> Result<T>;
}

impl<T, E: Display> Context<T> for Result<T, E> {
    fn context(self, place: impl Display) -> Result<T> {
        self.map_err(|error| format!("{place}: {error}").into())
    }
}

/// A command line that is not understood: exit code 2.
#[derive(Debug)]
pub struct Usage(pub String);

impl Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}; see --help", self.0)
    }
}

impl std::error::Error for Usage {}

/// Prints the error of a program, if there is one, and tells how the program ends.
pub fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    say!("error: {error}");
    let usage = error.is::<Usage>() || error.is::<pico_args::Error>();
    ExitCode::from(if usage { 2 } else { 1 })
}

/// The next argument that is not an option.
pub fn free(arguments: &mut Arguments) -> Result<Option<String>> {
    match arguments.opt_free_from_str::<String>()? {
        Some(option) if option.starts_with('-') => {
            Err(Usage(format!("unknown option `{option}`")).into())
        }
        argument => Ok(argument),
    }
}

/// Fails if an argument is left.
pub fn finish(arguments: Arguments) -> Result<()> {
    if let Some(argument) = arguments.finish().first() {
        let argument = argument.display();
        return Err(Usage(format!("unexpected argument `{argument}`")).into());
    }
    Ok(())
}

/// Prints a result on stdout. A reader that closes the pipe early is not an error.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Prints a line on stderr; a closed stderr is ignored.
#[macro_export]
macro_rules! say {
    ($($line:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

/// Returns an error that is a sentence.
#[macro_export]
macro_rules! bail {
    ($($sentence:tt)*) => { return Err(format!($($sentence)*).into()) };
}
