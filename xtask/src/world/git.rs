//! What git says of the remote `origin`, of its history and of this clone. It fetches, but moves no ref.

use std::collections::BTreeMap;
use std::fs::File;

use semver::Version;
use time::Date;
use xshell::{Shell, cmd};

use crate::rules::calendar::parse_date;
use crate::rules::version::{TagForm, branch_version, same_line};
use crate::world::process::output_of;
use crate::world::workspace;
use crate::world::worktree::lock_clone;
use crate::{Result, bail};

/// The refs of `origin`, read at one moment.
pub struct Remote {
    /// The branch that everything lands on first: the remote's default, or `main` if it names none.
    pub main: String,
    /// From the name of each branch to its commit.
    pub branches: BTreeMap<String, String>,
    /// From the version of each release tag to its commit, peeled. Other tags are left out.
    pub tags: BTreeMap<Version, String>,
    /// The names of all tags.
    pub tag_names: Vec<String>,
    pub form: TagForm,
}

impl Remote {
    pub fn read(sh: &Shell) -> Result<Remote> {
        let listing = output_of(cmd!(sh, "git ls-remote --symref origin"))?;
        let form = workspace::tag_form(sh)?;
        Ok(Remote::parse(&listing, form))
    }

    /// What this clone knows of `origin`.
    pub fn known(sh: &Shell, form: TagForm) -> Result<Remote> {
        // The first protocol of git does not tell where `origin/HEAD` leads.
        let listing = output_of(cmd!(sh, "git -c protocol.version=2 ls-remote --symref ."))?;
        // As `origin` would list them, without the branches of the clone itself.
        let listing = listing.replace("refs/heads/", "own/");
        let listing = listing.replace("refs/remotes/origin/HEAD", "HEAD");
        let listing = listing.replace("refs/remotes/origin/", "refs/heads/");
        Ok(Remote::parse(&listing, form))
    }

    /// Reads what `git ls-remote --symref` prints.
    fn parse(listing: &str, form: TagForm) -> Remote {
        let (mut branches, mut tags) = (BTreeMap::new(), BTreeMap::new());
        let mut tag_names = Vec::new();
        let mut main = "main".to_string();
        for (value, name) in listing.lines().filter_map(|line| line.split_once('\t')) {
            if let (Some(target), "HEAD") = (value.strip_prefix("ref: refs/heads/"), name) {
                main = target.to_string();
            } else if let Some(branch) = name.strip_prefix("refs/heads/") {
                branches.insert(branch.to_string(), value.to_string());
            } else if let Some(tag) = name.strip_prefix("refs/tags/") {
                // The peeled line of an annotated tag follows its own.
                let tag = tag.trim_end_matches("^{}");
                tag_names.push(tag.to_string());
                let version = form.version(tag);
                tags.extend(version.map(|version| (version, value.to_string())));
            }
        }
        Remote {
            main,
            branches,
            tags,
            tag_names,
            form,
        }
    }

    /// The tag of a version.
    pub fn tag(&self, version: &Version) -> String {
        self.form.tag(version)
    }

    /// The full name of a version's tag.
    pub fn tag_ref(&self, version: &Version) -> String {
        format!("refs/tags/{}", self.tag(version))
    }

    /// The commit of a branch that must exist.
    pub fn branch(&self, name: &str) -> Result<&String> {
        let commit = self.branches.get(name);
        Ok(commit.ok_or_else(|| format!("origin has no branch `{name}`"))?)
    }

    /// The commit of a branch, or of main: a release branch that is pushed together with what is based on it begins there.
    pub fn branch_or_main(&self, name: &str) -> Result<&String> {
        self.branch(name).or_else(|_| self.branch(&self.main))
    }

    /// The release branches with the versions in their names, oldest first.
    pub fn release_branches(&self) -> BTreeMap<Version, &str> {
        let mut branches = BTreeMap::new();
        for name in self.branches.keys() {
            branches.extend(branch_version(name).map(|version| (version, name.as_str())));
        }
        branches
    }

    /// The branch that a version is released from: its release branch, or main if there are no release branches.
    pub fn branch_of(&self, version: &Version) -> Result<&str> {
        let branches = self.release_branches();
        let found = branches.iter().find(|(first, _)| same_line(first, version));
        match found {
            Some((_, name)) => Ok(name),
            None if branches.is_empty() => Ok(&self.main),
            None => bail!(
                "origin has no release branch for {version}: `cargo xtask status` says what comes next"
            ),
        }
    }

    /// The tags that belong to the release branch of a version, candidates too, oldest first, with their commits.
    pub fn line(&self, of: &Version) -> Vec<(&Version, &String)> {
        let of_line = self.tags.iter().filter(|(tagged, _)| same_line(tagged, of));
        of_line.collect()
    }

