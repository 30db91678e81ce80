//! A stand-in for GitHub's API on the loopback, to which the real `gh` of every version talks: the operations of REST and
//! GraphQL that the tasks cause, answered with whole objects. Its state is the file of the other stand-in, for `gh` itself.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::text;
use super::train::World;

/// What a request meets instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    Unauthorized,
    /// The organization wants another sign-in.
    SingleSignOn,
    RateLimit,
    TooMany,
    BadGateway,
    /// An answer 200 of GraphQL with an error, and an answer 403 of REST.
    Forbidden,
    /// The connection is lost before the work was done, or after it.
    LostBefore,
    LostAfter,
}

pub const FAULTS: [Fault; 8] = [
    Fault::Unauthorized,
    Fault::SingleSignOn,
    Fault::RateLimit,
    Fault::TooMany,
    Fault::BadGateway,
    Fault::Forbidden,
    Fault::LostBefore,
    Fault::LostAfter,
];

/// What the API does besides: `at` is the number of the request that meets a fault, from 0.
#[derive(Default)]
pub struct Rules {
    pub fault: Option<(usize, Fault)>,
    /// How many times the list of releases lacks the newest one, and `releases/latest` shows the one before.
    pub late: usize,
    /// Checks that the token may not read.
    pub no_checks: bool,
    /// What a token that only reads does not see.
    pub no_drafts: bool,
}

pub struct GitHub {
    here: Arc<Here>,
}

struct Here {
    port: u16,
    state: PathBuf,
    origin: PathBuf,
    rules: Mutex<Rules>,
    /// Each request as `METHOD PATH`, or the operation of GraphQL.
    log: Mutex<Vec<String>>,
}

const HOST: &str = "github.localhost";

/// Where `gh api --paginate` goes on.
const NEXT: &str = "Link: <http://api.github.localhost/repos/o/r/actions/workflows/x/runs?page=2>; rel=\"next\"\r\n";

/// An answer: status, further headers, body.
type Answer = (u16, &'static str, String);

impl GitHub {
    /// Starts it for a world, whose `gh` is this program from now on, and talks to it.
    pub fn start(world: &mut World, gh: &str, rules: Rules) -> GitHub {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let here = Arc::new(Here {
            port,
            state: world.path("gh/stand-in.json"),
            origin: world.path("origin.git"),
            rules: Mutex::new(rules),
            log: Mutex::default(),
        });
        let shared = here.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let here = shared.clone();
                thread::spawn(move || drop(here.serve(stream)));
            }
        });
        let proxy = format!("HTTP_PROXY=http://127.0.0.1:{port}");
        world.wrap(
            "gh",
            &format!("{proxy} GH_HOST={HOST} GH_TOKEN=secret-token exec {gh} \"$@\""),
        );
        world.env.push(("GH_REPO".into(), format!("{HOST}/o/r")));
        GitHub { here }
    }

    pub fn log(&self) -> Vec<String> {
        self.here.log.lock().unwrap().clone()
    }
}

