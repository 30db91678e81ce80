//! One file for each command. A task reads from top to bottom: observe, decide, prepare, act.

pub mod bump;
pub mod cut;
pub mod dist;
pub mod github_release;
pub mod notes;
pub mod publish;
pub mod push_tag;
pub mod release;
pub mod status;
pub mod sync_notes;
pub mod verify;
pub mod yank;

use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Cmd, Shell, cmd};

use release_train::rules::config::Config;
use release_train::world::git::{self, Remote, repository_name};
use release_train::world::process::{output_of, search_output};
use release_train::world::registry::{CRATES_IO, Registry};
use release_train::world::workspace::{Crate, Workspace, relative};
use release_train::{Context, Result, bail};

/// The project's name in titles: the configured one, or the repository's.
fn project_name(sh: &Shell, config: &Config) -> Result<String> {
    let configured = config.name.clone();
    configured.map_or_else(|| repository_name(sh), Ok)
}

/// The tag of a version, which must be at HEAD: what is published is what everyone finds under the tag. It must also be one
/// of ours, on its release branch along first parents: anyone who can push a tag could publish otherwise.
fn at_tag(sh: &Shell, remote: &Remote, workspace: &Workspace) -> Result<String> {
    let version = &workspace.version;
    let (tag, branch) = (remote.tag(version), remote.branch_of(version)?);
    let head = output_of(cmd!(sh, "git rev-parse HEAD"))?;
    let Some(commit) = remote.tags.get(version) else {
        match branch == remote.main {
            true => bail!("origin has no tag {tag}: tag the commit there first"),
            false => bail!("origin has no tag {tag}: run `cargo xtask push-tag --branch {branch}`"),
        }
    };
    if *commit != head {
        bail!(
            "{tag} is at {commit}, not at HEAD: run `git fetch origin tag {tag}` and `git checkout {tag}`"
        );
    }
    git::fetch(
        sh,
        &[branch, &remote.main].map(|name| format!("refs/heads/{name}")),
    )?;
    let on_branch = git::first_parents(sh, remote.branch(branch)?)?;
    if !on_branch.contains(commit) {
        bail!(
            "{tag} is at {commit}, which is not on `{branch}` along first parents: `cargo xtask status` says what to do"
        );
    }
    release::refuse_unconfigured(sh, remote, &workspace.root)?;
    Ok(tag)
}

/// Whether git tracks the lock file.
fn has_lock_file(sh: &Shell) -> Result<bool> {
    Ok(!output_of(cmd!(sh, "git ls-files -- Cargo.lock"))?.is_empty())
}

/// The command that packages crates as `cargo publish` would, with the versions in the lock file.
fn cargo_package<'a>(sh: &'a Shell, registry: &Registry, crates: &[&Crate]) -> Result<Cmd<'a>> {
    let mut package = cmd!(sh, "cargo package");
    if registry.name != CRATES_IO {
        package = package.args(["--registry", &registry.name]);
    }
    if has_lock_file(sh)? {
        package = package.arg("--locked");
    }
    let names = crates.iter().map(|member| &member.name);
    Ok(package.args(names.flat_map(|name| ["--package", name])))
}

/// What git did not check out among the files of published crates, as `path: what to do`. `cargo package` takes the empty
/// folder of a submodule and the text of a pointer as they are, and `git status` calls both clean.
fn not_checked_out(sh: &Shell, workspace: &Workspace) -> Result<Vec<String>> {
    let root = &workspace.root;
    let top = PathBuf::from(output_of(cmd!(sh, "git rev-parse --show-toplevel"))?);
    let mut found = Vec::new();
    for (is_missing, submodule) in submodules(sh, &top) {
        let path = top.join(submodule);
        // A package in the folder of another one is not part of that.
        let mut above = path.ancestors().skip(1);
        let package = above.find(|folder| folder.join("Cargo.toml").exists());
        let Some(folder) = package.filter(|_| is_missing) else {
            continue;
        };
        let member = workspace.member_in(folder).map(|at| &workspace.crates[at]);
        let Some(member) = member.filter(|it| it.published) else {
            continue;
        };
        let inside = path.strip_prefix(folder)?.display().to_string();
        if workspace.manifests[member.manifest].packages(&inside) {
            let path = relative(root, &path);
            found.push(format!("{path}: a submodule that is not checked out: run `git submodule update --init --recursive`, or pass `submodules: recursive` to actions/checkout"));
        }
    }

    let options = "-l --no-color --recurse-submodules --fixed-strings".split(' ');
    let pointers = cmd!(sh, "git -C {top} grep {options...} {POINTER}");
    if search_output(pointers, "")?.is_empty() {
        return Ok(found);
    }
    for member in workspace.published() {
        let (name, manifest) = (&member.name, &workspace.manifests[member.manifest]);
        let list = cmd!(sh, "cargo package --list --allow-dirty --package {name}");
        let files = output_of(list).context(&manifest.file);
        let files = files.unwrap_or_else(|error| {
            found.push(error.to_string());
            String::new()
        });
        for file in files.lines() {
            let path = manifest.path.with_file_name(file);
            let is_pointer = fs::read(&path).is_ok_and(|text| text.starts_with(POINTER.as_bytes()));
            if is_pointer {
                let path = relative(root, &path);
                found.push(format!("{path}: a pointer of Git LFS, not the file: run `git lfs pull`, or pass `lfs: true` to actions/checkout"));
            }
        }
    }
    Ok(found)
}

/// The submodules: whether each is missing in the checkout, and its path. git fails where a repository lies in another one
/// without being declared; that is not a submodule.
fn submodules(sh: &Shell, top: &Path) -> Vec<(bool, String)> {
    let status = output_of(cmd!(sh, "git -C {top} submodule status --recursive"));
    let mut found = Vec::new();
    for line in status.unwrap_or_default().lines() {
        // A mark, the commit, the path, and a name of the commit if it is there.
        let (_, path) = line.trim_start().split_once(' ').unwrap_or_default();
        let path = path.rsplit_once(" (").map_or(path, |(path, _)| path);
        found.push((line.starts_with('-'), path.to_string()));
    }
    found
}

/// How a pointer of Git LFS begins.
const POINTER: &str = "version https://git-lfs.github.com/spec/v1";
