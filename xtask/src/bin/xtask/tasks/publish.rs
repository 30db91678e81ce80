//! `publish`: every crate that the registry lacks at its version, until none is missing. What is missing is asked of the
//! registry each time and never remembered: killed anywhere, it continues when it is started again. cargo packages, orders and
//! uploads.

use std::thread::sleep;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use xshell::{Shell, cmd};

use crate::outward;
use crate::tasks::at_tag;
use release_train::world::git::{Remote, committed};
use release_train::world::process;
use release_train::world::registry::{CRATES_IO, Registry};
use release_train::world::workspace::{Crate, Workspace};
use release_train::{Arguments, Result, bail, finish, say};

pub const HELP: &str = "\
Publishes every crate that the registry does not have at its version, in
dependency order, until none is missing. Safe to run again: it continues where
it stopped. The version's tag must be at HEAD. Nothing is built: CI did that
before the tag.

cargo xtask publish [--registry NAME] [--timeout SECONDS] [--allow-untagged]

  --registry        default: CARGO_REGISTRY_DEFAULT, else the only registry that
                    the crates allow, else crates-io
  --timeout         gives up after this long without progress (default: 300)
  --allow-untagged  publishes what is checked out, to a registry of your own
";

/// Reads the command line, and publishes.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let untagged = arguments.contains("--allow-untagged");
    let registry = arguments.opt_value_from_str("--registry")?;
    let timeout = arguments.opt_value_from_str("--timeout")?.unwrap_or(300);
    let timeout = Duration::from_secs(timeout);
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    if !untagged {
        at_tag(sh, &Remote::read(sh)?, &workspace.version)?;
        committed(sh, "no")?;
        all_tracked(sh, &workspace)?;
    }
    let registry = Registry::of(&workspace, registry, timeout)?;
    if untagged && registry.name == CRATES_IO {
        bail!(
            "--allow-untagged never publishes to crates.io: pass --registry NAME, or tag the commit"
        );
    }
    publish_missing(sh, &registry, &workspace, timeout)
}

/// Every published crate is in the commit: cargo takes members that git does not track, too.
fn all_tracked(sh: &Shell, workspace: &Workspace) -> Result<()> {
    for member in workspace.crates.iter().filter(|member| member.published) {
        let manifest = &workspace.manifests[member.manifest];
        let path = &manifest.path;
        process::output_of(cmd!(sh, "git ls-files --error-unmatch -- {path}"))
            .map_err(|_| format!("{}: `{}` is not in the commit", manifest.file, member.name))?;
    }
    Ok(())
}

fn publish_missing(
    sh: &Shell,
    registry: &Registry,
    workspace: &Workspace,
    timeout: Duration,
) -> Result<()> {
    let mut last_progress = Instant::now();
    let mut last_count = usize::MAX;
    let mut last_error = String::new();
    let mut same_errors = 0; // in a row, each before anything was uploaded
    loop {
        let versions = registry.versions_of_all(workspace)?;
        let mut missing = Vec::new();
        for (Crate { name, version, .. }, published) in &versions {
            if !published.contains_key(version) {
                // With the version: if the tree has changed since it was read, cargo refuses.
                missing.push(format!("{name}@{version}"));
            }
        }
        let (count, all) = (missing.len(), versions.len());
        if count == 0 {
            say!("{} has all {all} crates", registry.name);
            return Ok(());
        }
        let left = format!("{count} of {all} crates are missing from {}", registry.name);
        if count < last_count {
            (last_count, last_progress) = (count, Instant::now());
        } else if last_progress.elapsed() >= timeout {
            let seconds = timeout.as_secs();
            bail!("no progress for {seconds} s: {last_error}; {left}: run this again");
        } else {
            sleep(
                (last_progress.elapsed() / 2)
                    .clamp(Duration::from_secs(1), Duration::from_secs(60)),
            );
        }
        say!("{left}");

        let (mut errors, mut uploaded) = (String::new(), false);
        outward::publish(sh, &registry.name, &missing, &mut |line| {
            say!("{line}");
            uploaded |= line.trim_start().starts_with("Uploading ");
            if !errors.is_empty() || line.starts_with("error: ") {
                errors += &format!("{line}\n");
            }
        })?;

        let (failure, error) = Failure::of(&errors, OffsetDateTime::now_utc());
        match failure {
            Failure::Rejected => {
                bail!("{error}; fix that, then run this again");
            }
            Failure::RateLimited(until) => last_progress += wait_until(until, &error),
            Failure::AlreadyPublished | Failure::Transient => {}
        }
        let repeated = failure == Failure::Transient && !uploaded && error == last_error;
        same_errors = if repeated { same_errors + 1 } else { 0 };
        if same_errors == 3 {
            bail!("{error}; {left}");
        }
        last_error = error;
    }
}

/// Waits until a time that the registry gave, and returns how long: that does not count as time without progress.
fn wait_until(until: OffsetDateTime, error: &str) -> Duration {
    let wait = Duration::try_from(until - OffsetDateTime::now_utc()).unwrap_or_default();
    say!("{error}\nwaiting {} s", wait.as_secs());
    sleep(wait);
    wait
}

/// Why cargo failed, and so what to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Failure {
    /// Ask the index again: it does not show yet what was uploaded.
    AlreadyPublished,
    /// Wait until then.
    RateLimited(OffsetDateTime),
    /// Try again: the network, or the server.
    Transient,
    /// A human has to do something first.
    Rejected,
}

impl Failure {
    /// Reads what cargo printed from `error: ` on. The texts are crates.io's (`src/rate_limiter.rs` and
    /// `src/controllers/krate/publish.rs` there); for another registry the status is enough.
    pub fn of(errors: &str, now: OffsetDateTime) -> (Failure, String) {
        // The root cause comes last.
        let cause = process::one_line(errors.rsplit("Caused by:").next().unwrap_or_default());
        match status_in(&cause) {
            _ if cause.contains("already") => (Failure::AlreadyPublished, cause),
            None | Some(408 | 425 | 500..) => (Failure::Transient, cause),
            Some(429) if cause.contains("in the last 24 hours") => (
                Failure::Rejected,
                format!("{cause}: the daily limit is reached: run this again tomorrow"),
            ),
            Some(429) => match retry_after(&cause).filter(|until| *until > now) {
                Some(until) => (Failure::RateLimited(until), cause),
                None => (Failure::Transient, cause),
            },
            Some(401) => {
                let hint =
                    "the token is not valid, or has expired (trusted publishing: 30 minutes)";
                (Failure::Rejected, format!("{hint}: {cause}"))
            }
            Some(_) => (Failure::Rejected, cause),
        }
    }
}

fn status_in(cause: &str) -> Option<u16> {
    let mut after = ["responded with an error (status ", "200 OK response, got "]
        .iter()
        .filter_map(|before| cause.split_once(before));
    after.next()?.1.get(..3)?.parse().ok()
}

/// The time in `... Please try again after Tue, 30 Jul 2024 05:25:39 GMT and see ...`.
fn retry_after(text: &str) -> Option<OffsetDateTime> {
    let (_, rest) = text.split_once("try again after ")?;
    OffsetDateTime::parse(&rest[..rest.find("GMT")? + 3], &Rfc2822).ok()
}
