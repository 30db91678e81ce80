//! The steps of a rehearsal, each with the task, or in brackets what people do, its outcome and its time.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use time::Date;

use crate::outcome::State;
use crate::people;
use crate::sandbox::Sandbox;
use release_train::rules::config::{Config, fill};
use release_train::{Result, bail, count, print};

/// How many warnings of a step are shown: cargo may have hundreds.
const SHOWN: usize = 4;

pub struct Steps<'a> {
    pub sandbox: &'a Sandbox,
    config: &'a Config,
    /// The state after the last step.
    pub state: State,
    /// Whether only steps that fail are shown.
    pub quiet: bool,
    /// Whether nothing is built.
    pub fast: bool,
    verbose: bool,
    /// The day that was printed last, and all warnings that were.
    shown: Option<Date>,
    warnings: BTreeSet<String>,
}

impl Steps<'_> {
    pub fn new<'a>(
        sandbox: &'a Sandbox,
        config: &'a Config,
        verbose: bool,
        fast: bool,
    ) -> Result<Steps<'a>> {
        Ok(Steps {
            sandbox,
            config,
            state: State::read(sandbox)?,
            quiet: false,
            fast,
            verbose,
            shown: None,
            warnings: BTreeSet::new(),
        })
    }

    /// Runs a task where a branch is checked out. White space separates its arguments.
    pub fn task(&mut self, branch: &str, line: &str) -> Result<()> {
        people::checkout(self.sandbox, "clone", branch)?;
        self.task_in("clone", line)
    }

    /// Runs a task in a clone as it is.
    pub fn task_in(&mut self, clone: &str, line: &str) -> Result<()> {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let name = if line.len() <= 17 { line } else { arguments[0] };
        let run = |sandbox: &Sandbox| sandbox.task(clone, &arguments);
        self.step(name, line, run)
    }

    pub fn people(
        &mut self,
        what: &str,
        act: impl FnOnce(&Sandbox) -> Result<String>,
    ) -> Result<()> {
        let act = |sandbox: &Sandbox| Ok((true, act(sandbox)?));
        self.step(&format!("({what})"), what, act)
    }

    /// People merge every open pull request.
    pub fn merge(&mut self) -> Result<()> {
        self.people("merge", |sandbox| people::merge(sandbox, ""))
    }

    /// Tags what was merged to a release branch, and runs what follows at the tag.
    pub fn release(&mut self, branch: &str) -> Result<()> {
        let before = self.state.tags();
        self.task(branch, &format!("push-tag --branch {branch}"))?;
        let tags = self.state.tags();
        let tag = tags.difference(&before).next();
        let tag = tag.ok_or_else(|| format!("`push-tag` made no tag on {branch}"))?;
        self.sandbox.git("clone", "fetch --quiet --tags origin")?;
        let checkout = format!("checkout --quiet {tag}");
        self.sandbox.git("clone", &checkout)?;
        // A workflow finds nothing of an earlier release.
        let _ = fs::remove_dir_all(self.sandbox.workspace("clone").join("target/dist"));
        // What the workflows run at a tag.
        let (verify, dist) = match self.fast {
            true => ("verify --fast", "dist --source"),
            false => ("verify", "dist"),
        };
        self.task_in("clone", verify)?;
        self.task_in("clone", dist)?;
        self.add_artifacts(tag)?;
        self.task_in("clone", "publish")?;
        self.task_in("clone", "github-release")
    }

    /// Stands in for the builds of other machines: the configured artifacts that `dist` does not make here, without content.
    fn add_artifacts(&mut self, tag: &str) -> Result<()> {
        let Some(version) = self.config.tag.version(tag) else {
            return Ok(());
        };
        let dist = self.sandbox.workspace("clone").join("target/dist");
        let mut missing = Vec::new();
        for name in &self.config.artifacts {
            let name = fill(name, &version);
            // Nothing is written outside of the folder.
            if Path::new(&name).file_name() != Some(name.as_ref()) {
                bail!("`artifacts`: `{name}` is not the name of a file");
            }
            missing.push(dist.join(name));
        }
        missing.retain(|file| !file.exists());
        if missing.is_empty() {
            return Ok(());
        }
        self.people("artifacts", |_| {
            for file in &missing {
                fs::write(file, "")?;
            }
            let added = count(missing.len(), "configured artifact");
            Ok(format!("added {added} without content"))
        })
    }

    fn step(
        &mut self,
        name: &str,
        line: &str,
        act: impl FnOnce(&Sandbox) -> Result<(bool, String)>,
    ) -> Result<()> {
        let day = self.sandbox.day();
        if !self.quiet {
            if self.shown.replace(day) != Some(day) {
                print(&format!("{day}\n"))?;
            }
            print(&format!("  {name:<17} "))?;
            io::stdout().flush()?; // it is shown while it runs
        }
        let start = Instant::now();
        let (ok, output) = act(self.sandbox).unwrap_or_else(|error| (false, error.to_string()));
        let seconds = start.elapsed().as_secs_f64();
        let before = std::mem::replace(&mut self.state, State::read(self.sandbox)?);
        let mut outcome = self.state.since(&before);
        if !ok {
            outcome = vec!["failed".to_string()];
        } else if outcome.is_empty() {
            let last = output.lines().rfind(|line| !line.starts_with("$ "));
            outcome.push(last.unwrap_or("done").to_string());
        }
        if !self.quiet {
            if let Some(last) = outcome.last_mut() {
                *last += &format!(" ({seconds:.1}\u{a0}s)");
            }
            let lines: Vec<_> = outcome.iter().map(|line| wrap(line, 20)).collect();
            print(&format!("{}\n", lines.join(&format!("\n{:20}", ""))))?;
        }
        if self.verbose || !ok {
            for line in output.lines() {
                print(&format!("    | {line}\n"))?;
            }
        } else if !self.quiet {
            self.print_warnings(&output)?;
        }
        match ok {
            true => Ok(()),
            false => Err(format!("`{line}` failed on {day}: see its output above").into()),
        }
    }

    /// Prints the warnings of a step that were not printed in this month, the first ones and the begin of each.
    fn print_warnings(&mut self, output: &str) -> Result<()> {
        let mut new = Vec::from_iter(output.lines().filter(|it| it.starts_with("warning: ")));
        new.retain(|warning| self.warnings.insert(warning.to_string()));
        for warning in new.iter().take(SHOWN) {
            let end = if warning.len() > 240 { "..." } else { "" };
            let line = wrap(&format!("{warning:.240}{end}"), 4);
            print(&format!("    {line}\n"))?;
        }
        match new.len() > SHOWN {
            true => print("    more warnings: see --verbose\n"),
            false => Ok(()),
        }
    }
}

/// Breaks what is printed from a column on into lines of at most 80, without the room before the first one; the others begin
/// two columns further right. A no-break space joins words.
pub fn wrap(text: &str, column: usize) -> String {
    let (mut wrapped, mut width) = (String::new(), column);
    for word in text.split(' ') {
        let length = word.chars().count();
        if wrapped.is_empty() {
            width += length;
        } else if width + 1 + length <= 80 {
            wrapped.push(' ');
            width += 1 + length;
        } else {
            wrapped += &format!("\n{:1$}", "", column + 2);
            width = column + 2 + length;
        }
        wrapped += word;
    }
    wrapped.replace('\u{a0}', " ")
}
