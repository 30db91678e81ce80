//! What humans do in a rehearsal, with what GitHub does for them: they merge pull requests, fix, and backport, in a clone
//! of their own.

use std::fs;

use semver::Version;
use serde_json::{Value, json};

use crate::gh::text;
use crate::sandbox::Sandbox;
use release_train::{Result, rules::notes, world::items};

/// The file that fixes write, below the workspace: a change to a file of the workspace may not apply to a release branch.
pub const FILE: &str = "REHEARSED.md";

/// Merges the open pull requests from branches whose names begin so, the oldest first, with merge commits, and deletes
/// their branches. Returns where they went.
pub fn merge(sandbox: &Sandbox, prefix: &str) -> Result<String> {
    let mut merged = Vec::new();
    for (at, pull) in open_pulls(sandbox)? {
        let (head, base) = (text(&pull["headRefName"]), text(&pull["baseRefName"]));
        if !head.starts_with(prefix) {
            continue;
        }
        checkout(sandbox, "people", base)?;
        let commit = sandbox.git("people", &format!("rev-parse origin/{head}"))?;
        let (number, title) = (at + 1, text(&pull["title"]));
        let message = format!("Merge pull request #{number} from {head}\n\n{title}");
        let merge = ["merge", "--quiet", "--no-ff", "-m", &message, &commit];
        sandbox.must("people", "git", &merge)?;
        let refs = format!("HEAD:refs/heads/{base} :refs/heads/{head}");
        sandbox.git("people", &format!("push --quiet origin {refs}"))?;
        sandbox.change_github(|state| {
            state["pulls"][at]["state"] = json!("MERGED");
            state["pulls"][at]["headRefOid"] = json!(commit);
        })?;
        merged.push(format!("#{number} into {base}"));
    }
    match merged.is_empty() {
        true => Err("there is no open pull request to merge".into()),
        false => Ok(merged.join(", ")),
    }
}

/// The open pull requests, with their places in the list.
fn open_pulls(sandbox: &Sandbox) -> Result<Vec<(usize, Value)>> {
    let github = sandbox.github()?;
    let pulls = items(&github["pulls"]).iter().cloned().enumerate();
    Ok(pulls.filter(|(_, pull)| pull["state"] == "OPEN").collect())
}

/// Completes CI of all open pull requests. It fails for those into the branch `red`.
pub fn run_ci(sandbox: &Sandbox, red: &str) -> Result<String> {
    let mut results = Vec::new();
    for (at, pull) in open_pulls(sandbox)? {
        let head = text(&pull["headRefName"]);
        let commit = sandbox.git(&sandbox.origin, &format!("rev-parse {head}"))?;
        let failed = pull["baseRefName"] == red;
        let conclusion = if failed { "failure" } else { "success" };
        sandbox.change_github(|state| {
            if let Some(runs) = state["runs"].as_array_mut() {
                runs.retain(|run| run["headSha"] != *commit);
                runs.push(json!({
                    "headSha": commit, "workflowName": "CI",
                    "status": "completed", "conclusion": conclusion,
                }));
            }
        })?;
        results.push(format!("#{}: {conclusion}", at + 1));
    }
    Ok(results.join(", "))
}

/// Appends text to a file of a branch, in a commit of its own.
pub fn append(
    sandbox: &Sandbox,
    (clone, branch): (&str, &str),
    file: &str,
    text: &str,
    message: &str,
) -> Result<String> {
    checkout(sandbox, clone, branch)?;
    append_to(sandbox, clone, file, text)?;
    commit(sandbox, clone, branch, message)
}

fn append_to(sandbox: &Sandbox, clone: &str, file: &str, text: &str) -> Result<()> {
    let path = sandbox.workspace(clone).join(file);
    let before = fs::read_to_string(&path).unwrap_or_default();
    Ok(fs::write(&path, before + text)?)
}

/// Adds an item to a version's section of the notes that are checked out, if there is one.
pub fn note(sandbox: &Sandbox, version: &Version, item: &str) -> Result<()> {
    let file = sandbox.workspace("people").join(notes::FILE);
    let text = fs::read_to_string(&file)?;
    if let Ok(section) = notes::show(&text, version) {
        let longer = format!("{section}\n\n* {item}");
        fs::write(&file, text.replacen(section, &longer, 1))?;
    }
    Ok(())
}

/// Commits everything in a clone, and pushes it to a branch.
pub fn commit(sandbox: &Sandbox, clone: &str, branch: &str, message: &str) -> Result<String> {
    sandbox.git(clone, "add --all")?;
    sandbox.must(clone, "git", &["commit", "--quiet", "-m", message])?;
    push(sandbox, clone, branch)
}

/// Pushes the commit that is checked out. Returns where the branch is then.
fn push(sandbox: &Sandbox, clone: &str, branch: &str) -> Result<String> {
    let push = format!("push --quiet origin HEAD:refs/heads/{branch}");
    sandbox.git(clone, &push)?;
    let commit = sandbox.git(clone, "rev-parse --short HEAD")?;
    Ok(format!("{branch} is at {commit}"))
}

/// Fixes something on main, with a line in the notes if they have a section for the version.
pub fn fix(sandbox: &Sandbox, version: &Version, message: &str) -> Result<String> {
    checkout(sandbox, "people", "main")?;
    append_to(sandbox, "people", FILE, &format!("{message}.\n"))?;
    note(sandbox, version, &format!("{message}."))?;
    commit(sandbox, "people", "main", message)
}

/// Picks main's last commit to a release branch.
pub fn backport(sandbox: &Sandbox, branch: &str) -> Result<String> {
    checkout(sandbox, "people", branch)?;
    sandbox.git("people", "cherry-pick -x origin/main")?;
    push(sandbox, "people", branch)
}

/// Checks out a branch of origin as it is now, as a workflow does.
pub fn checkout(sandbox: &Sandbox, clone: &str, branch: &str) -> Result<()> {
    sandbox.git(clone, "fetch --quiet --prune --tags origin")?;
    let checkout = format!("checkout --quiet -B {branch} origin/{branch}");
    sandbox.git(clone, &checkout).map(drop)
}
