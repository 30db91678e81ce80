//! `github-release`: the release on GitHub, once the registry has every crate: a draft, its files, then public. Publishing the
//! draft is the last act of a release, and the first that users see.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use xshell::Shell;

use crate::outward;
use crate::tasks::{at_tag, project_name};
use release_train::rules::notes;
use release_train::rules::version::{release_of, tag, tag_version};
use release_train::world::git::{committed, lock_and_read_remote};
use release_train::world::github::{Release, latest_release, releases};
use release_train::world::registry::Registry;
use release_train::world::workspace::{Workspace, read_notes};
use release_train::{Arguments, Context, Result, bail, finish, say};

pub const HELP: &str = "\
For the version whose tag is at HEAD, once the registry has every crate: creates
a draft with its section of RELEASES.md, uploads the files in target/dist, and
makes it public: a candidate as a pre-release, and the highest version as the
latest release. Run again, it completes a draft that is incomplete.

cargo xtask github-release [--registry NAME]

  --registry  as for `publish`
";

/// GitHub takes a text of 125,000 characters.
const LONGEST: usize = 120_000;

/// Reads the command line, and releases.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let registry = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let version = &workspace.version;
    let (_lock, remote) = lock_and_read_remote(sh)?; // two at once would create two drafts
    let tag = at_tag(sh, &remote, version)?;
    committed(sh, "no")?; // the notes are read from here

    let all = releases(sh)?;
    match release_of_tag(&all, &tag)? {
        Some(release) if !release.draft => {
            say!("nothing to do: {} is public", release.url)
        }
        found => {
            let files = artifacts(&workspace.target.join("dist"), &tag)?;
            all_published(&workspace, registry)?;
            let prerelease = !version.pre.is_empty();
            if found.is_none() {
                let title = format!("{} {version}", project_name(sh, &workspace.config)?);
                outward::create_draft(sh, &tag, &title, &body(&workspace)?, prerelease)?;
            }
            if let Some(draft) = found {
                only_ours(draft, &files)?;
            }
            outward::upload_assets(sh, &tag, &files)?;
            all_uploaded(sh, &tag, &files)?;
            let latest = !prerelease && public_versions(&all).iter().all(|other| other <= version);
            outward::publish_draft(sh, &tag, prerelease, latest)?;
        }
    }
    correct_latest(sh)
}

/// The release of a tag; several are an error.
fn release_of_tag<'a>(all: &'a [Release], tag: &str) -> Result<Option<&'a Release>> {
    let found: Vec<&Release> = all.iter().filter(|release| release.tag == tag).collect();
    if found.len() > 1 {
        let urls: Vec<&str> = found.iter().map(|release| release.url.as_str()).collect();
        bail!(
            "{tag} has several releases: delete all but one of {}",
            urls.join(", ")
        );
    }
    Ok(found.into_iter().next())
}

/// Fails if the registry lacks a crate at its version: users would find a release that they cannot depend on.
fn all_published(workspace: &Workspace, registry: Option<String>) -> Result<()> {
    let registry = Registry::of(workspace, registry, Duration::from_secs(60))?;
    let mut missing = registry.versions_of_all(workspace)?;
    missing.retain(|(member, versions)| !versions.contains_key(&member.version));
    match missing.first() {
        Some((member, _)) => Err(format!(
            "{} crates are missing from {}, first `{}` {}: run `cargo xtask publish`, then this again",
            missing.len(),
            registry.name,
            member.name,
            member.version
        )
        .into()),
        None => Ok(()),
    }
}

/// The version's section of RELEASES.md without its heading, which is the page's title.
fn body(workspace: &Workspace) -> Result<String> {
    let version = release_of(&workspace.version);
    let notes = read_notes(&workspace.root)?;
    let section = notes::standalone(&notes, &version).context(notes::FILE)?;
    let text = section.split_once('\n').map_or("", |(_, text)| text.trim());
    let Some((end, _)) = text.char_indices().nth(LONGEST) else {
        return Ok(text.to_string());
    };
    let whole_lines = text[..end].rfind('\n').unwrap_or(end);
    Ok(format!(
        "{}\n\nThe rest is in {} at this tag.\n",
        &text[..whole_lines],
        notes::FILE
    ))
}

