//! How children are started: without a shell, without tokens that they do not need, and without what `cargo run` put into
//! our environment. The readers refuse every command that is not on the list of `reads_only`; `run_configured` starts what
//! the workspace's configuration names, without any token.

use std::io::{ErrorKind, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use xshell::Cmd;

use crate::rules::notes::plain;
use crate::{Result, bail, say};

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

/// Prints a command, runs it with its output visible, and returns how it ended. Its stdout goes to our stderr, since stdout is
/// for results.
pub fn visible_status(cmd: Cmd) -> Result<ExitStatus> {
    say!("$ {cmd}");
    Ok(start(reader(cmd)?.stdout(std::io::stderr()))?.wait()?)
}

/// The same, but returns its stdout.
pub fn visible_output(cmd: Cmd) -> Result<String> {
    let line = cmd.to_string();
    wait_visible(&line, reader(cmd)?, Stdio::piped())
}

/// Prints and runs a command that the workspace's configuration names, whatever it is. It gets no token.
pub fn run_configured(cmd: Cmd) -> Result<()> {
    let line = cmd.to_string();
    wait_visible(&line, prepared(cmd, Tokens::None), std::io::stderr().into()).map(drop)
}

fn reader(cmd: Cmd) -> Result<Command> {
    let line = cmd.to_string();
    let command = Command::from(cmd);
    let words = words(&command);
    let borrowed: Vec<&str> = words.iter().map(String::as_str).collect();
    if !reads_only(&borrowed) {
        bail!("`{line}` is not on the list of commands that only read");
    }
    let tokens = match borrowed[0] {
        "git" | "gh" => Tokens::Origin,
        _ => Tokens::None,
    };
    Ok(prepared(command, tokens))
}

/// The subcommands that change nothing beyond this machine.
const GIT: &str = "add archive cat-file check-ignore commit-tree config diff fetch grep log \
    ls-files ls-remote ls-tree mktag mktree read-tree remote rev-list rev-parse stash status submodule \
    symbolic-ref tag var worktree write-tree";
const CARGO: &str = "--list --version build locate-project metadata package semver-checks update";
const GH_API_WRITES: &str = "-X --method -f -F --field --raw-field --input";

/// Whether a command, a program with its arguments, changes nothing beyond this machine. Only those can be started by the
/// library.
pub fn reads_only(words: &[&str]) -> bool {
    match words {
        // Options of git itself come before its subcommand, each with a value.
        ["git", "-c" | "-C", _, rest @ ..] => reads_only(&[&["git"], rest].concat()),
        ["git", subcommand, ..] => is_among(GIT, subcommand),
        ["cargo", subcommand, ..] => is_among(CARGO, subcommand),
        ["gh", "api", options @ ..] => {
            let mut flags = GH_API_WRITES.split(' ');
            !flags.any(|flag| options.iter().any(|option| option.starts_with(flag)))
        }
        ["rustc" | "tar", ..] | ["gh", _, "list" | "view", ..] => true,
        _ => false,
    }
}

fn is_among(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// Gives a command its stdin, waits for it, and returns its stdout; an exit code that is not among `expected` is an error.
pub fn collect(mut command: Command, stdin: &str, expected: &[i32]) -> Result<String> {
    command.env("CARGO_TERM_COLOR", "never");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = start(command.stderr(Stdio::piped()))?;
    let pipe = child.stdin.take();
    let output = thread::scope(|scope| {
        // In parallel: git answers line by line. A child that exits before it has read everything says why itself.
        scope.spawn(|| pipe.map(|mut pipe| pipe.write_all(stdin.as_bytes())));
        child.wait_with_output()
    })?;
    let code = output.status.code();
    if code.is_some_and(|code| expected.contains(&code)) {
        let stdout = String::from_utf8_lossy(&output.stdout);
        return Ok(stdout.trim_end_matches(['\r', '\n']).to_string());
    }
    let error = one_line(&String::from_utf8_lossy(&output.stderr));
    if error.is_empty() {
        let line = words(&command).join(" ");
        bail!("`{line}` failed with {}", output.status);
    }
    Err(error.into())
}

fn wait_visible(line: &str, mut command: Command, stdout: Stdio) -> Result<String> {
    say!("$ {line}");
    let output = start(command.stdout(stdout))?.wait_with_output()?;
    if !output.status.success() {
        bail!("`{line}` failed");
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program and its arguments.
fn words(command: &Command) -> Vec<String> {
    let mut words = vec![command.get_program().display().to_string()];
    words.extend(command.get_args().map(|word| word.display().to_string()));
    words
}

/// Which tokens of our environment a child gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tokens {
    None,
    /// All but those of registries and of GitHub's identities: for git, which may ask origin at any time, and for gh.
    Origin,
    /// All but GitHub's: for cargo's `publish` and `yank`.
    Registry,
}

/// The command without what is not meant for it in our environment: other tokens; what git sets for hooks, which would point
/// its children at the user's index; what makes gh write for a terminal; and what `cargo run` and rustup's proxy set for us, with which a child would build with
/// our toolchain, whatever the tree asks for.
pub fn prepared(command: impl Into<Command>, tokens: Tokens) -> Command {
    let mut command = command.into();
    let by_cargo = std::env::var_os("CARGO_MANIFEST_DIR").is_some();
    command.env("GH_PROMPT_DISABLED", "1");
    let is_gh = command.get_program() == "gh";
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let for_hooks = is_among(SET_FOR_HOOKS, &text);
        let for_terminals = is_gh && is_among(SET_FOR_TERMINALS, &text);
        let of_cargo_run = by_cargo && is_of_cargo_run(&text);
        if for_hooks || for_terminals || of_cargo_run || is_for_others(&text, tokens) {
            command.env_remove(&name);
        }
    }
    command
}

const SET_FOR_HOOKS: &str = "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX GIT_COMMON_DIR \
    GIT_OBJECT_DIRECTORY GIT_NAMESPACE";
const SET_FOR_TERMINALS: &str = "CLICOLOR_FORCE DEBUG GH_DEBUG GH_FORCE_TTY";
const SET_BY_CARGO_RUN: &str = "CARGO RUSTUP_TOOLCHAIN RUSTUP_TOOLCHAIN_SOURCE RUST_RECURSION_COUNT \
    LD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH";

fn is_of_cargo_run(name: &str) -> bool {
    let prefixes = ["CARGO_PKG_", "CARGO_MANIFEST_"];
    is_among(SET_BY_CARGO_RUN, name) || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a variable is a token that a child must not have.
fn is_for_others(name: &str, tokens: Tokens) -> bool {
    let identity = name.starts_with("ACTIONS_ID_TOKEN_REQUEST_");
    let of_github = name.starts_with("GH_") || name.starts_with("GITHUB_");
    let token = name.ends_with("_TOKEN") || identity || name == "SSH_AUTH_SOCK";
    token
        && match tokens {
            Tokens::None => true,
            Tokens::Origin => identity || name.starts_with("CARGO_"),
            Tokens::Registry => identity || of_github || name == "SSH_AUTH_SOCK",
        }
}

/// Starts a command; an error says in one line why it cannot be started.
pub fn start(command: &mut Command) -> Result<Child> {
    let child = command.spawn();
    let program = command.get_program().display();
    Ok(child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("`{program}` is not installed"),
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
    // rustup adds it where RUST_BACKTRACE is set, as many workflows do.
    let messages_end = stderr.find("Stack backtrace:").unwrap_or(stderr.len());
    for line in stderr[..messages_end].lines() {
        let mut line = line.trim().trim_end_matches(':');
        for mark in ["error: ", "fatal: ", "gh: ", "--> "] {
            line = line.trim_start_matches(mark);
        }
        let excerpt = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let noise = excerpt.starts_with('|') || NOISE.iter().any(|noise| line.starts_with(noise));
        if !line.is_empty() && !noise {
            messages.push(line);
        }
    }
    plain(&messages.join(": "))
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
            "gh api list -X POST",
            "cargo publish",
            "cargo yank a",
            "cargo owner --add me a",
            "cargo login",
            "curl https://example.com",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(!reads_only(&words), "{line}");
        }
        for line in [
            "git -c core.eol=lf archive HEAD",
            "git -C . ls-remote origin",
            "gh pr list --head a",
            "gh api --paginate repos/o/r/releases",
            "cargo metadata --no-deps",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            assert!(reads_only(&words), "{line}");
        }
    }

    #[test]
    fn a_token_reaches_the_commands_that_need_it_and_no_other() {
        use Tokens::{None, Origin, Registry};
        for (name, with) in [
            ("GH_TOKEN", &[Origin][..]),
            ("GITHUB_TOKEN", &[Origin]),
            ("SSH_AUTH_SOCK", &[Origin]),
            ("CARGO_REGISTRY_TOKEN", &[Registry]),
            ("CARGO_REGISTRIES_OWN_TOKEN", &[Registry]),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", &[]),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", &[]),
            ("VAULT_TOKEN", &[Origin, Registry]),
            ("CARGO_HOME", &[None, Origin, Registry]),
        ] {
            for tokens in [None, Origin, Registry] {
                assert_eq!(
                    !is_for_others(name, tokens),
                    with.contains(&tokens),
                    "{name}, {tokens:?}"
                );
            }
        }
    }
}
