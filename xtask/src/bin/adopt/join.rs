//! The tool's lines in files that belong to somebody else: the alias in `.cargo/config.toml`, the member in `Cargo.toml`.
//! Every other byte stays. It writes nothing.

use std::fs;
use std::ops::Range;
use std::path::Path;

use toml_edit::{Document, Item};

use super::files::WORKFLOWS;
use release_train::rules::notes::FILE as NOTES;
use release_train::{Result, rules::manifest};

pub const CONFIG: &str = ".cargo/config.toml";

/// What in cargo's configuration and in the root manifest stands in the way, each with what to do.
pub fn obstacles(root: &Path, adopted: bool) -> Vec<String> {
    let mut found = if adopted { Vec::new() } else { links(root) };
    if !adopted {
        let text = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
        found.extend(
            manifest::parse("Cargo.toml", text.as_str())
                .ok()
                .and_then(|document| closed(&document)),
        );
    }
    if root.join(".cargo/config").exists() {
        found.push(format!(".cargo/config: cargo reads it and not {CONFIG}, where the alias goes: rename it to that"));
    }
    let text = fs::read_to_string(root.join(CONFIG)).unwrap_or_default();
    let document = match manifest::parse(CONFIG, text.as_str()) {
        Ok(document) => document,
        Err(error) => return [found, vec![error.to_string()]].concat(),
    };
    let get = |table: &str, key: &str| document.get(table).and_then(|table| table.get(key));
    if get("alias", "xtask").is_some_and(|alias| !adopted && !is_ours(alias)) {
        found.push(format!(
            "{CONFIG}: there is an alias `xtask` of your own: rename it"
        ));
    }
    let open = |alias: &Item| alias.as_table().is_some_and(|table| !table.is_dotted());
    if document.get("alias").is_some_and(|alias| !open(alias)) && get("alias", "xtask").is_none() {
        let line = line(true);
        found
            .push(format!("{CONFIG}: `alias` is no table [alias], to which a line could be added: add `{line}` to it"));
    }
    for key in ["target", "target-dir"] {
        if get("build", key).is_some() {
            let why = "cargo would build the tool for it, and the workflows look for that in `target/debug`";
            found.push(format!(
                "{CONFIG}: `build.{key}`: {why}: say it on the command lines that need it"
            ));
        }
    }
    found
}

/// What is a link there, so that a file would be written elsewhere, maybe where git does not see it.
fn links(root: &Path) -> Vec<String> {
    let is_link = |path: &&str| {
        fs::symlink_metadata(root.join(path)).is_ok_and(|metadata| metadata.is_symlink())
    };
    let paths = ["Cargo.toml", ".cargo", CONFIG, ".github", WORKFLOWS]
        .into_iter()
        .filter(is_link);
    // Notes that are there, by whatever name, stay as they are.
    let notes = [NOTES]
        .into_iter()
        .filter(|notes| is_link(notes) && !root.join(notes).exists());
    paths
        .chain(notes)
        .map(|path| format!("{path}: a symbolic link: put what it leads to in its place"))
        .collect()
}

/// The table in a root manifest that cannot be gone on with further below, if there is one.
fn closed(document: &Document<&str>) -> Option<String> {
    let workspace = document.get("workspace")?;
    let metadata = workspace.get("metadata");
    let configured = metadata.is_some_and(|metadata| metadata.get("release-train").is_some());
    let lists = workspace.get("members").is_some();
    // Below dotted keys there is place for a table, but not for another key.
    let open = workspace
        .as_table()
        .map_or(lists && configured, |table| lists || !table.is_dotted());
    let name = match metadata {
        _ if !open => "workspace",
        Some(metadata) if !metadata.is_table() && !configured => "workspace.metadata",
        _ => return None,
    };
    Some(format!(
        "Cargo.toml: `{name}` is no table [{name}], to which lines could be added: make it one"
    ))
}

fn is_ours(alias: &Item) -> bool {
    [true, false].iter().any(|locked| {
        line(*locked).ends_with(&format!("\"{}\"", alias.as_str().unwrap_or_default()))
    })
}

