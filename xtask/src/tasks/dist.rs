//! `dist`: release binaries and a source tarball. cargo builds and git archives; both give the same bytes for the same
//! commit, toolchain and git. It publishes nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use xshell::{Shell, cmd};

use crate::git::commit_time;
use crate::registry::cargo_home;
use crate::tasks::{committed, name};
use crate::version::tag;
use crate::workspace::{Crate, Workspace, relative};
use crate::{Arguments, Context, Result, finish, say, shell};

pub const HELP: &str = "\
cargo xtask dist [--target T]

Builds the binaries of the default members (of the published ones, if the workspace names no default members) with the
release profile and --locked, and packs those of each package, with the README and the licences, into
target/dist/NAME-vX.Y.Z-TARGET.tar.gz, or .zip for Windows; and the commit into target/dist/NAME-vX.Y.Z-src.tar.gz. The
archives are the same byte for byte for the same commit, toolchain and git.

  --target  builds for this target, as cargo does, instead of this machine's
";

/// Reads the command line, and packs.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let target: Option<String> = arguments.opt_value_from_str("--target")?;
    finish(arguments)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    committed(sh, "normal")?;
    let version = tag(&workspace.version);
    let dist = workspace.target.join("dist");
    let failed = |error: std::io::Error| format!("{}: {error}", dist.display());
    fs::create_dir_all(&dist).map_err(failed)?;
    // Those of another release are done with, and would be in the way of this one.
    for file in fs::read_dir(&dist).map_err(failed)?.flatten().map(|entry| entry.path()) {
        if of_another(&file, &version) {
            fs::remove_file(&file).map_err(failed)?;
        }
    }

    // Said in any case: the user's configuration may name another.
    let target = target.map_or_else(|| host(sh), Ok)?;
    let built = build(sh, &workspace, &target)?;
    let target = Path::new(&target).file_stem().unwrap_or_default().to_string_lossy();
    let time = commit_time(sh)?;
    let empty = shell::read_given(cmd!(sh, "git mktree"), "")?;
    for (package, mut files) in built {
        files.extend(documents(sh, &workspace, package)?);
        let name = format!("{}-{version}-{target}", package.name);
        let added = files.iter().map(|file| format!("--add-file={}", file.display()));
        let time = format!("--mtime={time}");
        archive(sh, &dist, &name, target.contains("windows"), added.chain([time]), &empty)?;
    }
    // GitHub gives an asset whose name holds anything else another one.
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let name: String = name(sh, &workspace.config)?.to_lowercase().chars().map(plain).collect();
    archive(sh, &dist, &format!("{name}-{version}-src"), false, [], "HEAD")
}

/// Whether a file is an archive of another version than the one that has this tag.
pub fn of_another(file: &Path, tag: &str) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let archive = name.ends_with(".tar.gz") || name.ends_with(".zip");
    // A candidate's has the release's tag in its name, too.
    let of = |(_, rest): &(&str, &str)| !["rc.", "dev-"].iter().any(|pre| rest.starts_with(pre));
    let ours = name.split_once(&format!("-{tag}-")).as_ref().is_some_and(of);
    let versioned = name.match_indices("-v").any(|(at, _)| name[at + 2..].starts_with(|c: char| c.is_ascii_digit()));
    archive && versioned && !ours
}