    /// The first tagged release of a release branch, with its commit.
    pub fn first_release(&self, of: &Version) -> Option<(&Version, &String)> {
        let mut line = self.line(of).into_iter();
        line.find(|(version, _)| version.pre.is_empty())
    }
}

/// Locks this clone against other tasks until the file is dropped, reads the remote, and fetches main, the release branches and
/// the tags of versions. Fails if pushes to it would go to another repository, as to a fork: what was pushed would seem to be
/// there.
pub fn lock_and_read_remote(sh: &Shell) -> Result<(File, Remote)> {
    let lock = lock_clone(sh)?;
    let from = repository(&output_of(cmd!(sh, "git remote get-url origin"))?);
    let pushes = cmd!(sh, "git remote get-url --all --push origin");
    for to in output_of(pushes)?.lines().map(repository) {
        if from != to {
            bail!("origin is {from}, but pushes go to {to}: give each a remote of its own");
        }
    }
    let remote = Remote::read(sh)?;
    let mut refs = Vec::from_iter(remote.tags.keys().map(|version| remote.tag_ref(version)));
    for branch in remote.branches.keys() {
        if *branch == remote.main || branch_version(branch).is_some() {
            refs.push(format!("refs/heads/{branch}"));
        }
    }
    if !refs.is_empty() {
        fetch(sh, &refs)?;
    }
    Ok((lock, remote))
}

/// `owner/name` of an address in lower case.
fn repository(address: &str) -> String {
    parts(address).1.to_lowercase()
}

/// The host of an address, if it names one, and `owner/name`, whatever the protocol. The rest may hold a secret.
pub fn parts(address: &str) -> (Option<&str>, String) {
    let address = address.trim_end_matches('/').trim_end_matches(".git");
    let mut parts = address.rsplit(['/', ':', '@']);
    let (name, owner, host) = (parts.next(), parts.next(), parts.next());
    let path = format!("{}/{}", owner.unwrap_or_default(), name.unwrap_or_default());
    // Not a port, nor a name that only ssh knows. GitHub has ssh on a host of its own, too.
    let host = host.map(|host| host.trim_start_matches("ssh."));
    (host.filter(|host| host.contains('.')), path)
}

/// Fetches refs of `origin` with their whole history, and moves no ref here.
pub fn fetch(sh: &Shell, refs: &[String]) -> Result<()> {
    let unshallow = is_shallow(sh)?.then_some("--unshallow");
    let only = "--no-tags --no-write-fetch-head --no-auto-maintenance --recurse-submodules=no";
    let only = only.split(' ').chain(["--refmap="]).chain(unshallow);
    output_of(cmd!(sh, "git fetch --quiet {only...} origin {refs...}"))?;
    Ok(())
}

/// Whether history is missing here.
pub fn is_shallow(sh: &Shell) -> Result<bool> {
    Ok(output_of(cmd!(sh, "git rev-parse --is-shallow-repository"))? == "true")
}

/// A file in the current directory, as it is in a commit; `None` if the commit does not have it.
pub fn file_at(sh: &Shell, commit: &str, file: &str) -> Option<String> {
    output_of(cmd!(sh, "git cat-file blob {commit}:./{file}")).ok()
}

/// A file that differs from HEAD, if there is one; with `untracked` at `normal` instead of `no`, also a new file.
pub fn uncommitted(sh: &Shell, untracked: &str) -> Result<Option<String>> {
    let untracked = format!("--untracked-files={untracked}");
    let submodules = "--ignore-submodules=untracked"; // whatever .gitmodules says
    let changes = output_of(cmd!(sh, "git status --porcelain {untracked} {submodules}"))?;
    let mut files = changes.lines().filter_map(|change| change.get(3..));
    Ok(files.next().map(str::to_string))
}

/// Fails if a file differs from HEAD, `untracked` as in `uncommitted`.
pub fn committed(sh: &Shell, untracked: &str) -> Result<()> {
    if let Some(file) = uncommitted(sh, untracked)? {
        bail!("`{file}` is not committed: only a commit can be released");
    }
    // Of files with these marks, git does not look at the changes: `assume-unchanged` in lower case, `skip-worktree` as S.
    let files = output_of(cmd!(sh, "git ls-files -v -z :/"))?;
    for file in files.split_terminator('\0') {
        let (mark, file) = file.split_once(' ').unwrap_or_default();
        if mark.chars().any(char::is_lowercase) || mark == "S" && sh.path_exists(file) {
            bail!(
                "`{file}` is marked so that git does not see its changes: git update-index --no-assume-unchanged --no-skip-worktree {file}"
            );
        }
    }
    Ok(())
}

