//! The sandbox of a rehearsal: a fresh folder outside any workspace with an `origin`, clones of it, homes for git, gh and
//! cargo, and a registry. Programs start there in an environment that begins empty: nothing of the user's gets in.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use time::Date;
use xshell::{Shell, cmd};

use crate::gh;
use crate::registry::{Public, Registry, Rules};
use release_train::world::registry::{agent, index_path};
use release_train::{Result, bail, world::process};

pub struct Sandbox {
    pub root: PathBuf,
    /// Whether the folder stays when this is dropped.
    pub keep: Cell<bool>,
    /// The bare repository, below `root`. It has the name of the user's, which is in titles.
    pub origin: String,
    /// Where the workspace lies in its repository: empty for the root.
    pub inside: String,
    path: OsString,
    registry: Option<Registry>,
    token: String,
    /// The day of the next step, and how many programs were started on it: each runs a minute after the one before.
    day: Cell<Date>,
    started: Cell<u32>,
}

impl Sandbox {
    pub fn new(sh: &Shell, tool: &Path, today: Date) -> Result<Sandbox> {
        let sysroot = process::output_of(cmd!(sh, "rustc --print sysroot"))?;
        let root = std::env::temp_dir().join(format!("rehearsal-{}", random()));
        make_private(&root)?;
        let root = root.canonicalize()?;
        // The toolchain itself: rustup's proxy makes each of the many calls of cargo slower.
        let mut path = vec![root.join("bin"), PathBuf::from(sysroot).join("bin")];
        path.extend(std::env::split_paths(
            &std::env::var_os("PATH").unwrap_or_default(),
        ));
        let sandbox = Sandbox {
            root,
            keep: Cell::new(false),
            origin: String::new(),
            inside: String::new(),
            path: std::env::join_paths(path)?,
            registry: None,
            token: random(),
            day: Cell::new(today),
            started: Cell::new(0),
        };
        // Cargo reads what lies above a workspace, too.
        for folder in sandbox.root.ancestors() {
            for file in [folder.join("Cargo.toml"), folder.join(".cargo")] {
                if file.exists() {
                    let file = file.display();
                    bail!("{file} would change a rehearsal below it: set TMPDIR to another folder");
                }
            }
        }
        for folder in ["bin", "cargo-home", "gh", "home", "template", "tmp"] {
            fs::create_dir(sandbox.root.join(folder))?;
        }
        for (from, name) in [(&*std::env::current_exe()?, "gh"), (tool, "xtask")] {
            let file = format!("bin/{name}{}", std::env::consts::EXE_SUFFIX);
            let to = sandbox.root.join(file);
            fs::hard_link(from, &to).or_else(|_| fs::copy(from, &to).map(drop))?;
        }
        sandbox.change_github(|_| {})?;
        Ok(sandbox)
    }

    /// Makes an empty `origin`. Its name has no white space, which would split it where git's arguments are one string.
    pub fn init_origin(&mut self, name: &str, main: &str) -> Result<()> {
        self.origin = format!("origin/{}.git", name.replace(char::is_whitespace, "-"));
        let line = format!("init --quiet --bare -b {main} {}", self.origin);
        self.git("", &line).map(drop)
    }

    /// Starts the registry that cargo takes for crates.io. With `public`, other crates come from there.
    pub fn start_registry(&mut self, public: bool) -> Result<()> {
        let rules = Rules {
            public: public.then(public_index).transpose()?,
            token: Some(self.token.clone()),
            ..Rules::default()
        };
        let registry = Registry::start(self.root.join("registry"), rules)?;
        let config = self.root.join("cargo-home/config.toml");
        fs::write(config, registry.configuration())?;
        self.registry = Some(registry);
        Ok(())
    }

    /// The folder of the workspace in a clone.
    pub fn workspace(&self, clone: &str) -> PathBuf {
        self.root.join(clone).join(&self.inside)
    }

