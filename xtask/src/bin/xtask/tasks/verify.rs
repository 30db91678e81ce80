//! `verify`: what would stop or spoil a release, all of it at once, before anything is public. It changes nothing: cargo builds in the
//! target folder, and git may fetch a tag.

use std::fmt::Display;
use std::fs;
use std::time::Duration;

use xshell::{Shell, cmd};

use crate::tasks::bump;
use release_train::rules::version::{branch_version, release_of, same_line, tag};
use release_train::world::git::{Remote, current_branch, fetch, is_ancestor};
use release_train::world::registry::{CRATES_IO, Registry, Versions};
use release_train::world::workspace::{Crate, Workspace};
use release_train::{Arguments, Context, Result, finish, say, world::process};

pub const HELP: &str = "\
cargo xtask verify [--fast] [--branch NAME] [--registry NAME]

Finds what would stop or spoil a release: versions, requirements, pins, version strings and notes that do not agree; a tag that is
taken; a version on the wrong branch; crates that the registry has never seen or would refuse. Then packages and builds each published
crate as its users will get it.

  --fast      skips the builds
  --branch    default: the pull request's base or the workflow's branch, else the one checked out
  --registry  as for `publish`
";

/// Reads the command line, looks everywhere, and fails if there was an error.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let fast = arguments.contains("--fast");
    let branch = arguments.opt_value_from_str("--branch")?;
    let named = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    let mut findings = Findings::default();

    versions(&workspace, &mut findings);
    branch_and_tag(sh, &workspace, branch, &mut findings)?;
    let published = || workspace.crates.iter().filter(|member| member.published);
    for member in published() {
        let lacks = |key: &str| member.about[key].as_str().is_none_or(str::is_empty);
        if lacks("description") || lacks("license") && lacks("license_file") {
            let place = workspace.manifests[member.manifest].place("name");
            findings.error(
                &place,
                format_args!("`{}` needs a description and a license", member.name),
            );
        }
    }
    // Not to know where the crates go stops a release; a network that is down now does not.
    let registry = Registry::of(&workspace, named, Duration::from_secs(5));
    let registry = registry
        .map_err(|error| findings.error("Cargo.toml", error))
        .ok();
    let missing = match registry
        .as_ref()
        .map(|registry| (registry, registry.versions_of_all(&workspace)))
    {
        Some((registry, Ok(state))) => missing(&state, &registry.name, &workspace, &mut findings),
        Some((_, Err(error))) => {
            findings.warning(format_args!("the registry was not asked: {error}"));
            published().collect()
        }
        None => Vec::new(),
    };
    let registry = registry.map(|registry| registry.name);
    if !fast && findings.errors == 0 && !missing.is_empty() {
        package(sh, &workspace, &missing, registry, &mut findings)?;
    }

    let Findings { errors, warnings } = findings;
    if errors > 0 {
        return Err(format!("{errors} errors, {warnings} warnings").into());
    }
    say(format_args!(
        "verified {} and its {} crates, with {warnings} warnings",
        workspace.version,
        published().count()
    ));
    Ok(())
}

/// Counts, and prints each finding; in a workflow, GitHub shows it beside the line of the file.
#[derive(Default)]
struct Findings {
    errors: usize,
    warnings: usize,
}

impl Findings {
    fn error(&mut self, place: &str, what: impl Display) {
        self.errors += 1;
        match (std::env::var_os("GITHUB_ACTIONS"), place.rsplit_once(':')) {
            (Some(_), Some((file, line))) => {
                say(format_args!("::error file={file},line={line}::{what}"))
            }
            (Some(_), None) => say(format_args!("::error file={place}::{what}")),
            (None, _) => say(format_args!("{place}: {what}")),
        }
    }

    fn warning(&mut self, what: impl Display) {
        self.warnings += 1;
        say(format_args!("warning: {what}"));
    }
}

/// Versions, requirements, pins, version strings and notes.
fn versions(workspace: &Workspace, findings: &mut Findings) {
    for found in workspace
        .inconsistencies()
        .into_iter()
        .chain(bump::stale(workspace))
    {
        let (place, what) = found.split_once(": ").unwrap_or(("", &found));
        findings.error(place, what);
    }
    let version = release_of(&workspace.version);
    let section = release_train::world::workspace::read_notes(&workspace.root)
        .and_then(|text| release_train::rules::notes::show(&text, &version).map(drop));
    if let Err(error) = section {
        findings.error(release_train::rules::notes::FILE, error);
    }
}

