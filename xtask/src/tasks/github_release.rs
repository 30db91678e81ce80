//! `github-release`: the release on GitHub, a draft until everything that it promises is there. Making it public is the
//! last act of a release, and the first that users see.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use xshell::Shell;

use crate::git::begin;
use crate::github::{Asset, Release, latest_release, releases};
use crate::registry::Registry;
use crate::sha256::sha256;
use crate::tasks::dist::of_another;
use crate::tasks::{at_tag, committed, name, notes};
use crate::version::{release_of, tag, tag_version};
use crate::workspace::Workspace;
use crate::{Arguments, Context, Result, finish, outward, say};

pub const HELP: &str = "\
cargo xtask github-release [--public] [--registry NAME]

For the version whose tag is at HEAD: makes a draft with its section of RELEASES.md and the files in target/dist, or
completes one that is half made: assets of the same content stay, what broke off is uploaded again. Once the registry has
every crate, makes it public: a candidate as a pre-release, and the highest version as the latest, which is read back and
mended. Started again, it goes on from there.

  --public    makes it an error if it stays a draft
  --registry  as for `publish`
";

/// GitHub takes a text of 125,000 characters.
const LONGEST: usize = 120_000;

/// Reads the command line, and goes as far as the facts allow.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let wanted_public = arguments.contains("--public");
    let named = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let version = &workspace.version;
    let (_alone, remote) = begin(sh)?; // two at once would make two drafts
    let tag = at_tag(sh, &remote, version)?;
    committed(sh, "no")?; // the notes come from here
    let candidate = !version.pre.is_empty();

    let dist = workspace.target.join("dist");
    let all = releases(sh)?;
    let public = public_versions(&all);

    let release = match only(all, &tag)? {
        Some(release) => release,
        None => {
            let files = artifacts(&dist, version)?;
            if files.is_empty() {
                return Err("target/dist is empty: `cargo xtask dist` makes the artifacts".into());
            }
            let title = format!("{} {version}", name(sh, &workspace.config)?);
            outward::draft_release(sh, &tag, &title, &text(&workspace)?, candidate)?;
            only(releases(sh)?, &tag)?.ok_or_else(|| format!("the draft of {tag} was made and is not there"))?
        }
    };
    if release.draft {
        complete(sh, release, &artifacts(&dist, version)?)?;
        let missing = missing(sh, &workspace, named)?;
        if missing > 0 {
            let why = format!(
                "{tag} stays a draft: {missing} crates are not in the registry yet; `cargo xtask publish`, then this again"
            );
            if wanted_public {
                return Err(why.into());
            }
            say(format_args!("{why}"));
            return Ok(());
        }
        outward::publish_release(sh, &tag, candidate, !candidate && public.iter().all(|other| other <= version))?;
    } else {
        say(format_args!("nothing to do: {} is public", release.url));
    }
    mend_latest(sh)
}

/// The one release of a tag.
fn only(releases: Vec<Release>, tag: &str) -> Result<Option<Release>> {
    let mut ours: Vec<Release> = releases.into_iter().filter(|release| release.tag == tag).collect();
    if ours.len() > 1 {
        let urls: Vec<&str> = ours.iter().map(|release| release.url.as_str()).collect();
        return Err(format!("{tag} has several releases: delete all but one of {}", urls.join(", ")).into());
    }
    Ok(ours.pop())
}

/// The section of RELEASES.md, without its heading, which the page has as its title.
fn text(workspace: &Workspace) -> Result<String> {
    let version = release_of(&workspace.version);
    let notes = notes::read(&workspace.root)?;
    let section = crate::notes::show(&notes, &version).context(notes::FILE)?;
    let text = section.split_once('\n').map_or("", |(_, text)| text.trim());
    let Some((end, _)) = text.char_indices().nth(LONGEST) else { return Ok(text.to_string()) };
    let lines = text[..end].rfind('\n').unwrap_or(end);
    Ok(format!("{}\n\nThe rest is in {} at this tag.\n", &text[..lines], notes::FILE))
}

