//! `report-failure`: an issue that says that a workflow failed, so that a release which does not come is never silent.

use xshell::Shell;

use crate::git::{begin, fetch};
use crate::github::{is_public, open_issue};
use crate::tasks::{name, push_tag};
use crate::version::tag;
use crate::workspace::Workspace;
use crate::{Arguments, Result, finish, outward, say};

pub const HELP: &str = "\
cargo xtask report-failure [--branch release-X.Y.0]

Where a job of GitHub's has failed: opens an issue that leads to it, unless one of the same title is open. With --branch
only if a release of that branch has not come: its version is dated, or a candidate, and has no tag, or has a tag and no
public release on GitHub.
";

/// Reads the command line, and reports.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let branch: Option<String> = arguments.opt_value_from_str("--branch")?;
    finish(arguments)?;
    let workflow = of_workflow("GITHUB_WORKFLOW")?;
    let address = run_url()?;

    let (title, what) = match branch {
        None => (format!("The workflow `{workflow}` failed"), "To start it again is safe.".to_string()),
        Some(branch) => {
            let (_alone, remote) = begin(sh)?;
            fetch(sh, &[&branch])?;
            let (version, ready) = push_tag::facts(sh, &branch, remote.branch(&branch)?)?;
            let tag = tag(&version);
            let tagged = remote.tags.contains_key(&version);
            if if tagged { is_public(sh, &tag)? } else { !ready } {
                say(format_args!("nothing to report: no release of `{branch}` is waiting"));
                return Ok(());
            }
            let name = name(sh, &Workspace::load(sh)?.config)?;
            let state = if tagged {
                format!("`{tag}` is out, and its release is not public yet")
            } else {
                format!("`{branch}` is at {version}, ready to release, and there is no tag `{tag}`")
            };
            let how = format!(
                "{state}. Mend what failed: if that takes a commit on `{branch}`, the push of it starts everything again; \
                 otherwise re-run the failed jobs, or start the workflow by hand on that branch. It goes on from there."
            );
            (format!("The release of {name} {version} has not come"), how)
        }
    };
    if let Some(url) = open_issue(sh, &title)? {
        say(format_args!("nothing to do: {url} is open: {title}"));
        return Ok(());
    }
    let body = format!("A job of the workflow `{workflow}` failed: {address}\n\n{what}\n");
    let url = outward::open_issue(sh, &title, &body)?;
    say(format_args!("opened {url}: {title}"));
    Ok(())
}

/// The address of the run that this task is part of.
pub fn run_url() -> Result<String> {
    let [server, repository, id] =
        ["SERVER_URL", "REPOSITORY", "RUN_ID"].map(|it| of_workflow(&format!("GITHUB_{it}")));
    Ok(format!("{}/{}/actions/runs/{}", server?, repository?, id?))
}

fn of_workflow(name: &str) -> Result<String> {
    Ok(std::env::var(name).map_err(|_| format!("{name} is not set: this task is for a workflow"))?)
}
