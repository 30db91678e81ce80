//! `notes`: open, date and print a version's section of `RELEASES.md`. The rules are those of `notes.rs`; this reads and
//! writes the file.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::version;
use crate::workspace::{self, Edit, Workspace};
use crate::{Arguments, Context, Result, Usage, finish, free, notes, print, say};

pub const HELP: &str = "\
cargo xtask notes new VERSION
cargo xtask notes date VERSION [--date YYYY-MM-DD]
cargo xtask notes show VERSION

Keeps RELEASES.md, at the root of the workspace.

  new   opens a section for the version, from `notes-template` or the tool's own. In a file with the line
        <!-- ARCHIVE_START --> the section that was cut leaves, and a link to its branch joins the list there
  date  puts `Released` and the date, today's if none is given, in the place of `Unreleased`
  show  prints the section
";

pub const FILE: &str = "RELEASES.md";

/// Reads the command line and does one of the three. `today` may be another day.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let action = arguments.subcommand()?.filter(|action| ["new", "date", "show"].contains(&action.as_str()));
    let action = action.ok_or(Usage("say one of: new, date, show".into()))?;
    let version = free(&mut arguments)?.ok_or(Usage("say which version".into()))?;
    finish(arguments)?;
    let version = version::parse(&version)?;

    let workspace = Workspace::load(sh)?;
    match &*action {
        "show" => {
            let text = read(&workspace.root)?;
            let section = notes::show(&text, &version).context(FILE)?;
            print(&format!("{section}\n"))
        }
        "new" => open(&workspace, &version),
        _ => date(&workspace.root, &version, today),
    }
}

/// Opens a section in the notes of a workspace, from its template.
pub fn open(workspace: &Workspace, version: &Version) -> Result<()> {
    let repository = workspace.crates.iter().find_map(|member| member.about["repository"].as_str());
    add(&workspace.root, version, &section(workspace, version)?, repository)
}

/// A section as the workspace's template has it.
pub fn section(workspace: &Workspace, version: &Version) -> Result<String> {
    let Some(file) = &workspace.config.notes_template else { return notes::render(notes::TEMPLATE, version) };
    let template = fs::read_to_string(workspace.root.join(file)).map_err(crate::Error::from);
    let section = template.and_then(|template| notes::render(&template, version));
    Ok(section.map_err(|error| format!("{file}: {error}; `notes-template` in Cargo.toml names it"))?)
}

/// Puts a section into the notes, in its place.
pub fn add(root: &Path, version: &Version, section: &str, repository: Option<&str>) -> Result<()> {
    let open = |text: &str| notes::open(text, version, section, repository);
    change(root, open, format_args!("opened the section of {version} in {FILE}"))
}

/// Dates a section of the notes.
pub fn date(root: &Path, version: &Version, date: Date) -> Result<()> {
    let date = |text: &str| notes::date(text, version, date);
    change(root, date, format_args!("dated the section of {version} in {FILE}"))
}

/// Whether the notes of a workspace have a section of a version with a date.
pub fn is_dated(root: &Path, version: &Version) -> Result<bool> {
    notes::is_dated(&read(root)?, version).context(FILE)
}

/// The notes of a workspace.
pub fn read(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join(FILE)).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{FILE}: there is none at the root of the workspace: create it, be it empty"),
        _ => format!("{FILE}: {error}"),
    });
    Ok(text?)
}

fn change(root: &Path, edit: impl Fn(&str) -> Result<Option<String>>, done: fmt::Arguments) -> Result<()> {
    let before = read(root)?;
    match edit(&before).context(FILE)? {
        None => say(format_args!("nothing to do: somebody has {done}")),
        Some(after) => {
            workspace::write(root, &[Edit { path: root.join(FILE), before, after }])?;
            say(done);
        }
    }
    Ok(())
}
