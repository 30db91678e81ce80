//! Fills a sandbox: with the demo, with the user's workspace as it is, or with what their clone knows of `origin`.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use xshell::{Shell, cmd};

use crate::sandbox::Sandbox;
use crate::steps::wrap;
use release_train::rules::manifest::{self, Manifest};
use release_train::rules::notes;
use release_train::rules::version::{branch_version, release_branch, release_of};
use release_train::world::git::{self, Remote};
use release_train::world::items;
use release_train::world::process::output_of;
use release_train::world::registry::{CRATES_IO, Registry, Versions, agent};
use release_train::world::workspace::{Crate, Workspace, root, tag_form};
use release_train::{Result, bail, print};

/// The demo, in the folder of this package.
pub const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/demo");

/// How long a registry may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes an `origin` whose main is the demo, clones of it, and a registry.
pub fn take_demo(sh: &Shell, sandbox: &mut Sandbox) -> Result<Workspace> {
    sandbox.git("", "init --quiet -b main people")?;
    let git = sandbox.root.join("people/.git").display().to_string();
    sandbox.must(DEMO, "git", &["--git-dir", &git, "add", "--all"])?;
    sandbox.git("people", "checkout-index --all")?;
    sandbox.init_origin("demo", "main")?;
    begin(sh, sandbox, "the demo", &[])
}

/// The same with the files of the user's workspace that git knows, as they are there. The history stays behind: the month
/// begins with one commit.
pub fn take_workspace(sh: &Shell, sandbox: &mut Sandbox) -> Result<Workspace> {
    let _root = sh.push_dir(root(sh)?);
    sandbox.git("", "init --quiet -b main people")?;
    let name = git::repository_name(sh)?;
    sandbox.init_origin(&name, "main")?;
    sandbox.inside = output_of(cmd!(sh, "git rev-parse --show-prefix"))?;
    let new = output_of(cmd!(sh, "git ls-files --others --exclude-standard"))?;
    if let Some(file) = new.lines().next() {
        say_left_out(file)?;
    }
    // A commit that no ref names, if something is not committed; it changes neither the checkout nor the index.
    let author = "-c user.name=rehearsal -c user.email=rehearsal@example.com".split(' ');
    let changed = output_of(cmd!(sh, "git {author...} stash create"))?;
    let commit = if changed.is_empty() { "HEAD" } else { &changed };
    fetch(sh, sandbox, "people", &["--depth=1", commit])?;
    sandbox.git("people", "read-tree --reset -u FETCH_HEAD")?;
    let _ = fs::remove_file(sandbox.root.join("people/.git/shallow"));

    begin(sh, sandbox, &name, &git::local_tags(sh)?)
}

/// Makes the branches and tags of the user's clone those of `origin`, and a clone of it at the user's HEAD.
pub fn take_clone(sh: &Shell, sandbox: &mut Sandbox) -> Result<()> {
    let _root = sh.push_dir(root(sh)?);
    if git::is_shallow(sh)? {
        bail!("this clone is shallow: run `git fetch --unshallow`");
    }
    let known = Remote::known(sh, tag_form(sh)?)?;
    if known.branches.is_empty() {
        bail!("this clone knows no branch of `origin`: push main, or run `git fetch origin`");
    }
    if let Some(commit) = known.branches.get(&known.main) {
        let there = git::file_at(sh, commit, "Cargo.toml").unwrap_or_default();
        if is_configured(sh.read_file("Cargo.toml")?)? && !is_configured(there)? {
            let table = "[workspace.metadata.release-train]";
            let main = &known.main;
            bail!("origin's {main} has no {table}: merge the adoption first");
        }
    }
    if let Some(file) = git::uncommitted(sh, "normal")? {
        say_left_out(&file)?;
    }
    sandbox.init_origin(&git::repository_name(sh)?, &known.main)?;
    sandbox.inside = output_of(cmd!(sh, "git rev-parse --show-prefix"))?;
    let branch = output_of(cmd!(sh, "git symbolic-ref --quiet --short HEAD")).ok();

    let refs = [
        "+refs/remotes/origin/*:refs/heads/*",
        "+refs/tags/*:refs/tags/*",
        "^refs/remotes/origin/HEAD",
    ];
    fetch(sh, sandbox, &sandbox.origin, &refs)?;
    let clone = format!("clone --quiet --no-checkout {} clone", sandbox.origin);
    sandbox.git("", &clone)?;
    fetch(sh, sandbox, "clone", &["HEAD"])?;
    let to = branch.map_or("--detach".to_string(), |branch| format!("-B {branch}"));
    sandbox.git("clone", &format!("checkout --quiet {to} FETCH_HEAD"))?;
    let _clone = sh.push_dir(sandbox.workspace("clone"));
    sandbox.start_registry(from_registries(&Workspace::load(sh)?))
}