/// The files to upload, sorted by name.
fn artifacts(dist: &Path, tag: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dist).into_iter().flatten() {
        let path = entry?.path();
        let name = file_name(&path);
        if !path.is_file() || name.starts_with('.') {
            continue;
        }
        // GitHub replaces every other character.
        if !name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c))
        {
            let place = path.display();
            bail!("{place}: rename it: GitHub keeps only letters, digits and `._-+` in a name");
        }
        if is_of_another_release(&name, tag) {
            bail!("{} is not of {tag}: remove it", path.display());
        }
        files.push(path);
    }
    files.sort();
    match files.is_empty() {
        true => Err("target/dist is empty: `cargo xtask dist` makes the artifacts".into()),
        false => Ok(files),
    }
}

/// Whether a file name holds `-vN` of another version, or of a candidate of this one.
fn is_of_another_release(name: &str, tag: &str) -> bool {
    let mut versions = name.match_indices("-v").map(|(at, _)| &name[at + 2..]);
    let versioned = versions.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    versioned && !name.contains(&format!("-{tag}-")) || name.contains(&format!("-{tag}-rc."))
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Fails if a draft has files that this release does not.
fn only_ours(draft: &Release, files: &[PathBuf]) -> Result<()> {
    let names: Vec<String> = files.iter().map(|file| file_name(file)).collect();
    match draft
        .assets
        .iter()
        .find(|asset| !names.contains(&asset.name))
    {
        Some(asset) => Err(format!(
            "{}: the draft holds `{}`, which is not in target/dist: delete it there, or the draft",
            draft.url, asset.name
        )
        .into()),
        None => Ok(()),
    }
}

/// Fails unless GitHub has every file whole.
fn all_uploaded(sh: &Shell, tag: &str, files: &[PathBuf]) -> Result<()> {
    let all = releases(sh)?;
    let draft = release_of_tag(&all, tag)?
        .ok_or_else(|| format!("the draft of {tag} is gone: run this again"))?;
    for file in files {
        let (name, size) = (
            file_name(file),
            fs::metadata(file).context(file.display())?.len(),
        );
        let mut assets = draft.assets.iter();
        if !assets.any(|asset| asset.name == name && asset.complete && asset.size == size) {
            bail!("{name} was uploaded and is incomplete on GitHub: run this again");
        }
    }
    Ok(())
}

/// The versions of the public releases, candidates left out.
fn public_versions(releases: &[Release]) -> Vec<Version> {
    let public = releases
        .iter()
        .filter(|release| !release.draft && !release.prerelease);
    let versions = public.filter_map(|release| tag_version(&release.tag));
    versions.filter(|version| version.pre.is_empty()).collect()
}

/// The version that GitHub should call the latest and does not: installers download what it calls so. A tag that is not a
/// version is left alone.
pub fn wrongly_not_latest(releases: &[Release], latest: Option<&str>) -> Option<Version> {
    let highest = public_versions(releases).into_iter().max()?;
    let right =
        latest.is_some_and(|latest| latest == tag(&highest) || tag_version(latest).is_none());
    (!right).then_some(highest)
}

/// Reads back which release GitHub calls the latest, and corrects it.
fn correct_latest(sh: &Shell) -> Result<()> {
    let latest = latest_release(sh)?;
    let Some(highest) = wrongly_not_latest(&releases(sh)?, latest.as_deref()) else {
        return Ok(());
    };
    let highest = tag(&highest);
    say!(
        "the latest release is {}, not {highest}",
        latest.as_deref().unwrap_or("none")
    );
    outward::mark_latest(sh, &highest)?;
    match latest_release(sh)? {
        Some(latest) if latest == highest => Ok(()),
        _ => Err(format!(
            "{highest} is not the latest release, though it was marked: run this again"
        )
        .into()),
    }
}
