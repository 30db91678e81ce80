//! One file a command. A task reads from top to bottom: observe, decide, prepare, act.

pub mod bump;
pub mod check_branches;
pub mod cut;
pub mod dist;
pub mod github_release;
pub mod notes;
pub mod publish;
pub mod push_tag;
pub mod release;
pub mod report_failure;
pub mod status;
pub mod sync_notes;
pub mod verify;
pub mod yank;

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use semver::Version;
use time::OffsetDateTime;
use xshell::{Shell, cmd};

use crate::config::Config;
use crate::git::{Remote, uncommitted};
use crate::github::open_issue;
use crate::version::tag;
use crate::worktree::alone;
use crate::{Arguments, Result, outward, say, shell};

/// The project's name in titles: the configured one, or the repository's.
pub fn name(sh: &Shell, config: &Config) -> Result<String> {
    config.name.clone().map_or_else(|| repository_name(sh), Ok)
}

/// The last name in the address of origin, or else that of the repository's folder.
pub fn repository_name(sh: &Shell) -> Result<String> {
    let address = shell::read(cmd!(sh, "git remote get-url origin")).ok();
    let folder = shell::read(cmd!(sh, "git rev-parse --show-toplevel"))?;
    let last = |place: &str| -> Option<String> {
        // A clone of `.` has an address that ends so.
        let name = Path::new(place).file_name()?.to_str()?.rsplit([':', '\\']).next()?;
        Some(name.trim_end_matches(".git").to_string()).filter(|name| !name.is_empty())
    };
    let name = address.and_then(|address| last(&address)).or_else(|| last(&folder));
    Ok(name.ok_or("the repository has no name: say `name` in [workspace.metadata.release-train]")?)
}

/// How long a task goes on when nothing goes forward: what is said, or else so many seconds.
fn patience(arguments: &mut Arguments, seconds: u64) -> Result<Duration> {
    Ok(Duration::from_secs(arguments.opt_value_from_str("--patience")?.unwrap_or(seconds)))
}

/// Waits until the moment that a registry has named, with a count-down where a human watches. Returns how long that was:
/// to wait as one is told is not to stand still.
fn wait(until: OffsetDateTime, why: &str) -> Duration {
    let begun = Instant::now();
    let left = || Duration::try_from(until - OffsetDateTime::now_utc()).unwrap_or_default();
    say(format_args!("{why}\nwaiting until then, {} s", left().as_secs()));
    while !left().is_zero() {
        if std::io::stderr().is_terminal() {
            let _ = write!(std::io::stderr(), "{:6} s \r", left().as_secs());
        }
        sleep(left().min(Duration::from_secs(1)));
    }
    begun.elapsed()
}

/// Waits a while, the longer, the longer nothing has gone forward.
fn pause(quiet: Instant) {
    sleep((quiet.elapsed() / 2).clamp(Duration::from_secs(1), Duration::from_secs(60)));
}

/// Fails if a file is not as it was committed, `untracked` as in `uncommitted`.
pub fn committed(sh: &Shell, untracked: &str) -> Result<()> {
    match uncommitted(sh, untracked)? {
        Some(file) => Err(format!("`{file}` is not committed: what goes out must be a commit").into()),
        None => Ok(()),
    }
}

/// The tag of a version, which must be at HEAD: whatever is made public is what everybody finds under the tag.
fn at_tag(sh: &Shell, remote: &Remote, version: &Version) -> Result<String> {
    let tag = tag(version);
    let head = shell::read(cmd!(sh, "git rev-parse HEAD"))?;
    match remote.tags.get(version) {
        Some(commit) if *commit == head => Ok(tag),
        Some(commit) => Err(format!("{tag} is at {commit}, not at HEAD: check it out, `git checkout {tag}`").into()),
        None => Err(format!("origin has no tag {tag}: `cargo xtask push-tag` comes first").into()),
    }
}

/// Opens an issue, unless one of this title is open, and says which. One at a time in a clone: issues have no lease.
fn report(sh: &Shell, title: &str, body: &str) -> Result<()> {
    let _alone = alone(sh)?;
    match open_issue(sh, title)? {
        Some(url) => say(format_args!("nothing to do: {url} is open: {title}")),
        None => say(format_args!("opened {}: {title}", outward::open_issue(sh, title, body)?)),
    }
    Ok(())
}
