//! `check-branches`: CI of the release branches that get no commits for weeks, so that they can release when they must.

use std::time::Instant;

use time::Date;
use xshell::Shell;

use crate::git::begin;
use crate::github::{open_issue, started_run};
use crate::tasks::{patience, pause, release};
use crate::{Arguments, Result, finish, outward, say};

pub const HELP: &str = "\
cargo xtask check-branches [--workflow main.yml] [--patience SECONDS]

Starts the workflow on each supported release branch, as it is there, waits for all of them, and opens an issue for each
that does not succeed, unless it is open. A run that was started for the same commit today counts.

  --workflow  the file in .github/workflows, else main.yml; it must have `workflow_dispatch` there
  --patience  how long it waits for the last of them, else five hours
";

/// Reads the command line, and checks. `today` is the day whose runs count.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let workflow = arguments.opt_value_from_str("--workflow")?.unwrap_or("main.yml".to_string());
    let patience = patience(&mut arguments, 5 * 60 * 60)?;
    finish(arguments)?;
    let (alone, remote) = begin(sh)?;
    let branches = release::all_supported(sh, &remote, today)?;
    drop(alone); // it waits for hours
    if branches.is_empty() {
        say(format_args!("nothing to do: no release branch has left"));
    }

    let mut open: Vec<(&String, &String)> = Vec::new();
    let mut wrong = Vec::new();
    for branch in &branches {
        let commit = remote.branch(branch)?;
        let started = match started_run(sh, &workflow, branch, commit, today)? {
            Some(run) => {
                say(format_args!("`{branch}`: there is {}", run.url));
                Ok(())
            }
            None => outward::start_workflow(sh, &workflow, branch),
        };
        match started {
            Ok(()) => open.push((branch, commit)),
            Err(error) => wrong.push(format!("`{branch}`: {workflow} did not start: {error}")),
        }
    }
    let begun = Instant::now();
    while !open.is_empty() {
        let mut waiting = Vec::new();
        for (branch, commit) in open {
            let run = started_run(sh, &workflow, branch, commit, today)?;
            match run.as_ref().and_then(|run| run.success) {
                Some(true) => say(format_args!("`{branch}` is well")),
                Some(false) => report(sh, branch, &run.map(|run| run.url).unwrap_or_default())?,
                None => waiting.push((branch, commit)),
            }
        }
        if begun.elapsed() >= patience {
            wrong.extend(waiting.iter().map(|(branch, _)| format!("`{branch}`: {workflow} has not ended")));
            break;
        }
        if !waiting.is_empty() {
            pause(begun);
        }
        open = waiting;
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("; ").into()),
    }
}

/// A branch whose CI fails is not an error of this task: the issue is what comes of it.
fn report(sh: &Shell, branch: &str, run: &str) -> Result<()> {
    let title = format!("CI fails on `{branch}`");
    if let Some(url) = open_issue(sh, &title)? {
        say(format_args!("`{branch}` is not well: {run}; {url} is open"));
        return Ok(());
    }
    let body = format!(
        "{run}\n\nNothing has changed there that CI had not seen: it was started to see whether `{branch}` could still \
         be released. Mend it before a patch is urgent.\n"
    );
    let url = outward::open_issue(sh, &title, &body)?;
    say(format_args!("`{branch}` is not well: {run}; opened {url}"));
    Ok(())
}
