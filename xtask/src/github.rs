//! What GitHub says through `gh`: pull requests, issues, runs of workflows and releases. It only reads.

use serde_json::Value;
use time::Date;
use xshell::{Cmd, Shell, cmd};

use crate::calendar::parse_date;
use crate::{Context, Result, shell};

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
    pub opened: Date,
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

/// `gh` for the repository that `origin` is, whatever other remotes there are.
pub fn gh<'a>(sh: &'a Shell, arguments: &[&str]) -> Result<Cmd<'a>> {
    let cmd = sh.cmd("gh").args(arguments).env("GH_PROMPT_DISABLED", "1");
    if sh.var_os("GH_REPO").is_some_and(|repository| !repository.is_empty()) {
        return Ok(cmd);
    }
    let origin = shell::read(cmd!(sh, "git remote get-url origin"))?;
    Ok(cmd.envs(repository(&origin).map(|repository| ("GH_REPO", repository))))
}

/// `host/owner/name` of a remote's address. `None` for a path, and for an ssh host other than GitHub's own: it may be an
/// alias, which `gh` knows how to resolve.
pub fn repository(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("ssh", address));
    let (host, path) = rest.split_once(if address.contains("://") { '/' } else { ':' })?;
    let host = host.rsplit('@').next()?.split(':').next()?;
    let host = if host == "ssh.github.com" { "github.com" } else { host };
    let path = path.trim_matches('/').trim_end_matches(".git");
    let known = scheme.starts_with("http") || host == "github.com";
    (known && path.matches('/').count() == 1).then(|| format!("{host}/{path}"))
}

/// All pull requests from a branch of the repository, not of a fork, to another, newest first.
pub fn pull_requests(sh: &Shell, head: &str, base: &str) -> Result<Vec<PullRequest>> {
    let fields = "url,state,headRefOid,createdAt,baseRefName,isCrossRepository";
    let mut list = list(sh, &["pr", "list", "--head", head, "--state", "all", "--limit", "100"], fields)?;
    // gh asks for the name of the branch, and anybody's fork may have one of that name.
    list.retain(|value| value["isCrossRepository"] == false && value["baseRefName"] == base);
    let pull_request = |value: &Value| {
        let field = |name: &str| text(&value[name]);
        let (url, state, head) = (field("url"), field("state"), field("headRefOid"));
        Some(PullRequest { url, state, head, opened: day(value)? })
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
        let (url, title, branch, base) = (field("url"), field("title"), field("headRefName"), field("baseRefName"));
        Some(Proposed { url, title, branch, base, opened: day(value)?, ci: ci(&value["statusCheckRollup"]) })
    };
    Ok(found.iter().filter_map(proposed).filter(|proposed| proposed.branch.starts_with("ci/")).collect())
}

/// The branches of the merged pull requests that brought main to a version, each with the day on which it was opened.
pub fn bumps(sh: &Shell) -> Result<Vec<(String, Date)>> {
    let found = search(sh, "merged", "head:ci/bump-to-", "headRefName,createdAt,isCrossRepository")?;
    Ok(found.iter().filter_map(|value| Some((text(&value["headRefName"]), day(value)?))).collect())
}

/// The pull requests that GitHub's search finds, oldest first, those of forks left out.
fn search(sh: &Shell, state: &str, what: &str, fields: &str) -> Result<Vec<Value>> {
    let newest = format!("{what} sort:created-desc");
    let mut found = list(sh, &["pr", "list", "--state", state, "--search", &newest, "--limit", "100"], fields)?;
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
    [Ci::Red, Ci::Running, Ci::Green].into_iter().find(|ci| all.contains(ci)).unwrap_or(Ci::None)
}

/// The open issues that mention RUSTSEC, as title and address.
pub fn security_issues(sh: &Shell) -> Result<Vec<(String, String)>> {
    let issues = list(sh, &["issue", "list", "--state", "open", "--search", "RUSTSEC", "--limit", "100"], "title,url")?;
    Ok(issues.iter().map(|issue| (text(&issue["title"]), text(&issue["url"]))).collect())
}

/// The address of the open issue with this title, if there is one. It is not searched for: the search lags.
pub fn open_issue(sh: &Shell, title: &str) -> Result<Option<String>> {
    let issues = list(sh, &["issue", "list", "--state", "open", "--limit", "1000"], "title,url")?;
    Ok(issues.iter().find(|issue| issue["title"] == title).map(|issue| text(&issue["url"])))
}

/// A run of a workflow.
pub struct Run {
    pub url: String,
    /// Whether it succeeded; `None` while it has not ended.
    pub success: Option<bool>,
}

