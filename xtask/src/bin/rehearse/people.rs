//! What humans do in a rehearsal, with what GitHub does for them: they merge pull requests, fix, and backport. They work in
//! a clone of their own.

use std::fs;
use std::path::Path;

use semver::Version;
use serde_json::{Value, json};

use super::board::word;
use super::sandbox::Sandbox;
use release_train::world::workspace::{Workspace, relative};
use release_train::{Result, rules::notes};

/// Merges every open pull request, in the order in which they were opened, with merge commits, and deletes their branches.
/// Returns where they went.
pub fn merge(sandbox: &Sandbox) -> Result<String> {
    merge_from(sandbox, "")
}

/// The same for those from branches whose names begin so.
pub fn merge_from(sandbox: &Sandbox, prefix: &str) -> Result<String> {
    let mut merged = Vec::new();
    for (at, pull) in open_pulls(sandbox)? {
        let [head, base, title] =
            ["headRefName", "baseRefName", "title"].map(|field| word(&pull[field]));
        if !head.starts_with(prefix) {
            continue;
        }
        checkout(sandbox, "people", base)?;
        let commit = sandbox.git("people", &format!("rev-parse origin/{head}"))?;
        let message = format!("Merge pull request #{} from {head}\n\n{title}", at + 1);
        let merge = ["merge", "--quiet", "--no-ff", "-m", &message, &commit];
        sandbox.must("people", "git", &merge)?;
        sandbox.git(
            "people",
            &format!("push --quiet origin HEAD:refs/heads/{base} :refs/heads/{head}"),
        )?;
        sandbox.change(|state| {
            state["pulls"][at]["state"] = json!("MERGED");
            state["pulls"][at]["headRefOid"] = json!(commit);
        })?;
        merged.push(format!("#{} into {base}", at + 1));
    }
    match merged.is_empty() {
        true => Err("there is no open pull request to merge".into()),
        false => Ok(merged.join(", ")),
    }
}

/// The open pull requests, with their places.
fn open_pulls(sandbox: &Sandbox) -> Result<Vec<(usize, Value)>> {
    let pulls = sandbox.github()?["pulls"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(pulls
        .into_iter()
        .enumerate()
        .filter(|(_, pull)| pull["state"] == "OPEN")
        .collect())
}

/// CI of all open pull requests comes to its end, badly for those that go to this branch.
pub fn run_ci(sandbox: &Sandbox, red: Option<&str>) -> Result<String> {
    let mut said = Vec::new();
    for (at, pull) in open_pulls(sandbox)? {
        let [head, base] = ["headRefName", "baseRefName"].map(|field| word(&pull[field]));
        let commit = sandbox.git(&sandbox.origin, &format!("rev-parse {head}"))?;
        let conclusion = if red == Some(base) {
            "failure"
        } else {
            "success"
        };
        sandbox.change(|state| {
            // As after a restart.
            let Some(runs) = state["runs"].as_array_mut() else { return };
            runs.retain(|run| run["headSha"] != *commit);
            runs.push(json!({
                "headSha": commit, "headBranch": head, "workflowName": "CI", "status": "completed", "conclusion": conclusion,
            }));
        })?;
        said.push(format!("#{}: {conclusion}", at + 1));
    }
    Ok(said.join(", "))
}

/// Adds text to a file of a branch of a clone's origin, in a commit.
pub fn add_to(
    sandbox: &Sandbox,
    (clone, branch): (&str, &str),
    file: &str,
    text: &str,
    what: &str,
) -> Result<String> {
    checkout(sandbox, clone, branch)?;
    let path = sandbox.workspace(clone).join(file);
    let before = fs::read_to_string(&path).unwrap_or_default();
    fs::write(&path, before + text)?;
    commit(sandbox, clone, branch, what)
}

/// Adds an item to a version's section of the notes, if there is one.
pub fn note(root: &Path, version: &Version, item: &str) -> Result<()> {
    let file = root.join(notes::FILE);
    let text = fs::read_to_string(&file)?;
    if let Ok(section) = notes::show(&text, version) {
        fs::write(
            &file,
            text.replacen(section, &format!("{section}\n\n* {item}"), 1),
        )?;
    }
    Ok(())
}

/// Commits everything in a clone, and pushes it to a branch of its origin.
pub fn commit(sandbox: &Sandbox, clone: &str, branch: &str, what: &str) -> Result<String> {
    sandbox.git(clone, "add --all")?;
    sandbox.must(clone, "git", &["commit", "--quiet", "-m", what])?;
    push(sandbox, clone, branch)
}

/// Pushes what a clone is at. Returns where the branch is then.
fn push(sandbox: &Sandbox, clone: &str, branch: &str) -> Result<String> {
    sandbox.git(
        clone,
        &format!("push --quiet origin HEAD:refs/heads/{branch}"),
    )?;
    Ok(format!(
        "{branch} is at {}",
        sandbox.git(clone, "rev-parse --short HEAD")?
    ))
}

/// Mends something on main, and in the notes if they have a section for it.
pub fn fix(
    sandbox: &Sandbox,
    workspace: &Workspace,
    version: &Version,
    what: &str,
) -> Result<String> {
    checkout(sandbox, "people", "main")?;
    let root = sandbox.workspace("people");
    let source = |place: &str| {
        workspace
            .crates
            .iter()
            .filter(|member| member.published)
            .find_map(|member| {
                let targets = member.about["targets"].as_array()?;
                let lib = targets.iter().find(|target| target["kind"][0] == place)?;
                Some(relative(
                    &workspace.root,
                    Path::new(lib["src_path"].as_str()?),
                ))
            })
    };
    let file = source("lib")
        .or_else(|| source("bin"))
        .unwrap_or("README.md".to_string());
    let before = fs::read_to_string(root.join(&file)).unwrap_or_default();
    let slashes = if file.ends_with(".rs") { "// " } else { "" };
    fs::write(root.join(&file), format!("{before}\n{slashes}{what}.\n"))?;
    note(&root, version, &format!("{what}."))?;
    commit(sandbox, "people", "main", what)
}

/// Picks main's last commit to a release branch.
pub fn backport(sandbox: &Sandbox, branch: &str) -> Result<String> {
    checkout(sandbox, "people", branch)?;
    sandbox.git("people", "cherry-pick -x origin/main")?;
    push(sandbox, "people", branch)
}

/// Checks out a branch of origin as it is now, under its name, as a workflow finds it.
pub fn checkout(sandbox: &Sandbox, clone: &str, branch: &str) -> Result<()> {
    sandbox.git(clone, "fetch --quiet --prune --tags origin")?;
    sandbox
        .git(
            clone,
            &format!("checkout --quiet -B {branch} origin/{branch}"),
        )
        .map(drop)
}