/// The names of the tags of this clone.
pub fn local_tags(sh: &Shell) -> Result<Vec<String>> {
    output_of(cmd!(sh, "git tag --no-column")).map(lines)
}

/// The commits that lead to one along first parents, newest first, itself included.
pub fn first_parents(sh: &Shell, to: &str) -> Result<Vec<String>> {
    output_of(cmd!(sh, "git rev-list --first-parent {to}")).map(lines)
}

/// The commits after one and up to another, along first parents, newest first, that changed a version or the notes.
pub fn release_changes(sh: &Shell, since: Option<&str>, to: &str) -> Result<Vec<String>> {
    let range = range(since, to);
    let range = [range.as_str()].into_iter().chain(RELEASE_FILES);
    output_of(cmd!(sh, "git rev-list --first-parent {range...}")).map(lines)
}

/// The files that hold versions and notes.
const RELEASE_FILES: [&str; 3] = [
    "--",
    ":(top,glob)**/RELEASES.md",
    ":(top,glob)**/Cargo.toml",
];

/// The messages that can mark a commit: its own, and those of the commits that it merged if they changed a version or the
/// notes themselves. `since` is the commit below it along first parents, if any. A message in another encoding than UTF-8
/// is left out: its bytes need not be what GitHub shows.
pub fn marking_messages(sh: &Shell, since: Option<&str>, commit: &str) -> Result<Vec<String>> {
    let format = "--format=%e%n%B";
    let own = log(sh, &["-1", "-z", format, commit])?;
    let range = range(since, commit);
    let of_merged = ["--no-merges", "--full-history", "-z", format, &range];
    let merged = log(sh, &[&of_merged[..], &RELEASE_FILES].concat())?;
    let mut messages = Vec::new();
    for message in own.split('\0').chain(merged.split('\0')) {
        if let Some(("", text)) = message.split_once('\n') {
            messages.push(text.to_string());
        }
    }
    Ok(messages)
}

/// The subjects of the commits that `to` has and `from` does not, newest first, without merges.
pub fn subjects(sh: &Shell, from: &str, to: &str) -> Result<Vec<String>> {
    log(sh, &["--no-merges", "--format=%s", &range(Some(from), to)]).map(lines)
}

fn range(since: Option<&str>, to: &str) -> String {
    since.map_or(to.to_string(), |since| format!("{since}..{to}"))
}

fn lines(text: String) -> Vec<String> {
    text.lines().map(str::to_string).collect()
}

/// `git log`, whatever the user has configured for their own eyes.
fn log(sh: &Shell, arguments: &[&str]) -> Result<String> {
    let plain = ["-c", "log.showSignature=false", "-c", "color.ui=false"];
    let utf8 = "--encoding=UTF-8";
    output_of(cmd!(sh, "git {plain...} log {utf8} {arguments...}"))
}

/// Whether everything in one commit is also in another.
pub fn is_ancestor(sh: &Shell, ancestor: &str, of: &str) -> Result<bool> {
    Ok(output_of(cmd!(sh, "git rev-list -1 {ancestor} ^{of}"))?.is_empty())
}

/// The date of the commit of a tag.
pub fn commit_date(sh: &Shell, tagged: &str) -> Result<Date> {
    let date = log(sh, &["-1", "--format=%cs", tagged])?;
    if date.is_empty() {
        bail!("the tag of a version points to {tagged}, not to a commit: delete it");
    }
    parse_date(&date)
}

/// The commit date of HEAD, in seconds since 1970.
pub fn commit_time(sh: &Shell) -> Result<String> {
    log(sh, &["-1", "--format=%ct"])
}

/// The branch that is checked out.
pub fn current_branch(sh: &Shell) -> Result<String> {
    let branch = output_of(cmd!(sh, "git symbolic-ref --quiet --short HEAD"));
    Ok(branch.map_err(|_| "no branch is checked out: pass `--branch`")?)
}

/// The last part of origin's address, or else of the repository's folder.
pub fn repository_name(sh: &Shell) -> Result<String> {
    let address = output_of(cmd!(sh, "git remote get-url origin")).unwrap_or_default();
    let folder = output_of(cmd!(sh, "git rev-parse --show-toplevel"))?;
    for place in [address, folder] {
        let parts = place.rsplit(['/', ':', '\\']);
        let mut names = parts.map(|part| part.trim_end_matches(".git"));
        // An address may end with a slash, and is `.` if that was cloned.
        if let Some(name) = names.find(|name| !["", ".", ".."].contains(name)) {
            return Ok(name.to_string());
        }
    }
    Err("the repository has no name: set `name` in [workspace.metadata.release-train]".into())
}
