//! What holds for the source itself.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                sources(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn only_outward_rs_changes_anything_beyond_this_machine() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let outward = [
        ("git", &["push"][..]),
        ("pr", &["create", "edit", "merge", "close"]),
        ("issue", &["create", "edit", "close"]),
        ("release", &["create", "edit", "upload", "delete"]),
        ("workflow", &["run"]),
        ("cargo", &["publish", "yank", "owner"]),
    ];
    for path in sources(&source) {
        // The stand-ins for gh and for the registry change files of their own.
        if path.ends_with("outward.rs")
            || path.components().any(|part| part.as_os_str() == "rehearse")
        {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            let words: Vec<&str> = line
                .split(|c: char| !c.is_alphanumeric() && !"-_.".contains(c))
                .collect();
            for (tool, acts) in outward {
                // Our own tasks may be named anywhere.
                let said = words
                    .windows(2)
                    .position(|pair| pair[0] == tool && pair[1] != "xtask");
                let acts =
                    said.is_some_and(|at| words[at..].iter().any(|word| acts.contains(word)));
                assert!(!acts, "{}:{}: {line}", path.display(), at + 1);
            }
        }
    }
}
