//! What git says of the remote `origin` and of its history, and temporary worktrees in which commits are made. It never
//! changes the user's checkout, index, branches or tags, and writes nothing beyond this machine: that is `outward.rs`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::PathBuf;

use semver::Version;
use time::Date;
use xshell::{Shell, cmd};

use crate::calendar::parse_date;
use crate::version::{self, tag_version};
use crate::{Result, say, shell};

/// The refs of `origin`, read at one moment.
pub struct Remote {
    /// The branch that everything lands on first: the remote's default, or `main` where it names none.
    pub main: String,
    /// From the name of each branch to its commit.
    pub branches: BTreeMap<String, String>,
    /// From the version of each release tag to its commit, peeled. Other people's tags are not among them.
    pub tags: BTreeMap<Version, String>,
}

impl Remote {
    pub fn read(sh: &Shell) -> Result<Remote> {
        let listing = shell::read(cmd!(sh, "git ls-remote --symref origin"))?;
        let mut remote = Remote { main: "main".to_string(), branches: BTreeMap::new(), tags: BTreeMap::new() };
        for line in listing.lines() {
            let Some((value, name)) = line.split_once('\t') else { continue };
            if let (Some(target), "HEAD") = (value.strip_prefix("ref: refs/heads/"), name) {
                remote.main = target.to_string();
            } else if let Some(branch) = name.strip_prefix("refs/heads/") {
                remote.branches.insert(branch.to_string(), value.to_string());
            } else if let Some(tag) = name.strip_prefix("refs/tags/") {
                // The peeled line of an annotated tag comes after its own.
                let version = tag_version(tag.trim_end_matches("^{}"));
                remote.tags.extend(version.map(|version| (version, value.to_string())));
            }
        }
        Ok(remote)
    }

    /// The commit of a branch that must be there.
    pub fn branch(&self, name: &str) -> Result<&String> {
        Ok(self.branches.get(name).ok_or_else(|| format!("origin has no branch `{name}`"))?)
    }

    /// The release branches with the versions in their names, oldest first.
    pub fn release_branches(&self) -> BTreeMap<Version, &str> {
        let named = |name: &'_ String| version::branch_version(name);
        self.branches.keys().filter_map(|name| Some((named(name)?, name.as_str()))).collect()
    }

    /// The highest release of the line of a release branch: its last tag, with the commit.
    pub fn last_tag(&self, line: &Version) -> Option<(&Version, &String)> {
        self.tags.iter().rfind(|(version, _)| version::same_line(version, line))
    }
}

/// Fetches branches of `origin` with their history, also in a shallow clone, and moves no ref.
pub fn fetch(sh: &Shell, branches: &[&str]) -> Result<()> {
    let shallow = shell::read(cmd!(sh, "git rev-parse --is-shallow-repository"))?.trim() == "true";
    let unshallow: &[&str] = if shallow { &["--unshallow"] } else { &[] };
    let refs = branches.iter().map(|branch| format!("refs/heads/{branch}"));
    let quiet = ["--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=", "--recurse-submodules=no"];
    shell::read(cmd!(sh, "git fetch {quiet...} {unshallow...} origin {refs...}")).map(drop)
}

/// The commits that lead to `to` along first parents, newest first, without those of `main`.
pub fn first_parents(sh: &Shell, to: &str, main: &str) -> Result<Vec<String>> {
    let commits = shell::read(cmd!(sh, "git rev-list --first-parent {to} ^{main}"))?;
    Ok(commits.lines().map(str::to_string).collect())
}

/// The messages of a commit and of all that it merged. `since` is the commit below it along first parents.
pub fn messages(sh: &Shell, since: &str, commit: &str) -> Result<Vec<String>> {
    Ok(log(sh, &["-z", "--format=%B", commit, "--not", since])?.split('\0').map(str::to_string).collect())
}

/// The subjects of the commits that are in `to` and not in `from`, newest first, merges left out.
pub fn subjects(sh: &Shell, from: &str, to: &str) -> Result<Vec<String>> {
    let subjects = log(sh, &["--no-merges", "--format=%s", to, "--not", from])?;
    Ok(subjects.lines().map(str::to_string).collect())
}

/// The newest commit of a branch, along first parents, that changed a version or the notes.
pub fn last_release_commit(sh: &Shell, head: &str) -> Result<String> {
    let files = [":(top,glob)**/RELEASES.md", ":(top,glob)**/Cargo.toml"];
    Ok(log(sh, &[&["--first-parent", "-1", "--format=%H", head, "--"][..], &files].concat())?.trim().to_string())
}

