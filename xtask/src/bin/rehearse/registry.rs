//! A registry on this machine that cargo takes for crates.io: sparse index, publish, yank, owners and download, over plain
//! HTTP on a port of the loopback address. It keeps everything in a folder, never asks who is there, and can be told to
//! fail. It needs the standard library, a reader of JSON and our SHA-256 alone.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::sha256::sha256;

/// How the registry behaves; by default without delay, without other crates than its own, and without fault.
#[derive(Default)]
pub struct Rules {
    /// How long a new version stays out of the index.
    pub delay: Duration,
    /// Returns what the public index has of a crate. With it, what is not here is answered by the public registry.
    pub public: Option<Public>,
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
    /// When a version that is not in the index yet will be.
    hidden: HashMap<(String, String), Instant>,
    /// Each request, as `METHOD PATH STATUS`; the status is 0 for one that got no answer.
    log: Vec<String>,
    counts: HashMap<String, usize>,
}

struct Answer {
    status: u16,
    location: Option<String>,
    body: Vec<u8>,
}

impl Registry {
    /// Starts a registry whose crates are, or will be, in this folder.
    pub fn start(folder: PathBuf, rules: Rules) -> io::Result<Registry> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let (stopped, state) = (AtomicBool::new(false), Mutex::default());
        let here = Arc::new(Here {
            address,
            folder,
            rules,
            stopped,
            state,
        });
        let shared = here.clone();
        thread::spawn(move || {
            for stream in listener
                .incoming()
                .take_while(|_| !shared.stopped.load(Ordering::Relaxed))
                .flatten()
            {
                let here = shared.clone();
                // A client that goes away in the middle is no concern of ours.
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
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Answers the requests of a connection until the client closes it or a fault does.
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut words = line.split_whitespace();
            let (method, path) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            let (mut length, mut named) = (0, false);
            loop {
                let mut header = String::new();
                reader.read_line(&mut header)?;
                let Some((name, value)) = header.trim_end().split_once(':') else {
                    break;
                };
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().unwrap_or(0),
                    "user-agent" => named = true,
                    "expect" => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?,
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;

            let count = {
                let mut state = self.lock();
                let count = state.counts.entry(method.to_string()).or_default();
                *count += 1;
                *count - 1
            };
            // What is uploaded stands in the body alone.
            let new = parts(&body)
                .filter(|_| path.ends_with("/crates/new"))
                .map(|(new, _)| new);
            let text =
                |new: &Value, field: &str| new[field].as_str().unwrap_or_default().to_string();
            let subject =
                new.map(|new| format!("{path} {} {}", text(&new, "name"), text(&new, "vers")));
            let subject = subject.as_deref().unwrap_or(path);
            let failure = self
                .rules
                .fault
                .as_ref()
                .and_then(|fault| fault(method, subject, count));
            let answer = match &failure {
                Some(Failure::Lost) => refused(0, ""),
                Some(Failure::Refused(status, text)) => refused(*status, text),
                // As crates.io does it.
                _ if !named => refused(
                    403,
                    "We require that all requests include a `User-Agent` header.",
                ),
                _ => self
                    .answer(method, path, &body)
                    .unwrap_or_else(|error| refused(500, &error.to_string())),
            };
            let Answer {
                status,
                location,
                mut body,
            } = answer;
            let lost = matches!(failure, Some(Failure::Lost | Failure::Unanswered));
            let cut_off = matches!(failure, Some(Failure::Truncated));
            self.lock().log.push(format!(
                "{method} {subject} {}",
                if lost || cut_off { 0 } else { status }
            ));
            if lost {
                return Ok(());
            }
            if let Some(Failure::Late(time)) = failure {
                thread::sleep(time);
            }
            let location =
                location.map_or_else(String::new, |location| format!("Location: {location}\r\n"));
            let status = if cut_off { 200 } else { status };
            let head = format!(
                "HTTP/1.1 {status} \r\n{location}Content-Length: {}\r\n\r\n",
                body.len()
            );
            if cut_off {
                body.truncate(body.len() / 2);
            }
            stream.write_all(&[head.into_bytes(), body].concat())?;
            if cut_off {
                return Ok(());
            }
        }
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        // Names of crates are ASCII without anything that a file system takes amiss; nothing else is looked at.
        let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let safe = path.is_ascii()
            && words.iter().all(|word| {
                !word.is_empty() && !word.starts_with('.') && !word.contains(['\\', ':'])
            });
        match (method, &words[..]) {
            _ if !safe => Ok(refused(404, "not found")),
            ("GET", ["index", "config.json"]) => {
                let base = format!("http://{}", self.address);
                Ok(said(json!({ "dl": format!("{base}/dl"), "api": base })))
            }
            ("GET", ["index", place @ ..]) => self.index(place),
            ("GET", ["dl", name, version, "download"]) => {
                let file = self
                    .folder
                    .join("crates")
                    .join(format!("{name}-{version}.crate"));
                match fs::read(file) {
                    Ok(body) => Ok(Answer {
                        status: 200,
                        location: None,
                        body,
                    }),
                    Err(_) => Ok(self.elsewhere(format!(
                        "https://static.crates.io/crates/{name}/{version}/download"
                    ))),
                }
            }
            ("PUT", ["api", "v1", "crates", "new"]) => self.publish(body),
            ("DELETE", ["api", "v1", "crates", name, version, "yank"]) => self.yank(name, version),
            ("GET" | "PUT", ["api", "v1", "crates", name, "owners"]) => {
                self.owners(method, name, body)
            }
            _ => Ok(refused(404, "not found")),
        }
    }

    /// What the public registry answers, if that is asked at all.
    fn elsewhere(&self, location: String) -> Answer {
        match self.rules.public {
            Some(_) => Answer {
                status: 302,
                location: Some(location),
                body: Vec::new(),
            },
            None => refused(404, "not found"),
        }
    }

    /// Where the lines of a crate are. Names that differ in case are one crate.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.join("index").join(name.to_ascii_lowercase())
    }

    /// The lines of a crate of ours, one JSON object a version.
    fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.file(name)).unwrap_or_default();
        text.lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn write(&self, name: &str, lines: &[Value]) -> io::Result<()> {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::create_dir_all(self.folder.join("index"))?;
        // In one step: whoever kills us finds the old lines or the new ones.
        let fresh = self.folder.join("fresh");
        fs::write(&fresh, text)?;
        fs::rename(fresh, self.file(name))
    }

