//! Everything that changes something beyond this machine, and nothing else: who audits the tool reads this file and its
//! callers first. A test keeps these commands out of every other file.

use xshell::{Shell, cmd};

use crate::github::gh;
use crate::{Result, shell};

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
    let printed = shell::act(gh(sh, &arguments)?, body).map_err(|error| format!("gh: {error}"))?;
    Ok(printed.trim().to_string())
}
