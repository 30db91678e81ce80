//! `verify`: everything that can be known before anything is public, all at once. It changes nothing of the user's: cargo
//! builds in the target folder, and git may fetch what it is to compare.

use std::time::Duration;

use semver::Version;
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::findings::Findings;
use crate::git::{Remote, current_branch, fetch, is_ancestor};
use crate::registry::{CRATES_IO, Registry, Versions, categories};
use crate::tasks::{bump, notes};
use crate::version::{branch_version, release_of, same_line, tag};
use crate::workspace::{Crate, Workspace};
use crate::{Arguments, Result, finish, packages, say, shell};

pub const HELP: &str = "\
cargo xtask verify [--fast] [--semver] [--branch NAME] [--registry NAME]

Finds, all at once, what would stop a release or spoil it: versions, requirements, pins, version strings and the lock file
that do not agree; notes without a section for the version; a tag that is taken; a version that is not the branch's;
crates that the registry has never seen; what it would refuse in a manifest; circles of dependencies. Then packages and
builds each published crate as its users will get it, looks at the sizes, and, on a branch that has released before,
compares the public crates with the last release (cargo semver-checks).

  --fast      leaves out what has to build
  --semver    makes it an error if cargo semver-checks is not installed
  --branch    else the pull request's base or the branch of the workflow, else what is checked out
  --registry  as for `publish`
";

/// Reads the command line, looks everywhere, and fails if something must be mended.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let fast = arguments.contains("--fast");
    let semver_wanted = arguments.contains("--semver");
    let branch = arguments.opt_value_from_str("--branch")?;
    let named = arguments.opt_value_from_str("--registry")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    let mut findings = Findings::begin(sh);

    versions(&workspace, &mut findings);
    let History { untagged, released } = history(sh, &workspace, branch, &mut findings)?;
    let (registry, to_come) = registry(sh, &workspace, named, untagged, &mut findings);
    for member in workspace.crates.iter().filter(|member| member.published) {
        manifest(&workspace, member, &mut findings);
    }
    if registry.as_ref().is_some_and(|registry| registry.name == CRATES_IO) {
        known_categories(&workspace, &mut findings);
    }
    circles(&workspace, &to_come, &mut findings);
    // What cannot be right need not be built.
    if !fast && findings.errors == 0 {
        packages::build(sh, &workspace, registry.as_ref(), &to_come, &mut findings)?;
        if let Some((tag, commit)) = released {
            packages::compare(sh, &workspace, (&tag, &commit), semver_wanted, &mut findings)?;
        }
    }

    let Findings { errors, warnings, .. } = findings;
    if errors > 0 {
        return Err(format!("{errors} to mend, {warnings} to know").into());
    }
    let published = workspace.crates.iter().filter(|member| member.published).count();
    say(format_args!("verified {} and its {published} crates: nothing to mend, {warnings} to know", workspace.version));
    Ok(())
}

/// Versions, requirements, pins, version strings, the lock file and the notes.
fn versions(workspace: &Workspace, findings: &mut Findings) {
    for found in workspace.disagreements().into_iter().chain(bump::stale(workspace)) {
        let (place, what) = found.split_once(": ").unwrap_or(("", &found));
        findings.error(place, what);
    }
    let version = release_of(&workspace.version);
    let section = notes::read(&workspace.root).and_then(|text| crate::notes::show(&text, &version).map(drop));
    if let Err(error) = section {
        let (error, file) = (error.to_string(), notes::FILE);
        findings.error(file, error.strip_prefix(&format!("{file}: ")).unwrap_or(&error));
    }
}

/// What `origin` tells of the version.
#[derive(Default)]
struct History {
    /// Whether it is known to have no tag.
    untagged: bool,
    /// The last release of the line before it, its tag and commit.
    released: Option<(String, String)>,
}

