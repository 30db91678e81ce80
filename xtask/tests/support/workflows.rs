//! The files in `.github/workflows`.

use std::fs;
use std::path::PathBuf;

/// The folder of this repository.
pub const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The files that are held to account here.
pub fn workflows() -> Vec<PathBuf> {
    let files = fs::read_dir(format!("{HERE}/.github/workflows")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The commit that the workflows pin an action to: one and the same everywhere.
pub fn pin(action: &str) -> String {
    let mut pins: Vec<String> = Vec::new();
    for file in workflows() {
        let text = fs::read_to_string(file).unwrap();
        let uses = text
            .lines()
            .filter_map(|line| line.split_once(&format!("uses: {action}@")));
        pins.extend(uses.map(|(_, pin)| pin.split(' ').next().unwrap().to_string()));
    }
    pins.sort();
    pins.dedup();
    assert_eq!(pins.len(), 1, "{action}: {pins:?}");
    pins.remove(0)
}
