//! What the registry says: which versions of a crate are in its sparse index. It only reads, without a token, and takes
//! nothing but the registry's own word for it: a crate is unpublished if the index answers 404, and everything else but an
//! answer is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use semver::Version;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};
use xshell::Shell;

use crate::workspace::{Crate, Workspace};
use crate::{Context, Result, manifest, say};

pub const CRATES_IO: &str = "crates-io";

/// How many questions are asked at once.
const CONNECTIONS: usize = 16;

/// A registry that cargo publishes to.
pub struct Registry {
    /// As cargo's configuration calls it.
    pub name: String,
    /// Where its index begins, with a slash at the end.
    index: String,
    agent: Agent,
    /// How long a question that is not answered is asked again.
    patience: Duration,
}

/// The versions of a crate that are in the index, and whether each is yanked. Empty: the registry has never seen it.
pub type Versions = BTreeMap<Version, bool>;

impl Registry {
    /// The registry that a workspace goes to, which answers. Fails as `find` and `check` do.
    pub fn of(sh: &Shell, workspace: &Workspace, named: Option<String>, patience: Duration) -> Result<Registry> {
        let registry = Registry::find(sh, workspace, named, patience)?;
        registry.check()?;
        Ok(registry)
    }

    /// The registry that a workspace goes to, by cargo's rule: the one that is named, else the default of cargo's
    /// configuration, else the only one that the crates allow, else crates.io; it is not asked anything. Fails if a crate
    /// may not go there (a named one leaves those out), if its index is not known, or if it cannot be read here.
    pub fn find(sh: &Shell, workspace: &Workspace, named: Option<String>, patience: Duration) -> Result<Registry> {
        let published = || workspace.crates.iter().filter(|member| member.published);
        let default = if named.is_some() { None } else { configured(sh, &["registry", "default"])? };
        let mut lists: Vec<&[String]> = published().map(|member| &member.registries[..]).collect();
        lists.dedup();
        let name = match (named.clone().or(default), &lists[..]) {
            (Some(name), _) => name,
            (None, [[only]]) => only.clone(),
            (None, _) => CRATES_IO.to_string(),
        };
        let strangers = published().filter(|member| !goes_to(member, &name)).map(|member| member.name.as_str());
        let strangers: Vec<&str> = strangers.collect();
        if !strangers.is_empty() && (named.is_none() || strangers.len() == published().count()) {
            let strangers = strangers.join("`, `");
            return Err(format!(
                "`{strangers}` may not go to registry `{name}`, by their `publish`: name the right one with --registry"
            )
            .into());
        } else if !strangers.is_empty() {
            say(format_args!("not for registry `{name}`, by their `publish`: {}", strangers.join(" ")));
        }
        let failed = |why: &str| format!("registry `{name}`: {why}");
        let key = ["registries", &name, "index"];
        let index = match name.as_str() {
            CRATES_IO => "sparse+https://index.crates.io/".to_string(),
            _ => configured(sh, &key)?.ok_or_else(|| {
                failed(&format!("set {} to the address of its index, sparse+https://...", variable(&key)))
            })?,
        };
        if index.contains('@') {
            return Err(failed("the address of its index holds credentials: cargo takes none there").into());
        }
        let address = index.strip_prefix("sparse+").ok_or_else(|| {
            failed(&format!("{index} is no sparse index (sparse+https://...), which is what can be asked here"))
        })?;
        let index = format!("{}/", address.trim_end_matches('/'));
        Ok(Registry { name, index, agent: agent(), patience })
    }

    /// Fails if it is none that can be read here: an address that is wrong, or a server that says 404 to everything, must
    /// not look like a registry without crates.
    pub fn check(&self) -> Result<()> {
        let config = self.get("config.json", Instant::now())?.unwrap_or_default();
        match serde_json::from_str::<Value>(&config) {
            Ok(config) if config["auth-required"] == true => Err(self.wants_credentials()),
            Ok(config) if config["dl"].is_string() => Ok(()),
            _ => Err(format!("registry `{}`: {} has no config.json of an index", self.name, self.index).into()),
        }
    }

