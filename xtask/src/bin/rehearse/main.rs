//! The sandbox for rehearsals: nothing here is part of a real release.

mod board;
pub mod gh;
mod month;
mod people;
#[allow(dead_code)] // its faults are for the tests
pub mod registry;
mod sandbox;
mod security;
mod sha256;
mod single;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use time::Date;
use xshell::{Shell, cmd};

use release_train::rules::version::{branch_version, release_branch, release_of};
use release_train::world::workspace::Workspace;
use release_train::{
    Arguments, Error, Result, Usage, finish, print, rules::manifest, world::git, world::process,
    world::workspace,
};
use sandbox::Sandbox;

pub const HELP: &str = "\
cargo xtask rehearse [--demo|--security] [--keep] [--verbose]
cargo xtask rehearse [--keep] TASK [OPTIONS]

The first runs a month of releases of this workspace, with the changes that are not committed yet (of new files, those that
git knows), in a sandbox: a temporary folder with an `origin`, clones of it, a stand-in for gh and a registry. The tasks
are those of the workflows, run by this very binary; what people and GitHub do, a merge or a fix, is done for them. Nothing
of your environment gets in, no token either, and nothing leaves the machine, but for downloads from crates.io if the
workspace has dependencies there.

The second runs one task there, from what your clone knows of origin's branches and tags, at the commit that is checked
out, and shows what it would propose and which commands it ran. Pull requests and releases on GitHub are not known there.

  --demo     the month of a small workspace that comes with the tool: it needs no network
  --security  the day of a security release of three branches of that workspace
  --keep     leaves the folder; after a failure it is left all the same
  --verbose  shows what each command says
  --date     begins the month on the next 5th from this day
";

