//! Whether a train may be cut, and which commit may be tagged: facts in, decision out. Pure. The first arm that applies is
//! the rule.

use semver::Version;

use crate::rules::notes;
use crate::rules::version::{TagForm, branch_version, release_branch};

/// What a task does.
#[derive(Debug, PartialEq)]
pub enum Decision<T> {
    Go(T),
    /// Everything is done already.
    Nothing(String),
    Refuse(String),
}

/// How a version is released, if it is: it has a tag, or its notes are dated. Before the version, a tag can have the configured
/// form, nothing, `v`, `release` or `version`, or one of `names`.
pub fn released_as(
    version: &Version,
    form: &TagForm,
    names: &[&str],
    tags: &[String],
    notes: &str,
) -> Option<String> {
    let is_known = |it: &str| names.contains(&it) || ["", "release", "version"].contains(&it);
    let is_of_version = |tag: &&String| {
        let before = tag.strip_suffix(&version.to_string());
        let name = before.map(|it| it.trim_end_matches(['v', 'V']));
        let name = name.map(|it| it.trim_end_matches(['-', '_', '/', '@']));
        **tag == form.tag(version) || name.is_some_and(is_known)
    };
    let tag = tags.iter().find(is_of_version);
    let date = notes::released_on(notes, version);
    let dated = date.map(|date| format!("is dated {date} in {}", notes::FILE));
    tag.map(|tag| format!("is tagged as {tag}")).or(dated)
}

/// What decides whether main is cut.
pub struct CutFacts<'a> {
    pub main: &'a str,
    /// Main's version without a suffix.
    pub version: &'a Version,
    /// The version after the cut.
    pub next: &'a Version,
    pub force: bool,
    /// The URL of the pull request that bumped main after a cut of this month.
    pub cut_this_month: Option<String>,
    /// Whether this cut has pushed or opened something before.
    pub begun: bool,
    /// How main's version is released, if it is.
    pub released: Option<String>,
    /// Whether the release branch, if there is one, has only commits of main.
    pub on_main: bool,
    /// The highest other release branch: its version, and whether a release of it is tagged.
    pub previous: Option<(Version, bool)>,
}

pub fn cut(facts: &CutFacts) -> Decision<()> {
    let CutFacts { main, version, .. } = facts;
    let branch = release_branch(version);
    let bump_first = "bump it first, with `cargo xtask bump`";
    match (&facts.cut_this_month, &facts.released, &facts.previous) {
        _ if branch_version(&release_branch(facts.next)).is_none() => Decision::Refuse(format!(
            "the train after {version} would be {}, which is not X.Y.0: set `train = \"major\"` in Cargo.toml",
            facts.next
        )),
        _ if branch_version(&branch).is_none() => Decision::Refuse(format!(
            "{main} is at {version}, not at X.Y.0: {bump_first}"
        )),
        (Some(url), ..) if !facts.force => {
            Decision::Nothing(format!("{url} is this month's cut; --force makes another"))
        }
        // A cut that was begun is completed, whatever has happened since.
        _ if facts.begun => Decision::Go(()),
        (_, Some(released), _) => Decision::Refuse(format!(
            "{main} is at {version}, which {released}: {bump_first}"
        )),
        _ if !facts.on_main => Decision::Refuse(format!(
            "`{branch}` is on origin with commits that are not on {main}: rename it if it is not a release branch"
        )),
        (.., Some((ahead, _))) if ahead > version => Decision::Refuse(format!(
            "{main} is at {version}, behind `release-{ahead}`: {bump_first}"
        )),
        (.., Some((previous, false))) if !facts.force => Decision::Refuse(format!(
            "{previous} is not released yet: it has no tag; run `cargo xtask status` for the next step, or pass --force"
        )),
        _ => Decision::Go(()),
    }
}

/// What decides which commit of a release branch is tagged.
pub struct TagFacts<'a> {
    pub branch: &'a str,
    /// The version at the head of the branch.
    pub version: &'a Version,
    /// Whether that version is dated, or a candidate.
    pub ready: bool,
    pub tag: &'a str,
    /// The commit that carries its tag.
    pub tagged: Option<&'a str>,
    /// The commit that a human named.
    pub named: Option<&'a str>,
    /// That commit, or else the newest marked one, if from it to the head every commit that touches versions or notes is of
    /// this same release.
    pub chosen: Option<String>,
    /// The newest commit that touched versions or notes, for the advice.
    pub newest_change: &'a str,
}

pub fn tag_commit(facts: &TagFacts) -> Decision<String> {
    let (branch, version, newest_change) = (facts.branch, facts.version, facts.newest_change);
    let tag = facts.tag;
    match (facts.tagged, facts.named, &facts.chosen) {
        (Some(tagged), Some(named), _) if tagged != named => {
            Decision::Refuse(wrong_commit(tag, tagged, named))
        }
        (Some(tagged), ..) => Decision::Nothing(format!("{tag} is at {tagged}")),
        (None, Some(_), _) if !facts.ready => Decision::Refuse(format!(
            "`{branch}` is at {version}, which is not dated: there is nothing to tag"
        )),
        // Not yet, or not any more: a release that was reverted is not dated.
        (None, None, _) if !facts.ready => Decision::Nothing(format!(
            "`{branch}` is at {version}, which is not dated; `cargo xtask status` says what comes next"
        )),
        (None, _, Some(chosen)) => Decision::Go(chosen.clone()),
        (None, Some(named), None) => Decision::Refuse(format!(
            "{named} cannot be tagged as {tag}: it must be on `{branch}`, along first parents, at {version}, dated unless it is a candidate, and the commits after it must not change that"
        )),
        (None, None, None) => Decision::Refuse(format!(
            "`{branch}`: {version} is not tagged, and no commit of it is marked (a squash may have dropped the line, or a revert was reverted); to tag it by hand: cargo xtask push-tag --branch {branch} --commit {newest_change}"
        )),
    }
}

