//! One task in a sandbox that is a copy of what the user's clone knows of `origin`, and what the task would propose.

use std::path::Path;

use xshell::{Shell, cmd};

use super::board::{World, word};
use super::sandbox::Sandbox;
use super::{fetch, from_registries, say_what_is_left_out};
use release_train::world::git::Remote;
use release_train::world::workspace::Workspace;
use release_train::{Result, print, world::git, world::process};

/// Runs a task, and shows its output, the commands that it ran to act beyond its clone, and the difference that it makes.
pub fn run(sh: &Shell, sandbox: &mut Sandbox, root: &Path, task: &[&str]) -> Result<()> {
    copy(sh, sandbox, root)?;
    let in_clone = sh.push_dir(sandbox.workspace("clone"));
    let public = from_registries(&Workspace::load(sh)?);
    drop(in_clone);
    sandbox.start_registry(public)?;

    let before = World::read(sandbox)?;
    let (well, said) = sandbox.xtask("clone", task)?;
    print(&format!("\n{said}"))?;
    let after = World::read(sandbox)?;

    let pulls = after.list("pulls");
    for (name, object) in after
        .refs
        .iter()
        .filter(|(name, object)| before.refs.get(*name) != Some(*object))
    {
        let short = name
            .trim_start_matches("refs/heads/")
            .trim_start_matches("refs/");
        let pull = pulls
            .iter()
            .find(|pull| name.strip_prefix("refs/heads/") == pull["headRefName"].as_str());
        let Some(pull) = pull else {
            let commit = sandbox.git(
                &sandbox.origin,
                &format!("rev-parse --short {object}^{{commit}}"),
            )?;
            print(&format!("\n== {short} at {commit}\n"))?;
            continue;
        };
        let (base, title) = (word(&pull["baseRefName"]), word(&pull["title"]));
        print(&format!(
            "\n== {short} -> {base}: {title}\n{}\n",
            word(&pull["body"]).trim_end()
        ))?;
        print(&format!(
            "\n{}\n",
            sandbox.git(&sandbox.origin, &format!("diff {base}...{name}"))?
        ))?;
    }
    let here = sandbox.git("clone", "diff HEAD")?;
    if !here.is_empty() {
        print(&format!("\n== the checkout\n{here}\n"))?;
    }
    let acts: Vec<&str> = said.lines().filter(|line| line.starts_with("$ ")).collect();
    let acts = if acts.is_empty() {
        "none".to_string()
    } else {
        acts.join("\n")
    };
    let news = after.since(&before);
    let news = if news.is_empty() {
        "nothing new".to_string()
    } else {
        news
    };
    print(&format!(
        "\n== in the sandbox: {news}\n== commands that acted\n{acts}\n"
    ))?;
    match well {
        true => Ok(()),
        false => Err(format!("`{}` failed: what it said is above", task.join(" ")).into()),
    }
}

/// Copies the branches and tags of `origin` as the user's clone has them, and its HEAD.
fn copy(sh: &Shell, sandbox: &mut Sandbox, root: &Path) -> Result<()> {
    let _root = sh.push_dir(root);
    if git::is_shallow(sh)? {
        return Err(
            "this clone is shallow: `git fetch --unshallow` brings the history that tasks read"
                .into(),
        );
    }
    // The first protocol of git would not say where `origin/HEAD` leads.
    let listing = process::output_of(cmd!(sh, "git -c protocol.version=2 ls-remote --symref ."))?;
    let known = Remote::parse(&listing, "refs/remotes/origin/", "refs/remotes/origin/HEAD");
    if known.branches.is_empty() {
        return Err(
            "this clone knows no branch of `origin`: `git fetch origin` brings them".into(),
        );
    }
    say_what_is_left_out(git::uncommitted(sh, "normal")?.as_deref())?;
    sandbox.init_origin(&git::repository_name(sh)?, &known.main)?;
    sandbox.inside = process::output_of(cmd!(sh, "git rev-parse --show-prefix"))?;
    let checked_out =
        process::output_of(cmd!(sh, "git symbolic-ref --quiet --short HEAD")).unwrap_or_default();

    let refs = [
        "+refs/remotes/origin/*:refs/heads/*",
        "+refs/tags/*:refs/tags/*",
        "^refs/remotes/origin/HEAD",
    ];
    fetch(sh, sandbox, &sandbox.origin, &[], &refs)?;
    sandbox.clone_origin("clone", &["--no-checkout"])?;
    fetch(sh, sandbox, "clone", &[], &["HEAD"])?;
    match &*checked_out {
        "" => sandbox.git("clone", "checkout --quiet --detach FETCH_HEAD")?,
        branch => sandbox.git("clone", &format!("checkout --quiet -B {branch} FETCH_HEAD"))?,
    };
    Ok(())
}
