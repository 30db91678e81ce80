//! What GitHub says through `gh`: pull requests and releases. It only reads.

use serde_json::{Deserializer, Value};
use xshell::{Cmd, Shell, cmd};

use crate::rules::calendar::parse_date;
use crate::rules::status::{Ci, PullRequest};
use crate::world::{items, process, text};
use crate::{Context, Result};

/// All pull requests from a branch of the repository, not of a fork, to another, newest first.
pub fn pull_requests(sh: &Shell, head: &str, base: &str) -> Result<Vec<PullRequest>> {
    let mut found = list(sh, &["--head", head, "--state", "all"], "")?;
    found.retain(|pull_request| pull_request.base == base);
    Ok(found)
}

/// The open pull requests from the branches `ci/...` of the repository, oldest first, with their CI. GitHub's search finds a
/// new one after some seconds.
pub fn proposals(sh: &Shell) -> Result<Vec<PullRequest>> {
    let search = ["--state", "open", "--search", "head:ci/ sort:created-desc"];
    let mut found = list(sh, &search, ",statusCheckRollup")?;
    found.retain(|pull_request| pull_request.branch.starts_with("ci/"));
    found.reverse();
    Ok(found)
}

/// The pull requests that `gh pr list` finds; `more` are further fields to ask for.
fn list(sh: &Shell, options: &[&str], more: &str) -> Result<Vec<PullRequest>> {
    let fields = "url,title,state,headRefName,headRefOid,baseRefName,createdAt,isCrossRepository";
    let fields = format!("{fields}{more}");
    let list = cmd!(sh, "gh pr list --limit 100 {options...} --json {fields}");
    let printed: Vec<Value> = serde_json::from_str(&output_of(list)?).context("gh pr list")?;
    let mut found = Vec::new();
    for pull_request in &printed {
        // A fork can have a branch of the same name.
        if pull_request["isCrossRepository"] != false {
            continue;
        }
        let created = text(&pull_request["createdAt"]);
        found.push(PullRequest {
            url: text(&pull_request["url"]),
            title: text(&pull_request["title"]),
            state: text(&pull_request["state"]),
            branch: text(&pull_request["headRefName"]),
            head: text(&pull_request["headRefOid"]),
            base: text(&pull_request["baseRefName"]),
            opened: parse_date(created.get(..10).unwrap_or_default()).context("gh pr list")?,
            ci: ci(&pull_request["statusCheckRollup"]),
        });
    }
    Ok(found)
}

/// All checks of a commit as one: each has a conclusion once it is completed, or a state if another service reported it.
fn ci(checks: &Value) -> Ci {
    let mut all = Vec::new();
    for check in items(checks) {
        let state = text(&check["conclusion"]) + &text(&check["state"]);
        all.push(match state.as_str() {
            "SUCCESS" | "NEUTRAL" | "SKIPPED" => Ci::Passed,
            "" | "PENDING" | "EXPECTED" | "ACTION_REQUIRED" => Ci::Running,
            _ => Ci::Failed,
        });
    }
    let mut worst_first = [Ci::Failed, Ci::Running, Ci::Passed].into_iter();
    worst_first.find(|ci| all.contains(ci)).unwrap_or(Ci::None)
}

/// A release, public or a draft.
pub struct Release {
    pub tag: String,
    pub url: String,
    pub draft: bool,
    pub prerelease: bool,
    pub assets: Vec<Asset>,
}

pub struct Asset {
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Whether its upload is complete.
    pub complete: bool,
}

/// All releases, with the drafts that the token can see.
pub fn releases(sh: &Shell) -> Result<Vec<Release>> {
    let path = "repos/{owner}/{repo}/releases?per_page=100";
    let printed = output_of(cmd!(sh, "gh api --paginate {path}"))?;
    let mut found = Vec::new();
    // Each page is a list.
    for page in Deserializer::from_str(&printed).into_iter::<Vec<Value>>() {
        for release in page.context("gh api")? {
            let assets = items(&release["assets"]).iter().map(|asset| Asset {
                name: text(&asset["name"]),
                size: asset["size"].as_u64().unwrap_or_default(),
                complete: asset["state"] == "uploaded",
            });
            found.push(Release {
                tag: text(&release["tag_name"]),
                url: text(&release["html_url"]),
                draft: release["draft"] == true,
                prerelease: release["prerelease"] == true,
                assets: assets.collect(),
            });
        }
    }
    Ok(found)
}

/// Whether the release of a tag is public.
pub fn is_public(sh: &Shell, tag: &str) -> Result<bool> {
    let mut releases = releases(sh)?.into_iter();
    Ok(releases.any(|release| release.tag == tag && !release.draft))
}

/// The newest run of a workflow that was started at a tag: its state and its URL.
pub fn run_at(sh: &Shell, workflow: &str, tag: &str) -> Result<Option<(String, String)>> {
    let options = ["--workflow", workflow, "--branch", tag, "--limit", "100"];
    let fields = "headBranch,event,status,conclusion,url";
    let list = cmd!(sh, "gh run list {options...} --json {fields}");
    let runs: Vec<Value> = serde_json::from_str(&output_of(list)?).context("gh run list")?;
    let is_ours = |run: &&Value| run["headBranch"] == tag && run["event"] == "workflow_dispatch";
    Ok(runs.iter().find(is_ours).map(|run| {
        let mut state = text(&run["conclusion"]);
        if state.is_empty() {
            state = text(&run["status"]);
        }
        (state, text(&run["url"]))
    }))
}

/// The tag of the release that GitHub shows as the latest, if any.
pub fn latest_release(sh: &Shell) -> Result<Option<String>> {
    let path = "repos/{owner}/{repo}/releases/latest";
    match output_of(cmd!(sh, "gh api {path}")) {
        Err(error) if error.to_string().contains("HTTP 404") => Ok(None),
        printed => {
            let latest: Value = serde_json::from_str(&printed?).context("gh api")?;
            Ok(Some(text(&latest["tag_name"])))
        }
    }
}

fn output_of(gh: Cmd) -> Result<String> {
    process::output_of(gh).context("gh")
}
