//! A stand-in for `gh`, which this program is under that name: the commands that tasks and workflows use, with their flags,
//! on pull requests, issues, runs and releases that it keeps in a file. It refuses what it does not know, as the real one
//! does; a test runs the same command lines through the real one.

use std::fs::{self, File};
use std::io::{ErrorKind, Write, read_to_string, stdin};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use pico_args::Arguments;
use serde_json::{Value, json};

use crate::sha256::sha256;
use release_train::world::items;
use release_train::{Context, Result, bail, print, say};

/// The state, in the folder where the real `gh` keeps its configuration: lists `pulls`, `issues`, `runs` and `releases` of
/// objects with the fields that `--json` or the API has, the tag `latest`, and `today`, the day on which things are opened.
const STATE: &str = "stand-in.json";
/// What addresses begin with.
const REPOSITORY: &str = "https://github.com/rehearsal/rehearsal";

pub fn read(folder: &Path) -> Result<Value> {
    match fs::read(folder.join(STATE)) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(json!({ "pulls": [], "issues": [], "runs": [] }))
        }
        Err(error) => Err(error.into()),
    }
}

pub fn write(folder: &Path, state: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(state)?;
    Ok(fs::write(folder.join(STATE), text)?)
}

/// A string of the state; empty if it is not there.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
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
    let recorded: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let calls = folder.join("calls");
    let mut calls = File::options().create(true).append(true).open(calls)?;
    // In one piece: others may be called at the same time.
    calls.write_all(format!("{}\n", json!(recorded)).as_bytes())?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;

    let before = read(&folder)?;
    let mut state = before.clone();
    let mut arguments = Arguments::from_vec(words);
    let _paged = arguments.contains("--paginate");
    let _repository: Option<String> = arguments.opt_value_from_str("--repo")?;
    let _host: Option<String> = arguments.opt_value_from_str("--hostname")?;
    let noun = arguments.subcommand()?.unwrap_or_default();
    let verb = arguments.subcommand()?.unwrap_or_default();
    // `repos/OWNER/NAME/...`
    let path = verb.splitn(4, '/').nth(3).unwrap_or_default();
    let rest = &mut arguments;
    let output = match (&*noun, &*verb) {
        ("api", _) if path.starts_with("releases?") => releases(&state),
        ("api", _) if path == "releases/latest" => latest(&state),
        ("api", _) if path.starts_with("actions/") => newest_run(&state, path),
        ("issue", "create") => create_issue(rest, &mut state),
        ("issue", "list") => list(rest, &state, "issues"),
        ("pr", "create") => create_pull(rest, &mut state),
        ("pr", "list") => list(rest, &state, "pulls"),
        ("pr", "view") => checks(rest, &state),
        ("release", "create") => create_release(rest, &mut state),
        ("release", "edit") => edit_release(rest, &mut state),
        ("release", "upload") => upload(rest, &mut state),
        ("workflow", "run") => start_workflow(rest, &mut state),
        _ => Err(format!("unknown command \"{noun} {verb}\" for \"gh\"").into()),
    }?;
    if let Some(flag) = arguments.finish().first() {
        bail!("unknown flag: {}", flag.display());
    }
    if state != before {
        write(&folder, &state)?;
    }
    print(&output)
}

/// The fields that `--json` names of the items that the filters select, newest first.
fn list(arguments: &mut Arguments, state: &Value, of: &str) -> Result<String> {
    let fields: String = arguments.value_from_str("--json")?;
    let limit: usize = arguments.opt_value_from_str("--limit")?.unwrap_or(30);
    let mut option = |name: &'static str| arguments.opt_value_from_str::<_, String>(name);
    let wanted = option("--state")?.unwrap_or("open".to_string());
    let head = option("--head")?;

    let mut shown = Vec::new();
    for item in items(&state[of]).iter().rev() {
        let mut item = item.clone();
        let branch = text(&item["headRefName"]).to_string();
        let selected = (wanted == "all" || text(&item["state"]).eq_ignore_ascii_case(&wanted))
            && head.as_ref().is_none_or(|head| branch == *head);
        if !selected || shown.len() == limit {
            continue;
        }
        if of == "pulls" && item["state"] == "OPEN" {
            item["headRefOid"] = json!(commit_of(&branch)?);
        }
        let mut values = json!({});
        for field in fields.split(',') {
            let value = item.get(field);
            let value = value.ok_or_else(|| format!("Unknown JSON field: {field:?}"))?;
            values[field] = value.clone();
        }
        shown.push(values);
    }
    Ok(format!("{}\n", Value::from(shown)))
}

