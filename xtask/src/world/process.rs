//! How children are started: without a shell, without tokens that they do not need, and without what `cargo run` put into
//! our environment. The functions here refuse every command that is not on the list of `reads_only`.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use xshell::Cmd;

use crate::{Result, say};

/// Runs a command silently and returns its stdout without trailing line ends. A failure is one line with the command's
/// own words.
pub fn output_of(cmd: Cmd) -> Result<String> {
    output_with_input(cmd, "")
}

/// The same with something on stdin.
pub fn output_with_input(cmd: Cmd, stdin: &str) -> Result<String> {
    collect(reader(cmd)?, stdin, &[0])
}

/// The same for a search, which exits with 1 if it finds nothing.
pub fn search_output(cmd: Cmd, stdin: &str) -> Result<String> {
    collect(reader(cmd)?, stdin, &[0, 1])
}

/// Prints a command and runs it with its output visible: its stdout goes to our stderr, since stdout is for results.
pub fn run_visible(cmd: Cmd) -> Result<()> {
    wait_visible(reader(cmd)?, Stdio::from(std::io::stderr())).map(drop)
}

/// The same, but returns its stdout.
pub fn visible_output(cmd: Cmd) -> Result<String> {
    let output = wait_visible(reader(cmd)?, Stdio::piped())?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Prints and runs a command that the workspace's configuration names, whatever it is. It gets no token.
pub fn run_configured(cmd: Cmd) -> Result<()> {
    wait_visible(without_inherited_env(cmd), Stdio::from(std::io::stderr())).map(drop)
}

fn reader(cmd: Cmd) -> Result<Command> {
    let line = cmd.to_string();
    let command = without_inherited_env(cmd);
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| &**argument).collect();
    match reads_only(&command.get_program().to_string_lossy(), &arguments) {
        true => Ok(command),
        false => Err(format!("`{line}` is not on the list of commands that only read").into()),
    }
}

/// The subcommands that change nothing beyond this machine.
const GIT: &str = "add archive cat-file check-ignore commit-tree config diff fetch grep log ls-files \
    ls-remote ls-tree mktag mktree read-tree remote rev-list rev-parse stash status symbolic-ref tag var \
    worktree write-tree";
const CARGO: &str = "--version build locate-project metadata package semver-checks update";
const GH_API_WRITES: &str = "-X --method -f -F --field --raw-field --input";

/// Whether a command changes nothing beyond this machine. Only those can be started by the library.
pub fn reads_only(program: &str, arguments: &[&str]) -> bool {
    let among = |list: &str, word: &str| list.split(' ').any(|listed| listed == word);
    let mut words = arguments.iter().copied();
    let mut first = words.next().unwrap_or_default();
    // Options of git itself come before its subcommand, each with a value.
    while program == "git" && ["-c", "-C"].contains(&first) {
        first = words.nth(1).unwrap_or_default();
    }
    match (program, first) {
        ("git", _) => among(GIT, first),
        ("cargo", _) => among(CARGO, first),
        ("rustc", _) => true,
        ("gh", "api") => {
            !words.any(|word| GH_API_WRITES.split(' ').any(|flag| word.starts_with(flag)))
        }
        ("gh", _) => ["list", "view"].contains(&words.next().unwrap_or_default()),
        _ => false,
    }
}

/// Gives a command its stdin, waits for it, and returns its stdout; an exit code that is not among `expected` is an error.
pub fn collect(mut command: Command, stdin: &str, expected: &[i32]) -> Result<String> {
    command.env("CARGO_TERM_COLOR", "never");
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = start(&mut command)?;
    let pipe = child.stdin.take();
    let output = thread::scope(|scope| {
        // In parallel: git answers line by line. A child that exits before it has read everything says why itself.
        scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(stdin.as_bytes())));
        child.wait_with_output()
    })?;
    if output
        .status
        .code()
        .is_some_and(|code| expected.contains(&code))
    {
        let stdout = String::from_utf8_lossy(&output.stdout);
        return Ok(stdout.trim_end_matches(['\r', '\n']).to_string());
    }
    match one_line(&String::from_utf8_lossy(&output.stderr)) {
        error if error.is_empty() => {
            Err(format!("`{}` failed with {}", shown(&command), output.status).into())
        }
        error => Err(error.into()),
    }
}

fn wait_visible(mut command: Command, stdout: Stdio) -> Result<Output> {
    let line = shown(&command);
    say!("$ {line}");
    command
        .stdin(Stdio::inherit())
        .stdout(stdout)
        .stderr(Stdio::inherit());
    let output = start(&mut command)?.wait_with_output()?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("`{line}` failed").into()),
    }
}

