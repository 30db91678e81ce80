//! The day of a security release: three branches, one of them long-term, get a fix that nobody may see before all of them are
//! ready. It goes through the steps of the section "The security day" in the README, and holds that `status` lets nobody merge too
//! early.

use std::time::Instant;

use semver::Version;
use serde_json::Value;
use time::{Date, Duration};
use xshell::Shell;

use super::board::{self, World, word};
use super::month::{AT_TAG, Month};
use super::sandbox::{Actor, Sandbox};
use crate::people;
use release_train::rules::calendar::{CUT, RELEASE, next_on};
use release_train::rules::version::{Bump, release_branch, release_of, tag};
use release_train::world::workspace::Workspace;
use release_train::{Result, print};

/// A line, its branch, and its patch.
struct Line {
    branch: String,
    patch: Version,
}

impl Line {
    /// Where its bump comes from.
    fn bump(&self) -> String {
        format!("ci/release-{}", self.patch)
    }
}

/// Releases three trains from the next 5th on, then goes through the day, and shows what it has come to.
pub fn run(
    sh: &Shell,
    sandbox: &Sandbox,
    workspace: &Workspace,
    verbose: bool,
    today: Date,
) -> Result<()> {
    let begun = Instant::now();
    let mut day = Month {
        sandbox,
        verbose,
        seen: World::read(sandbox)?,
    };
    let mut version = release_of(&workspace.version);
    let every = format!("lts-every = {}\n", version.major);
    people::add_to(
        sandbox,
        ("people", "main"),
        "Cargo.toml",
        &every,
        "Support this line for long",
    )?;
    let mut cut = next_on(CUT, today);
    let mut lines = Vec::new();
    for _ in 0..3 {
        let branch = release_branch(&version);
        train(&mut day, &branch, cut)?;
        lines.push(Line {
            branch,
            patch: Bump::Patch.next(&version, false)?,
        });
        version = Bump::Major.next(&version, false)?;
        cut = next_on(CUT, cut + Duration::DAY);
    }

    // Before anybody knows: the bumps, without the fix, and their CI.
    sandbox.set_day(sandbox.day() + Duration::WEEK)?;
    day.task(
        "main",
        &["release-patch", "--all-supported", "--allow-empty"],
    )?;
    let old = &lines[1];
    day.human("CI, red on one branch", |sandbox| {
        people::run_ci(sandbox, Some(&old.branch))
    })?;
    status(&mut day, &[])?;
    let repair = |sandbox: &Sandbox| {
        people::add_to(
            sandbox,
            ("people", &old.bump()),
            "README.md",
            "\nBuilds with today's tools.\n",
            "Repair CI",
        )
    };
    day.human("repair of its CI", repair)?;
    day.human("CI, green on all", |sandbox| people::run_ci(sandbox, None))?;

    // The fix, where nobody sees it and no CI runs.
    day.human("a private fork", fork)?;
    for Line { branch, .. } in &lines {
        day.human(&format!("the fix for {branch}, there"), |sandbox| {
            fix(sandbox, "fork", branch)
        })?;
    }
    for line in &lines {
        day.human(&format!("cargo test of {}", line.patch), |sandbox| {
            test(sandbox, line)
        })?;
        day.step(Actor::Tool, "verify", |sandbox| {
            sandbox.xtask("fork", &["verify"])
        })?;
    }

    // The day itself.
    for line in &lines {
        day.human(&format!("the fix into {}", line.branch), |sandbox| {
            disclose(sandbox, &line.branch)
        })?;
        day.human("its notes, into the bump", |sandbox| note_in(sandbox, line))?;
    }
    day.human("the fix into main", |sandbox| {
        fix(sandbox, "people", "main")
    })?;
    day.human("CI, red on the newest branch", |sandbox| {
        people::run_ci(sandbox, Some(&lines[2].branch))
    })?;
    status(&mut day, &[])?;
    day.human("CI again, green on all", |sandbox| {
        people::run_ci(sandbox, None)
    })?;
    status(&mut day, &lines)?;
    for line in &lines {
        day.human(&format!("merge {}", line.patch), |sandbox| {
            people::merge_from(sandbox, &line.bump())
        })?;
        day.release(&line.branch, &AT_TAG[1..])?;
    }
    day.task("main", &["sync-notes"])?;
    day.human("merge", people::merge)?;
    status(&mut day, &[])?;

    board::show(sh, sandbox, &day.seen)?;
    let out: Vec<String> = lines.iter().map(|line| tag(&line.patch)).collect();
    print(&format!(
        "{} are out, in {:.0} s\n",
        out.join(", "),
        begun.elapsed().as_secs_f64()
    ))
}

