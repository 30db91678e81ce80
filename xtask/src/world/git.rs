//! What git says of the remote `origin`, of its history and of this clone. It fetches, moves no ref, and changes nothing of the
//! user's.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::path::Path;

use semver::Version;
use time::Date;
use xshell::{Shell, cmd};

use crate::rules::calendar::parse_date;
use crate::rules::version::{branch_version, same_line, tag_version};
use crate::world::worktree::lock_clone;
use crate::{Result, world::process, world::workspace};

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
        Ok(Remote::parse(
            &process::output_of(cmd!(sh, "git ls-remote --symref origin"))?,
            "refs/heads/",
            "HEAD",
        ))
    }

    /// Reads what `git ls-remote --symref` lists.
    pub fn parse(listing: &str, heads: &str, head: &str) -> Remote {
        let mut remote = Remote {
            main: "main".to_string(),
            branches: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        for (value, name) in listing.lines().filter_map(|line| line.split_once('\t')) {
            if name == head {
                let main = value
                    .strip_prefix("ref: ")
                    .and_then(|target| target.strip_prefix(heads));
                remote.main = main.map_or(remote.main, str::to_string);
            } else if let Some(branch) = name.strip_prefix(heads) {
                remote
                    .branches
                    .insert(branch.to_string(), value.to_string());
            } else if let Some(tag) = name.strip_prefix("refs/tags/") {
                // The peeled line of an annotated tag comes after its own.
                let version = tag_version(tag.trim_end_matches("^{}"));
                remote
                    .tags
                    .extend(version.map(|version| (version, value.to_string())));
            }
        }
        remote
    }

    /// The commit of a branch that must be there.
    pub fn branch(&self, name: &str) -> Result<&String> {
        Ok(self
            .branches
            .get(name)
            .ok_or_else(|| format!("origin has no branch `{name}`"))?)
    }

    /// The release branches with the versions in their names, oldest first.
    pub fn release_branches(&self) -> BTreeMap<Version, &str> {
        self.branches
            .keys()
            .filter_map(|name| Some((branch_version(name)?, name.as_str())))
            .collect()
    }

    /// The tags of the line of a version, candidates too, oldest first, with their commits.
    pub fn line(&self, line: &Version) -> Vec<(&Version, &String)> {
        self.tags
            .iter()
            .filter(|(version, _)| same_line(version, line))
            .collect()
    }

    /// The first release of a line, if it has left, with its commit.
    pub fn first_release(&self, line: &Version) -> Option<(&Version, &String)> {
        self.line(line)
            .into_iter()
            .find(|(version, _)| version.pre.is_empty())
    }
}

/// Fetches branches of `origin`, or refs that are named in full, with their history, also in a shallow clone, and moves no
/// ref here.
pub fn fetch(sh: &Shell, names: &[impl AsRef<str>]) -> Result<()> {
    let full = |name: &str| {
        if name.starts_with("refs/") {
            name.to_string()
        } else {
            format!("refs/heads/{name}")
        }
    };
    let refs = names.iter().map(|name| full(name.as_ref()));
    let unshallow = is_shallow(sh)?.then_some("--unshallow");
    let still = [
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--refmap=",
        "--recurse-submodules=no",
    ];
    process::output_of(cmd!(
        sh,
        "git fetch --quiet --no-tags {still...} {unshallow...} origin {refs...}"
    ))
    .map(drop)
}

/// Whether history is missing here.
pub fn is_shallow(sh: &Shell) -> Result<bool> {
    Ok(process::output_of(cmd!(sh, "git rev-parse --is-shallow-repository"))? == "true")
}

/// A file of the workspace around the current directory, as it is in a commit; `None` if it is not there.
pub fn file_at(sh: &Shell, commit: &str, file: &str) -> Option<String> {
    let root = workspace::root(sh).ok()?;
    process::output_of(cmd!(sh, "git -C {root} cat-file blob {commit}:./{file}")).ok()
}

/// A file that is not as it was committed, if there is one; with `untracked` at `normal` rather than `no`, also a new one.
pub fn uncommitted(sh: &Shell, untracked: &str) -> Result<Option<String>> {
    let changes = process::output_of(cmd!(
        sh,
        "git status --porcelain --untracked-files={untracked}"
    ))?;
    Ok(changes
        .lines()
        .find_map(|change| change.get(3..))
        .map(str::to_string))
}

