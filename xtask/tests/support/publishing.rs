//! A workspace, a registry of its own that cargo takes for crates.io, and a home for cargo, all gone after the test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// A registry in which requests meet a fault: by method, path, and how many requests of the method came before.
pub fn faults(
    fault: impl Fn(&str, &str, usize) -> Option<Failure> + Send + Sync + 'static,
) -> Rules {
    let fault: Option<Fault> = Some(Box::new(fault));
    Rules {
        fault,
        ..Rules::default()
    }
}

/// A registry in which uploads meet a fault, counted from 0.
pub fn uploads(failure: impl Fn(usize) -> Option<Failure> + Send + Sync + 'static) -> Rules {
    faults(move |_, path, count| {
        let upload = path.contains("/crates/new");
        upload.then(|| failure(count)).flatten()
    })
}

/// A registry in which requests for one path meet a fault, counted from 0.
pub fn requests(
    path: &'static str,
    failure: impl Fn(usize) -> Option<Failure> + Send + Sync + 'static,
) -> Rules {
    let count = AtomicUsize::new(0);
    faults(move |_, asked, _| {
        (asked == path).then(|| failure(count.fetch_add(1, Ordering::Relaxed)))?
    })
}

pub fn status(status: u16, text: &str) -> Option<Failure> {
    Some(Failure::Refused(status, text.to_string()))
}

impl Publishing {
    /// `crates` are written `name`, or `name: dependency ...`, all at 1.0.0.
    pub fn new(crates: &[&str], rules: Rules) -> Publishing {
        let publishing = Publishing::with::<&str>(&[], rules);
        let mut members = Vec::new();
        for line in crates {
            let (name, needs) = line.split_once(": ").unwrap_or((line, ""));
            let mut rest = "[dependencies]\n".to_string();
            for need in needs.split_whitespace() {
                rest += &format!("{need} = {{ path = \"../{need}\", version = \"1.0.0\" }}\n");
            }
            publishing.member(name, "1.0.0", &rest);
            members.push(name);
        }
        publishing
            .tree
            .write("Cargo.toml", &root(&members.join(" ")));
        publishing
    }

    pub fn with<T: AsRef<str>>(files: &[(&str, T)], rules: Rules) -> Publishing {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(file, text)| (*file, text.as_ref()))
            .collect();
        let home = temporary();
        Publishing {
            registry: registry(home.path(), rules),
            tree: Tree::new(&files),
            home,
            env: Vec::new(),
        }
    }

    /// The same workspace and crates, with a registry that behaves otherwise.
    pub fn again(mut self, rules: Rules) -> Publishing {
        self.registry = registry(self.home.path(), rules);
        self
    }

    /// Writes the manifest of a member, and an empty library beside it.
    pub fn member(&self, name: &str, version: &str, rest: &str) {
        self.tree
            .write(&format!("{name}/Cargo.toml"), &package(name, version, rest));
        self.tree.write(&format!("{name}/src/lib.rs"), "");
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
            .env("CARGO_REGISTRY_DEFAULT", "rehearsal")
            .env("CARGO_REGISTRIES_REHEARSAL_INDEX", self.registry.index());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs git in the tree.
    pub fn git(&self, line: &str) -> String {
        let mut git = Command::new("git");
        let git = git.args(line.split(' ')).current_dir(self.tree.path());
        let output = git.output().unwrap();
        assert!(
            output.status.success(),
            "git {line}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Commits what is in the tree, and tags it at origin with each version that it names.
    pub fn tag(&self) {
        let git = |line: &str| self.git(line);
        let origin = self.home.path().join("origin.git");
        let origin = origin.display();
        if !self.tree.path().join(".git").exists() {
            git(&format!("init -q --bare -b main {origin}"));
            git("init -q -b main");
            git(&format!("remote add origin {origin}"));
            self.tree.write(".git/info/exclude", "target\nCargo.lock\n");
        }
        git("add --all");
        if git("status --porcelain").is_empty() && !git("ls-remote origin").is_empty() {
            return;
        }
        git("-c user.name=t -c user.email=t@example.com commit -q --allow-empty -m Change");
        let mut refs = vec!["HEAD:refs/heads/main".to_string()];
        for file in git("ls-files -- *Cargo.toml").lines() {
            for line in self.tree.read(file).lines() {
                let version = line.strip_prefix("version = \"");
                let version = version.and_then(|version| version.strip_suffix('"'));
                refs.extend(version.map(|version| format!("HEAD:refs/tags/v{version}")));
            }
        }
        refs.sort();
        refs.dedup();
        git(&format!("push -q --force origin {}", refs.join(" ")));
    }

    /// Runs `publish` at the tag of what is in the tree. The token is never in what it says.
    pub fn publish(&self, options: &str) -> Output {
        let output = self.xtask(options).output().unwrap();
        assert!(!text(&output.stderr).contains("secret-token"));
        output
    }

    pub fn xtask(&self, options: &str) -> Command {
        self.tag();
        self.command(env!("CARGO_BIN_EXE_xtask"), &format!("publish {options}"))
    }

    pub fn done(&self, options: &str) -> String {
        let output = self.publish(options);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    }

    /// What it says when it fails, the line of the error last, with placeholders for what differs from run to run.
    pub fn refused(&self, options: &str) -> String {
        let output = self.publish(options);
        let index = self.registry.index().replace("sparse+", "");
        let said = text(&output.stderr)
            .replace(&self.tree.path().display().to_string(), "$TREE")
            .replace(&index, "$INDEX/");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(last(&said).starts_with("error: "), "{said}");
        said
    }

    /// The line of the error alone.
    pub fn error(&self, options: &str) -> String {
        last(&self.refused(options)).to_string()
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

    /// A file of the registry's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("registry").join(name)
    }

    /// Publishes as someone who does not have this tool.
    pub fn publish_by_hand(&self, options: &str) {
        let line =
            format!("publish --quiet --no-verify --allow-dirty --registry rehearsal {options}");
        let output = self.command("cargo", &line).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
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

fn registry(home: &Path, rules: Rules) -> Registry {
    let registry = Registry::start(home.join("registry"), rules).unwrap();
    std::fs::write(home.join("config.toml"), registry.configuration()).unwrap();
    registry
}

pub fn last(said: &str) -> &str {
    said.lines().last().unwrap_or_default()
}
