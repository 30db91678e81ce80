//! Everything that changes something beyond this machine, and nothing else: audit this file and its callers first. It is a
//! private module of this program, and a test keeps these commands out of every other file.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use semver::Version;
use xshell::{Cmd, Shell, cmd};

use release_train::world::github::repo;
use release_train::world::process::{Tokens, collect, prepared, start};
use release_train::{Context, Result, say};

/// A ref to push: a commit or tag object, its full name, and the commit that it must be at now; empty if it must not exist.
pub struct Push {
    pub object: String,
    pub name: String,
    pub old: String,
}

/// Pushes refs to `origin`, all or none. Nothing of the user's is pushed along: no tags, no submodules; no hooks run and
/// nothing is signed.
pub fn push(sh: &Shell, pushes: &[Push]) -> Result<()> {
    // A lease: without it, a branch that someone else has just pushed would be moved silently.
    let lease = |push: &Push| format!("--force-with-lease={}:{}", push.name, push.old);
    let leases = pushes.iter().map(lease);
    let refspec = |push: &Push| format!("{}:{}", push.object, push.name);
    let refs = pushes.iter().map(refspec);
    let alone = "--no-follow-tags --recurse-submodules=no --no-verify --no-signed";
    let options = ["--quiet", "--atomic"].into_iter().chain(alone.split(' '));
    let push = cmd!(sh, "git push {options...} {leases...} origin {refs...}");
    act(push, Tokens::Origin, "").map(drop)
}

/// Opens a pull request and returns its URL.
pub fn open_pull_request(
    sh: &Shell,
    head: &str,
    base: &str,
    title: &str,
    body: &str,
) -> Result<String> {
    let branches = ["--head", head, "--base", base];
    let create = cmd!(
        sh,
        "gh pr create {branches...} --title {title} --body-file -"
    );
    on_github(sh, create, body)
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
    let options = ["--no-verify", "--registry", registry];
    let publish = cmd!(sh, "cargo publish {options...} {packages...}");
    say!("$ {publish}");
    let mut command = prepared(publish, Tokens::Registry);
    // Whatever the user's configuration of cargo says, the lines are those that `publish` reads.
    command.envs([
        ("CARGO_TERM_COLOR", "never"),
        ("CARGO_TERM_QUIET", "false"),
        ("CARGO_TERM_VERBOSE", "false"),
        ("CARGO_TERM_PROGRESS_WHEN", "never"),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = start(command.stderr(Stdio::piped()))?;
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
    let of = ["--registry", registry, "--version", &version.to_string()];
    act(cmd!(sh, "cargo yank {of...} {name}"), Tokens::Registry, "").map(drop)
}

/// Creates a draft release for a tag that exists. It becomes a pre-release, if it is to be one, when it is made public.
pub fn create_draft(sh: &Shell, tag: &str, title: &str, notes: &str) -> Result<()> {
    let options = ["--draft", "--title", title, "--notes-file", "-"];
    on_github(sh, cmd!(sh, "gh release create {tag} {options...}"), notes).map(drop)
}

/// Uploads files to a release; a file of the same name there is replaced.
pub fn upload_assets(sh: &Shell, tag: &str, files: &[PathBuf]) -> Result<()> {
    on_github(
        sh,
        cmd!(sh, "gh release upload {tag} --clobber {files...}"),
        "",
    )
    .map(drop)
}

/// Makes a release public, a draft or not. Whether it is the latest one is always passed, never left to the server.
pub fn publish_release(sh: &Shell, tag: &str, prerelease: bool, latest: bool) -> Result<()> {
    let kind = format!("--prerelease={prerelease}");
    let edit = cmd!(sh, "gh release edit {tag} --draft=false {kind}");
    on_github(sh, edit.arg(format!("--latest={latest}")), "").map(drop)
}

/// Starts a workflow as it is at a branch or tag.
pub fn start_workflow(sh: &Shell, file: &str, reference: &str) -> Result<()> {
    on_github(sh, cmd!(sh, "gh workflow run {file} --ref {reference}"), "").map(drop)
}

fn on_github(sh: &Shell, cmd: Cmd, stdin: &str) -> Result<String> {
    let done = act(cmd.args(repo(sh)?), Tokens::Origin, stdin).context("gh");
    done.map_err(|error| {
        // gh says so whatever kept it from looking.
        let why =
            "GitHub shows no such release, did not answer, or refused the token: run this again";
        error.to_string().replace("release not found", why).into()
    })
}

/// Prints a command, runs it, and returns its stdout. A text goes in as stdin: untrusted text must not begin a line of a
/// workflow's log, where GitHub would read it as a command.
fn act(cmd: Cmd, tokens: Tokens, stdin: &str) -> Result<String> {
    say!("$ {cmd}");
    collect(prepared(cmd, tokens), stdin, &[0])
}
