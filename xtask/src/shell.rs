//! How children are started: without a shell in between, and without what `cargo run` put into our environment.
//! It decides nothing.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use xshell::Cmd;

use crate::{Result, say};

/// Runs a command that changes nothing beyond this machine, in silence, and returns what it printed, without line ends
/// behind it. A failure is one line that holds what the command said.
pub fn read(cmd: Cmd) -> Result<String> {
    read_given(cmd, "")
}

/// The same with something on stdin.
pub fn read_given(cmd: Cmd, stdin: &str) -> Result<String> {
    ask(cmd, stdin, &[0])
}

/// The same for a search, which exits with 1 where it finds nothing.
pub fn search(cmd: Cmd, stdin: &str) -> Result<String> {
    ask(cmd, stdin, &[0, 1])
}

fn ask(cmd: Cmd, stdin: &str, well: &[i32]) -> Result<String> {
    let line = cmd.to_string();
    let mut command = clean(cmd);
    command.env("CARGO_TERM_COLOR", "never").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(&mut command)?;
    let pipe = child.stdin.take();
    let output = thread::scope(|scope| {
        // While we read: git answers line by line. One that ends before it has read says itself why.
        scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(stdin.as_bytes())));
        child.wait_with_output()
    })?;
    let said = one_line(&String::from_utf8_lossy(&output.stderr));
    match output.status.code().is_some_and(|code| well.contains(&code)) {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim_end_matches(['\r', '\n']).to_string()),
        false if said.is_empty() => Err(format!("`{line}` failed with {}", output.status).into()),
        false => Err(said.into()),
    }
}

/// Prints a command that acts beyond this machine, runs it, and returns what it printed. A body goes in as stdin: what
/// others wrote must not begin a line of a workflow's log.
pub fn act(cmd: Cmd, stdin: &str) -> Result<String> {
    say(format_args!("$ {cmd}"));
    read_given(cmd, stdin)
}

/// Prints a command that changes something and runs it. What it prints goes to our stderr: stdout is for our results.
pub fn run(cmd: Cmd) -> Result<()> {
    watched(cmd, Stdio::from(std::io::stderr())).map(drop)
}

/// The same for a command whose stdout is wanted.
pub fn capture(cmd: Cmd) -> Result<String> {
    watched(cmd, Stdio::piped())
}

fn watched(cmd: Cmd, stdout: Stdio) -> Result<String> {
    let line = cmd.to_string();
    say(format_args!("$ {line}"));
    let child = start(clean(cmd).stdin(Stdio::inherit()).stdout(stdout).stderr(Stdio::inherit()))?;
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!("`{line}` failed").into()),
    }
}

/// Prints a cargo command that acts beyond this machine, runs it, and hands over each line of its stderr as it comes.
/// Whether it succeeded.
pub fn follow(cmd: Cmd, said: &mut dyn FnMut(&str)) -> Result<bool> {
    say(format_args!("$ {cmd}"));
    let mut command = clean(cmd);
    // Whatever the user likes to see.
    for (name, value) in [("COLOR", "never"), ("QUIET", "false"), ("VERBOSE", "false"), ("PROGRESS_WHEN", "never")] {
        command.env(format!("CARGO_TERM_{name}"), value);
    }
    let mut child = start(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()))?;
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).split(b'\n')) {
        said(&String::from_utf8_lossy(&line?));
    }
    Ok(child.wait()?.success())
}

/// The command without what is not meant for it in the environment. Git sets its own for hooks: they would point it at the
/// user's index. `cargo run` and rustup's proxy set theirs for us: a child that inherits them builds with our toolchain,
/// whatever the tree says that it works on, and loads our libraries.
fn clean(cmd: Cmd) -> Command {
    let mut command = Command::from(cmd);
    for name in ["DIR", "WORK_TREE", "INDEX_FILE", "PREFIX", "COMMON_DIR", "OBJECT_DIRECTORY", "NAMESPACE"] {
        command.env_remove(format!("GIT_{name}"));
    }
    if std::env::var_os("CARGO_MANIFEST_DIR").is_none() {
        return command; // started by hand or by a workflow: the rest is the user's own
    }
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "RUSTUP_TOOLCHAIN"].iter().any(|prefix| text.starts_with(prefix));
        if ours || ["CARGO", "RUST_RECURSION_COUNT", "LD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"].contains(&&*text)
        {
            command.env_remove(&name);
        }
    }
    command
}

/// Starts a command, and says in one line why it cannot.
pub fn start(command: &mut Command) -> Result<Child> {
    let child = command.spawn();
    let (program, folder) = (command.get_program().display(), command.get_current_dir());
    Ok(child.map_err(|error| match error.kind() {
        ErrorKind::NotFound if folder.is_none_or(Path::exists) => format!("`{program}` is not installed"),
        _ => format!("`{program}`: {error}"),
    })?)
}

/// What a program said on stderr, as one line: the messages and the place, without source excerpts and warnings.
pub fn one_line(stderr: &str) -> String {
    let noise = |line: &&str| {
        let excerpt = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|');
        let frame = [
            "warning:",
            "= note:",
            "= help:",
            "Caused by",
            "Updating `",
            "referenced by workspace",
            "failed to load manifest for workspace member",
        ];
        line.is_empty() || excerpt || frame.iter().any(|frame| line.starts_with(frame))
    };
    // What rustup adds where RUST_BACKTRACE is set, as many workflows do.
    let lines = stderr.lines().take_while(|line| !line.starts_with("Stack backtrace:"));
    let marks = ["error: ", "fatal: ", "--> "];
    let bare = lines.map(|line| marks.iter().fold(line.trim(), |line, mark| line.trim_start_matches(mark)));
    let said = bare.map(|line| line.trim_end_matches(':')).filter(|line| !noise(line));
    said.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_notes_below_a_warning_is_no_part_of_an_error() {
        let said = "warning: virtual workspace defaulting to `resolver = \"1\"`\n  |\n  = note: to keep the current resolver\n\
            error: no matching package named `a` found\nlocation searched: directory source `v`\n";
        assert_eq!(one_line(said), "no matching package named `a` found: location searched: directory source `v`");
    }
}
