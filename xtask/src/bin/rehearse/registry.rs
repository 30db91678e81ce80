//! A registry on this machine that cargo takes for crates.io: sparse index, publish, yank and download, over plain HTTP on
//! a port of the loopback address. It keeps everything in a folder, and can be told to fail.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use semver::Version;
use serde_json::{Value, json};

use super::sha256::sha256;
use release_train::world::text;

/// How the registry behaves; by default without delay, without other crates than its own, and without fault.
#[derive(Default)]
pub struct Rules {
    /// How long a new version stays out of the index.
    pub delay: Duration,
    /// Returns what the public index has of a crate. With it, what is not here is answered by the public registry.
    pub public: Option<Public>,
    /// The only token that may publish and yank; without it, any may.
    pub token: Option<String>,
    /// Is asked before each request: its method, its path (an upload's has the crate and the version behind it), and how
    /// many requests of that method came before.
    pub fault: Option<Fault>,
}

pub type Public = Box<dyn Fn(&str) -> io::Result<String> + Send + Sync>;
pub type Fault = Box<dyn Fn(&str, &str, usize) -> Option<Failure> + Send + Sync>;

/// What a request may meet instead of its answer.
pub enum Failure {
    /// An error with this status and this text.
    Refused(u16, String),
    /// Another answer, which looks like a good one.
    Instead(String),
    /// The connection is closed before anything was done ...
    Lost,
    /// ... or after it, without an answer ...
    Unanswered,
    /// ... or in the middle of the answer.
    Truncated,
    /// The answer comes this late.
    Late(Duration),
}

/// Runs until it is dropped.
pub struct Registry {
    here: Arc<Here>,
}

struct Here {
    address: SocketAddr,
    folder: PathBuf,
    rules: Rules,
    stopped: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When a new version comes into the index.
    visible: HashMap<(String, String), Instant>,
    /// Each request, as `METHOD PATH STATUS`; the status is 0 for one that got no answer.
    log: Vec<String>,
    counts: HashMap<String, usize>,
}

#[derive(Default)]
struct Request {
    method: String,
    path: String,
    token: Option<String>,
    /// Whether it has a header `User-Agent`.
    has_agent: bool,
    body: Vec<u8>,
}

#[derive(Default)]
struct Answer {
    status: u16,
    /// The header `Location`, with its line end, if there is one.
    location: String,
    body: Vec<u8>,
}

impl Registry {
    /// Starts a registry whose crates are, or will be, in this folder.
    pub fn start(folder: PathBuf, rules: Rules) -> io::Result<Registry> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let here = Arc::new(Here {
            address,
            folder,
            rules,
            stopped: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let shared = here.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let here = shared.clone();
                // An error is the client's: it has closed the connection.
                thread::spawn(move || drop(here.serve(stream)));
            }
        });
        Ok(Registry { here })
    }

    /// The address of the index, as cargo's configuration takes it.
    pub fn index(&self) -> String {
        format!("sparse+http://{}/index/", self.here.address)
    }

    /// What cargo's configuration needs so that this registry stands for crates.io, also where crates come from.
    pub fn configuration(&self) -> String {
        let index = self.index();
        format!(
            "[registry]\ndefault = \"rehearsal\"\n[registries.rehearsal]\nindex = \"{index}\"\n\
             [source.crates-io]\nreplace-with = \"rehearsal\"\n[source.rehearsal]\nregistry = \"{index}\"\n"
        )
    }

    /// The requests so far, each as `METHOD PATH STATUS`.
    pub fn log(&self) -> Vec<String> {
        self.here.lock().log.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.here.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.here.address); // wakes the listener up
    }
}

