//! `adopt`: the tool, its alias, its workflows and a configuration into another workspace, or what has changed of them since.
//! It stages what it did there and commits nothing; before it changes a file, it has tried all of it in a worktree.

mod files;
mod guess;
mod join;
mod there;

use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use files::Files;
use release_train::rules::notes::FILE as NOTES;
use release_train::rules::version::release_of;
use release_train::world::git;
use release_train::world::workspace::Workspace;
use release_train::world::worktree::{Worktree, lock_clone};
use release_train::{
    Arguments, Context, Result, Usage, finish, free, print, rules::manifest, rules::notes, say,
    world::process, world::workspace,
};
use there::{There, workflows};

pub const HELP: &str = "\
cargo xtask adopt DIR

Run in a clone of release-train, it puts the tool into the workspace at DIR, a git repository in which all is committed:
xtask/ without the demo, the tests and the benchmarks, a member and an alias for it, the workflows, RELEASES.md if there is
none, and a configuration with what the workspace lets guess. Needs the network where Cargo.lock lacks the tool's crates.

What it did is staged there and not committed: `git diff --cached` shows it, `git reset --hard` drops it. Run again from a
newer clone of release-train, it brings the tool up to date, and merges that with what was changed there.

What stands in its way is named, all of it, before anything is changed.
";

fn main() -> std::process::ExitCode {
    let run = || -> Result<()> { run(&Shell::new()?, Arguments::from_env()) };
    match run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            say!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

/// Reads the command line, and adopts.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let folder = free(&mut arguments)?.ok_or(Usage("say the folder of a workspace".into()))?;
    finish(arguments)?;

    let (here, commit) = source(sh)?;
    let root = target(sh, &folder, &here)?;
    let _there = sh.push_dir(&root);
    let _alone = lock_clone(sh)?;
    // Not before: another one may have been at work here until now.
    if let Some(file) = git::uncommitted(sh, "normal")? {
        return Err(format!(
            "{folder}: `{file}` is not committed: commit it first, and the diff is ours alone"
        )
        .into());
    }
    let there = There::read(sh, root)?;
    let mut old = match &there.adopted {
        Some(commit) => Files::read(sh, &here, commit, &there)?,
        None => Files::default(),
    };
    let mut new = Files::read(sh, &here, &commit, &there)?;
    // A workflow that they did not want is not brought back.
    let unwanted =
        |path: &str| path.starts_with(files::WORKFLOWS) && !there.root.join(path).exists();
    new.0
        .retain(|path, _| !old.0.contains_key(path) || !unwanted(path));
    old.0.retain(|path, _| !unwanted(path));

    refuse(&there.obstacles(sh, &old, &new)?)?;
    let tree = Worktree::add(sh, "HEAD")?;
    let prepared = prepare(sh, &tree, &there, &old, &new)?;
    if prepared.before == prepared.after {
        say!("nothing to do: {folder} has what release-train has at {commit}");
        return Ok(());
    }
    drop(tree);

    let conflicts = stage(sh, &prepared)?;
    let short = &commit[..commit.len().min(10)];
    print(&format!(
        "release-train {short} is in {folder}, staged and not committed: `git diff --cached` shows it\n"
    ))?;
    prepared
        .to_know
        .iter()
        .try_for_each(|line| print(&format!("{line}\n")))?;
    if !conflicts.is_empty() {
        return Err(format!(
            "{folder}: what changed here and there does not go together in {}: settle it as after `git merge`, or drop all of \
             it with `git reset --hard`",
            conflicts.join(", ")
        )
        .into());
    }
    print(&format!("next, in {folder}: cargo xtask rehearse\n"))
}

/// The clone of release-train around the current directory, and its commit.
fn source(sh: &Shell) -> Result<(PathBuf, String)> {
    let here = workspace::root(sh)?;
    let _here = sh.push_dir(&here);
    if !here.join("xtask/demo/Cargo.toml").exists() {
        return Err(format!(
            "{} is no clone of release-train: run `adopt` in one",
            here.display()
        )
        .into());
    }
    git::committed(sh, "no")?;
    Ok((here, process::output_of(cmd!(sh, "git rev-parse HEAD"))?))
}

