//! `yank`: takes the crates of a release, or of the candidates that later ones have replaced, out of what cargo picks. The
//! versions of the crates are read where they were released, at the tag, and never counted up from the train's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use semver::Version;
use time::OffsetDateTime;
use xshell::Shell;

use crate::answer::{self, Answer};
use crate::git::{Remote, begin, fetch};
use crate::registry::Registry;
use crate::tasks::{patience, pause, wait};
use crate::version::{parse, release_of, same_line, tag};
use crate::workspace::Workspace;
use crate::worktree::Worktree;
use crate::{Arguments, Context, Result, Usage, finish, free, outward, say};

pub const HELP: &str = "\
cargo xtask yank VERSION|--candidates [--registry NAME] [--patience SECONDS]

Yanks each crate of a release, at the version that it has at the release's tag, if it is in the registry and not yanked
yet. A crate whose version another release of the line, or a later one, has too stays. Stopped at any point, it goes on
when it is started again. What was yanked by mistake comes back with `--undo` of cargo's own command.

  --candidates  the candidates that a later tag of their line has replaced, once that is in the registry
  --registry, --patience  as for `publish`

Yanking needs an API token with the scope `yank`: one of trusted publishing may not.
";

/// From the name of each published crate to its version and whether that moved with the train.
type Crates = BTreeMap<String, (Version, bool)>;

/// Reads the command line, and yanks.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let candidates = arguments.contains("--candidates");
    let named = arguments.opt_value_from_str("--registry")?;
    let patience = patience(&mut arguments, 300)?;
    let version = free(&mut arguments)?.map(|text| parse(&text)).transpose()?;
    finish(arguments)?;
    if version.is_some() == candidates {
        return Err(Usage("say which VERSION, or --candidates".into()).into());
    }
    let (_alone, remote) = begin(sh)?;
    let registry = Registry::of(sh, &Workspace::load(sh)?, named, patience)?;

    let versions: Vec<&Version> = match &version {
        Some(version) => {
            let known = remote.tags.get_key_value(version);
            vec![known.ok_or_else(|| format!("origin has no tag {}: what it released is not known", tag(version)))?.0]
        }
        None => remote.tags.keys().filter(|version| !version.pre.is_empty()).collect(),
    };
    // What other releases need: of the line, and for one that has left, of the lines after it.
    let concerned =
        |other: &Version| versions.iter().any(|version| same_line(version, other) || !candidates && other > *version);
    let mut released: BTreeMap<&Version, Crates> = BTreeMap::new();
    for version in remote.tags.keys().filter(|other| concerned(other)) {
        match crates_at(sh, &remote, version) {
            Ok(crates) => drop(released.insert(version, crates)),
            // Somebody else's tag of this form, or one from before the workspace was one.
            Err(error) if versions.as_slice() != [version] => say(format_args!("{error}; left out")),
            Err(error) => return Err(error),
        }
    }
    let mut wanted: BTreeSet<(&String, &Version)> = BTreeSet::new();
    for (version, crates) in released.iter().filter(|(version, _)| versions.contains(version)) {
        for (name, (own, moves)) in crates {
            let mut others = released.iter().filter(|(other, _)| *other != version);
            let has = |crates: &Crates| crates.get(name).is_some_and(|(theirs, _)| theirs == own);
            let mut later = released.iter().filter(|(other, _)| *other > version && same_line(version, other));
            if !moves || candidates && own.pre.is_empty() {
                continue; // it is no part of this release
            } else if others.any(|(_, crates)| has(crates)) {
                say(format_args!("{name} {own} stays: another release has it, too"));
            } else if !candidates || later.any(|(_, crates)| crates.contains_key(name)) {
                wanted.insert((name, own));
            }
        }
    }

    let names: Vec<&str> = BTreeSet::from_iter(wanted.iter().map(|(name, _)| name.as_str())).into_iter().collect();
    let index: BTreeMap<&str, _> = names.iter().copied().zip(registry.versions(&names)?).collect();
    let there = |(name, own): &(&String, &Version)| {
        let versions = &index[name.as_str()];
        // A candidate goes not before what replaces it can be had.
        let replaced = || versions.iter().any(|(other, yanked)| !yanked && replaces(other, own));
        versions.get(own) == Some(&false) && (!candidates || replaced())
    };
    let left: Vec<_> = wanted.into_iter().filter(there).collect();
    if left.is_empty() {
        say(format_args!("nothing to do: {} has nothing to yank", registry.name));
    }
    for (at, (name, version)) in left.iter().enumerate() {
        let mut quiet = Instant::now();
        while let Err(error) = outward::yank(sh, &registry.name, name, version) {
            match answer::read(&error.to_string(), OffsetDateTime::now_utc()) {
                (Answer::Later(until), why) => quiet += wait(until, &why),
                (Answer::Trouble, why) if quiet.elapsed() < patience => {
                    say(format_args!("{why}"));
                    pause(quiet);
                }
                (_, why) => {
                    let left = left.len() - at;
                    return Err(format!("`{name}` {version}: {why}; {left} are left, and the same command goes on from there (it needs an API token with the scope `yank`)").into());
                }
            }
        }
    }
    Ok(())
}

/// Whether a version takes the place of another one: it is a later candidate of the same release, or that.
pub fn replaces(version: &Version, other: &Version) -> bool {
    version > other && release_of(version) == release_of(other)
}

/// The published crates at a tag.
fn crates_at(sh: &Shell, remote: &Remote, version: &Version) -> Result<Crates> {
    let tag = tag(version);
    fetch(sh, &[format!("refs/tags/{tag}")])?;
    let tree = Worktree::add(sh, &remote.tags[version])?;
    let workspace = Workspace::load_in(sh, &tree.root).context(tag)?;
    let released = workspace.crates.into_iter().filter(|member| member.published);
    Ok(released.map(|member| (member.name, (member.version, member.moves))).collect())
}