fn main() -> ExitCode {
    if std::env::args_os()
        .next()
        .is_some_and(|name| Path::new(&name).file_stem() == Some("gh".as_ref()))
    {
        return gh::main();
    }
    let run = || -> Result<()> {
        let mut arguments = Arguments::from_env();
        if arguments.contains(["-h", "--help"]) {
            return print(HELP);
        }
        let date: Option<String> = arguments.opt_value_from_str("--date")?;
        let today = match date {
            Some(date) => release_train::rules::calendar::parse_date(&date)?,
            None => release_train::world::today(),
        };
        run(&Shell::new()?, arguments, today)
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            release_train::say!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line, and rehearses.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let security = arguments.contains("--security");
    let demo = arguments.contains("--demo") || security;
    let keep = arguments.contains("--keep");
    let verbose = arguments.contains("--verbose");
    let task = arguments.subcommand()?;
    if let (Some(task), true) = (&task, demo) {
        return Err(Usage(format!("--demo and --security are whole, without `{task}`")).into());
    }
    match task.as_deref() {
        Some(_) => {}
        None => finish(arguments.clone())?,
    }
    let root = workspace::root(sh)?;

    let mut sandbox = Sandbox::new(sh, today)?;
    sandbox.keep.set(keep);
    print(&format!("the sandbox is {}\n", sandbox.root.display()))?;
    let result = match &task {
        Some(task) => {
            let options: Vec<String> = arguments
                .finish()
                .into_iter()
                .map(|word| word.to_string_lossy().into_owned())
                .collect();
            let task: Vec<&str> = [task.as_str()]
                .into_iter()
                .chain(options.iter().map(String::as_str))
                .collect();
            single::run(sh, &mut sandbox, &root, &task)
        }
        None => {
            let days = if security { security::run } else { month::run };
            whole(sh, &mut sandbox, &root, (demo, days), verbose, today)
        }
    };
    let kept = |error: Error| -> Error {
        if !sandbox.root.join("clone").exists() {
            return error; // it did not begin
        }
        sandbox.keep.set(true);
        let root = sandbox.root.display();
        format!("{error}; the sandbox is kept: the task ran in {root}/clone, {root}/gh/calls has its calls of gh")
            .into()
    };
    result.map_err(kept)
}

/// What a rehearsal runs from a day on, once its world is there.
type Days = fn(&Shell, &Sandbox, &Workspace, bool, Date) -> Result<()>;

fn whole(
    sh: &Shell,
    sandbox: &mut Sandbox,
    root: &Path,
    (demo, days): (bool, Days),
    verbose: bool,
    today: Date,
) -> Result<()> {
    sandbox.git("", "init --quiet -b main people")?;
    let what = if demo {
        let demo = root.join("xtask").join("demo");
        if !demo.join("Cargo.toml").exists() {
            return Err(format!(
                "{} is not there: --demo is for a clone of release-train",
                demo.display()
            )
            .into());
        }
        copy(&demo, &sandbox.root.join("people"))?;
        sandbox.init_origin("demo", "main")?;
        "the demo".to_string()
    } else {
        take_tree(sh, sandbox, root)?
    };
    // Tags of this repository tell nothing of the demo.
    let workspace = prepare(sh, sandbox, (!demo).then_some(root))?;
    sandbox.git("people", "add --all")?;
    let message = format!("Begin with {what}");
    sandbox.must(
        "people",
        "git",
        &["commit", "--quiet", "--allow-empty", "-m", &message],
    )?;
    sandbox.git(
        "people",
        &format!("remote add origin ../{}", sandbox.origin),
    )?;
    sandbox.git("people", "push --quiet origin main")?;
    sandbox.clone_origin("clone", &[])?;
    days(sh, sandbox, &workspace, verbose, today)
}

/// Puts the files that git knows into the humans' clone, as they are here, and returns what it is. The history stays where
/// it is: the month begins with one commit.
fn take_tree(sh: &Shell, sandbox: &mut Sandbox, root: &Path) -> Result<String> {
    let _root = sh.push_dir(root);
    let head = process::output_of(cmd!(sh, "git rev-parse --short HEAD"))?;
    let name = git::repository_name(sh)?;
    sandbox.init_origin(&name, "main")?;
    // A commit that nothing refers to, where something is not committed; it changes neither the checkout nor the index.
    let nobody = [
        "-c",
        "user.name=rehearsal",
        "-c",
        "user.email=rehearsal@example.com",
    ];
    let changed = process::output_of(cmd!(sh, "git {nobody...} stash create"))?;
    let (commit, what) = match &*changed {
        "" => ("HEAD", ""),
        commit => (commit, ", with what is not committed"),
    };
    say_what_is_left_out(
        process::output_of(cmd!(sh, "git ls-files --others --exclude-standard"))?
            .lines()
            .next(),
    )?;
    sandbox.inside = process::output_of(cmd!(sh, "git rev-parse --show-prefix"))?;
    fetch(sh, sandbox, "people", &["--depth=1"], &[commit])?;
    sandbox.git("people", "read-tree --reset -u FETCH_HEAD")?;
    let _ = fs::remove_file(sandbox.root.join("people/.git/shallow"));
    Ok(format!("{name} as of {head}{what}"))
}

/// Names a file that the rehearsal goes without.
fn say_what_is_left_out(file: Option<&str>) -> Result<()> {
    file.map_or(Ok(()), |file| {
        print(&format!("not committed, and so left out: {file}, ...\n"))
    })
}

/// Fetches from the repository around the shell's current directory into one of the sandbox. By the user's own git: it may
/// be told to trust a folder that belongs to somebody else.
fn fetch(
    sh: &Shell,
    sandbox: &Sandbox,
    folder: &str,
    options: &[&str],
    refs: &[&str],
) -> Result<()> {
    let repository = process::output_of(cmd!(sh, "git rev-parse --show-toplevel"))?;
    let folder = sandbox.root.join(folder);
    // The earlier protocols of git give no commit that nothing refers to.
    let own = ["-c", "core.hooksPath=/dev/null", "-c", "protocol.version=2"];
    process::output_of(cmd!(
        sh,
        "git {own...} -C {folder} fetch --quiet --no-tags {options...} {repository} {refs...}"
    ))
    .map(drop)
}

/// Makes the workspace one that a month can begin with, starts the registry, and says what was changed. `original` is what
/// it is a copy of.
fn prepare(sh: &Shell, sandbox: &mut Sandbox, original: Option<&Path>) -> Result<Workspace> {
    let root = sandbox.workspace("people");
    let _root = sh.push_dir(&root);
    let mut workspace = Workspace::load(sh)?;
    let notes = root.join(release_train::rules::notes::FILE);
    let text = fs::read_to_string(&notes).unwrap_or_default();
    // A train begins at an X.Y.0 that is not released. On a release branch, or just before the bump of main, the next one does.
    let mut version = release_of(&workspace.version);
    let is_out = match original.map(|original| sh.push_dir(original)) {
        Some(_original) => git::has_tag(sh, &version)?,
        None => false,
    };
    let ready = !is_out
        && branch_version(&release_branch(&version)).is_some()
        && ["", "dev"].contains(&workspace.version.pre.as_str())
        && !release_train::rules::notes::is_dated(&text, &version).unwrap_or(false);
    if !ready {
        // By a level: crates of other version lines move as well, as they do when a train is cut.
        in_copy(sandbox, &["bump", "major"])?;
        let before = std::mem::replace(&mut workspace, Workspace::load(sh)?).version;
        version = release_of(&workspace.version);
        print(&format!(
            "in the copy, main goes on from {before} to {version}, with which a train begins\n"
        ))?;
    }
    sandbox.start_registry(from_registries(&workspace))?;

    let choosy = workspace
        .crates
        .iter()
        .filter(|member| member.published && !member.registries.is_empty());
    let choosy: Vec<_> = choosy.collect();
    if !choosy.is_empty() {
        open_to_rehearsal(&root.join("Cargo.toml"))?;
        for member in &choosy {
            open_to_rehearsal(&workspace.manifests[member.manifest].path)?;
        }
        let count = choosy.len();
        print(&format!(
            "in the copy, the `publish` of {count} crates admits the registry of the rehearsal, and no other\n"
        ))?;
    }
    if !release_train::rules::notes::has(&text, &version).unwrap_or(true) {
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&notes)?;
        let said = in_copy(sandbox, &["notes", "new", &version.to_string()])?;
        print(&format!("in the copy, {}", said.trim_start()))?;
    }
    Ok(workspace)
}

