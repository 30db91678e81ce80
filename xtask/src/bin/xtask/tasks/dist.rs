//! `dist`: release binaries and a source tarball, into `target/dist/`. cargo builds and git archives: the same bytes for the
//! same commit, toolchain and git.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml_edit::Item;
use xshell::{Cmd, Shell, cmd};

use crate::tasks::{not_checked_out, project_name, submodules};
use release_train::world::git::{commit_time, committed};
use release_train::world::items;
use release_train::world::process::{output_of, output_with_input, visible_output};
use release_train::world::registry::{cargo_home, configured};
use release_train::world::workspace::{Workspace, relative};
use release_train::{Arguments, Context, Result, bail, finish, say};

pub const HELP: &str = "\
Builds the release binaries and a source archive into target/dist.

cargo xtask dist [--target TARGET | --source]

  --target  default: this machine's
  --source  packs the commit alone, and builds nothing

It builds the binaries of published members, of `default-members` alone if
Cargo.toml names some, with the release profile and --locked. It packs them with
the README and the licences into NAME-vX.Y.Z-TARGET.tar.gz (.zip for Windows),
and the commit into NAME-vX.Y.Z-src.tar.gz.

Example: cargo xtask dist --target x86_64-unknown-linux-gnu
";

/// Reads the command line, and packs.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let target: Option<String> = arguments.opt_value_from_str("--target")?;
    let only_source = arguments.contains("--source");
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    committed(sh, "normal")?;
    if let Some(first) = not_checked_out(sh, &workspace)?.first() {
        bail!("{first}");
    }
    let host = || output_of(cmd!(sh, "rustc --print host-tuple"));
    let target = target.map_or_else(host, Ok)?;
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

    let top = PathBuf::from(output_of(cmd!(sh, "git rev-parse --show-toplevel"))?);
    let binaries = match only_source {
        true => Vec::new(),
        false => build(sh, &workspace, &target)?,
    };
    if !binaries.is_empty() {
        let is_windows = target.contains("windows");
        let format = if is_windows { "zip" } else { "tar.gz" };
        // A target may be a file.
        let target = Path::new(&target).file_stem().unwrap_or_default().display();
        let file = dist.join(format!("{name}-{target}.{format}"));
        let documents = documents(sh)?;
        let _top = sh.push_dir(&top);
        archive(sh, &file, &binaries, &documents)?;
    }
    for (_, path) in submodules(sh, &top) {
        say!("the source archive does not hold the submodule {path}");
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
    let holds = |end| name.contains(&format!("-{tag}{end}"));
    let is_ours = (holds("-") || holds(".")) && !holds("-rc.");
    is_archive && has_version && !is_ours
}