/// The version against the branch that it is on, and against the tags of origin.
fn branch_and_tag(
    sh: &Shell,
    workspace: &Workspace,
    branch: Option<String>,
    findings: &mut Findings,
) -> Result<()> {
    let version = &workspace.version;
    // On a pull request, where it goes; a detached checkout has no branch of its own.
    let of_workflow = ["GITHUB_BASE_REF", "GITHUB_REF_NAME"]
        .iter()
        .filter_map(|name| std::env::var(name).ok());
    let branch = branch.or_else(|| of_workflow.into_iter().find(|name| !name.is_empty()));
    let branch = branch
        .or_else(|| current_branch(sh).ok())
        .unwrap_or_default();
    if branch_version(&branch).is_some_and(|line| !same_line(&line, version)) {
        findings.error(
            "Cargo.toml",
            format_args!("{version} does not belong on `{branch}`"),
        );
    }
    let remote = match Remote::read(sh) {
        Ok(remote) => remote,
        Err(error) => {
            return Ok(findings.warning(format_args!("origin was not asked for its tags: {error}")));
        }
    };
    let head = process::output_of(cmd!(sh, "git rev-parse HEAD"))?;
    if let Some(commit) = remote.tags.get(version).filter(|commit| **commit != head) {
        let tag = tag(version);
        fetch(sh, &[&format!("refs/tags/{tag}")])?;
        if !is_ancestor(sh, commit, &head)? {
            findings.error(
                "Cargo.toml",
                format_args!("{tag} is at {commit}, which is not in HEAD: bump the version"),
            );
        }
    }
    Ok(())
}

/// The crates that the registry does not have at this version. Names those that it has never seen.
fn missing<'a>(
    state: &[(&'a Crate, Versions)],
    name: &str,
    workspace: &Workspace,
    findings: &mut Findings,
) -> Vec<&'a Crate> {
    for (member, _) in state.iter().filter(|(_, versions)| versions.is_empty()) {
        findings.warning(format_args!(
            "{name} has never seen `{}`: trusted publishing cannot create a crate, an owner publishes it once by hand",
            member.name
        ));
    }
    let (there, missing): (Vec<_>, Vec<_>) = state
        .iter()
        .partition(|(member, versions)| versions.contains_key(&member.version));
    if !there.is_empty() {
        let names: Vec<&str> = there
            .iter()
            .map(|(member, _)| member.name.as_str())
            .collect();
        findings.warning(format_args!(
            "{name} already has, of {}: {}",
            workspace.version,
            names.join(" ")
        ));
    }
    missing.into_iter().map(|(member, _)| *member).collect()
}

/// Packages and builds crates as their users will get them, and looks at the sizes.
fn package(
    sh: &Shell,
    workspace: &Workspace,
    crates: &[&Crate],
    registry: Option<String>,
    findings: &mut Findings,
) -> Result<()> {
    const LIMIT: u64 = 10 << 20; // of crates.io, compressed
    let names = crates.iter().flat_map(|member| ["--package", &member.name]);
    let registry = registry
        .iter()
        .filter(|name| *name != CRATES_IO)
        .flat_map(|name| ["--registry", name]);
    // Afresh: to cargo, a package of one name and version is the same for ever.
    let target = workspace.target.join("verify");
    let _ = fs::remove_dir_all(&target);
    let locked = process::output_of(cmd!(sh, "git ls-files Cargo.lock"))?;
    let locked = (!locked.is_empty()).then_some("--locked"); // a lock file that is kept stays as it is
    // What is not committed is looked at, too: it is what the next commit will be.
    if process::run_visible(cmd!(
        sh,
        "cargo package --allow-dirty {locked...} --target-dir {target} {registry...} {names...}"
    ))
    .is_err()
    {
        findings.error("Cargo.toml", "cargo package failed, for the reason above");
        return Ok(());
    }
    for Crate {
        name,
        version,
        manifest,
        ..
    } in crates
    {
        let package = target.join(format!("package/{name}-{version}.crate"));
        let size = fs::metadata(&package).context(package.display())?.len();
        if size > LIMIT {
            let place = workspace.manifests[*manifest].place("name");
            findings.error(
                &place,
                format_args!(
                    "`{name}` packs to {size} bytes of {LIMIT}: `exclude` what users do not need"
                ),
            );
        }
    }
    Ok(())
}
