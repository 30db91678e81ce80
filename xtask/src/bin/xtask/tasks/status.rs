//! `status`: where each train is, and what to do next. It changes nothing. A release is complete when its page on GitHub is public:
//! `github-release` publishes the page last, once the registry has every crate, so nothing else has to be asked about it.

use std::collections::BTreeSet;

use semver::Version;
use serde_json::json;
use time::{Date, Duration};
use xshell::Shell;

use crate::tasks::cut::bump_branch;
use crate::tasks::github_release::wrongly_not_latest;
use crate::tasks::{push_tag, release, sync_notes};
use release_train::rules::calendar::{CUT, RELEASE, next_on, same_month};
use release_train::rules::version::{
    Bump, branch_version, release_branch, release_of, same_line, tag,
};
use release_train::world::git::{Remote, commit_dates, fetch, lock_and_read_remote, subjects};
use release_train::world::github::{Ci, Proposed, Release, proposed, pull_requests, releases};
use release_train::world::workspace::Workspace;
use release_train::world::worktree::Worktree;
use release_train::{Arguments, Context, Result, finish, print, world::github};

pub const HELP: &str = "\
cargo xtask status [--json]

Shows main and every release branch that is supported or has work under way: its version, tag, release on GitHub, end of support and
open pull requests with their CI; and what to do next, as commands to paste. It changes nothing.

  --json  what to do next, for a script
";

/// Everything that is known.
struct Trains {
    today: Date,
    main: String,
    version: Version,
    /// The release branches that matter, oldest first.
    lines: Vec<Line>,
    proposed: Vec<Proposed>,
    /// The branches of proposals on origin, with or without a pull request.
    begun: BTreeSet<String>,
    /// When main's version was proposed: the day of the last cut.
    last_cut: Option<Date>,
    /// The highest public version, if GitHub calls another release the latest.
    wrongly_not_latest: Option<Version>,
    /// The newest version whose notes main lacks.
    notes_missing: Option<Version>,
}

/// A release branch.
struct Line {
    branch: String,
    first: Version,
    version: Version,
    /// Whether that version is dated, or a candidate: merged, and waiting for a tag if it has none.
    ready: bool,
    tagged: bool,
    /// Whether a release of the line, not only a candidate, is tagged.
    left: bool,
    /// How many commits the last tag lacks.
    changes: usize,
    /// Tags without a public release.
    unfinished: Vec<Version>,
    /// The end of support, if that is yet to come.
    until: Option<Date>,
}

/// One thing to do, and why: a command, or a sentence for a human and the address it is about.
struct Step {
    command: Option<String>,
    human: Option<(String, String)>,
    why: String,
}

/// Reads the command line, and shows.
pub fn run(sh: &Shell, mut arguments: Arguments, today: Date) -> Result<()> {
    let json = arguments.contains("--json");
    finish(arguments)?;
    let trains = Trains::read(sh, today)?;
    if json {
        let step = |Step {
                        command,
                        human,
                        why,
                    }: Step| match human {
            Some((human, url)) => json!({ "human": human, "url": url, "why": why }),
            None => json!({ "command": command, "why": why }),
        };
        let steps: Vec<_> = trains.next().into_iter().map(step).collect();
        return print(&format!("{}\n", json!({ "next": steps })));
    }
    print(&trains.table())
}

impl Trains {
    fn read(sh: &Shell, today: Date) -> Result<Trains> {
        let (_alone, remote) = lock_and_read_remote(sh)?;
        let branches = remote.release_branches();
        let tags = branches
            .keys()
            .flat_map(|line| remote.line(line))
            .map(|(version, _)| format!("refs/tags/{}", tag(version)));
        let heads = branches.values().map(|branch| branch.to_string());
        fetch(
            sh,
            &heads
                .chain(tags)
                .chain([remote.main.clone()])
                .collect::<Vec<_>>(),
        )?;
        let tree = Worktree::add(sh, remote.branch(&remote.main)?)?;
        let Workspace {
            config, version, ..
        } = Workspace::load_in(sh, &tree.root).context(&remote.main)?;
        let notes =
            release_train::world::workspace::read_notes(&tree.root).context(&remote.main)?;
        let supported = release::supported(sh, &remote, &config, today)?;

        let (proposed, pages) = (proposed(sh)?, releases(sh)?);
        let newest_left = branches
            .keys()
            .rfind(|line| remote.first_release(line).is_some());
        let mut lines = Vec::new();
        for (first, branch) in &branches {
            let until = supported
                .iter()
                .find(|(supported, _)| supported == branch)
                .map(|(_, (_, until))| *until);
            let at_work = proposed.iter().any(|proposed| proposed.base == *branch)
                || newest_left.is_none_or(|left| first > left);
            let unfinished = unfinished(sh, &remote, &pages, first, today)?;
            if until.is_some() || at_work || !unfinished.is_empty() {
                lines.push(Line::read(sh, &remote, first, branch, unfinished, until)?);
            }
        }
        let brought = pull_requests(sh, &bump_branch(&version), &remote.main)?;
        Ok(Trains {
            today,
            lines,
            proposed,
            begun: remote
                .branches
                .keys()
                .filter(|name| name.starts_with("ci/"))
                .cloned()
                .collect(),
            last_cut: brought.iter().map(|pull_request| pull_request.opened).max(),
            wrongly_not_latest: wrongly_not_latest(&pages, github::latest_release(sh)?.as_deref()),
            notes_missing: sync_notes::missing(sh, &remote, &notes)?
                .pop()
                .map(|(version, _)| version),
            main: remote.main,
            version,
        })
    }

