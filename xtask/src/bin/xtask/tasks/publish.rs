//! `publish`: every crate that is missing from the registry at its version, until none is. What is missing is asked of the
//! registry each time and never remembered: killed anywhere, it continues when it is started again. cargo packages, orders and
//! uploads.

use std::thread::sleep;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use xshell::{Shell, cmd};

use crate::outward;
use crate::tasks::github_release::artifacts;
use crate::tasks::{at_tag, cargo_package, not_checked_out};
use release_train::rules::notes;
use release_train::world::git::{Remote, committed};
use release_train::world::process::{one_line, output_of, search_output};
use release_train::world::registry::{Registry, Versions};
use release_train::world::workspace::{Crate, Workspace};
use release_train::{Arguments, Result, bail, finish, say};

pub const HELP: &str = "\
Publishes every crate that is missing from the registry at its version.

cargo xtask publish [--registry NAME] [--timeout SECONDS] [--accept CRATE]...

  --registry  default: cargo's `registry.default`, else the only registry that
              the crates allow, else crates-io
  --timeout   gives up after this long without progress (default: 300)
  --accept    takes this crate as it is in the registry, though it differs from
              what is packaged here

The version's tag must be at HEAD. Crates are published in the order of their
dependencies, and nothing is built: CI did that before the tag. Run again, it
continues where it stopped.

Example: cargo xtask publish --timeout 600
";

/// Reads the command line, and publishes.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let registry = arguments.opt_value_from_str("--registry")?;
    let timeout = arguments.opt_value_from_str("--timeout")?.unwrap_or(300);
    let accepted: Vec<String> = arguments.values_from_str("--accept")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    at_tag(sh, &Remote::read(sh)?, &workspace)?;
    committed(sh, "no")?;
    // Cargo takes members that git does not track, too.
    let published = workspace.published();
    let files = published.map(|member| &workspace.manifests[member.manifest].file);
    let known = cmd!(sh, "git ls-files --error-unmatch");
    output_of(known.arg("--").args(files))?;
    if let Some(first) = not_checked_out(sh, &workspace)?.first() {
        bail!("{first}");
    }
    // Crates that are published cannot be taken back.
    if !workspace.config.artifacts.is_empty() {
        artifacts(sh, &workspace)?;
    }
    let registry = Registry::of(&workspace, registry, Duration::from_secs(timeout))?;
    let versions = registry.versions_of_all(&workspace)?;
    refuse_strangers(sh, &registry, &workspace, &versions, &accepted)?;
    publish(sh, &registry, &workspace, versions)
}

/// Fails if a crate that the registry has at this version alone is not the one that is packaged here: anyone can publish under a
/// name that was never used before its owner does.
fn refuse_strangers(
    sh: &Shell,
    registry: &Registry,
    of: &Workspace,
    versions: &[(&Crate, Versions)],
    accepted: &[String],
) -> Result<()> {
    let (mut all, mut firsts) = (Vec::new(), Vec::new());
    for (member, published) in versions {
        let only_this = published.len() == 1 && published.contains_key(&member.version);
        if member.follows_train && only_this && !accepted.contains(&member.name) {
            firsts.push(member);
        }
        all.push(*member);
    }
    if firsts.is_empty() {
        return Ok(());
    }
    // All of them, since they need each other.
    let package = cargo_package(sh, registry, &all)?;
    let folder = format!("compare-{}", std::process::id());
    let folder = sh.create_dir(of.target.join(folder))?;
    let [here, there] = ["here", "there"].map(|side| folder.join(side));
    output_of(package.arg("--no-verify").arg("--target-dir").arg(&here))?;
    for Crate { name, version, .. } in firsts {
        let unpacked = format!("{name}-{version}");
        let file = format!("package/{unpacked}.crate");
        sh.write_file(there.join(&file), registry.download(name, version)?)?;
        // Unpacked, since each cargo packs the same files into bytes of its own. The commit and the versions of what the crate
        // depends on may differ.
        let but = ["--exclude=.cargo_vcs_info.json", "--exclude=Cargo.lock"];
        for side in [&here, &there] {
            output_of(cmd!(sh, "tar {but...} -xzf {side}/{file} -C {side}"))?;
        }
        let sides = [&here, &there].map(|side| side.join(&unpacked));
        let diff = cmd!(sh, "git diff --no-index --no-renames --numstat {sides...}");
        let diff = search_output(diff, "")?;
        // Where only the mode differs, it counts no lines: cargo on Windows knows none.
        if let Some(file) = diff.lines().find(|line| !line.starts_with("0\t0\t")) {
            sh.remove_path(&folder)?;
            let registry = &registry.name;
            let (_, file) = file.split_once(&format!("{unpacked}/")).unwrap_or_default();
            let what = format!("is not what is packaged here: `{file}` differs");
            let accept = format!("ask its owners there; `--accept {name}` takes it as it is");
            bail!("`{name}` {version} in {registry} {what}: {accept}");
        }
    }
    sh.remove_path(folder)?;
    Ok(())
}