/// The checks of a pull request: the runs for its commit.
fn checks(arguments: &mut Arguments, state: &Value) -> Result<String> {
    let fields: String = arguments.value_from_str("--json")?;
    let url: String = arguments.free_from_str()?;
    if fields != "statusCheckRollup" {
        bail!("Unknown JSON field: {fields:?}");
    }
    let mut pulls = items(&state["pulls"]).iter();
    let pull = pulls.find(|pull| pull["url"] == url);
    let pull = pull.ok_or("no pull requests found")?;
    let mut commit = pull["headRefOid"].clone();
    if pull["state"] == "OPEN" {
        commit = json!(commit_of(text(&pull["headRefName"]))?);
    }
    let mut checks = Vec::new();
    for (at, run) in items(&state["runs"]).iter().enumerate() {
        if run["headSha"] == commit {
            let (status, conclusion) = (text(&run["status"]), text(&run["conclusion"]));
            checks.push(json!({
                "name": run["workflowName"], "status": status.to_uppercase(),
                "conclusion": conclusion.to_uppercase(), "startedAt": format!("{at:09}"),
            }));
        }
    }
    Ok(format!("{}\n", json!({ "statusCheckRollup": checks })))
}

fn create_pull(arguments: &mut Arguments, state: &mut Value) -> Result<String> {
    let mut option = |name: &'static str| arguments.value_from_str::<_, String>(name);
    let (head, base, title) = (option("--head")?, option("--base")?, option("--title")?);
    let body = body(arguments, "--body-file")?;
    let commit = |which: &str, branch: &str| -> Result<String> {
        let missing = format!("{which} ref must be a branch (createPullRequest): {branch}");
        Ok(commit_of(branch)?.ok_or(missing)?)
    };
    let created = format!("{}T00:07:00Z", today(state));
    let commit_of_head = commit("Head", &head)?;
    if commit_of_head == commit("Base", &base)? {
        bail!("No commits between {base} and {head} (createPullRequest)");
    }
    let pulls = list_in(state, "pulls")?;
    for pull in pulls.iter() {
        let ours = pull["headRefName"] == head && pull["isCrossRepository"] == false;
        if ours && pull["state"] == "OPEN" {
            let what = format!("a pull request for branch {head:?} into branch {base:?}");
            bail!("{what} already exists:\n{}", text(&pull["url"]));
        }
    }
    let number = pulls.len() + 1;
    let url = format!("{REPOSITORY}/pull/{number}");
    pulls.push(json!({
        "number": number, "url": url, "state": "OPEN", "title": title, "body": body,
        "createdAt": created, "headRefName": head, "headRefOid": commit_of_head,
        "baseRefName": base, "isCrossRepository": false,
    }));
    Ok(format!("{url}\n"))
}

fn create_issue(arguments: &mut Arguments, state: &mut Value) -> Result<String> {
    let title: String = arguments.value_from_str("--title")?;
    let body = match arguments.opt_value_from_str::<_, String>("--body")? {
        Some(body) => body,
        None => body(arguments, "--body-file")?,
    };
    let issues = list_in(state, "issues")?;
    let url = format!("{REPOSITORY}/issues/{}", issues.len() + 1);
    issues.push(json!({ "title": title, "body": body, "url": url, "state": "OPEN" }));
    Ok(format!("{url}\n"))
}

/// Starts a workflow, which succeeds at once, at a branch or, by its full name, a tag.
fn start_workflow(arguments: &mut Arguments, state: &mut Value) -> Result<String> {
    let reference: String = arguments.value_from_str("--ref")?;
    let inputs: Vec<String> = arguments.values_from_str("--field")?;
    let workflow: String = arguments.free_from_str()?;
    let (commit, name) = match reference.strip_prefix("refs/tags/") {
        Some(tag) => (object_of(&format!("{reference}^{{}}"))?, tag),
        None => (commit_of(&reference)?, &*reference),
    };
    let missing = "could not create workflow dispatch event: HTTP 422: No ref found for:";
    let commit = commit.ok_or_else(|| format!("{missing} {reference}"))?;
    let runs = list_in(state, "runs")?;
    let url = format!("{REPOSITORY}/actions/runs/{}", runs.len() + 1);
    runs.push(json!({
        "workflowName": workflow, "headBranch": name, "headSha": commit, "html_url": url, "inputs": inputs,
        "event": "workflow_dispatch", "status": "completed", "conclusion": "success",
    }));
    Ok(String::new())
}

/// The newest run of a workflow, which is named by its file, at a branch or tag:
/// `actions/workflows/FILE/runs?branch=NAME&...`.
fn newest_run(state: &Value, path: &str) -> Result<String> {
    let workflow = path.split('/').nth(2).unwrap_or_default();
    let branch = path.split(['=', '&']).nth(1).unwrap_or_default();
    let mut runs = items(&state["runs"]).iter().rev();
    let selected = |run: &&Value| {
        let dispatched = run["event"] == "workflow_dispatch";
        dispatched && run["workflowName"] == workflow && run["headBranch"] == branch
    };
    let shown: Vec<_> = runs.find(selected).into_iter().cloned().collect();
    Ok(json!({ "workflow_runs": shown }).to_string())
}

