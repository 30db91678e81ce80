//! A world for the train: a bare `origin`, a maintainer's clone of it, `gh` as this binary's stand-in, and what GitHub and
//! humans do there. All in a temporary folder, with a home of its own.

#![allow(dead_code)] // each test file uses its part

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::publishing::package;
use super::registry::{Registry, Rules};
use super::{root, temporary, text};

pub struct World {
    folder: TempDir,
    /// Further variables of the environment of every process.
    pub env: Vec<(String, String)>,
}

/// The folder of cargo itself: through rustup's proxy, each of its many calls takes longer.
pub fn toolchain() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let output = Command::new("rustc")
            .args(["--print", "sysroot"])
            .output()
            .unwrap();
        format!("{}/bin", text(&output.stdout).trim())
    })
}

/// The user's PATH, with the folder of git first: a search through many folders for each of the many calls takes time, too.
fn path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let git = World::real("git");
        format!(
            "{}:{}",
            git.trim_end_matches("/git"),
            std::env::var("PATH").unwrap()
        )
    })
}

/// How a pull request is merged.
#[derive(Clone, Copy, Debug)]
pub enum Merge {
    Commit,
    /// With the pull request's title and body, GitHub's default for several commits.
    Squash,
    /// With the title alone.
    SquashTitle,
    Rebase,
}

impl World {
    /// `a` and `b` at 12.0.0, `b` asks for `a`; with a lock file and notes, on main.
    pub fn new() -> World {
        World::with(
            "name = \"Demo\"\n",
            "12.0.0",
            "## 12.0.0\n\nUnreleased.\n\n### Added\n\n* A thing.\n",
        )
    }