    /// The crates that it is to have.
    pub fn members<'a>(&self, workspace: &'a Workspace) -> impl Iterator<Item = &'a Crate> {
        workspace.crates.iter().filter(|member| member.published && goes_to(member, &self.name))
    }

    /// Those crates, each with what the index has of it.
    pub fn state<'a>(&self, workspace: &'a Workspace) -> Result<Vec<(&'a Crate, Versions)>> {
        let members: Vec<&Crate> = self.members(workspace).collect();
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        Ok(members.into_iter().zip(self.versions(&names)?).collect())
    }

    fn wants_credentials(&self) -> crate::Error {
        format!("registry `{}`: its index wants credentials to be read, and this tool holds none", self.name).into()
    }

    /// What the index has of these crates, in their order, asked over a few connections at once.
    pub fn versions(&self, names: &[&str]) -> Result<Vec<Versions>> {
        let (begun, next) = (Instant::now(), AtomicUsize::new(0));
        let (sender, answers) = mpsc::channel();
        thread::scope(|scope| {
            for _ in 0..names.len().min(CONNECTIONS) {
                let (next, sender) = (&next, sender.clone());
                scope.spawn(move || {
                    while let Some((at, name)) = names.iter().enumerate().nth(next.fetch_add(1, Ordering::Relaxed)) {
                        let versions = self.versions_of(name, begun).map(|versions| (at, versions));
                        if sender.send(versions).is_err() {
                            break; // one failed, and the others need not go on
                        }
                    }
                });
            }
            drop(sender);
            let answers: BTreeMap<usize, Versions> = answers.into_iter().collect::<Result<_>>()?;
            Ok(answers.into_values().collect())
        })
    }

    fn versions_of(&self, name: &str, begun: Instant) -> Result<Versions> {
        let path = index_path(name);
        let lines = self.get(&path, begun)?.unwrap_or_default();
        let version = |line| -> Option<(Version, bool)> {
            let line: Value = serde_json::from_str(line).ok()?;
            Some((Version::parse(line["vers"].as_str()?).ok()?, line["yanked"] == true))
        };
        let read = lines.lines().map(|line| version(line).ok_or(line)).collect::<Result<Versions, _>>();
        read.map_err(|line| format!("{}{path}: `{line}` is no line of an index", self.index).into())
    }

    /// A file of the index, or `None` if it is not there. It is asked for again, at growing distances, while the answer is
    /// neither, until the patience that began then is over.
    fn get(&self, path: &str, begun: Instant) -> Result<Option<String>> {
        let address = format!("{}{path}", self.index);
        let mut pause = Duration::from_millis(250);
        loop {
            let answer = self.agent.get(&address).call().map(|answer| (answer.status().as_u16(), answer.into_body()));
            let trouble = match answer {
                Ok((200, mut body)) => match body.with_config().limit(1 << 30).read_to_string() {
                    Ok(text) => return Ok(Some(text)),
                    Err(error) => error.to_string(),
                },
                // "Sparse protocol" in the Cargo book: all three say that there is no such crate.
                Ok((404 | 410 | 451, mut body)) => {
                    let _ = body.read_to_vec(); // else the connection cannot be used again
                    return Ok(None);
                }
                Ok((401 | 403, _)) => return Err(self.wants_credentials()),
                Ok((status, _)) => format!("status {status}"),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() + pause > self.patience {
                return Err(format!("{address}: {trouble}; what is published cannot be known").into());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(30));
        }
    }
}

/// Where a crate stands in an index ("Index files" in the Cargo book).
pub fn index_path(name: &str) -> String {
    let name = name.to_lowercase();
    let letters = |from, count| name.chars().skip(from).take(count).collect::<String>();
    match name.len() {
        length @ (1 | 2) => format!("{length}/{name}"),
        3 => format!("3/{}/{name}", letters(0, 1)),
        _ => format!("{}/{}/{name}", letters(0, 2), letters(2, 2)),
    }
}

/// Whether the manifest of a crate lets it go to a registry.
fn goes_to(member: &Crate, name: &str) -> bool {
    member.registries.is_empty() || member.registries.iter().any(|registry| registry == name)
}

/// The categories that crates.io has. Its web API is for occasional questions, which this is.
pub fn categories() -> Result<BTreeSet<String>> {
    let asked = agent().get("https://crates.io/api/v1/category_slugs").call();
    let mut answer = asked.context("crates.io")?;
    if answer.status() != 200 {
        return Err(format!("crates.io: status {}", answer.status().as_u16()).into());
    }
    let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
    let slugs = answer["category_slugs"].as_array().ok_or("crates.io names no categories")?;
    Ok(slugs.iter().filter_map(|category| category["slug"].as_str().map(str::to_string)).collect())
}

/// Asks with the roots that this machine trusts, and with a name, as crates.io wants it.
pub fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!("release-train xtask/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // Else all but three are closed after each answer.
        .max_idle_connections(CONNECTIONS)
        .max_idle_connections_per_host(CONNECTIONS)
        .timeout_global(Some(Duration::from_secs(30)));
    config.build().into()
}

/// Where cargo keeps what it downloads, and the user's own configuration of it.
pub fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// The environment variable of a key of cargo's configuration.
fn variable(key: &[&str]) -> String {
    format!("CARGO_{}", key.join("_").to_uppercase().replace('-', "_"))
}

/// A string of cargo's configuration, found as cargo finds it: in the environment, else in the files `.cargo/config.toml`
/// from here upwards, else in that of cargo's home.
fn configured(sh: &Shell, key: &[&str]) -> Result<Option<String>> {
    if let Ok(value) = std::env::var(variable(key)) {
        return Ok(Some(value));
    }
    let here = sh.current_dir();
    for folder in here.ancestors().map(|folder| folder.join(".cargo")).chain(cargo_home()) {
        // Cargo takes the older name first.
        let files = ["config", "config.toml"].map(|name| folder.join(name));
        let file = files.iter().find(|file| file.is_file());
        if let Some(value) = file.map(|file| value(file, key)).transpose()?.flatten() {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

fn value(file: &Path, key: &[&str]) -> Result<Option<String>> {
    let shown = file.display().to_string();
    let text = fs::read_to_string(file).context(&shown)?;
    let document = manifest::parse(&shown, text)?;
    if document.get("include").is_some() {
        let variable = variable(key);
        return Err(
            format!("{shown}: what it includes is not looked at here: set {variable}, or name the --registry").into()
        );
    }
    let item = key.iter().try_fold(document.as_item(), |item, key| item.get(key));
    Ok(item.and_then(|item| item.as_str()).map(str::to_string))
}