fn shown(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    words
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The command without what is not meant for it in our environment:
/// - tokens, but for `git` towards origin, `gh`, and cargo's `publish` and `yank`;
/// - what git sets for hooks, which would point its children at the user's index;
/// - what `cargo run` and rustup's proxy set for us: a child would build with our toolchain, whatever the tree asks for.
pub fn without_inherited_env(cmd: Cmd) -> Command {
    let mut command = Command::from(cmd);
    let needs_token = needs_token(&command);
    let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    command.env("GH_PROMPT_DISABLED", "1");
    for (name, _) in std::env::vars_os() {
        if is_inherited(&name.to_string_lossy(), needs_token, by_cargo) {
            command.env_remove(&name);
        }
    }
    command
}

const SET_FOR_HOOKS: &str = "DIR WORK_TREE INDEX_FILE PREFIX COMMON_DIR OBJECT_DIRECTORY NAMESPACE";
const SET_BY_CARGO_RUN: &str = "CARGO RUSTUP_TOOLCHAIN RUSTUP_TOOLCHAIN_SOURCE RUST_RECURSION_COUNT \
    LD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH";

fn is_inherited(name: &str, needs_token: bool, by_cargo: bool) -> bool {
    let among = |list: &str, name: &str| list.split(' ').any(|listed| listed == name);
    let starts = |prefixes: [&str; 2]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let token = name.ends_with("_TOKEN") || starts(["ACTIONS_ID_TOKEN_REQUEST_", "SSH_AUTH_SOCK"]);
    let hook = name
        .strip_prefix("GIT_")
        .is_some_and(|name| among(SET_FOR_HOOKS, name));
    let run = among(SET_BY_CARGO_RUN, name) || starts(["CARGO_PKG_", "CARGO_MANIFEST_"]);
    token && !needs_token || hook || by_cargo && run
}

fn needs_token(command: &Command) -> bool {
    let has = |words: &[&str]| {
        command
            .get_args()
            .any(|argument| words.iter().any(|word| argument == *word))
    };
    match command.get_program().to_str() {
        Some("gh") => true,
        Some("git") => has(&["fetch", "ls-remote", "push"]),
        Some("cargo") => has(&["publish", "yank"]),
        _ => false,
    }
}

/// Starts a command; an error says in one line why it cannot be started.
pub fn start(command: &mut Command) -> Result<Child> {
    let child = command.spawn();
    let (program, folder) = (command.get_program().display(), command.get_current_dir());
    Ok(child.map_err(|error| match error.kind() {
        ErrorKind::NotFound if folder.is_none_or(Path::exists) => {
            format!("`{program}` is not installed")
        }
        _ => format!("`{program}`: {error}"),
    })?)
}

/// What a program printed on stderr as one line: its messages and places, without source excerpts and warnings.
pub fn one_line(stderr: &str) -> String {
    const NOISE: [&str; 7] = [
        "warning:",
        "= note:",
        "= help:",
        "Caused by",
        "Updating `",
        "referenced by workspace",
        "failed to load manifest for workspace member",
    ];
    let mut messages = Vec::new();
    for line in stderr.lines() {
        // rustup adds it where RUST_BACKTRACE is set, as many workflows do.
        if line.starts_with("Stack backtrace:") {
            break;
        }
        let mut line = line.trim();
        for mark in ["error: ", "fatal: ", "--> "] {
            line = line.trim_start_matches(mark);
        }
        let line = line.trim_end_matches(':');
        let excerpt = line
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start();
        let noise = excerpt.starts_with('|') || NOISE.iter().any(|noise| line.starts_with(noise));
        if !line.is_empty() && !noise {
            messages.push(line);
        }
    }
    messages.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_below_a_warning_is_not_part_of_an_error() {
        let stderr = "warning: virtual workspace defaulting to `resolver = \"1\"`\n  |\n  = note: to keep the current\n\
            error: no matching package named `a` found\nlocation searched: directory source `v`\n";
        assert_eq!(
            one_line(stderr),
            "no matching package named `a` found: location searched: directory source `v`"
        );
    }

    #[test]
    fn every_outward_command_is_refused_by_the_readers() {
        for line in [
            "git push origin main",
            "git -c push.default=current push",
            "git -C . push",
            "gh pr create",
            "gh pr merge 1",
            "gh release create v1.0.0",
            "gh release upload v1.0.0 file",
            "gh release edit v1.0.0",
            "gh release delete v1.0.0",
            "gh issue create",
            "gh workflow run main.yml",
            "gh run rerun 1",
            "gh api repos/o/r/git/refs -f ref=refs/tags/v1.0.0",
            "gh api -X DELETE repos/o/r/git/refs/tags/v1.0.0",
            "gh api --method=PATCH repos/o/r",
            "gh api --input=- repos/o/r/issues",
            "cargo publish",
            "cargo yank a",
            "cargo owner --add me a",
            "cargo login",
            "curl https://example.com",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(!reads_only(words[0], &words[1..]), "{line}");
        }
        for line in [
            "git -c core.eol=lf archive HEAD",
            "git -C . ls-remote origin",
            "gh pr list --head a",
            "gh api --paginate repos/o/r/releases",
            "cargo metadata --no-deps",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(reads_only(words[0], &words[1..]), "{line}");
        }
    }

    #[test]
    fn a_token_reaches_the_commands_that_need_it_and_no_other() {
        for (name, needs_token, by_cargo, removed) in [
            ("GH_TOKEN", false, false, true),
            ("CARGO_REGISTRY_TOKEN", false, false, true),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", false, false, true),
            ("SSH_AUTH_SOCK", false, false, true),
            ("GH_TOKEN", true, false, false),
            ("RUSTUP_TOOLCHAIN", true, true, true),
            ("RUSTUP_TOOLCHAIN", true, false, false),
            ("CARGO_HOME", false, true, false),
            ("GIT_DIR", true, false, true),
        ] {
            assert_eq!(is_inherited(name, needs_token, by_cargo), removed, "{name}");
        }
    }
}