/// A published tag is never moved.
pub fn wrong_commit(tag: &str, at: &str, commit: &str) -> String {
    format!("{tag} is at {at}, not at {commit}: a published tag is never moved")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_train_is_cut_once_a_month_and_after_the_previous_release() {
        let version = Version::new(13, 0, 0);
        let next = Version::new(14, 0, 0);
        let facts = || CutFacts {
            main: "main",
            version: &version,
            next: &next,
            force: false,
            cut_this_month: None,
            begun: false,
            released: None,
            on_main: true,
            previous: Some((Version::new(12, 0, 0), true)),
        };
        let url = || Some("URL".to_string());
        let unreleased = || Some((Version::new(12, 0, 0), false));
        let ahead = || Some((Version::new(14, 0, 0), true));
        for (facts, expected) in [
            (facts(), "go"),
            (
                CutFacts {
                    previous: None,
                    ..facts()
                },
                "go",
            ),
            (
                CutFacts {
                    cut_this_month: url(),
                    ..facts()
                },
                "nothing: URL is",
            ),
            (
                CutFacts {
                    cut_this_month: url(),
                    begun: true,
                    ..facts()
                },
                "nothing: URL is",
            ),
            (
                CutFacts {
                    cut_this_month: url(),
                    force: true,
                    ..facts()
                },
                "go",
            ),
            (
                CutFacts {
                    begun: true,
                    released: Some("is tagged as v13.0.0".into()),
                    on_main: false,
                    previous: unreleased(),
                    ..facts()
                },
                "go",
            ),
            (
                CutFacts {
                    released: Some("is tagged as v13.0.0".into()),
                    ..facts()
                },
                "refuse: main is at 13.0.0, which is tagged",
            ),
            (
                CutFacts {
                    released: Some("is tagged as v13.0.0".into()),
                    force: true,
                    ..facts()
                },
                "refuse: main is at 13.0.0, which is tagged",
            ),
            (
                CutFacts {
                    on_main: false,
                    ..facts()
                },
                "refuse: `release-13.0.0` is on origin with commits",
            ),
            (
                CutFacts {
                    previous: ahead(),
                    force: true,
                    ..facts()
                },
                "refuse: main is at 13.0.0, behind",
            ),
            (
                CutFacts {
                    previous: unreleased(),
                    ..facts()
                },
                "refuse: 12.0.0 is not released yet: it has no tag",
            ),
            (
                CutFacts {
                    previous: unreleased(),
                    force: true,
                    ..facts()
                },
                "go",
            ),
            (
                CutFacts {
                    version: &Version::new(13, 0, 1),
                    ..facts()
                },
                "refuse: main is at 13.0.1, not at X.Y.0",
            ),
        ] {
            let shown = match cut(&facts) {
                Decision::Go(()) => "go".to_string(),
                Decision::Nothing(why) => format!("nothing: {why}"),
                Decision::Refuse(why) => format!("refuse: {why}"),
            };
            assert!(shown.starts_with(expected), "{shown}");
        }
    }

    #[test]
    fn a_tag_is_pushed_once_and_never_moved() {
        let version = Version::new(12, 0, 0);
        let facts = || TagFacts {
            branch: "release-12.0.0",
            version: &version,
            ready: true,
            tag: "v12.0.0",
            tagged: None,
            named: None,
            chosen: None,
            newest_change: "c",
        };
        let chosen = || Some("a".to_string());
        for (facts, expected) in [
            (
                TagFacts {
                    chosen: chosen(),
                    ..facts()
                },
                "go: a",
            ),
            (
                TagFacts {
                    chosen: chosen(),
                    named: Some("a"),
                    ..facts()
                },
                "go: a",
            ),
            (
                TagFacts {
                    tagged: Some("a"),
                    ..facts()
                },
                "nothing: v12.0.0 is at a",
            ),
            (
                TagFacts {
                    tagged: Some("a"),
                    named: Some("a"),
                    ..facts()
                },
                "nothing: v12.0.0 is at a",
            ),
            (
                TagFacts {
                    tagged: Some("a"),
                    named: Some("b"),
                    ..facts()
                },
                "refuse: v12.0.0 is at a, not at b",
            ),
            (
                TagFacts {
                    ready: false,
                    ..facts()
                },
                "nothing: `release-12.0.0` is at 12.0.0, which is not dated",
            ),
            (
                TagFacts {
                    ready: false,
                    named: Some("a"),
                    ..facts()
                },
                "refuse: `release-12.0.0` is at 12.0.0",
            ),
            (
                TagFacts {
                    named: Some("a"),
                    ..facts()
                },
                "refuse: a cannot be tagged as v12.0.0",
            ),
            (
                facts(),
                "refuse: `release-12.0.0`: 12.0.0 is not tagged, and no commit of it is marked",
            ),
        ] {
            let shown = match tag_commit(&facts) {
                Decision::Go(commit) => format!("go: {commit}"),
                Decision::Nothing(why) => format!("nothing: {why}"),
                Decision::Refuse(why) => format!("refuse: {why}"),
            };
            assert!(shown.starts_with(expected), "{shown}");
        }
    }
}
