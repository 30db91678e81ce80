//! What GitHub says through `gh`: pull requests, issues, runs of workflows and releases. It only reads.

use serde_json::Value;
use time::Date;
use xshell::{Cmd, Shell};

use crate::rules::calendar::parse_date;
use crate::{Context, Result, world::process};

/// A pull request from a branch of ours.
pub struct PullRequest {
    pub url: String,
    /// `OPEN`, `CLOSED` or `MERGED`.
    pub state: String,
    /// The commit that it proposes or proposed last.
    pub head: String,
    pub opened: Date,
}

/// An open pull request of a task.
pub struct Proposed {
    pub url: String,
    pub title: String,
    pub branch: String,
    pub base: String,
    pub ci: Ci,
}

/// What CI says of a commit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ci {
    /// Nothing has run. Of a pull request that a workflow opened with its own token, the runs may wait for an approval.
    None,
    Running,
    Green,
    Red,
}

/// `gh`, which asks nobody anything.
pub fn gh<'a>(sh: &'a Shell, arguments: &[&str]) -> Cmd<'a> {
    sh.cmd("gh").args(arguments).env("GH_PROMPT_DISABLED", "1")
}

/// All pull requests from a branch of the repository, not of a fork, to another, newest first.
pub fn pull_requests(sh: &Shell, head: &str, base: &str) -> Result<Vec<PullRequest>> {
    let fields = "url,state,headRefOid,createdAt,baseRefName,isCrossRepository";
    let mut list = list(
        sh,
        &[
            "pr", "list", "--head", head, "--state", "all", "--limit", "100",
        ],
        fields,
    )?;
    // gh asks for the name of the branch, and anybody's fork may have one of that name.
    list.retain(|value| value["isCrossRepository"] == false && value["baseRefName"] == base);
    let pull_request = |value: &Value| {
        let field = |name: &str| text(&value[name]);
        let (url, state, head) = (field("url"), field("state"), field("headRefOid"));
        Some(PullRequest {
            url,
            state,
            head,
            opened: day(value)?,
        })
    };
    let list: Option<_> = list.iter().map(pull_request).collect();
    Ok(list.ok_or("gh pr list printed something else than pull requests")?)
}

/// The open pull requests from the branches `ci/...` of the repository, oldest first. GitHub's search knows a new one after
/// some seconds.
pub fn proposed(sh: &Shell) -> Result<Vec<Proposed>> {
    let fields = "url,title,headRefName,baseRefName,createdAt,isCrossRepository,statusCheckRollup";
    let found = search(sh, "open", "head:ci/", fields)?;
    let proposed = |value: &Value| {
        let field = |name: &str| text(&value[name]);
        let (url, title, branch, base) = (
            field("url"),
            field("title"),
            field("headRefName"),
            field("baseRefName"),
        );
        Some(Proposed {
            url,
            title,
            branch,
            base,
            ci: ci(&value["statusCheckRollup"]),
        })
    };
    Ok(found
        .iter()
        .filter_map(proposed)
        .filter(|proposed| proposed.branch.starts_with("ci/"))
        .collect())
}

/// The pull requests that GitHub's search finds, oldest first, those of forks left out.
fn search(sh: &Shell, state: &str, what: &str, fields: &str) -> Result<Vec<Value>> {
    let newest = format!("{what} sort:created-desc");
    let mut found = list(
        sh,
        &[
            "pr", "list", "--state", state, "--search", &newest, "--limit", "100",
        ],
        fields,
    )?;
    found.retain(|value| value["isCrossRepository"] == false);
    found.reverse();
    Ok(found)
}

/// The day on which something was opened or started.
fn day(value: &Value) -> Option<Date> {
    parse_date(value["createdAt"].as_str()?.get(..10)?).ok()
}

/// The whole of a commit's checks: each has a conclusion once it is completed, or a state if it comes from outside.
fn ci(checks: &Value) -> Ci {
    let one = |check: &Value| match (text(&check["conclusion"]) + &text(&check["state"])).as_str() {
        "SUCCESS" | "NEUTRAL" | "SKIPPED" => Ci::Green,
        "" | "PENDING" | "EXPECTED" | "ACTION_REQUIRED" => Ci::Running,
        _ => Ci::Red,
    };
    let all: Vec<Ci> = checks.as_array().into_iter().flatten().map(one).collect();
    [Ci::Red, Ci::Running, Ci::Green]
        .into_iter()
        .find(|ci| all.contains(ci))
        .unwrap_or(Ci::None)
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

/// The objects that `gh` lists, with these fields.
fn list(sh: &Shell, arguments: &[&str], fields: &str) -> Result<Vec<Value>> {
    let printed = process::output_of(gh(sh, arguments).args(["--json", fields])).context("gh")?;
    serde_json::from_str(&printed).context("gh printed no list")
}
