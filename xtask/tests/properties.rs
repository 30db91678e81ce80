//! Any workspace, written in any way: a bump changes the version strings that it should, and no other byte.

mod support;

use arbtest::arbitrary::{Result, Unstructured};
use support::Tree;

/// A workspace without its spelling.
struct Model {
    members: Vec<Member>,
}

struct Member {
    version: [u64; 3],
    published: bool,
    inherits: bool,
    dependencies: Vec<Dependency>,
}

struct Dependency {
    /// A place in the members.
    on: usize,
    table: &'static str,
    renamed: bool,
    /// An operator and a number of components; `None` for a dependency without a version.
    requirement: Option<(&'static str, usize)>,
}

/// How a manifest is written. The members' versions are not part of it.
#[derive(Clone, Copy)]
enum Style {
    Inline,
    Dotted,
    Tables,
}

const TRAIN: [u64; 3] = [12, 0, 0];
const TABLES: [&str; 5] = [
    "dependencies",
    "dev-dependencies",
    "build-dependencies",
    "target.'cfg(unix)'.dependencies",
    "target.x86_64-unknown-linux-gnu.dev-dependencies",
];

impl Model {
    fn arbitrary(u: &mut Unstructured) -> Result<Model> {
        let mut members = Vec::new();
        for place in 0..u.int_in_range(2..=5)? {
            // The first one says which version names the train.
            let inherits = place == 0 || u.ratio(1, 3)?;
            let lines = [
                TRAIN,
                [0, 99, u.int_in_range(0..=3)?],
                [0, 0, u.int_in_range(1..=9)?],
                [12, u.int_in_range(0..=9)?, 7],
            ];
            let version = if inherits { TRAIN } else { *u.choose(&lines)? };
            let mut dependencies = Vec::new();
            for on in 0..place {
                let table = *u.choose(&TABLES)?;
                let requirement = (
                    *u.choose(&["", "^", "=", "~", ">= "])?,
                    u.int_in_range(1..=3)?,
                );
                let requirement = u.ratio(4, 5)?.then_some(requirement);
                dependencies.push(Dependency {
                    on,
                    table,
                    renamed: u.arbitrary()?,
                    requirement,
                });
            }
            members.push(Member {
                version,
                published: place == 0 || u.ratio(3, 4)?,
                inherits,
                dependencies,
            });
        }
        Ok(Model { members })
    }

    /// The model after a major bump.
    fn bumped(&self) -> Vec<[u64; 3]> {
        let moves = |member: &Member| member.published || member.inherits;
        self.members
            .iter()
            .map(|member| {
                if moves(member) {
                    major(member.version)
                } else {
                    member.version
                }
            })
            .collect()
    }

    fn files(
        &self,
        style: Style,
        versions: &[[u64; 3]],
        train: [u64; 3],
        spelling: &Spelling,
    ) -> Vec<(String, String)> {
        let names: Vec<String> = (0..versions.len())
            .map(|at| format!("{:?}", name(at)))
            .collect();
        let root = format!(
            "[workspace]\nmembers = [{}]\npackage.version = {}\n[workspace.metadata]\nversion = \"12.0.0\"\n",
            names.join(", "),
            spelling.quoted(&dotted(train)),
        );
        let mut files = vec![("Cargo.toml".to_string(), spelling.file(&root))];
        for (at, member) in self.members.iter().enumerate() {
            let own = match member.inherits {
                true => "version.workspace = true".to_string(),
                false => format!(
                    "version{0}={0}{1}",
                    spelling.space,
                    spelling.quoted(&dotted(versions[at]))
                ),
            };
            let mut text = format!(
                "# version = \"12.0.0\"\n[package]\nname = '{}'\n{own} # 12.0.0\ndescription = \"version = '12.0.0'\"\npublish = {}\n",
                name(at),
                member.published
            );
            for table in TABLES {
                let mut lines = format!("[{table}]\noutside-{at} = \"12.0.0\"\n");
                let mut below = String::new();
                for dependency in member
                    .dependencies
                    .iter()
                    .filter(|dependency| dependency.table == table)
                {
                    let entry =
                        dependency.written(style, &dotted(versions[dependency.on]), spelling);
                    (if matches!(style, Style::Tables) {
                        &mut below
                    } else {
                        &mut lines
                    })
                    .push_str(&entry);
                }
                text += &(lines + &below);
            }
            files.push((format!("{}/Cargo.toml", name(at)), spelling.file(&text)));
        }
        files
    }
}

impl Dependency {
    fn written(&self, style: Style, version: &str, spelling: &Spelling) -> String {
        let key = if self.renamed {
            format!("renamed-{}", self.on)
        } else {
            name(self.on)
        };
        let mut pairs = vec![("path", format!("\"../{}\"", name(self.on)))];
        if let Some((operator, components)) = self.requirement {
            let version = version
                .split('.')
                .take(components)
                .collect::<Vec<_>>()
                .join(".");
            pairs.insert(
                spelling.version_first.into(),
                ("version", spelling.quoted(&format!("{operator}{version}"))),
            );
        }
        if self.renamed {
            pairs.push(("package", format!("'{}'", name(self.on))));
        }
        let space = spelling.space;
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(key, value)| format!("{key}{space}={space}{value}"))
            .collect();
        match style {
            Style::Inline => format!("{key} = {{ {} }} # 12.0.0\n", pairs.join(", ")),
            Style::Dotted => pairs
                .iter()
                .map(|pair| format!("{key}.{pair} # 12.0.0\n"))
                .collect(),
            Style::Tables => format!("[{}.{key}]\n{}\n", self.table, pairs.join("\n")),
        }
    }
}

