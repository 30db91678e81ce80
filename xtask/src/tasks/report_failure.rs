//! `report-failure`: an issue that says what failed in a workflow, so that a release which does not come is never silent.

use time::Date;
use xshell::Shell;

use crate::git::{begin, fetch};
use crate::github::is_public;
use crate::tasks::{name, push_tag, report};
use crate::version::{tag, tag_version};
use crate::workspace::Workspace;
use crate::{Arguments, Result, finish, say};

pub const HELP: &str = "\
cargo xtask report-failure [--branch release-X.Y.0] [--tag vX.Y.Z]

Where a job of GitHub's has failed: opens an issue that leads to it, unless one of the same title is open.

  --branch  only if a release of that branch has not come: its version is dated, or a candidate, and has no tag, or has a
            tag and no public release on GitHub
  --tag     the release of this tag, which is there, is what is not finished
";

/// Reads the command line, and reports. `today` stands in the title of what is about no release.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    let of_tag: Option<String> = arguments.opt_value_from_str("--tag")?;
    finish(arguments)?;
    let workflow = of_workflow("WORKFLOW")?;
    let [server, repository, run] = ["SERVER_URL", "REPOSITORY", "RUN_ID"].map(of_workflow);
    let address = format!("{}/{}/actions/runs/{}", server?, repository?, run?);
    let name = || name(sh, &Workspace::load(sh)?.config);

    let (title, what) = match (branch, of_tag) {
        (_, Some(tag)) => {
            let version = tag_version(&tag).ok_or_else(|| format!("`{tag}` is no tag of a release"))?;
            (
                format!("The release of {} {version} is not finished", name()?),
                format!("`{tag}` is there. Re-run the failed jobs, or start the workflow by hand, with the tag."),
            )
        }
        (Some(branch), None) => {
            let (_alone, remote) = begin(sh)?;
            let head = remote.branch(&branch)?;
            fetch(sh, &[&branch])?;
            let (version, ready) = push_tag::facts(sh, &branch, head)?;
            let tag = tag(&version);
            let tagged = remote.tags.contains_key(&version);
            let waits = if tagged { !is_public(sh, &tag)? } else { ready };
            if !waits {
                say(format_args!("nothing to report: no release of `{branch}` is waiting"));
                return Ok(());
            }
            let state = if tagged { "is there, and its release is not public" } else { "is not there" };
            let how = format!(
                "`{branch}` is at {version}, ready to release, and `{tag}` {state}. If the failure passes, re-run the failed \
                 jobs. If it takes a commit to mend it, that one must be marked, too: CI runs on the commit that is tagged."
            );
            (format!("The release of {} {version} has not come", name()?), how)
        }
        (None, None) => {
            (format!("The workflow `{workflow}` failed on {today}"), "To start it again is safe.".to_string())
        }
    };
    report(sh, &title, &format!("A job of `{workflow}` failed: {address}\n\n{what}\n"))
}

/// What GitHub tells the steps of a job.
fn of_workflow(name: &str) -> Result<String> {
    let name = format!("GITHUB_{name}");
    Ok(std::env::var(&name).map_err(|_| format!("{name} is not set: this task is for a workflow"))?)
}
