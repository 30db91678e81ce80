//! The files in `.github/workflows`.

use std::fs;

/// The folder of this repository.
pub const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The paths of the workflows in this repository.
pub fn workflows() -> Vec<String> {
    let folder = ".github/workflows";
    let mut files = Vec::new();
    for entry in fs::read_dir(format!("{HERE}/{folder}")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        files.push(format!("{folder}/{name}"));
    }
    files.sort();
    files
}

pub fn read(file: &str) -> String {
    fs::read_to_string(format!("{HERE}/{file}")).unwrap()
}

/// The commit that the workflows pin an action to: the same everywhere.
pub fn pin(action: &str) -> String {
    let mut pins = Vec::new();
    for file in workflows() {
        for line in read(&file).lines() {
            if let Some((_, pin)) = line.split_once(&format!("uses: {action}@")) {
                pins.push(pin.split(' ').next().unwrap().to_string());
            }
        }
    }
    pins.dedup();
    assert_eq!(pins.len(), 1, "{action}: {pins:?}");
    pins.remove(0)
}