fn say_left_out(file: &str) -> Result<()> {
    print_line(&format!("not committed and left out: {file}, ..."))
}

/// Prints what was changed or left out, before the first day.
fn print_line(line: &str) -> Result<()> {
    print(&format!("{}\n", wrap(line, 0)))
}

/// Whether a root manifest configures the train.
fn is_configured(text: String) -> Result<bool> {
    let manifest = Manifest::parse(Path::new(""), "Cargo.toml".to_string(), text)?;
    Ok(manifest.configuration().is_some())
}

/// Fetches refs, with options, from the repository around the shell's current directory into one of the sandbox. By the user's own git: it may
/// be told to trust a folder that belongs to another user.
fn fetch(sh: &Shell, sandbox: &Sandbox, folder: &str, refs: &[&str]) -> Result<()> {
    let from = output_of(cmd!(sh, "git rev-parse --show-toplevel"))?;
    let folder = sandbox.root.join(folder);
    // The earlier protocols of git give no commit that no ref names.
    let config = "-c core.hooksPath=/dev/null -c protocol.version=2".split(' ');
    let fetch = cmd!(
        sh,
        "git {config...} -C {folder} fetch --quiet --no-tags {from} {refs...}"
    );
    output_of(fetch).map(drop)
}

/// Makes the workspace of the people's clone one that a month can begin with, and says what was changed; then starts the
/// registry, commits, and clones.
fn begin(sh: &Shell, sandbox: &mut Sandbox, name: &str, tags: &[String]) -> Result<Workspace> {
    let _people = sh.push_dir(sandbox.workspace("people"));
    let mut workspace = Workspace::load(sh)?;
    let file = workspace.root.join(notes::FILE);
    let text = fs::read_to_string(&file).unwrap_or_default();
    // A month begins at an X.Y.0 that is not released. On a release branch, or before the bump of main, it is the next one.
    let mut version = release_of(&workspace.version);
    let mut released = workspace.released_as(tags, &text);
    let mut is_first = branch_version(&release_branch(&version)).is_some()
        && ["", "dev"].contains(&workspace.version.pre.as_str());
    let has_dependencies = from_registries(&workspace);
    let published = match has_dependencies {
        true => published(&workspace)?,
        false => BTreeMap::new(), // it is rehearsed offline
    };
    loop {
        let is_there = |it: &&Crate| {
            let versions = published.get(&it.name).filter(|_| it.follows_train);
            versions.is_some_and(|versions| versions.contains_key(&release_of(&it.version)))
        };
        let why = match (workspace.published().find(is_there), &released) {
            (Some(it), _) => format!(": {} {} is published", it.name, release_of(&it.version)),
            (None, Some(released)) => format!(": {version} {released}"),
            (None, None) if is_first => break,
            (None, None) => String::new(),
        };
        prepare(sandbox, &["bump"])?;
        workspace = Workspace::load(sh)?;
        version = release_of(&workspace.version);
        (released, is_first) = (None, true);
        print_line(&format!("in the copy: bumped main to {version}{why}"))?;
    }
    if !notes::has(&text, &version).unwrap_or(true) {
        if !file.exists() {
            fs::write(&file, "")?;
        }
        prepare(sandbox, &["notes", "new", &version.to_string()])?;
        print_line(&format!("in the copy: added {version} to RELEASES.md"))?;
    }
    let mut crates = workspace.crates.iter();
    if crates.any(|member| member.published && !member.registries.is_empty()) {
        for manifest in &workspace.manifests {
            allow_registry(&manifest.path)?;
        }
        print_line("in the copy: each list `publish` allows the sandbox's registry alone")?;
    }
    if has_dependencies {
        let question = agent()?.get("https://index.crates.io/config.json").config();
        let answer = question.timeout_global(Some(PATIENCE)).build().call();
        answer.map_err(no_index)?;
    }
    sandbox.start_registry(has_dependencies)?;

    let (origin, message) = (&sandbox.origin, format!("Begin with {name}"));
    sandbox.git("people", "add --all")?;
    let commit = ["commit", "--quiet", "--allow-empty", "-m", &message];
    sandbox.must("people", "git", &commit)?;
    sandbox.git("people", &format!("remote add origin ../{origin}"))?;
    sandbox.git("people", "push --quiet origin main")?;
    sandbox.git("", &format!("clone --quiet {origin} clone"))?;
    Ok(workspace)
}

