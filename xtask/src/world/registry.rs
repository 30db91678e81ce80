//! Which versions of a crate are in a registry's sparse index. It reads without a token. A crate is unpublished only if the
//! index answers that it does not exist; any other failure is an error.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use semver::Version;
use serde_json::Value;
use toml_edit::Item;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use crate::rules::manifest;
use crate::world::text;
use crate::world::workspace::{Crate, Workspace};
use crate::{Context, Result, bail, say};

pub const CRATES_IO: &str = "crates-io";

/// How many questions the index is asked at a time.
const PARALLEL: usize = 16;

/// A registry that cargo publishes to.
pub struct Registry {
    /// As cargo's configuration calls it.
    pub name: String,
    /// The address of its index, without a slash at the end.
    index: String,
    agent: Agent,
    /// How long a question is repeated that gets no answer.
    pub timeout: Duration,
}

/// The versions of a crate in the index, and whether each is yanked. Empty: the registry has never seen the crate.
pub type Versions = BTreeMap<Version, bool>;

impl Registry {
    /// The registry that a workspace is published to, by cargo's rule: the one named, else the default of cargo's
    /// configuration, else the only one that its crates allow, else crates.io. It is not asked yet. Fails if a crate may not go there (a named one leaves such
    /// crates out), or if its index is not known.
    pub fn of(of: &Workspace, named: Option<String>, timeout: Duration) -> Result<Registry> {
        let explicit = named.is_some();
        let default = string(configured(&of.root, &["registry", "default"])?);
        let lists = of.published().map(|member| &member.registries[..]);
        let mut lists = Vec::from_iter(lists);
        lists.dedup();
        let name = match (named.or(default), &lists[..]) {
            (Some(name), _) => name,
            (None, [[only]]) => only.clone(),
            (None, _) => CRATES_IO.to_string(),
        };
        let crates = of.published();
        let (allowed, refused): (Vec<_>, Vec<_>) = crates.partition(|it| it.is_allowed_in(&name));
        if let Some(Crate { name: member, .. }) = refused.first()
            && (!explicit || allowed.is_empty())
        {
            bail!("`{member}`: its `publish` does not allow registry `{name}`: pass --registry");
        }
        let variable = name.to_uppercase().replace('-', "_");
        let variable = format!("CARGO_REGISTRIES_{variable}_INDEX");
        let key = ["registries", &name, "index"];
        let index = match name.as_str() {
            CRATES_IO => "sparse+https://index.crates.io".to_string(),
            _ => string(configured(&of.root, &key)?).unwrap_or_default(),
        };
        let address = index.strip_prefix("sparse+");
        let Some(address) = address.filter(|address| !address.contains('@')) else {
            let index = "its sparse index without credentials, sparse+https://...";
            bail!("registry `{name}`: set {variable} to {index}");
        };
        Ok(Registry {
            index: address.trim_end_matches('/').to_string(),
            name,
            agent: agent()?,
            timeout,
        })
    }

    /// The published crates that may go to this registry, each with its versions in the index.
    pub fn versions_of_all<'a>(&self, of: &'a Workspace) -> Result<Vec<(&'a Crate, Versions)>> {
        self.config()?;
        let mut ours = Vec::from_iter(of.published());
        ours.retain(|member| member.is_allowed_in(&self.name));
        let ask = |part: &[&'a Crate]| -> Result<Vec<_>> {
            part.iter().map(|member| self.versions(member)).collect()
        };
        let parts = ours.chunks(ours.len().div_ceil(PARALLEL).max(1));
        thread::scope(|scope| {
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || ask(part))).collect();
            let mut all = Vec::new();
            for thread in threads {
                all.extend(thread.join().unwrap_or_else(|panic| resume_unwind(panic))?);
            }
            Ok(all)
        })
    }

    /// The configuration of the index. Fails unless this is an index that can be read without a token: a wrong address must not
    /// look like a registry without crates.
    fn config(&self) -> Result<Value> {
        let Registry { name, index, .. } = self;
        let file = self.get(&format!("{index}/config.json"))?;
        let config: Value = serde_json::from_slice(&file.unwrap_or_default()).unwrap_or_default();
        if !config["dl"].is_string() {
            bail!("registry `{name}`: {index}/ has no config.json of an index");
        }
        if config["auth-required"] == true {
            bail!("registry `{name}`: {index}/ {NEEDS_TOKEN}");
        }
        Ok(config)
    }

    /// The versions of a crate. Lines that cargo would skip are skipped.
    pub fn versions<'a>(&self, member: &'a Crate) -> Result<(&'a Crate, Versions)> {
        let path = format!("{}/{}", self.index, index_path(&member.name));
        let file = self.get(&path)?.unwrap_or_default();
        let mut versions = Versions::new();
        for line in file.split(|byte| *byte == b'\n') {
            let line: Value = serde_json::from_slice(line).unwrap_or_default();
            let is_known = line["v"].as_u64().unwrap_or(1) <= 2 && line["cksum"].is_string();
            let version = Version::parse(&text(&line["vers"]));
            let (Ok(version), true) = (version, is_known) else {
                continue;
            };
            let (name, ours) = (text(&line["name"]), &member.name);
            if name != *ours {
                let registry = &self.name;
                bail!("{registry} answers for `{ours}` with a crate `{name}`");
            }
            versions.insert(version, line["yanked"] == true);
        }
        Ok((member, versions))
    }

    /// The package of a version that is in the index, as its users download it ("Index format" in the Cargo book).
    pub fn download(&self, name: &str, version: &Version) -> Result<Vec<u8>> {
        let mut address = text(&self.config()?["dl"]);
        if !address.contains('{') {
            address += "/{crate}/{version}/download";
        }
        let path = index_path(name);
        let prefix = path.rsplit_once('/').unwrap_or_default().0;
        for (marker, value) in [
            ("{crate}", name),
            ("{version}", &version.to_string()),
            ("{prefix}", prefix),
            ("{lowerprefix}", prefix),
        ] {
            address = address.replace(marker, value);
        }
        let package = self.get(&address)?;
        Ok(package.ok_or_else(|| format!("{address}: not found"))?)
    }

    /// What is at an address; `None` if it does not exist. Anything but an answer is asked for again, until the timeout: then
    /// the error is an `io::Error`, as no other of a registry is.
    fn get(&self, address: &str) -> Result<Option<Vec<u8>>> {
        let (begun, mut pause) = (Instant::now(), Duration::from_millis(250));
        let soon = Duration::from_secs(5);
        // A registry is asked for its configuration first: that it does not answer is to be said soon, and once.
        let mut to_say = address.ends_with("/config.json");
        loop {
            let patience = if to_say { soon } else { 6 * soon };
            let error = match self.get_once(address, patience) {
                Ok((200, body)) => return Ok(Some(body)),
                // "Sparse protocol" in the Cargo book: all three say that there is no such crate.
                Ok((404 | 410 | 451, _)) => return Ok(None),
                Ok((401 | 403, _)) => bail!("{address}: it {NEEDS_TOKEN}"),
                Ok((status, _)) => format!("status {status}"),
                Err(error) => error.to_string(),
            };
            if begun.elapsed() + pause > self.timeout {
                let error = format!("{address}: {error}: what is published is unknown");
                return Err(io::Error::new(ErrorKind::TimedOut, error).into());
            }
            if to_say && self.timeout > soon && begun.elapsed() + 2 * pause > soon {
                to_say = false;
                say!("{address}: {error}: asked for {} s", self.timeout.as_secs());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(30));
        }
    }

    fn get_once(&self, address: &str, patience: Duration) -> Result<(u16, Vec<u8>), ureq::Error> {
        let question = self.agent.get(address).config();
        let mut answer = question.timeout_global(Some(patience)).build().call()?;
        let body = answer.body_mut().with_config().limit(1 << 26);
        let body = body.read_to_vec()?;
        Ok((answer.status().as_u16(), body))
    }
}

