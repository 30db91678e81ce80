//! `cargo adopt DIR`: copies this tool into another workspace, or brings it up to date there. Everything is prepared in a
//! temporary worktree, where cargo and the tool must accept it; then it is staged in DIR in one step. Nothing is committed.

mod change;
mod files;
mod join;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xshell::{Shell, cmd};

use change::Change;
use files::Target;
use release_train::rules::{notes, version::branch_version};
use release_train::world::worktree::{Worktree, lock_clone};
use release_train::world::{git, items, process, text, workspace};
use release_train::{Arguments, Context, Result, Usage, bail, exit_code, finish, free, print, say};

const HELP: &str = "\
cargo adopt DIR [--name NAME] [--without WHAT]...

Copies the release train into the workspace at DIR, the root of a git
repository, or updates it there: everything is staged, nothing is committed,
and files of your own stay as they are.

--name NAME     call the folder, package, program and alias of the tool NAME
                instead of `xtask`; an update finds the name by itself
--without WHAT  leave out `rehearse` or a workflow, as in `cut.yml`; what was
                left out stays out

Example: cargo adopt ../yours --name train --without check-branches.yml
";

fn main() -> ExitCode {
    let run = || run(&Shell::new()?, Arguments::from_env());
    exit_code(run())
}

fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    if arguments.contains(["-h", "--help"]) {
        return print(HELP);
    }
    let name: Option<String> = arguments.opt_value_from_str("--name")?;
    let without: Vec<String> = arguments.values_from_str("--without")?;
    let dir = free(&mut arguments)?.ok_or_else(|| Usage("DIR is required".into()))?;
    finish(arguments)?;
    if let Some(name) = name.as_ref()
        && !is_name(sh, name)?
    {
        let rule = "a name is a letter, then letters, digits and _, in lower case, and not a command of cargo";
        return Err(Usage(format!("--name: `{name}`: {rule}")).into());
    }
    let clone = this_clone(sh)?;
    let root = repository(sh, &dir, &clone)?;
    let _root = sh.push_dir(&root);
    let _lock = lock_clone(sh)?;

    let (tool, from) = files::adopted(sh).unzip();
    if tool.is_some() && name.is_some() && tool != name {
        let tool = tool.unwrap_or_default();
        bail!("{dir}: the tool is there as `{tool}`: leave out --name");
    }
    let target = Target {
        name: git::repository_name(sh)?,
        tool: tool.or(name).unwrap_or("xtask".to_string()),
        main: main_branch(sh),
        on_release_branch: git::current_branch(sh).is_ok_and(|it| branch_version(&it).is_some()),
        locked: !process::output_of(cmd!(sh, "git ls-files Cargo.lock"))?.is_empty(),
    };
    let commit = process::output_of(cmd!(sh, "git -C {clone} rev-parse HEAD"))?;
    let old = from.map(|from| files::read(sh, &clone, &from, &target));
    let change = Change {
        old: old.transpose()?.unwrap_or_default(),
        new: files::read(sh, &clone, &commit, &target)?,
        left_out: Vec::new(),
        target,
    };
    let change = change.without(sh, &without)?;
    let blockers = blockers(sh, &root, &change)?;
    if !blockers.is_empty() {
        say!("{blockers}");
        bail!("{dir}: nothing was changed: see above what to fix first");
    }

    let tree = Worktree::add(sh, "HEAD")?;
    let prepared = prepare(sh, &tree.root, change);
    // An error names files as they are called in DIR.
    let folder = tree.root.join("").display().to_string();
    let notices = prepared.map_err(|error| error.to_string().replace(&folder, ""))?;
    let staged = tree.tree()?;
    drop(tree);
    process::output_of(cmd!(sh, "git read-tree -m -u HEAD {staged}"))?;
    let git = cmd!(sh, "git -C {dir}");
    let next = format!("see it: {git} diff --cached\nundo it: {git} reset --hard\n");
    let said = match git::uncommitted(sh, "no")? {
        Some(_) => format!("staged release-train {commit} in {dir}\n{next}"),
        None => format!("nothing to do: {dir} has release-train {commit}\n"),
    };
    print(&(said + &notices))
}

/// Whether the tool can be called so: as a package, a folder and an alias, and beside the names that it has within.
fn is_name(sh: &Shell, name: &str) -> Result<bool> {
    let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    let list = process::output_of(cmd!(sh, "cargo --list"))?;
    // An alias is hidden by ours, and a command would hide ours.
    let mut commands = list.lines().filter(|line| !line.contains(" alias: "));
    let is_command = commands.any(|line| line.split_whitespace().next() == Some(name));
    let is_taken = is_command || ["rehearse", "release_train"].contains(&name);
    Ok(begins && name.chars().all(is_allowed) && !is_taken)
}