    fn index(&self, place: &[&str]) -> io::Result<Answer> {
        let name = place.last().copied().unwrap_or_default();
        let mut lines = self.lines(name);
        let state = self.lock();
        lines.retain(|line| {
            let key = (
                name.to_string(),
                line["vers"].as_str().unwrap_or_default().to_string(),
            );
            state
                .hidden
                .get(&key)
                .is_none_or(|moment| *moment <= Instant::now())
        });
        drop(state);
        if lines.is_empty() {
            return Ok(self.elsewhere(format!("https://index.crates.io/{}", place.join("/"))));
        }
        // Others may rely on what the public has of it.
        let public = self
            .rules
            .public
            .as_ref()
            .map_or_else(|| Ok(String::new()), |public| public(name))?;
        let public = public
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let public: Vec<Value> = public
            .filter(|line| lines.iter().all(|ours| ours["vers"] != line["vers"]))
            .collect();
        lines.splice(0..0, public);
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        Ok(Answer {
            status: 200,
            location: None,
            body: text.into_bytes(),
        })
    }

    fn publish(&self, body: &[u8]) -> io::Result<Answer> {
        let Some((new, package)) = parts(body) else {
            return Ok(refused(400, "invalid body"));
        };
        let text = |field: &str| new[field].as_str().unwrap_or_default().to_string();
        let (name, version) = (text("name"), text("vers"));
        if !name.is_ascii() {
            return Ok(refused(400, &format!("invalid crate name: {name}")));
        }

        // What crates.io would refuse, with its words.
        let mut missing = vec![
            ("description", text("description")),
            ("license", text("license") + &text("license_file")),
        ];
        missing.retain(|(_, value)| value.is_empty());
        if !missing.is_empty() {
            let missing = missing
                .iter()
                .map(|(field, _)| *field)
                .collect::<Vec<_>>()
                .join(", ");
            let link = "https://doc.rust-lang.org/cargo/reference/manifest.html";
            let more =
                format!("Please see {link} for more information on configuring these fields");
            return Ok(refused(
                400,
                &format!("missing or empty metadata fields: {missing}. {more}"),
            ));
        }
        let mut state = self.lock();
        let mut lines = self.lines(&name);
        if lines.iter().any(|line| line["vers"] == *version) {
            return Ok(refused(
                400,
                &format!("crate version `{version}` is already uploaded"),
            ));
        }
        let dependencies = new["deps"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|dependency| {
                let mut line = dependency.clone();
                line["req"] = dependency["version_req"].clone();
                let renamed = &dependency["explicit_name_in_toml"];
                if renamed.is_string() {
                    line["package"] = dependency["name"].clone();
                    line["name"] = renamed.clone();
                }
                line
            });
        lines.push(json!({
            "name": name, "vers": version, "deps": dependencies.collect::<Vec<_>>(), "cksum": sha256(package),
            "features": new["features"], "yanked": false, "links": new["links"], "rust_version": new["rust_version"], "v": 2,
        }));
        fs::create_dir_all(self.folder.join("crates"))?;
        fs::write(
            self.folder
                .join("crates")
                .join(format!("{name}-{version}.crate")),
            package,
        )?;
        self.write(&name, &lines)?;
        state.hidden.insert(
            (name.to_ascii_lowercase(), version),
            Instant::now() + self.rules.delay,
        );
        Ok(said(
            json!({ "warnings": { "invalid_categories": [], "invalid_badges": [], "other": [] } }),
        ))
    }