    /// A program, not yet started, in a folder of the sandbox. Its environment is what is written here and no more.
    fn command(&self, author: &str, folder: &Path, program: impl AsRef<OsStr>) -> Command {
        let below = |folder: &str| self.root.join(folder).into_os_string();
        let home = std::env::home_dir().unwrap_or_default();
        let rustup = std::env::var_os("RUSTUP_HOME").unwrap_or(home.join(".rustup").into());
        let minutes = self.started.replace(self.started.get() + 1) % (24 * 60);
        let (hour, minute) = (minutes / 60, minutes % 60);
        let moment = format!("{}T{hour:02}:{minute:02}:00Z", self.day.get());
        let mut command = Command::new(program);
        command
            .current_dir(self.root.join(folder))
            .stdin(Stdio::null())
            .env_clear();
        command.envs([
            ("PATH", self.path.clone()),
            ("HOME", below("home")),
            ("TMPDIR", below("tmp")),
            ("TEMP", below("tmp")),
            ("TMP", below("tmp")),
            ("RUSTUP_HOME", rustup),
            ("CARGO_HOME", below("cargo-home")),
            ("CARGO_TERM_COLOR", "never".into()),
            ("GH_CONFIG_DIR", below("gh")),
            ("GH_REPO", "rehearsal/rehearsal".into()),
            ("GIT_ADVICE", "0".into()),
            ("GIT_CONFIG_GLOBAL", "/dev/null".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            ("GIT_TERMINAL_PROMPT", "0".into()),
            ("GIT_TEMPLATE_DIR", below("template")), // without git's sample hooks
        ]);
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_NAME"), author);
            command.env(format!("GIT_{role}_EMAIL"), "rehearsal@example.com");
            command.env(format!("GIT_{role}_DATE"), &moment);
        }
        if let Some(registry) = &self.registry {
            command.env("CARGO_REGISTRY_DEFAULT", "rehearsal");
            command.env("CARGO_REGISTRIES_REHEARSAL_INDEX", registry.index());
            command.env("CARGO_REGISTRIES_REHEARSAL_TOKEN", &self.token);
        }
        // Windows starts no program without most of these; the last two name the roots that lead to crates.io.
        let kept = "SystemRoot SystemDrive ComSpec PATHEXT ProgramFiles ProgramData \
            CARGO_HTTP_CAINFO SSL_CERT_FILE";
        for name in kept.split(' ') {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
    }

    /// Writes a script that starts the user's shell in the clone, in the environment of the steps, and returns how to run it.
    pub fn write_enter(&self) -> Result<String> {
        let clone = self.workspace("clone");
        let mut script = format!(
            "echo 'The day is {}: pass it to a task, as in `xtask status --date DAY`.' >&2\n\
             echo 'The registry has ended: nothing can be published or downloaded.' >&2\n\
             cd {} || exit\nexec env -i TERM=\"$TERM\"",
            self.day.get(),
            quoted(clone.as_os_str())
        );
        for (name, value) in self.command("A Human", &clone, "").get_envs() {
            let value = quoted(value.unwrap_or_default());
            script += &format!(" \\\n  {}={value}", name.display());
        }
        script += " \"${SHELL:-/bin/sh}\"\n";
        let file = self.root.join("enter");
        fs::write(&file, script)?;
        Ok(format!("sh {}", quoted(file.as_os_str())))
    }

    /// Runs a task in a clone, on the day of the sandbox. Whether it succeeded, and its output.
    pub fn task(&self, clone: &str, arguments: &[&str]) -> Result<(bool, String)> {
        let mut command = self.command("Release Train", &self.workspace(clone), "xtask");
        command.args(arguments);
        command.args(["--date", &self.day.get().to_string()]);
        run(command)
    }

    /// Runs a program as a human, which must succeed, and returns its output.
    pub fn must(&self, folder: &str, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.command("A Human", Path::new(folder), program);
        command.args(arguments);
        let (ok, output) = run(command)?;
        let output = output.trim_end();
        if !ok {
            bail!("`{program} {}` in {folder}: {output}", arguments.join(" "));
        }
        Ok(output.to_string())
    }

    /// Runs git as a human. White space separates the arguments.
    pub fn git(&self, folder: &str, line: &str) -> Result<String> {
        self.must(folder, "git", &line.split_whitespace().collect::<Vec<_>>())
    }

    /// Makes it another day.
    pub fn set_day(&self, day: Date) -> Result<()> {
        self.day.set(day);
        self.started.set(0);
        self.change_github(|_| {})
    }

    pub fn day(&self) -> Date {
        self.day.get()
    }

    /// The state of the stand-in for GitHub.
    pub fn github(&self) -> Result<Value> {
        gh::read(&self.root.join("gh"))
    }

    pub fn change_github(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
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

/// Makes a folder that no other user can read.
fn make_private(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| format!("{}: {error}", folder.display()).into())
}

/// A word as a POSIX shell reads it.
fn quoted(word: &OsStr) -> String {
    format!("'{}'", word.display().to_string().replace('\'', r"'\''"))
}

/// A random word of 16 digits: the standard library seeds its hashes from the system.
fn random() -> String {
    format!("{:016x}", RandomState::new().hash_one(0))
}

/// Runs a command. Whether it succeeded, and its stdout and stderr in the order in which they came.
fn run(mut command: Command) -> Result<(bool, String)> {
    let (mut reader, writer) = io::pipe()?;
    let mut child = process::start(command.stdout(writer.try_clone()?).stderr(writer))?;
    drop(command); // it holds the pipe open
    let mut output = Vec::new();
    reader.read_to_end(&mut output)?;
    let output = String::from_utf8_lossy(&output).into_owned();
    Ok((child.wait()?.success(), output))
}

/// Reads the lines of a crate from the index of crates.io, once: cargo asks again and again what is published.
fn public_index() -> Result<Public> {
    let agent = agent()?;
    let known = Mutex::new(HashMap::<String, String>::new());
    Ok(Box::new(move |name| {
        let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
        let text = lock().get(name).cloned();
        if let Some(text) = text {
            return Ok(text);
        }
        let address = format!("https://index.crates.io/{}", index_path(name));
        let mut answer = agent.get(address).call().map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(1 << 30);
        let text = match status {
            200 => body.read_to_string().map_err(io::Error::other)?,
            404 => String::new(),
            status => {
                let error = format!("index.crates.io: {name}: status {status}");
                return Err(io::Error::other(error));
            }
        };
        lock().insert(name.to_string(), text.clone());
        Ok(text)
    }))
}
