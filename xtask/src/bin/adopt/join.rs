//! The tool's lines in files of the workspace around the current directory. Each function adds what is missing, and returns
//! what is left to the owner. Tables are appended; in one that exists, nothing is written but the member.

use std::collections::BTreeSet;

use semver::Version;
use serde_json::json;
use xshell::{Shell, cmd};

use super::files::{Files, Target};
use release_train::rules::version::{TagForm, is_exact, release_of};
use release_train::rules::{manifest, notes};
use release_train::world::git::{self, Remote};
use release_train::world::process::output_of;
use release_train::world::{items, text, workspace};
use release_train::{Context, Result, bail};

pub const CONFIG: &str = ".cargo/config.toml";
const MANIFEST: &str = "Cargo.toml";
const TABLE: &str = "[workspace.metadata.release-train]";

/// The tool as a member, unless cargo finds it in the list, by name or by a pattern.
pub fn member(sh: &Shell, tool: &str) -> Result<String> {
    let metadata = workspace::metadata(sh)?;
    let mut packages = items(&metadata["packages"]).iter();
    if packages.any(|package| text(&package["name"]) == tool) {
        return Ok(String::new());
    }
    let text = sh.read_file(MANIFEST)?;
    let document = manifest::parse(MANIFEST, text.as_str())?;
    let workspace = document.get("workspace");
    let members = workspace.and_then(|workspace| workspace.get("members"));
    let add = format!("members = [{tool:?}]");
    let text = match (workspace, members.and_then(|members| members.span())) {
        (None, _) => {
            let table = format!("[workspace]\n{add}\n");
            sh.write_file(MANIFEST, appended(&text, &table))?;
            let exclude = match on_their_own(sh)?.as_slice() {
                [] => String::new(),
                folders => format!("exclude = {folders:?}\n"),
            };
            appended(&text, &(table + &exclude))
        }
        // As the first of the list: the last one may have a comma and a comment behind it.
        (_, Some(span)) => {
            let tail = text[span.start + 1..].trim_start();
            let head = &text[..text.len() - tail.len()];
            let space = Some(&head[span.start + 1..]).filter(|space| !space.is_empty());
            format!("{head}{tool:?},{}{tail}", space.unwrap_or(" "))
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
        if workspace::root(sh).is_err_and(|it| it.to_string().contains("believes it's in")) {
            found.push(folder.to_string());
        }
    }
    Ok(found)
}

/// An alias for each program that is there. Fails if a tool that `is_new` would take the name of an alias of the owner's.
pub fn aliases(sh: &Shell, Target { tool, locked, .. }: &Target, is_new: bool) -> Result<String> {
    let locked = if *locked { " --locked" } else { "" };
    let text = text_of(sh, CONFIG)?;
    let mut missing = String::new();
    for program in [tool, "rehearse"] {
        let line = format!("{program} = \"run{locked} --package {tool} --bin {program} --\"\n");
        let exists = sh.path_exists(format!("{tool}/src/bin/{program}/main.rs"));
        if exists && !text.contains(line.trim_end()) {
            missing += &line;
        }
    }
    let document = manifest::parse(CONFIG, text.as_str())?;
    match document.get("alias") {
        _ if missing.is_empty() => return Ok(String::new()),
        Some(theirs) if is_new && missing.starts_with(&**tool) && theirs.get(tool).is_some() => {
            bail!("{CONFIG}: its alias `{tool}` is yours: pass `--name NAME` for another name")
        }
        Some(_) => return Ok(format!("{CONFIG}: set in [alias]:\n{missing}")),
        None => sh.write_file(CONFIG, appended(&text, &format!("[alias]\n{missing}")))?,
    }
    Ok(String::new())
}

/// `[workspace.metadata.release-train]`: on a release branch that of main, if main has one, else with what the workspace
/// lets guess.
pub fn configuration(sh: &Shell, target: &Target) -> Result<String> {
    if !workspace::metadata(sh)?["metadata"]["release-train"].is_null() {
        return Ok(String::new());
    }
    let text = sh.read_file(MANIFEST)?;
    if let Some(table) = table_of_main(sh, target) {
        sh.write_file(MANIFEST, appended(&text, &table))?;
        let from = format!("{TABLE} is that of origin/{}", target.main);
        workspace::Workspace::load(sh).context(format!("{from}: commit one that fits here"))?;
        return Ok(format!("{MANIFEST}: {from}\n"));
    }
    let manual = format!("{}/README.md explains every key.", target.tool);
    let mut table = format!("# Guessed by `cargo adopt`: check it. {manual}\n{TABLE}\n");
    if let Err(error) = workspace::Workspace::load(sh) {
        let name = version_of(sh, &target.name)?.ok_or(error)?;
        table += &format!("version-of = {name:?}\n");
    }
    sh.write_file(MANIFEST, appended(&text, &table))?;
    table += &keys(sh, &target.name, &workspace::Workspace::load(sh)?)?;
    sh.write_file(MANIFEST, appended(&text, &table))?;
    let rehearse = format!("{}/src/bin/rehearse", target.tool);
    let then = sh
        .path_exists(rehearse)
        .then_some(", then run `cargo rehearse`");
    Ok(format!("{MANIFEST}: check {TABLE}{}\n", then.unwrap_or("")))
}

/// On a release branch, the text of the table in origin's main, as this clone knows it, without the comments that follow it.
fn table_of_main(sh: &Shell, target: &Target) -> Option<String> {
    let main = target.on_release_branch.then_some(&target.main)?;
    let manifest = git::file_at(sh, &format!("refs/remotes/origin/{main}"), MANIFEST)?;
    let mut lines = manifest.lines().skip_while(|line| !line.starts_with(TABLE));
    let mut table = vec![lines.next()?];
    for line in lines {
        let is_other = line.starts_with('[') && !line.contains(TABLE.trim_matches(['[', ']']));
        // An array over several lines can have an array that begins a line.
        if is_other && manifest::parse(MANIFEST, table.join("\n")).is_ok() {
            break;
        }
        table.push(line);
    }
    let is_key = |line: &&str| !line.is_empty() && !line.starts_with('#');
    let end = table.iter().rposition(is_key)?;
    Some(table[..=end].join("\n") + "\n")
}

/// The packages whose version in a lock file is replaced, in lines. Those of the workspace have no source, and do not count.
pub fn replaced(before: &str, after: &str) -> String {
    let mut notices = String::new();
    for package in before.split("[[package]]") {
        if let Some((head, _)) = package.split_once("source = ")
            && let [start, name, _, version, ..] = Vec::from_iter(head.split('"'))[..]
            && !after.contains(head)
            && after.contains(&format!("{start}\"{name}\""))
        {
            let place = format!("Cargo.lock: {name} {version}");
            notices += &(place + " is replaced: the tool needs a newer one\n");
        }
    }
    notices
}

/// `RELEASES.md`, with a section for the present version if that has no tag.
pub fn release_notes(sh: &Shell, target: &Target) -> Result<String> {
    let workspace = workspace::Workspace::load(sh)?;
    let version = release_of(&workspace.version);
    let text = text_of(sh, notes::FILE)?;
    let released = workspace.released_as(&git::local_tags(sh)?, &text);
    if !sh.path_exists(notes::FILE) {
        let section = workspace.new_section(&version)? + "\n";
        sh.write_file(notes::FILE, released.as_ref().map_or(&*section, |_| ""))?;
    }
    let error = notes::has(&text, &version).err();
    let mut notices = error.map_or(String::new(), |it| format!("{}: {it}\n", notes::FILE));
    if let Some(released) = released.filter(|_| !target.on_release_branch) {
        let next = release_of(&workspace.config.next_train(&workspace.version)?);
        let cargo = format!("cargo {}", target.tool);
        let then = format!("run `{cargo} bump`, then `{cargo} notes new {next}`");
        notices += &format!("{version} {released}: {then}\n");
    }
    Ok(notices)
}

/// The owner's workflows that run on tags or releases, or make them.
pub fn workflows(sh: &Shell, files: &Files, tool: &str) -> Result<String> {
    let mut notices = String::new();
    let manual = format!("see \"Workflows that run on tags\" in {tool}/README.md");
    let all = cmd!(sh, "git ls-files -- :(glob).github/workflows/*.y*ml");
    for file in output_of(all)?.lines() {
        let text = sh.read_file(file).unwrap_or_default();
        let does = match files.contains_key(file) {
            false if runs_on_tags(&text) => "runs on tags or releases",
            false if text.lines().any(publishes) => "publishes or tags",
            _ => continue,
        };
        notices += &format!("{file}: {does}: {manual}\n");
    }
    Ok(notices)
}

/// Whether a line of a workflow runs release-plz, or cargo to publish or with cargo-release.
fn publishes(line: &str) -> bool {
    let (_, act) = line.split_once("cargo ").unwrap_or_default();
    let is_act = act.starts_with("publish") || act.starts_with("release");
    line.contains("release-plz") || is_act && !act.contains("--dry-run")
}

/// Whether a workflow has an event of tags or releases, or runs on every push and asks for tags.
fn runs_on_tags(workflow: &str) -> bool {
    let text = workflow.replace(['"', '\''], "");
    let mut lines = Vec::from_iter(
        text.lines()
            .map(|line| line.split(" #").next().unwrap_or("")),
    );
    lines.retain(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let is_on = |line: &&str| line.replace(' ', "").starts_with("on:");
    let mut lines = lines.into_iter().skip_while(|line| !is_on(line));
    let first = lines.next().unwrap_or_default();
    let mut below = Vec::from_iter(lines.take_while(|line| line.starts_with([' ', '-'])));
    let on = first.to_string() + &below.concat();
    // The first one below is an event, and those that are as deep.
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let depth = below.first().map(indent);
    below.retain(|line| Some(indent(line)) == depth);
    let events = format!("{first} {}", below.join(" "));
    let mut words = events.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c));
    let every_push = !on.contains("branches:") && workflow.contains("refs/tags/");
    on.contains("tags:") || every_push || words.any(|word| matches!(word, "create" | "release"))
}