/// What the branch and the tags say.
fn history(sh: &Shell, workspace: &Workspace, branch: Option<String>, findings: &mut Findings) -> Result<History> {
    let version = &workspace.version;
    // On a pull request, where it goes; a detached checkout has no name of its own.
    let of_workflow = ["GITHUB_BASE_REF", "GITHUB_REF_NAME"].iter().filter_map(|name| std::env::var(name).ok());
    let branch = branch.or_else(|| of_workflow.into_iter().find(|name| !name.is_empty()));
    let branch = branch.or_else(|| current_branch(sh).ok()).unwrap_or_default();
    if let Some(line) = branch_version(&branch).filter(|line| !same_line(line, version)) {
        findings.error("", format_args!("`{branch}` is at {version}, which is not of the line {line}"));
    }
    let read = Remote::read(sh);
    let read = read.map_err(|error| findings.warning("", format_args!("origin cannot be asked for its tags: {error}")));
    let Ok(remote) = read else { return Ok(History::default()) };
    let head = shell::read(cmd!(sh, "git rev-parse HEAD"))?;
    if let Some(commit) = remote.tags.get(version).filter(|commit| **commit != head) {
        let tag = tag(version);
        fetch(sh, &[&format!("refs/tags/{tag}")])?;
        // A branch goes on after its release.
        if !is_ancestor(sh, commit, &head)? {
            findings.error("", format_args!("{tag} is at {commit}, which is not below HEAD: bump the version"));
        }
    }
    let before =
        |(tagged, commit): &(&Version, &String)| tagged.pre.is_empty() && *tagged <= version && **commit != head;
    let last = remote.line(version).into_iter().rfind(before);
    let released = last.map(|(tagged, commit)| (tag(tagged), commit.clone()));
    Ok(History { untagged: !remote.tags.contains_key(version), released })
}

/// The registry, if it can be asked, and the crates that it does not have at this version. Names those that it has never
/// seen, and those that it has at a version that is not tagged.
fn registry<'a>(
    sh: &Shell,
    workspace: &'a Workspace,
    named: Option<String>,
    untagged: bool,
    findings: &mut Findings,
) -> (Option<Registry>, Vec<&'a Crate>) {
    // That it is not known where they go stops a release; that the network is down now does not.
    let found = Registry::find(sh, workspace, named, Duration::from_secs(5));
    let asked = found.map_err(|error| findings.error("", error)).ok().and_then(|registry| {
        let state = registry.check().and_then(|()| registry.state(workspace));
        let down = |error| findings.warning("", format_args!("the registry cannot be asked: {error}"));
        Some((registry, state.map_err(down).ok()?))
    });
    let Some((registry, state)) = asked else {
        return (None, workspace.crates.iter().filter(|member| member.published).collect());
    };
    let new = state.iter().filter(|(_, versions)| versions.is_empty()).map(|(member, _)| member.name.as_str());
    let new: Vec<&str> = new.collect();
    if !new.is_empty() {
        let (new, name) = (new.join(" "), &registry.name);
        findings.warning("", format_args!("{name} has never seen: {new}; trusted publishing cannot create a crate: an owner publishes each once, by hand"));
    }
    // `publish` would take them for its own. One of a version of its own goes out when it changes.
    let early = |(member, versions): &&(&Crate, Versions)| member.moves && versions.contains_key(&member.version);
    let early = state.iter().filter(early).map(|(member, _)| format!("{} {}", member.name, member.version));
    let early: Vec<String> = early.collect();
    if untagged && !early.is_empty() {
        let (early, name, tag) = (early.join(", "), &registry.name, tag(&workspace.version));
        findings.warning("", format_args!("{name} has {early}, and there is no tag {tag}: `publish` leaves them as they are, so bump, unless they are of this commit"));
    }
    let lacks = |(member, versions): &(&Crate, Versions)| !versions.contains_key(&member.version);
    let to_come = state.into_iter().filter(lacks).map(|(member, _)| member).collect();
    (Some(registry), to_come)
}

