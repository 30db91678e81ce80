//! What to run next, and how the overview looks: facts in, steps and text out. Pure. Run again, each command does only what
//! is missing; so a step may be advised whenever its result is not complete.

use std::collections::BTreeSet;

use semver::Version;
use time::{Date, Duration};

use crate::count;
use crate::rules::calendar::{CUT, RELEASE, next_on, same_month};
use crate::rules::notes::{code, plain};
use crate::rules::version::{Bump, branch_version, release_branch, release_of, same_line};

/// Everything that the rules look at.
pub struct Facts {
    pub today: Date,
    pub main: String,
    pub version: Version,
    /// How main's version is released, if it is.
    pub released: Option<String>,
    /// The release branches that are supported or have work under way, oldest first.
    pub branches: Vec<ReleaseBranch>,
    /// The open pull requests from branches `ci/...`, oldest first.
    pub proposals: Vec<PullRequest>,
    /// All branches on origin; those of proposals can be without a pull request.
    pub pushed: BTreeSet<String>,
    /// When main's version was proposed: the day of the last cut.
    pub last_cut: Option<Date>,
    /// The tag of the highest public version, if GitHub calls another release the latest.
    pub wrongly_not_latest: Option<String>,
    /// The newest version whose notes are missing on main.
    pub notes_missing: Option<Version>,
    /// Without its answers, nothing is advised.
    pub github_answers: bool,
    /// What could not be asked, and what stops the release of a branch or tag.
    pub problems: Vec<String>,
}

pub struct ReleaseBranch {
    pub name: String,
    pub version: Version,
    /// Whether that version is dated, or a candidate: without a tag it waits for one.
    pub ready: bool,
    pub tagged: bool,
    /// Whether it lacks the workflow that main has, without which nothing can be tagged on it.
    pub lacks_workflow: bool,
    /// Whether a version of this branch other than a candidate is tagged.
    pub released: bool,
    /// How many commits came after the last tag.
    pub changes: usize,
    /// Tags without a public release.
    pub unfinished: Vec<String>,
    /// The last day of support.
    pub until: Option<Date>,
}

/// A pull request from a branch of the repository, not of a fork.
pub struct PullRequest {
    pub url: String,
    pub title: String,
    /// `OPEN`, `CLOSED` or `MERGED`.
    pub state: String,
    pub branch: String,
    /// The commit that it proposes.
    pub head: String,
    pub base: String,
    pub opened: Date,
    pub ci: Ci,
}

/// The state of the checks of a pull request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ci {
    /// Not asked, or not to be read with this token.
    Unknown,
    /// No check has run: those of a pull request that a workflow opened may wait for an approval.
    None,
    Running,
    Passed,
    Failed,
}

/// One step, and why.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub action: Action,
    pub why: String,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    /// A command to paste.
    Run(String),
    /// What a human does with a pull request, and its URL.
    Human(String, String),
}

impl Facts {
    /// The steps that are due, the oldest branch first.
    pub fn next(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.github_answers {
            return steps;
        }
        let mut run = |command: String, why: &str| {
            let (action, why) = (Action::Run(command), why.to_string());
            steps.push(Step { action, why });
        };
        for branch in &self.branches {
            for tag in &branch.unfinished {
                let why = format!("{tag} has no public release on GitHub");
                run(format!("git fetch origin tag {tag}"), &why);
                run(format!("git checkout {tag}"), &why);
                for task in ["dist", "publish", "github-release"] {
                    run(format!("cargo xtask {task}"), &why);
                }
            }
            if let Some((task, why)) = self.next_for_branch(branch) {
                run(format!("cargo xtask {task}"), &why);
            }
        }
        if let Some(tag) = &self.wrongly_not_latest {
            let why = format!("GitHub does not call {tag} the latest release");
            run(format!("git checkout {tag}"), &why);
            run("cargo xtask github-release".to_string(), &why);
        }
        let cut = self.cut_is_due();
        let behind = self.released.as_ref();
        let behind = behind.filter(|_| !self.cut_is_incomplete());
        if let (Some(why), None) = (&cut, behind) {
            run("cargo xtask cut".to_string(), why);
        }
        if let Some(version) = &self.notes_missing
            && !self.is_open(&format!("ci/sync-notes-{version}"))
        {
            let why = format!("the notes of {version} are missing on {}", self.main);
            run("cargo xtask sync-notes".to_string(), &why);
        }
        if let (Some(why), Some(released)) = (cut, behind) {
            let (main, version) = (&self.main, &self.version);
            let sentence = format!("bump {main}, which is at {version}: that {released}");
            let action = Action::Human(sentence, String::new());
            steps.push(Step { action, why });
        }
        for ReleaseBranch { name, .. } in self.branches.iter().filter(|it| it.lacks_workflow) {
            let what = "xtask/, .cargo/config.toml and .github/workflows";
            let sentence = format!("backport {what} to `{name}`");
            let action = Action::Human(sentence, String::new());
            let why = format!("{name} has no release-tag.yml: nothing can be tagged on it");
            steps.push(Step { action, why });
        }
        for proposal in &self.proposals {
            let action = Action::Human(self.for_human(proposal), proposal.url.clone());
            let why = proposal.title.clone();
            steps.push(Step { action, why });
        }
        steps
    }

