//! `verify`: everything that would stop or spoil a release, all of it at once, before anything is public. It changes nothing:
//! cargo builds in the target folder, and git may fetch a tag.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use semver::{Version, VersionReq};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::tasks::release::refuse_unconfigured;
use crate::tasks::{bump, cargo_package, has_lock_file, not_checked_out};
use release_train::rules::version::{branch_version, release_of, same_line};
use release_train::rules::{crates_io, notes};
use release_train::world::git::{self, Remote};
use release_train::world::process::{output_of, run_configured, visible_status};
use release_train::world::registry::{CRATES_IO, Registry, Versions};
use release_train::world::workspace::{self, Crate, Workspace, read_notes};
use release_train::world::worktree::{Worktree, lock_clone};
use release_train::world::{items, text};
use release_train::{Arguments, Context, Result, bail, count, finish, say};

pub const HELP: &str = "\
Finds what would stop or spoil a release, all of it at once.

cargo xtask verify [--fast] [--semver] [--branch NAME] [--registry NAME]

  --fast      skips the builds
  --semver    also compares the public crates with the last release of the
              branch, with cargo-semver-checks: is this a patch?
  --branch    default: the base of the pull request or the branch of the
              workflow, else the branch that is checked out
  --registry  as for `publish`

It looks for versions, requirements, pins, version strings and notes that
disagree; a version on the wrong branch, with a tag elsewhere, or published
before its tag; what crates.io would refuse; what git did not check out. Then it
runs the configured `checks`, and packages and builds each published crate as
its users will get it.

Example: cargo xtask verify --fast
";

