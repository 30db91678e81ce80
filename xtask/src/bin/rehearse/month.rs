//! A month of releases, from the cut to a patch: the tasks as the workflows start them, and what people do in between.

use std::fs;

use semver::Version;
use time::Date;

use crate::people;
use crate::steps::Steps;
use release_train::Result;
use release_train::rules::calendar::{CUT, next_on};
use release_train::rules::version::{Bump, release_branch, release_of, same_line};
use release_train::world::{items, workspace::Workspace};

/// Runs a month from the next 5th on. Returns what was released.
pub fn run(steps: &mut Steps, workspace: &Workspace, today: Date) -> Result<String> {
    let fifth = next_on(CUT, today);
    let version = release_of(&workspace.version);
    let branch = release_branch(&version);
    let candidates = workspace.config.release_candidates && workspace.version.pre.as_str() == "dev";
    let tags = &workspace.config.tag;
    let mut released = vec![tags.tag(&version)];

    steps.sandbox.set_day(fifth)?;
    steps.task("main", "cut")?;
    steps.merge()?;
    if candidates {
        steps.release(&branch)?;
    }

    steps.sandbox.set_day(fifth.replace_day(12)?)?;
    fix(steps, &version, &branch, "Fix what a tester found")?;
    if candidates {
        steps.task("main", "release-candidate")?;
        steps.merge()?;
        steps.release(&branch)?;
    }

    steps.sandbox.set_day(fifth.replace_day(20)?)?;
    steps.task("main", "release-latest")?;
    steps.merge()?;
    steps.release(&branch)?;
    if candidates {
        steps.task("main", "yank --candidates")?;
    }

    steps.sandbox.set_day(fifth.replace_day(27)?)?;
    // Below 0.1 there are no patches: the next version is another train's.
    let patch = Bump::Patch.next(&version, false)?;
    if same_line(&patch, &version) {
        fix(steps, &patch, &branch, "Fix what a user found")?;
        steps.task("main", &format!("release-patch --branch {branch}"))?;
        steps.merge()?;
        steps.release(&branch)?;
        steps.task("main", "sync-notes")?;
        // Main may keep the notes of the next release alone.
        let mut pulls = steps.state.list("pulls").iter();
        if pulls.any(|pull| pull["state"] == "OPEN") {
            steps.merge()?;
        }
        released.push(tags.tag(&patch));
    }
    use_crates(steps, workspace)?;
    Ok(released.join(" and "))
}

/// Fixes something on main and on the release branch.
fn fix(steps: &mut Steps, version: &Version, branch: &str, message: &str) -> Result<()> {
    steps.people("fix", |sandbox| people::fix(sandbox, version, message))?;
    steps.people("backport", |sandbox| people::backport(sandbox, branch))
}

/// Builds a crate outside the workspace that depends on the newest versions of the crates that others rely on, or only
/// resolves its dependencies.
fn use_crates(steps: &mut Steps, workspace: &Workspace) -> Result<()> {
    let mut used = Vec::new();
    let mut manifest =
        "[package]\nname = \"dependent\"\nedition = \"2024\"\n\n[dependencies]\n".to_string();
    for member in workspace.public_crates() {
        let targets = items(&member.about["targets"]).iter();
        let mut kinds = targets.map(|target| target["kind"][0].as_str().unwrap_or_default());
        let is_library = kinds.any(|kind| kind.ends_with("lib") || kind == "proc-macro");
        if let (true, Some(version)) = (is_library, steps.state.newest(&member.name)) {
            manifest += &format!("{} = \"={version}\"\n", member.name);
            used.push(format!("{} {version}", member.name));
        }
    }
    let fast = steps.fast;
    let used = match used.len() {
        0 => return Ok(()),
        1..=3 => used.join(", "),
        all => format!("{} and {} more", used[..3].join(", "), all - 3),
    };
    steps.people("use crates", |sandbox| {
        let folder = sandbox.root.join("dependent");
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest)?;
        fs::write(folder.join("src/lib.rs"), "")?;
        let (command, done) = match fast {
            true => ("generate-lockfile", format!("resolves {used}; not built")),
            false => ("build", format!("builds with {used}")),
        };
        sandbox.must("dependent", "cargo", &[command, "--quiet"])?;
        Ok(done)
    })
}