    /// The task that a release branch needs, and why: the first case that applies.
    fn next_for_branch(&self, branch: &ReleaseBranch) -> Option<(String, String)> {
        let (name, version, changes) = (&branch.name, &branch.version, branch.changes);
        let release = release_of(version);
        let newest = self.branches.last().is_some_and(|last| last.name == *name);
        let opened_here = self.proposals.iter().any(|proposal| proposal.base == *name);
        let unreleased = !branch.released && newest;

        let pull_request = format!("ci/release-{release}");
        let incomplete = self.is_incomplete(&pull_request)
            || self.is_incomplete(&format!("ci/release-date-for-{release}"));
        let due = self.today >= self.release_day() && !self.is_open(&pull_request);
        let candidate_due = version.pre.as_str() == "dev" || branch.tagged && changes > 0;
        let empty = if changes == 0 { " --allow-empty" } else { "" };

        let (task, why) = if branch.ready && !branch.tagged {
            let why = format!("{version} is merged and not tagged");
            (format!("push-tag --branch {name}"), why)
        } else if branch.released && self.patch_is_due(branch) {
            let why = format!("{} of {name} not released yet", count(changes, "commit"));
            (format!("release-patch --branch {name}{empty}"), why)
        } else if unreleased && (incomplete || due) {
            let why = format!("{release} is due on {}", self.release_day());
            ("release-latest".to_string(), why)
        } else if unreleased && candidate_due && !opened_here && !self.cut_is_incomplete() {
            let why = format!("{} of {name} not in a candidate", count(changes, "commit"));
            (format!("release-candidate --branch {name}"), why)
        } else {
            return None;
        };
        Some((task, why))
    }

    fn patch_is_due(&self, branch: &ReleaseBranch) -> bool {
        let Ok(next) = Bump::Patch.next(&branch.version, false) else {
            return false;
        };
        let pull_request = format!("ci/release-{next}");
        let due = branch.until.is_some() && branch.changes > 0 && !self.is_open(&pull_request);
        let wanted = due || self.is_incomplete(&pull_request);
        wanted && branch.tagged && same_line(&next, &branch.version)
    }

    /// Why a cut is due, if it is.
    fn cut_is_due(&self) -> Option<String> {
        let can_be_cut = branch_version(&release_branch(&self.version)).is_some();
        let due = can_be_cut && !self.waits() && self.today >= self.cut_day();
        let is_bump = |proposal: &PullRequest| proposal.branch.starts_with("ci/bump-to-");
        let open = self.proposals.iter().any(is_bump);
        let why = format!("{} is due on {}", release_of(&self.version), self.cut_day());
        (!open && (due || self.cut_is_incomplete())).then_some(why)
    }

    /// What a human does with a pull request. Patches of several branches are merged together: the first one makes the fix
    /// public.
    fn for_human(&self, pull_request: &PullRequest) -> String {
        let (url, base) = (&pull_request.url, &pull_request.base);
        let mut released = self.branches.iter().filter(|branch| branch.released);
        let is_patch =
            |proposal: &&PullRequest| released.clone().any(|branch| branch.name == proposal.base);
        let patches: Vec<_> = self.proposals.iter().filter(is_patch).collect();
        let not_passed = patches.iter().any(|patch| patch.ci != Ci::Passed);
        let patched = released.find(|branch| branch.name == *base);
        match (patched, pull_request.ci) {
            (Some(branch), _) if branch.changes == 0 => {
                format!("merge the fixes into `{base}`, then {url}")
            }
            (_, Ci::Failed) => format!("repair the CI of {url}"),
            (_, Ci::Running) => format!("wait for the CI of {url}"),
            (Some(_), _) if patches.len() > 1 && not_passed => {
                format!(
                    "wait with {url}: patches are merged together, and CI has not passed for all"
                )
            }
            _ => format!("merge {url}"),
        }
    }