/// Reads the command line, checks everything, and fails if there was an error.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let fast = arguments.contains("--fast");
    let semver = arguments.contains("--semver");
    let branch = arguments.opt_value_from_str("--branch")?;
    let registry = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let mut check = Check {
        sh,
        workspace: &workspace,
        errors: 0,
        warnings: 0,
    };
    let registry = Registry::of(&workspace, registry, Duration::from_secs(5));
    let versions = registry.as_ref().map(|it| it.versions_of_all(&workspace));
    let answers = matches!(versions, Ok(Ok(_)));
    let remote = check.or_warn(Remote::read(sh), "the tags of origin are not checked");
    check.files(registry.as_ref().ok().filter(|_| answers), remote.as_ref())?;
    check.branch(branch);
    if let Some(remote) = &remote {
        check.or_error(refuse_unconfigured(sh, remote, &workspace.root));
        check.tag(remote)?;
    }
    match (&registry, versions) {
        (Err(error), _) | (_, Err(error)) => check.error(&format!("Cargo.toml: {error}")),
        (Ok(registry), Ok(versions)) => {
            let missing = check.missing(registry, versions, remote.as_ref())?;
            check.cycles(&missing);
            if !fast && check.errors == 0 && !missing.is_empty() {
                check.package(&missing, registry)?;
            }
        }
    }
    for command in &workspace.config.checks {
        let done = run_configured(sh.cmd(&command[0]).args(&command[1..]));
        check.or_error(done.context("Cargo.toml: `checks`"));
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
        let mut parts = found.split(": ");
        let (place, next) = (parts.next().unwrap_or_default(), parts.next());
        let line = next.and_then(|next| next.strip_prefix("line "));
        let (file, line) = place
            .rsplit_once(':')
            .unwrap_or((place, line.unwrap_or("1")));
        if std::env::var_os("GITHUB_ACTIONS").is_none() {
            return say!("{found}");
        }
        // GitHub takes paths from the root of the repository, and `%` begins an escape.
        let folder = output_of(cmd!(self.sh, "git rev-parse --show-prefix")).unwrap_or_default();
        let found = found.replace('%', "%25");
        say!("::error file={folder}{file},line={line}::{found}");
    }

    /// An error at a key of a crate's manifest.
    fn error_of(&mut self, member: &Crate, key: &str, what: &str) {
        let place = self.workspace.manifests[member.manifest].place(key);
        self.error(&format!("{place}: `{}` {what}", member.name));
    }

    fn warning(&mut self, found: &str) {
        self.warnings += 1;
        say!("warning: {found}");
    }

    fn or_error<T>(&mut self, result: Result<T>) {
        if let Err(error) = result {
            self.error(&error.to_string());
        }
    }

    /// A network that is down now does not stop a release.
    fn or_warn<T>(&mut self, result: Result<T>, unknown: &str) -> Option<T> {
        let warn = |error| self.warning(&format!("{unknown}: {error}"));
        result.map_err(warn).ok()
    }

    /// What the files of the workspace say, and cargo of them.
    fn files(&mut self, registry: Option<&Registry>, remote: Option<&Remote>) -> Result<()> {
        let (sh, workspace) = (self.sh, self.workspace);
        let inconsistencies = workspace.inconsistencies().into_iter();
        for found in inconsistencies.chain(bump::stale(workspace)?) {
            self.error(&found);
        }
        if self.errors == 0 && has_lock_file(sh)? {
            // With all dependencies: only so does cargo resolve. They may be there already.
            let resolve = || cmd!(sh, "cargo metadata --locked --format-version 1");
            let resolved = output_of(resolve().arg("--offline"));
            let resolved = resolved.or_else(|_| output_of(resolve()));
            self.or_error(resolved.context("Cargo.lock"));
        }
        self.notes(remote);
        for found in not_checked_out(sh, workspace)? {
            self.error(&found);
        }
        for member in workspace.published() {
            for (key, what) in crates_io::refusals(&member.about) {
                self.error_of(member, key, &what);
            }
            for key in ["readme", "license_file"] {
                let manifest = &workspace.manifests[member.manifest].path;
                let file = member.about[key].as_str();
                if let Some(file) = file.filter(|file| !manifest.with_file_name(file).exists()) {
                    let what = format!("names `{file}`, which does not exist");
                    self.error_of(member, &key.replace('_', "-"), &what);
                }
            }
            self.dependencies(member, registry);
        }
        Ok(())
    }

    /// All that the next cut and the day of a release need of the notes. A version that is released needs nothing.
    fn notes(&mut self, remote: Option<&Remote>) {
        let workspace = self.workspace;
        let version = release_of(&workspace.version);
        let tags = remote.map_or(&[][..], |remote| &remote.tag_names);
        let trains = remote.into_iter().flat_map(Remote::release_branches);
        let mut due = Vec::from_iter(trains.map(|(first, _)| first));
        due.retain(|first| remote.is_some_and(|it| it.first_release(first).is_none()));
        if workspace.released_as(tags, "").is_none() {
            due.push(version.clone());
        }
        for due in due {
            let check = |text: String| match due == version {
                true => notes::show(&text, &due).and_then(|_| notes::is_dated(&text, &due)),
                false => notes::is_dated(&text, &due),
            };
            let checked = read_notes(&workspace.root).map(check);
            self.or_error(checked.and_then(|checked| checked.context(notes::FILE)));
        }
        if let Ok(next) = workspace.config.next_train(&workspace.version) {
            self.or_error(workspace.new_section(&release_of(&next)));
        }
    }

    /// Whether a crate can be published with its dependencies.
    fn dependencies(&mut self, member: &Crate, registry: Option<&Registry>) {
        const INDEX: &str = "https://github.com/rust-lang/crates.io-index";
        let to_crates_io = registry.is_some_and(|registry| registry.name == CRATES_IO);
        for about in items(&member.about["dependencies"]) {
            let name = text(&about["name"]);
            // Cargo says `*` also of one that needs no version here and has none.
            let is_local = about["path"].is_string() || text(&about["source"]).starts_with("git+");
            let version = about["req"].as_str();
            let version = version.filter(|version| !is_local || *version != "*");
            let dependency = crates_io::Dependency {
                name: &name,
                dev: about["kind"] == "dev",
                version,
                unavailable: version.is_some() && !self.can_be_had(about, member, registry),
                elsewhere: to_crates_io && about["registry"].as_str().is_some_and(|it| it != INDEX),
            };
            if let Some(what) = dependency.refusal() {
                let key = about["rename"].as_str().unwrap_or(&name);
                let place = self.workspace.manifests[member.manifest].dependency(key);
                self.error(&format!("{place}: `{}` {what}", member.name));
            }
        }
    }

    /// Dependency cycles among crates that are published together. Cargo itself refuses those without a dev-dependency.
    fn cycles(&mut self, together: &[&Crate]) {
        let (mut all, mut of_tests) = (HashMap::<_, Vec<_>>::new(), Vec::new());
        for by in together {
            for dependency in items(&by.about["dependencies"]) {
                let is_dev = dependency["kind"] == "dev";
                // Cargo leaves a dev-dependency without a version out of the package.
                let is_left_out = is_dev && dependency["req"] == "*";
                let on = together.iter().find(|it| dependency["name"] == *it.name);
                let on = on.filter(|on| dependency["path"].is_string() && on.name != by.name);
                if let (Some(on), false) = (on, is_left_out) {
                    all.entry(&by.name).or_default().push(&on.name);
                    of_tests.extend(is_dev.then_some((by, &on.name)));
                }
            }
        }
        for (by, on) in of_tests {
            let (mut seen, mut next) = (HashSet::new(), vec![on]);
            while let Some(name) = next.pop() {
                if seen.insert(name) {
                    next.extend(all.get(name).into_iter().flatten());
                }
            }
            if seen.contains(&by.name) {
                let what = format!("and `{on}` are in a dependency cycle: leave out its version");
                self.error_of(by, "dev-dependencies", &what);
            }
        }
    }

    /// Whether users of a crate get one of its dependencies, in cargo's words: it is not a member, or another published one, or a
    /// version of it that is in the registry already.
    fn can_be_had(&self, it: &Value, by: &Crate, registry: Option<&Registry>) -> bool {
        let folder = text(&it["path"]);
        let member = self.workspace.member_in(Path::new(&folder));
        let (Some(at), Some(registry)) = (member, registry) else {
            return true;
        };
        let member = &self.workspace.crates[at];
        let is_published = member.published && member.is_allowed_in(&registry.name);
        if is_published && member.name != by.name {
            return true;
        }
        let requirement = VersionReq::parse(&text(&it["req"])).unwrap_or_default();
        let versions = registry.versions(member);
        // A warning says that it does not answer.
        versions.map_or(true, |(_, versions)| {
            let mut left = versions.iter().filter(|(_, yanked)| !**yanked);
            left.any(|(version, _)| requirement.matches(version))
        })
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
            let found = format!("Cargo.toml: {version} does not belong to `{branch}`");
            self.error(&found);
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
    fn missing(
        &mut self,
        registry: &Registry,
        versions: Result<Vec<(&'a Crate, Versions)>>,
        remote: Option<&Remote>,
    ) -> Result<Vec<&'a Crate>> {
        let workspace = self.workspace;
        let all = match versions {
            Ok(all) => all,
            Err(error) => {
                match error.is::<io::Error>() {
                    // It does not answer now.
                    true => self.warning(&format!("the registry is not checked: {error}")),
                    false => self.error(&format!("Cargo.toml: {error}")),
                }
                return Ok(workspace.published().collect());
            }
        };
        let version = &workspace.version;
        let dated = |text: String| notes::released_on(&text, version).is_some();
        let is_dated = read_notes(&workspace.root).is_ok_and(dated);
        let is_announced = is_dated || version.pre.starts_with("rc.");
        // What is published after the commit that announces a release and before its tag is not ours.
        let untagged = remote.filter(|it| is_announced && !it.tags.contains_key(version));
        let is_there = |(it, of): &(&Crate, Versions)| of.contains_key(&it.version);
        let mut before = BTreeMap::new();
        if let Some(remote) = untagged.filter(|_| all.iter().any(is_there))
            && let Some((last, _)) = remote.tags.range(..version).next_back()
        {
            let members = packages_at(self.sh, remote, last);
            let members = self.or_warn(members, "the last release is not read");
            before = members.unwrap_or_default();
        }
        // Of a first release, a part may be published.
        let is_tagged = remote.is_some_and(|it| it.tags.contains_key(version));
        let is_new = |(it, of): &(&Crate, Versions)| {
            of.is_empty() || is_tagged && of.keys().all(|version| *version == it.version)
        };
        let is_first = all.iter().all(is_new);
        let registry = &registry.name;
        let (mut new, mut there, mut missing) = (Vec::new(), Vec::new(), Vec::new());
        for (member, versions) in all {
            let Crate { name, version, .. } = member;
            // Without a release before, those at the train's version are of this one.
            let moved = member.follows_train
                && match before.is_empty() {
                    true => *version == workspace.version,
                    false => before.get(name) != Some(version),
                };
            match versions.contains_key(version) {
                true if moved && untagged.is_some() => {
                    let what = "and has no tag: ask its owners there, or bump the version";
                    let found = format!("{version} is in {registry}, {what}");
                    self.error_of(member, "version", &found);
                }
                true => there.push(format!("{name} {version}")),
                false => missing.push(member),
            }
            if !versions.is_empty() {
                continue;
            } else if is_first || workspace.config.new_crates.contains(name) {
                new.push(name.as_str());
            } else {
                let what = "if that is right, add it to `new-crates` in Cargo.toml";
                self.error_of(member, "name", &format!("is new to {registry}: {what}"));
            }
        }
        if !new.is_empty() {
            let new = new.join(", ");
            let why =
                "trusted publishing cannot create a crate: an owner publishes it once by hand";
            self.warning(&format!("{registry} has never seen {new}: {why}"));
        }
        if !there.is_empty() {
            let there = there.join(", ");
            self.warning(&format!("{registry} already has {there}"));
        }
        Ok(missing)
    }

    /// Packages and builds crates as their users will get them, and checks the sizes.
    fn package(&mut self, crates: &[&Crate], registry: &Registry) -> Result<()> {
        const LIMIT: u64 = 10 << 20; // of crates.io, compressed
        let (sh, workspace) = (self.sh, self.workspace);
        // In a folder of a new name: cargo takes a package of the same name, version and place for the same package.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let folder = format!("verify-{}", since_1970.as_nanos());
        let target = workspace.target.join(folder);
        // What is not committed is checked, too: it is what the next commit will be.
        let package = cargo_package(sh, registry, crates)?.arg("--allow-dirty");
        let packaged = visible_status(package.arg("--target-dir").arg(&target))?.success();
        if !packaged {
            self.error("Cargo.toml: cargo package failed: see cargo's output above");
        }
        for member in crates.iter().filter(|_| packaged) {
            let (name, version) = (&member.name, &member.version);
            let package = target.join(format!("package/{name}-{version}.crate"));
            let size = fs::metadata(&package).context(package.display())?.len();
            if size > LIMIT {
                let (size, limit) = (size >> 10, LIMIT >> 10);
                let what = format!("packs to {size} KiB, more than {limit}");
                let what = format!("{what}: `exclude` what users do not need");
                self.error_of(member, "name", &what);
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
        before.retain(|(tagged, _)| tagged.pre.is_empty() && *tagged <= version);
        let Some((last, commit)) = before.into_iter().rfind(|(_, commit)| **commit != head) else {
            return Ok(());
        };
        let tag = remote.tag(last);
        let released = packages_at(sh, remote, last)?;
        let mut packages = Vec::new();
        for member in self.workspace.public_crates().filter(|it| it.follows_train) {
            let name = &member.name;
            let is_library = |it: &Value| LIBRARIES.iter().any(|kind| it["kind"][0] == *kind);
            if !items(&member.about["targets"]).iter().any(is_library) {
                continue;
            } else if released.contains_key(name) {
                packages.extend(["--package", name]);
            } else {
                say!("{tag} does not have `{name}`: it is not compared");
            }
        }
        if packages.is_empty() {
            return Ok(()); // cargo would take every member
        }
        let options = ["--release-type", "patch", "--baseline-rev", commit];
        let status = visible_status(cmd!(sh, "cargo semver-checks {options...} {packages...}"))?;
        match status.code() {
            Some(0) => {}
            Some(100) => self.error(&format!("Cargo.toml: not a patch of {tag}: see above")),
            _ => {
                let failed = format!("Cargo.toml: cargo-semver-checks failed: {status}: see above");
                let install = "`cargo install --locked cargo-semver-checks@VERSION`";
                let version = "with the version in xtask/ci.json";
                self.error(&format!("{failed}; install it {version}: {install}"));
            }
        }
        Ok(())
    }
}

/// The members at the tag of a version, with their versions there.
fn packages_at(sh: &Shell, remote: &Remote, of: &Version) -> Result<BTreeMap<String, Version>> {
    git::fetch(sh, &[remote.tag_ref(of)])?;
    let _lock = lock_clone(sh)?;
    let tree = Worktree::add(sh, &remote.tags[of])?;
    let _root = sh.push_dir(&tree.root);
    let metadata = workspace::metadata(sh).context(remote.tag(of))?;
    let mut versions = BTreeMap::new();
    for package in items(&metadata["packages"]) {
        let version = Version::parse(&text(&package["version"]))?;
        versions.insert(text(&package["name"]), version);
    }
    Ok(versions)
}

/// The kinds of targets that cargo-semver-checks compares.
const LIBRARIES: [&str; 5] = ["lib", "rlib", "dylib", "cdylib", "staticlib"];
