//! A workspace, a registry of its own that cargo takes for crates.io, and a home for cargo, all gone after the test.

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

pub use super::registry::{Failure, Fault, Registry, Rules};
use super::{Tree, root, temporary, text, train::toolchain};

pub struct Publishing {
    pub tree: Tree,
    pub registry: Registry,
    home: TempDir,
    /// Further variables of the environment of the tool.
    pub env: Vec<(String, String)>,
}

/// A manifest of a package that a registry takes, with the rest of its text.
pub fn package(name: &str, version: &str, rest: &str) -> String {
    super::package(name, version) + "license = \"MIT\"\ndescription = \"For a test.\"\n" + rest
}

/// A fault that meets the uploads, counted from 0.
pub fn uploads(failure: impl Fn(usize) -> Option<Failure> + Send + Sync + 'static) -> Rules {
    let fault: Fault = Box::new(move |_, path, count| {
        path.contains("/crates/new")
            .then(|| failure(count))
            .flatten()
    });
    Rules {
        fault: Some(fault),
        ..Rules::default()
    }
}

impl Publishing {
    /// `crates` are written `name`, or `name: dependency ...`, all at 1.0.0.
    pub fn new(crates: &[&str], rules: Rules) -> Publishing {
        let parts = |line: &&str| {
            let (name, needs) = line.split_once(": ").unwrap_or((line, ""));
            let needs = needs
                .split_whitespace()
                .map(|need| format!("{need} = {{ path = \"../{need}\", version = \"1.0.0\" }}\n"));
            (
                name.to_string(),
                format!("[dependencies]\n{}", needs.collect::<String>()),
            )
        };
        let crates: Vec<(String, String)> = crates.iter().map(parts).collect();
        let members: Vec<&str> = crates.iter().map(|(name, _)| name.as_str()).collect();
        let manifests: Vec<String> = members
            .iter()
            .map(|name| format!("{name}/Cargo.toml"))
            .collect();
        let mut files = vec![("Cargo.toml", root(&members.join(" ")))];
        let packages = crates
            .iter()
            .map(|(name, rest)| package(name, "1.0.0", rest));
        files.extend(manifests.iter().map(String::as_str).zip(packages));
        Publishing::with(&files, rules)
    }

    pub fn with<T: AsRef<str>>(files: &[(&str, T)], rules: Rules) -> Publishing {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(file, text)| (*file, text.as_ref()))
            .collect();
        let home = temporary();
        let registry = Registry::start(home.path().join("registry"), rules).unwrap();
        std::fs::write(home.path().join("config.toml"), registry.configuration()).unwrap();
        Publishing {
            tree: Tree::new(&files),
            registry,
            home,
            env: Vec::new(),
        }
    }

    /// The same workspace and crates, with a registry that behaves otherwise.
    pub fn again(mut self, rules: Rules) -> Publishing {
        self.registry = Registry::start(self.home.path().join("registry"), rules).unwrap();
        std::fs::write(
            self.home.path().join("config.toml"),
            self.registry.configuration(),
        )
        .unwrap();
        self
    }

    pub fn folder(&self) -> PathBuf {
        self.home.path().to_path_buf()
    }

    pub fn command(&self, program: &str, line: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(line.split_whitespace())
            .current_dir(self.tree.path());
        command.env(
            "PATH",
            format!("{}:{}", toolchain(), std::env::var("PATH").unwrap()),
        );
        command
            .env("CARGO_HOME", self.home.path())
            .env("CARGO_REGISTRIES_REHEARSAL_TOKEN", "secret-token");
        command
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("GITHUB_STEP_SUMMARY");
        command
            .env("CARGO_REGISTRY_DEFAULT", "rehearsal")
            .env("CARGO_REGISTRIES_REHEARSAL_INDEX", self.registry.index());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs `publish` in the tree, which has no tags. The token is never in what it says.
    pub fn publish(&self, options: &str) -> Output {
        let output = self.xtask(options).output().unwrap();
        assert!(!text(&output.stderr).contains("secret-token"));
        output
    }

    pub fn xtask(&self, options: &str) -> Command {
        self.command(
            env!("CARGO_BIN_EXE_xtask"),
            &format!("publish --allow-untagged {options}"),
        )
    }

    pub fn done(&self, options: &str) -> String {
        let output = self.publish(options);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    /// What it says when it fails, the line of the error last.
    pub fn refused(&self, options: &str) -> String {
        let output = self.publish(options);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.lines().last().unwrap().starts_with("error: "),
            "{said}"
        );
        said
    }

    /// What the registry holds, as `name version`, sorted.
    pub fn published(&self) -> Vec<String> {
        let crates = std::fs::read_dir(self.home.path().join("registry/crates"))
            .into_iter()
            .flatten();
        let names = crates.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let published = |name: String| {
            let (name, version) = name.strip_suffix(".crate")?.rsplit_once('-')?;
            Some(format!("{name} {version}"))
        };
        let mut found: Vec<String> = names.filter_map(published).collect();
        found.sort();
        found
    }

    /// How many uploads the registry was sent.
    pub fn uploads(&self) -> usize {
        self.registry
            .log()
            .iter()
            .filter(|line| line.contains("/crates/new "))
            .count()
    }

    /// Builds a crate outside the workspace that depends on these, from the registry.
    pub fn consumer_builds(&self, dependencies: &str) {
        let manifest =
            super::package("consumer", "0.0.0") + "[workspace]\n[dependencies]\n" + dependencies;
        let consumer = Tree::new(&[("Cargo.toml", &manifest)]);
        let output = self
            .command("cargo", "check --quiet")
            .current_dir(consumer.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}
