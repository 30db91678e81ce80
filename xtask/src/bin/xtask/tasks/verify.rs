//! `verify`: everything that would stop or spoil a release, all of it at once, before anything is public. It changes nothing:
//! cargo builds in the target folder, and git may fetch a tag.

use std::fmt::Display;
use std::fs;
use std::time::{Duration, SystemTime};

use semver::Version;
use xshell::{Shell, cmd};

use crate::tasks::bump;
use release_train::rules::version::{branch_version, release_of, same_line, tag};
use release_train::rules::{crates_io, notes};
use release_train::world::git::{self, Remote};
use release_train::world::process::{output_of, run_visible};
use release_train::world::registry::{CRATES_IO, Registry};
use release_train::world::workspace::{Crate, Workspace, read_notes};
use release_train::{Arguments, Context, Result, bail, count, finish, say};

pub const HELP: &str = "\
Finds what would stop or spoil a release: versions, requirements, pins, version
strings and notes that disagree; a version on the wrong branch or with a tag
elsewhere; what crates.io would refuse. Then packages and builds each published
crate as its users will get it.

cargo xtask verify [--fast] [--semver] [--branch NAME] [--registry NAME]

  --fast      skips the builds
  --semver    also compares the public crates with the last release of the
              branch, with cargo-semver-checks: is this a patch?
  --branch    default: the base of the pull request or the branch of the
              workflow, else the branch that is checked out
  --registry  as for `publish`
";

/// Reads the command line, checks everything, and fails if there was an error.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let fast = arguments.contains("--fast");
    let semver = arguments.contains("--semver");
    let branch = arguments.opt_value_from_str("--branch")?;
    let registry = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    let mut findings = Findings::default();

    files(&workspace, &mut findings);
    let last_release = branch_and_tags(sh, &workspace, branch, &mut findings)?;
    let (registry, missing) = registry_has(&workspace, registry, &mut findings);
    if !fast && findings.errors == 0 && !missing.is_empty() {
        package(sh, &workspace, &missing, registry, &mut findings)?;
    }
    if let (true, Some((version, commit))) = (semver, last_release) {
        compare(sh, &workspace, &version, &commit, &mut findings)?;
    }

    let Findings { errors, warnings } = findings;
    let warnings = count(warnings, "warning");
    if errors > 0 {
        bail!("{}, {warnings}", count(errors, "error"));
    }
    let (version, crates) = (
        &workspace.version,
        count(workspace.published().count(), "crate"),
    );
    say!("verified {version} and its {crates}: 0 errors, {warnings}");
    Ok(())
}

/// Counts and prints the findings. In a workflow, GitHub shows an error beside the line of the file.
#[derive(Default)]
struct Findings {
    errors: usize,
    warnings: usize,
}

impl Findings {
    /// `place` is a file, or `file:line`.
    fn error(&mut self, place: &str, what: impl Display) {
        self.errors += 1;
        if std::env::var_os("GITHUB_ACTIONS").is_some() {
            let (file, line) = place.rsplit_once(':').unwrap_or((place, "1"));
            return say!("::error file={file},line={line}::{place}: {what}");
        }
        say!("{place}: {what}");
    }

    fn warning(&mut self, what: String) {
        self.warnings += 1;
        say!("warning: {what}");
    }
}

/// What the files of the workspace say.
fn files(workspace: &Workspace, findings: &mut Findings) {
    let version = release_of(&workspace.version);
    let mut found = workspace.inconsistencies();
    found.extend(bump::stale(workspace));
    let shown = |text: String| notes::show(&text, &version).context(notes::FILE).map(drop);
    if let Err(error) = read_notes(&workspace.root).and_then(shown) {
        found.push(error.to_string());
    }
    for found in found {
        let (place, what) = found.split_once(": ").unwrap_or(("Cargo.toml", &found));
        findings.error(place, what);
    }
    for member in workspace.published() {
        for (key, what) in crates_io::refusals(&member.about) {
            let place = workspace.manifests[member.manifest].place(key);
            findings.error(&place, format_args!("`{}` {what}", member.name));
        }
    }
}

/// Compares the version with the branch and the tags of origin. Returns the last release of the branch before it.
fn branch_and_tags(
    sh: &Shell,
    workspace: &Workspace,
    branch: Option<String>,
    findings: &mut Findings,
) -> Result<Option<(Version, String)>> {
    let version = &workspace.version;
    // A pull request is checked against its base; a workflow's checkout is on no branch.
    let set = |name| std::env::var(name).ok().filter(|name| !name.is_empty());
    let in_workflow = || set("GITHUB_BASE_REF").or_else(|| set("GITHUB_REF_NAME"));
    let branch = branch
        .or_else(in_workflow)
        .or_else(|| git::current_branch(sh).ok());
    let branch = branch.unwrap_or_default();
    if branch_version(&branch).is_some_and(|first| !same_line(&first, version)) {
        let what = format!("{version} does not belong to `{branch}`");
        findings.error("Cargo.toml", what);
    }
    let remote = match Remote::read(sh) {
        Ok(remote) => remote,
        Err(error) => {
            findings.warning(format!("the tags of origin are not checked: {error}"));
            return Ok(None);
        }
    };
    let head = output_of(cmd!(sh, "git rev-parse HEAD"))?;
    if let Some(commit) = remote.tags.get(version).filter(|commit| **commit != head) {
        let tag = tag(version);
        git::fetch(sh, &[format!("refs/tags/{tag}")])?;
        // A branch continues after its release, at the same version until the next bump.
        if !git::is_ancestor(sh, commit, &head)? {
            let what = format!("{tag} is at {commit}, not below HEAD: bump the version");
            findings.error("Cargo.toml", what);
        }
    }
    let mut before = remote.line(version);
    before.retain(|(tagged, _)| tagged.pre.is_empty() && *tagged <= version);
    before.retain(|(_, commit)| **commit != head);
    let last = before.pop();
    Ok(last.map(|(version, commit)| (version.clone(), commit.clone())))
}

