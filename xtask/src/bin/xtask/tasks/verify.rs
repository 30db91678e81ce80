//! `verify`: everything that would stop or spoil a release, all of it at once, before anything is public. It changes nothing:
//! cargo builds in the target folder, and git may fetch a tag.

use std::fs;
use std::time::{Duration, SystemTime};

use xshell::{Shell, cmd};

use crate::tasks::bump;
use release_train::rules::version::{branch_version, release_of, same_line};
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
    let mut check = Check {
        sh,
        workspace: &workspace,
        errors: 0,
        warnings: 0,
    };
    check.files();
    check.branch(branch);
    let remote = check.or_warn(Remote::read(sh), "the tags of origin are not checked");
    if let Some(remote) = &remote {
        check.tag(remote)?;
    }
    match Registry::of(&workspace, registry, Duration::from_secs(5)) {
        Err(error) => check.error(&format!("Cargo.toml: {error}")),
        Ok(registry) => {
            let missing = check.missing(&registry);
            if !fast && check.errors == 0 && !missing.is_empty() {
                check.package(&missing, &registry.name)?;
            }
        }
    }
    if let (true, Some(remote)) = (semver, &remote) {
        check.is_patch(remote)?;
    }

    let warnings = count(check.warnings, "warning");
    if check.errors > 0 {
        bail!("{}, {warnings}", count(check.errors, "error"));
    }
    let crates = count(workspace.published().count(), "crate");
    let version = &workspace.version;
    say!("verified {version} and its {crates}: 0 errors, {warnings}");
    Ok(())
}

/// Prints and counts what is found. In a workflow, GitHub shows an error beside the line of the file.
struct Check<'a> {
    sh: &'a Shell,
    workspace: &'a Workspace,
    errors: usize,
    warnings: usize,
}

impl<'a> Check<'a> {
    /// `found` begins with a file, or `file:line`.
    fn error(&mut self, found: &str) {
        self.errors += 1;
        let place = found.split(": ").next().unwrap_or_default();
        let (file, line) = place.rsplit_once(':').unwrap_or((place, "1"));
        if std::env::var_os("GITHUB_ACTIONS").is_none() {
            return say!("{found}");
        }
        // GitHub takes paths from the root of the repository, and `%` begins an escape.
        let folder = output_of(cmd!(self.sh, "git rev-parse --show-prefix")).unwrap_or_default();
        let found = found.replace('%', "%25");
        say!("::error file={folder}{file},line={line}::{found}");
    }

    fn warning(&mut self, found: &str) {
        self.warnings += 1;
        say!("warning: {found}");
    }

    /// A network that is down now does not stop a release.
    fn or_warn<T>(&mut self, result: Result<T>, unknown: &str) -> Option<T> {
        let warn = |error| self.warning(&format!("{unknown}: {error}"));
        result.map_err(warn).ok()
    }

    /// What the files of the workspace say.
    fn files(&mut self) {
        let workspace = self.workspace;
        let version = release_of(&workspace.version);
        let mut found = workspace.inconsistencies();
        found.extend(bump::stale(workspace));
        let shown = |text: String| notes::show(&text, &version).context(notes::FILE).map(drop);
        let notes = read_notes(&workspace.root).and_then(shown);
        found.extend(notes.err().map(|error| error.to_string()));
        for member in workspace.published() {
            for (key, what) in crates_io::refusals(&member.about) {
                let place = workspace.manifests[member.manifest].place(key);
                found.push(format!("{place}: `{}` {what}", member.name));
            }
        }
        for found in found {
            self.error(&found);
        }
    }

    /// Whether the version belongs to the branch.
    fn branch(&mut self, branch: Option<String>) {
        let version = &self.workspace.version;
        // A pull request is checked against its base; a workflow's checkout is on no branch.
        let set = |name| std::env::var(name).ok().filter(|name| !name.is_empty());
        let in_workflow = || set("GITHUB_BASE_REF").or_else(|| set("GITHUB_REF_NAME"));
        let here = || git::current_branch(self.sh).ok();
        let branch = branch.or_else(in_workflow).or_else(here);
        let branch = branch.unwrap_or_default();
        if branch_version(&branch).is_some_and(|first| !same_line(&first, version)) {
            self.error(&format!(
                "Cargo.toml: {version} does not belong to `{branch}`"
            ));
        }
    }

