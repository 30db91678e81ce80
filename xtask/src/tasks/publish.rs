//! `publish`: every crate that the registry lacks at this version, in dependency order, until none is missing. What is
//! published is asked of the registry each time, and never remembered; cargo packages, orders and uploads.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use xshell::{Shell, cmd};

use crate::git::Remote;
use crate::registry::{CRATES_IO, Registry};
use crate::tasks::{at_tag, committed, patience, pause, wait};
use crate::upload::{End, Item, State, Uploads};
use crate::workspace::{Crate, Workspace};
use crate::{Arguments, Result, finish, outward, say, shell};

pub const HELP: &str = "\
cargo xtask publish [--registry NAME] [--patience SECONDS] [--allow-untagged]

Publishes every crate of the workspace that the registry does not have at its version, in dependency order, and looks
again until none is missing. Stopped at any point, it goes on when it is started again. The tag of the version must be at
HEAD. cargo builds nothing here: that is for CI, before the tag.

  --registry        else cargo's default, else the only one that the crates allow, else crates.io
  --patience        gives up when for so long nothing went forward (default: 300)
  --allow-untagged  publishes whatever is checked out, for a trial in a registry of your own

Where the registry asks to wait, it waits until the time it is told. Owners that are configured are added to crates that
are published for the first time. With $GITHUB_STEP_SUMMARY, a table is written there.
";

/// Reads the command line, and publishes.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let untagged = arguments.contains("--allow-untagged");
    let named = arguments.opt_value_from_str("--registry")?;
    let patience = patience(&mut arguments, 300)?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    if !untagged {
        at_tag(sh, &Remote::read(sh)?, &workspace.version)
            .map_err(|error| format!("{error} (or --allow-untagged, for a trial)"))?;
        check_tree(sh, &workspace)?;
    }
    let registry = Registry::find(sh, &workspace, named, patience)?;
    if untagged && registry.name == CRATES_IO {
        return Err("--allow-untagged is for a registry of your own, and what crates.io has stays there: say --registry NAME, or tag the commit".into());
    }
    registry.check()?;
    let mut uploads = Uploads::of(&registry, &workspace)?;
    plan(&uploads);

    let result = until_none_is_missing(sh, &mut uploads, patience);
    add_owners(sh, &uploads);
    summarize(&uploads);
    let items = &uploads.items;
    let left = items.iter().filter(|item| !item.is_there()).count();
    let again = format!("{left} of {} crates are left, and the same command goes on from there", items.len());
    result.map_err(|why| format!("{why}; {again}").into())
}

/// What is published is what the commit holds: nothing changed, and no member that git does not know.
fn check_tree(sh: &Shell, workspace: &Workspace) -> Result<()> {
    committed(sh, "no")?;
    for member in workspace.crates.iter().filter(|member| member.published) {
        let manifest = &workspace.manifests[member.manifest];
        let path = &manifest.path;
        let tracked = shell::read(cmd!(sh, "git ls-files --error-unmatch -- {path}"));
        tracked.map_err(|_| format!("{}: `{}` is not in the commit", manifest.file, member.name))?;
    }
    Ok(())
}

/// Says what is there, what is missing, and how long it takes.
fn plan(Uploads { registry, workspace, items }: &Uploads) {
    let missing: Vec<&Item> = items.iter().filter(|item| item.is_open()).collect();
    let (all, there) = (items.len(), items.iter().filter(|item| item.is_there()).count());
    if there == all {
        return say(format_args!("nothing to do: {} has all {all} crates", registry.name));
    }
    let layers = layers(workspace, &missing);
    let (name, lacks, count) = (&registry.name, missing.len(), layers.len());
    say(format_args!("{name}: {there} of {all} crates are there, {lacks} are missing, in {count} layers"));
    for (number, names) in layers.iter().enumerate() {
        say(format_args!("  {:2}: {}", number + 1, names.join(" ")));
    }
    if registry.name == CRATES_IO {
        let new = missing.iter().filter(|item| item.new).count();
        let waits = match forecast(new, missing.len() - new) {
            0 => "let all of it through at once".to_string(),
            minutes => format!("spread it over at least {minutes} min"),
        };
        say(format_args!(
            "{new} are new crates; the limits of crates.io for API tokens {waits} (a trusted-publishing token has none)"
        ));
    }
}

/// The minutes that crates.io makes an API token wait: of new crates it takes 5 at once and then 1 in 10 minutes, of new
/// versions 30 and then 1 a minute (crates.io, `src/rate_limiter.rs`). Both are counted at the same time.
fn forecast(new_crates: usize, new_versions: usize) -> usize {
    (new_crates.saturating_sub(5) * 10).max(new_versions.saturating_sub(30))
}

