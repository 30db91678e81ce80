//! `dist`: release binaries and a source tarball, into `target/dist/`. cargo builds and git archives: the same bytes for the
//! same commit, toolchain and git.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::tasks::project_name;
use release_train::world::git::{commit_time, committed};
use release_train::world::items;
use release_train::world::process::{output_of, output_with_input, visible_output};
use release_train::world::workspace::{Workspace, below, relative};
use release_train::{Arguments, Context, Result, bail, finish, say};

pub const HELP: &str = "\
Builds the binaries of the workspace with the release profile and --locked:
those of `default-members` if Cargo.toml names some, else those of published
members.
Packs them with the README and the licences into
target/dist/NAME-vX.Y.Z-TARGET.tar.gz (.zip for Windows), and the commit into
target/dist/NAME-vX.Y.Z-src.tar.gz.

cargo xtask dist [--target TARGET]

  --target  default: this machine's
";

/// Reads the command line, and packs.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let target: Option<String> = arguments.opt_value_from_str("--target")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    committed(sh, "normal")?;
    let target = target.map_or_else(|| host(sh), Ok)?;
    let version = format!("v{}", workspace.version); // whatever the form of tags
    // GitHub replaces other characters in the name of an asset.
    let special = |c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c);
    let project = project_name(sh, &workspace.config)?.to_lowercase();
    let project = project.replace(special, "-");
    let name = format!("{project}-{version}");
    let dist = workspace.target.join("dist");
    sh.create_dir(&dist)?;
    // Everything else in the folder stays: archives of other targets, and the user's own files.
    for file in sh.read_dir(&dist)? {
        let older = file_name(&file).starts_with(&project)
            && is_of_another_release(&file_name(&file), &version);
        if older && file.is_file() {
            sh.remove_path(file)?;
        }
    }

    let binaries = build(sh, &workspace, &target)?;
    if !binaries.is_empty() {
        let documents = cmd!(
            sh,
            "git ls-files -z -- README* LICEN?E* COPYING* COPYRIGHT* NOTICE*"
        );
        let documents = documents
            .env("GIT_GLOB_PATHSPECS", "1")
            .env("GIT_ICASE_PATHSPECS", "1");
        let documents = output_of(documents)?;
        let mut options = vec![format!("--mtime={}", commit_time(sh)?)];
        for file in binaries.iter().map(|file| file.display()) {
            options.push(format!("--add-file={file}"));
        }
        for file in documents.split_terminator('\0') {
            below(&workspace.root, file).context(file)?;
            options.push(format!("--add-file={file}"));
        }
        let is_windows = target.contains("windows");
        let format = if is_windows { "zip" } else { "tar.gz" };
        let empty_tree = output_with_input(cmd!(sh, "git mktree"), "")?;
        // A target may be a file.
        let target = Path::new(&target).file_stem().unwrap_or_default().display();
        let file = dist.join(format!("{name}-{target}.{format}"));
        archive(sh, &file, &options, &empty_tree)?;
    }
    let source = dist.join(format!("{name}-src.tar.gz"));
    archive(sh, &source, &[], "HEAD")
}

/// The name of a file without its folder.
pub fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.display().to_string()
}

/// Whether a file is an archive whose name holds `-vN` of another version, or of a candidate of this one.
pub fn is_of_another_release(name: &str, tag: &str) -> bool {
    let is_archive = name.ends_with(".tar.gz") || name.ends_with(".zip");
    let mut versions = name.split("-v").skip(1);
    let has_version = versions.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let is_ours = ['-', '.']
        .iter()
        .any(|next| name.contains(&format!("-{tag}{next}")));
    let is_candidate = name.contains(&format!("-{tag}-rc."));
    is_archive && has_version && (!is_ours || is_candidate)
}

/// This machine's target.
fn host(sh: &Shell) -> Result<String> {
    let version = output_of(cmd!(sh, "rustc --version --verbose"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc names no host")?.to_string())
}

/// Builds the binaries, and returns their paths.
fn build(sh: &Shell, workspace: &Workspace, target: &str) -> Result<Vec<PathBuf>> {
    let is_binary = |target: &Value| target["kind"][0] == "bin";
    let mut packages = Vec::new();
    for member in workspace.crates.iter().filter(|member| member.shipped) {
        if items(&member.about["targets"]).iter().any(is_binary) {
            packages.extend(["--package", &member.name]);
        }
    }
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    // Where the sources lie differs from machine to machine.
    let home = std::env::home_dir().unwrap_or_default().join(".cargo");
    let home = std::env::var_os("CARGO_HOME").map_or(home, PathBuf::from);
    let map = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
    let flags = Value::from(vec![map(&workspace.root, "/source"), map(&home, "/cargo")]);
    let flags = format!("build.rustflags={flags}");
    let json = "--message-format=json-render-diagnostics";
    let options = ["--release", "--locked", "--bins", "--target", target];
    let build = cmd!(
        sh,
        "cargo build {options...} {json} --config {flags} {packages...}"
    );
    let mut binaries = Vec::new();
    for line in visible_output(build)?.lines() {
        let message: Value = serde_json::from_str(line).unwrap_or_default();
        binaries.extend(message["executable"].as_str().map(PathBuf::from));
    }
    binaries.sort();
    if let Some(twice) = binaries.windows(2).find(|pair| pair[0] == pair[1]) {
        let binary = twice[0].display();
        bail!("{binary}: two packages build a binary of this name");
    }
    Ok(binaries)
}

/// Packs a tree and more into one folder of the archive's name, with nothing of the user's configuration or the machine.
fn archive(sh: &Shell, file: &Path, options: &[String], tree: &str) -> Result<()> {
    let own = [
        "core.attributesFile=/dev/null",
        "core.autocrlf=false",
        "core.eol=lf",
        "tar.umask=0022",
        "tar.tar.gz.command=git archive gzip",
    ];
    let own = own.iter().flat_map(|setting| ["-c", setting]);
    let name = file_name(file);
    // A file that is not whole must not be uploaded, and two may be made at once. git takes the format from its name.
    let part = file.with_file_name(format!(".{}.{name}", std::process::id()));
    let folder = name.trim_end_matches(".tar.gz").trim_end_matches(".zip");
    // The prefix is for what comes after it.
    let form = [
        format!("--prefix={folder}/"),
        format!("--output={}", part.display()),
    ];
    let archive = cmd!(sh, "git {own...} archive {form...} {options...} {tree}");
    output_of(archive.env("TZ", "UTC").env("GIT_ATTR_NOSYSTEM", "1"))?;
    fs::rename(&part, file).context(file.display())?;
    say!("packed {}", relative(&sh.current_dir(), file));
    Ok(())
}
