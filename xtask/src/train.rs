//! Where the trains are: the facts that git, GitHub and the registry gave, what they come to in words, and what is to be done
//! next. Pure: `tasks/status.rs` asks, `board.rs` draws.

use std::collections::BTreeSet;

use semver::Version;
use time::Date;

use crate::calendar::{self, RELEASE, next_cut};
use crate::github::{Ci, Proposed};
use crate::version::{branch_version, release_branch, release_of, tag};

/// All that is known. What could not be asked is `None`, and named in `unknown`.
pub struct Train {
    pub today: Date,
    pub name: String,
    /// The branch that everything lands on first, and its version.
    pub main: String,
    pub version: Version,
    /// The version of the latest train, if main's notes have a section of it without a date.
    pub undated: Option<Version>,
    /// The release branches that are supported or not at their end, oldest first.
    pub lines: Vec<Line>,
    /// The branches that are supported.
    pub supported: Vec<String>,
    /// The branches of the tasks' pull requests that are on origin.
    pub begun: BTreeSet<String>,
    pub proposed: Option<Vec<Proposed>>,
    /// The day on which the pull request was opened that brought main to its version.
    pub last_cut: Option<Date>,
    /// What the server calls the latest release, and what it should.
    pub latest: Option<String>,
    pub passed_over: Option<Version>,
    /// The titles and addresses of the open issues that mention RUSTSEC.
    pub issues: Option<Vec<(String, String)>>,
    pub unknown: Vec<String>,
}

/// A release branch.
pub struct Line {
    pub branch: String,
    /// The version that it was cut for.
    pub first: Version,
    /// The version that it is at.
    pub version: Version,
    /// Whether its notes date that version.
    pub dated: bool,
    /// How many commits its last tag lacks.
    pub changes: usize,
    /// Whether a release of it, not only a candidate, is tagged.
    pub left: bool,
    /// The tags whose release is a draft, and the last one.
    pub tagged: Vec<Tagged>,
    /// Whether candidates that a later tag has replaced can still be picked.
    pub replaced: bool,
    /// The day of the first release, and the first day without support, for a line that is supported.
    pub support: Option<(Date, Date)>,
    pub long_term: bool,
    /// The releases whose notes main lacks.
    pub notes_missing: Vec<Version>,
}

/// A tag of ours, and what has come of it.
pub struct Tagged {
    pub version: Version,
    /// How many of its crates are in the registry, and how many it has.
    pub crates: Option<(usize, usize)>,
    pub page: Option<Page>,
}

/// The release on GitHub.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Page {
    Missing,
    /// `filled` if it has files and all of them arrived.
    Draft {
        filled: bool,
    },
    Public,
}

/// One thing to do, and why.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub what: What,
    pub why: String,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Run(String),
    /// For a human: a sentence, and the address that it is about.
    Human(String, String),
}

impl Tagged {
    fn lacks_crates(&self) -> bool {
        self.crates.is_some_and(|(there, all)| there < all)
    }

    fn words(&self) -> String {
        let mut words = match self.crates {
            Some((there, all)) if there < all => format!("dated and tagged, {there} of {all} crates published"),
            Some(_) => "published".to_string(),
            None => "dated and tagged".to_string(),
        };
        if !self.version.pre.is_empty() {
            words = words.replace("dated and tagged", "a candidate, tagged");
        }
        match self.page {
            Some(Page::Missing) => words + ", without a release on GitHub",
            Some(Page::Draft { .. }) => words + ", a draft on GitHub",
            Some(Page::Public) if !self.lacks_crates() => "released".to_string(),
            Some(Page::Public) => words + ", public on GitHub",
            None => words,
        }
    }
}

impl Line {
    pub fn last(&self) -> Option<&Tagged> {
        self.tagged.last()
    }

    /// Whether the version that the branch is at is tagged.
    pub fn is_tagged(&self) -> bool {
        self.last().is_some_and(|last| last.version == self.version)
    }

    /// Whether the next thing for its version is a tag.
    fn waits_for_tag(&self) -> bool {
        !self.is_tagged() && (self.dated && self.version.pre.is_empty() || self.version.pre.starts_with("rc."))
    }

    /// Where it stands in the process.
    pub fn words(&self) -> String {
        let mut words = match self.last() {
            _ if self.waits_for_tag() && self.version.pre.is_empty() => "dated, not tagged".to_string(),
            _ if self.waits_for_tag() => "a candidate, not tagged".to_string(),
            Some(last) if self.is_tagged() => last.words(),
            Some(last) => format!("not dated, after {}", tag(&last.version)),
            None => "cut, not released".to_string(),
        };
        if self.is_tagged() && self.changes > 0 {
            words += &format!(", {} since", count(self.changes, "commit"));
        }
        for tagged in self.tagged.iter().rev().skip(1) {
            words += &format!("; {} is a draft", tag(&tagged.version));
        }
        if !self.notes_missing.is_empty() {
            let versions: Vec<String> = self.notes_missing.iter().map(Version::to_string).collect();
            words += &format!("; the notes of {} are missing on main", versions.join(", "));
        }
        words + if self.replaced { "; replaced candidates are not yanked" } else { "" }
    }
}

