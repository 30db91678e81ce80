//! Everything that changes something beyond this machine, and nothing else: audit this file and its callers first. It is a
//! private module of this program, and a test keeps these commands out of every other file.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use semver::Version;
use xshell::{Cmd, Shell, cmd};

use release_train::world::github::gh;
use release_train::world::process;
use release_train::{Context, Result, say};

/// Pushes new refs to `origin`, all or none: each a commit or tag object and a full name that must not exist yet. Nothing of
/// the user's is pushed along: no tags, no submodules; no hooks run and nothing is signed.
pub fn push(sh: &Shell, refs: &[(String, String)]) -> Result<()> {
    // An empty lease: without it, a branch that someone else has just pushed would be moved forward silently.
    let leases = refs
        .iter()
        .map(|(_, name)| format!("--force-with-lease={name}:"));
    let refspecs = refs.iter().map(|(object, name)| format!("{object}:{name}"));
    let only_these = [
        "--no-follow-tags",
        "--recurse-submodules=no",
        "--no-verify",
        "--no-signed",
    ];
    let push = cmd!(
        sh,
        "git push --quiet --atomic {only_these...} {leases...} origin {refspecs...}"
    );
    act(push, "").map(drop)
}

/// Opens a pull request and returns its URL.
pub fn open_pull_request(
    sh: &Shell,
    head: &str,
    base: &str,
    title: &str,
    body: &str,
) -> Result<String> {
    let create = [
        "pr",
        "create",
        "--head",
        head,
        "--base",
        base,
        "--title",
        title,
        "--body-file",
        "-",
    ];
    act(gh(sh, &create), body).context("gh")
}

/// Publishes packages (`name@version`), and passes on each line of cargo's stderr as it comes. Whether cargo succeeded does not
/// matter: some may be published if it failed, and the index tells which.
pub fn publish(
    sh: &Shell,
    registry: &str,
    packages: &[String],
    on_line: &mut dyn FnMut(&str),
) -> Result<()> {
    let packages = packages.iter().flat_map(|package| ["--package", package]);
    let cmd = cmd!(
        sh,
        "cargo publish --no-verify --registry {registry} {packages...}"
    );
    say(format_args!("$ {cmd}"));
    let mut command = process::without_inherited_env(cmd);
    // Whatever the user's configuration of cargo says, the lines are those that `publish` reads.
    command.envs([
        ("CARGO_TERM_COLOR", "never"),
        ("CARGO_TERM_QUIET", "false"),
        ("CARGO_TERM_VERBOSE", "false"),
        ("CARGO_TERM_PROGRESS_WHEN", "never"),
    ]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = process::start(&mut command)?;
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).split(b'\n') {
            on_line(&String::from_utf8_lossy(&line?));
        }
    }
    child.wait()?;
    Ok(())
}

/// Yanks one version of a crate.
pub fn yank(sh: &Shell, registry: &str, name: &str, version: &Version) -> Result<()> {
    let version = version.to_string();
    act(
        cmd!(
            sh,
            "cargo yank --registry {registry} --version {version} {name}"
        ),
        "",
    )
    .map(drop)
}

/// Creates a draft release for a tag that exists.
pub fn create_draft(
    sh: &Shell,
    tag: &str,
    title: &str,
    notes: &str,
    prerelease: bool,
) -> Result<()> {
    let mut create = vec![
        "release",
        "create",
        tag,
        "--draft",
        "--title",
        title,
        "--notes-file",
        "-",
    ];
    create.extend(prerelease.then_some("--prerelease"));
    act(gh(sh, &create), notes).context("gh").map(drop)
}

/// Uploads files to a release; a file of the same name there is replaced.
pub fn upload_assets(sh: &Shell, tag: &str, files: &[PathBuf]) -> Result<()> {
    let upload = gh(sh, &["release", "upload", tag, "--clobber"]).args(files);
    act(upload, "").context("gh").map(drop)
}

/// Publishes a draft. Whether it is the latest release is always passed, never left to the server.
pub fn publish_draft(sh: &Shell, tag: &str, prerelease: bool, latest: bool) -> Result<()> {
    let (prerelease, latest) = (
        format!("--prerelease={prerelease}"),
        format!("--latest={latest}"),
    );
    let edit = gh(
        sh,
        &[
            "release",
            "edit",
            tag,
            "--draft=false",
            &prerelease,
            &latest,
        ],
    );
    act(edit, "").context("gh").map(drop)
}

/// Marks a public release as the latest one.
pub fn mark_latest(sh: &Shell, tag: &str) -> Result<()> {
    act(gh(sh, &["release", "edit", tag, "--latest"]), "")
        .context("gh")
        .map(drop)
}

/// Prints a command, runs it, and returns its stdout. A text goes in as stdin: untrusted text must not begin a line of a
/// workflow's log, where GitHub would read it as a command.
fn act(cmd: Cmd, stdin: &str) -> Result<String> {
    say(format_args!("$ {cmd}"));
    process::collect(process::without_inherited_env(cmd), stdin, &[0])
}