fn line(locked: bool) -> String {
    let locked = if locked { " --locked" } else { "" };
    format!("xtask = \"run{locked} --quiet --package xtask --\"")
}

/// Cargo's configuration with the alias.
pub fn with_alias(text: &str, locked: bool) -> Result<String> {
    let document = manifest::parse(CONFIG, text)?;
    let why = "# Locked: cargo must not mend a lock file that an interrupted bump left behind before the xtask has seen it.";
    let lines = if locked {
        format!("{why}\n{}", line(locked))
    } else {
        line(locked)
    };
    Ok(match document.get("alias").and_then(Item::as_table) {
        _ if document
            .get("alias")
            .is_some_and(|alias| alias.get("xtask").is_some()) =>
        {
            text.to_string()
        }
        Some(alias) => below_header(text, alias.span(), &lines),
        None => append(text, &format!("[alias]\n{lines}")),
    })
}

/// The root manifest with the member; a package alone becomes the root of a workspace.
pub fn with_member(text: &str) -> Result<String> {
    let document = manifest::parse("Cargo.toml", text)?;
    let members = "members = [\"xtask\"]";
    let workspace = document.get("workspace");
    if let Some(array) = workspace
        .and_then(|workspace| workspace.get("members"))
        .and_then(Item::as_array)
    {
        let names: Vec<_> = array.iter().filter_map(|member| member.as_str()).collect();
        let there = names
            .iter()
            .any(|name| name.trim_start_matches("./").trim_end_matches('/') == "xtask");
        let span = array.span().ok_or("Cargo.toml: `members` is not found")?;
        let last = array.iter().last().and_then(|last| last.span());
        return Ok(if there {
            text.to_string()
        } else {
            with_last(text, span.start + 1..span.end - 1, last)
        });
    }
    Ok(
        match workspace
            .and_then(Item::as_table)
            .filter(|table| !table.is_implicit())
        {
            Some(table) => below_header(text, table.span(), members),
            // A table [workspace.package] alone may stand below.
            None => append(text, &format!("[workspace]\n{members}")),
        },
    )
}

/// A list of strings with `"xtask"` as its last. `inside` is what stands between the brackets, `last` what was the last.
fn with_last(text: &str, inside: Range<usize>, last: Option<Range<usize>>) -> String {
    let Some(last) = last else {
        return format!(
            "{}\"xtask\"{}",
            &text[..inside.start],
            &text[inside.start..]
        );
    };
    let line = text[..last.start].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[line..last.start];
    let rest = &text[last.end..inside.end];
    let comma = comma(rest);
    let below = comma.is_some_and(|comma| rest[..comma].contains('\n'));
    if !indent.trim().is_empty() || !rest.contains('\n') || below {
        let (at, before, behind) = comma.map_or((last.end, ", ", ""), |comma| {
            (last.end + comma + 1, " ", ",")
        });
        return format!("{}{before}\"xtask\"{behind}{}", &text[..at], &text[at..]);
    }
    // Each on a line of its own, maybe with a comment behind it.
    let end = last.end + rest.find('\n').unwrap_or(0);
    let (end, eol) = if text[..end].ends_with('\r') {
        (end - 1, "\r\n")
    } else {
        (end, "\n")
    };
    let missing = if comma.is_some() { "" } else { "," };
    let (head, behind, tail) = (&text[..last.end], &text[last.end..end], &text[end..]);
    format!("{head}{missing}{behind}{eol}{indent}\"xtask\",{tail}")
}

/// The place of the comma in what stands behind the last of a list, where comments may hold others.
fn comma(rest: &str) -> Option<usize> {
    let mut comment = false;
    rest.find(|c| {
        comment = c != '\n' && (comment || c == '#');
        c == ',' && !comment
    })
}

/// The text with lines right below the header of a table.
fn below_header(text: &str, table: Option<Range<usize>>, lines: &str) -> String {
    let start = table.map_or(0, |table| table.start);
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |length| start + length + 1);
    let (head, tail) = text.split_at(end);
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if head.ends_with('\n') { "" } else { eol };
    format!("{head}{gap}{}{eol}{tail}", lines.replace('\n', eol))
}

