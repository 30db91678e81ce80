//! `dist`: release binaries and a source tarball, into `target/dist/`. cargo builds, git archives; both give the same bytes for the
//! same commit, toolchain and git.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::tasks::project_name;
use release_train::rules::version::tag;
use release_train::world::git::{commit_time, committed};
use release_train::world::workspace::{Workspace, relative};
use release_train::{Arguments, Context, Result, finish, say, world::process};

pub const HELP: &str = "\
cargo xtask dist [--target TARGET]

Builds the binaries of the workspace's default members with the release profile and --locked, and packs them with the README and the
licenses at its root into target/dist/NAME-vX.Y.Z-TARGET.tar.gz, or .zip for Windows; and the commit into NAME-vX.Y.Z-src.tar.gz.
";

/// Reads the command line, and packs.
pub fn run(sh: &Shell, mut arguments: Arguments) -> Result<()> {
    let target: Option<String> = arguments.opt_value_from_str("--target")?;
    finish(arguments)?;
    let target = target.map_or_else(|| host(sh), Ok)?;
    let workspace = Workspace::load(sh)?;
    let _root = sh.push_dir(&workspace.root);
    committed(sh, "normal")?;
    let dist = workspace.target.join("dist");
    let _ = fs::remove_dir_all(&dist);
    fs::create_dir_all(&dist).context(dist.display())?;

    // GitHub gives an asset whose name holds anything else another one.
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = project_name(sh, &workspace.config)?
        .to_lowercase()
        .chars()
        .map(plain)
        .collect();
    let name = format!("{name}-{}", tag(&workspace.version));
    let mut files = build(sh, &workspace, &target)?;
    if !files.is_empty() {
        let documents = process::output_of(cmd!(
            sh,
            "git ls-files -z -- :(glob)README* :(glob)LICENSE* :(glob)COPYING* :(glob)NOTICE*"
        ))?;
        files.extend(
            documents
                .split_terminator('\0')
                .map(|file| workspace.root.join(file)),
        );
        let empty = process::output_with_input(cmd!(sh, "git mktree"), "")?;
        let time = format!("--mtime={}", commit_time(sh)?);
        let options = files
            .iter()
            .map(|file| format!("--add-file={}", file.display()))
            .chain([time]);
        let format = if target.contains("windows") {
            "zip"
        } else {
            "tar.gz"
        };
        archive(
            sh,
            &dist,
            &format!("{name}-{target}"),
            format,
            options.collect(),
            &empty,
        )?;
    }
    archive(
        sh,
        &dist,
        &format!("{name}-src"),
        "tar.gz",
        Vec::new(),
        "HEAD",
    )
}

/// This machine's target.
fn host(sh: &Shell) -> Result<String> {
    let said = process::output_of(cmd!(sh, "rustc --version --verbose"))?;
    Ok(said
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("rustc names no host")?
        .to_string())
}

/// Builds the binaries of the default members, and returns them.
fn build(sh: &Shell, workspace: &Workspace, target: &str) -> Result<Vec<PathBuf>> {
    // Where the sources lie differs from machine to machine.
    let flags = format!(
        "build.rustflags=[\"--remap-path-prefix={}=/source\"]",
        workspace.root.display()
    );
    let options = [
        "--release",
        "--locked",
        "--bins",
        "--message-format=json-render-diagnostics",
        "--config",
    ];
    let printed = process::visible_output(cmd!(
        sh,
        "cargo build {options...} {flags} --target {target}"
    ))?;
    let messages = printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(messages
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect())
}

/// Packs a tree and more, under one folder of the archive's name: nothing of the user's configuration, nothing of the machine's.
fn archive(
    sh: &Shell,
    dist: &Path,
    name: &str,
    format: &str,
    options: Vec<String>,
    tree: &str,
) -> Result<()> {
    let file = dist.join(format!("{name}.{format}"));
    let own = [
        "core.attributesFile=/dev/null",
        "core.autocrlf=false",
        "core.eol=lf",
        "tar.umask=0022",
        "tar.tar.gz.command=git archive gzip",
    ];
    let own = own.iter().flat_map(|setting| ["-c", setting]);
    let cmd = cmd!(
        sh,
        "git {own...} archive --format={format} --prefix={name}/ {options...} --output={file} {tree}"
    );
    process::output_of(cmd.env("TZ", "UTC").env("GIT_ATTR_NOSYSTEM", "1"))?;
    say(format_args!(
        "packed {}",
        relative(&sh.current_dir(), &file)
    ));
    Ok(())
}