    fn yank(&self, name: &str, version: &str) -> io::Result<Answer> {
        let _alone = self.lock();
        let mut lines = self.lines(name);
        let Some(line) = lines.iter_mut().find(|line| line["vers"] == *version) else {
            return Ok(refused(
                404,
                &format!("crate `{name}` does not have a version `{version}`"),
            ));
        };
        line["yanked"] = json!(true);
        self.write(name, &lines)?;
        Ok(said(json!({ "ok": true })))
    }

    fn owners(&self, method: &str, name: &str, body: &[u8]) -> io::Result<Answer> {
        let _alone = self.lock();
        if self.lines(name).is_empty() {
            return Ok(refused(404, &format!("crate `{name}` does not exist")));
        }
        let file = self.folder.join("crates").join(format!("{name}.owners"));
        let known = fs::read_to_string(&file).unwrap_or_default();
        let mut owners: Vec<&str> = known.lines().collect();
        if method == "GET" {
            let users = owners
                .iter()
                .enumerate()
                .map(|(id, login)| json!({ "id": id, "login": login, "name": null }));
            return Ok(said(json!({ "users": users.collect::<Vec<_>>() })));
        }
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        for login in request["users"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if owners.contains(&login) {
                return Ok(refused(400, &format!("`{login}` is already an owner")));
            }
            owners.push(login);
        }
        fs::write(&file, owners.join("\n"))?;
        Ok(said(json!({ "ok": true, "msg": "done" })))
    }
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

fn said(value: Value) -> Answer {
    Answer {
        status: 200,
        location: None,
        body: value.to_string().into_bytes(),
    }
}

fn refused(status: u16, text: &str) -> Answer {
    Answer {
        status,
        ..said(json!({ "errors": [{ "detail": text }] }))
    }
}