    /// Whether the tag of the version, if origin has it, is at HEAD or below: a branch continues after its release, at the same
    /// version until the next bump.
    fn tag(&mut self, remote: &Remote) -> Result<()> {
        if let Some(commit) = remote.tags.get(&self.workspace.version) {
            let tag = remote.tag(&self.workspace.version);
            git::fetch(self.sh, &[remote.tag_ref(&self.workspace.version)])?;
            if !git::is_ancestor(self.sh, commit, "HEAD")? {
                let found = format!("{tag} is at {commit}, not below HEAD: bump the version");
                self.error(&format!("Cargo.toml: {found}"));
            }
        }
        Ok(())
    }

    /// The crates that are missing from the registry at their version; all of them if it does not answer.
    fn missing(&mut self, registry: &Registry) -> Vec<&'a Crate> {
        let versions = registry.versions_of_all(self.workspace);
        let Some(versions) = self.or_warn(versions, "the registry is not checked") else {
            return self.workspace.published().collect();
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
        let (name, new, there) = (&registry.name, new.join(", "), there.join(", "));
        if !new.is_empty() {
            let why =
                "trusted publishing cannot create a crate, so an owner publishes it once by hand";
            self.warning(&format!("{name} has never seen {new}: {why}"));
        }
        if !there.is_empty() {
            self.warning(&format!("{name} already has {there}"));
        }
        missing
    }

    /// Packages and builds crates as their users will get them, and checks the sizes.
    fn package(&mut self, crates: &[&Crate], registry: &str) -> Result<()> {
        const LIMIT: u64 = 10 << 20; // of crates.io, compressed
        let (sh, workspace) = (self.sh, self.workspace);
        let mut options = vec!["--registry", registry];
        options.retain(|_| registry != CRATES_IO);
        options.extend(crates.iter().flat_map(|member| ["--package", &member.name]));
        if !output_of(cmd!(sh, "git ls-files Cargo.lock"))?.is_empty() {
            options.push("--locked");
        }
        // In a folder of a new name: cargo takes a package of the same name, version and place for the same package.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let folder = format!("verify-{}", since_1970.as_nanos());
        let target = workspace.target.join(folder);
        // What is not committed is checked, too: it is what the next commit will be.
        let package = cmd!(
            sh,
            "cargo package --allow-dirty --target-dir {target} {options...}"
        );
        let packaged = run_visible(package);
        if packaged.is_err() {
            self.error("Cargo.toml: cargo package failed: see cargo's output above");
        }
        for member in crates.iter().filter(|_| packaged.is_ok()) {
            let (name, version) = (&member.name, &member.version);
            let package = target.join(format!("package/{name}-{version}.crate"));
            let size = fs::metadata(&package).context(package.display())?.len();
            if size > LIMIT {
                let place = workspace.manifests[member.manifest].place("name");
                let (size, limit) = (size >> 10, LIMIT >> 10);
                let what = format!("`{name}` packs to {size} KiB, more than {limit}");
                self.error(&format!(
                    "{place}: {what}: `exclude` what users do not need"
                ));
            }
        }
        let _ = fs::remove_dir_all(target);
        Ok(())
    }

    /// Compares the public crates with the last release of the branch, of which they are to be a patch.
    fn is_patch(&mut self, remote: &Remote) -> Result<()> {
        let (sh, version) = (self.sh, &self.workspace.version);
        let head = output_of(cmd!(sh, "git rev-parse HEAD"))?;
        let mut before = remote.line(version);
        before.retain(|(tagged, commit)| tagged.pre.is_empty() && **commit != head);
        before.retain(|(tagged, _)| *tagged <= version);
        let Some((last, commit)) = before.pop() else {
            return Ok(());
        };
        let tag = remote.tag(last);
        git::fetch(sh, &[remote.tag_ref(last)])?;
        let mut packages = Vec::new();
        for member in self.workspace.public_crates().filter(|it| it.follows_train) {
            packages.extend(["--package", &member.name]);
        }
        if packages.is_empty() {
            return Ok(()); // cargo would take every member
        }
        if output_of(cmd!(sh, "cargo semver-checks --version")).is_err() {
            let install = "cargo install --locked cargo-semver-checks";
            self.error(&format!(
                "Cargo.toml: cargo-semver-checks is not installed: {install}"
            ));
            return Ok(());
        }
        let options = ["--release-type", "patch", "--baseline-rev", commit];
        if let Err(error) = run_visible(cmd!(sh, "cargo semver-checks {options...} {packages...}"))
        {
            let what = format!("{error}: see above: this is not a patch of {tag}");
            self.error(&format!("Cargo.toml: {what}"));
        }
        Ok(())
    }
}