/// Builds the binaries, and returns them by package.
fn build<'a>(sh: &Shell, workspace: &'a Workspace, target: &str) -> Result<Vec<(&'a Crate, Vec<PathBuf>)>> {
    let binaries = |member: &'a Crate| {
        let targets = member.about["targets"].as_array().into_iter().flatten();
        targets.filter(|target| target["kind"] == json!(["bin"])).filter_map(|target| target["name"].as_str())
    };
    let default = |member: &&Crate| match workspace.defaults.is_empty() {
        true => member.published,
        false => workspace.defaults.contains(&member.name),
    };
    let members: Vec<&Crate> =
        workspace.crates.iter().filter(default).filter(|member| binaries(member).next().is_some()).collect();
    let mut built = Vec::new();
    if members.is_empty() {
        return Ok(built);
    }
    let packages = members.iter().flat_map(|member| ["--package", &member.name]);
    // Where the sources lie is not the reader's concern, and differs from machine to machine.
    let places = [(Some(workspace.root.clone()), "/source"), (cargo_home(), "/cargo")];
    let maps =
        places.iter().filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from.as_ref()?.display())));
    let flags = format!("build.rustflags={}", Value::from(maps.collect::<Vec<_>>()));
    let quiet = ["--release", "--locked", "--bins", "--message-format=json-render-diagnostics", "--config"];
    let printed = shell::capture(cmd!(sh, "cargo build {quiet...} {flags} {packages...} --target {target}"))?;
    let messages: Vec<Value> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for member in members {
        let own = messages.iter().filter(|message| message["manifest_path"] == member.about["manifest_path"]);
        let mut files: Vec<_> = own.filter_map(|message| message["executable"].as_str().map(PathBuf::from)).collect();
        files.sort();
        for name in binaries(member) {
            if !files.iter().any(|file| file.file_stem() == Some(name.as_ref())) {
                say(format_args!("not built: `{name}` of {}, for features that it requires", member.name));
            }
        }
        built.extend((!files.is_empty()).then_some((member, files)));
    }
    let all: Vec<&PathBuf> = built.iter().flat_map(|(_, files)| files).collect();
    if let Some(twice) = all.iter().find(|file| all.iter().filter(|other| other == file).count() > 1) {
        let twice = twice.display();
        return Err(format!("{twice}: two packages build a binary of this name: only one of them is left").into());
    }
    Ok(built)
}

/// This machine's target.
fn host(sh: &Shell) -> Result<String> {
    let said = shell::read(cmd!(sh, "rustc --version --verbose"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc names no host")?.to_string())
}

/// The README of a package and the licences at the root of the workspace.
fn documents(sh: &Shell, workspace: &Workspace, package: &Crate) -> Result<Vec<PathBuf>> {
    let names = shell::read(cmd!(sh, "git ls-files -z -- :(glob)*"))?;
    let begins = |name: &str, with: &[&str]| with.iter().any(|word| name.to_ascii_uppercase().starts_with(word));
    let mut found: Vec<PathBuf> = names
        .split('\0')
        .filter(|name| begins(name, &["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"]))
        .map(|name| workspace.root.join(name))
        .filter(|path| path.is_file())
        .collect();
    let folder = workspace.manifests[package.manifest].path.parent().unwrap_or(&workspace.root);
    let own = package.about["readme"].as_str().map(|file| folder.join(file)).filter(|file| file.is_file());
    let root = names.split('\0').find(|name| begins(name, &["README"])).map(|name| workspace.root.join(name));
    found.extend(own.or(root));
    Ok(found)
}

/// Packs a tree and more, under one folder of the archive's name, and puts it into place when it is whole.
fn archive(
    sh: &Shell,
    dist: &Path,
    name: &str,
    zip: bool,
    options: impl IntoIterator<Item = String>,
    tree: &str,
) -> Result<()> {
    let format = if zip { "zip" } else { "tar.gz" };
    let (file, part) = (dist.join(format!("{name}.{format}")), dist.with_file_name(format!("{name}.part")));
    // Nothing of the user's, and nothing of the machine's.
    let own = [
        "core.attributesFile=/dev/null",
        "core.autocrlf=false",
        "core.eol=lf",
        "tar.umask=0022",
        "tar.tar.gz.command=git archive gzip",
    ];
    let own = own.iter().flat_map(|setting| ["-c", setting]);
    let options = options.into_iter();
    let cmd = cmd!(sh, "git {own...} archive --format={format} --prefix={name}/ {options...} --output={part} {tree}");
    shell::read(cmd.env("TZ", "UTC").env("GIT_ATTR_NOSYSTEM", "1"))?;
    fs::rename(&part, &file).context(file.display())?;
    say(format_args!("packed {}", relative(&sh.current_dir(), &file)));
    Ok(())
}