impl Here {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the requests of a connection until the client closes it or a fault does.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = Request::read(&mut reader, &mut stream)? {
            let subject = request.subject();
            let count = {
                let mut state = self.lock();
                let count = state.counts.entry(request.method.clone()).or_default();
                *count += 1;
                *count - 1
            };
            let fault = self.rules.fault.as_ref();
            let failure = fault.and_then(|fault| fault(&request.method, &subject, count));
            let mut answer = match &failure {
                Some(Failure::Lost) => refused(0, ""),
                Some(Failure::Refused(status, text)) => refused(*status, text),
                Some(Failure::Instead(text)) => ok(text.clone().into_bytes()),
                _ => self
                    .answer(&request)
                    .unwrap_or_else(|error| refused(500, &error.to_string())),
            };
            let (mut status, length) = (answer.status, answer.body.len());
            if let Some(Failure::Lost | Failure::Unanswered | Failure::Truncated) = failure {
                status = 0;
            }
            let line = format!("{} {subject} {status}", request.method);
            self.lock().log.push(line);
            match failure {
                Some(Failure::Late(time)) => thread::sleep(time),
                Some(Failure::Truncated) => {
                    answer.status = 200;
                    answer.body.truncate(length / 2);
                }
                _ if status == 0 => return Ok(()),
                _ => {}
            }
            let (status, location) = (answer.status, answer.location);
            let head = format!("HTTP/1.1 {status} \r\n{location}Content-Length: {length}\r\n\r\n");
            stream.write_all(&[head.into_bytes(), answer.body].concat())?;
            if let Some(Failure::Truncated) = failure {
                break;
            }
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> io::Result<Answer> {
        let words: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        if !words.iter().all(|word| is_well_formed(word)) {
            return Ok(refused(404, "not found"));
        }
        if !request.has_agent {
            // As crates.io does it.
            let text = "We require that all requests include a `User-Agent` header.";
            return Ok(refused(403, text));
        }
        let token = self.rules.token.as_ref().or(request.token.as_ref());
        if request.method != "GET" && request.token.as_ref() != token {
            return Ok(refused(403, "authentication failed"));
        }
        match (&*request.method, &words[..]) {
            ("GET", ["index", "config.json"]) => {
                let base = format!("http://{}", self.address);
                Ok(json_of(json!({ "dl": format!("{base}/dl"), "api": base })))
            }
            ("GET", ["index", place @ ..]) => self.index(place),
            ("GET", ["dl", name, version, "download"]) => {
                let public = format!("static.crates.io/crates/{name}/{version}/download");
                let body = fs::read(self.package(name, version));
                Ok(body.map_or_else(|_| self.elsewhere(&public), ok))
            }
            ("PUT", ["api", "v1", "crates", "new"]) => self.publish(&request.body),
            ("DELETE", ["api", "v1", "crates", name, version, "yank"]) => self.yank(name, version),
            _ => Ok(refused(404, "not found")),
        }
    }

    /// What the public registry answers, if that is asked at all.
    fn elsewhere(&self, location: &str) -> Answer {
        match self.rules.public {
            Some(_) => Answer {
                status: 302,
                location: format!("Location: https://{location}\r\n"),
                ..Answer::default()
            },
            None => refused(404, "not found"),
        }
    }

    fn package(&self, name: &str, version: &str) -> PathBuf {
        let file = format!("{name}-{version}.crate");
        self.folder.join("crates").join(file)
    }

    /// The index of a crate. Names that differ in case are one crate.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("index").join(name.to_ascii_lowercase())
    }

    /// The lines of the index of a crate of ours, one a version.
    fn lines(&self, name: &str) -> Vec<Value> {
        parse_lines(&fs::read_to_string(self.file(name)).unwrap_or_default())
    }

    fn write(&self, name: &str, lines: &[Value]) -> io::Result<()> {
        fs::create_dir_all(self.folder.join("index"))?;
        // In one step: if we are killed, the old lines are there or the new ones.
        let new = self.folder.join("new");
        fs::write(&new, print_lines(lines))?;
        fs::rename(new, self.file(name))
    }

    fn index(&self, place: &[&str]) -> io::Result<Answer> {
        let name = place.last().copied().unwrap_or_default();
        let mut lines = self.lines(name);
        let state = self.lock();
        lines.retain(|line| {
            let visible = state.visible.get(&(name.to_string(), text(&line["vers"])));
            visible.is_none_or(|moment| *moment <= Instant::now())
        });
        drop(state);
        if lines.is_empty() {
            return Ok(self.elsewhere(&format!("index.crates.io/{}", place.join("/"))));
        }
        // Others may rely on versions of it that are public.
        let mut all = String::new();
        if let Some(public) = &self.rules.public {
            // Not parsed: a crate may have megabytes of them.
            for line in public(name)?.lines() {
                let is_of = |ours: &Value| line.contains(&format!("\"vers\":{}", ours["vers"]));
                if !lines.iter().any(is_of) {
                    all += &format!("{line}\n");
                }
            }
        }
        Ok(ok((all + &print_lines(&lines)).into_bytes()))
    }