/// Asks the registry what it has. Returns its name, if it is known, and the crates that it lacks at this version.
fn registry_has<'a>(
    workspace: &'a Workspace,
    named: Option<String>,
    findings: &mut Findings,
) -> (Option<String>, Vec<&'a Crate>) {
    let registry = match Registry::of(workspace, named, Duration::from_secs(5)) {
        Ok(registry) => registry,
        Err(error) => {
            findings.error("Cargo.toml", error);
            return (None, workspace.published().collect());
        }
    };
    let name = registry.name.clone();
    let versions = match registry.versions_of_all(workspace) {
        Ok(versions) => versions,
        // A network that is down now does not stop a release.
        Err(error) => {
            findings.warning(format!("the registry is not checked: {error}"));
            return (Some(name), workspace.published().collect());
        }
    };
    let (mut new, mut there, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for (member, versions) in versions {
        if versions.is_empty() {
            new.push(member.name.clone());
        }
        match versions.contains_key(&member.version) {
            true => there.push(format!("{} {}", member.name, member.version)),
            false => missing.push(member),
        }
    }
    if !new.is_empty() {
        let (new, why) = (new.join(", "), "trusted publishing cannot create a crate");
        findings.warning(format!(
            "{name} has never seen {new}: {why}, so an owner publishes it once by hand"
        ));
    }
    if !there.is_empty() {
        findings.warning(format!("{name} already has {}", there.join(", ")));
    }
    (Some(name), missing)
}

/// Packages and builds crates as their users will get them, and checks the sizes.
fn package(
    sh: &Shell,
    workspace: &Workspace,
    crates: &[&Crate],
    registry: Option<String>,
    findings: &mut Findings,
) -> Result<()> {
    const LIMIT: u64 = 10 << 20; // of crates.io, compressed
    let names = crates.iter().flat_map(|member| ["--package", &member.name]);
    let registry = registry.filter(|name| name != CRATES_IO);
    let registry = registry.iter().flat_map(|name| ["--registry", name]);
    // In a folder of a new name: cargo takes a package of the same name, version and place for the same package.
    let verify = workspace.target.join("verify");
    let _ = fs::remove_dir_all(&verify);
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let target = verify.join(since_1970.as_nanos().to_string());
    let locked = output_of(cmd!(sh, "git ls-files Cargo.lock"))?;
    let locked = (!locked.is_empty()).then_some("--locked");
    // What is not committed is checked, too: it is what the next commit will be.
    let options = ["--allow-dirty", "--target-dir"];
    let package = cmd!(
        sh,
        "cargo package {locked...} {registry...} {names...} {options...} {target}"
    );
    if run_visible(package).is_err() {
        findings.error(
            "Cargo.toml",
            "cargo package failed: see cargo's output above",
        );
        return Ok(());
    }
    for member in crates {
        let (name, version) = (&member.name, &member.version);
        let package = target.join(format!("package/{name}-{version}.crate"));
        let size = fs::metadata(&package).context(package.display())?.len();
        if size > LIMIT {
            let place = workspace.manifests[member.manifest].place("name");
            let (size, limit) = (size >> 10, LIMIT >> 10);
            let what = format!("`{name}` packs to {size} KiB, more than {limit}");
            findings.error(&place, format!("{what}: `exclude` what users do not need"));
        }
    }
    Ok(())
}

/// Compares the public crates with the last release, of which they are to be a patch.
fn compare(
    sh: &Shell,
    workspace: &Workspace,
    version: &Version,
    commit: &str,
    findings: &mut Findings,
) -> Result<()> {
    git::fetch(sh, &[format!("refs/tags/{}", tag(version))])?;
    let members = workspace
        .public_crates()
        .filter(|member| member.follows_train);
    let names = members.flat_map(|member| ["--package", &member.name]);
    let options = ["--release-type", "patch", "--baseline-rev"];
    let check = cmd!(sh, "cargo semver-checks {options...} {commit} {names...}");
    if let Err(error) = run_visible(check) {
        findings.error(
            "Cargo.toml",
            format_args!(
                "{error}: see above: this is not a patch of {}",
                tag(version)
            ),
        );
    }
    Ok(())
}