    fn is_open(&self, branch: &str) -> bool {
        self.proposals.iter().any(|open| open.branch == branch)
    }

    /// Whether a branch was pushed for a pull request that is not open.
    fn is_incomplete(&self, branch: &str) -> bool {
        self.pushed.contains(branch) && !self.is_open(branch)
    }

    /// Whether the release branch of main's version is there and the bump of main is not merged.
    fn cut_is_incomplete(&self) -> bool {
        let cut = release_branch(&self.version);
        let mut branches = self.branches.iter();
        branches.any(|branch| branch.name == cut && !branch.released)
    }

    /// The next day of a cut; a day that has passed without one is still due.
    fn cut_day(&self) -> Date {
        let this_month = self.today.replace_day(CUT).unwrap_or(self.today);
        match self.last_cut {
            Some(last) if same_month(last, self.today) => next_on(CUT, this_month + Duration::DAY),
            _ => this_month,
        }
    }

    /// Whether a train is cut and not released.
    fn waits(&self) -> bool {
        self.branches.last().is_some_and(|branch| !branch.released)
    }

    /// The day of the next release.
    fn release_day(&self) -> Date {
        let this_month = self.today.replace_day(1).unwrap_or(self.today);
        let cut = match self.waits() {
            true => self.last_cut.unwrap_or(this_month),
            false => self.cut_day(),
        };
        next_on(RELEASE, cut)
    }

    /// The overview in Markdown, which also fits a terminal of 80 columns.
    pub fn overview(&self, name: &str) -> String {
        let (cut, release) = (self.cut_day(), self.release_day());
        let today = self.today;
        let due = |what: &str, day| match day < today {
            true => format!("{what} due since {day}"),
            false => format!("next {what} {day}"),
        };
        let (cut, release) = (due("cut", cut), due("release", release));
        let mut text = format!("{name} on {today}: {cut}, {release}\n\n");
        let mut row = |cells: [&str; 4]| {
            let [branch, version, state, until] = cells;
            text += &format!("| {branch:<16} | {version:<12} | {state:<28} | {until:<10} |\n");
        };
        row(["branch", "version", "state", "support"]);
        row(["---", "---", "---", "---"]);
        for branch in &self.branches {
            let ended = if branch.released { "ended" } else { "" };
            let until = branch.until.map_or(ended.into(), |until| until.to_string());
            let version = branch.version.to_string();
            row([&branch.name, &version, &branch.state(), &until]);
        }
        let state = match &self.released {
            Some(_) if !self.cut_is_incomplete() => "is out: bump it next",
            _ => "development",
        };
        row([&self.main, &self.version.to_string(), state, ""]);
        if !self.proposals.is_empty() {
            text += "\nOpen pull requests, and their CI:\n\n";
        }
        for proposal in &self.proposals {
            let ci = format!("{:?}", proposal.ci).to_lowercase();
            let title = code(&proposal.title);
            text += &format!("- {} to {}, {ci}: {title}\n", proposal.url, proposal.base);
        }
        for problem in &self.problems {
            text += &format!("\nProblem: {}\n", plain(problem));
        }
        text += "\nNext:\n\n```sh\n";
        text += &self.commands();
        text + "```\n"
    }

    /// The steps as lines for a shell.
    fn commands(&self) -> String {
        let steps = self.next();
        if steps.is_empty() {
            let known = match self.problems.is_empty() {
                true => "nothing is due",
                false => "see the problems above",
            };
            return format!("# {known}\n");
        }
        let (mut text, mut last) = (String::new(), "");
        for Step { action, why } in &steps {
            if why != last {
                // Without comments at its prompt, as zsh is, a shell reads what is pasted.
                let why =
                    plain(why).replace(['$', '`', ';', '&', '|', '<', '>', '(', ')', '!'], " ");
                text += &format!("# {why}\n");
            }
            last = why;
            text += &match action {
                Action::Run(command) => format!("{command}\n"),
                Action::Human(sentence, _) => format!("# -> {sentence}\n"),
            };
        }
        text
    }
}

impl ReleaseBranch {
    fn state(&self) -> String {
        match (self.tagged, self.changes) {
            _ if !self.unfinished.is_empty() => "tagged, not public on GitHub".to_string(),
            (true, 0) => "released".to_string(),
            (true, changes) => format!("released, {} since", count(changes, "commit")),
            (false, _) if self.ready => "merged, not tagged".to_string(),
            (false, _) => "not released".to_string(),
        }
    }
}
