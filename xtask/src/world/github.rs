//! What GitHub says through `gh`: pull requests, issues, runs of workflows and releases. It only reads.

use serde_json::Value;
use xshell::{Cmd, Shell};

use crate::rules::calendar::parse_date;
use crate::rules::status::{Ci, PullRequest};
use crate::{Context, Result, world::process};

/// `gh`, which never prompts.
pub fn gh<'a>(sh: &'a Shell, arguments: &[&str]) -> Cmd<'a> {
    sh.cmd("gh").args(arguments).env("GH_PROMPT_DISABLED", "1")
}

/// All pull requests from a branch of the repository, not of a fork, to another, newest first.
pub fn pull_requests(sh: &Shell, head: &str, base: &str) -> Result<Vec<PullRequest>> {
    let mut found = list(sh, &["--head", head, "--state", "all"], "")?;
    found.retain(|pull_request| pull_request.base == base);
    Ok(found)
}

/// The open pull requests from the branches `ci/...` of the repository, oldest first, with their CI. GitHub's search finds a
/// new one after some seconds.
pub fn proposals(sh: &Shell) -> Result<Vec<PullRequest>> {
    let newest = "head:ci/ sort:created-desc";
    let mut found = list(
        sh,
        &["--state", "open", "--search", newest],
        ",statusCheckRollup",
    )?;
    found.retain(|pull_request| pull_request.branch.starts_with("ci/"));
    found.reverse();
    Ok(found)
}

/// The pull requests that `gh pr list` finds; `more` are further fields to ask for.
fn list(sh: &Shell, options: &[&str], more: &str) -> Result<Vec<PullRequest>> {
    const FIELDS: &str =
        "url,title,state,headRefName,headRefOid,baseRefName,createdAt,isCrossRepository";
    let list = gh(sh, &["pr", "list", "--limit", "100"]).args(options);
    let printed = process::output_of(list.args(["--json", &format!("{FIELDS}{more}")]));
    let printed: Vec<Value> =
        serde_json::from_str(&printed.context("gh")?).context("gh pr list")?;
    let mut found = Vec::new();
    // A fork may have a branch of the same name.
    for value in printed
        .iter()
        .filter(|value| value["isCrossRepository"] == false)
    {
        let day = text(&value["createdAt"]);
        found.push(PullRequest {
            url: text(&value["url"]),
            title: text(&value["title"]),
            state: text(&value["state"]),
            branch: text(&value["headRefName"]),
            head: text(&value["headRefOid"]),
            base: text(&value["baseRefName"]),
            opened: parse_date(day.get(..10).unwrap_or_default()).context("gh pr list")?,
            ci: ci(&value["statusCheckRollup"]),
        });
    }
    Ok(found)
}

/// All checks of a commit as one: each has a conclusion once it is completed, or a state if another service reported it.
fn ci(checks: &Value) -> Ci {
    let mut all = Vec::new();
    for check in checks.as_array().into_iter().flatten() {
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
    /// Whether its upload came to its end.
    pub whole: bool,
}

/// All releases, with the drafts that the token may see.
pub fn releases(sh: &Shell) -> Result<Vec<Release>> {
    let printed = process::output_of(gh(
        sh,
        &[
            "api",
            "--paginate",
            "repos/{owner}/{repo}/releases?per_page=100",
        ],
    ));
    let printed = printed.context("gh")?;
    // Each page is a list.
    let pages = serde_json::Deserializer::from_str(&printed).into_iter::<Vec<Value>>();
    let pages: Vec<Vec<Value>> = pages
        .collect::<Result<_, _>>()
        .context("gh api printed no list of releases")?;
    let asset = |asset: &Value| Asset {
        name: text(&asset["name"]),
        size: asset["size"].as_u64().unwrap_or_default(),
        whole: asset["state"] == "uploaded",
    };
    let release = |release: &Value| Release {
        tag: text(&release["tag_name"]),
        url: text(&release["html_url"]),
        draft: release["draft"] == true,
        prerelease: release["prerelease"] == true,
        assets: release["assets"]
            .as_array()
            .into_iter()
            .flatten()
            .map(asset)
            .collect(),
    };
    Ok(pages.iter().flatten().map(release).collect())
}

/// Whether the release of a tag is there for everybody.
pub fn is_public(sh: &Shell, tag: &str) -> Result<bool> {
    Ok(releases(sh)?
        .iter()
        .any(|release| release.tag == tag && !release.draft))
}

/// The tag of the release that the server gives out as the latest, if any.
pub fn latest_release(sh: &Shell) -> Result<Option<String>> {
    match process::output_of(gh(sh, &["api", "repos/{owner}/{repo}/releases/latest"])) {
        Ok(printed) => Ok(serde_json::from_str::<Value>(&printed)?["tag_name"]
            .as_str()
            .map(str::to_string)),
        Err(error) if error.to_string().contains("HTTP 404") => Ok(None),
        Err(error) => Err(format!("gh: {error}").into()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}
