//! Everything that changes something beyond this machine, and nothing else: who audits the tool reads this file and its
//! callers first. A test keeps these commands out of every other file.

use std::path::PathBuf;

use semver::Version;
use time::OffsetDateTime;
use xshell::{Shell, cmd};

use crate::github::gh;
use crate::{Context, Result, answer, shell};

/// Pushes new refs to `origin`, all or none: each a commit or tag object and the full name that must not be there yet.
/// Nothing of the user's goes along: no tags, no submodules, no hooks, no signature.
pub fn push(sh: &Shell, refs: &[(String, String)]) -> Result<()> {
    // An empty lease: without it a branch that somebody else has just made would be moved forward in silence.
    let leases = refs.iter().map(|(_, name)| format!("--force-with-lease={name}:"));
    let refspecs = refs.iter().map(|(object, name)| format!("{object}:{name}"));
    let ours_alone = ["--no-follow-tags", "--recurse-submodules=no", "--no-verify", "--no-signed"];
    shell::act(cmd!(sh, "git push --quiet --atomic {ours_alone...} {leases...} origin {refspecs...}"), "").map(drop)
}

/// Opens a pull request and returns its address.
pub fn open_pull_request(sh: &Shell, head: &str, base: &str, title: &str, body: &str) -> Result<String> {
    let arguments = ["pr", "create", "--head", head, "--base", base, "--title", title, "--body-file", "-"];
    act_on_github(sh, &arguments, body)
}

/// Opens an issue and returns its address.
pub fn open_issue(sh: &Shell, title: &str, body: &str) -> Result<String> {
    act_on_github(sh, &["issue", "create", "--title", title, "--body-file", "-"], body)
}

/// Starts a workflow, which must have `workflow_dispatch` there, as it is on a branch.
pub fn start_workflow(sh: &Shell, workflow: &str, branch: &str) -> Result<()> {
    act_on_github(sh, &["workflow", "run", workflow, "--ref", branch], "").map(drop)
}

/// Publishes crates and hands over each line that cargo says on stderr. False if cargo failed: some may be out then.
pub fn publish(sh: &Shell, registry: &str, names: &[String], said: &mut dyn FnMut(&str)) -> Result<bool> {
    let packages = names.iter().flat_map(|name| ["--package", name]);
    shell::follow(cmd!(sh, "cargo publish --no-verify --registry {registry} {packages...}"), said)
}

/// Makes somebody, or a team, an owner of a crate, or says what somebody else has to run for it.
pub fn add_owner(sh: &Shell, registry: &str, name: &str, owner: &str) -> Result<()> {
    let cmd = || cmd!(sh, "cargo owner --registry {registry} --add {owner} {name}");
    let (_, why) = match shell::act(cmd(), "") {
        Ok(_) => return Ok(()),
        Err(error) => answer::read(&error.to_string(), OffsetDateTime::now_utc()),
    };
    if why.contains("already an owner") {
        return Ok(());
    }
    Err(format!("{name}: {why}; someone who may do it runs: {}", cmd()).into())
}

/// Yanks one version of a crate.
pub fn yank(sh: &Shell, registry: &str, name: &str, version: &Version) -> Result<()> {
    let version = version.to_string();
    shell::act(cmd!(sh, "cargo yank --registry {registry} --version {version} {name}"), "").map(drop)
}

/// Makes a draft of a release for a tag that is there.
pub fn draft_release(sh: &Shell, tag: &str, title: &str, notes: &str, candidate: bool) -> Result<()> {
    let mut arguments = vec!["release", "create", tag, "--draft", "--title", title, "--notes-file", "-"];
    arguments.extend(candidate.then_some("--prerelease"));
    act_on_github(sh, &arguments, notes).map(drop)
}

/// Uploads files to a release, in the place of those that are there under their names.
pub fn upload_assets(sh: &Shell, tag: &str, files: &[PathBuf]) -> Result<()> {
    let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    let mut arguments = vec!["release", "upload", tag, "--clobber"];
    arguments.extend(files.iter().map(String::as_str));
    act_on_github(sh, &arguments, "").map(drop)
}

/// Makes a draft public. What is the latest release is said, and never left to the server.
pub fn publish_release(sh: &Shell, tag: &str, candidate: bool, latest: bool) -> Result<()> {
    let (candidate, latest) = (format!("--prerelease={candidate}"), format!("--latest={latest}"));
    act_on_github(sh, &["release", "edit", tag, "--draft=false", &candidate, &latest], "").map(drop)
}

/// Makes a release that is public the latest one.
pub fn mark_latest(sh: &Shell, tag: &str) -> Result<()> {
    act_on_github(sh, &["release", "edit", tag, "--latest"], "").map(drop)
}

fn act_on_github(sh: &Shell, arguments: &[&str], stdin: &str) -> Result<String> {
    shell::act(gh(sh, arguments)?, stdin).context("gh")
}