/// A crate for `version-of`, where the published crates have several versions: the one with the repository's name, else the one
/// whose name begins most others', else one with the highest version. `None` if no crate is published.
fn version_of(sh: &Shell, repository: &str) -> Result<Option<String>> {
    let metadata = workspace::metadata(sh)?;
    let mut published = items(&metadata["packages"]).to_vec();
    published.retain(|package| package["publish"] != json!([]));
    let names: Vec<String> = published.iter().map(|it| text(&it["name"])).collect();
    let mut best = None;
    for (name, package) in names.iter().zip(&published) {
        let version = Version::parse(&text(&package["version"]))?;
        let begun = names.iter().filter(|other| other.starts_with(&**name));
        best = best.max(Some((name == repository, begun.count(), version, name)));
    }
    Ok(best.map(|(_, _, _, name)| name.clone()))
}

/// The other keys, as far as the workspace, its tags and its release branches show what they should be.
fn keys(sh: &Shell, repository: &String, workspace: &workspace::Workspace) -> Result<String> {
    let mut text = String::new();
    // Where some members are required as `=X.Y.Z`, and none of them also otherwise, the others are public. The crate with the
    // repository's name and that of `version-of` are for users: where they are pinned, pins show nothing.
    let mut required = [BTreeSet::from([repository]), BTreeSet::new()];
    required[0].extend(&workspace.config.version_of);
    for (_, requirement, member, for_users) in workspace.requirements() {
        if for_users {
            required[usize::from(is_exact(requirement.text))].insert(&member.name);
        }
    }
    let [loose, pinned] = required;
    if !pinned.is_empty() && pinned.is_disjoint(&loose) {
        let names = workspace.published().map(|member| &member.name);
        let public: Vec<_> = names.filter(|name| !pinned.contains(name)).collect();
        text += &format!("public = {public:#?}\n");
    }
    // The form of the newest tag that is not above the present version, and that can be configured. If there are several, `v`,
    // else that with the name of a member.
    let mut newest = None;
    for tag in &git::local_tags(sh)? {
        let mut digits = tag.match_indices(|c: char| c.is_ascii_digit());
        let found = digits.find_map(|(at, _)| Some((at, Version::parse(&tag[at..]).ok()?)));
        let Some((at, version)) = found else { continue };
        let name = tag[..at].trim_end_matches("-v").trim_end_matches('-');
        let is_member = workspace.crates.iter().any(|it| it.name == name);
        let form = tag[..at].to_string() + "{version}";
        if version <= workspace.version && TagForm::parse(Some(&form)).is_ok() {
            newest = newest.max(Some((version, form == "v{version}", is_member, form)));
        }
    }
    if let Some((_, false, _, form)) = &newest {
        text += &format!("tag = {form:?}\n");
    }
    let pre = &*workspace.version.pre;
    if pre == "dev" || pre.starts_with("rc.") {
        text += "release-candidates = true\n";
    }
    let form = newest.map(|(.., form)| form);
    Ok(text + &support(trains(sh, TagForm::parse(form.as_deref())?)?))
}

