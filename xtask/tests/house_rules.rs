//! What holds for the source itself: who may import whom, what may act, and how large it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A source file, by its path below `src/`.
struct Source {
    name: String,
    text: String,
}

impl Source {
    /// The lines without comments, help texts and in-file tests.
    fn code(&self) -> Vec<&str> {
        let tests = "\n#[cfg(test)]\nmod ";
        let (mut code, mut in_help) = (Vec::new(), false);
        for line in self.text.split(tests).next().unwrap_or_default().lines() {
            let begins = line.contains("HELP: &str = \"\\");
            if !in_help && !begins && !line.trim_start().starts_with("//") {
                code.push(line);
            }
            in_help = (in_help || begins) && line != "\";";
        }
        code
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.name.starts_with(folder))
    }
}

fn sources() -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, found),
                false => found.push(path),
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let source = |path: PathBuf| Source {
        name: path.strip_prefix(&root).unwrap().display().to_string(),
        text: fs::read_to_string(&path).unwrap(),
    };
    files.into_iter().map(source).collect()
}

const ACTS: [&str; 4] = ["lib.rs", "rules/", "world/", "bin/xtask/"];

#[test]
fn only_outward_rs_changes_anything_beyond_this_machine() {
    let outward = [
        ("git", &["push"][..]),
        ("pr", &["create", "edit", "merge", "close"]),
        ("issue", &["create", "edit", "close"]),
        ("release", &["create", "edit", "upload", "delete"]),
        ("workflow", &["run"]),
        ("cargo", &["publish", "yank", "owner"]),
    ];
    for source in sources() {
        // process.rs holds the list of what may be started; the stand-ins of the rehearsal change files of their own.
        if source.is_in(&["bin/xtask/outward.rs", "world/process.rs", "bin/rehearse/"]) {
            continue;
        }
        for line in source.code() {
            let separates = |c: char| !c.is_alphanumeric() && !"-_.".contains(c);
            let words: Vec<&str> = line.split(separates).collect();
            for (tool, acts) in outward {
                // The tasks of xtask may be named anywhere.
                let named = |pair: &[&str]| pair[0] == tool && pair[1] != "xtask";
                let at = words.windows(2).position(named);
                let acts = at.is_some_and(|at| words[at..].iter().any(|word| acts.contains(word)));
                assert!(!acts, "{}: {line}", source.name);
            }
            let starts = [
                "collect(prepared",
                "start(&mut",
                "Command::new",
                "Command::from",
            ];
            let starts = starts.iter().any(|start| line.contains(start));
            assert!(!starts, "{}: {line}", source.name);
        }
    }
}

#[test]
fn no_import_runs_against_the_arrows() {
    for source in sources() {
        let forbidden: &[&str] = match source.name.split('/').next().unwrap() {
            "rules" => &[
                "crate::world",
                "std::process",
                "std::fs",
                "std::env",
                "xshell",
                "cmd!(",
                "ureq",
            ],
            "world" => &["release_train::"],
            "lib.rs" => &["use rules", "use world", "use crate"],
            _ => &[],
        };
        for line in source.code() {
            let found = forbidden.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}: {line}", source.name);
        }
    }
}

#[test]
fn nothing_that_acts_knows_the_rehearsal_or_adopt() {
    for source in sources().iter().filter(|source| source.is_in(&ACTS)) {
        for line in source.text.lines() {
            let line = line.to_lowercase().replace("adopter", "");
            assert!(
                !line.contains("rehears") && !line.contains("adopt"),
                "{}: {line}",
                source.name
            );
        }
    }
}

