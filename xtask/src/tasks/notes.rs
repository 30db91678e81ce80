//! `notes`: open, date and print a version's section of `RELEASES.md`. The rules are those of `notes.rs`; this reads and
//! writes the file.

use std::fs;
use std::io::ErrorKind;

use semver::Version;
use time::Date;
use xshell::Shell;

use crate::workspace::{self, Edit, Workspace};
use crate::{Arguments, Result, Usage, finish, free, notes, print, say};

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

const FILE: &str = "RELEASES.md";

/// Reads the command line and does one of the three. `date` is today or what stands for it.
pub fn run(sh: &Shell, mut arguments: Arguments, date: Date) -> Result<()> {
    let action = arguments.subcommand()?.filter(|action| ["new", "date", "show"].contains(&action.as_str()));
    let action = action.ok_or(Usage("say one of: new, date, show".into()))?;
    let version = free(&mut arguments)?.ok_or(Usage("say which version".into()))?;
    finish(arguments)?;
    let version = Version::parse(&version).map_err(|error| format!("`{version}` is no version X.Y.Z: {error}"))?;

    let workspace = Workspace::load(sh)?;
    let path = workspace.root.join(FILE);
    let before = fs::read_to_string(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("{FILE}: there is none at the root of the workspace: create it, be it empty"),
        _ => format!("{FILE}: {error}"),
    })?;
    let (after, done, already) = match &*action {
        "show" => {
            let section = notes::show(&before, &version).map_err(in_file)?;
            return print(&format!("{section}\n"));
        }
        "new" => {
            let section = match &workspace.config.notes_template {
                None => notes::render(notes::TEMPLATE, &version)?,
                Some(file) => {
                    let template = fs::read_to_string(workspace.root.join(file)).map_err(crate::Error::from);
                    let section = template.and_then(|template| notes::render(&template, &version));
                    section.map_err(|error| format!("{file}: {error}; `notes-template` in Cargo.toml names it"))?
                }
            };
            let repository = workspace.crates.iter().find_map(|member| member.repository.as_deref());
            (notes::open(&before, &version, &section, repository), "opened", "there")
        }
        _ => (notes::date(&before, &version, date), "dated", "dated so"),
    };
    match after.map_err(in_file)? {
        None => say(format_args!("nothing to do: the section of {version} is {already}")),
        Some(after) => {
            workspace::write(&workspace.root, &[Edit { path, before, after }])?;
            say(format_args!("{done} the section of {version} in {FILE}"));
        }
    }
    Ok(())
}

fn in_file(error: crate::Error) -> String {
    format!("{FILE}: {error}")
}