/// `git log`, whatever the user has configured for their own eyes.
fn log(sh: &Shell, arguments: &[&str]) -> Result<String> {
    let plain = ["-c", "log.showSignature=false", "-c", "color.ui=false"];
    shell::read(cmd!(sh, "git {plain...} log --encoding=UTF-8 {arguments...}"))
}

/// Whether everything in one commit is in another.
pub fn is_ancestor(sh: &Shell, ancestor: &str, of: &str) -> Result<bool> {
    Ok(shell::read(cmd!(sh, "git rev-list -1 {ancestor} ^{of}"))?.is_empty())
}

/// The day of a commit.
pub fn commit_date(sh: &Shell, commit: &str) -> Result<Date> {
    parse_date(log(sh, &["-1", "--format=%cs", commit])?.trim())
}

/// The branch that is checked out.
pub fn current_branch(sh: &Shell) -> Result<String> {
    let branch = shell::read(cmd!(sh, "git symbolic-ref --quiet --short HEAD"));
    Ok(branch.map_err(|_| "no branch is checked out: say `--branch`")?.trim().to_string())
}

/// Makes this the only task that runs in this clone until the file is dropped, waiting for another to end, and removes
/// what one that was killed has left.
pub fn alone(sh: &Shell) -> Result<File> {
    let git = shell::read(cmd!(sh, "git rev-parse --path-format=absolute --git-common-dir"))?;
    let lock = File::create(PathBuf::from(git.trim()).join("release-train.lock"))?;
    if lock.try_lock().is_err() {
        say(format_args!("waiting for another task in this clone"));
        lock.lock()?;
    }
    let worktrees = shell::read(cmd!(sh, "git worktree list --porcelain"))?;
    let folders =
        worktrees.lines().filter_map(|line| PathBuf::from(line.strip_prefix("worktree ")?).parent().map(PathBuf::from));
    for folder in folders {
        if folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX)) {
            remove(sh, &folder);
        }
    }
    shell::read(cmd!(sh, "git worktree prune"))?;
    Ok(lock)
}

/// A commit checked out in a temporary folder, to edit and to commit in, and gone when this is dropped.
pub struct Worktree<'a> {
    sh: &'a Shell,
    folder: PathBuf,
    /// The workspace's root in it.
    pub root: PathBuf,
}

const PREFIX: &str = "release-train-";

impl Worktree<'_> {
    pub fn add<'a>(sh: &'a Shell, commit: &str) -> Result<Worktree<'a>> {
        let manifest = shell::read(cmd!(sh, "cargo locate-project --workspace --message-format plain"))?;
        let workspace = PathBuf::from(manifest.trim()).parent().map(PathBuf::from).unwrap_or_default();
        let in_repository = shell::read(cmd!(sh, "git -C {workspace} rev-parse --show-prefix"))?;

        let name = |count| std::env::temp_dir().join(format!("{PREFIX}{}-{count}", std::process::id()));
        let folder = (0..1_000).map(name).find(|folder| fs::create_dir(folder).is_ok());
        let folder = folder.ok_or_else(|| format!("{}: no folder can be made", std::env::temp_dir().display()))?;
        let tree = folder.join("tree");
        let worktree = Worktree { sh, folder, root: tree.join(in_repository.trim_end()) };
        shell::read(cmd!(sh, "git -c core.hooksPath=/dev/null worktree add --quiet --detach {tree} {commit}"))?;
        Ok(worktree)
    }

    /// Commits all changes and returns the commit; `None` if there are none. It runs no hook and signs nothing, whatever
    /// the user's configuration says: the commit is the tool's, and a human merges it.
    pub fn commit(&self, message: &str) -> Result<Option<String>> {
        let sh = self.sh;
        let _tree = sh.push_dir(self.folder.join("tree"));
        shell::read(cmd!(sh, "git -c core.hooksPath=/dev/null add --all"))?;
        let tree = shell::read(cmd!(sh, "git write-tree"))?;
        if tree == log(sh, &["-1", "--format=%T"])? {
            return Ok(None);
        }
        let tree = tree.trim();
        let commit = shell::read(cmd!(sh, "git commit-tree {tree} -p HEAD -F -").stdin(message))?;
        Ok(Some(commit.trim().to_string()))
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        remove(self.sh, &self.folder);
    }
}

fn remove(sh: &Shell, folder: &PathBuf) {
    let tree = folder.join("tree");
    let _ = shell::read(cmd!(sh, "git worktree remove --force {tree}"));
    let _ = fs::remove_dir_all(folder);
}