/// Publishes what is missing, from the versions that the index has now.
fn publish<'a>(
    sh: &Shell,
    registry: &Registry,
    of: &'a Workspace,
    mut versions: Vec<(&'a Crate, Versions)>,
) -> Result<()> {
    let head = || output_of(cmd!(sh, "git rev-parse HEAD"));
    let tagged = head()?;
    let mut last_progress = Instant::now();
    let mut last_count = usize::MAX;
    let mut last_error = String::new();
    let mut same_errors = 0; // in a row, each before anything was sent
    loop {
        let mut missing = Vec::new();
        for (Crate { name, version, .. }, published) in &versions {
            if let Some(is_yanked) = published.get(version) {
                if *is_yanked {
                    let undo = "undo that with `yank --undo`, or release the next version";
                    bail!("`{name}` {version} is yanked in {}: {undo}", registry.name);
                }
                continue;
            }
            // Registries ignore build metadata.
            let mut others = published.keys();
            if let Some(same) = others.find(|other| other.cmp_precedence(version).is_eq()) {
                bail!("`{name}` {same} is published: {version} is the same version to a registry");
            }
            missing.push(format!("{name}@{version}"));
        }
        let (count, all) = (missing.len(), versions.len());
        if count == 0 {
            say!("{} has all {all} crates", registry.name);
            return Ok(());
        }
        let left = format!("{count} of {all} crates are missing from {}", registry.name);
        if count < last_count {
            (last_count, last_progress) = (count, Instant::now());
        } else if last_progress.elapsed() >= registry.timeout {
            let seconds = registry.timeout.as_secs();
            bail!("no progress for {seconds} s: {last_error}; {left}: run this again");
        } else {
            let pause = last_progress.elapsed() / 2;
            sleep(pause.clamp(Duration::from_secs(1), Duration::from_secs(60)));
        }
        say!("{left}");
        // A wait may be long, and the clone is in use.
        committed(sh, "no")?;
        if head()? != tagged {
            bail!("HEAD has moved from {tagged}: check that out and run this again; {left}");
        }

        let (mut errors, mut upload) = (String::new(), String::new());
        outward::publish(sh, &registry.name, &missing, &mut |line| {
            // A registry's words must not be a command to GitHub's log.
            let text = line.trim_start();
            let mark = if text.starts_with("::") { "| " } else { "" };
            say!("{mark}{}", notes::plain(line));
            if let Some(package) = text.strip_prefix("Uploading ") {
                upload = package.split(" (").take(1).collect();
            }
            if !errors.is_empty() || line.starts_with("error: ") {
                errors += &format!("{line}\n");
            }
        })?;

        let (failure, mut error) = Failure::of(&errors, OffsetDateTime::now_utc());
        if !upload.is_empty() {
            error = format!("{upload}: {error}");
        }
        match failure {
            Failure::Rejected => return Err(error.into()),
            Failure::RateLimited(until) => last_progress += wait_until(until, &error),
            Failure::AlreadyPublished | Failure::Transient => {}
        }
        same_errors = match failure == Failure::Transient && upload.is_empty() {
            true if error == last_error => same_errors + 1,
            unsent => usize::from(unsent),
        };
        if same_errors == 3 {
            bail!("{error}; {left}");
        }
        last_error = error;
        versions = registry.versions_of_all(of)?;
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
    /// `src/controllers/krate/publish.rs` there), which may come without a status; for another registry the status is enough.
    pub fn of(errors: &str, now: OffsetDateTime) -> (Failure, String) {
        // The root cause comes last.
        let cause = one_line(errors.rsplit("Caused by:").next().unwrap_or_default());
        let until = retry_after(&cause).filter(|until| *until > now);
        let days = until.is_some_and(|until| until > now + Duration::from_secs(24 * 60 * 60));
        let status = status_in(&cause);
        let tomorrow = "; the daily limit is reached: run this again tomorrow";
        let token = "; check the token (that of trusted publishing lives 30 minutes and cannot create a crate), then run this again";
        let said_no = cause.contains("responded with an error");
        let there = cause.contains("already uploaded") || cause.contains("already exists");
        // cargo found no token, or an empty one.
        let no_token = NO_TOKEN.iter().any(|words| cause.contains(words));
        let (failure, remedy) = match (status, until) {
            _ if there => (Failure::AlreadyPublished, ""),
            (None, _) if cause.is_empty() => (Failure::Transient, "cargo failed without an error"),
            _ if days || cause.contains("in the last 24 hours") => (Failure::Rejected, tomorrow),
            (_, Some(until)) => (Failure::RateLimited(until), ""),
            (Some(401 | 403), _) => (Failure::Rejected, token),
            (None, _) if no_token => (Failure::Rejected, token),
            (Some(408 | 425 | 429 | 500..), _) => (Failure::Transient, ""),
            // A registry may also refuse with status 200 and `errors` ("Web API" in the Cargo book).
            (None, _) if !said_no => (Failure::Transient, ""),
            _ => (Failure::Rejected, "; fix that, then run this again"),
        };
        (failure, cause + remedy)
    }
}

/// What cargo says if it has no token.
const NO_TOKEN: [&str; 3] = ["no token found", "non-empty token", "token rejected"];

fn status_in(cause: &str) -> Option<u16> {
    let before = ["responded with an error (status ", "200 OK response, got "];
    let (_, after) = before.iter().find_map(|before| cause.split_once(before))?;
    after.get(..3)?.parse().ok()
}

/// The time in `... Please try again after Tue, 30 Jul 2024 05:25:39 GMT and see ...`, and a second, whose fraction was cut off.
fn retry_after(text: &str) -> Option<OffsetDateTime> {
    let (_, rest) = text.split_once("try again after ")?;
    let date = OffsetDateTime::parse(&rest[..rest.find("GMT")? + 3], &Rfc2822).ok()?;
    date.checked_add(time::Duration::SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_printed_tells_what_to_do() {
        let later = "You have published too many new crates in a short period of time. Please try again after Thu, 01 Jan 1970 00:01:40 GMT and see https://crates.io/docs/rate-limits for more details.";
        let limit = Failure::RateLimited(OffsetDateTime::UNIX_EPOCH + Duration::from_secs(101));
        for (text, expected) in [
            (&*format!(" (status 429 Too Many Requests): {later}"), limit),
            // A registry may answer an error with status 200.
            (&*format!(": {later}"), limit),
            (
                " (status 429 Too Many Requests): try again after Wed, 31 Dec 1969 00:01:40 GMT",
                Failure::Transient,
            ),
            (
                " (status 429 Too Many Requests): try again after 100 s",
                Failure::Transient,
            ),
            (
                " (status 429 Too Many Requests): You have published too many versions of this crate in the last 24 hours",
                Failure::Rejected,
            ),
            (
                " (status 400 Bad Request): crate version `1.0.0` is already uploaded",
                Failure::AlreadyPublished,
            ),
            (
                " (status 400 Bad Request): missing or empty metadata fields: description",
                Failure::Rejected,
            ),
            (" (status 401 Unauthorized): ", Failure::Rejected),
            (" (status 403 Forbidden): ", Failure::Rejected),
            (" (status 413 Payload Too Large): ", Failure::Rejected),
            (" (status 503 Service Unavailable): ", Failure::Transient),
            (": oops", Failure::Rejected),
        ] {
            // As cargo 1.95 prints it.
            let errors = format!(
                "error: failed to publish already-there v1.0.0 to registry at http://127.0.0.1:1\n\nnote: the following crates have not been published yet:\n  b v1.0.0 (/b)\n\nCaused by:\n  the remote server responded with an error{text}\n"
            );
            let (failure, error) = Failure::of(&errors, OffsetDateTime::UNIX_EPOCH);
            assert_eq!(failure, expected, "{text}");
            assert!(error.starts_with("the remote server responded"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
        let errors = "error: crate a@1.0.0 already exists on crates.io index\n";
        let (failure, error) = Failure::of(errors, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(failure, Failure::AlreadyPublished);
        assert_eq!(error, "crate a@1.0.0 already exists on crates.io index");
        for errors in [
            "error: failed to publish\n\nCaused by:\n  failed to get a 200 OK response, got 401\n",
            "error: no token found for `own`, please run `cargo login --registry own`\n",
        ] {
            let (failure, _) = Failure::of(errors, OffsetDateTime::UNIX_EPOCH);
            assert_eq!(failure, Failure::Rejected, "{errors}");
        }
    }
}