/// The root of the clone of release-train around the current directory.
fn this_clone(sh: &Shell) -> Result<PathBuf> {
    let root = workspace::root(sh)?.canonicalize()?;
    let _root = sh.push_dir(&root);
    if !sh.path_exists("xtask/src/bin/adopt") {
        bail!("not a clone of release-train: {}", root.display());
    }
    git::committed(sh, "no")?;
    Ok(root)
}

/// The folder DIR, which must be the root of a repository and have a workspace.
fn repository(sh: &Shell, dir: &str, clone: &Path) -> Result<PathBuf> {
    let root = sh.current_dir().join(dir).canonicalize().context(dir)?;
    let _root = sh.push_dir(&root);
    let top = process::output_of(cmd!(sh, "git rev-parse --show-toplevel")).context(dir)?;
    if Path::new(&top).canonicalize()? != root || root == clone || !sh.path_exists("Cargo.toml") {
        bail!("{dir}: not the root of another repository with a workspace");
    }
    Ok(root)
}

/// The branch that everything lands on: origin's default, else `main` or `master`, else the one that is checked out.
fn main_branch(sh: &Shell) -> String {
    let names = ["origin/HEAD", "main", "master", "HEAD"].into_iter();
    let name = |of| cmd!(sh, "git rev-parse --verify --abbrev-ref {of}");
    let mut branches = names.filter_map(|it| process::output_of(name(it)).ok());
    let branch = branches.find(|branch| branch != "HEAD");
    let branch = branch.unwrap_or("main".to_string());
    branch.trim_start_matches("origin/").to_string()
}

/// Everything in DIR that keeps the tool out, each with what to do, in lines.
fn blockers(sh: &Shell, root: &Path, change: &Change) -> Result<String> {
    let mut found = BTreeSet::new();
    if let Some(file) = git::uncommitted(sh, "no")? {
        found.insert(format!("{file}: not committed: commit or stash it"));
    }
    let tool = &change.target.tool;
    let metadata = workspace::metadata(sh).unwrap_or_default();
    let mut packages = items(&metadata["packages"]).iter();
    let is_taken = sh.path_exists(tool) || packages.any(|it| text(&it["name"]) == *tool);
    if change.old.is_empty() && is_taken {
        let other = "pass `--name NAME` for another name";
        found.insert(format!("{tool}: yours: {other}"));
    }
    let legacy = root.join(".cargo/config");
    // A link to config.toml is for an older cargo.
    if legacy.is_file() && !legacy.is_symlink() {
        found.insert(".cargo/config: cargo reads it instead of config.toml: rename it".into());
    }
    let mut written: Vec<&str> = change.new.keys().map(String::as_str).collect();
    written.extend([join::CONFIG, "Cargo.toml"]);
    written.extend(Some(notes::FILE).filter(|file| !sh.path_exists(file)));
    for part in written.iter().flat_map(|path| Path::new(path).ancestors()) {
        if root.join(part).is_symlink() {
            let part = part.display();
            found.insert(format!("{part}: a symbolic link: replace it by its target"));
        }
    }
    let ignored = cmd!(sh, "git check-ignore --stdin");
    for path in process::search_output(ignored, &written.join("\n"))?.lines() {
        let top = path.split('/').next().unwrap_or(path);
        found.insert(format!("{top}: ignored by git: change .gitignore"));
    }
    Ok(found.into_iter().collect::<Vec<_>>().join("\n"))
}

/// Writes everything into a worktree, in which cargo must accept it. Returns what the owner should know, in lines.
fn prepare(sh: &Shell, root: &Path, change: Change) -> Result<String> {
    let _root = sh.push_dir(root);
    let target = &change.target;
    let (written, mut notices) = change.write(sh)?;
    notices += &join::aliases(sh, target, change.old.is_empty())?;
    notices += &join::member(sh, &target.tool)?;
    notices += &join::configuration(sh, target)?;
    notices += &join::release_notes(sh, target)?;
    notices += &join::workflows(sh, &written, &target.tool)?;
    if target.locked {
        let before = sh.read_file("Cargo.lock")?;
        // Adds what is missing to Cargo.lock, and replaces only what is too old for the tool.
        process::output_of(cmd!(sh, "cargo metadata --format-version 1"))?;
        notices += &join::replaced(&before, &sh.read_file("Cargo.lock")?);
    }
    Ok(notices)
}
