//! Rehearses releases in a sandbox, with the real git and cargo. Nothing here is part of a real release.

mod gh;
mod month;
mod outcome;
mod people;
#[allow(dead_code)] // its faults are for the tests
mod registry;
mod sandbox;
mod security;
mod sha256;
mod single;
mod source;
mod steps;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use serde_json::Value;
use xshell::{Shell, cmd};

use release_train::rules::calendar::parse_date;
use release_train::world;
use release_train::world::process::{Tokens, prepared, start};
use release_train::{Arguments, Result, Usage, bail, exit_code, print};
use sandbox::Sandbox;
use steps::Steps;

const HELP: &str = "\
Rehearses a month of releases of this workspace, or one task, in a sandbox: a
temporary folder with its own origin, GitHub and registry. No token gets in,
and nothing leaves the machine but downloads from crates.io, if the workspace
has dependencies there.

cargo rehearse [--demo] [--fast] [OPTIONS]
cargo rehearse --security [OPTIONS]
cargo rehearse [--keep] [--date DATE] TASK [TASK'S OPTIONS]

The month includes changes that are not committed, without new files that git
does not know, and begins at a version that is not published. Brackets mark what
people do. A task runs at the commit that is checked out, with the branches and
tags of origin that your clone knows.

  --demo             the month of a small workspace, offline
  --security         the day of a security release of three of its branches;
                     both are for a clone of release-train
  --fast             build nothing: `verify --fast`, `dist --source`, and what
                     users get at the end is only resolved
  --keep             keep the folder; after a failure it is always kept
  --verbose          show the output of each step
  --date YYYY-MM-DD  stands for today: the month begins on the next 5th

Example: cargo rehearse cut --date 2026-12-05
";

fn main() -> ExitCode {
    let name = std::env::args_os().next().unwrap_or_default();
    if Path::new(&name).file_stem() == Some("gh".as_ref()) {
        return gh::main();
    }
    exit_code(run(Arguments::from_env()))
}

fn run(mut arguments: Arguments) -> Result<()> {
    if arguments.contains(["-h", "--help"]) {
        return print(HELP);
    }
    let date: Option<String> = arguments.opt_value_from_str("--date")?;
    let today = date.map_or_else(|| Ok(world::today()), |date| parse_date(&date))?;
    let security = arguments.contains("--security");
    let demo = arguments.contains("--demo") || security;
    let keep = arguments.contains("--keep");
    let verbose = arguments.contains("--verbose");
    let words = arguments.finish();
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let mut words: Vec<&str> = words.iter().map(|word| &**word).collect();
    // After a task, it is an option of the task.
    let fast = words.first() == Some(&"--fast");
    if fast {
        words.remove(0);
    }
    let task = words.first();
    let error = match task {
        Some(word) if word.starts_with('-') => format!("unknown option `{word}`"),
        Some(task) if demo || fast => {
            format!("--demo, --security and --fast take no task such as `{task}`")
        }
        _ if words.iter().any(|word| word.starts_with("--registry")) => {
            "a rehearsal has its own registry, without --registry".to_string()
        }
        _ => String::new(),
    };
    if !error.is_empty() {
        return Err(Usage(error).into());
    }
    if demo && !Path::new(source::DEMO).exists() {
        bail!("the demo is not here: run this in a clone of release-train");
    }

    let sh = Shell::new()?;
    let tool = build_tool(&sh)?;
    if let Some(task) = task {
        let help = Command::new(&tool).args([task, "--help"]).output()?;
        if !help.status.success() {
            return Err(Usage(format!("unknown task `{task}`")).into());
        }
    }
    let start = Instant::now();
    let mut sandbox = Sandbox::new(&sh, &tool, today)?;
    let root = sandbox.root.clone();
    print(&format!("sandbox: {}\n", root.display()))?;
    let mut rehearse = || -> Result<()> {
        if task.is_some() {
            source::take_clone(&sh, &mut sandbox)?;
            return single::run(&sandbox, &words);
        }
        let workspace = match demo {
            true => source::take_demo(&sh, &mut sandbox)?,
            false => source::take_workspace(&sh, &mut sandbox)?,
        };
        let mut steps = Steps::new(&sandbox, &workspace.config, verbose, fast)?;
        let days = if security { security::run } else { month::run };
        let released = days(&mut steps, &workspace, today)?;
        let graph = "log --graph --all --max-count=40 --format=%h%d%x20%s";
        let graph = sandbox.git(&sandbox.origin, graph)?;
        print("\n")?;
        for line in graph.lines() {
            let line: String = line.trim_end().chars().take(80).collect();
            print(&format!("{line}\n"))?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let end = "without the build of the tool\n";
        print(&format!("\nreleased {released} in {seconds:.0} s, {end}"))
    };
    let result = rehearse();
    if !root.join("clone").exists() || !keep && result.is_ok() {
        return result;
    }
    sandbox.keep.set(true);
    let enter = sandbox.write_enter()?;
    match result {
        Ok(()) => print(&format!("enter the sandbox with: {enter}\n")),
        Err(error) => Err(format!("{error}\nenter the sandbox with: {enter}").into()),
    }
}

/// Builds the `xtask` of this source with the toolchain that built us, and returns where cargo says that it is.
fn build_tool(sh: &Shell) -> Result<PathBuf> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let format = "--message-format=json-render-diagnostics";
    let build = cmd!(
        sh,
        "cargo build --locked --manifest-path {manifest} --package xtask --bin xtask {format}"
    );
    // Some dependencies would be built again for the variables that `cargo run` sets.
    let mut build = prepared(build, Tokens::None);
    let toolchain = std::env::var_os("RUSTUP_TOOLCHAIN");
    build.envs(toolchain.map(|toolchain| ("RUSTUP_TOOLCHAIN", toolchain)));
    let output = start(build.stdout(Stdio::piped()))?.wait_with_output()?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line)?;
        if let Some(program) = message["executable"].as_str() {
            return Ok(PathBuf::from(program));
        }
    }
    bail!("`xtask` does not build: see cargo's output above")
}