/// A train leaves: what a month has of it, in one step.
fn train(day: &mut Month, branch: &str, cut: Date) -> Result<()> {
    day.sandbox.set_day(cut)?;
    day.step(Actor::Tool, "a train", |sandbox| {
        let task = |line: &str| -> Result<()> {
            match sandbox.xtask("clone", &line.split(' ').collect::<Vec<_>>())? {
                (true, _) => Ok(()),
                (false, said) => Err(format!("{line}: {said}").into()),
            }
        };
        people::checkout(sandbox, "clone", "main")?;
        task("cut")?;
        people::merge(sandbox)?;
        sandbox.set_day(next_on(RELEASE, cut))?;
        task("release-latest")?;
        people::merge(sandbox)?;
        people::checkout(sandbox, "clone", branch)?;
        task(&format!("push-tag --branch {branch}"))?;
        sandbox.git("clone", "fetch --quiet --tags origin")?;
        for line in ["dist", "github-release", "publish", "github-release"] {
            task(line)?;
        }
        Ok((true, String::new()))
    })
}

/// Shows the board, and holds that it says to merge these, in this order, and no others.
fn status(day: &mut Month, lines: &[Line]) -> Result<()> {
    people::checkout(day.sandbox, "clone", "main")?;
    let (_, board) = day.sandbox.xtask("clone", &["status"])?;
    print(&format!("\n{board}\n"))?;
    let (_, said) = day.sandbox.xtask("clone", &["status", "--json"])?;
    let board: Value = serde_json::from_str(&said)?;
    let merges = board["next"].as_array().into_iter().flatten();
    let merges: Vec<&str> = merges
        .filter_map(|step| word(&step["human"]).strip_prefix("merge https"))
        .collect();
    let pulls = day.seen.list("pulls").iter();
    let wanted = |line: &Line| {
        pulls
            .clone()
            .find(|pull| pull["headRefName"] == line.bump())
            .map(|pull| word(&pull["url"]))
    };
    let wanted: Vec<&str> = lines
        .iter()
        .filter_map(wanted)
        .filter_map(|url| url.strip_prefix("https"))
        .collect();
    match merges == wanted {
        true => Ok(()),
        false => {
            Err(format!("`status` says to merge {merges:?}, and should say {wanted:?}").into())
        }
    }
}

/// A copy of origin that nobody else sees, and a clone of it.
fn fork(sandbox: &Sandbox) -> Result<String> {
    sandbox.git(
        "",
        &format!("clone --quiet --bare {} private", sandbox.origin),
    )?;
    sandbox.git("", "clone --quiet private fork")?;
    Ok("private, cloned into fork".to_string())
}

/// Commits the fix to a branch of a clone's origin.
fn fix(sandbox: &Sandbox, clone: &str, branch: &str) -> Result<String> {
    let fix = "\n// Counts what a hostile text holds, and no more.\n";
    people::add_to(
        sandbox,
        (clone, branch),
        "width/src/lib.rs",
        fix,
        "Count hostile text",
    )
}

/// Does what CI would do, with the bump and the fix together.
fn test(sandbox: &Sandbox, line: &Line) -> Result<String> {
    people::checkout(sandbox, "fork", &line.branch)?;
    let bump = format!("origin/{}", line.bump());
    sandbox.must(
        "fork",
        "git",
        &["merge", "--quiet", "--no-ff", "-m", "Try both", &bump],
    )?;
    sandbox.must(
        "fork",
        "cargo",
        &["test", "--quiet", "--workspace", "--offline"],
    )?;
    Ok("all tests pass, with the fix".to_string())
}

/// Brings the fix of a branch from the fork to everybody.
fn disclose(sandbox: &Sandbox, branch: &str) -> Result<String> {
    let origin = format!("../{}", sandbox.origin);
    sandbox.git(
        "fork",
        &format!("push --quiet {origin} origin/{branch}:refs/heads/{branch}"),
    )?;
    Ok(format!(
        "{branch} is at {}",
        sandbox.git("fork", &format!("rev-parse --short origin/{branch}"))?
    ))
}

/// Writes what the fix is into the notes of a bump.
fn note_in(sandbox: &Sandbox, line: &Line) -> Result<String> {
    people::checkout(sandbox, "people", &line.bump())?;
    let item = format!(
        "Text that is meant to do harm is counted right ({}).",
        line.patch
    );
    people::note(&sandbox.root.join("people"), &line.patch, &item)?;
    people::commit(sandbox, "people", &line.bump(), "Say what is mended")
}
