//! A stand-in for `gh`, which this binary is when it is called by that name: the commands that the tasks use, with their
//! flags, on pull requests, issues, runs and releases that it keeps in a file. It refuses what it does not know, as the
//! real one does; a test runs the same command lines through the real one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write, read_to_string, stdin};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use pico_args::Arguments;
use serde_json::{Value, json};

use crate::sha256::sha256;
use release_train::{Result, print, say};

/// The state, in the folder that the real `gh` keeps its configuration in: lists `pulls`, `issues`, `runs` and
/// `releases` of objects with the fields that `--json` or the API has, the tag `latest`, and `today`, the day on which pull
/// requests are opened.
const STATE: &str = "stand-in.json";

/// Reads the state.
pub fn read(folder: &Path) -> Result<Value> {
    match fs::read(folder.join(STATE)) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(json!({ "pulls": [], "issues": [], "runs": [] }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes it.
pub fn write(folder: &Path, state: &Value) -> Result<()> {
    Ok(fs::write(
        folder.join(STATE),
        serde_json::to_string_pretty(state)?,
    )?)
}

/// Runs one command and records it in the file `calls`, a JSON list a line.
pub fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let folder = std::env::var_os("GH_CONFIG_DIR")
        .ok_or("the stand-in for gh keeps its state in GH_CONFIG_DIR")?;
    let folder = PathBuf::from(folder);
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let line = json!(
        words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
    );
    // In one piece: others may be called at the same time.
    let mut calls = File::options()
        .create(true)
        .append(true)
        .open(folder.join("calls"))?;
    calls.write_all(format!("{line}\n").as_bytes())?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;

    let before = read(&folder)?;
    let mut state = before.clone();
    let mut arguments = Arguments::from_vec(words);
    let _paged = arguments.contains("--paginate");
    let command = (
        arguments.subcommand()?.unwrap_or_default(),
        arguments.subcommand()?.unwrap_or_default(),
    );
    match (command.0.as_str(), command.1.as_str()) {
        ("pr", "create") => create(arguments, &mut state),
        ("release", verb @ ("create" | "upload" | "edit")) => release(verb, arguments, &mut state),
        ("api", "repos/{owner}/{repo}/releases?per_page=100") => releases(arguments, &state),
        ("api", "repos/{owner}/{repo}/releases/latest") => latest(arguments, &state),
        ("pr", "list") => list(arguments, &state, "pulls", &["head", "state", "search"]),
        ("issue", "list") => list(arguments, &state, "issues", &["state", "search"]),
        ("run", "list") => list(arguments, &state, "runs", &["branch", "workflow"]),
        ("issue", "create") => create_issue(arguments, &mut state),
        ("workflow", "run") => start(arguments, &mut state),
        (noun, verb) => Err(format!("unknown command \"{noun} {verb}\" for \"gh\"").into()),
    }?;
    if state == before {
        Ok(())
    } else {
        write(&folder, &state)
    }
}

/// Prints the fields that `--json` names of the items that the filters admit.
fn list(mut arguments: Arguments, state: &Value, of: &str, filters: &[&str]) -> Result<()> {
    let fields: String = arguments.value_from_str("--json")?;
    let limit: usize = arguments.opt_value_from_str("--limit")?.unwrap_or(30);
    let mut items: Vec<Value> = state[of].as_array().cloned().unwrap_or_default();
    for filter in filters {
        let flag: Option<String> =
            arguments.opt_value_from_str(format!("--{filter}").leak() as &'static str)?;
        let Some(value) = flag.filter(|value| value != "all") else {
            continue;
        };
        items.retain(|item| match *filter {
            "head" => item["headRefName"] == *value,
            "branch" => item["headBranch"] == *value,
            "workflow" => item["workflowName"] == *value,
            "state" => item["state"]
                .as_str()
                .is_some_and(|state| state.eq_ignore_ascii_case(&value)),
            // Of the qualifiers, the one for pull requests.
            _ if value.starts_with("head:") => {
                let head = value["head:".len()..].split(' ').next().unwrap_or_default();
                item["headRefName"]
                    .as_str()
                    .is_some_and(|name| name.starts_with(head))
            }
            _ => ["title", "body"].iter().any(|field| {
                item[field]
                    .as_str()
                    .is_some_and(|text| text.contains(&value))
            }),
        });
    }
    refuse_the_rest(arguments)?;
    items.reverse();
    items.truncate(limit);
    let mut shown = Vec::new();
    for item in &mut items {
        if item["state"] == "OPEN" && item["headRefName"].is_string() {
            item["headRefOid"] = json!(head(item["headRefName"].as_str().unwrap_or_default())?);
        }
        if of == "pulls" {
            item["statusCheckRollup"] = checks(&state["runs"], &item["headRefOid"]);
        }
        let mut fields_shown = json!({});
        for field in fields.split(',') {
            fields_shown[field] = item
                .get(field)
                .ok_or_else(|| format!("Unknown JSON field: {field:?}"))?
                .clone();
        }
        shown.push(fields_shown);
    }
    print(&format!("{}\n", Value::from(shown)))
}

/// What the runs said of a commit.
fn checks(runs: &Value, commit: &Value) -> Value {
    let of_commit = runs
        .as_array()
        .into_iter()
        .flatten()
        .filter(|run| run["headSha"] == *commit);
    let upper = |field: &Value| field.as_str().unwrap_or_default().to_uppercase();
    let check = |run: &Value| json!({ "name": run["workflowName"], "status": upper(&run["status"]), "conclusion": upper(&run["conclusion"]) });
    of_commit.map(check).collect()
}

fn create(mut arguments: Arguments, state: &mut Value) -> Result<()> {
    let mut option = |name: &'static str| arguments.value_from_str::<_, String>(name);
    let (branch, base, title) = (option("--head")?, option("--base")?, option("--title")?);
    let body = body(&mut arguments, "--body-file")?;
    refuse_the_rest(arguments)?;
    let commit = head(&branch)?
        .ok_or_else(|| format!("Head ref must be a branch (createPullRequest): {branch}"))?;
    if head(&base)?
        .ok_or_else(|| format!("Base ref must be a branch (createPullRequest): {base}"))?
        == commit
    {
        return Err(format!("No commits between {base} and {branch} (createPullRequest)").into());
    }
    let today = today(state);
    let pulls = state["pulls"]
        .as_array_mut()
        .ok_or("the state has no list of pull requests")?;
    let ours = |pull: &&Value| pull["headRefName"] == *branch && pull["isCrossRepository"] == false;
    if let Some(open) = pulls
        .iter()
        .filter(ours)
        .find(|pull| pull["state"] == "OPEN")
    {
        let url = open["url"].as_str().unwrap_or_default();
        return Err(format!(
            "a pull request for branch {branch:?} into branch {base:?} already exists:\n{url}"
        )
        .into());
    }
    let number = pulls.len() + 1;
    let url = format!("https://github.com/rehearsal/rehearsal/pull/{number}");
    pulls.push(json!({
        "number": number, "url": url, "state": "OPEN", "title": title, "body": body, "createdAt": format!("{today}T00:07:00Z"),
        "headRefName": branch, "headRefOid": commit, "baseRefName": base,
        "isCrossRepository": false,
    }));
    print(&format!("{url}\n"))
}

fn create_issue(mut arguments: Arguments, state: &mut Value) -> Result<()> {
    let title: String = arguments.value_from_str("--title")?;
    let body = body(&mut arguments, "--body-file")?;
    refuse_the_rest(arguments)?;
    let issues = state["issues"]
        .as_array_mut()
        .ok_or("the state has no list of issues")?;
    let url = format!(
        "https://github.com/rehearsal/rehearsal/issues/{}",
        issues.len() + 1
    );
    issues.push(json!({ "title": title, "body": body, "url": url, "state": "OPEN" }));
    print(&format!("{url}\n"))
}

/// Starts a workflow, which has ended at once, as the state says under `conclusions` for its branch: well, if it says
/// nothing.
fn start(mut arguments: Arguments, state: &mut Value) -> Result<()> {
    let branch: String = arguments.value_from_str("--ref")?;
    let workflow: String = arguments.free_from_str()?;
    refuse_the_rest(arguments)?;
    let commit = head(&branch)?.ok_or_else(|| {
        format!("could not create workflow dispatch event: HTTP 422: No ref found for: {branch}")
    })?;
    let conclusion = state["conclusions"][&branch]
        .as_str()
        .unwrap_or("success")
        .to_string();
    let today = today(state);
    let runs = state["runs"]
        .as_array_mut()
        .ok_or("the state has no list of runs")?;
    runs.push(json!({
        "workflowName": workflow, "headBranch": branch, "headSha": commit, "event": "workflow_dispatch",
        "status": "completed", "conclusion": conclusion, "createdAt": format!("{today}T00:07:00Z"),
        "url": format!("https://github.com/rehearsal/rehearsal/actions/runs/{}", runs.len() + 1),
    }));
    Ok(())
}

/// Makes, fills or changes a release: an object with `tag_name`, `draft`, `prerelease` and `assets`, as the API has it. The
/// tag of the latest one is `latest`.
fn release(verb: &str, mut arguments: Arguments, state: &mut Value) -> Result<()> {
    // As for gh: `--flag` or `--flag=value`, and never `--flag value`.
    let mut flag = |name: &'static str| -> Result<Option<bool>> {
        if arguments.contains(name) {
            Ok(Some(true))
        } else {
            Ok(arguments.opt_value_from_str(name)?)
        }
    };
    let (draft, candidate, is_latest) =
        (flag("--draft")?, flag("--prerelease")?, flag("--latest")?);
    let clobber = arguments.contains("--clobber");
    let new = match verb {
        "create" => Some((
            arguments.value_from_str::<_, String>("--title")?,
            body(&mut arguments, "--notes-file")?,
        )),
        _ => None,
    };
    let tag: String = arguments.free_from_str()?;
    if !state["releases"].is_array() {
        state["releases"] = json!([]);
    }
    let releases = state["releases"]
        .as_array_mut()
        .ok_or("the state has no list of releases")?;
    let found = releases
        .iter_mut()
        .find(|release| release["tag_name"] == *tag);
    if let Some((title, text)) = new {
        refuse_the_rest(arguments)?;
        if found.is_some_and(|found| found["draft"] == false) {
            return Err("HTTP 422: Validation Failed: Release.tag_name already exists".into());
        }
        let url = format!("https://github.com/rehearsal/rehearsal/releases/tag/{tag}");
        releases.push(json!({
            "tag_name": tag, "html_url": url, "name": title, "body": text,
            "draft": draft == Some(true), "prerelease": candidate == Some(true), "assets": [],
        }));
        return Ok(());
    }
    let found = found.ok_or("release not found")?;
    if verb == "upload" {
        for file in arguments.finish() {
            let content =
                fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let name = Path::new(&file)
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let assets = found["assets"]
                .as_array_mut()
                .ok_or("the release has no list of assets")?;
            if !clobber && assets.iter().any(|asset| asset["name"] == *name) {
                return Err(format!("asset under the same name already exists: [{name}]").into());
            }
            assets.retain(|asset| asset["name"] != *name);
            assets.push(json!({ "name": name, "state": "uploaded", "size": content.len(), "digest": format!("sha256:{}", sha256(&content)) }));
        }
    } else {
        refuse_the_rest(arguments)?;
        draft
            .into_iter()
            .for_each(|draft| found["draft"] = json!(draft));
        candidate
            .into_iter()
            .for_each(|candidate| found["prerelease"] = json!(candidate));
        // Where nothing is said, the server takes what was made public last.
        if is_latest.unwrap_or(draft == Some(false)) {
            state["latest"] = json!(tag);
        }
    }
    Ok(())
}

fn releases(arguments: Arguments, state: &Value) -> Result<()> {
    refuse_the_rest(arguments)?;
    let releases = state["releases"].as_array().cloned().unwrap_or_default();
    // gh prints one list after the other.
    let pages: String = releases
        .chunks(100)
        .map(|page| Value::from(page).to_string())
        .collect();
    print(if pages.is_empty() { "[]" } else { &pages })
}

fn latest(arguments: Arguments, state: &Value) -> Result<()> {
    refuse_the_rest(arguments)?;
    let mut releases = state["releases"].as_array().into_iter().flatten();
    let latest = releases.find(|release| release["tag_name"] == state["latest"]);
    print(&latest.ok_or("gh: Not Found (HTTP 404)")?.to_string())
}

/// What a command gets on stdin: no other file is read.
fn body(arguments: &mut Arguments, option: &'static str) -> Result<String> {
    match arguments.value_from_str::<_, String>(option)?.as_str() {
        "-" => Ok(read_to_string(stdin())?),
        file => Err(format!("open {file}: the stand-in reads a body from stdin").into()),
    }
}

/// The day on which things are opened and started.
fn today(state: &Value) -> String {
    state["today"].as_str().map_or_else(
        || time::OffsetDateTime::now_utc().date().to_string(),
        str::to_string,
    )
}

/// The commit of a branch of `origin`.
fn head(branch: &str) -> Result<Option<String>> {
    let output = Command::new("git")
        .args(["ls-remote", "origin", &format!("refs/heads/{branch}")])
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .next()
        .map(str::to_string))
}

fn refuse_the_rest(arguments: Arguments) -> Result<()> {
    match arguments.finish().first() {
        Some(flag) => Err(format!("unknown flag: {}", flag.display()).into()),
        None => Ok(()),
    }
}
