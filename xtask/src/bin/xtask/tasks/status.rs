//! `status`: where each train is, and what to run next. It changes nothing. The rules are in `rules/status.rs`; this gathers
//! the facts. A release is complete when its page on GitHub is public: `github-release` publishes that last, once the
//! registry has every crate.

use std::collections::BTreeSet;

use semver::Version;
use serde_json::json;
use time::{Date, Duration};
use xshell::Shell;

use crate::tasks::github_release::wrongly_not_latest;
use crate::tasks::{cut, project_name, push_tag, release, sync_notes};
use release_train::rules::status::{Action, Facts, ReleaseBranch, Step};
use release_train::rules::version::{first_of_line, release_branch};
use release_train::world::git::{self, Remote, lock_and_read_remote};
use release_train::world::github::{self, Release};
use release_train::world::workspace::read_notes;
use release_train::{Arguments, Context, Error, Result, finish, print};

pub const HELP: &str = "\
Shows where each train is, and what to run next.

cargo xtask status [--json] [--date YYYY-MM-DD]

  --json  the supported branches and what to do next, for a script
  --date  stands for today

It shows main, every release branch that is supported or has work under way, and
the open pull requests with their CI. It changes nothing.

Example: cargo xtask status
";

/// Reads the command line, and shows.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let as_json = arguments.contains("--json");
    finish(arguments)?;
    let (_lock, remote) = lock_and_read_remote(sh)?;
    let main = &remote.main;
    let (tree, workspace) = release::read_main(sh, &remote)?;
    let supported = release::supported(sh, &remote, &workspace.config, today)?;

    // What GitHub does not answer is named, and the rest is shown.
    let mut problems = Vec::new();
    let opened = github::proposals(sh).unwrap_or_else(|error| note(&mut problems, error));
    let trains = remote.release_branches();
    let last = cut::last_train(&remote, None);
    let bumps = cut::bumps_after(sh, &remote, &workspace.config, last.as_ref());
    let bumps = bumps.unwrap_or_else(|error| note(&mut problems, error));
    let pages = github::releases(sh).unwrap_or_else(|error| note(&mut problems, error));
    let latest = github::latest_release(sh).unwrap_or_else(|error| note(&mut problems, error));
    problems.dedup();
    let github_answers = problems.is_empty();

    let is_released = |first: &&Version| remote.first_release(first).is_some();
    let newest_released = trains.keys().rfind(is_released);
    let mut branches = Vec::new();
    // Where the branch of a train was deleted, its tags are there.
    let mut lines = BTreeSet::from_iter(remote.tags.keys().map(first_of_line));
    lines.extend(trains.keys().cloned());
    for first in &lines {
        let mut unfinished = match github_answers {
            true => unfinished(sh, &remote, &pages, first, today)
                .unwrap_or_else(|error| note(&mut problems, error)),
            false => Vec::new(),
        };
        unfinished.retain(|version| {
            let checked = release::check_tag(sh, &remote, version);
            problems.extend(checked.as_ref().err().map(ToString::to_string));
            checked.is_ok()
        });
        let Some(name) = trains.get(first) else {
            for version in &unfinished {
                problems.extend(without_branch(sh, &remote, version)?);
            }
            continue;
        };
        let until = supported.iter().find(|(supported, _)| supported == name);
        let until = until.map(|(_, until)| *until);
        let unfinished = Vec::from_iter(unfinished.iter().map(|version| remote.tag(version)));
        let under_way = !unfinished.is_empty()
            || opened.iter().any(|pull_request| pull_request.base == *name)
            || newest_released.is_none_or(|newest| first > newest);
        if until.is_some() || under_way {
            match read_branch(sh, &remote, first, name) {
                Ok(branch) => branches.push(ReleaseBranch {
                    unfinished,
                    until,
                    ..branch
                }),
                Err(error) => problems.push(error.to_string()),
            }
        }
    }
    let notes = read_notes(&tree.root).context(main)?;
    let mut missing = sync_notes::missing(sh, &remote, &notes).context(main)?;
    let latest = latest.as_deref();
    let facts = Facts {
        today,
        pushed: remote.branches.keys().cloned().collect(),
        last_cut: bumps.iter().map(|bump| bump.opened).max(),
        wrongly_not_latest: wrongly_not_latest(&remote.form, &pages, latest),
        notes_missing: missing.pop().map(|(version, _)| version),
        released: workspace.released_as(&remote.tag_names, &notes),
        version: workspace.version.clone(),
        proposals: opened,
        branches,
        github_answers,
        problems,
        main: remote.main,
    };
    if !as_json {
        return print(&facts.overview(&project_name(sh, &workspace.config)?));
    }
    let mut next = Vec::new();
    for Step { action, why } in facts.next() {
        next.push(match action {
            Action::Run(command) => json!({ "command": command, "why": why }),
            Action::Human(sentence, url) => json!({ "human": sentence, "url": url, "why": why }),
        });
    }
    let supported: Vec<_> = supported.into_iter().map(|(name, _)| name).collect();
    let board = json!({ "supported": supported, "next": next, "problems": facts.problems });
    print(&format!("{board}\n"))
}

/// Notes what could not be asked, and returns an empty answer.
fn note<T: Default>(problems: &mut Vec<String>, error: Error) -> T {
    problems.push(error.to_string());
    T::default()
}

/// A release branch, as far as git knows it.
fn read_branch(sh: &Shell, remote: &Remote, first: &Version, name: &str) -> Result<ReleaseBranch> {
    let head = remote.branch(name)?;
    let (version, ready) = push_tag::state_of(sh, remote, name, head)?;
    let main_has_it = push_tag::has_workflow(sh, remote.branch(&remote.main)?)?;
    let changes = match remote.line(first).pop() {
        Some((_, tagged)) => git::subjects(sh, tagged, head)?.len(),
        None => 0,
    };
    Ok(ReleaseBranch {
        name: name.to_string(),
        tagged: remote.tags.contains_key(&version),
        released: remote.first_release(first).is_some(),
        version,
        ready,
        lacks_workflow: main_has_it && !push_tag::has_workflow(sh, head)?,
        changes,
        unfinished: Vec::new(),
        until: None,
    })
}

/// The problem of a tag without a public release and without a release branch, unless main is released.
fn without_branch(sh: &Shell, remote: &Remote, version: &Version) -> Result<Option<String>> {
    let (tag, commit) = (remote.tag(version), &remote.tags[version]);
    let branch = release_branch(&first_of_line(version));
    let of_main = git::first_parents(sh, remote.branch(&remote.main)?)?;
    let is_of_main = remote.release_branches().is_empty() && of_main.contains(commit);
    let what = "has no public release on GitHub and no release branch";
    let problem = format!("{tag} {what}: push {commit} to `{branch}`");
    Ok((!is_of_main).then_some(problem))
}

/// The tags of a release branch without a public release: those with a draft, and the last one, if it is not old.
fn unfinished(
    sh: &Shell,
    remote: &Remote,
    pages: &[Release],
    first: &Version,
    today: Date,
) -> Result<Vec<Version>> {
    let tags = remote.line(first);
    let Some((newest, commit)) = tags.last() else {
        return Ok(Vec::new());
    };
    let is_recent = today - git::commit_date(sh, commit)? < Duration::days(31);
    let mut unfinished = Vec::new();
    for (version, _) in &tags {
        let tag = remote.tag(version);
        let page = pages.iter().find(|page| page.tag == tag);
        if page.map_or(is_recent && version == newest, |page| page.draft) {
            unfinished.push((*version).clone());
        }
    }
    Ok(unfinished)
}