/// The text with a table at its end, below an empty line.
pub fn append(text: &str, table: &str) -> String {
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = match text.lines().next_back() {
        None => String::new(),
        Some(_) if !text.ends_with('\n') => eol.repeat(2),
        Some(last) if last.trim().is_empty() => String::new(),
        Some(_) => eol.to_string(),
    };
    format!("{text}{gap}{}{eol}", table.trim_end().replace('\n', eol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_members_gets_the_tool_as_its_last_in_the_list_s_own_style() {
        for (before, after) in [
            ("members = []", "members = [\"xtask\"]"),
            ("members = [\"a\"]", "members = [\"a\", \"xtask\"]"),
            ("members = [ \"a\", ]", "members = [ \"a\", \"xtask\", ]"),
            (
                "members = [\"a\",\n  \"b\"]",
                "members = [\"a\",\n  \"b\", \"xtask\"]",
            ),
            (
                "members = [\n\t\"a\",\n\t\"b\" # last\n]",
                "members = [\n\t\"a\",\n\t\"b\", # last\n\t\"xtask\",\n]",
            ),
            (
                "members = [\r\n  \"a\", # one\r\n  # no more\r\n]",
                "members = [\r\n  \"a\", # one\r\n  \"xtask\",\r\n  # no more\r\n]",
            ),
            (
                "members = [\n  \"a\" # x, y\n  ,\n]",
                "members = [\n  \"a\" # x, y\n  , \"xtask\",\n]",
            ),
            (
                "members = [\n  \"a\"\n, # x\n]",
                "members = [\n  \"a\"\n, \"xtask\", # x\n]",
            ),
            ("members = [\"./xtask/\"]", "members = [\"./xtask/\"]"),
            (
                "resolver = \"2\" # no members",
                "members = [\"xtask\"]\nresolver = \"2\" # no members",
            ),
        ] {
            let manifest = |lines: &str| format!("[workspace]\n{lines}\nexclude = [\"x\"]\n");
            assert_eq!(with_member(&manifest(before)).unwrap(), manifest(after));
        }
    }

    #[test]
    fn a_package_alone_becomes_the_root_of_a_workspace() {
        for (before, after) in [
            (
                "[package]\nname = \"a\"",
                "[package]\nname = \"a\"\n\n[workspace]\nmembers = [\"xtask\"]\n",
            ),
            (
                "[workspace.package]\nversion = \"1.0.0\"\n",
                "[workspace.package]\nversion = \"1.0.0\"\n\n[workspace]\nmembers = [\"xtask\"]\n",
            ),
            (
                "workspace = { members = [\"a\"] }\n",
                "workspace = { members = [\"a\", \"xtask\"] }\n",
            ),
            (
                "workspace.members = [\"a\"]\n",
                "workspace.members = [\"a\", \"xtask\"]\n",
            ),
        ] {
            assert_eq!(with_member(before).unwrap(), after);
        }
    }

    #[test]
    fn an_alias_joins_those_that_are_there() {
        for (before, after) in [
            ("", "[alias]\nxtask = \"run --quiet --package xtask --\"\n"),
            (
                "[alias]\nci = \"test\"",
                "[alias]\nxtask = \"run --quiet --package xtask --\"\nci = \"test\"",
            ),
            (
                "[env]\r\nA = \"b\"\r\n",
                "[env]\r\nA = \"b\"\r\n\r\n[alias]\r\nxtask = \"run --quiet --package xtask --\"\r\n",
            ),
            (
                "[net]\nretry = 2  \n\n\n",
                "[net]\nretry = 2  \n\n\n[alias]\nxtask = \"run --quiet --package xtask --\"\n",
            ),
            (
                "alias.xtask = \"run --quiet --package xtask --\"\n",
                "alias.xtask = \"run --quiet --package xtask --\"\n",
            ),
        ] {
            assert_eq!(with_alias(before, false).unwrap(), after);
        }
    }
}
