//! Temporary worktrees, in which commits are made and workspaces are read, and the lock that keeps one task of a clone from
//! another's. The user's checkout, index, branches and tags stay as they are.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::{Context, Result, say, world::process, world::workspace};

/// Waits until no other task runs in this clone, and removes what one that was killed has left. No other begins until the
/// file is dropped.
pub fn lock_clone(sh: &Shell) -> Result<File> {
    let git = process::output_of(cmd!(
        sh,
        "git rev-parse --path-format=absolute --git-common-dir"
    ))?;
    let path = Path::new(&git).join("release-train.lock");
    let lock = File::create(&path).context(path.display())?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        say!("waiting for another task in this clone");
        lock.lock().context(path.display())?;
    }
    let worktrees = process::output_of(cmd!(sh, "git worktree list --porcelain"))?;
    // The first one is the clone itself.
    for tree in worktrees
        .lines()
        .filter_map(|line| line.strip_prefix("worktree "))
        .skip(1)
    {
        if let Some(folder) = Path::new(tree)
            .parent()
            .filter(|folder| tree.ends_with("/tree") && is_ours(folder))
        {
            remove(sh, folder);
        }
    }
    Ok(lock)
}

/// Whether a folder has a name that `Worktree::add` gives.
fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix(PREFIX)
        .is_some_and(|rest| rest.split('-').all(|number| number.parse::<u32>().is_ok()))
}

/// A commit checked out in a temporary folder, to edit and to commit in, and gone when this is dropped.
pub struct Worktree<'a> {
    sh: &'a Shell,
    folder: PathBuf,
    /// The workspace's root in it.
    pub root: PathBuf,
}

const PREFIX: &str = "release-train-";
/// No hooks of the user's, every file also where the user's checkout is sparse, and any line ends: git checks theirs in what
/// the user adds.
const OWN: [&str; 6] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.sparseCheckout=false",
    "-c",
    "core.safecrlf=false",
];

impl Worktree<'_> {
    pub fn add<'a>(sh: &'a Shell, commit: &str) -> Result<Worktree<'a>> {
        let workspace = workspace::root(sh)?;
        let in_repository =
            process::output_of(cmd!(sh, "git -C {workspace} rev-parse --show-prefix"))?;

        let name =
            |count| std::env::temp_dir().join(format!("{PREFIX}{}-{count}", std::process::id()));
        let folder = (0..1_000)
            .map(name)
            .find(|folder| fs::create_dir(folder).is_ok());
        let folder = folder
            .ok_or_else(|| format!("{}: no folder can be made", std::env::temp_dir().display()))?;
        let tree = folder.join("tree");
        let mut worktree = Worktree {
            sh,
            folder,
            root: tree.join(in_repository),
        };
        process::output_of(cmd!(
            sh,
            "git {OWN...} worktree add --quiet --detach {tree} {commit}"
        ))?;
        if !worktree.root.join("Cargo.toml").exists() {
            // The workspace moved within the repository since that commit, or until then.
            worktree.root = tree;
        }
        Ok(worktree)
    }

    /// All that is there now, as git's tree object.
    pub fn tree(&self) -> Result<String> {
        let sh = self.sh;
        let _tree = sh.push_dir(self.folder.join("tree"));
        process::output_of(cmd!(sh, "git {OWN...} add --all"))?;
        process::output_of(cmd!(sh, "git write-tree"))
    }

    /// Commits all changes and returns the commit; `None` if there are none. It runs no hook and signs nothing, whatever
    /// the user's configuration says: the commit is the tool's, and a human merges it.
    pub fn commit(&self, message: &str) -> Result<Option<String>> {
        let sh = self.sh;
        let tree = self.tree()?;
        let _tree = sh.push_dir(self.folder.join("tree"));
        let before = "HEAD^{tree}";
        if tree == process::output_of(cmd!(sh, "git rev-parse {before}"))? {
            return Ok(None);
        }
        let commit = process::output_with_input(
            cmd!(
                sh,
                "git -c i18n.commitEncoding=UTF-8 commit-tree {tree} -p HEAD -F -"
            ),
            message,
        )?;
        Ok(Some(commit))
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        remove(self.sh, &self.folder);
    }
}

fn remove(sh: &Shell, folder: &Path) {
    let tree = folder.join("tree");
    let _ = process::output_of(cmd!(sh, "git worktree remove --force --force {tree}"));
    let _ = fs::remove_dir_all(folder);
}