impl Here {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        loop {
            let mut first = String::new();
            if reader.read_line(&mut first)? == 0 {
                return Ok(());
            }
            let (mut length, mut line) = (0, String::new());
            while line != "\r\n" {
                line.clear();
                reader.read_line(&mut line)?;
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let mut words = first.split(' ');
            let (method, address) = (words.next().unwrap(), words.next().unwrap());
            let path = address
                .strip_prefix("http://")
                .and_then(|rest| rest.find('/').map(|at| &rest[at..]));
            let path = path.unwrap_or(address);
            let Some((status, header, body)) = self.answer(method, path, &body) else {
                return Ok(()); // closed
            };
            let length = body.len();
            let kind = if body.starts_with('<') {
                "text/html"
            } else {
                "application/json; charset=utf-8"
            };
            write!(
                stream,
                "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nX-OAuth-Scopes: repo\r\n{header}Content-Length: {length}\r\n\r\n{body}"
            )?;
        }
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Option<Answer> {
        let query: Value = serde_json::from_slice(body).unwrap_or_default();
        let operation = operation(&query);
        let fault = {
            let mut log = self.log.lock().unwrap();
            let at = log.len();
            log.push(operation.map_or_else(|| format!("{method} {path}"), str::to_string));
            let rules = self.rules.lock().unwrap();
            rules
                .fault
                .filter(|(which, _)| *which == at)
                .map(|(_, fault)| fault)
        };
        let message = |status, header, text: &str| {
            Some((status, header, json!({ "message": text }).to_string()))
        };
        match fault {
            Some(Fault::Unauthorized) => message(401, "", "Bad credentials"),
            Some(Fault::SingleSignOn) => message(
                403,
                "X-GitHub-SSO: required; url=https://github.com/orgs/o/sso\r\n",
                "Resource protected by organization SAML enforcement.",
            ),
            Some(Fault::RateLimit) => message(
                403,
                "X-RateLimit-Remaining: 0\r\n",
                "API rate limit exceeded",
            ),
            Some(Fault::TooMany) => message(
                429,
                "Retry-After: 60\r\n",
                "You have exceeded a secondary rate limit",
            ),
            Some(Fault::BadGateway) => {
                Some((502, "", "<html><h1>502 Bad Gateway</h1></html>".to_string()))
            }
            Some(Fault::Forbidden) if operation.is_some() => {
                let error = json!({ "type": "FORBIDDEN", "message": "Resource not accessible by personal access token" });
                Some((
                    200,
                    "",
                    json!({ "data": null, "errors": [error] }).to_string(),
                ))
            }
            Some(Fault::Forbidden) => {
                message(403, "", "Resource not accessible by personal access token")
            }
            Some(Fault::LostBefore) => None,
            Some(Fault::LostAfter) => {
                self.work(method, path, &query, body);
                None
            }
            None => Some(self.work(method, path, &query, body)),
        }
    }

    /// Does what a request asks for.
    fn work(&self, method: &str, path: &str, query: &Value, body: &[u8]) -> Answer {
        let rules = &mut *self.rules.lock().unwrap();
        let before = fs::read(&self.state).unwrap_or_default();
        let empty = json!({ "pulls": [], "issues": [], "runs": [] });
        let before: Value = serde_json::from_slice(&before).unwrap_or(empty);
        let mut state = before.clone();
        let answer = match operation(query) {
            Some(operation) => (
                200,
                "",
                self.graphql(operation, query, &mut state, rules)
                    .to_string(),
            ),
            None => self.rest(method, path, query, body, &mut state, rules),
        };
        if state != before {
            fs::write(&self.state, state.to_string()).unwrap();
        }
        answer
    }

    fn graphql(&self, operation: &str, query: &Value, state: &mut Value, rules: &Rules) -> Value {
        let variables = &query["variables"];
        let pages = json!({ "hasNextPage": false, "endCursor": "" });
        let repository = match operation {
            "RepositoryInfo" | "RepositoryNetwork" => json!({
                "id": "R_1", "databaseId": 1, "name": "r", "owner": { "login": "o" }, "hasIssuesEnabled": true,
                "description": "", "hasWikiEnabled": true, "viewerPermission": "WRITE", "sshUrl": "",
                "defaultBranchRef": { "name": "main" }, "parent": null, "mergeCommitAllowed": true,
                "rebaseMergeAllowed": true, "squashMergeAllowed": true, "isPrivate": false,
            }),
            "PullRequestList" | "PullRequestForBranch" => {
                let mut nodes = Vec::new();
                for (at, pull) in state["pulls"].as_array().unwrap().iter().enumerate().rev() {
                    let states = variables["state"].as_array().cloned().unwrap_or_default();
                    let head = &variables[if operation == "PullRequestList" {
                        "headBranch"
                    } else {
                        "headRefName"
                    }];
                    if (states.is_empty() || states.contains(&pull["state"]))
                        && (head.is_null() || *head == pull["headRefName"])
                    {
                        nodes.push(self.pull(at, pull));
                    }
                }
                json!({ "pullRequests": { "totalCount": nodes.len(), "nodes": nodes, "pageInfo": pages } })
            }
            "PullRequestByNumber" => {
                let at = variables["pr_number"].as_u64().unwrap() as usize - 1;
                let mut pull = self.pull(at, &state["pulls"][at]);
                let checks = self.checks(state, &pull["headRefOid"]);
                let rollup = json!({ "contexts": { "nodes": checks, "pageInfo": pages } });
                pull["statusCheckRollup"] =
                    json!({ "nodes": [{ "commit": { "statusCheckRollup": rollup } }] });
                if rules.no_checks {
                    let path = json!(["repository", "pullRequest", "statusCheckRollup"]);
                    let error = json!({ "type": "FORBIDDEN", "path": path, "message": "Resource not accessible by personal access token" });
                    return json!({ "data": { "repository": { "pullRequest": pull } }, "errors": [error] });
                }
                json!({ "pullRequest": pull })
            }
            "PullRequestCreate" => {
                let input = &variables["input"];
                return match self.create_pull(input, state) {
                    Ok(pull) => json!({ "data": { "createPullRequest": { "pullRequest": pull } } }),
                    Err(error) => {
                        json!({ "data": null, "errors": [{ "type": "UNPROCESSABLE", "path": ["createPullRequest"], "message": error }] })
                    }
                };
            }
            "RepositoryReleaseByTag" => {
                let mut releases = releases(state).into_iter();
                let release = releases.find(|release| {
                    release["tag_name"] == variables["tagName"]
                        && !(rules.no_drafts && release["draft"] == true)
                });
                json!({ "release": release.map(|release| json!({ "databaseId": release["id"], "isDraft": release["draft"] })) })
            }
            _ => panic!("unknown operation {operation}: {query}"),
        };
        json!({ "data": { "repository": repository } })
    }

