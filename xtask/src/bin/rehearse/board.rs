//! What a rehearsal has come to: the refs of `origin`, the pull requests and releases of the stand-in for GitHub, and the
//! crates of the registry, read from the sandbox; and the crate of a user who builds with them.

use std::collections::BTreeMap;
use std::fs;

use semver::Version;
use serde_json::Value;
use xshell::Shell;

use super::count;
use super::sandbox::Sandbox;
use crate::people;
use release_train::rules::version::branch_version;
use release_train::world::workspace::Workspace;
use release_train::{Result, print};

/// All that tasks and people change.
pub struct World {
    /// From the full name of each ref of `origin` to its object.
    pub refs: BTreeMap<String, String>,
    github: Value,
    /// From the version and the name of each crate in the registry to whether it is yanked.
    pub crates: BTreeMap<(Version, String), bool>,
}

impl World {
    pub fn read(sandbox: &Sandbox) -> Result<World> {
        let refs = sandbox.git(
            &sandbox.origin,
            "for-each-ref --format=%(refname)=%(objectname)",
        )?;
        let refs = refs.lines().filter_map(|line| line.rsplit_once('='));
        let mut crates = BTreeMap::new();
        for file in fs::read_dir(sandbox.root.join("registry/index"))
            .into_iter()
            .flatten()
        {
            for line in fs::read_to_string(file?.path())?.lines() {
                let line: Value = serde_json::from_str(line)?;
                let version = Version::parse(word(&line["vers"]))?;
                crates.insert(
                    (version, word(&line["name"]).to_string()),
                    line["yanked"] == true,
                );
            }
        }
        let refs = refs
            .map(|(name, object)| (name.to_string(), object.to_string()))
            .collect();
        Ok(World {
            refs,
            github: sandbox.github()?,
            crates,
        })
    }

    pub fn list(&self, of: &str) -> &[Value] {
        self.github[of].as_array().map_or(&[], Vec::as_slice)
    }

    /// What has come since, in a few words; nothing if nothing has.
    pub fn since(&self, before: &World) -> String {
        let mut news = Vec::new();
        for name in self
            .refs
            .keys()
            .filter(|name| !before.refs.contains_key(*name))
        {
            let tag = name
                .strip_prefix("refs/tags/")
                .map(|tag| format!("tag {tag}"));
            let branch = name
                .strip_prefix("refs/heads/")
                .filter(|name| branch_version(name).is_some());
            news.extend(tag.or(branch.map(str::to_string)));
        }
        let pulls = self.list("pulls").iter().skip(before.list("pulls").len());
        news.extend(pulls.map(|pull| format!("#{} {}", pull["number"], word(&pull["title"]))));
        let fresh =
            |(key, yanked): &(&(Version, String), &bool)| before.crates.get(*key) != Some(*yanked);
        let (yanked, published): (Vec<_>, Vec<_>) = self
            .crates
            .iter()
            .filter(fresh)
            .partition(|(_, yanked)| **yanked);
        for (crates, done) in [(published, "published"), (yanked, "yanked")] {
            news.extend(
                (!crates.is_empty()).then(|| format!("{} {done}", count(crates.len(), "crate"))),
            );
        }
        for release in self
            .list("releases")
            .iter()
            .filter(|release| !before.list("releases").contains(release))
        {
            let (tag, assets) = (
                word(&release["tag_name"]),
                release["assets"].as_array().map_or(0, Vec::len),
            );
            news.push(
                match (
                    release["draft"] == true,
                    release["prerelease"] == true,
                    self.github["latest"] == *tag,
                ) {
                    (true, ..) => format!("a draft of {tag} with {}", count(assets, "file")),
                    (_, true, _) => format!("{tag} is public, as a pre-release"),
                    (.., true) => format!("{tag} is public, and the latest"),
                    (.., false) => format!("{tag} is public"),
                },
            );
        }
        news.join("; ")
    }
}

/// Prints the board and the history of `origin`.
pub fn show(sh: &Shell, sandbox: &Sandbox, world: &World) -> Result<()> {
    let mut branches = Vec::new();
    for branch in world
        .refs
        .keys()
        .filter_map(|name| name.strip_prefix("refs/heads/"))
    {
        people::checkout(sandbox, "people", branch)?;
        let _tree = sh.push_dir(sandbox.workspace("people"));
        branches.push(format!("{branch} at {}", Workspace::load(sh)?.version));
    }
    let tags = world
        .refs
        .keys()
        .filter_map(|name| name.strip_prefix("refs/tags/"));
    let mut counts: BTreeMap<(&Version, bool), usize> = BTreeMap::new();
    world
        .crates
        .iter()
        .for_each(|((version, _), yanked)| *counts.entry((version, *yanked)).or_default() += 1);
    let counted = counts.iter().map(|((version, yanked), count)| {
        format!(
            "{count} of {version}{}",
            if *yanked { " (yanked)" } else { "" }
        )
    });
    let releases = world.list("releases").iter().map(|release| {
        let tag = word(&release["tag_name"]);
        let mark = match (release["draft"] == true, world.github["latest"] == *tag) {
            (true, _) => " (draft)",
            (_, true) => " (latest)",
            _ => "",
        };
        format!("{tag}{mark}")
    });
    let rows = [
        ("branches", branches),
        ("tags", tags.map(str::to_string).collect()),
        ("crates", counted.collect()),
        ("releases", releases.collect()),
    ];
    print("\n")?;
    for (name, what) in rows {
        let what = if what.is_empty() {
            "none".to_string()
        } else {
            what.join(", ")
        };
        print(&format!("{name:<9} {what}\n"))?;
    }
    let log = [
        "log",
        "--graph",
        "--all",
        "--max-count=40",
        "--format=%h%d %s",
    ];
    let graph = sandbox.must(&sandbox.origin, "git", &log)?;
    let graph: String = graph
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    print(&format!("\n{graph}\n"))
}

/// Builds a crate outside the workspace that depends on the newest version of the crates that others rely on. Returns what
/// they are.
pub fn consume(sandbox: &Sandbox, workspace: &Workspace, world: &World) -> Result<String> {
    let library = |kind: &Value| {
        ["lib", "rlib", "proc-macro"]
            .iter()
            .any(|library| kind == library)
    };
    let mut dependencies = Vec::new();
    for member in workspace.public_crates() {
        let targets = member.about["targets"].as_array().into_iter().flatten();
        let mut kinds = targets
            .filter_map(|target| target["kind"].as_array())
            .flatten();
        let newest = world
            .crates
            .iter()
            .rfind(|((_, name), yanked)| *name == member.name && !**yanked);
        if let (true, Some(((version, _), _))) = (kinds.any(library), newest) {
            dependencies.push((&member.name, version));
        }
    }
    if dependencies.is_empty() {
        return Ok("there is no library to build with".to_string());
    }
    let lines = dependencies
        .iter()
        .map(|(name, version)| format!("{name} = \"={version}\"\n"));
    let manifest = format!(
        "[package]\nname = \"consumer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{}",
        lines.collect::<String>()
    );
    fs::create_dir_all(sandbox.root.join("consumer/src"))?;
    fs::write(sandbox.root.join("consumer/Cargo.toml"), manifest)?;
    fs::write(sandbox.root.join("consumer/src/lib.rs"), "")?;
    sandbox.must("consumer", "cargo", &["build", "--quiet"])?;
    let names: Vec<String> = dependencies
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    Ok(format!("builds with {}", names.join(", ")))
}

pub fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