    fn publish(&self, body: &[u8]) -> io::Result<Answer> {
        let Some((new, package)) = parts(body) else {
            return Ok(refused(400, "invalid body"));
        };
        let (name, version) = (text(&new["name"]), text(&new["vers"]));
        if !is_well_formed(&name) || Version::parse(&version).is_err() {
            let text = format!("invalid name or version: {name} {version}");
            return Ok(refused(400, &text));
        }

        // What crates.io refuses, with its words.
        let license = text(&new["license"]) + &text(&new["license_file"]);
        let mut missing = vec![
            ("description", text(&new["description"])),
            ("license", license),
        ];
        missing.retain(|(_, value)| value.is_empty());
        if !missing.is_empty() {
            let fields: Vec<&str> = missing.iter().map(|(field, _)| *field).collect();
            let fields = fields.join(", ");
            let link = "https://doc.rust-lang.org/cargo/reference/manifest.html";
            let text = format!(
                "missing or empty metadata fields: {fields}. Please see {link} for more \
                 information on configuring these fields"
            );
            return Ok(refused(400, &text));
        }
        let mut state = self.lock();
        let mut lines = self.lines(&name);
        if lines.iter().any(|line| line["vers"] == version) {
            let text = format!("crate version `{version}` is already uploaded");
            return Ok(refused(400, &text));
        }
        let mut dependencies = new["deps"].as_array().cloned().unwrap_or_default();
        for dependency in &mut dependencies {
            dependency["req"] = dependency["version_req"].clone();
            let renamed = dependency["explicit_name_in_toml"].clone();
            if renamed.is_string() {
                dependency["package"] = dependency["name"].clone();
                dependency["name"] = renamed;
            }
        }
        lines.push(json!({
            "name": name, "vers": version, "deps": dependencies, "cksum": sha256(package),
            "features": new["features"], "yanked": false, "links": new["links"],
            "rust_version": new["rust_version"], "v": 2,
        }));
        fs::create_dir_all(self.folder.join("crates"))?;
        fs::write(self.package(&name, &version), package)?;
        self.write(&name, &lines)?;
        let visible = Instant::now() + self.rules.delay;
        let key = (name.to_ascii_lowercase(), version);
        state.visible.insert(key, visible);
        Ok(json_of(
            json!({ "warnings": { "invalid_categories": [], "invalid_badges": [], "other": [] } }),
        ))
    }

    fn yank(&self, name: &str, version: &str) -> io::Result<Answer> {
        let _state = self.lock();
        let mut lines = self.lines(name);
        let Some(line) = lines.iter_mut().find(|line| line["vers"] == *version) else {
            let text = format!("crate `{name}` does not have a version `{version}`");
            return Ok(refused(404, &text));
        };
        line["yanked"] = json!(true);
        self.write(name, &lines)?;
        Ok(json_of(json!({ "ok": true })))
    }
}

impl Request {
    /// Reads a request; `None` if the client has closed the connection.
    fn read(reader: &mut impl BufRead, stream: &mut impl Write) -> io::Result<Option<Request>> {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut words = line.split_whitespace().map(str::to_string);
        let mut request = Request {
            method: words.next().unwrap_or_default(),
            path: words.next().unwrap_or_default(),
            ..Request::default()
        };
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            match &*name.to_ascii_lowercase() {
                "authorization" => request.token = Some(value.trim().to_string()),
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "user-agent" => request.has_agent = true,
                "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                _ => {}
            }
        }
        if length > MOST {
            return Ok(None);
        }
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
        Ok(Some(request))
    }

    /// The path; of an upload with the crate and the version, which are in the body alone.
    fn subject(&self) -> String {
        match parts(&self.body) {
            Some((new, _)) => [&*self.path, &text(&new["name"]), &text(&new["vers"])].join(" "),
            None => self.path.clone(),
        }
    }
}

/// The most bytes of a body; crates.io takes less.
const MOST: usize = 64 << 20;

/// Whether a word is safe as part of a file's name: one of a crate, a version or a path of ours.
fn is_well_formed(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    !word.is_empty() && !word.starts_with('.') && word.chars().all(allowed)
}

fn parse_lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(serde_json::from_str);
    lines.filter_map(Result::ok).collect()
}

fn print_lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// An upload is the length of the metadata in four bytes, the metadata, and the same for the package.
fn parts(body: &[u8]) -> Option<(Value, &[u8])> {
    let part = |from: usize| -> Option<&[u8]> {
        let length = u32::from_le_bytes(body.get(from..from + 4)?.try_into().ok()?) as usize;
        body.get(from + 4..from + 4 + length)
    };
    let metadata = part(0)?;
    Some((
        serde_json::from_slice(metadata).ok()?,
        part(4 + metadata.len())?,
    ))
}

fn ok(body: Vec<u8>) -> Answer {
    Answer {
        status: 200,
        body,
        ..Answer::default()
    }
}

fn json_of(value: Value) -> Answer {
    ok(value.to_string().into_bytes())
}

fn refused(status: u16, text: &str) -> Answer {
    Answer {
        status,
        ..json_of(json!({ "errors": [{ "detail": text }] }))
    }
}
