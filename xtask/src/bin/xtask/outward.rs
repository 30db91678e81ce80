//! Everything that changes something beyond this machine, and nothing else: audit this file and its callers first. It is a
//! private module of this program, and a test keeps these commands out of every other file.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use semver::Version;
use xshell::{Cmd, Shell, cmd};

use release_train::world::process::{collect, start, without_inherited_env};
use release_train::{Context, Result, say};

/// Pushes new refs to `origin`, all or none: each a commit or tag object and a full name that must not exist yet. Nothing of
/// the user's is pushed along: no tags, no submodules; no hooks run and nothing is signed.
pub fn push(sh: &Shell, refs: &[(String, String)]) -> Result<()> {
    // An empty lease: without it, a branch that someone else has just pushed would be moved forward silently.
    let leases = refs
        .iter()
        .map(|(_, name)| format!("--force-with-lease={name}:"));
    let refspecs = refs.iter().map(|(object, name)| format!("{object}:{name}"));
    let alone = [
        "--no-follow-tags",
        "--recurse-submodules=no",
        "--no-verify",
        "--no-signed",
    ];
    act(
        cmd!(
            sh,
            "git push --quiet --atomic {alone...} {leases...} origin {refspecs...}"
        ),
        "",
    )?;
    Ok(())
}

/// Opens a pull request and returns its URL.
pub fn open_pull_request(
    sh: &Shell,
    head: &str,
    base: &str,
    title: &str,
    body: &str,
) -> Result<String> {
    let create = cmd!(
        sh,
        "gh pr create --head {head} --base {base} --title {title} --body-file -"
    );
    act(create, body).context("gh")
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
    let publish = cmd!(
        sh,
        "cargo publish --no-verify --registry {registry} {packages...}"
    );
    say!("$ {publish}");
    let mut command = without_inherited_env(publish);
    // Whatever the user's configuration of cargo says, the lines are those that `publish` reads.
    for (name, value) in [
        ("COLOR", "never"),
        ("QUIET", "false"),
        ("VERBOSE", "false"),
        ("PROGRESS_WHEN", "never"),
    ] {
        command.env(format!("CARGO_TERM_{name}"), value);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = start(&mut command)?;
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
    )?;
    Ok(())
}

/// Creates a draft release for a tag that exists.
pub fn create_draft(
    sh: &Shell,
    tag: &str,
    title: &str,
    notes: &str,
    prerelease: bool,
) -> Result<()> {
    let kind = if prerelease {
        &["--prerelease"][..]
    } else {
        &[]
    };
    act(
        cmd!(
            sh,
            "gh release create {tag} --draft {kind...} --title {title} --notes-file -"
        ),
        notes,
    )
    .context("gh")?;
    Ok(())
}

/// Uploads files to a release; a file of the same name there is replaced.
pub fn upload_assets(sh: &Shell, tag: &str, files: &[PathBuf]) -> Result<()> {
    act(cmd!(sh, "gh release upload {tag} --clobber {files...}"), "").context("gh")?;
    Ok(())
}

/// Publishes a draft. Whether it is the latest release is always passed, never left to the server.
pub fn publish_draft(sh: &Shell, tag: &str, prerelease: bool, latest: bool) -> Result<()> {
    let kind = [
        format!("--prerelease={prerelease}"),
        format!("--latest={latest}"),
    ];
    act(
        cmd!(sh, "gh release edit {tag} --draft=false {kind...}"),
        "",
    )
    .context("gh")?;
    Ok(())
}

/// Marks a public release as the latest one.
pub fn mark_latest(sh: &Shell, tag: &str) -> Result<()> {
    act(cmd!(sh, "gh release edit {tag} --latest"), "").context("gh")?;
    Ok(())
}

/// Starts a workflow as it is at a branch or tag.
pub fn start_workflow(sh: &Shell, file: &str, reference: &str) -> Result<()> {
    act(cmd!(sh, "gh workflow run {file} --ref {reference}"), "").context("gh")?;
    Ok(())
}

/// Prints a command, runs it, and returns its stdout. A text goes in as stdin: untrusted text must not begin a line of a
/// workflow's log, where GitHub would read it as a command.
fn act(cmd: Cmd, stdin: &str) -> Result<String> {
    say!("$ {cmd}");
    collect(without_inherited_env(cmd), stdin, &[0])
}