/// What a careless hand may have left in a manifest.
struct Spelling {
    quotes: &'static str,
    space: &'static str,
    version_first: bool,
    crlf: bool,
    byte_order_mark: bool,
    final_newline: bool,
}

impl Spelling {
    fn arbitrary(u: &mut Unstructured) -> Result<Spelling> {
        Ok(Spelling {
            quotes: u.choose(&["\"", "'", "\"\"\"", "'''"])?,
            space: u.choose(&["", " ", "\t "])?,
            version_first: u.arbitrary()?,
            crlf: u.arbitrary()?,
            byte_order_mark: u.arbitrary()?,
            final_newline: u.arbitrary()?,
        })
    }

    fn quoted(&self, text: &str) -> String {
        format!("{0}{text}{0}", self.quotes)
    }

    fn file(&self, text: &str) -> String {
        let text = if self.final_newline {
            text
        } else {
            text.trim_end()
        };
        let text = if self.crlf {
            text.replace('\n', "\r\n")
        } else {
            text.to_string()
        };
        if self.byte_order_mark {
            format!("\u{feff}{text}")
        } else {
            text
        }
    }
}

fn name(at: usize) -> String {
    format!("crate-{at}")
}

fn dotted(version: [u64; 3]) -> String {
    version.map(|number| number.to_string()).join(".")
}

fn major(version: [u64; 3]) -> [u64; 3] {
    match version {
        [0, 0, patch] => [0, 0, patch + 1],
        [0, minor, _] => [0, minor + 1, 0],
        [major, ..] => [major + 1, 0, 0],
    }
}

#[test]
fn a_bump_changes_versions_and_no_other_byte_however_they_are_written() {
    arbtest::arbtest(|u| {
        let (model, spelling) = (Model::arbitrary(u)?, Spelling::arbitrary(u)?);
        let now: Vec<_> = model.members.iter().map(|member| member.version).collect();
        let mut meanings = Vec::new();
        for style in [Style::Inline, Style::Dotted, Style::Tables] {
            let files = model.files(style, &now, TRAIN, &spelling);
            let tree = Tree::new(
                &files
                    .iter()
                    .map(|(file, text)| (&**file, &**text))
                    .collect::<Vec<_>>(),
            );
            tree.done(&["bump"]);
            for (file, expected) in model.files(style, &model.bumped(), major(TRAIN), &spelling) {
                assert_eq!(tree.read(&file), expected, "{file}");
            }
            let metadata =
                tree.cargo(&["metadata", "--no-deps", "--offline", "--format-version=1"]);
            let meaning = metadata.replace(
                &tree.path().canonicalize().unwrap().display().to_string(),
                "",
            );
            meanings.push(meaning);
        }
        assert!(
            meanings.iter().all(|meaning| *meaning == meanings[0]),
            "{meanings:#?}"
        );
        Ok(())
    })
    .budget_ms(5_000);
}