    pub fn with(config: &str, version: &str, notes: &str) -> World {
        let folder = temporary();
        let world = World {
            folder,
            env: Vec::new(),
        };
        for folder in ["bin", "gh", "home", "real", "template", "tmp"] {
            fs::create_dir(world.path(folder)).unwrap();
        }
        for name in ["bin/gh", "real/gh"] {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rehearse"), world.path(name)).unwrap();
        }
        world.git("", &["init", "-q", "--bare", "-b", "main", "origin.git"]);
        // None lives long enough to be tidied up, which git looks for after each push.
        world.git("origin.git", &["config", "receive.autogc", "false"]);
        world.git("", &["clone", "-q", "origin.git", "github"]);
        let dependency =
            format!("[dependencies]\na = {{ path = \"../a\", version = \"={version}\" }}\n");
        let manifest = root("a b") + "[workspace.metadata.release-train]\n" + config;
        for (file, text) in [
            ("Cargo.toml", manifest),
            ("a/Cargo.toml", package("a", version, "")),
            ("b/Cargo.toml", package("b", version, &dependency)),
            ("RELEASES.md", notes.to_string()),
            ("a/src/lib.rs", String::new()),
            ("b/src/lib.rs", String::new()),
            (".gitignore", "/target\n".to_string()),
        ] {
            let path = world.path("github").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        world.run("github", "cargo", &["generate-lockfile", "--offline"]);
        world.git("github", &["checkout", "-q", "-b", "main"]);
        world.commit("main", "Begin", &[]);
        world.git("", &["clone", "-q", "origin.git", "clone"]);
        world
    }

    /// Another world in the same state.
    pub fn copy(&self) -> World {
        let copy = World {
            folder: temporary(),
            env: self.env.clone(),
        };
        self.run("", "cp", &["-a", ".", &copy.path("").display().to_string()]);
        for clone in ["clone", "github"] {
            let origin = copy.path("origin.git").display().to_string();
            copy.git(clone, &["remote", "set-url", "origin", &origin]);
        }
        copy
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A program, not yet started, in a folder of the world and with its environment.
    pub fn command(&self, folder: &str, program: &str) -> Command {
        let home = std::env::home_dir().unwrap();
        let or =
            |name: &str, default: &str| std::env::var_os(name).unwrap_or(home.join(default).into());
        let mut command = Command::new(program);
        command.current_dir(self.path(folder)).env_clear();
        command.env(
            "PATH",
            format!("{}:{}:{}", self.path("bin").display(), toolchain(), path()),
        );
        command
            .env("HOME", self.path("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        command
            .env("CARGO_HOME", or("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", or("RUSTUP_HOME", ".rustup"));
        command
            .env("CARGO_NET_OFFLINE", "true")
            .env("GH_CONFIG_DIR", self.path("gh"))
            .env("GH_REPO", "rehearsal/rehearsal");
        command.env("TMPDIR", self.path("tmp"));
        // A repository without git's sample hooks is a third of the files.
        command.env("GIT_TEMPLATE_DIR", self.path("template"));
        for role in ["AUTHOR", "COMMITTER"] {
            // One moment for all commits: the same commit made again is the same object.
            command
                .env(format!("GIT_{role}_NAME"), "Demo")
                .env(format!("GIT_{role}_EMAIL"), "demo@example.com");
            command.env(format!("GIT_{role}_DATE"), "2026-03-01T00:00:00Z");
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn run(&self, folder: &str, program: &str, arguments: &[&str]) -> String {
        let output = self
            .command(folder, program)
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    /// Runs git, in a folder of the world.
    pub fn git(&self, folder: &str, arguments: &[&str]) -> String {
        self.run(folder, "git", arguments)
    }

    // What the tool does.

    /// The xtask, not yet started.
    pub fn xtask(&self, folder: &str, line: &str) -> Command {
        let mut command = self.command(folder, env!("CARGO_BIN_EXE_xtask"));
        command.args(line.split_whitespace());
        command
    }

    /// Runs a task in the maintainer's clone, and holds that their checkout, index, branches and tags stay what they
    /// were and that no worktree is left.
    pub fn task(&self, line: &str) -> Output {
        let theirs = || {
            // The former has the objects of the index, too.
            [
                "status --porcelain=v2 --branch",
                "for-each-ref refs/heads refs/tags refs/stash",
            ]
            .map(|line| self.git("clone", &line.split(' ').collect::<Vec<_>>()))
        };
        let before = theirs();
        let output = self.xtask("clone", line).output().unwrap();
        let same = theirs().iter().zip(&before).all(|(now, before)| {
            let bare = |text: &str| {
                text.lines()
                    .filter(|line| !line.contains("branch.ab"))
                    .map(str::to_string)
                    .collect::<Vec<_>>()
            };
            bare(now) == bare(before)
        });
        assert_eq!(
            self.git("clone", &["worktree", "list"]).lines().count(),
            1,
            "{line} left a worktree"
        );
        assert_eq!(
            fs::read_dir(self.path("tmp")).unwrap().count(),
            0,
            "{line} left a temporary folder"
        );
        assert!(
            same,
            "{line} changed what is the maintainer's:\n{before:#?}\n{:#?}",
            theirs()
        );
        output
    }

    /// Runs a task that must succeed, and returns what it said.
    pub fn done(&self, line: &str) -> String {
        let output = self.task(line);
        let said = text(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        said
    }

    /// Runs a task that must fail with one line at the end, and without changing anything; returns that line.
    pub fn refused(&self, line: &str) -> String {
        let before = self.state();
        let output = self.task(line);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert_eq!(self.state(), before, "{line} changed something");
        let last = said.lines().last().unwrap().to_string();
        assert!(
            last.starts_with("error: ")
                && said
                    .lines()
                    .filter(|line| line.starts_with("error: "))
                    .count()
                    == 1,
            "{said}"
        );
        last
    }

    /// A registry that cargo takes for crates.io from now on.
    pub fn registry(&mut self, rules: Rules) -> Registry {
        let home = self.path("cargo");
        let _ = fs::create_dir(&home);
        let registry = Registry::start(self.path("registry"), rules).unwrap();
        fs::write(home.join("config.toml"), registry.configuration()).unwrap();
        for (name, value) in [
            ("CARGO_HOME", home.display().to_string()),
            ("CARGO_NET_OFFLINE", "false".to_string()),
            (
                "CARGO_REGISTRIES_REHEARSAL_TOKEN",
                "secret-token".to_string(),
            ),
            ("CARGO_REGISTRY_DEFAULT", "rehearsal".to_string()),
            ("CARGO_REGISTRIES_REHEARSAL_INDEX", registry.index()),
        ] {
            self.env.push((name.to_string(), value));
        }
        registry
    }

    /// Checks a commit or tag of `origin` out in the maintainer's clone.
    pub fn check_out(&self, name: &str) {
        self.git(
            "clone",
            &[
                "fetch",
                "-q",
                "origin",
                "refs/tags/*:refs/tags/*",
                "refs/heads/*:refs/remotes/origin/*",
            ],
        );
        self.git("clone", &["checkout", "-q", "--detach", name]);
    }

    // What is there.

    /// The refs of `origin`, tags peeled.
    pub fn refs(&self) -> BTreeMap<String, String> {
        let listing = self.git("", &["ls-remote", "origin.git", "refs/*"]);
        let refs = listing.lines().filter_map(|line| line.split_once('\t'));
        refs.map(|(commit, name)| (name.trim_end_matches("^{}").to_string(), commit.to_string()))
            .collect()
    }

    /// The file of a branch or tag of `origin`.
    pub fn file(&self, name: &str, file: &str) -> String {
        self.git("origin.git", &["show", &format!("{name}:{file}")]) + "\n"
    }

    pub fn stand_in(&self) -> Value {
        let text = fs::read_to_string(self.path("gh/stand-in.json"));
        text.map_or_else(
            |_| json!({ "pulls": [], "issues": [], "runs": [] }),
            |text| serde_json::from_str(&text).unwrap(),
        )
    }

    pub fn set_stand_in(&self, change: impl Fn(&mut Value)) {
        let mut state = self.stand_in();
        change(&mut state);
        fs::write(self.path("gh/stand-in.json"), state.to_string()).unwrap();
    }

    /// The day on which pull requests are opened.
    pub fn today(&self, date: &str) {
        self.set_stand_in(|state| state["today"] = json!(date));
    }

    /// Each pull request as `STATE head -> base: title`.
    pub fn pulls(&self) -> Vec<String> {
        let pull = |pull: &Value| {
            let text = |field: &str| pull[field].as_str().unwrap().to_string();
            format!(
                "{} {} -> {}: {}",
                text("state"),
                text("headRefName"),
                text("baseRefName"),
                text("title")
            )
        };
        self.stand_in()["pulls"]
            .as_array()
            .unwrap()
            .iter()
            .map(pull)
            .collect()
    }

    pub fn body(&self, head: &str) -> String {
        let state = self.stand_in();
        let pulls = state["pulls"].as_array().unwrap();
        pulls
            .iter()
            .rfind(|pull| pull["headRefName"] == head)
            .unwrap()["body"]
            .as_str()
            .unwrap()
            .to_string()
    }

    /// All that tasks change beyond the machine.
    pub fn state(&self) -> (BTreeMap<String, String>, Vec<String>) {
        (self.refs(), self.pulls())
    }

    // What humans and GitHub do.

    /// Commits the changes (files and their texts) on a branch, and returns the commit.
    pub fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> String {
        if self.path("github/.git/refs/remotes").exists() {
            self.checkout(branch);
        }
        for (file, text) in files {
            let path = self.path("github").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git("github", &["add", "--all"]);
        self.git("github", &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(
            "github",
            &["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")],
        );
        self.git("github", &["rev-parse", "HEAD"])
    }

    /// Brings the lock file of main up to date.
    pub fn lock(&self) {
        self.checkout("main");
        self.run("github", "cargo", &["generate-lockfile", "--offline"]);
        self.git("github", &["commit", "-q", "-am", "Lock"]);
        self.git("github", &["push", "-q", "origin", "HEAD:main"]);
    }

    /// Checks out the head of a branch of `origin` where humans work.
    pub fn checkout(&self, branch: &str) {
        self.git("github", &["fetch", "-q", "--prune", "origin"]);
        self.git(
            "github",
            &["checkout", "-q", "--detach", &format!("origin/{branch}")],
        );
    }

    /// Merges an open pull request and deletes its branch, and returns the commit that its base is at.
    pub fn merge(&self, head: &str, how: Merge) -> String {
        let state = self.stand_in();
        let pulls = state["pulls"].as_array().unwrap();
        let at = pulls
            .iter()
            .position(|pull| pull["headRefName"] == head && pull["state"] == "OPEN")
            .expect(head);
        let field = |name: &str| pulls[at][name].as_str().unwrap().to_string();
        let (base, title, body) = (field("baseRefName"), field("title"), field("body"));
        self.checkout(&base);
        let theirs = format!("origin/{head}");
        let commit = self.git("github", &["rev-parse", &theirs]);
        match how {
            Merge::Commit => {
                let message = format!("Merge pull request #{} from {head}\n\n{title}", at + 1);
                self.git(
                    "github",
                    &["merge", "-q", "--no-ff", "-m", &message, &theirs],
                );
            }
            Merge::Squash | Merge::SquashTitle => {
                self.git("github", &["merge", "-q", "--squash", &theirs]);
                let body = if matches!(how, Merge::Squash) {
                    body
                } else {
                    String::new()
                };
                self.git(
                    "github",
                    &[
                        "commit",
                        "-q",
                        "-m",
                        &format!("{title} (#{})\n\n{body}", at + 1),
                    ],
                );
            }
            Merge::Rebase => drop(self.git("github", &["cherry-pick", &format!("HEAD..{theirs}")])),
        }
        self.git(
            "github",
            &[
                "push",
                "-q",
                "origin",
                &format!("HEAD:{base}"),
                &format!(":{head}"),
            ],
        );
        self.set_stand_in(|state| {
            state["pulls"][at]["state"] = json!("MERGED");
            state["pulls"][at]["headRefOid"] = json!(commit);
        });
        self.git("github", &["rev-parse", "HEAD"])
    }

    pub fn close(&self, head: &str) {
        let commit = self.refs()[&format!("refs/heads/{head}")].clone();
        self.set_stand_in(|state| {
            for pull in state["pulls"].as_array_mut().unwrap() {
                if pull["headRefName"] == head {
                    pull["state"] = json!("CLOSED");
                    pull["headRefOid"] = json!(commit);
                }
            }
        });
    }

    // A month.

    /// Cuts the train that main is at, on a day, and merges the bump.
    pub fn cut(&self, date: &str) {
        self.today(date);
        self.done(&format!("cut --date {date}"));
        let bump = self.pulls().pop().unwrap();
        let head = bump.split(' ').nth(1).unwrap().to_string();
        self.merge(&head, Merge::Commit);
    }

    /// Releases the latest train on a day: proposes, merges and tags. Returns its branch.
    pub fn release(&self, version: &str, date: &str) -> String {
        self.today(date);
        self.done(&format!("release-latest --date {date}"));
        self.merge(&format!("ci/release-{version}"), Merge::Commit);
        if self
            .refs()
            .contains_key(&format!("refs/heads/ci/release-date-for-{version}"))
        {
            self.merge(&format!("ci/release-date-for-{version}"), Merge::Commit);
        }
        let branch = format!("release-{version}");
        self.done(&format!("push-tag --branch {branch}"));
        branch
    }

    /// A world on the 20th, with the release proposed.
    pub fn proposed() -> World {
        let world = World::new();
        world.cut("2026-03-05");
        world.today("2026-03-20");
        world.done("release-latest --date 2026-03-20");
        world
    }

    /// A world whose 12.0.0 has left, and whose main is at 13.0.0.
    pub fn released() -> World {
        let world = World::new();
        world.cut("2026-03-05");
        world.release("12.0.0", "2026-03-20");
        world
    }

    /// Adds a submodule to main, which the maintainer's clone does not check out.
    pub fn submodule(&self, path: &str) {
        let library = self.path("library");
        if !library.exists() {
            fs::create_dir(&library).unwrap();
            fs::write(library.join("f.c"), "int f;\n").unwrap();
            self.git("library", &["init", "-q"]);
            self.git("library", &["add", "."]);
            self.git("library", &["commit", "-q", "-m", "Begin"]);
        }
        self.checkout("main");
        let file = ["-c", "protocol.file.allow=always"];
        let library = library.display().to_string();
        let add = ["submodule", "--quiet", "add", &library, path];
        self.git("github", &[&file[..], &add].concat());
        self.git("github", &["commit", "-q", "-m", "A submodule"]);
        self.git("github", &["push", "-q", "origin", "HEAD:main"]);
        self.git("clone", &["pull", "-q", "--ff-only"]);
    }

    /// Puts a program of this name in front of the real one.
    pub fn wrap(&self, program: &str, script: &str) {
        let path = self.path("bin").join(program);
        let text = path.with_extension("text");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // By another process: one that a parallel test forks would hold the program open for writing, and Linux would not
        // run it.
        let mut install = Command::new("install");
        let installed = install.args(["-m", "755"]).args([&text, &path]).status();
        assert!(installed.unwrap().success());
        fs::remove_file(text).unwrap();
    }

    /// The real program of a name, beyond the world's own folder.
    pub fn real(program: &str) -> String {
        let path = std::env::var("PATH").unwrap();
        let found = path
            .split(':')
            .map(|folder| Path::new(folder).join(program))
            .find(|path| path.exists());
        found.unwrap().display().to_string()
    }
}
