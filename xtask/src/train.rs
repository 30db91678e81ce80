//! Where the trains are: the facts that git, GitHub and the registry gave, and what they come to in words. Pure:
//! `tasks/status.rs` asks, `next.rs` says what is to be done, `board.rs` draws.

use std::collections::BTreeSet;

use semver::Version;
use time::{Date, Duration};

use crate::calendar::{self, CUT, RELEASE, next_cut};
use crate::github::Proposed;
use crate::version::{branch_version, release_branch, release_of, tag};

/// All that is known. What could not be asked is `None`, and named in `unknown`.
pub struct Trains {
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
    /// When its commit was made.
    pub day: Date,
    /// How many of its crates are in the registry, and how many it has.
    pub crates: Option<(usize, usize)>,
    /// Whether a crate has no other version, and so may still lack the owners that are configured.
    pub ownerless: bool,
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

impl Tagged {
    /// A tag of which nothing else is known.
    pub fn new(version: &Version, day: Date) -> Tagged {
        Tagged { version: version.clone(), day, crates: None, ownerless: false, page: None }
    }

    pub fn lacks_crates(&self) -> bool {
        self.crates.is_some_and(|(there, all)| there < all)
    }

    pub fn words(&self) -> String {
        let tagged = if self.version.pre.is_empty() { "dated and tagged" } else { "a candidate, tagged" };
        let words = match self.crates {
            Some((there, all)) if there < all => format!("{tagged}, {there} of {all} crates published"),
            Some(_) => "published".to_string(),
            None => tagged.to_string(),
        };
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
    pub fn waits_for_tag(&self) -> bool {
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

impl Trains {
    /// The open pull requests to a branch.
    pub fn proposed_to(&self, base: &str) -> impl Iterator<Item = &Proposed> {
        self.proposed.iter().flatten().filter(move |proposed| proposed.base == base)
    }

    pub fn is_open(&self, branch: &str) -> bool {
        self.proposed.iter().flatten().any(|proposed| proposed.branch == branch)
    }

    /// The line that has not left, if it is the newest one.
    pub fn waiting(&self) -> Option<&Line> {
        self.lines.last().filter(|line| !line.left)
    }

    /// The next days of cutting and of releasing. One that is past is still to come.
    pub fn days(&self) -> (Date, Date) {
        let cut = match self.proposed {
            Some(_) => next_cut(self.today, self.last_cut),
            None => calendar::next(CUT, self.today),
        };
        let from = match self.waiting() {
            Some(_) => self.last_cut.or(self.today.replace_day(1).ok()).unwrap_or(cut),
            None => cut,
        };
        (cut, calendar::next(RELEASE, from))
    }

    /// Leaves out the lines that are not supported any more and at their end.
    pub fn leave_out_what_is_done(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.lines = lines.into_iter().filter(|line| self.matters(line)).collect();
    }

    /// Whether somebody relies on a line or waits for it. Whatever an old tag lacks, nobody waits for.
    fn matters(&self, line: &Line) -> bool {
        let lacks = |tagged: &Tagged| match tagged.page {
            Some(Page::Draft { .. }) => true,
            Some(Page::Public) => false,
            Some(Page::Missing) | None => is_recent(tagged.day, self.today),
        };
        let promised = self.supported.contains(&line.branch) || !line.left;
        let begun = line.waits_for_tag() || self.proposed_to(&line.branch).next().is_some();
        promised || begun || line.tagged.iter().any(lacks)
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

    pub fn cut_is_half_made(&self) -> bool {
        let branch = release_branch(&release_of(&self.version));
        self.lines.iter().any(|line| line.branch == branch)
    }
}

/// Whether what a tag of one day lacks may still be on its way on another.
pub fn is_recent(tagged: Date, today: Date) -> bool {
    today - tagged < Duration::days(31)
}

pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
