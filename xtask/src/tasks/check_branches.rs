//! `check-branches`: CI of the release branches that get no commits for weeks, so that they can release when they must.

use std::time::Instant;

use time::Date;
use xshell::Shell;

use crate::git::begin;
use crate::github::{Run, started_run};
use crate::tasks::{patience, pause, release, report};
use crate::{Arguments, Result, finish, outward, say};

pub const HELP: &str = "\
cargo xtask check-branches [--workflow main.yml] [--patience SECONDS]

Starts the workflow on each supported release branch, as it is there, waits for all of them, and opens an issue for each
that does not succeed, unless it is open. A run that was started for the same commit today counts.

  --workflow  the file in .github/workflows, else main.yml; it must have `workflow_dispatch` there
  --patience  how long it waits for the last of them, else five hours
";

const ADVICE: &str =
    "It was started to see whether the branch could still be released. Mend it before a patch is urgent.";

/// Reads the command line, and checks. `today` is the day whose runs count.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let workflow = arguments.opt_value_from_str("--workflow")?.unwrap_or("main.yml".to_string());
    let patience = patience(&mut arguments, 5 * 60 * 60)?;
    finish(arguments)?;
    let (alone, remote) = begin(sh)?;
    let branches = release::all_supported(sh, &remote, today)?;
    if branches.is_empty() {
        say(format_args!("nothing to do: no release branch has left"));
    }

    let mut open: Vec<(&String, &String)> = Vec::new();
    let mut wrong = Vec::new();
    for branch in &branches {
        let commit = remote.branch(branch)?;
        if let Some(run) = started_run(sh, &workflow, branch, commit, today)? {
            say(format_args!("`{branch}`: there is {}", run.url));
        } else if let Err(error) = outward::start_workflow(sh, &workflow, branch) {
            wrong.push(format!("`{branch}`: {workflow} did not start: {error}"));
            continue;
        }
        open.push((branch, commit));
    }
    drop(alone); // it waits for hours
    let begun = Instant::now();
    while !open.is_empty() {
        let mut waiting = Vec::new();
        for (branch, commit) in open {
            match started_run(sh, &workflow, branch, commit, today) {
                Ok(Some(Run { success: Some(true), .. })) => say(format_args!("`{branch}` is well")),
                // A branch whose CI fails is not an error of this task: the issue is what comes of it.
                Ok(Some(Run { success: Some(false), url })) => {
                    say(format_args!("`{branch}` is not well: {url}"));
                    report(sh, &format!("CI fails on `{branch}`"), &format!("{url}\n\n{ADVICE}\n"))?;
                }
                Ok(_) => waiting.push((branch, commit)),
                // In hours of asking, one question that fails says nothing about the run.
                Err(error) => {
                    say(format_args!("`{branch}`: {error}"));
                    waiting.push((branch, commit));
                }
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