    fn is_open(&self, branch: &str) -> bool {
        self.proposed
            .iter()
            .any(|proposed| proposed.branch == branch)
    }

    /// Whether a branch was pushed for a proposal whose pull request is not there.
    fn is_half_made(&self, branch: &str) -> bool {
        self.begun.contains(branch) && !self.is_open(branch)
    }

    /// What to do now, the oldest line first: run again, each command does only what is missing.
    fn next(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut run = |command: String, why: String| {
            steps.push(Step {
                command: Some(command),
                human: None,
                why,
            })
        };
        for line in &self.lines {
            for version in &line.unfinished {
                let (tag, why) = (
                    tag(version),
                    format!("{} has no public release on GitHub", tag(version)),
                );
                run(format!("git fetch origin tag {tag}"), why.clone());
                run(format!("git checkout {tag}"), why.clone());
                for task in ["dist", "github-release", "publish", "github-release"] {
                    run(format!("cargo xtask {task}"), why.clone());
                }
            }
            if let Some((task, why)) = self.next_of(line) {
                run(format!("cargo xtask {task}"), why);
            }
        }
        if let Some(version) = &self.wrongly_not_latest {
            let why = "GitHub calls another release the latest";
            run(format!("git checkout {}", tag(version)), why.to_string());
            run("cargo xtask github-release".to_string(), why.to_string());
        }
        if let Some((task, why)) = self.next_of_main() {
            run(format!("cargo xtask {task}"), why);
        }
        if let Some(version) = self
            .notes_missing
            .as_ref()
            .filter(|version| !self.is_open(&format!("ci/sync-notes-{version}")))
        {
            run(
                "cargo xtask sync-notes".to_string(),
                format!("{} lacks the notes of {version}", self.main),
            );
        }
        for proposed in &self.proposed {
            let human = Some((self.merge(proposed), proposed.url.clone()));
            steps.push(Step {
                command: None,
                human,
                why: proposed.title.clone(),
            });
        }
        steps
    }

    /// The task that a release branch needs, and why.
    fn next_of(&self, line: &Line) -> Option<(String, String)> {
        let Line {
            branch,
            version,
            changes,
            ..
        } = line;
        let newest = self.lines.last().is_some_and(|last| last.branch == *branch);
        if line.ready && !line.tagged {
            return Some((
                format!("push-tag --branch {branch}"),
                format!("{version} is merged and not tagged"),
            ));
        } else if line.left {
            let next = Bump::Patch
                .next(version, false)
                .ok()
                .filter(|next| line.tagged && same_line(next, version))?;
            let patch = format!("ci/release-{next}");
            let due = !self.is_open(&patch) && line.until.is_some() && *changes > 0;
            let empty = if *changes == 0 { " --allow-empty" } else { "" };
            return (due || self.is_half_made(&patch)).then(|| {
                (
                    format!("release-patch --branch {branch}{empty}"),
                    format!("{changes} commits are in no release"),
                )
            });
        } else if !newest {
            return None;
        }
        let release = format!("ci/release-{}", release_of(version));
        let date = format!("ci/release-date-for-{}", release_of(version));
        if self.is_half_made(&release)
            || self.is_half_made(&date)
            || !self.is_open(&release) && self.today >= self.release_day()
        {
            return Some((
                "release-latest".to_string(),
                format!("{} is due on {}", release_of(version), self.release_day()),
            ));
        }
        let open = self
            .proposed
            .iter()
            .any(|proposed| proposed.base == *branch);
        let due = version.pre.as_str() == "dev" || line.tagged && *changes > 0;
        (due && !open && !self.cut_is_half_made()).then(|| {
            (
                format!("release-candidate --branch {branch}"),
                format!("{changes} commits are in no candidate"),
            )
        })
    }

    /// The task that main needs, and why.
    fn next_of_main(&self) -> Option<(String, String)> {
        let at_a_train = branch_version(&release_branch(&release_of(&self.version))).is_some();
        let waits = self.lines.last().is_some_and(|line| !line.left);
        let due = at_a_train && !waits && self.today >= self.cut_day();
        let open = self
            .proposed
            .iter()
            .any(|proposed| proposed.branch.starts_with("ci/bump-to-"));
        let why = || format!("{} is due on {}", release_of(&self.version), self.cut_day());
        (!open && (due || self.cut_is_half_made())).then(|| ("cut".to_string(), why()))
    }