    /// A pull request with every field that gh asks for.
    fn pull(&self, at: usize, pull: &Value) -> Value {
        let mut pull = pull.clone();
        pull["id"] = json!(format!("PR_{}", at + 1));
        pull["number"] = json!(at + 1);
        pull["url"] = json!(format!("http://{HOST}/o/r/pull/{}", at + 1));
        pull["headRepositoryOwner"] = json!({ "id": "U_1", "login": "o" });
        pull["isDraft"] = json!(false);
        if pull["state"] == "OPEN" {
            let branch = pull["headRefName"].as_str().unwrap();
            pull["headRefOid"] = json!(self.commit(&format!("refs/heads/{branch}")));
        }
        pull
    }

    fn create_pull(&self, input: &Value, state: &mut Value) -> Result<Value, String> {
        let field = |name: &str| input[name].as_str().unwrap_or_default().to_string();
        let (head, base) = (field("headRefName"), field("baseRefName"));
        let (Some(from), Some(to)) = (
            self.commit(&format!("refs/heads/{head}")),
            self.commit(&format!("refs/heads/{base}")),
        ) else {
            return Err(
                "Head sha can't be blank, Base sha can't be blank, Head ref must be a branch"
                    .to_string(),
            );
        };
        if from == to {
            return Err(format!("No commits between {base} and {head}"));
        }
        let pulls = state["pulls"].as_array().unwrap();
        if pulls
            .iter()
            .any(|pull| pull["headRefName"] == *head && pull["state"] == "OPEN")
        {
            return Err(format!("A pull request already exists for o:{head}."));
        }
        let today = state["today"].as_str().unwrap_or("2026-03-05").to_string();
        let number = pulls.len() + 1;
        let pull = json!({
            "number": number, "url": format!("https://github.com/rehearsal/rehearsal/pull/{number}"), "state": "OPEN",
            "title": field("title"), "body": field("body"), "createdAt": format!("{today}T00:07:00Z"),
            "headRefName": head, "headRefOid": from, "baseRefName": base, "isCrossRepository": false,
        });
        state["pulls"].as_array_mut().unwrap().push(pull.clone());
        Ok(self.pull(number - 1, &pull))
    }

    /// The checks of a commit, as GraphQL has them.
    fn checks(&self, state: &Value, commit: &Value) -> Vec<Value> {
        let mut checks = Vec::new();
        for (at, run) in state["runs"].as_array().unwrap().iter().enumerate() {
            if run["headSha"] == *commit {
                let upper = |key: &str| run[key].as_str().unwrap_or_default().to_uppercase();
                checks.push(json!({
                    "__typename": "CheckRun", "name": "CI", "status": upper("status"), "conclusion": upper("conclusion"),
                    "checkSuite": { "workflowRun": { "workflow": { "name": run["workflowName"] } } },
                    "startedAt": format!("2026-03-05T00:{:02}:00Z", at % 60), "completedAt": "2026-03-06T00:00:00Z",
                    "detailsUrl": run["html_url"],
                }));
            }
        }
        checks
    }