/// The names in the order in which they can be published, what can go together in one list.
fn layers<'a>(workspace: &Workspace, missing: &[&Item<'a>]) -> Vec<Vec<&'a str>> {
    let mut left: Vec<&Crate> = missing.iter().map(|item| item.member).collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        let waits = |member: &Crate| {
            let needed = |need: &usize| left.iter().any(|other| other.name == workspace.crates[*need].name);
            member.needs.iter().any(needed)
        };
        let (later, now): (Vec<&Crate>, Vec<&Crate>) = left.iter().partition(|member| waits(member));
        // Those in a circle cannot go in any order: cargo will say so.
        let (later, now) = if now.is_empty() { (now, later) } else { (later, now) };
        layers.push(now.into_iter().map(|member| member.name.as_str()).collect());
        left = later;
    }
    layers
}

/// Fails, with the reason, when it cannot go on.
fn until_none_is_missing(sh: &Shell, uploads: &mut Uploads, patience: Duration) -> Result<()> {
    let head = shell::read(cmd!(sh, "git rev-parse HEAD")).ok();
    let mut quiet: Option<Instant> = None;
    let mut trouble = String::new();
    loop {
        let next = uploads.ready();
        if !uploads.lags() && next.is_empty() {
            let all = uploads.items.iter().all(|item| item.is_there());
            return if all { Ok(()) } else { Err("the registry refuses what is left".into()) };
        }
        let before = uploads.open();
        let mut stop = None;
        if uploads.lags() {
            // What depends on those cannot be packaged before.
            trouble = format!("the index of {} does not show all that was uploaded", uploads.registry.name);
        } else {
            // It may be hours since the tag was looked at.
            if shell::read(cmd!(sh, "git rev-parse HEAD")).ok() != head {
                return Err("another commit was checked out meanwhile".into());
            }
            match uploads.send(sh, &next)? {
                End::Well => {}
                End::Unsent(why) if why == trouble && !may_pass(&why) => stop = Some(why),
                End::Unsent(why) | End::Trouble(why) => {
                    say(format_args!("{why}"));
                    trouble = why;
                }
                End::Limit(until, why) => {
                    let waited = wait(until, &why);
                    quiet = quiet.map(|quiet| quiet + waited);
                    trouble = why;
                }
                End::Stop(why) => stop = Some(why),
            }
        }
        let looked = uploads.look();
        if let Some(why) = stop {
            return Err(why.into());
        }
        looked?;
        if uploads.open() == before {
            let quiet = *quiet.get_or_insert_with(Instant::now);
            if quiet.elapsed() >= patience {
                return Err(format!("nothing went forward for {} s: {trouble}", patience.as_secs()).into());
            }
            pause(quiet);
        } else {
            (quiet, trouble) = (None, String::new());
            if uploads.lags() {
                pause(Instant::now());
            }
        }
    }
}

/// Whether a failure before anything was sent may be another one the next time: it came from the network, or from an index
/// that lags. What is wrong in the workspace stays wrong.
fn may_pass(why: &str) -> bool {
    ["index", "registry", "network", "download", "location searched", "timed out"].iter().any(|word| why.contains(word))
}

/// What became of each crate that is not in the registry; and of all of them as a table, where a workflow shows it.
fn summarize(uploads: &Uploads) {
    let blocked = uploads.blocked();
    let fate = |item: &Item| match &item.state {
        State::There => "was there".to_string(),
        State::Published => "published".to_string(),
        State::Uploaded => "**uploaded, not in the index yet**".to_string(),
        State::Refused(why) => format!("**refused**: {why}"),
        State::Missing => blocked
            .get(item.name())
            .map_or("**not sent**".to_string(), |cause| format!("**not sent**: it needs `{cause}`, which was refused")),
    };
    let mut table = format!("\n\n| {} | version | |\n|---|---|---|\n", uploads.registry.name);
    for item in &uploads.items {
        let (fate, Crate { name, version, .. }) = (fate(item), item.member);
        if fate.contains("**") {
            say(format_args!("left: `{name}` {version}: {}", fate.replace("**", "")));
        }
        table += &format!("| {name} | {version} | {} |\n", fate.replace('|', "\\|"));
    }
    let path = std::env::var("GITHUB_STEP_SUMMARY").unwrap_or_default();
    if !path.is_empty() {
        let file = OpenOptions::new().append(true).create(true).open(&path);
        if let Err(error) = file.and_then(|mut file| file.write_all(table.as_bytes())) {
            say(format_args!("GITHUB_STEP_SUMMARY {path}: {error}"));
        }
    }
}

/// Adds the owners to each crate whose only version this is, so that a run that was stopped before it came here is made
/// up for. A crate without its owners is no failure of the release: another owner can add them.
fn add_owners(sh: &Shell, Uploads { registry, workspace, items }: &Uploads) {
    for item in items.iter().filter(|item| item.first) {
        for owner in &workspace.config.owners {
            if let Err(error) = outward::add_owner(sh, &registry.name, item.name(), owner) {
                say(format_args!("owner {owner} of {error}"));
            }
        }
    }
}
