//! What is to be done next, from the facts about the trains: commands to paste, and what is a human's. Pure. It is what goes on
//! from every state that a task can be stopped in; `tests/faults.rs` follows it from each.

use semver::Version;

use crate::calendar;
use crate::github::{Ci, Proposed};
use crate::train::{Line, Page, Tagged, Trains, count};
use crate::version::{Bump, branch_version, release_branch, release_of, same_line, tag};

/// One thing to do, and why.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub what: What,
    pub why: String,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Run(String),
    /// For a human: a sentence, and the address that it is about, if any.
    Human(String, String),
}

impl Trains {
    /// What is to be done now, the oldest line first.
    pub fn next(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for line in &self.lines {
            for tagged in &line.tagged {
                Trains::finish(tagged, &mut steps);
            }
            steps.extend(self.go_on(line));
            steps.extend(self.proposed_to(&line.branch).map(|proposed| self.merge(line, proposed)));
        }
        if self.lines.iter().any(|line| line.replaced) {
            steps.push(run("yank --candidates", "cargo still picks candidates that are replaced".to_string()));
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
    fn finish(tagged: &Tagged, steps: &mut Vec<Step>) {
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
        } else if draft && tagged.ownerless {
            steps.push(run("publish", "new crates get their owners, if they lack them".to_string()));
        }
        if draft {
            steps.push(run("github-release", why));
        }
    }

    /// The tag that what was merged waits for, or what no pull request proposes yet, and should.
    fn go_on(&self, line: &Line) -> Option<Step> {
        let Line { branch, version, .. } = line;
        if line.waits_for_tag() {
            let why = format!("{version} of `{branch}` is merged, and not tagged");
            return Some(run(&format!("push-tag --branch {branch}"), why));
        }
        self.proposed.as_ref()?;
        let changes = count(line.changes, "commit");
        let is_begun = |name: &str| self.begun.contains(name) || self.is_open(name);
        let candidate = |why| Some(run(&format!("release-candidate --branch {branch}"), why));
        if self.waiting().is_some_and(|waiting| waiting.branch == *branch) {
            let version = release_of(version);
            let [release, date] = ["", "date-for-"].map(|prefix| format!("ci/release-{prefix}{version}"));
            let whole = self.is_open(&release) && (self.undated.is_none() || self.is_open(&date));
            let of_candidate = |proposed: &Proposed| proposed.branch.starts_with("ci/release-candidate-");
            let (_, day) = self.days();
            if whole || self.proposed_to(branch).any(of_candidate) {
                None
            } else if is_begun(&release) || is_begun(&date) {
                Some(run("release-latest", format!("the release of {version} is proposed by half")))
            } else if self.today >= day {
                Some(run("release-latest", format!("{version} leaves on {}", calendar::named(day))))
            } else if line.version.pre.as_str() == "dev" && !self.cut_is_half_made() {
                candidate(format!("`{branch}` has no candidate"))
            } else if line.is_tagged() && line.changes > 0 {
                candidate(format!("`{branch}` has {changes} that are in no candidate"))
            } else {
                None
            }
        } else if line.left && line.is_tagged() {
            // Below 0.1 there are no patches: the next version is another train's.
            let next = Bump::Patch.next(version, false).ok().filter(|next| same_line(next, version))?;
            let patch = format!("ci/release-{next}");
            let why = match is_begun(&patch) {
                _ if self.is_open(&patch) => return None,
                true => format!("the next patch of `{branch}` is proposed by half"),
                false if line.support.is_some() && line.changes > 0 => {
                    format!("`{branch}` has {changes} that are in no release")
                }
                false => return None,
            };
            let empty = if line.changes == 0 { " --allow-empty" } else { "" };
            Some(run(&format!("release-patch --branch {branch}{empty}"), why))
        } else if line.left {
            let says = format!("date the notes of {version} on `{branch}`, or take its bump back");
            Some(human(says, "", format!("{version} is neither dated nor tagged, and no task goes on from there")))
        } else {
            None
        }
    }

    /// What a human does with a pull request that releases something. Those of a security release go together: the first
    /// one that is merged tells the world.
    fn merge(&self, line: &Line, proposed: &Proposed) -> Step {
        let all = self.lines.iter().filter(|line| line.left).flat_map(|line| self.proposed_to(&line.branch));
        let patches: Vec<_> = all.filter(|proposed| proposed.branch.starts_with("ci/release-")).collect();
        let together = patches.len() > 1 && patches.iter().any(|patch| patch.ci != Ci::None);
        let held = patches.iter().find(|patch| patch.ci != Ci::Green).filter(|_| together);
        let url = &proposed.url;
        match held {
            _ if !line.left => merge(proposed),
            _ if line.changes == 0 && proposed.ci == Ci::Red => {
                human(format!("mend the CI of {url}, ahead of the fixes"), url, proposed.title.clone())
            }
            _ if line.changes == 0 => {
                let why = format!("`{}` has nothing that {} lacks", line.branch, tag(&line.version));
                human(format!("merge the fixes into `{}`, then {url}", line.branch), url, why)
            }
            Some(other) if other.url != *url && proposed.ci == Ci::Green => human(
                format!("wait with {url}"),
                url,
                format!("the CI of {} is not green, and the patches go out together", other.url),
            ),
            _ if together && proposed.ci == Ci::None => {
                human(format!("start the CI of {url}"), url, "the patches go out together".into())
            }
            _ => merge(proposed),
        }
    }

    /// What main needs.
    fn keep_main(&self, steps: &mut Vec<Step>) {
        let Some(proposed) = &self.proposed else { return };
        let at_a_train = branch_version(&release_branch(&release_of(&self.version))).is_some();
        if !proposed.iter().any(|proposed| proposed.branch.starts_with("ci/bump-to-")) {
            let (cut, _) = self.days();
            if self.cut_is_half_made() {
                steps.push(run("cut", format!("{} is cut, and nothing proposes the next version", self.version)));
            } else if at_a_train && self.waiting().is_none() && self.today >= cut {
                steps.push(run("cut", format!("{} is cut on {}", release_of(&self.version), calendar::named(cut))));
            }
        }
        let mut missing = self.lines.iter().flat_map(|line| line.notes_missing.first());
        if let Some(version) = missing.find(|version| !self.is_open(&format!("ci/sync-notes-{version}"))) {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::Date;

    use super::*;
    use crate::calendar::parse_date;

    fn day(text: &str) -> Date {
        parse_date(text).unwrap()
    }

    /// A line that is released, and one commit ahead of it.
    fn line(major: u64) -> Line {
        line_of(Version::new(major, 0, 0))
    }

    fn line_of(version: Version) -> Line {
        let released =
            Tagged { crates: Some((3, 3)), page: Some(Page::Public), ..Tagged::new(&version, day("2026-03-20")) };
        Line {
            branch: release_branch(&version),
            first: version.clone(),
            version,
            dated: true,
            changes: 1,
            left: true,
            tagged: vec![released],
            replaced: false,
            support: Some((day("2026-03-20"), day("2026-05-20"))),
            long_term: false,
            notes_missing: Vec::new(),
        }
    }

    /// On the 25th, with these lines and these pull requests, each of a branch to a base.
    fn trains(lines: Vec<Line>, proposed: &[(&str, &str, Ci)]) -> Trains {
        let proposed = proposed.iter().map(|(branch, base, ci)| Proposed {
            url: format!("https://{branch}"),
            title: branch.to_string(),
            branch: branch.to_string(),
            base: base.to_string(),
            opened: day("2026-03-05"),
            ci: *ci,
        });
        Trains {
            today: day("2026-03-25"),
            name: "Demo".into(),
            main: "main".into(),
            version: Version::new(20, 0, 0),
            undated: None,
            supported: lines.iter().map(|line| line.branch.clone()).collect(),
            lines,
            begun: BTreeSet::new(),
            proposed: Some(proposed.collect()),
            last_cut: Some(day("2026-03-05")),
            latest: None,
            passed_over: None,
            issues: None,
            unknown: Vec::new(),
        }
    }

    fn said(trains: &Trains) -> Vec<String> {
        let said = |step: Step| match step.what {
            What::Run(command) => command.trim_start_matches("cargo xtask ").to_string(),
            What::Human(says, _) => says,
        };
        trains.next().into_iter().map(said).collect()
    }

    #[test]
    fn no_patch_of_several_is_merged_before_the_last_one_is_green() {
        let next = |last: Ci| {
            let [one, two] =
                [("ci/release-12.0.1", "release-12.0.0", Ci::Green), ("ci/release-13.0.1", "release-13.0.0", last)];
            said(&trains(vec![line(12), line(13)], &[one, two]))
        };
        let wait = "wait with https://ci/release-12.0.1";
        assert_eq!(next(Ci::Red), [wait, "mend the CI of https://ci/release-13.0.1, then merge it"]);
        assert_eq!(next(Ci::Running), [wait, "wait for the CI of https://ci/release-13.0.1, then merge it"]);
        assert_eq!(next(Ci::None), [wait, "start the CI of https://ci/release-13.0.1"]);
        assert_eq!(next(Ci::Green), ["merge https://ci/release-12.0.1", "merge https://ci/release-13.0.1"]);
    }

    #[test]
    fn a_bump_without_its_fix_is_not_merged() {
        let next =
            |ci| said(&trains(vec![Line { changes: 0, ..line(12) }], &[("ci/release-12.0.1", "release-12.0.0", ci)]));
        assert_eq!(next(Ci::Green), ["merge the fixes into `release-12.0.0`, then https://ci/release-12.0.1"]);
        assert_eq!(next(Ci::Red), ["mend the CI of https://ci/release-12.0.1, ahead of the fixes"]);
    }

    #[test]
    fn no_patch_is_proposed_that_no_branch_can_release() {
        let [none, some] =
            [Version::new(0, 0, 3), Version::new(0, 36, 0)].map(|version| trains(vec![line_of(version)], &[]));
        assert_eq!(said(&none), [""; 0]);
        assert_eq!(said(&some), ["release-patch --branch release-0.36.0"]);
    }

    #[test]
    fn what_a_tag_lacks_is_made_up_for_and_nothing_else_is_done_again() {
        let next = |crates, page| {
            let mut line = Line { changes: 0, ..line(12) };
            (line.tagged[0].crates, line.tagged[0].page) = (crates, page);
            said(&trains(vec![line], &[])).join(", ")
        };
        let checkout = "git fetch origin tag v12.0.0, git checkout v12.0.0, ";
        let (half, all, draft) = (Some((1, 3)), Some((3, 3)), Some(Page::Draft { filled: true }));
        for (crates, page, expected) in [
            (half, Some(Page::Missing), "dist, github-release, publish, github-release"),
            (all, Some(Page::Draft { filled: false }), "dist, github-release, github-release"),
            (half, draft, "publish, github-release"),
            (None, draft, "publish, github-release"),
            (all, draft, "github-release"),
            (half, Some(Page::Public), "publish"),
            (half, None, "publish"),
        ] {
            assert_eq!(next(crates, page), format!("{checkout}{expected}"), "{crates:?} {page:?}");
        }
        for page in [Some(Page::Public), None] {
            assert_eq!((next(all, page), next(None, page)), (String::new(), String::new()), "{page:?}");
        }
    }

    #[test]
    fn a_line_that_is_not_supported_any_more_is_shown_until_it_is_at_its_end() {
        let shown = |line: Line, proposed: &[(&str, &str, Ci)], today: &str| {
            let mut trains = trains(vec![line], proposed);
            (trains.today, trains.supported) = (day(today), Vec::new());
            trains.leave_out_what_is_done();
            trains.lines.len() == 1
        };
        let with = |page| {
            let mut line = line(12);
            line.tagged[0].page = page;
            line
        };
        assert!(!shown(line(12), &[], "2026-03-25"));
        assert!(shown(line(12), &[("ci/release-12.0.1", "release-12.0.0", Ci::None)], "2026-08-01"));
        assert!(shown(with(Some(Page::Draft { filled: true })), &[], "2026-08-01"));
        assert!(shown(with(Some(Page::Missing)), &[], "2026-03-25"));
        assert!(!shown(with(Some(Page::Missing)), &[], "2026-08-01"));
        assert!(shown(Line { version: Version::new(12, 0, 1), ..line(12) }, &[], "2026-08-01"));
    }

    #[test]
    fn what_is_begun_is_gone_on_with() {
        let untagged = |version: &str, dated| {
            let version: Version = version.parse().unwrap();
            Line { first: release_of(&version), tagged: Vec::new(), left: false, version, dated, ..line(13) }
        };
        let mut on_the_way = trains(vec![untagged("13.0.0", false)], &[]);
        assert_eq!(said(&on_the_way), ["release-latest"]);
        on_the_way.today = day("2026-03-10");
        assert_eq!(said(&on_the_way), [""; 0]);
        on_the_way.begun.insert("ci/release-13.0.0".to_string());
        assert_eq!(said(&on_the_way), ["release-latest"]);
        on_the_way.lines = vec![untagged("13.0.0", true)];
        assert_eq!(said(&on_the_way), ["push-tag --branch release-13.0.0"]);
        on_the_way.lines = vec![untagged("13.0.0-rc.2", false)];
        assert_eq!(said(&on_the_way), ["push-tag --branch release-13.0.0"]);

        let mut patched = trains(vec![Line { changes: 0, ..line(12) }], &[]);
        assert_eq!(said(&patched), [""; 0]);
        patched.begun.insert("ci/release-12.0.1".to_string());
        assert_eq!(said(&patched), ["release-patch --branch release-12.0.0 --allow-empty"]);
        patched.lines[0].changes = 2;
        assert_eq!(said(&patched), ["release-patch --branch release-12.0.0"]);
        patched.lines[0].version = Version::new(12, 0, 1);
        patched.lines[0].dated = false;
        assert_eq!(said(&patched), ["date the notes of 12.0.1 on `release-12.0.0`, or take its bump back"]);
        patched.lines[0].version = Version::new(12, 0, 0);
        patched.lines[0].notes_missing = vec![Version::new(12, 0, 1)];
        patched.passed_over = Some(Version::new(12, 0, 0));
        patched.today = day("2026-04-05");
        patched.begun.clear();
        patched.lines[0].changes = 0;
        let expected = ["git fetch origin tag v12.0.0", "git checkout v12.0.0", "github-release", "cut", "sync-notes"];
        assert_eq!(said(&patched), expected);
    }
}