/// Whether this clone has a tag of a version, whatever stands before it: who has not released by train names tags otherwise.
pub fn has_tag(sh: &Shell, version: &Version) -> Result<bool> {
    let is_of_version = |tag: &str| {
        let before = tag.strip_suffix(&version.to_string());
        before.is_some_and(|before| !before.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
    };
    Ok(process::output_of(cmd!(sh, "git tag --no-column"))?
        .lines()
        .any(is_of_version))
}

/// The commits that lead to one along first parents, newest first, with itself.
pub fn first_parents(sh: &Shell, to: &str) -> Result<Vec<String>> {
    process::output_of(cmd!(sh, "git rev-list --first-parent {to}")).map(lines)
}

/// The commits after one and up to another, along first parents, newest first, that changed a version or the notes.
pub fn release_changes(sh: &Shell, since: Option<&str>, to: &str) -> Result<Vec<String>> {
    let range = range(since, to);
    let files = [
        "--",
        ":(top,glob)**/RELEASES.md",
        ":(top,glob)**/Cargo.toml",
    ];
    process::output_of(cmd!(sh, "git rev-list --first-parent {range} {files...}")).map(lines)
}

/// The messages of a commit and of all that it merged. `since` is the commit below it along first parents, if any.
pub fn messages(sh: &Shell, since: Option<&String>, commit: &str) -> Result<Vec<String>> {
    Ok(log(sh, &["-z", "--format=%B", &range(since, commit)])?
        .split('\0')
        .map(str::to_string)
        .collect())
}

/// The subjects of the commits that are in `to` and not in `from`, newest first, merges left out.
pub fn subjects(sh: &Shell, from: &str, to: &str) -> Result<Vec<String>> {
    log(sh, &["--no-merges", "--format=%s", &range(Some(from), to)]).map(lines)
}

fn range(since: Option<impl Display>, to: &str) -> String {
    since.map_or(to.to_string(), |since| format!("{since}..{to}"))
}

fn lines(text: String) -> Vec<String> {
    text.lines().map(str::to_string).collect()
}

/// `git log`, whatever the user has configured for their own eyes.
fn log(sh: &Shell, arguments: &[&str]) -> Result<String> {
    let plain = ["-c", "log.showSignature=false", "-c", "color.ui=false"];
    process::output_of(cmd!(
        sh,
        "git {plain...} log --encoding=UTF-8 {arguments...}"
    ))
}

/// Whether everything in one commit is in another.
pub fn is_ancestor(sh: &Shell, ancestor: &str, of: &str) -> Result<bool> {
    Ok(process::output_of(cmd!(sh, "git rev-list -1 {ancestor} ^{of}"))?.is_empty())
}

/// The days of commits. Fails if one is none, so that each that was asked for is among them.
pub fn commit_dates<'a>(
    sh: &Shell,
    commits: impl IntoIterator<Item = &'a String>,
) -> Result<BTreeMap<String, Date>> {
    let commits: Vec<&str> = commits.into_iter().map(String::as_str).collect();
    if commits.is_empty() {
        return Ok(BTreeMap::new()); // it would take HEAD
    }
    let read = |line: &str| -> Result<(String, Date)> {
        let (commit, date) = line.split_once(' ').ok_or("git log printed no date")?;
        Ok((commit.to_string(), parse_date(date)?))
    };
    let said = log(
        sh,
        &[&["--no-walk=unsorted", "--format=%H %cs"], &commits[..]].concat(),
    )?;
    let dates: BTreeMap<String, Date> = said.lines().map(read).collect::<Result<_>>()?;
    match commits.iter().find(|commit| !dates.contains_key(**commit)) {
        Some(object) => Err(format!(
            "a tag of a version leads to {object}, which is no commit: delete that tag"
        )
        .into()),
        None => Ok(dates),
    }
}

/// The moment of HEAD, in ISO 8601.
pub fn commit_time(sh: &Shell) -> Result<String> {
    log(sh, &["-1", "--format=%cI"])
}

/// The branch that is checked out.
pub fn current_branch(sh: &Shell) -> Result<String> {
    let branch = process::output_of(cmd!(sh, "git symbolic-ref --quiet --short HEAD"));
    Ok(branch.map_err(|_| "no branch is checked out: say `--branch`")?)
}

/// Begins a task: makes it the only one in this clone until the file is dropped, and reads the remote.
pub fn lock_and_read_remote(sh: &Shell) -> Result<(File, Remote)> {
    let lock = lock_clone(sh)?;
    Ok((lock, Remote::read(sh)?))
}

/// The last name in the address of origin, or else that of the repository's folder.
pub fn repository_name(sh: &Shell) -> Result<String> {
    let address = process::output_of(cmd!(sh, "git remote get-url origin")).ok();
    let folder = process::output_of(cmd!(sh, "git rev-parse --show-toplevel"))?;
    let last = |place: &str| -> Option<String> {
        // A clone of `.` has an address that ends so.
        let name = Path::new(place)
            .file_name()?
            .to_str()?
            .rsplit([':', '\\'])
            .next()?;
        Some(name.trim_end_matches(".git").to_string()).filter(|name| !name.is_empty())
    };
    let name = address
        .and_then(|address| last(&address))
        .or_else(|| last(&folder));
    Ok(name.ok_or("the repository has no name: say `name` in [workspace.metadata.release-train]")?)
}

/// Fails if a file is not as it was committed, `untracked` as in `uncommitted`.
pub fn committed(sh: &Shell, untracked: &str) -> Result<()> {
    match uncommitted(sh, untracked)? {
        Some(file) => {
            Err(format!("`{file}` is not committed: what goes out must be a commit").into())
        }
        None => Ok(()),
    }
}