impl Train {
    /// The open pull requests to a branch.
    pub fn proposed_to(&self, base: &str) -> impl Iterator<Item = &Proposed> {
        self.proposed.iter().flatten().filter(move |proposed| proposed.base == base)
    }

    fn is_open(&self, branch: &str) -> bool {
        self.proposed.iter().flatten().any(|proposed| proposed.branch == branch)
    }

    /// The line that has not left, if it is the newest one.
    fn waiting(&self) -> Option<&Line> {
        self.lines.last().filter(|line| !line.left)
    }

    /// The next days of cutting and of releasing. One that is past is still to come.
    pub fn days(&self) -> (Date, Date) {
        let cut = next_cut(self.today, self.last_cut);
        let cut = if self.proposed.is_none() { calendar::next(calendar::CUT, self.today) } else { cut };
        let from = if self.waiting().is_none() {
            cut
        } else {
            self.last_cut.or(self.today.replace_day(1).ok()).unwrap_or(cut)
        };
        (cut, calendar::next(RELEASE, from))
    }

    /// Leaves out the lines that nothing is left to do for and nobody is promised anything of.
    pub fn leave_out_what_is_done(&mut self) {
        let open = |line: &Line| {
            let done = line.is_tagged() && line.tagged.iter().all(|tagged| tagged.page == Some(Page::Public));
            self.supported.contains(&line.branch)
                || !line.left
                || !done
                || self.proposed_to(&line.branch).next().is_some()
        };
        let open: Vec<bool> = self.lines.iter().map(open).collect();
        let mut open = open.into_iter();
        self.lines.retain(|_| open.next() == Some(true));
    }

    /// Where main stands.
    pub fn words(&self) -> String {
        let next = release_of(&self.version);
        match self.cut_is_half_made() {
            true => format!("{next} is cut, and the bump is not merged"),
            false if branch_version(&release_branch(&next)).is_none() => {
                format!("at {next}, and a train is cut at X.Y.0")
            }
            false => format!("development of {next}"),
        }
    }

    fn cut_is_half_made(&self) -> bool {
        let branch = release_branch(&release_of(&self.version));
        self.lines.iter().any(|line| line.branch == branch)
    }

    /// What is to be done now, the oldest line first.
    pub fn next(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for line in &self.lines {
            for tagged in &line.tagged {
                self.finish(tagged, &mut steps);
            }
            if line.waits_for_tag() {
                let why = format!("{} of `{}` is merged, and not tagged", line.version, line.branch);
                steps.push(run(&format!("push-tag --branch {}", line.branch), why));
            }
            self.propose(line, &mut steps);
            for proposed in self.proposed_to(&line.branch) {
                steps.push(self.merge(line, proposed));
            }
        }
        if self.lines.iter().any(|line| line.replaced) {
            steps.push(run(
                "yank --candidates",
                "later tags have replaced candidates that cargo still picks".to_string(),
            ));
        }
        if let Some(version) = &self.passed_over {
            let why = format!("GitHub calls {} the latest release", self.latest.as_deref().unwrap_or("none"));
            steps.extend(check_out(version, &why));
            steps.push(run("github-release", why));
        }
        self.keep_main(&mut steps);
        steps
    }

    /// What a tag lacks of a release. Of what was not asked, nothing is known to be missing.
    fn finish(&self, tagged: &Tagged, steps: &mut Vec<Step>) {
        let draft = matches!(tagged.page, Some(Page::Missing | Page::Draft { .. }));
        if !draft && !tagged.lacks_crates() {
            return;
        }
        let why = format!("{}: {}", tag(&tagged.version), tagged.words());
        steps.extend(check_out(&tagged.version, &why));
        if draft && tagged.page != Some(Page::Draft { filled: true }) {
            steps.push(run("dist", why.clone()));
            steps.push(run("github-release", why.clone()));
        }
        if tagged.crates.is_none_or(|(there, all)| there < all) {
            steps.push(run("publish", why.clone()));
        }
        if draft {
            steps.push(run("github-release", why));
        }
    }

