//! What the steps of a rehearsal changed: the refs of `origin`, the pull requests and releases of the stand-in for GitHub,
//! and the crates of the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use semver::Version;
use serde_json::Value;

use crate::gh::text;
use crate::sandbox::Sandbox;
use release_train::rules::version::branch_version;
use release_train::{Result, count, world::items};

/// All that tasks and people can change.
pub struct State {
    /// From the full name of each ref of `origin` to its object.
    pub refs: BTreeMap<String, String>,
    github: Value,
    /// From each crate of the registry to whether it is yanked.
    crates: BTreeMap<(String, Version), bool>,
}

impl State {
    pub fn read(sandbox: &Sandbox) -> Result<State> {
        let mut refs = BTreeMap::new();
        let listing = "for-each-ref --format=%(refname)=%(objectname)";
        for line in sandbox.git(&sandbox.origin, listing)?.lines() {
            if let Some((name, object)) = line.rsplit_once('=') {
                refs.insert(name.to_string(), object.to_string());
            }
        }
        let mut crates = BTreeMap::new();
        let index = fs::read_dir(sandbox.root.join("registry/index"));
        for file in index.into_iter().flatten() {
            for line in fs::read_to_string(file?.path())?.lines() {
                let line: Value = serde_json::from_str(line)?;
                let version = Version::parse(text(&line["vers"]))?;
                let name = text(&line["name"]).to_string();
                crates.insert((name, version), line["yanked"] == true);
            }
        }
        let github = sandbox.github()?;
        Ok(State {
            refs,
            github,
            crates,
        })
    }

    /// The objects of GitHub's list of `pulls` or `releases`.
    pub fn list(&self, of: &str) -> &[Value] {
        items(&self.github[of])
    }

    pub fn tags(&self) -> BTreeSet<String> {
        let names = self.refs.keys();
        let tags = names.filter_map(|name| name.strip_prefix("refs/tags/"));
        tags.map(str::to_string).collect()
    }

    /// The newest version of a crate that is not yanked.
    pub fn newest(&self, name: &str) -> Option<&Version> {
        let mut crates = self.crates.iter();
        let newest = crates.rfind(|((other, _), yanked)| other == name && !**yanked);
        newest.map(|((_, version), _)| version)
    }

    /// What is new since an earlier state, each in a few words.
    pub fn since(&self, before: &State) -> Vec<String> {
        let mut news = Vec::new();
        for name in self.refs.keys() {
            if before.refs.contains_key(name) {
                continue;
            }
            if let Some(tag) = name.strip_prefix("refs/tags/") {
                news.push(format!("tag {tag}"));
            }
            // The others are shown by their pull requests.
            if let Some(branch) = name.strip_prefix("refs/heads/")
                && branch_version(branch).is_some()
            {
                news.push(format!("branch {branch}"));
            }
        }
        for pull in self.list("pulls").iter().skip(before.list("pulls").len()) {
            news.push(format!("#{} {}", pull["number"], text(&pull["title"])));
        }
        for run in self.list("runs") {
            if run["event"] == "workflow_dispatch" && !before.list("runs").contains(run) {
                let (file, at) = (text(&run["workflowName"]), text(&run["headBranch"]));
                news.push(format!("started {file} at {at}"));
            }
        }
        let (mut published, mut yanked) = (0, 0);
        for (key, is_yanked) in &self.crates {
            match before.crates.get(key) {
                None => published += 1,
                Some(was_yanked) if was_yanked != is_yanked => yanked += 1,
                Some(_) => {}
            }
        }
        for (number, done) in [(published, "published"), (yanked, "yanked")] {
            if number > 0 {
                news.push(format!("{} {done}", count(number, "crate")));
            }
        }
        for release in self.list("releases") {
            if !before.list("releases").contains(release) {
                news.push(self.about(release));
            }
        }
        news
    }

    fn about(&self, release: &Value) -> String {
        let tag = text(&release["tag_name"]);
        let state = if release["draft"] == true {
            "a draft"
        } else if release["prerelease"] == true {
            "a public pre-release"
        } else if self.github["latest"] == tag {
            "public and the latest"
        } else {
            "public"
        };
        let files = release["assets"].as_array().map_or(0, Vec::len);
        format!("{tag} is {state}, with {}", count(files, "file"))
    }
}
