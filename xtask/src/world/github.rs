//! What GitHub says through `gh`: pull requests and releases. It only reads.

use std::collections::BTreeMap;

use serde_json::{Deserializer, Value};
use xshell::{Cmd, Shell, cmd};

use crate::rules::calendar::parse_date;
use crate::rules::status::{Ci, PullRequest};
use crate::world::{git, items, process, text};
use crate::{Context, Result};

/// All pull requests from a branch of the repository, not of a fork, to another, newest first.
pub fn pull_requests(sh: &Shell, head: &str, base: &str) -> Result<Vec<PullRequest>> {
    let mut found = list(sh, &["--head", head, "--state", "all"])?;
    found.retain(|pull_request| pull_request.base == base);
    Ok(found)
}

/// The open pull requests from the branches `ci/...` of the repository, oldest first, with their CI.
pub fn proposals(sh: &Shell) -> Result<Vec<PullRequest>> {
    let mut found = list(sh, &["--state", "open"])?;
    found.retain(|pull_request| pull_request.branch.starts_with("ci/"));
    found.reverse();
    for pull_request in &mut found {
        let url = &pull_request.url;
        let view = output_of(sh, cmd!(sh, "gh pr view {url} --json statusCheckRollup"));
        // Checks can be what a token may not read.
        let checks = view.and_then(|view| Ok(serde_json::from_str(&view)?));
        pull_request.ci = checks.map_or(Ci::Unknown, |checks: Value| {
            ci(&checks["statusCheckRollup"])
        });
    }
    Ok(found)
}

/// The pull requests that `gh pr list` finds, newest first, without their CI.
fn list(sh: &Shell, options: &[&str]) -> Result<Vec<PullRequest>> {
    let fields = "url,title,state,headRefName,headRefOid,baseRefName,createdAt,isCrossRepository";
    let list = cmd!(sh, "gh pr list --limit 1000 {options...} --json {fields}");
    let printed: Vec<Value> = serde_json::from_str(&output_of(sh, list)?).context("gh pr list")?;
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
            ci: Ci::Unknown,
        });
    }
    Ok(found)
}

/// All checks of a commit as one: each has a conclusion once it is completed, or a state if another service reported it. Of
/// one that was run again, GitHub keeps every run, and the last one counts.
fn ci(checks: &Value) -> Ci {
    let mut last = BTreeMap::new();
    for check in items(checks) {
        let key = ["workflowName", "name", "context"].map(|key| text(&check[key]));
        let state = text(&check["conclusion"]) + &text(&check["state"]);
        let run = (text(&check["startedAt"]), state);
        let newest = last.entry(key).or_insert_with(|| run.clone());
        if run.0 >= newest.0 {
            *newest = run;
        }
    }
    let all = last.into_values().map(|(_, state)| match state.as_str() {
        "SUCCESS" | "NEUTRAL" | "SKIPPED" => Ci::Passed,
        "" | "PENDING" | "EXPECTED" | "ACTION_REQUIRED" => Ci::Running,
        _ => Ci::Failed,
    });
    let all = Vec::from_iter(all);
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
    let printed = api(sh, "releases?per_page=100", &["--paginate"])?;
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

/// The newest run of a workflow that was started at a tag: its state and its URL.
pub fn run_at(sh: &Shell, workflow: &str, tag: &str) -> Result<Option<(String, String)>> {
    let tag = tag.replace('+', "%2B");
    let filters = format!("branch={tag}&event=workflow_dispatch&per_page=1");
    let path = format!("actions/workflows/{workflow}/runs?{filters}");
    let printed = api(sh, &path, &[])?;
    let runs: Value = serde_json::from_str(&printed).context("gh api")?;
    Ok(items(&runs["workflow_runs"]).first().map(|run| {
        let mut state = text(&run["conclusion"]);
        if state.is_empty() {
            state = text(&run["status"]);
        }
        (state, text(&run["html_url"]))
    }))
}

/// The tag of the release that GitHub shows as the latest, if any.
pub fn latest_release(sh: &Shell) -> Result<Option<String>> {
    match api(sh, "releases/latest", &[]) {
        Err(error) if error.to_string().contains("HTTP 404") => Ok(None),
        printed => {
            let latest: Value = serde_json::from_str(&printed?).context("gh api")?;
            Ok(Some(text(&latest["tag_name"])))
        }
    }
}

/// The repository of `GH_REPO`, or else of origin. gh would take the first remote, and some versions ignore `GH_REPO`.
fn repository(sh: &Shell) -> Result<(Option<String>, String)> {
    let address = match std::env::var("GH_REPO") {
        Ok(named) if !named.is_empty() => named,
        _ => process::output_of(cmd!(sh, "git remote get-url origin"))?,
    };
    let (host, path) = git::parts(&address);
    Ok((host.map(str::to_string), path))
}

/// The option that names the repository to a command of gh.
pub fn repo(sh: &Shell) -> Result<[String; 2]> {
    let (host, path) = repository(sh)?;
    let host = host.map(|host| host + "/").unwrap_or_default();
    Ok(["--repo".to_string(), host + &path])
}

fn output_of(sh: &Shell, gh: Cmd) -> Result<String> {
    process::output_of(gh.args(repo(sh)?)).context("gh")
}

/// What GitHub's REST API says of something in the repository. With `--paginate`, one list after the other.
fn api(sh: &Shell, path: &str, options: &[&str]) -> Result<String> {
    let (host, repository) = repository(sh)?;
    let host = host.map(|host| format!("--hostname={host}"));
    let api = cmd!(
        sh,
        "gh api {options...} {host...} repos/{repository}/{path}"
    );
    process::output_of(api).context("gh")
}
