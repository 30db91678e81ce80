//! `github-release`: the release on GitHub, once the registry has every crate: a draft, its files, then public. Publishing the
//! draft is the last act of a release, and the first that users see.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use semver::Version;
use xshell::Shell;

use crate::outward;
use crate::tasks::dist::{file_name, is_of_another_release};
use crate::tasks::{at_tag, project_name};
use release_train::rules::config::fill;
use release_train::rules::notes::{FILE, standalone};
use release_train::rules::version::{TagForm, release_of};
use release_train::world::git::{committed, lock_and_read_remote};
use release_train::world::github::{Asset, Release, latest_release, releases};
use release_train::world::registry::Registry;
use release_train::world::workspace::{Crate, Workspace, read_notes};
use release_train::{Arguments, Context, Result, bail, finish, say};

pub const HELP: &str = "\
Makes the release on GitHub public, with its notes and the files in target/dist.

cargo xtask github-release [--registry NAME]

  --registry  as for `publish`

The version's tag must be at HEAD, and every crate in the registry. The release
is a draft until all files are uploaded. A candidate becomes a pre-release, and
the highest version the latest release. Run again, it completes a draft.

Example: cargo xtask github-release
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
    let tag = at_tag(sh, &remote, &workspace)?;
    committed(sh, "no")?; // the notes are read from here

    let all = releases(sh)?;
    let found = release_of_tag(&all, &tag)?;
    if let Some(public) = found.filter(|release| !release.draft) {
        say!("nothing to do: {} is public", public.url);
        return correct_latest(sh, &remote.form);
    }
    let files = artifacts(sh, &workspace)?;
    all_published(&workspace, registry)?;
    let prerelease = !version.pre.is_empty();
    match found {
        Some(draft) => only_ours(draft, &files)?,
        None => {
            let title = format!("{} {version}", project_name(sh, &workspace.config)?);
            outward::create_draft(sh, &tag, &title, &body(&workspace)?)?;
        }
    }
    outward::upload_assets(sh, &tag, &files)?;
    all_uploaded(sh, &tag, &files)?;
    let mut public = public_versions(&remote.form, &all).into_iter();
    let latest = !prerelease && public.all(|other| other <= *version);
    outward::publish_release(sh, &tag, prerelease, latest)?;
    correct_latest(sh, &remote.form)
}

/// The release of a tag; several are an error.
fn release_of_tag<'a>(all: &'a [Release], tag: &str) -> Result<Option<&'a Release>> {
    let mut found = all.iter().filter(|release| release.tag == tag);
    let (first, second) = (found.next(), found.next());
    if let (Some(first), Some(second)) = (first, second) {
        let (one, other) = (&first.url, &second.url);
        bail!("{tag} has several releases: delete {one} or {other}");
    }
    Ok(first)
}

/// Fails if a crate is missing from the registry at its version: users would find a release that they cannot depend on.
fn all_published(workspace: &Workspace, registry: Option<String>) -> Result<()> {
    let registry = Registry::of(workspace, registry, Duration::from_secs(60))?;
    for (Crate { name, version, .. }, versions) in registry.versions_of_all(workspace)? {
        if versions.get(version) != Some(&false) {
            let registry = &registry.name;
            bail!(
                "`{name}` {version} is missing from {registry} or yanked: run `cargo xtask publish` first"
            );
        }
    }
    Ok(())
}

/// The version's section of RELEASES.md without its heading, which is the page's title.
fn body(workspace: &Workspace) -> Result<String> {
    let version = release_of(&workspace.version);
    let section = standalone(&read_notes(&workspace.root)?, &version).context(FILE)?;
    // An anchor may be above the heading.
    let heading = format!("## {version}");
    let (_, text) = section.split_once(&heading).unwrap_or_default();
    let text = text.split_once('\n').map_or("", |(_, text)| text.trim());
    let Some((end, _)) = text.char_indices().nth(LONGEST) else {
        return Ok(text.to_string());
    };
    let whole_lines = &text[..text[..end].rfind('\n').unwrap_or(end)];
    let rest = format!("The rest is in {FILE} at this tag.");
    Ok(format!("{whole_lines}\n\n{rest}\n"))
}

