//! The day of a security release: three branches, one of them long-term, get a fix that must stay secret until all of them
//! are ready. It follows the section "The security day" of the README, and proves that `status` advises no merge too
//! early.

use semver::Version;
use serde_json::Value;
use time::{Date, Duration};

use crate::gh::text;
use crate::people;
use crate::sandbox::Sandbox;
use crate::steps::Steps;
use release_train::rules::calendar::{CUT, RELEASE, next_on};
use release_train::rules::version::{Bump, release_branch, release_of};
use release_train::world::{items, workspace::Workspace};
use release_train::{Result, bail, print};

/// A patch of a release branch.
struct Patch {
    branch: String,
    version: Version,
}

impl Patch {
    /// The branch of its pull request.
    fn proposal(&self) -> String {
        format!("ci/release-{}", self.version)
    }
}

/// Releases three trains from the next 5th on, then runs the day. Returns what was released.
pub fn run(steps: &mut Steps, workspace: &Workspace, today: Date) -> Result<String> {
    let sandbox = steps.sandbox;
    let mut version = release_of(&workspace.version);
    let (file, key) = ("Cargo.toml", format!("lts-every = {}\n", version.major));
    let message = "Support this version for long";
    people::append(sandbox, ("people", "main"), file, &key, message)?;
    let mut cut = next_on(CUT, today);
    let mut patches = Vec::new();
    for _ in 0..3 {
        let branch = release_branch(&version);
        release_train(steps, &branch, cut)?;
        patches.push(Patch {
            branch,
            version: Bump::Patch.next(&version, false)?,
        });
        version = Bump::Major.next(&version, false)?;
        cut = next_on(CUT, cut + Duration::DAY);
    }
    let (old, newest) = (&patches[1], &patches[2]);

    // Before the day: the bumps, without the fix, and their CI.
    sandbox.set_day(sandbox.day() + Duration::WEEK)?;
    steps.task("main", "release-patch --all-supported --allow-empty")?;
    steps.people("CI", |sandbox| people::run_ci(sandbox, &old.branch))?;
    status(steps, &[])?;
    steps.people("repair CI", |sandbox| {
        let (branch, text) = (old.proposal(), "Builds with new tools.\n");
        let place = ("people", &*branch);
        people::append(sandbox, place, people::FILE, text, "Repair CI")
    })?;
    steps.people("CI", |sandbox| people::run_ci(sandbox, ""))?;

    // The fix, in a private fork, where no CI runs.
    steps.people("private fork", private_fork)?;
    for patch in &patches {
        steps.people("fix in fork", |sandbox| fix(sandbox, "fork", &patch.branch))?;
    }
    for patch in &patches {
        steps.people("test in fork", |sandbox| test(sandbox, patch))?;
        steps.task_in("fork", "verify")?;
    }

    // The day itself.
    for patch in &patches {
        steps.people("push the fix", |sandbox| disclose(sandbox, &patch.branch))?;
        steps.people("write notes", |sandbox| write_notes(sandbox, patch))?;
    }
    steps.people("fix main", |sandbox| fix(sandbox, "people", "main"))?;
    steps.people("CI", |sandbox| people::run_ci(sandbox, &newest.branch))?;
    status(steps, &[])?;
    steps.people("CI again", |sandbox| people::run_ci(sandbox, ""))?;
    status(steps, &patches)?;
    let mut released = Vec::new();
    for patch in &patches {
        steps.people("merge", |sandbox| people::merge(sandbox, &patch.proposal()))?;
        steps.release(&patch.branch)?;
        released.push(workspace.config.tag.tag(&patch.version));
    }
    steps.task("main", "sync-notes")?;
    steps.merge()?;
    status(steps, &[])?;
    Ok(released.join(", "))
}

/// Releases a train, with one line for all of its steps.
fn release_train(steps: &mut Steps, branch: &str, cut: Date) -> Result<()> {
    steps.quiet = true;
    steps.sandbox.set_day(cut)?;
    steps.task("main", "cut")?;
    steps.merge()?;
    steps.sandbox.set_day(next_on(RELEASE, cut))?;
    steps.task("main", "release-latest")?;
    steps.merge()?;
    steps.release(branch)?;
    steps.quiet = false;
    let day = steps.sandbox.day();
    print(&format!("{day}\n  {branch} is released\n"))
}

/// Shows the output of `status`, and fails unless it says to merge these patches, in this order, and no others.
fn status(steps: &Steps, patches: &[Patch]) -> Result<()> {
    let sandbox = steps.sandbox;
    people::checkout(sandbox, "clone", "main")?;
    let (_, table) = sandbox.task("clone", &["status"])?;
    print(&format!("\n{table}\n"))?;
    let (_, json) = sandbox.task("clone", &["status", "--json"])?;
    let json: Value = serde_json::from_str(&json)?;
    let mut merges = Vec::new();
    for step in items(&json["next"]) {
        let url = text(&step["url"]);
        if step["human"] == format!("merge {url}") {
            merges.push(url);
        }
    }
    let mut expected = Vec::new();
    for patch in patches {
        let mut pulls = steps.state.list("pulls").iter();
        let pull = pulls.find(|pull| pull["headRefName"] == patch.proposal());
        expected.extend(pull.map(|pull| text(&pull["url"])));
    }
    if merges != expected {
        bail!("`status` says to merge {merges:?} instead of {expected:?}");
    }
    Ok(())
}

/// Makes a private copy of origin and a clone of it.
fn private_fork(sandbox: &Sandbox) -> Result<String> {
    let origin = &sandbox.origin;
    sandbox.git("", &format!("clone --quiet --bare {origin} private"))?;
    sandbox.git("", "clone --quiet private fork")?;
    Ok("private, cloned into fork".to_string())
}

/// Commits the fix to a branch of a clone's origin.
fn fix(sandbox: &Sandbox, clone: &str, branch: &str) -> Result<String> {
    let (file, fix) = ("width/src/lib.rs", "\n// Counts hostile text, too.\n");
    people::append(sandbox, (clone, branch), file, fix, "Count hostile text")
}

/// Runs the tests of the bump and the fix together, as CI would.
fn test(sandbox: &Sandbox, patch: &Patch) -> Result<String> {
    people::checkout(sandbox, "fork", &patch.branch)?;
    let bump = format!("origin/{}", patch.proposal());
    let merge = ["merge", "--quiet", "--no-ff", "-m", "Try both", &bump];
    sandbox.must("fork", "git", &merge)?;
    let test = ["test", "--quiet", "--workspace", "--offline"];
    sandbox.must("fork", "cargo", &test)?;
    Ok(format!("the tests of {} pass with the fix", patch.version))
}

/// Pushes the fix of a branch from the fork to origin.
fn disclose(sandbox: &Sandbox, branch: &str) -> Result<String> {
    let refs = format!("origin/{branch}:refs/heads/{branch}");
    let push = format!("push --quiet ../{} {refs}", sandbox.origin);
    sandbox.git("fork", &push)?;
    let commit = sandbox.git("fork", &format!("rev-parse --short origin/{branch}"))?;
    Ok(format!("{branch} is at {commit}"))
}

/// Writes what was fixed into the notes of a bump.
fn write_notes(sandbox: &Sandbox, patch: &Patch) -> Result<String> {
    let proposal = patch.proposal();
    people::checkout(sandbox, "people", &proposal)?;
    let item = format!("Hostile text is counted correctly ({}).", patch.version);
    people::note(sandbox, &patch.version, &item)?;
    people::commit(sandbox, "people", &proposal, "Describe the fix")
}
