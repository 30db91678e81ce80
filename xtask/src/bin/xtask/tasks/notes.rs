//! `notes`: adds, dates and prints a version's section of `RELEASES.md`. The rules are in `rules/notes.rs`; this reads and
//! writes the file.

use std::path::Path;

use semver::Version;
use time::Date;
use xshell::Shell;

use release_train::rules::notes::{self, FILE};
use release_train::rules::version;
use release_train::world::workspace::{self, Edits, Workspace, read_notes};
use release_train::{Arguments, Context, Result, Usage, finish, free, print, say};

pub const HELP: &str = "\
Adds, dates or prints a version's section of RELEASES.md.

cargo xtask notes new VERSION
cargo xtask notes date VERSION [--date YYYY-MM-DD]
cargo xtask notes show VERSION

  new     adds a section, from `notes-template` or the tool's own
  date    replaces `Unreleased` with `Released` and the date
  show    prints the section, with the definitions of its reference links
  --date  default: today

Example: cargo xtask notes new 12.0.0
";

/// Reads the command line, and does one of the three.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let action = arguments.subcommand()?.unwrap_or_default();
    if !["new", "date", "show"].contains(&action.as_str()) {
        return Err(Usage("expected `new`, `date` or `show`".into()).into());
    }
    let version = free(&mut arguments)?.ok_or(Usage("VERSION is required".into()))?;
    finish(arguments)?;
    let version = version::parse(&version)?;

    let workspace = Workspace::load(sh)?;
    let (changed, done) = match action.as_str() {
        "show" => {
            let text = read_notes(&workspace.root)?;
            let section = notes::standalone(&text, &version).context(FILE)?;
            return print(&format!("{section}\n"));
        }
        "new" => (open(&workspace, &version)?, "added"),
        _ => (date(&workspace.root, &version, today)?, "dated"),
    };
    let before = if changed { "" } else { "nothing to do: " };
    say!("{before}{FILE}: {done} the section of {version}");
    Ok(())
}

/// Adds a section to the notes of a workspace, from its template. Returns whether it was missing.
pub fn open(workspace: &Workspace, version: &Version) -> Result<bool> {
    let section = workspace.new_section(version)?;
    add(&workspace.root, version, &section)
}

/// Adds a section to the notes, in version order. Returns whether it was missing.
pub fn add(root: &Path, version: &Version, section: &str) -> Result<bool> {
    let text = notes::open(&read_notes(root)?, version, section).context(FILE)?;
    write(root, text)
}

/// Dates a section of the notes. Returns whether it had no date.
pub fn date(root: &Path, version: &Version, date: Date) -> Result<bool> {
    let text = notes::date(&read_notes(root)?, version, date).context(FILE)?;
    write(root, text)
}

/// Whether the notes of a workspace have a dated section of a version.
pub fn is_dated(root: &Path, version: &Version) -> Result<bool> {
    notes::is_dated(&read_notes(root)?, version).context(FILE)
}

fn write(root: &Path, text: String) -> Result<bool> {
    let changed = workspace::write(root, Edits::from([(root.join(FILE), text)]))?;
    Ok(!changed.is_empty())
}