/// The newest run of a workflow for a commit of a branch that was started by hand or by us, on a day or after it.
pub fn started_run(sh: &Shell, workflow: &str, branch: &str, commit: &str, since: Date) -> Result<Option<Run>> {
    let fields = "event,headSha,status,conclusion,url,createdAt";
    let runs = list(sh, &["run", "list", "--workflow", workflow, "--branch", branch, "--limit", "100"], fields)?;
    let recent = |run: &Value| {
        run["event"] == "workflow_dispatch" && run["headSha"] == commit && day(run).is_some_and(|day| day >= since)
    };
    // gh lists the newest first.
    Ok(runs.iter().find(|run| recent(run)).map(|run| Run {
        url: text(&run["url"]),
        success: (run["status"] == "completed").then(|| run["conclusion"] == "success"),
    }))
}

/// What the workflows said of a commit of a branch: each run's name with its conclusion, or what it is doing.
pub fn runs(sh: &Shell, branch: &str, commit: &str) -> Result<Vec<(String, String)>> {
    let fields = "headSha,workflowName,status,conclusion";
    let runs = list(sh, &["run", "list", "--branch", branch, "--limit", "100"], fields)?;
    let said = |run: &Value| {
        let state = if run["conclusion"] == "" { &run["status"] } else { &run["conclusion"] };
        (text(&run["workflowName"]), text(state))
    };
    Ok(runs.iter().filter(|run| run["headSha"] == commit).map(said).collect())
}

/// A release, public or a draft.
pub struct Release {
    pub tag: String,
    pub url: String,
    pub draft: bool,
    pub candidate: bool,
    pub assets: Vec<Asset>,
}

pub struct Asset {
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Of its SHA-256, where the server says it.
    pub digest: String,
    /// Whether its upload came to its end.
    pub whole: bool,
}

/// All releases, with the drafts that the token may see.
pub fn releases(sh: &Shell) -> Result<Vec<Release>> {
    let printed = shell::read(gh(sh, &["api", "--paginate", "repos/{owner}/{repo}/releases?per_page=100"])?);
    let printed = printed.context("gh")?;
    // Each page is a list.
    let pages = serde_json::Deserializer::from_str(&printed).into_iter::<Vec<Value>>();
    let pages: Vec<Vec<Value>> = pages.collect::<Result<_, _>>().context("gh api printed no list of releases")?;
    let asset = |asset: &Value| Asset {
        name: text(&asset["name"]),
        size: asset["size"].as_u64().unwrap_or_default(),
        digest: text(&asset["digest"]),
        whole: asset["state"] == "uploaded",
    };
    let release = |release: &Value| Release {
        tag: text(&release["tag_name"]),
        url: text(&release["html_url"]),
        draft: release["draft"] == true,
        candidate: release["prerelease"] == true,
        assets: release["assets"].as_array().into_iter().flatten().map(asset).collect(),
    };
    Ok(pages.iter().flatten().map(release).collect())
}

/// Whether the release of a tag is there for everybody.
pub fn is_public(sh: &Shell, tag: &str) -> Result<bool> {
    Ok(releases(sh)?.iter().any(|release| release.tag == tag && !release.draft))
}

/// The tag of the release that the server gives out as the latest, if any.
pub fn latest_release(sh: &Shell) -> Result<Option<String>> {
    match shell::read(gh(sh, &["api", "repos/{owner}/{repo}/releases/latest"])?) {
        Ok(printed) => Ok(serde_json::from_str::<Value>(&printed)?["tag_name"].as_str().map(str::to_string)),
        Err(error) if error.to_string().contains("HTTP 404") => Ok(None),
        Err(error) => Err(format!("gh: {error}").into()),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// The objects that `gh` lists, with these fields.
fn list(sh: &Shell, arguments: &[&str], fields: &str) -> Result<Vec<Value>> {
    let printed = shell::read(gh(sh, arguments)?.args(["--json", fields])).context("gh")?;
    serde_json::from_str(&printed).context("gh printed no list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_read_from_the_addresses_that_say_it() {
        for address in [
            "https://github.com/o/r.git",
            "https://x-access-token:secret@github.com/o/r/",
            "git@github.com:o/r.git",
            "ssh://git@ssh.github.com:443/o/r.git",
        ] {
            assert_eq!(repository(address).as_deref(), Some("github.com/o/r"), "{address}");
        }
        for address in
            ["/srv/r.git", "file:///srv/r.git", "../r.git", "C:/x/y", "git@github.com-work:o/r.git", "work:o/r"]
        {
            assert_eq!(repository(address), None, "{address}");
        }
    }
}
