//! Temporary worktrees, in which commits are made and workspaces are read, and the lock against other tasks in the same
//! clone. The user's checkout, index, branches and tags stay as they are.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use toml_edit::Document;
use xshell::{Shell, cmd};

use crate::world::process::{output_of, output_with_input};
use crate::{Context, Result, bail, say};

/// Waits until no other task runs in this clone, and removes the worktrees of tasks that were killed. Other tasks wait until
/// the file is dropped.
pub fn lock_clone(sh: &Shell) -> Result<File> {
    let directory = cmd!(sh, "git rev-parse --path-format=absolute --git-common-dir");
    let path = Path::new(&output_of(directory)?).join("release-train.lock");
    let lock = File::create(&path).context(path.display())?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        say!("waiting for another task in this clone");
        lock.lock().context(path.display())?;
    }
    // The first one is the clone itself.
    let worktrees = output_of(cmd!(sh, "git worktree list --porcelain"))?;
    for line in worktrees.lines().skip(1) {
        let folder = Path::new(line.strip_prefix("worktree ").unwrap_or_default());
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let is_number = |rest: &str| rest.bytes().all(|byte| b"-0123456789".contains(&byte));
        if name.strip_prefix(PREFIX).is_some_and(is_number) {
            remove(sh, folder);
        }
    }
    Ok(lock)
}

/// A commit checked out in a temporary folder, to edit and to commit in. The folder is removed when this is dropped.
pub struct Worktree<'a> {
    sh: &'a Shell,
    folder: PathBuf,
    /// The root of the workspace in it.
    pub root: PathBuf,
}

/// The names of the folders begin with it.
const PREFIX: &str = "release-train-worktree-";

/// None of the user's hooks, all files even if the user's checkout is sparse, and any line ends, which git would check.
const OPTIONS: &str =
    "-c core.hooksPath=/dev/null -c core.sparseCheckout=false -c core.safecrlf=false";

impl Worktree<'_> {
    /// The current directory is the root of the workspace.
    pub fn add<'a>(sh: &'a Shell, commit: &str) -> Result<Worktree<'a>> {
        let in_repository = output_of(cmd!(sh, "git rev-parse --show-prefix"))?;
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos();
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{now}", std::process::id()));
        create_private(&folder)?;
        let root = folder.join(in_repository);
        let mut worktree = Worktree { sh, folder, root };
        let (options, folder) = (OPTIONS.split(' '), &worktree.folder);
        let add = cmd!(sh, "git {options...} worktree add --quiet --detach");
        output_of(add.arg(folder).arg(commit))?;
        if !worktree.root.join("Cargo.toml").exists() {
            // The workspace is at another place in the repository at that commit.
            worktree.root = folder.clone();
        }
        worktree.refuse_own_toolchain().context(commit)?;
        Ok(worktree)
    }

    /// Fails if the tree names a folder as its toolchain: cargo would run programs from there.
    fn refuse_own_toolchain(&self) -> Result<()> {
        let is_inside = |folder: &&Path| folder.starts_with(&self.folder);
        for folder in self.root.ancestors().take_while(is_inside) {
            for name in ["rust-toolchain.toml", "rust-toolchain"] {
                let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
                let file = Document::parse(text).ok();
                let toolchain = file.as_ref().and_then(|file| file.get("toolchain"));
                if toolchain.is_some_and(|it| it.get("path").is_some()) {
                    bail!("{name} names a `path`: programs of a branch are not run");
                }
            }
        }
        Ok(())
    }

    /// All present files as git's tree object.
    pub fn tree(&self) -> Result<String> {
        let (sh, options) = (self.sh, OPTIONS.split(' '));
        let _folder = sh.push_dir(&self.folder);
        output_of(cmd!(sh, "git {options...} add --all"))?;
        output_of(cmd!(sh, "git write-tree"))
    }

    /// Commits all changes and returns the commit. Fails if there are none. It runs no hook and signs nothing, whatever
    /// the user's configuration says: the commit is the tool's, and a human merges it.
    pub fn commit(&self, message: &str) -> Result<String> {
        let (sh, tree, before) = (self.sh, self.tree()?, "HEAD^{tree}");
        let _folder = sh.push_dir(&self.folder);
        if tree == output_of(cmd!(sh, "git rev-parse {before}"))? {
            bail!("there is nothing to commit");
        }
        let utf_8 = "i18n.commitEncoding=UTF-8";
        let commit = cmd!(sh, "git -c {utf_8} commit-tree {tree} -p HEAD -F -");
        output_with_input(commit, message)
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        remove(self.sh, &self.folder);
    }
}

/// Makes a folder that only the user can enter. Fails if a folder above it holds a file that cargo or rustup would obey there
/// and that belongs to another user: everyone may write to a shared /tmp.
#[cfg(unix)]
fn create_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    let made = fs::DirBuilder::new().mode(0o700).create(folder);
    made.context(folder.display())?;
    let own = fs::metadata(folder)?.uid();
    for above in folder.ancestors().skip(1) {
        for name in OBEYED.split(' ') {
            let file = above.join(name);
            let owner = fs::symlink_metadata(&file).map_or(own, |file| file.uid());
            if owner != own && owner != 0 {
                let _ = fs::remove_dir(folder);
                let file = file.display();
                bail!("{file} belongs to another user: set TMPDIR to another folder");
            }
        }
    }
    Ok(())
}

#[cfg(unix)]
const OBEYED: &str =
    "Cargo.toml .cargo .cargo/config .cargo/config.toml rust-toolchain rust-toolchain.toml";

/// The user's temporary folder is their own there.
#[cfg(not(unix))]
fn create_private(folder: &Path) -> Result<()> {
    fs::create_dir(folder).context(folder.display())
}

fn remove(sh: &Shell, folder: &Path) {
    let _ = output_of(cmd!(sh, "git worktree remove --force --force {folder}"));
    let _ = fs::remove_dir_all(folder);
}