/// The files to upload, by name. Archives of another version are in the way.
fn artifacts(dist: &Path, version: &Version) -> Result<Vec<PathBuf>> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let entries = fs::read_dir(dist).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|file| file.is_file() && !name(file).starts_with('.')).collect();
    files.sort();
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    if let Some(file) = files.iter().find(|file| !name(file).chars().all(plain)) {
        let file = file.display();
        return Err(format!("{file}: GitHub would change this name: use letters, digits, `.`, `_`, `-` and `+`").into());
    }
    if let Some(file) = files.iter().find(|file| of_another(file, &tag(version))) {
        return Err(format!("{} is not of {version}: remove it", file.display()).into());
    }
    Ok(files)
}

/// Uploads what a draft lacks, and makes sure that it arrived.
fn complete(sh: &Shell, mut release: Release, files: &[PathBuf]) -> Result<()> {
    let mut wanted = Vec::new();
    for file in files {
        let content = fs::read(file).context(file.display())?;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        wanted.push((file, name, content.len() as u64, format!("sha256:{}", sha256(&content))));
    }
    let lacking = |release: &Release| -> Vec<PathBuf> {
        let there = |name: &str, size: u64, digest: &str| {
            // A server that is not GitHub's own may know no digests.
            let same = |asset: &Asset| asset.digest == digest || asset.digest.is_empty() && asset.size == size;
            release.assets.iter().any(|asset| asset.name == name && asset.whole && same(asset))
        };
        let lacks = wanted.iter().filter(|(_, name, size, digest)| !there(name, *size, digest));
        lacks.map(|(file, ..)| file.to_path_buf()).collect()
    };
    let lacks = lacking(&release);
    if !lacks.is_empty() {
        outward::upload_assets(sh, &release.tag, &lacks)?;
        let tag = release.tag;
        release = only(releases(sh)?, &tag)?.ok_or_else(|| format!("the draft of {tag} is gone"))?;
    }
    if let Some(file) = lacking(&release).first() {
        return Err(format!("{} was uploaded and is not there: run this again", file.display()).into());
    }
    if let Some(Asset { name, .. }) = release.assets.iter().find(|asset| !asset.whole) {
        return Err(format!("the upload of {name} broke off: run this where target/dist has it, or delete it").into());
    }
    if release.assets.is_empty() {
        return Err("target/dist is empty, and so is the draft: `cargo xtask dist` makes the artifacts".into());
    }
    Ok(())
}

/// How many crates the registry lacks at this version.
fn missing(sh: &Shell, workspace: &Workspace, named: Option<String>) -> Result<usize> {
    let state = Registry::of(sh, workspace, named, Duration::from_secs(60))?.state(workspace)?;
    Ok(state.iter().filter(|(member, versions)| !versions.contains_key(&member.version)).count())
}

/// The versions of the releases that are public and no candidates.
fn public_versions(releases: &[Release]) -> Vec<Version> {
    let public = releases.iter().filter(|release| !release.draft && !release.candidate);
    let versions = public.filter_map(|release| tag_version(&release.tag));
    versions.filter(|version| version.pre.is_empty()).collect()
}

/// The version that the server should call the latest and does not. Installers take what it calls so: the highest version, or
/// somebody else's tag.
pub fn passed_over(releases: &[Release], latest: Option<&str>) -> Option<Version> {
    let highest = public_versions(releases).into_iter().max()?;
    let right = latest.is_some_and(|latest| latest == tag(&highest) || tag_version(latest).is_none());
    (!right).then_some(highest)
}

fn mend_latest(sh: &Shell) -> Result<()> {
    let now = latest_release(sh)?;
    let Some(highest) = passed_over(&releases(sh)?, now.as_deref()).as_ref().map(tag) else { return Ok(()) };
    say(format_args!("the latest release is {}, and should be {highest}", now.as_deref().unwrap_or("none")));
    outward::mark_latest(sh, &highest)?;
    match latest_release(sh)? {
        Some(now) if now == highest => Ok(()),
        _ => Err(format!("{highest} was marked as the latest release and is not: run this again").into()),
    }
}
