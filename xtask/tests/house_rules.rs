//! What holds for the source itself.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn only_outward_rs_changes_anything_beyond_this_machine() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let outward =
        ["push", "create", "edit", "upload", "delete", "publish", "yank", "owner", "dispatch", "merge", "close"];
    for path in sources(&source) {
        // The stand-in for gh changes a file of its own.
        if path.ends_with("outward.rs") || path.ends_with("rehearse/gh.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && !"-_.".contains(c)).collect();
            let tool = words.iter().position(|word| ["git", "gh", "cargo"].contains(word));
            let calls = line.contains("cmd!") || line.contains("gh(") || line.contains(".cmd(");
            let found = tool.is_some_and(|tool| words[tool..].iter().any(|word| outward.contains(word)));
            assert!(!(calls && found), "{}:{}: {line}", path.display(), at + 1);
        }
    }
}