/// Makes a release: an object with `tag_name`, `draft`, `prerelease` and `assets`, as the API has it.
fn create_release(arguments: &mut Arguments, state: &mut Value) -> Result<String> {
    let draft = flag(arguments, "--draft")? == Some(true);
    let prerelease = flag(arguments, "--prerelease")? == Some(true);
    let title: String = arguments.value_from_str("--title")?;
    let body = body(arguments, "--notes-file")?;
    let tag: String = arguments.free_from_str()?;
    let releases = list_in(state, "releases")?;
    let mut public = releases.iter().filter(|release| release["draft"] == false);
    if public.any(|release| release["tag_name"] == tag) {
        bail!("HTTP 422: Validation Failed: Release.tag_name already exists");
    }
    let url = format!("{REPOSITORY}/releases/tag/{tag}");
    releases.push(json!({
        "tag_name": tag, "html_url": url, "name": title, "body": body, "draft": draft,
        "prerelease": prerelease, "assets": [],
    }));
    Ok(String::new())
}

fn edit_release(arguments: &mut Arguments, state: &mut Value) -> Result<String> {
    let draft = flag(arguments, "--draft")?;
    let prerelease = flag(arguments, "--prerelease")?;
    let latest = flag(arguments, "--latest")?;
    let tag: String = arguments.free_from_str()?;
    let release = release_of(state, &tag)?;
    if let Some(draft) = draft {
        release["draft"] = json!(draft);
    }
    if let Some(prerelease) = prerelease {
        release["prerelease"] = json!(prerelease);
    }
    // Without the flag, the server takes the release that was made public last.
    if latest.unwrap_or(draft == Some(false)) {
        state["latest"] = json!(tag);
    }
    Ok(String::new())
}

fn upload(arguments: &mut Arguments, state: &mut Value) -> Result<String> {
    let clobber = arguments.contains("--clobber");
    let tag: String = arguments.free_from_str()?;
    let release = release_of(state, &tag)?;
    while let Some(file) = arguments.opt_free_from_str::<String>()? {
        let content = fs::read(&file).context(&file)?;
        let name = Path::new(&file).file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        let assets = list_in(release, "assets")?;
        if !clobber && assets.iter().any(|asset| asset["name"] == *name) {
            bail!("asset under the same name already exists: [{name}]");
        }
        assets.retain(|asset| asset["name"] != *name);
        assets.push(json!({
            "name": name, "state": "uploaded", "size": content.len(),
            "digest": format!("sha256:{}", sha256(&content)),
        }));
    }
    Ok(String::new())
}

fn releases(state: &Value) -> Result<String> {
    // gh prints one list after the other.
    let pages = items(&state["releases"]).chunks(100).map(Value::from);
    let pages: String = pages.map(|page| page.to_string()).collect();
    match pages.is_empty() {
        true => Ok("[]".to_string()),
        false => Ok(pages),
    }
}

fn latest(state: &Value) -> Result<String> {
    let mut releases = items(&state["releases"]).iter();
    let latest = releases.find(|release| release["tag_name"] == state["latest"]);
    Ok(latest.ok_or("gh: Not Found (HTTP 404)")?.to_string())
}

/// A list of the state; a new one if it is not there.
fn list_in<'a>(of: &'a mut Value, list: &str) -> Result<&'a mut Vec<Value>> {
    if of[list].is_null() {
        of[list] = json!([]);
    }
    let items = of[list].as_array_mut();
    Ok(items.ok_or_else(|| format!("{STATE} has no list `{list}`"))?)
}

fn release_of<'a>(state: &'a mut Value, tag: &str) -> Result<&'a mut Value> {
    let mut releases = state["releases"].as_array_mut().into_iter().flatten();
    let release = releases.find(|release| release["tag_name"] == tag);
    Ok(release.ok_or("release not found")?)
}

/// A flag as gh takes it: `--flag` or `--flag=value`, and never `--flag value`.
fn flag(arguments: &mut Arguments, name: &'static str) -> Result<Option<bool>> {
    match arguments.contains(name) {
        true => Ok(Some(true)),
        false => Ok(arguments.opt_value_from_str(name)?),
    }
}

/// What a command gets on stdin: no other file is read.
fn body(arguments: &mut Arguments, option: &'static str) -> Result<String> {
    match arguments.value_from_str::<_, String>(option)?.as_str() {
        "-" => Ok(read_to_string(stdin())?),
        file => Err(format!("open {file}: the stand-in reads a body from stdin").into()),
    }
}

fn today(state: &Value) -> String {
    let clock = || time::OffsetDateTime::now_utc().date().to_string();
    state["today"].as_str().map_or_else(clock, str::to_string)
}

/// The commit of a branch of `origin`.
fn commit_of(branch: &str) -> Result<Option<String>> {
    object_of(&format!("refs/heads/{branch}"))
}

/// The object of a ref of `origin`.
fn object_of(name: &str) -> Result<Option<String>> {
    let output = Command::new("git")
        .args(["ls-remote", "origin", name])
        .output()?;
    let listing = String::from_utf8_lossy(&output.stdout);
    Ok(listing.split_whitespace().next().map(str::to_string))
}
