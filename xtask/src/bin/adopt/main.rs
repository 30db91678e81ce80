//! `cargo adopt DIR`: copies this tool into another workspace, or brings it up to date there. Everything is prepared in a
//! temporary worktree, where cargo and the tool must accept it; then it is staged in DIR in one step. Nothing is committed.

mod files;
mod join;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use xshell::{Shell, cmd};

use files::{Files, REHEARSE, Target, WORKFLOWS};
use release_train::rules::notes;
use release_train::world::worktree::{Worktree, lock_clone};
use release_train::world::{git, process, workspace};
use release_train::{Arguments, Context, Result, Usage, exit_code, finish, free, print, say};

const HELP: &str = "\
cargo adopt DIR

Copies the release train into the workspace at DIR, the root of a git
repository without uncommitted changes. It adds

- xtask/ without its tests, benchmarks and demo, and the workflows;
- the workspace member, the aliases `cargo xtask` and `cargo rehearse`, and
  the tool's dependencies in Cargo.lock, if that is committed;
- [workspace.metadata.release-train] with guesses, if there is none;
- RELEASES.md, if there is none.

Everything is staged and nothing is committed: `git diff --cached` shows it,
`git reset --hard` undoes it. It overwrites no file but the tool's own, and
reports every blocker before it changes anything.

Run it again from a newer clone of release-train to update the tool. It names
the tool's files that you had changed, and overwrites them too. Workflows and
xtask/src/bin/rehearse stay deleted if you have deleted them.
";

const NEXT: &str = "see it: git diff --cached\nundo it: git reset --hard\n";

fn main() -> ExitCode {
    let run = || run(&Shell::new()?, Arguments::from_env());
    exit_code(run())
}

fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    if arguments.contains(["-h", "--help"]) {
        return print(HELP);
    }
    let dir = free(&mut arguments)?.ok_or_else(|| Usage("DIR is required".into()))?;
    finish(arguments)?;
    let clone = this_clone(sh)?;
    let root = repository(sh, &dir, &clone)?;
    let _root = sh.push_dir(&root);
    let _lock = lock_clone(sh)?;

    let target = Target {
        name: git::repository_name(sh)?,
        main: main_branch(sh),
        locked: !process::output_of(cmd!(sh, "git ls-files Cargo.lock"))?.is_empty(),
    };
    let old = match files::adopted_commit(sh) {
        Some(commit) => files::read(sh, &clone, &commit, &target)?,
        None => Files::new(),
    };
    let commit = process::output_of(cmd!(sh, "git -C {clone} rev-parse HEAD"))?;
    let mut new = files::read(sh, &clone, &commit, &target)?;
    new.retain(|path, _| !was_deleted(sh, path, &old));

    let blockers = blockers(sh, &root, &old, &new)?;
    for blocker in &blockers {
        say!("{blocker}");
    }
    if !blockers.is_empty() {
        return Err(format!("{dir}: nothing was changed: see above what to fix first").into());
    }

    let tree = Worktree::add(sh, "HEAD")?;
    let prepared = prepare(sh, &tree.root, &old, &new, &target);
    // An error names files as they are called in DIR.
    let folder = tree.root.join("").display().to_string();
    let notices = prepared.map_err(|error| error.to_string().replace(&folder, ""))?;
    let staged = tree.tree()?;
    drop(tree);
    process::output_of(cmd!(sh, "git read-tree -m -u HEAD {staged}"))?;
    let said = match git::uncommitted(sh, "no")? {
        Some(_) => format!("staged release-train {commit} in {dir}\n{NEXT}"),
        None => format!("nothing to do: {dir} has release-train {commit}\n"),
    };
    print(&(said + &notices))
}

/// The root of the clone of release-train around the current directory.
fn this_clone(sh: &Shell) -> Result<PathBuf> {
    let root = workspace::root(sh)?.canonicalize()?;
    let _root = sh.push_dir(&root);
    if !sh.path_exists("xtask/src/bin/adopt") {
        return Err(format!("not a clone of release-train: {}", root.display()).into());
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
        return Err(format!("{dir}: not the root of another repository with a workspace").into());
    }
    Ok(root)
}

/// The branch that everything lands on: origin's default, else `main` or `master`, else the one that is checked out.
fn main_branch(sh: &Shell) -> String {
    for name in ["origin/HEAD", "main", "master", "HEAD"] {
        let branch = cmd!(sh, "git rev-parse --verify --abbrev-ref {name}");
        let branch = process::output_of(branch).ok();
        if let Some(branch) = branch.filter(|branch| branch != "HEAD") {
            return branch.trim_start_matches("origin/").to_string();
        }
    }
    "main".to_string()
}

/// Whether the owner has deleted a file that the tool works without.
fn was_deleted(sh: &Shell, path: &str, old: &Files) -> bool {
    if path.starts_with(REHEARSE) {
        return !old.is_empty() && !sh.path_exists(REHEARSE);
    }
    path.starts_with(WORKFLOWS) && old.contains_key(path) && !sh.path_exists(path)
}

/// Everything in DIR that keeps the tool out, each with what to do.
fn blockers(sh: &Shell, root: &Path, old: &Files, new: &Files) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    if let Some(file) = git::uncommitted(sh, "no")? {
        found.insert(format!("{file}: not committed: commit or stash it"));
    }
    let mut written: Vec<&str> = new.keys().map(String::as_str).collect();
    written.extend([join::CONFIG, "Cargo.toml"]);
    if !sh.path_exists(notes::FILE) {
        written.push(notes::FILE);
    }
    for path in &written {
        if new.contains_key(*path) && !old.contains_key(*path) && sh.path_exists(path) {
            found.insert(format!("{path}: not the tool's: rename it"));
        }
        for part in Path::new(path).ancestors() {
            if root.join(part).is_symlink() {
                let part = part.display();
                found.insert(format!("{part}: a symbolic link: replace it by its target"));
            }
        }
    }
    let ignored = cmd!(sh, "git check-ignore --stdin");
    for path in process::search_output(ignored, &written.join("\n"))?.lines() {
        let top = path.split('/').next().unwrap_or(path);
        found.insert(format!("{top}: ignored by git: change .gitignore"));
    }
    Ok(found)
}

/// Writes everything into a worktree, in which cargo must accept it. Returns what the owner should know, in lines.
fn prepare(sh: &Shell, root: &Path, old: &Files, new: &Files, target: &Target) -> Result<String> {
    let _root = sh.push_dir(root);
    let mut notices = String::new();
    for (path, text) in old.iter().filter(|(path, _)| sh.path_exists(path)) {
        let now = sh.read_file(path)?.replace("\r\n", "\n");
        if now != *text && new.get(path) != Some(&now) {
            notices += &format!("{path}: your changes are overwritten\n");
        }
        if !new.contains_key(path) {
            sh.remove_path(path)?;
        }
    }
    for (path, text) in new {
        sh.write_file(path, text)?;
    }
    notices += &join::member(sh)?;
    notices += &join::aliases(sh, new, target.locked)?;
    notices += &join::configuration(sh, &target.name)?;
    notices += &join::release_notes(sh)?;
    notices += &join::workflows(sh, new)?;
    if target.locked {
        // Adds what is missing to Cargo.lock, and moves nothing that is there.
        process::output_of(cmd!(sh, "cargo metadata --format-version 1"))?;
    }
    Ok(notices)
}
