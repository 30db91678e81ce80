//! A month of releases, from the cut to a patch: the tasks as the workflows start them, and what people do in between, each
//! step with its outcome.

use std::fs;
use std::io::{self, Write};
use std::time::Instant;

use semver::Version;
use time::Date;
use xshell::Shell;

use super::board::{self, World};
use super::sandbox::{Actor, Sandbox};
use crate::people;
use release_train::rules::version::{Bump, release_branch, release_of, same_line, tag};
use release_train::world::workspace::Workspace;
use release_train::{Result, print, rules::calendar};

/// What the workflows run at a tag, in this order. `github-release` comes twice: it makes the draft, and makes it public.
pub const AT_TAG: &[&str] = &[
    "verify",
    "dist",
    "github-release",
    "publish",
    "github-release",
];

pub struct Month<'a> {
    pub sandbox: &'a Sandbox,
    pub verbose: bool,
    /// The world after the last step.
    pub seen: World,
}

/// Runs a month from the next 5th on, and shows what it has come to.
pub fn run(
    sh: &Shell,
    sandbox: &Sandbox,
    workspace: &Workspace,
    verbose: bool,
    today: Date,
) -> Result<()> {
    let begun = Instant::now();
    let fifth = calendar::next_on(calendar::CUT, today);
    let version = release_of(&workspace.version);
    let branch = release_branch(&version);
    let candidates = workspace.config.release_candidates && workspace.version.pre.as_str() == "dev";
    let mut month = Month {
        sandbox,
        verbose,
        seen: World::read(sandbox)?,
    };

    sandbox.set_day(fifth)?;
    month.task("main", &["cut"])?;
    month.human("merge", people::merge)?;
    if candidates {
        month.release(&branch, AT_TAG)?;
    }

    sandbox.set_day(fifth.replace_day(12)?)?;
    month.fix(workspace, &version, &branch, "Mend what a tester found")?;
    if candidates {
        month.task("main", &["release-candidate"])?;
        month.human("merge", people::merge)?;
        month.release(&branch, AT_TAG)?;
    }

    sandbox.set_day(fifth.replace_day(20)?)?;
    month.task("main", &["release-latest"])?;
    month.human("merge", people::merge)?;
    month.release(&branch, AT_TAG)?;
    if candidates {
        month.task("main", &["yank", "--candidates"])?;
    }

    sandbox.set_day(fifth.replace_day(27)?)?;
    // Below 0.1 there are no patches: the next version is another train's.
    let patch = Some(Bump::Patch.next(&version, false)?).filter(|patch| same_line(patch, &version));
    if let Some(patch) = &patch {
        month.fix(workspace, patch, &branch, "Mend what a user found")?;
        month.task("main", &["release-patch", "--branch", &branch])?;
        month.human("merge", people::merge)?;
        month.release(&branch, AT_TAG)?;
        month.task("main", &["sync-notes"])?;
        month.human("merge", people::merge)?;
    }

    let consume = |sandbox: &Sandbox| board::consume(sandbox, workspace, &World::read(sandbox)?);
    month.human("cargo build of a user's crate", consume)?;
    board::show(sh, sandbox, &month.seen)?;
    let seconds = begun.elapsed().as_secs_f64();
    let patch = patch
        .map(|patch| format!(", and {} after it", tag(&patch)))
        .unwrap_or_default();
    print(&format!(
        "{} is out{patch}, in {seconds:.0} s\n",
        tag(&version)
    ))
}

impl Month<'_> {
    /// Tags what was merged to a release branch, and does what follows from a tag.
    pub fn release(&mut self, branch: &str, at_tag: &[&str]) -> Result<()> {
        let before = self.tags();
        self.task(branch, &["push-tag", "--branch", branch])?;
        let tag = self.tags().into_iter().find(|tag| !before.contains(tag));
        let tag = tag.ok_or_else(|| format!("`push-tag` tagged nothing on {branch}"))?;
        self.sandbox.git("clone", "fetch --quiet --tags origin")?;
        self.sandbox
            .git("clone", &format!("checkout --quiet {tag}"))?;
        // A workflow finds nothing of an earlier release.
        let _ = fs::remove_dir_all(self.sandbox.workspace("clone").join("target/dist"));
        for task in at_tag {
            self.step(Actor::Tool, task, |sandbox| sandbox.xtask("clone", &[task]))?;
        }
        Ok(())
    }

    fn tags(&self) -> Vec<String> {
        self.seen
            .refs
            .keys()
            .filter_map(|name| Some(name.strip_prefix("refs/tags/")?.to_string()))
            .collect()
    }

    /// A fix on main, and on the release branch.
    fn fix(
        &mut self,
        workspace: &Workspace,
        version: &Version,
        branch: &str,
        what: &str,
    ) -> Result<()> {
        self.human("a fix on main", |sandbox| {
            people::fix(sandbox, workspace, version, what)
        })?;
        self.human("its backport", |sandbox| people::backport(sandbox, branch))
    }

    /// Runs a task where a branch is checked out.
    pub fn task(&mut self, branch: &str, arguments: &[&str]) -> Result<()> {
        people::checkout(self.sandbox, "clone", branch)?;
        self.step(Actor::Tool, &arguments.join(" "), |sandbox| {
            sandbox.xtask("clone", arguments)
        })
    }

    pub fn human(
        &mut self,
        what: &str,
        act: impl FnOnce(&Sandbox) -> Result<String>,
    ) -> Result<()> {
        self.step(Actor::Human, what, |sandbox| Ok((true, act(sandbox)?)))
    }

    /// One line: what is done, how long it took, and what has come of it. Of a step that failed, all that it said, too.
    pub fn step(
        &mut self,
        actor: Actor,
        what: &str,
        act: impl FnOnce(&Sandbox) -> Result<(bool, String)>,
    ) -> Result<()> {
        let who = if actor == Actor::Tool {
            "tool"
        } else {
            "human"
        };
        let day = self.sandbox.day();
        print(&format!("{day}  {who:<5}  {what:<38}"))?;
        let _ = io::stdout().flush(); // while it runs, one sees what does
        let begun = Instant::now();
        let (well, said) = act(self.sandbox).unwrap_or_else(|error| (false, error.to_string()));
        let time = begun.elapsed().as_secs_f64();
        let world = World::read(self.sandbox)?;
        let news = world.since(&self.seen);
        self.seen = world;
        let outcome = match (well, news.is_empty()) {
            (false, _) => "failed",
            (true, false) => &news,
            (true, true) => said
                .lines()
                .rfind(|line| !line.starts_with("$ "))
                .unwrap_or_default(),
        };
        print(&format!("  {time:5.1} s  {outcome}\n"))?;
        if self.verbose || !well {
            print(
                &said
                    .lines()
                    .map(|line| format!("    | {line}\n"))
                    .collect::<String>(),
            )?;
        }
        match well {
            true => Ok(()),
            false => Err(format!("`{what}` of {day} failed: what it said is above").into()),
        }
    }
}