/// The number of each train that has a branch in this clone's `origin` and a patch, and the days from its first release to
/// its last patch.
fn trains(sh: &Shell, form: TagForm) -> Result<Vec<(u64, u64)>> {
    let known = Remote::known(sh, form)?;
    let mut trains = Vec::new();
    for version in known.release_branches().keys() {
        let mut releases = known.line(version);
        releases.retain(|(version, _)| version.pre.is_empty());
        if let [(_, first), .., (_, last)] = releases[..] {
            let time = git::commit_date(sh, last)? - git::commit_date(sh, first)?;
            let numbers = [version.major, version.minor, version.patch];
            let number = numbers.into_iter().find(|number| *number > 0);
            trains.push((number.unwrap_or_default(), time.whole_days().unsigned_abs()));
        }
    }
    Ok(trains)
}

/// `support-months` and `lts-every`, if the trains show them. Those that were patched more than five times as long as the one
/// in the middle had long-term support, if a number divides theirs. Of the others, three in four stay within `support-months`:
/// now and then, one gets a late patch.
fn support(mut trains: Vec<(u64, u64)>) -> String {
    trains.sort_by_key(|(_, days)| *days);
    let middle = trains.get(trains.len() / 2).map_or(0, |(_, days)| *days);
    let usual = trains.partition_point(|(_, days)| *days <= 5 * middle.max(1));
    let (usual, long) = trains.split_at(usual);
    if usual.len() < 3 {
        return String::new();
    }
    let (_, days) = usual[(usual.len() * 3).div_ceil(4) - 1];
    let mut text = format!("support-months = {}\n", days.div_ceil(31).max(1));
    if let [(one, _), _, ..] = long {
        let divides = |every: &u64| long.iter().all(|(number, _)| number.is_multiple_of(*every));
        let every = (2..=*one).rev().find(divides);
        text += &every.map_or(String::new(), |every| format!("lts-every = {every}\n"));
    }
    text
}

/// The text of a file; empty if it does not exist.
fn text_of(sh: &Shell, path: &str) -> Result<String> {
    let text = sh.path_exists(path).then(|| sh.read_file(path));
    Ok(text.transpose()?.unwrap_or_default())
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
