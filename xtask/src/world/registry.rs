//! What the registry says: which versions of a crate are in its sparse index. It only reads, without a token. A crate is unpublished
//! only if the index answers that it is not there; any other failure is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use semver::Version;
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::world::workspace::{Crate, Workspace};
use crate::{Context, Result};

/// How many questions the index is asked at a time.
const PARALLEL: usize = 16;

pub const CRATES_IO: &str = "crates-io";

/// A registry that cargo publishes to.
pub struct Registry {
    /// As cargo's configuration calls it.
    pub name: String,
    /// The address of its index, with a slash at the end.
    index: String,
    agent: Agent,
    /// How long an unanswered request is retried.
    timeout: Duration,
}

/// The versions of a crate in the index, and whether each is yanked. Empty: the registry has never seen the crate.
pub type Versions = BTreeMap<Version, bool>;

impl Registry {
    /// The registry that a workspace is published to: the one named, else `CARGO_REGISTRY_DEFAULT`, else the only one that its
    /// crates allow, else crates.io. Fails if a crate may not go there, or if its index is not known or does not answer.
    pub fn of(workspace: &Workspace, named: Option<String>, timeout: Duration) -> Result<Registry> {
        let published = || workspace.crates.iter().filter(|member| member.published);
        let allowed: BTreeSet<&String> =
            published().flat_map(|member| &member.registries).collect();
        let name = match (
            named.or_else(|| std::env::var("CARGO_REGISTRY_DEFAULT").ok()),
            Vec::from_iter(allowed),
        ) {
            (Some(name), _) => name,
            (None, only) if only.len() == 1 => only[0].clone(),
            _ => CRATES_IO.to_string(),
        };
        let allows =
            |member: &Crate| member.registries.is_empty() || member.registries.contains(&name);
        if let Some(member) = published().find(|member| !allows(member)) {
            return Err(format!(
                "`{}` may not go to registry `{name}`, by its `publish`: use --registry",
                member.name
            )
            .into());
        }
        let variable = format!(
            "CARGO_REGISTRIES_{}_INDEX",
            name.to_uppercase().replace('-', "_")
        );
        let index = match name.as_str() {
            CRATES_IO => "sparse+https://index.crates.io/".to_string(),
            _ => std::env::var(&variable).map_err(|_| {
                format!("registry `{name}`: set {variable} to the address of its index, `sparse+https://...`")
            })?,
        };
        let address = index.strip_prefix("sparse+").ok_or_else(|| {
            format!("registry `{name}`: {index} is not a sparse index, `sparse+https://...`")
        })?;
        let index = format!("{}/", address.trim_end_matches('/'));
        Ok(Registry {
            name,
            index,
            agent: agent()?,
            timeout,
        })
    }

    /// Fails unless it answers: an address that is wrong must not look like a registry without crates.
    fn check(&self) -> Result<()> {
        let config = self.get("config.json")?.unwrap_or_default();
        match serde_json::from_str::<Value>(&config) {
            Ok(config) if config["dl"].is_string() => Ok(()),
            _ => Err(format!(
                "registry `{}`: {} has no config.json",
                self.name, self.index
            )
            .into()),
        }
    }

    /// The published crates of a workspace, each with its versions in the index. Several are asked at a time.
    pub fn versions_of_all<'a>(
        &self,
        workspace: &'a Workspace,
    ) -> Result<Vec<(&'a Crate, Versions)>> {
        self.check()?;
        let published: Vec<&Crate> = workspace
            .crates
            .iter()
            .filter(|member| member.published)
            .collect();
        let ask = |part: &[&'a Crate]| -> Vec<Result<(&'a Crate, Versions)>> {
            part.iter()
                .map(|member| Ok((*member, self.versions(&member.name)?)))
                .collect()
        };
        let parts = published.chunks(published.len().div_ceil(PARALLEL).max(1));
        thread::scope(|scope| {
            let threads: Vec<_> = parts.map(|part| scope.spawn(move || ask(part))).collect();
            let answers = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            answers.flatten().collect()
        })
    }

    /// What the index has of a crate.
    pub fn versions(&self, name: &str) -> Result<Versions> {
        let path = index_path(name);
        let text = self.get(&path)?.unwrap_or_default();
        let version = |line| -> Result<(Version, bool)> {
            let line: Value = serde_json::from_str(line)?;
            Ok((
                Version::parse(line["vers"].as_str().unwrap_or_default())?,
                line["yanked"] == true,
            ))
        };
        text.lines()
            .map(version)
            .collect::<Result<_>>()
            .context(format_args!("{}{path}", self.index))
    }

    /// A file of the index; `None` if the index says that there is none. Everything else is asked again, until the timeout.
    fn get(&self, path: &str) -> Result<Option<String>> {
        let address = format!("{}{path}", self.index);
        let (begun, mut pause) = (Instant::now(), Duration::from_millis(250));
        loop {
            let answer = self.agent.get(&address).call().and_then(|mut answer| {
                match answer.status().as_u16() {
                    // "Sparse protocol" in the Cargo book: all three say that there is no such crate.
                    404 | 410 | 451 => Ok(Ok(None)),
                    200 => answer
                        .body_mut()
                        .with_config()
                        .limit(1 << 30)
                        .read_to_string()
                        .map(|text| Ok(Some(text))),
                    status => Ok(Err(format!("status {status}"))),
                }
            });
            let trouble = match answer {
                Ok(Ok(text)) => return Ok(text),
                Ok(Err(status)) => status,
                Err(error) => error.to_string(),
            };
            if begun.elapsed() + pause > self.timeout {
                return Err(
                    format!("{address}: {trouble}; what is published cannot be known").into(),
                );
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_secs(30));
        }
    }
}

/// Where a crate stands in an index ("Index files" in the Cargo book).
pub fn index_path(name: &str) -> String {
    let name = name.to_lowercase();
    match name.len() {
        length @ (1 | 2) => format!("{length}/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

/// Sends the User-Agent that crates.io requires. ureq reads the proxy from `HTTPS_PROXY` itself.
pub fn agent() -> Result<Agent> {
    let config = Agent::config_builder()
        .tls_config(TlsConfig::builder().root_certs(roots()?).build())
        .user_agent(concat!("release-train xtask/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        // Otherwise all but three are closed after each answer.
        .max_idle_connections(PARALLEL)
        .max_idle_connections_per_host(PARALLEL)
        .timeout_global(Some(Duration::from_secs(30)));
    Ok(config.build().into())
}

/// The trusted roots: Mozilla's, which are built in, or those of the file that cargo is told to use instead, as behind a proxy
/// that intercepts TLS.
fn roots() -> Result<RootCerts> {
    let named = |name| {
        Some((
            name,
            std::env::var_os(name).filter(|file| !file.is_empty())?,
        ))
    };
    let Some((name, file)) = named("CARGO_HTTP_CAINFO").or_else(|| named("SSL_CERT_FILE")) else {
        return Ok(RootCerts::WebPki);
    };
    let place = format!("{name}: {}", file.display());
    let pem = fs::read(&file).context(&place)?;
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(root) = item.context(&place)? {
            roots.push(root);
        }
    }
    match roots.is_empty() {
        true => Err(format!("{place}: the file holds no certificate in PEM").into()),
        false => Ok(roots.into()),
    }
}
