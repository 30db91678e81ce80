//! The tool's lines in files of the workspace around the current directory. Each function adds what is missing, and returns
//! what is left to the owner. Tables are appended; in one that exists, nothing is written but the member.

use std::collections::BTreeSet;

use semver::Version;
use serde_json::Value;
use toml_edit::Item;
use xshell::{Shell, cmd};

use super::files::Files;
use release_train::Result;
use release_train::rules::version::{TagForm, is_exact, release_of};
use release_train::rules::{manifest, notes};
use release_train::world::process::output_of;
use release_train::world::{git, items, text, workspace};

pub const CONFIG: &str = ".cargo/config.toml";
const MANIFEST: &str = "Cargo.toml";

/// The member `xtask`, unless cargo finds it in the list, by name or by a pattern.
pub fn member(sh: &Shell) -> Result<String> {
    let inside = sh.push_dir("xtask");
    let root = workspace::root(sh);
    drop(inside);
    // A missing member is an error; in a package without a workspace, it is its own root.
    if root.is_ok_and(|root| !root.ends_with("xtask")) {
        return Ok(String::new());
    }
    let text = sh.read_file(MANIFEST)?;
    let document = manifest::parse(MANIFEST, text.as_str())?;
    let workspace = document.get("workspace");
    let members = workspace.and_then(|workspace| workspace.get("members"));
    let add = "members = [\"xtask\"]";
    let text = match (workspace, members.and_then(Item::span)) {
        (None, _) => {
            let table = format!("[workspace]\n{add}\n");
            sh.write_file(MANIFEST, appended(&text, &table))?;
            let others = on_their_own(sh)?;
            match others.is_empty() {
                true => return Ok(String::new()),
                false => appended(&text, &format!("{table}exclude = {others:?}\n")),
            }
        }
        // As the first of the list: the last one may have a comma and a comment behind it.
        (_, Some(span)) => {
            let tail = text[span.start + 1..].trim_start();
            let head = &text[..text.len() - tail.len()];
            let space = Some(&head[span.start + 1..]).filter(|space| !space.is_empty());
            format!("{head}\"xtask\",{}{tail}", space.unwrap_or(" "))
        }
        _ => {
            let what = format!("add `{add}` to [workspace], then run `cargo update --workspace`");
            return Ok(format!("{MANIFEST}: {what}\n"));
        }
    };
    sh.write_file(MANIFEST, text)?;
    Ok(String::new())
}

/// The folders of packages that were on their own until now, and that a new workspace of the root package must exclude. Those
/// that it depends on by path become members.
fn on_their_own(sh: &Shell) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for file in output_of(cmd!(sh, "git ls-files -- **/Cargo.toml"))?.lines() {
        let folder = file.trim_end_matches("/Cargo.toml");
        let _folder = sh.push_dir(folder);
        let error = workspace::root(sh).err().map(|error| error.to_string());
        if error.is_some_and(|error| error.contains("believes it's in a workspace")) {
            found.push(folder.to_string());
        }
    }
    Ok(found)
}

/// An alias for each program that is carried.
pub fn aliases(sh: &Shell, files: &Files, locked: bool) -> Result<String> {
    let locked = if locked { " --locked" } else { "" };
    let text = match sh.path_exists(CONFIG) {
        true => sh.read_file(CONFIG)?,
        false => String::new(),
    };
    let mut missing = String::new();
    for program in ["xtask", "rehearse"] {
        let line =
            format!("{program} = \"run{locked} --quiet --package xtask --bin {program} --\"\n");
        let carried = files.contains_key(&format!("xtask/src/bin/{program}/main.rs"));
        if carried && !text.contains(line.trim_end()) {
            missing += &line;
        }
    }
    if !missing.is_empty() {
        if manifest::parse(CONFIG, text.as_str())?.contains_key("alias") {
            return Ok(format!("{CONFIG}: set in [alias]:\n{missing}"));
        }
        sh.write_file(CONFIG, appended(&text, &format!("[alias]\n{missing}")))?;
    }
    Ok(String::new())
}

/// `[workspace.metadata.release-train]` with what the workspace lets guess.
pub fn configuration(sh: &Shell, repository: &str) -> Result<String> {
    if !workspace::metadata(sh)?["metadata"]["release-train"].is_null() {
        return Ok(String::new());
    }
    let text = sh.read_file(MANIFEST)?;
    let note = "# Guessed by `cargo adopt`: check it. xtask/README.md explains every key.";
    let mut table = format!("{note}\n[workspace.metadata.release-train]\n");
    if let Err(error) = workspace::Workspace::load(sh) {
        let name = version_of(sh, repository)?.ok_or(error)?;
        table += &format!("version-of = {name:?}\n");
    }
    sh.write_file(MANIFEST, appended(&text, &table))?;
    let tags = output_of(cmd!(sh, "git tag --no-column"))?;
    table += &keys(&workspace::Workspace::load(sh)?, &tags);
    sh.write_file(MANIFEST, appended(&text, &table))?;
    let next = "check [workspace.metadata.release-train], then run `cargo rehearse`";
    Ok(format!("{MANIFEST}: {next}\n"))
}

