//! A workspace in a temporary folder that is gone when the test is over, and the real xtask run in it.

#![allow(dead_code)] // each test file uses its part

pub mod github;
pub mod publishing;
#[path = "../../src/bin/rehearse/registry.rs"]
pub mod registry;
#[path = "../../src/bin/rehearse/sha256.rs"]
pub mod sha256;
pub mod train;
pub mod workflows;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use expect_test::Expect;
use tempfile::TempDir;

pub struct Tree {
    folder: TempDir,
}

/// A folder that is gone after the test; in memory where there is such a place: the tests make tens of thousands of files,
/// and a disk's file system remembers each that was deleted.
pub fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    folder.unwrap()
}

/// A virtual root manifest with these members.
pub fn root(members: &str) -> String {
    let members: Vec<String> = members
        .split(' ')
        .map(|member| format!("{member:?}"))
        .collect();
    format!(
        "[workspace]\nresolver = \"2\"\nmembers = [{}]\n",
        members.join(", ")
    )
}

/// A manifest of a package without anything else.
pub fn package(name: &str, version: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n")
}

impl Tree {
    /// Writes the files, and an empty library beside each manifest of a package.
    pub fn new(files: &[(&str, &str)]) -> Tree {
        let tree = Tree {
            folder: temporary(),
        };
        for (file, text) in files {
            tree.write(file, text);
            if let Some(folder) = file
                .strip_suffix("Cargo.toml")
                .filter(|_| text.contains("[package]"))
            {
                tree.write(&format!("{folder}src/lib.rs"), "");
            }
        }
        tree
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Every file with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, files),
                    false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
                }
            }
        }
        let mut files = BTreeMap::new();
        walk(self.path(), &mut files);
        files
    }

    pub fn xtask(&self, arguments: &[&str]) -> Output {
        self.xtask_in("", arguments)
    }

    pub fn xtask_in(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(arguments)
            .current_dir(self.path().join(folder))
            .env("CARGO_NET_OFFLINE", "true");
        command.output().unwrap()
    }

    /// Runs a task that must succeed, and returns what it printed on stdout and on stderr.
    pub fn done(&self, arguments: &[&str]) -> (String, String) {
        let output = self.xtask(arguments);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        (stdout, stderr)
    }

    /// Runs a task that must fail with this error.
    pub fn refused(&self, arguments: &[&str], expected: Expect) {
        expected.assert_eq(&self.error(arguments));
    }

    /// Runs a task that must fail with exit code 1, one line on stderr, nothing on stdout and not a byte changed, and returns
    /// the line.
    pub fn error(&self, arguments: &[&str]) -> String {
        let before = self.files();
        let output = self.xtask(arguments);
        let stderr = text(&output.stderr).replace(
            &self.path().canonicalize().unwrap().display().to_string(),
            "$TREE",
        );
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert_eq!(text(&output.stdout), "");
        assert!(self.files() == before, "a file was changed");
        stderr.trim_end().to_string()
    }

    /// Runs cargo, which must succeed, and returns its stdout.
    pub fn cargo(&self, arguments: &[&str]) -> String {
        let output = Command::new("cargo")
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "cargo {arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