/// The modules that a file imports, as names of files: `crate::world::git` in the library is `world/git.rs`.
fn imports(source: &Source, known: &BTreeSet<String>) -> Vec<String> {
    let folder = match source.name.strip_prefix("bin/") {
        Some(rest) => format!("bin/{}/", rest.split('/').next().unwrap()),
        None => String::new(),
    };
    let mut text = String::new();
    for line in source.code() {
        text += line.trim();
        text += " ";
    }
    let mut found = Vec::new();
    for statement in text.split("use ").skip(1) {
        let statement = statement.split(';').next().unwrap().replace(' ', "");
        let paths = expand(&statement);
        for path in paths {
            let Some(path) = path
                .strip_prefix("crate::")
                .or_else(|| path.strip_prefix("super::"))
            else {
                continue;
            };
            let parts: Vec<&str> = path.split("::").collect();
            for length in (1..=parts.len()).rev() {
                let file = format!("{folder}{}.rs", parts[..length].join("/"));
                if known.contains(&file) {
                    found.push(file);
                    break;
                }
            }
        }
    }
    found
}

/// `a::{b, c::d}` as `a::b` and `a::c::d`.
fn expand(path: &str) -> Vec<String> {
    let Some((before, inside)) = path.split_once('{') else {
        return vec![path.to_string()];
    };
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in inside.chars() {
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                parts.last_mut().unwrap().push(c);
            }
        }
    }
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts
        .flat_map(|part| expand(&format!("{before}{part}")))
        .collect()
}

#[test]
fn no_imports_form_a_cycle() {
    let sources = sources();
    let known: BTreeSet<String> = sources.iter().map(|source| source.name.clone()).collect();
    let mut graph: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for source in &sources {
        graph.insert(&source.name, imports(source, &known));
    }
    assert!(
        graph["world/git.rs"].contains(&"world/worktree.rs".to_string()),
        "{graph:?}"
    );
    fn visit<'a>(name: &'a str, graph: &'a BTreeMap<&str, Vec<String>>, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&name), "{path:?} -> {name}");
        path.push(name);
        for next in &graph[name] {
            visit(next, graph, path);
        }
        path.pop();
    }
    for name in graph.keys() {
        visit(name, &graph, &mut Vec::new());
    }
}

/// The README tells how much code acts, rounded to hundreds: without blanks, comments, help texts and in-file tests.
#[test]
fn the_readme_tells_the_size_of_what_acts() {
    let mut count = 0;
    for source in sources().iter().filter(|source| source.is_in(&ACTS)) {
        let code = source.code();
        count += code.iter().filter(|line| !line.trim().is_empty()).count();
    }
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let Ok(readme) = fs::read_to_string(readme) else {
        return; // not in a clone of the project
    };
    let (thousands, hundreds) = (count / 1000, (count % 1000) / 100);
    let stated = format!("{thousands},{hundreds}00 lines");
    assert!(
        readme.contains(&stated),
        "{count} lines: README.md should say `{stated}`"
    );
}

/// Sentences outside of code blocks, each a list item, a cell of a table or a part of a paragraph.
fn sentences(text: &str) -> Vec<String> {
    let (mut sentences, mut is_code) = (vec![String::new()], false);
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        let words = line.trim_start();
        let item = words.trim_start_matches(|c: char| c.is_ascii_digit() || "*-.".contains(c));
        let begins = words.is_empty() || item.len() < words.len() && item.starts_with(' ');
        if is_code || begins || words.starts_with('|') {
            sentences.push(String::new());
        }
        for word in words.split_whitespace().filter(|_| !is_code) {
            let last = sentences.last_mut().unwrap();
            *last += &format!("{word} ");
            if word
                .trim_end_matches(['*', ')', '"'])
                .ends_with(['.', '?', '|'])
            {
                sentences.push(String::new());
            }
        }
    }
    sentences
}

#[test]
fn the_readme_is_short_and_no_sentence_is_long() {
    for (file, lines) in [("../README.md", 120), ("README.md", usize::MAX)] {
        let Ok(text) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)) else {
            continue; // the first is not carried by a workspace that adopts
        };
        assert!(
            text.lines().count() <= lines,
            "{file} has over {lines} lines"
        );
        for sentence in sentences(&text) {
            let words = sentence.split_whitespace().count();
            assert!(words <= 30, "{file}: {words} words: {sentence}");
        }
    }
}
