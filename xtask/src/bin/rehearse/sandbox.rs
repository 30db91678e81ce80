//! The world of a rehearsal: a fresh folder outside any workspace, with an `origin`, two clones of it, homes for git, gh and
//! cargo, and a registry; and how programs are started there, in an environment that begins empty. Nothing of the user's
//! gets in, and nothing gets out.

use std::cell::Cell;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use time::Date;
use xshell::{Shell, cmd};

use super::gh;
use super::registry::{Public, Registry, Rules};
use release_train::world::registry::{agent, index_path};
use release_train::{Result, world::process};

/// Who acts: the tool, as a workflow or a maintainer would start it, or the people around it, with GitHub's help.
#[derive(Clone, Copy, PartialEq)]
pub enum Actor {
    Tool,
    Human,
}

/// It is kept when it is dropped only if `keep` says so.
pub struct Sandbox {
    pub root: PathBuf,
    pub keep: Cell<bool>,
    /// The bare repository, below `root`: called as the user's, whose name is in titles.
    pub origin: String,
    /// Where the workspace lies in its repository: nothing for the root.
    pub inside: String,
    /// Our own binary.
    tool: PathBuf,
    path: OsString,
    rustup: PathBuf,
    registry: Option<Registry>,
    /// The day of what happens next, and how many programs were started: each is a minute later than the one before.
    day: Cell<Date>,
    started: Cell<u32>,
}

/// No other than this one ever gets to a registry, and this one is none.
const TOKEN: &str = "rehearsal-token-that-must-not-be-seen";

impl Sandbox {
    pub fn new(sh: &Shell, today: Date) -> Result<Sandbox> {
        let sysroot = process::output_of(cmd!(sh, "rustc --print sysroot"))?;
        let name =
            |count| std::env::temp_dir().join(format!("rehearsal-{}-{count}", std::process::id()));
        let root = (0..1_000)
            .map(name)
            .find(|folder| fs::create_dir(folder).is_ok());
        let root = root
            .ok_or_else(|| format!("{}: no folder can be made", std::env::temp_dir().display()))?;
        let root = root.canonicalize()?;
        // The toolchain itself: through rustup's proxy each of the many calls of cargo takes longer.
        let first = [root.join("bin"), PathBuf::from(sysroot).join("bin")];
        let user = std::env::var_os("PATH").unwrap_or_default();
        let home = std::env::home_dir().unwrap_or_default();
        let sandbox = Sandbox {
            keep: Cell::new(false),
            origin: String::new(),
            inside: String::new(),
            tool: build(sh)?,
            path: std::env::join_paths(first.into_iter().chain(std::env::split_paths(&user)))?,
            rustup: std::env::var_os("RUSTUP_HOME").map_or(home.join(".rustup"), PathBuf::from),
            registry: None,
            day: Cell::new(today),
            started: Cell::new(0),
            root,
        };
        // Cargo reads what lies above a workspace, too.
        let above = sandbox
            .root
            .ancestors()
            .flat_map(|folder| [folder.join("Cargo.toml"), folder.join(".cargo")]);
        if let Some(above) = above.into_iter().find(|path| path.exists()) {
            let above = above.display();
            return Err(format!(
                "{above} would reach into a rehearsal below it: set TMPDIR to another folder"
            )
            .into());
        }
        for folder in ["bin", "cargo-home", "gh", "home", "template", "tmp"] {
            fs::create_dir(sandbox.root.join(folder))?;
        }
        let gh = sandbox
            .root
            .join("bin")
            .join(format!("gh{}", std::env::consts::EXE_SUFFIX));
        let own = std::env::current_exe()?;
        fs::hard_link(&own, &gh).or_else(|_| fs::copy(&own, &gh).map(drop))?;
        sandbox.change(|_| {})?;
        Ok(sandbox)
    }

    /// Makes an empty `origin`. White space in its name would part it, where git's arguments are written as a line.
    pub fn init_origin(&mut self, name: &str, main: &str) -> Result<()> {
        self.origin = format!("origin/{}.git", name.replace(char::is_whitespace, "-"));
        self.must(
            "",
            "git",
            &["init", "--quiet", "--bare", "-b", main, &self.origin],
        )
        .map(drop)
    }

    /// Starts the registry that cargo takes for crates.io. With `public`, crates that are not in it come from there.
    pub fn start_registry(&mut self, public: bool) -> Result<()> {
        let rules = Rules {
            public: public.then(public_index).transpose()?,
            ..Rules::default()
        };
        let registry = Registry::start(self.root.join("registry"), rules)?;
        fs::write(
            self.root.join("cargo-home/config.toml"),
            registry.configuration(),
        )?;
        self.registry = Some(registry);
        Ok(())
    }

    /// A folder of a clone's workspace.
    pub fn workspace(&self, clone: &str) -> PathBuf {
        self.root.join(clone).join(&self.inside)
    }