    /// What no pull request proposes yet, and should.
    fn propose(&self, line: &Line, steps: &mut Vec<Step>) {
        if self.proposed.is_none() || line.waits_for_tag() {
            return;
        }
        let Line { branch, version, changes, .. } = line;
        let changes = count(*changes, "commit");
        let is_begun = |name: &str| self.begun.contains(name) || self.is_open(name);
        if self.waiting().is_some_and(|waiting| waiting.branch == *branch) {
            let version = release_of(version);
            let [release, date] = ["", "date-for-"].map(|prefix| format!("ci/release-{prefix}{version}"));
            let whole = self.is_open(&release) && (self.undated.is_none() || self.is_open(&date));
            let candidate =
                self.proposed_to(branch).any(|proposed| proposed.branch.starts_with("ci/release-candidate-"));
            let (_, day) = self.days();
            if whole || candidate {
            } else if is_begun(&release) || is_begun(&date) {
                steps.push(run("release-latest", format!("the release of {version} is proposed by half")));
            } else if self.today >= day {
                steps.push(run("release-latest", format!("{version} leaves on {}", calendar::named(day))));
            } else if line.version.pre.as_str() == "dev" && !self.cut_is_half_made() {
                steps
                    .push(run(&format!("release-candidate --branch {branch}"), format!("`{branch}` has no candidate")));
            } else if line.is_tagged() && line.changes > 0 {
                let why = format!("`{branch}` has {changes} that are in no candidate");
                steps.push(run(&format!("release-candidate --branch {branch}"), why));
            }
        } else if line.left && line.is_tagged() {
            let patch = format!("ci/release-{}", Version { patch: version.patch + 1, ..version.clone() });
            let empty = if line.changes == 0 { " --allow-empty" } else { "" };
            let why = match is_begun(&patch) {
                _ if self.is_open(&patch) => return,
                true => format!("the next patch of `{branch}` is proposed by half"),
                false if line.support.is_some() && line.changes > 0 => {
                    format!("`{branch}` has {changes} that are in no release")
                }
                false => return,
            };
            steps.push(run(&format!("release-patch --branch {branch}{empty}"), why));
        }
    }

    /// What a human does with a pull request that releases something. Those of a security release go together: the first
    /// one that is merged tells the world.
    fn merge(&self, line: &Line, proposed: &Proposed) -> Step {
        let patches = || {
            let all = self.lines.iter().filter(|line| line.left).flat_map(|line| self.proposed_to(&line.branch));
            all.filter(|proposed| proposed.branch.starts_with("ci/release-"))
        };
        let has_ci = patches().any(|patch| patch.ci != Ci::None);
        let held = patches().find(|patch| patch.ci != Ci::Green).filter(|_| has_ci && patches().count() > 1);
        let url = &proposed.url;
        match held {
            _ if !line.left => merge(proposed),
            _ if line.changes == 0 => {
                let why = format!("`{}` has nothing that {} lacks", line.branch, tag(&line.version));
                human(format!("merge the fixes into `{}`, then {url}", line.branch), url, why)
            }
            Some(other) if other.url != *url && proposed.ci == Ci::Green => human(
                format!("wait with {url}"),
                url,
                format!("the CI of {} is not green, and the patches go out together", other.url),
            ),
            _ if has_ci && patches().count() > 1 && proposed.ci == Ci::None => {
                human(format!("start the CI of {url}"), url, "the patches go out together".into())
            }
            _ => merge(proposed),
        }
    }

    /// What main needs.
    fn keep_main(&self, steps: &mut Vec<Step>) {
        let Some(proposed) = &self.proposed else { return };
        let bump = |proposed: &&Proposed| proposed.branch.starts_with("ci/bump-to-");
        let at_a_train = branch_version(&release_branch(&release_of(&self.version))).is_some();
        if !proposed.iter().any(|proposed| bump(&proposed)) {
            let (cut, _) = self.days();
            if self.cut_is_half_made() {
                steps.push(run("cut", format!("{} is cut, and nothing proposes the next version", self.version)));
            } else if at_a_train && self.waiting().is_none() && self.today >= cut {
                steps.push(run("cut", format!("{} is cut on {}", release_of(&self.version), calendar::named(cut))));
            }
        }
        let missing: Vec<&Version> = self.lines.iter().flat_map(|line| line.notes_missing.first()).collect();
        let unproposed = missing.iter().find(|version| !self.is_open(&format!("ci/sync-notes-{version}")));
        if let Some(version) = unproposed {
            steps.push(run("sync-notes", format!("{} lacks the notes of {version}", self.main)));
        }
        steps.extend(self.proposed_to(&self.main).map(merge));
    }
}

fn run(task: &str, why: String) -> Step {
    Step { what: What::Run(format!("cargo xtask {task}")), why }
}

fn human(says: String, url: &str, why: String) -> Step {
    Step { what: What::Human(says, url.to_string()), why }
}

fn merge(Proposed { url, title, ci, .. }: &Proposed) -> Step {
    let says = match ci {
        Ci::Green | Ci::None => format!("merge {url}"),
        Ci::Running => format!("wait for the CI of {url}, then merge it"),
        Ci::Red => format!("mend the CI of {url}, then merge it"),
    };
    let none = if *ci == Ci::None { ", whose CI has not run" } else { "" };
    human(says, url, format!("{title}{none}"))
}

fn check_out(version: &Version, why: &str) -> [Step; 2] {
    let tag = tag(version);
    [format!("git fetch origin tag {tag}"), format!("git checkout {tag}")]
        .map(|line| Step { what: What::Run(line), why: why.to_string() })
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