    fn rest(
        &self,
        method: &str,
        path: &str,
        query: &Value,
        body: &[u8],
        state: &mut Value,
        rules: &mut Rules,
    ) -> Answer {
        let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
        let parameter = |name: &str| {
            parameters
                .split('&')
                .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
        };
        let found = |object: &Value| (200, "", object.to_string());
        let missing = || {
            (
                404,
                "",
                json!({ "message": "Not Found", "status": "404" }).to_string(),
            )
        };
        if !state["releases"].is_array() {
            state["releases"] = json!([]);
        }
        let path = path.trim_start_matches("/repos/o/r");
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let all = releases(state);
        let public = |release: &&Value| release["draft"] == false;
        let at = |id: &str| {
            all.iter()
                .position(|release| id.parse() == Ok(release["id"].as_u64().unwrap()))
        };
        match (method, &parts[..]) {
            ("GET", ["releases"]) => {
                let mut list = all.clone();
                list.reverse();
                if rules.late > 0 && !list.is_empty() {
                    rules.late -= 1;
                    list.remove(0);
                }
                list.retain(|release| !rules.no_drafts || release["draft"] == false);
                let per_page: usize =
                    parameter("per_page").map_or(30, |count| count.parse().unwrap());
                list.truncate(per_page);
                found(&Value::from(list))
            }
            ("GET", ["releases", "latest"]) => {
                let latest = all
                    .iter()
                    .filter(public)
                    .find(|release| release["tag_name"] == state["latest"]);
                latest.map_or_else(missing, found)
            }
            ("GET", ["releases", "tags", tag]) => {
                let release = all
                    .iter()
                    .filter(public)
                    .find(|release| release["tag_name"] == **tag);
                release.map_or_else(missing, found)
            }
            ("GET", ["releases", id]) => at(id).map_or_else(missing, |at| found(&all[at])),
            ("POST", ["releases"]) => {
                if all
                    .iter()
                    .filter(public)
                    .any(|release| release["tag_name"] == query["tag_name"])
                {
                    let error = json!({ "resource": "Release", "code": "already_exists", "field": "tag_name" });
                    return (
                        422,
                        "",
                        json!({ "message": "Validation Failed", "errors": [error] }).to_string(),
                    );
                }
                let url = format!(
                    "https://github.com/rehearsal/rehearsal/releases/tag/{}",
                    query["tag_name"].as_str().unwrap()
                );
                state["releases"].as_array_mut().unwrap().push(json!({
                    "tag_name": query["tag_name"], "html_url": url, "name": query["name"], "body": query["body"],
                    "draft": query["draft"] == true, "prerelease": query["prerelease"] == true, "assets": [],
                }));
                (201, "", releases(state).last().unwrap().to_string())
            }
            ("PATCH", ["releases", id]) => {
                let Some(at) = at(id) else { return missing() };
                let release = &mut state["releases"][at];
                for key in ["draft", "prerelease", "name", "body"] {
                    if !query[key].is_null() {
                        release[key] = query[key].clone();
                    }
                }
                if query["make_latest"] == "true" {
                    state["latest"] = state["releases"][at]["tag_name"].clone();
                }
                found(&releases(state)[at])
            }
            ("POST", ["uploads", id]) => {
                let Some(at) = at(id) else { return missing() };
                let name = parameter("name").unwrap();
                let digest = format!("sha256:{}", super::sha256::sha256(body));
                let assets = state["releases"][at]["assets"].as_array_mut().unwrap();
                if assets.iter().any(|asset| asset["name"] == name) {
                    return (
                        422,
                        "",
                        json!({ "message": "Validation Failed" }).to_string(),
                    );
                }
                assets.push(json!({ "name": name, "state": "uploaded", "size": body.len(), "digest": digest }));
                (
                    201,
                    "",
                    releases(state)[at]["assets"]
                        .as_array()
                        .unwrap()
                        .last()
                        .unwrap()
                        .to_string(),
                )
            }
            ("DELETE", ["releases", "assets", id]) => {
                for release in state["releases"].as_array_mut().unwrap() {
                    let assets = release["assets"].as_array_mut().unwrap();
                    assets.retain(|asset| asset_id(asset).to_string() != *id);
                }
                (204, "", String::new())
            }
            ("GET", ["actions", "workflows", file]) => found(&json!({
                "id": 7, "name": file, "path": format!(".github/workflows/{file}"), "state": "active",
            })),
            ("GET", ["actions", "workflows", file, "runs"]) => {
                let mut runs = Vec::new();
                for (at, run) in state["runs"].as_array().unwrap().iter().enumerate().rev() {
                    let branch = parameter("branch").unwrap_or_default();
                    if (*file == "7" || run["workflowName"] == **file)
                        && run["headBranch"] == branch
                    {
                        runs.push(json!({
                            "id": at + 1, "workflow_id": 7, "name": run["workflowName"], "head_branch": run["headBranch"],
                            "head_sha": run["headSha"], "event": run["event"], "status": run["status"],
                            "conclusion": run["conclusion"], "html_url": run["html_url"],
                        }));
                    }
                }
                let total = runs.len();
                let per_page: usize =
                    parameter("per_page").map_or(30, |count| count.parse().unwrap());
                let next = if total > per_page { NEXT } else { "" };
                runs.truncate(per_page);
                let page = json!({ "total_count": total, "workflow_runs": runs });
                (200, next, page.to_string())
            }
            ("POST", ["actions", "workflows", _, "dispatches"]) => {
                let reference = query["ref"].as_str().unwrap();
                let name = reference.trim_start_matches("refs/tags/");
                let full = if name == reference {
                    format!("refs/heads/{name}")
                } else {
                    format!("{reference}^{{}}")
                };
                let Some(commit) = self.commit(&full) else {
                    let message = format!("No ref found for: {reference}");
                    return (422, "", json!({ "message": message }).to_string());
                };
                let runs = state["runs"].as_array_mut().unwrap();
                let url = format!(
                    "https://github.com/rehearsal/rehearsal/actions/runs/{}",
                    runs.len() + 1
                );
                runs.push(json!({
                    "workflowName": "release-tag.yml", "headBranch": name, "headSha": commit, "html_url": url, "inputs": [],
                    "event": "workflow_dispatch", "status": "completed", "conclusion": "success",
                }));
                (204, "", String::new())
            }
            _ => panic!("unknown request {method} {path} {parameters} {query}"),
        }
    }