const NEEDS_TOKEN: &str = "asks for a token, and an index is read without one";

/// A value of cargo's configuration: of its variable, else of the files above the workspace, nearest first, else of cargo's
/// home ("Configuration" in the Cargo book).
pub fn configured(root: &Path, keys: &[&str]) -> Result<Option<Item>> {
    let variable = format!("CARGO_{}", keys.join("_").to_uppercase().replace('-', "_"));
    if let Ok(value) = std::env::var(variable) {
        return Ok(Some(toml_edit::value(value)));
    }
    let above = root.ancestors().map(|folder| folder.join(".cargo"));
    for folder in above.chain([cargo_home()]) {
        for name in ["config", "config.toml"] {
            let file = folder.join(name);
            let Ok(text) = fs::read_to_string(&file) else {
                continue;
            };
            let file = manifest::parse(&file.display().to_string(), text.as_str())?;
            let mut keys = keys.iter();
            if let Some(value) = keys.try_fold(file.as_item(), |item, key| item.get(key)) {
                return Ok(Some(value.clone()));
            }
        }
    }
    Ok(None)
}

/// The folder of cargo's own configuration and of the packages that it has downloaded.
pub fn cargo_home() -> PathBuf {
    let home = std::env::home_dir().unwrap_or_default().join(".cargo");
    std::env::var_os("CARGO_HOME").map_or(home, PathBuf::from)
}

fn string(item: Option<Item>) -> Option<String> {
    item?.as_str().map(str::to_string)
}

/// The path of a crate in an index ("Index files" in the Cargo book).
pub fn index_path(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        length @ (1 | 2) => format!("{length}/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

/// Sends the User-Agent that crates.io requires. The proxy is that of cargo's variable, else of those that ureq reads itself, as
/// `HTTPS_PROXY`.
pub fn agent() -> Result<Agent> {
    let proxy = match std::env::var("CARGO_HTTP_PROXY") {
        Ok(proxy) if !proxy.is_empty() => Some(Proxy::new(&proxy).context("CARGO_HTTP_PROXY")?),
        _ => Proxy::try_from_env(),
    };
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots()?).build())
        .user_agent(concat!("release-train xtask/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // Otherwise all but three are closed after each answer.
        .max_idle_connections(PARALLEL)
        .max_idle_connections_per_host(PARALLEL)
        .proxy(proxy)
        .timeout_global(Some(Duration::from_secs(30)));
    Ok(config.build().into())
}

/// The trusted roots: Mozilla's, which are built in, or those of the file that cargo is told to use instead, as behind a proxy
/// that intercepts TLS.
fn roots() -> Result<RootCerts> {
    for name in ["CARGO_HTTP_CAINFO", "SSL_CERT_FILE"] {
        let file = std::env::var(name).unwrap_or_default();
        if file.is_empty() {
            continue;
        }
        let place = format!("{name}: {file}");
        let mut roots = Vec::new();
        for item in parse_pem(&fs::read(&file).context(&place)?) {
            if let PemItem::Certificate(root) = item.context(&place)? {
                roots.push(root);
            }
        }
        if roots.is_empty() {
            bail!("{place}: the file holds no certificate in PEM");
        }
        return Ok(roots.into());
    }
    Ok(RootCerts::WebPki)
}