    /// A program in a folder of the sandbox, with an environment that holds what is written here and no more.
    fn command(&self, actor: Actor, folder: &Path, program: impl AsRef<OsStr>) -> Command {
        let root = &self.root;
        let mut command = Command::new(program);
        command
            .current_dir(root.join(folder))
            .stdin(Stdio::null())
            .env_clear();
        command
            .env("PATH", &self.path)
            .env("HOME", root.join("home"))
            .env("TMPDIR", root.join("tmp"));
        command
            .env("CARGO_HOME", root.join("cargo-home"))
            .env("RUSTUP_HOME", &self.rustup);
        command
            .env("CARGO_TERM_COLOR", "never")
            .env("GH_CONFIG_DIR", root.join("gh"));
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        // Without git's sample hooks.
        command.env("GIT_TEMPLATE_DIR", root.join("template"));
        if let Some(registry) = &self.registry {
            command
                .env("CARGO_REGISTRY_DEFAULT", "rehearsal")
                .env("CARGO_REGISTRIES_REHEARSAL_TOKEN", TOKEN);
            command.env("CARGO_REGISTRIES_REHEARSAL_INDEX", registry.index());
        }
        if cfg!(windows) {
            command
                .env("TEMP", root.join("tmp"))
                .env("TMP", root.join("tmp"));
            let needed = [
                "SystemRoot",
                "SystemDrive",
                "ComSpec",
                "PATHEXT",
                "ProgramFiles",
                "ProgramData",
            ];
            command.envs(
                needed
                    .iter()
                    .filter_map(|name| Some((name, std::env::var_os(name)?))),
            );
        }
        let name = if actor == Actor::Tool {
            "Release Train"
        } else {
            "A Human"
        };
        let minutes = self.started.replace(self.started.get() + 1) % (24 * 60);
        let moment = format!(
            "{}T{:02}:{:02}:00Z",
            self.day.get(),
            minutes / 60,
            minutes % 60
        );
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), name)
                .env(format!("GIT_{role}_EMAIL"), "rehearsal@example.com");
            command.env(format!("GIT_{role}_DATE"), &moment);
        }
        command
    }

    /// Our own binary in a clone, on the day that it is there. Whether it succeeded, and all that it said.
    pub fn xtask(&self, clone: &str, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = self.command(Actor::Tool, &self.workspace(clone), &self.tool);
        command
            .args(arguments)
            .args(["--date", &self.day.get().to_string()]);
        run(command)
    }

    /// Runs a program as people do, which must succeed, and returns all that it said.
    pub fn must(&self, folder: &str, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(Actor::Human, Path::new(folder), program);
        command.args(arguments);
        match run(command)? {
            (true, said) => Ok(said.trim_end().to_string()),
            (false, said) => Err(format!(
                "`{program} {}` in {folder}: {}",
                arguments.join(" "),
                said.trim_end()
            )
            .into()),
        }
    }

    /// Makes a clone of `origin`.
    pub fn clone_origin(&self, clone: &str, options: &[&str]) -> Result<()> {
        let arguments = [&["clone", "--quiet"], options, &[&self.origin, clone]].concat();
        self.must("", "git", &arguments).map(drop)
    }

    /// Git, as the people around the tool use it. White space parts the arguments.
    pub fn git(&self, folder: &str, line: &str) -> Result<String> {
        self.must(folder, "git", &line.split_whitespace().collect::<Vec<_>>())
    }

    /// Makes it another day.
    pub fn set_day(&self, day: Date) -> Result<()> {
        self.day.set(day);
        self.started.set(0);
        self.change(|_| {})
    }

    pub fn day(&self) -> Date {
        self.day.get()
    }

    /// What the stand-in for GitHub knows.
    pub fn github(&self) -> Result<Value> {
        gh::read(&self.root.join("gh"))
    }

    /// Changes it.
    pub fn change(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut state = self.github()?;
        state["today"] = json!(self.day.get().to_string());
        change(&mut state);
        gh::write(&self.root.join("gh"), &state)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if !self.keep.get() {
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

/// The tool that is rehearsed, built beside us.
fn build(sh: &Shell) -> Result<PathBuf> {
    process::output_of(cmd!(sh, "cargo build --locked --package xtask --bin xtask"))?;
    Ok(std::env::current_exe()?.with_file_name(format!("xtask{}", std::env::consts::EXE_SUFFIX)))
}

/// Runs a command to its end. Whether it succeeded, and what it said on stdout and stderr, in the order in which it did.
fn run(mut command: Command) -> Result<(bool, String)> {
    let (mut reader, writer) = io::pipe()?;
    let mut child = process::start(command.stdout(writer.try_clone()?).stderr(writer))?;
    drop(command); // it holds the pipe open
    let mut said = Vec::new();
    reader.read_to_end(&mut said)?;
    Ok((
        child.wait()?.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// What crates.io has of a crate.
fn public_index() -> Result<Public> {
    let agent = agent()?;
    Ok(Box::new(move |name| {
        let address = format!("https://index.crates.io/{}", index_path(name));
        let mut answer = agent.get(address).call().map_err(io::Error::other)?;
        match answer.status().as_u16() {
            200 => answer
                .body_mut()
                .with_config()
                .limit(1 << 30)
                .read_to_string()
                .map_err(io::Error::other),
            404 => Ok(String::new()),
            status => Err(io::Error::other(format!(
                "index.crates.io: {name}: status {status}"
            ))),
        }
    }))
}