/// The README and the licences of HEAD as a commit of its date, which git gives to all files of an archive. From there and not
/// from the checkout, whose line ends may differ.
fn documents(sh: &Shell) -> Result<String> {
    let names = "README* LICEN?E* COPYING* COPYRIGHT* NOTICE*".split(' ');
    let files = cmd!(sh, "git ls-files -z -- {names...}");
    let files = files.env("GIT_GLOB_PATHSPECS", "1");
    let files = output_of(files.env("GIT_ICASE_PATHSPECS", "1"))?;
    let mut tree = String::new();
    for file in files.split_terminator('\0') {
        let find = cmd!(sh, "git cat-file --batch-check --follow-symlinks");
        let found = output_with_input(find, &format!("HEAD:./{file}\n"))?;
        let Some((blob, _)) = found.split_once(" blob ") else {
            bail!("{file}: not a file of the commit");
        };
        tree += &format!("100644 blob {blob}\t{file}\n");
    }
    let tree = output_with_input(cmd!(sh, "git mktree"), &tree)?;
    let date = format!("@{} +0000", commit_time(sh)?);
    let mut commit = cmd!(sh, "git commit-tree {tree}");
    for who in ["AUTHOR", "COMMITTER"] {
        for (key, value) in [("NAME", "dist"), ("EMAIL", "dist"), ("DATE", &date)] {
            commit = commit.env(format!("GIT_{who}_{key}"), value);
        }
    }
    output_of(commit)
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
    let json = "--message-format=json-render-diagnostics";
    let options = ["--release", "--locked", "--bins", "--target", target];
    let build = cmd!(sh, "cargo build {options...} {json} {packages...}");
    // For linkers that write the time into a binary for Windows.
    let build = build.env("SOURCE_DATE_EPOCH", commit_time(sh)?);
    let build = with_flags(build, &workspace.root, target, &path_flags(sh, workspace)?)?;
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

/// The flags that leave out of the binaries where the sources lie, which differs from machine to machine: those of the
/// workspace, of its dependencies, and of the standard library, which a toolchain may have or not.
fn path_flags(sh: &Shell, workspace: &Workspace) -> Result<Vec<String>> {
    let sysroot = PathBuf::from(output_of(cmd!(sh, "rustc --print sysroot"))?);
    let rustc = output_of(cmd!(sh, "rustc --version --verbose"))?;
    let (_, commit) = rustc.split_once("commit-hash: ").unwrap_or_default();
    let library = format!("/rustc/{}", commit.lines().next().unwrap_or_default());
    let mapped = [
        (&workspace.root, "/source"),
        (&cargo_home(), "/cargo"),
        (&sysroot.join("lib/rustlib/src/rust"), &library),
    ];
    let flag = |(from, to): (&PathBuf, _)| format!("--remap-path-prefix={}={to}", from.display());
    Ok(mapped.into_iter().map(flag).collect())
}

/// Adds flags for rustc to the user's, in the one place that cargo takes them from: a variable, the target's flags or those of
/// all builds ("build.rustflags" in the Cargo book).
fn with_flags<'a>(build: Cmd<'a>, root: &Path, target: &str, ours: &[String]) -> Result<Cmd<'a>> {
    let encode = |flags: &str| Vec::from_iter(flags.split_whitespace()).join("\x1f");
    let set = |name| std::env::var(name).ok();
    let encoded = set("CARGO_ENCODED_RUSTFLAGS");
    let mut theirs = encoded.or_else(|| Some(encode(&set("RUSTFLAGS")?)));
    let mut key = ["build", "rustflags"].to_vec();
    if theirs.is_none() {
        let of_target = ["target", target, "rustflags"];
        let targets = configured(root, &["target"])?;
        let targets = targets.as_ref().and_then(Item::as_table_like);
        let by_cfg =
            |(name, it): (&str, &Item)| name.starts_with("cfg(") && it.get("rustflags").is_some();
        if targets.is_some_and(|targets| targets.iter().any(by_cfg))
            || configured(root, &of_target)?.is_some()
        {
            key = of_target.to_vec();
        }
        let flags = configured(root, &key)?;
        theirs = flags.and_then(|flags| flags.as_str().map(encode));
    }
    Ok(match theirs {
        Some(theirs) => {
            let all = format!("{theirs}\x1f{}", ours.join("\x1f"));
            build.env("CARGO_ENCODED_RUSTFLAGS", all.trim_matches('\x1f'))
        }
        // A list: cargo joins them.
        None => {
            let config = format!("{}={}", key.join("."), Value::from(ours));
            build.args(["--config", &config])
        }
    })
}

/// Packs a tree and more into one folder of the archive's name, with nothing of the user's configuration or the machine.
fn archive(sh: &Shell, file: &Path, added: &[PathBuf], tree: &str) -> Result<()> {
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
    let files = added.iter().map(|file| file.display());
    let added = files.map(|file| format!("--add-file={file}"));
    // The prefix is for what comes after it.
    let form = ["--prefix", &format!("{folder}/"), "--output"];
    let archive = cmd!(
        sh,
        "git {own...} archive {form...} {part} {added...} {tree}"
    );
    output_of(archive.env("TZ", "UTC").env("GIT_ATTR_NOSYSTEM", "1"))?;
    fs::rename(&part, file).context(file.display())?;
    say!("packed {}", relative(&sh.current_dir(), file));
    Ok(())
}