/// Runs a task that changes the files of the people's clone.
fn prepare(sandbox: &Sandbox, task: &[&str]) -> Result<()> {
    match sandbox.task("people", task)? {
        (true, _) => Ok(()),
        (false, output) => Err(output.trim_end().trim_start_matches("error: ").into()),
    }
}

/// The versions of each member in the registry that it is really published to. None if that does not answer, but without
/// crates.io nothing can be rehearsed.
fn published(workspace: &Workspace) -> Result<BTreeMap<String, Versions>> {
    let registry = Registry::of(workspace, None, PATIENCE);
    let is_public = registry.as_ref().is_ok_and(|it| it.name == CRATES_IO);
    let all = registry.and_then(|registry| registry.versions_of_all(workspace));
    if let (Err(error), false) = (&all, is_public) {
        let unknown = "not checked whether these versions are published";
        print_line(&format!("{unknown}: {error}"))?;
        return Ok(BTreeMap::new());
    }
    let all = all.map_err(no_index)?.into_iter();
    let all = all.map(|(member, versions)| (member.name.clone(), versions));
    Ok(all.collect())
}

fn no_index(error: impl Display) -> String {
    let needed = "a rehearsal of this workspace needs its index; --demo needs no network";
    format!("crates.io does not answer: {error}: {needed}")
}

/// Whether a member has a dependency that is not a path.
fn from_registries(workspace: &Workspace) -> bool {
    let crates = workspace.crates.iter();
    let mut dependencies = crates.flat_map(|member| items(&member.about["dependencies"]));
    dependencies.any(|dependency| dependency["source"].is_string())
}

/// Writes the registry of the sandbox into the `publish` of a manifest, if that is a list.
fn allow_registry(path: &Path) -> Result<()> {
    let mut text = fs::read_to_string(path)?;
    let document = manifest::parse(&path.display().to_string(), text.clone())?;
    let workspace = document.get("workspace");
    let inherited = workspace.and_then(|workspace| workspace.get("package"));
    let mut spans = Vec::new();
    for table in [document.get("package"), inherited].into_iter().flatten() {
        let publish = table.get("publish").filter(|publish| publish.is_array());
        spans.extend(publish.and_then(|publish| publish.span()));
    }
    spans.sort_by_key(|span| Reverse(span.start));
    for span in spans {
        text.replace_range(span, "[\"rehearsal\"]");
    }
    Ok(fs::write(path, text)?)
}