/// The files to upload, sorted by name. Fails if one cannot be uploaded, or one that the configuration names is missing.
pub fn artifacts(sh: &Shell, workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let (dist, version) = (workspace.target.join("dist"), &workspace.version);
    let tag = format!("v{version}"); // whatever the form of tags
    for name in &workspace.config.artifacts {
        let name = fill(name, version);
        if !dist.join(&name).is_file() {
            bail!("target/dist/{name} is missing, and `artifacts` in Cargo.toml names it");
        }
    }
    let mut files = sh.read_dir(dist).unwrap_or_default();
    files.retain(|file| file.is_file() && !file_name(file).starts_with('.'));
    for file in &files {
        let (place, name) = (file.display(), file_name(file));
        // GitHub replaces every other character.
        if name.contains(|c: char| !c.is_ascii_alphanumeric() && !"._-+".contains(c)) {
            bail!("{place}: rename it: GitHub keeps only letters, digits and `._-+` in a name");
        }
        if is_of_another_release(&name, &tag) {
            bail!("{place} is not of {tag}: remove it");
        }
    }
    if files.is_empty() {
        bail!("target/dist is empty: `cargo xtask dist` makes the artifacts");
    }
    Ok(files)
}

/// Fails if a draft has files that this release does not.
fn only_ours(draft: &Release, files: &[PathBuf]) -> Result<()> {
    for Asset { name, .. } in &draft.assets {
        if !files.iter().any(|file| file_name(file) == *name) {
            let url = &draft.url;
            bail!("{url}: `{name}` is not in target/dist: delete it there, or the draft");
        }
    }
    Ok(())
}

/// Fails unless GitHub has every file whole. Its list of releases can be late: what is missing there is waited for.
fn all_uploaded(sh: &Shell, tag: &str, files: &[PathBuf]) -> Result<()> {
    for pause in [1, 2, 4, 0] {
        let all = releases(sh)?;
        let assets = release_of_tag(&all, tag)?.map_or(&[][..], |draft| &draft.assets);
        let mut missing = Vec::new();
        for file in files {
            let (name, size) = (file_name(file), fs::metadata(file)?.len());
            match assets.iter().find(|asset| asset.name == name) {
                None => missing.push(name),
                Some(asset) if asset.complete && asset.size == size => {}
                Some(_) => bail!("{name} was uploaded and is incomplete on GitHub: run this again"),
            }
        }
        match missing.first() {
            None => return Ok(()),
            Some(name) if pause == 0 => {
                bail!("{name} was uploaded and is not shown by GitHub: run this again")
            }
            Some(_) => sleep(Duration::from_secs(pause)),
        }
    }
    Ok(())
}

/// The versions of the public releases, candidates left out.
fn public_versions(form: &TagForm, releases: &[Release]) -> Vec<Version> {
    let public = |release: &&Release| !release.draft && !release.prerelease;
    let tags = releases.iter().filter(public).map(|release| &release.tag);
    let versions = tags.filter_map(|tag| form.version(tag));
    versions.filter(|version| version.pre.is_empty()).collect()
}

/// The tag that GitHub should call the latest and does not: installers download what it calls so. A tag that is not a
/// version is left alone.
pub fn wrongly_not_latest(form: &TagForm, all: &[Release], latest: Option<&str>) -> Option<String> {
    let highest = public_versions(form, all).into_iter().max()?;
    let highest = form.tag(&highest);
    let left_alone = |latest: &str| latest == highest || form.version(latest).is_none();
    (!latest.is_some_and(left_alone)).then_some(highest)
}

/// Reads back which release GitHub calls the latest, and corrects it.
fn correct_latest(sh: &Shell, form: &TagForm) -> Result<()> {
    let latest = latest_release(sh)?;
    let Some(highest) = wrongly_not_latest(form, &releases(sh)?, latest.as_deref()) else {
        return Ok(());
    };
    let latest = latest.unwrap_or("none".to_string());
    say!("the latest release is {latest}, not {highest}");
    outward::publish_release(sh, &highest, false, true)
}