/// `RELEASES.md`, with a section for the present version if that has no tag.
pub fn release_notes(sh: &Shell) -> Result<String> {
    let workspace = workspace::Workspace::load(sh)?;
    let version = release_of(&workspace.version);
    if sh.path_exists(notes::FILE) {
        let text = sh.read_file(notes::FILE)?;
        let error = notes::has(&text, &version).err();
        let notice = error.map(|error| format!("{}: {error}\n", notes::FILE));
        return Ok(notice.unwrap_or_default());
    }
    if git::has_tag(sh, &version)? {
        sh.write_file(notes::FILE, "")?;
        let next = "run `cargo xtask bump`, then `cargo xtask notes new` with the new version";
        return Ok(format!("{version} has a tag: {next}\n"));
    }
    sh.write_file(notes::FILE, workspace.new_section(&version)? + "\n")?;
    Ok(String::new())
}

/// The owner's workflows that run on tags or releases.
pub fn workflows(sh: &Shell, files: &Files) -> Result<String> {
    let mut notices = String::new();
    let all = ["yml", "yaml"].map(|end| format!(":(glob).github/workflows/*.{end}"));
    for file in output_of(cmd!(sh, "git ls-files -- {all...}"))?.lines() {
        if !files.contains_key(file) && runs_on_tags(&sh.read_file(file)?) {
            notices += &format!(
                "{file}: runs on tags or releases: see \"Workflows that run on tags\" in xtask/README.md\n"
            );
        }
    }
    Ok(notices)
}

/// Whether a workflow has an event of tags or releases, or runs on every push and asks for tags.
fn runs_on_tags(workflow: &str) -> bool {
    let plain = |line: &str| {
        line.split(" #")
            .next()
            .unwrap_or_default()
            .replace(['"', '\''], "")
    };
    let lines = workflow
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    let lines: Vec<String> = lines.map(plain).collect();
    let mut below = lines
        .iter()
        .skip_while(|line| !line.replace(' ', "").starts_with("on:"));
    let first = below.next().map_or("", String::as_str);
    let is_below = |line: &&String| line.is_empty() || line.starts_with([' ', '-']);
    let below: Vec<&String> = below
        .take_while(is_below)
        .filter(|it| !it.is_empty())
        .collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut events = vec![first];
    for line in &below {
        // The first one is an event, and those that are as deep.
        if depth(line) == depth(below[0]) {
            events.push(line);
        }
    }
    let has = |line: &&str| {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
        words.any(|word| matches!(word, "create" | "release"))
    };
    let on = below.iter().fold(first.to_string(), |on, line| on + line);
    let every_push = !on.contains("branches:") && workflow.contains("refs/tags/");
    events.iter().any(has) || on.contains("tags:") || every_push
}

/// A crate for `version-of`, where the published crates have several versions: the one with the repository's name, else the one
/// whose name begins most others', else one with the highest version. `None` if no crate is published.
fn version_of(sh: &Shell, repository: &str) -> Result<Option<String>> {
    let metadata = workspace::metadata(sh)?;
    let mut published = items(&metadata["packages"]).to_vec();
    published.retain(|package| package["publish"] != Value::Array(Vec::new()));
    let names: Vec<String> = published.iter().map(|it| text(&it["name"])).collect();
    let mut best = None;
    for (name, package) in names.iter().zip(&published) {
        let version = Version::parse(&text(&package["version"]))?;
        let others = names
            .iter()
            .filter(|other| other.starts_with(name.as_str()))
            .count();
        best = best.max(Some((name == repository, others, version, name.clone())));
    }
    Ok(best.map(|(_, _, _, name)| name))
}

/// `public`, `tag` and `release-candidates`, as far as the workspace and its tags show what they should be.
fn keys(workspace: &workspace::Workspace, tags: &str) -> String {
    let mut text = String::new();
    // Where some members are required as `=X.Y.Z`, and none of them also otherwise, the others are public.
    let mut required = [BTreeSet::new(), BTreeSet::new()];
    for (_, requirement, member, for_users) in workspace.requirements() {
        if for_users {
            required[usize::from(is_exact(requirement.text))].insert(&member.name);
        }
    }
    let [loose, pinned] = required;
    if !pinned.is_empty() && pinned.is_disjoint(&loose) {
        let mut public = Vec::new();
        for member in &workspace.crates {
            if member.published && !pinned.contains(&member.name) {
                public.push(&member.name);
            }
        }
        text += &format!("public = {public:#?}\n");
    }
    // The form of the newest tag that is not above the present version, and that can be configured; `v` if there are several.
    let mut newest = None;
    for tag in tags.lines() {
        let at = tag.find(|c: char| c.is_ascii_digit()).unwrap_or_default();
        let (form, version) = (
            tag[..at].to_string() + "{version}",
            Version::parse(&tag[at..]),
        );
        if let (Ok(version), Ok(_)) = (version, TagForm::parse(Some(&form)))
            && version <= workspace.version
        {
            newest = newest.max(Some((version, form == "v{version}", form)));
        }
    }
    if let Some((_, false, form)) = newest {
        text += &format!("tag = {form:?}\n");
    }
    let pre = &*workspace.version.pre;
    if pre == "dev" || pre.starts_with("rc.") {
        text += "release-candidates = true\n";
    }
    text
}

/// The text with a table at its end, below an empty line.
fn appended(text: &str, table: &str) -> String {
    let gap = match text {
        "" => "",
        _ if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{table}")
}