/// What crates.io refuses ("The manifest format" in the Cargo book).
fn manifest(workspace: &Workspace, member: &Crate, findings: &mut Findings) {
    let manifest = &workspace.manifests[member.manifest];
    let folder = manifest.path.parent().unwrap_or(&workspace.root);
    let (about, name) = (&member.about, &member.name);
    let lacks = |key: &str| about[key].as_str().is_none_or(str::is_empty);
    let mut wrong = |key: &str, what: &str| findings.error(&manifest.place(key), format_args!("`{name}`{what}"));
    if lacks("description") {
        wrong("name", " has no description");
    }
    if lacks("license") && lacks("license_file") {
        wrong("name", " has no license and no license-file");
    }
    for (key, at) in [("readme", "readme"), ("license_file", "license-file")] {
        if let Some(file) = about[key].as_str().filter(|file| !folder.join(file).is_file()) {
            wrong(at, &format!(": its {at} `{file}` is not there"));
        }
    }
    for key in ["keywords", "categories"] {
        let count = words(member, key).count();
        if count > 5 {
            wrong(key, &format!(" has {count} {key}: 5 are allowed"));
        }
    }
    for word in words(member, "keywords") {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
        let plain = word.chars().all(allowed) && word.starts_with(|c: char| c.is_ascii_alphanumeric());
        if word.len() > 20 || !plain {
            let rule = "up to 20 letters, digits, `_`, `-` and `+`";
            wrong("keywords", &format!(": the keyword `{word}` is not allowed: {rule}"));
        }
    }
    for dependency in about["dependencies"].as_array().into_iter().flatten() {
        let (need, own) = (dependency["name"].as_str().unwrap_or_default(), &dependency["path"]);
        if dependency["req"] == "*" && dependency["kind"] != "dev" && own.is_null() {
            findings.error(&manifest.file, format_args!("`{name}` asks for any version of `{need}`, `*`: say which"));
        }
    }
}

fn words<'a>(member: &'a Crate, key: &str) -> impl Iterator<Item = &'a str> {
    member.about[key].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Categories that crates.io does not have, which it refuses.
fn known_categories(workspace: &Workspace, findings: &mut Findings) {
    let published = workspace.crates.iter().filter(|member| member.published);
    let named = published.flat_map(|member| words(member, "categories").map(move |category| (member, category)));
    let named: Vec<(&Crate, &str)> = named.collect();
    if named.is_empty() {
        return;
    }
    let down = |error| findings.warning("", format_args!("categories are not checked: {error}"));
    let Ok(known) = categories().map_err(down) else { return };
    for (member, category) in named.into_iter().filter(|(_, category)| !known.contains(*category)) {
        let place = workspace.manifests[member.manifest].place("categories");
        findings.error(&place, format_args!("`{}`: there is no category `{category}`", member.name));
    }
}

/// Crates that need each other before they can be published: a dev-dependency with a version closes such a circle.
fn circles(workspace: &Workspace, to_come: &[&Crate], findings: &mut Findings) {
    let needs = |one: &Crate, other: &Crate| one.needs.iter().any(|need| workspace.crates[*need].name == other.name);
    let mut left = to_come.to_vec();
    loop {
        let inside = left.iter().copied().filter(|member| {
            left.iter().any(|other| needs(member, other)) && left.iter().any(|other| needs(other, member))
        });
        let inside: Vec<&Crate> = inside.collect();
        if inside.len() == left.len() {
            break;
        }
        left = inside;
    }
    if let Some(first) = left.first() {
        let names: Vec<&str> = left.iter().map(|member| member.name.as_str()).collect();
        let (place, names) = (&workspace.manifests[first.manifest].file, names.join(" "));
        let how = "leave the version out of the dev-dependency that closes it";
        findings.error(place, format_args!("in a circle: {names}; {how}"));
    }
}