/// Runs a task that changes the humans' clone, and returns what it said.
fn in_copy(sandbox: &Sandbox, task: &[&str]) -> Result<String> {
    match sandbox.xtask("people", task)? {
        (true, said) => Ok(said),
        (false, said) => Err(said.trim_end().to_string().into()),
    }
}

/// Whether a member has a dependency that is not a path.
fn from_registries(workspace: &Workspace) -> bool {
    let about = workspace
        .crates
        .iter()
        .flat_map(|member| member.about["dependencies"].as_array());
    about
        .flatten()
        .any(|dependency| dependency["source"].is_string())
}

/// Writes the registry of the rehearsal into the `publish` of a manifest, if that is a list.
fn open_to_rehearsal(path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    let document = manifest::parse(&path.display().to_string(), text.as_str())?;
    let workspace = document
        .get("workspace")
        .and_then(|workspace| workspace.get("package"));
    let tables = [document.get("package"), workspace];
    let lists = tables
        .into_iter()
        .flatten()
        .filter_map(|table| table.get("publish"));
    let spans = lists
        .filter(|publish| publish.is_array())
        .filter_map(|publish| publish.span());
    let mut spans: Vec<_> = spans.collect();
    spans.sort_by_key(|span| std::cmp::Reverse(span.start));
    let mut changed = text.clone();
    for span in spans {
        changed.replace_range(span, "[\"rehearsal\"]");
    }
    if changed != text {
        fs::write(path, changed)?;
    }
    Ok(())
}

pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Copies a folder without what was built in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match entry.file_type()?.is_dir() {
            true if entry.file_name() == "target" => {}
            true => copy(&entry.path(), &to)?,
            false => drop(fs::copy(entry.path(), to)?),
        }
    }
    Ok(())
}