/// The root of the workspace to adopt into. No cargo is called: a toolchain may be pinned there that is not installed.
fn target(sh: &Shell, folder: &str, here: &Path) -> Result<PathBuf> {
    let root = sh
        .current_dir()
        .join(folder)
        .canonicalize()
        .context(folder)?;
    let _root = sh.push_dir(&root);
    let top = process::output_of(cmd!(sh, "git rev-parse --show-toplevel")).context(folder)?;
    if Path::new(&top).canonicalize()? != root || !root.join("Cargo.toml").exists() {
        let what =
            "a workspace must be at the root of its repository, where GitHub looks for workflows";
        return Err(format!("{folder}: {what}; this repository is at {top}").into());
    }
    if root == here.canonicalize()? {
        return Err(format!("{folder}: that is release-train itself").into());
    }
    Ok(root)
}

/// What is to be staged.
struct Prepared {
    /// The trees of what was adopted before, and of what is adopted now, with all else as it is there.
    before: String,
    after: String,
    /// What the owner is told.
    to_know: Vec<String>,
}

/// Makes the trees, in a worktree, and sees that cargo and the tool understand what they hold.
fn prepare(
    sh: &Shell,
    tree: &Worktree,
    there: &There,
    old: &Files,
    new: &Files,
) -> Result<Prepared> {
    let _tree = sh.push_dir(&tree.root);
    // The tool's crates join the lock file; those that are there move only where they are too old for it.
    let lock = || {
        if there.locked {
            process::output_of(cmd!(sh, "cargo update --workspace")).map(drop)
        } else {
            Ok(())
        }
    };
    old.write(&tree.root)?;
    if there.adopted.is_some() {
        // What is theirs alone, a file or what their dependencies of the tool need, is no part of what was adopted.
        for path in new.0.keys().filter(|path| !old.0.contains_key(*path)) {
            let _ = fs::remove_file(tree.root.join(path));
        }
        lock()?;
    }
    let before = tree.tree()?;
    old.remove(&tree.root)?;
    new.write(&tree.root)?;
    let mut to_know = Vec::new();
    if there.adopted.is_none() {
        to_know = move_in(sh, &tree.root, there)?;
        to_know.extend(other_publishers(&tree.root, new));
    }
    lock()?;
    Workspace::load(sh)?;
    Ok(Prepared {
        before,
        after: tree.tree()?,
        to_know,
    })
}

/// Makes the tool a part of the workspace, for the first time. Returns what the owner is told.
fn move_in(sh: &Shell, root: &Path, there: &There) -> Result<Vec<String>> {
    let config = root.join(join::CONFIG);
    fs::create_dir_all(root.join(".cargo")).context(".cargo")?;
    fs::write(
        &config,
        join::with_alias(
            &fs::read_to_string(&config).unwrap_or_default(),
            there.locked,
        )?,
    )?;
    let manifest = root.join("Cargo.toml");
    let text = join::with_member(&fs::read_to_string(&manifest)?)?;
    fs::write(&manifest, &text)?;

    let mut to_know = Vec::new();
    if !has_configuration(&text)? {
        let version_of = guess::version_of(sh, &there.name)?;
        fs::write(
            &manifest,
            join::append(&text, &guess::first_line(&version_of)),
        )?;
        let table = guess::table(sh, &Workspace::load(sh)?, &version_of, there)?;
        fs::write(&manifest, join::append(&text, &table))?;
        to_know.push(
            "Cargo.toml: [workspace.metadata.release-train] has guesses: read them".to_string(),
        );
    }
    let workspace = Workspace::load(sh)?;
    let document = manifest::parse("Cargo.toml", text.as_str())?;
    if document.get("package").is_none()
        && document
            .get("workspace")
            .is_some_and(|table| table.get("resolver").is_none())
    {
        to_know.push(
            "Cargo.toml: without a `resolver`, cargo warns of a member of edition 2024: say which"
                .to_string(),
        );
    }
    to_know.extend(begin_notes(sh, root, &workspace)?);
    to_know.extend(old_cargo(&workspace));
    Ok(to_know)
}