    /// What a human does with a pull request. Patches of several lines go out together: the first one merged tells the world.
    fn merge(
        &self,
        Proposed {
            url,
            base,
            ci,
            branch,
            ..
        }: &Proposed,
    ) -> String {
        let patches_a_release = |base: &str| {
            self.lines
                .iter()
                .find(|line| line.branch == base && line.left)
        };
        let patches: Vec<&Proposed> = self
            .proposed
            .iter()
            .filter(|other| patches_a_release(&other.base).is_some())
            .collect();
        let held = patches.len() > 1
            && patches.iter().any(|patch| patch.ci != Ci::Green)
            && branch.starts_with("ci/release-");
        match (patches_a_release(base), ci) {
            (Some(line), _) if line.changes == 0 => {
                format!("merge the fixes into `{base}`, then {url}")
            }
            (_, Ci::Red) => format!("repair the CI of {url}"),
            (_, Ci::Running) => format!("wait for the CI of {url}"),
            (Some(_), _) if held => {
                format!("wait with {url}: the patches go out together, and not all are green")
            }
            _ => format!("merge {url}"),
        }
    }

    fn cut_is_half_made(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.branch == release_branch(&release_of(&self.version)))
    }

    /// The next days of cutting and of releasing; one that is past is still to come.
    fn cut_day(&self) -> Date {
        let this_month = self.today.replace_day(CUT).unwrap_or(self.today);
        match self.last_cut {
            Some(last) if same_month(last, self.today) => next_on(CUT, this_month + Duration::DAY),
            _ => this_month,
        }
    }

    fn release_day(&self) -> Date {
        next_on(
            RELEASE,
            self.last_cut
                .or(self.today.replace_day(1).ok())
                .unwrap_or(self.today),
        )
    }

    fn table(&self) -> String {
        let mut board = format!(
            "{}; next cut on {}, release on {}\n\n",
            self.today,
            self.cut_day(),
            self.release_day()
        );
        let main = (
            self.main.clone(),
            self.version.to_string(),
            "development".to_string(),
            String::new(),
        );
        let rows = self.lines.iter().map(|line| {
            let until = line
                .until
                .map_or("ended".to_string(), |until| until.to_string());
            (
                line.branch.clone(),
                line.version.to_string(),
                line.words(),
                if line.left { until } else { String::new() },
            )
        });
        for (branch, version, words, until) in rows.chain([main]) {
            board += format!("{branch:<18} {version:<14} {words:<44} {until}").trim_end();
            board += "\n";
            for Proposed { url, title, ci, .. } in self
                .proposed
                .iter()
                .filter(|proposed| proposed.base == branch)
            {
                board += &format!("  {url} {title} (CI: {ci:?})\n");
            }
        }
        board += "\nWhat to do next\n";
        let steps = self.next();
        let mut last = "";
        for Step {
            command,
            human,
            why,
        } in &steps
        {
            if why != last {
                board += &format!("  # {why}\n");
            }
            last = why;
            command
                .iter()
                .for_each(|command| board += &format!("  {command}\n"));
            human
                .iter()
                .for_each(|(human, _)| board += &format!("  # -> {human}\n"));
        }
        board
            + if steps.is_empty() {
                "  # nothing\n"
            } else {
                ""
            }
    }
}

impl Line {
    fn read(
        sh: &Shell,
        remote: &Remote,
        first: &Version,
        branch: &str,
        unfinished: Vec<Version>,
        until: Option<Date>,
    ) -> Result<Line> {
        let head = remote.branch(branch)?;
        let (version, ready) = push_tag::facts(sh, branch, head)?;
        let changes = match remote.line(first).pop() {
            Some((_, commit)) => subjects(sh, commit, head)?.len(),
            None => 0,
        };
        let (tagged, left) = (
            remote.tags.contains_key(&version),
            remote.first_release(first).is_some(),
        );
        Ok(Line {
            branch: branch.to_string(),
            first: first.clone(),
            version,
            ready,
            tagged,
            left,
            changes,
            unfinished,
            until,
        })
    }

    fn words(&self) -> String {
        match self {
            Line { unfinished, .. } if !unfinished.is_empty() => {
                "tagged, and not public on GitHub".to_string()
            }
            Line {
                ready: true,
                tagged: false,
                ..
            } => "merged, and not tagged".to_string(),
            Line {
                tagged: true,
                changes: 0,
                ..
            } => "released".to_string(),
            Line {
                tagged: true,
                changes,
                ..
            } => format!("released, {changes} commits since"),
            _ => format!("{} is not released", self.first),
        }
    }
}

/// The tags of a line without a public release: those with a draft, and the last one, if it is not old.
fn unfinished(
    sh: &Shell,
    remote: &Remote,
    pages: &[Release],
    line: &Version,
    today: Date,
) -> Result<Vec<Version>> {
    let tags = remote.line(line);
    let dates = commit_dates(sh, tags.iter().map(|(_, commit)| *commit))?;
    let is_recent = |commit: &String| today - dates[commit] < Duration::days(31);
    let unfinished = tags.iter().enumerate().filter(|(at, (version, commit))| {
        match pages.iter().find(|page| page.tag == tag(version)) {
            Some(page) => page.draft,
            None => at + 1 == tags.len() && is_recent(commit),
        }
    });
    Ok(unfinished
        .map(|(_, (version, _))| (*version).clone())
        .collect())
}