    /// The commit of a ref.
    fn commit(&self, name: &str) -> Option<String> {
        let mut git = Command::new("git");
        let output = git
            .args(["rev-parse", "--verify", "--quiet", name])
            .current_dir(&self.origin)
            .output()
            .unwrap();
        output
            .status
            .success()
            .then(|| text(&output.stdout).trim().to_string())
    }
}

/// The releases, with what only the API has.
fn releases(state: &Value) -> Vec<Value> {
    let mut releases = state["releases"].as_array().cloned().unwrap_or_default();
    for (at, release) in releases.iter_mut().enumerate() {
        let url = format!("http://api.{HOST}/repos/o/r/releases/{}", at + 1);
        release["id"] = json!(at + 1);
        release["node_id"] = json!(format!("RE_{}", at + 1));
        release["upload_url"] = json!(format!(
            "http://api.{HOST}/uploads/{}{{?name,label}}",
            at + 1
        ));
        release["url"] = json!(url);
        release["created_at"] = json!("2026-03-05T00:00:00Z");
        release["author"] = json!({ "login": "o" });
        release["target_commitish"] = json!("main");
        for asset in release["assets"].as_array_mut().unwrap() {
            asset["id"] = json!(asset_id(asset));
            let url = format!(
                "http://api.{HOST}/repos/o/r/releases/assets/{}",
                asset["id"]
            );
            asset["url"] = json!(url);
        }
    }
    releases
}

/// The name of an operation of GraphQL.
fn operation(query: &Value) -> Option<&str> {
    let text = query["query"].as_str()?;
    let after = ["query ", "mutation "]
        .iter()
        .find_map(|kind| text.find(kind).map(|at| &text[at + kind.len()..]))?;
    after.split(|c: char| !c.is_alphanumeric()).next()
}

/// A number for a file, in one release.
fn asset_id(asset: &Value) -> u32 {
    let name = asset["name"].as_str().unwrap();
    name.bytes()
        .fold(1, |sum, byte| sum.wrapping_mul(31) ^ u32::from(byte))
}