fn has_configuration(text: &str) -> Result<bool> {
    let document = manifest::parse("Cargo.toml", text)?;
    let workspace = document
        .get("workspace")
        .and_then(|workspace| workspace.get("metadata"));
    Ok(workspace
        .and_then(|metadata| metadata.get("release-train"))
        .is_some())
}

/// Begins the notes, if there are none. A version that has a tag is out, and its section is not opened. Returns what the
/// owner is told.
fn begin_notes(sh: &Shell, root: &Path, workspace: &Workspace) -> Result<Vec<String>> {
    let version = release_of(&workspace.version);
    let is_out = git::has_tag(sh, &version)?;
    let section = workspace.new_section(&version)?;
    let mut to_know = Vec::new();
    if root.join(NOTES).exists() {
        let opened = workspace::read_notes(root)
            .and_then(|text| notes::open(&text, &version, &section, None));
        to_know.extend(
            opened
                .err()
                .map(|error| format!("{NOTES} cannot be gone on with: {error}")),
        );
    } else {
        let head = "<!-- The notes of each version, newest first. `cargo xtask notes new X.Y.Z` opens a section. -->\n";
        let section = if is_out {
            String::new()
        } else {
            format!("\n{section}\n")
        };
        fs::write(root.join(NOTES), format!("{head}{section}"))?;
    }
    let next = "the first train leaves from a version that is not: `cargo xtask bump`, then `cargo xtask notes new`";
    to_know.extend(is_out.then(|| format!("the version, {version}, has a tag: {next}")));
    Ok(to_know)
}

/// What the tool's edition does to those who build with an old cargo.
fn old_cargo(workspace: &Workspace) -> Option<String> {
    let asked = workspace
        .crates
        .iter()
        .filter_map(|member| member.about["rust_version"].as_str());
    let minor = |version: &str| version.split('.').nth(1)?.parse::<u64>().ok();
    let oldest = asked
        .filter_map(|version| Some((minor(version)?, version)))
        .min()?;
    (oldest.0 < 85).then(|| {
        format!(
            "`rust-version` {}: cargo before 1.85 does not read a workspace with a crate of edition 2024, as the tool is; \
             a CI job with such a cargo takes xtask out of `members` first",
            oldest.1
        )
    })
}

/// Workflows of theirs that get a token for crates.io.
fn other_publishers(root: &Path, new: &Files) -> Vec<String> {
    let tokens = [
        "CARGO_REGISTRY_TOKEN",
        "crates-io-auth-action",
        "cargo login",
    ];
    let found = workflows(root)
        .into_iter()
        .filter(|(path, _)| !new.0.contains_key(path))
        .filter_map(|(path, text)| {
            let token = tokens.iter().find(|token| text.contains(**token))?;
            Some(format!(
                "{path}: it can publish, too (`{token}`): remove what the train replaces"
            ))
        });
    found.collect()
}

/// Brings what changed from one tree to the other into the checkout and the index, merged with what is there. Returns the
/// files in which that does not go together.
fn stage(sh: &Shell, Prepared { before, after, .. }: &Prepared) -> Result<Vec<String>> {
    // It looks at all files before it writes the first.
    process::run_visible(cmd!(
        sh,
        "git read-tree -m -u --aggressive {before} HEAD {after}"
    ))?;
    let merged = process::output_of(cmd!(sh, "git merge-index -o -q git-merge-one-file -a"));
    let conflicts = process::output_of(cmd!(sh, "git diff --name-only --diff-filter=U"))?;
    match merged {
        Err(error) if conflicts.is_empty() => Err(error),
        _ => Ok(conflicts.lines().map(str::to_string).collect()),
    }
}

/// Fails if there is one, after it has named all.
fn refuse(obstacles: &[String]) -> Result<()> {
    match obstacles {
        [] => Ok(()),
        [only] => Err(only.clone().into()),
        all => {
            all.iter().for_each(|obstacle| say!("{obstacle}"));
            Err(format!(
                "{} things stand in the way, and nothing was changed",
                all.len()
            )
            .into())
        }
    }
}
