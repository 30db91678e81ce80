//! The rules for versions: where each kind of bump leads, how a requirement follows, and the names made of a version.
//! Pure: it reads and writes nothing.

use semver::{Comparator, Op, Prerelease, Version, VersionReq};

use crate::{Context, Result};

/// Reads a version that somebody typed.
pub fn parse(text: &str) -> Result<Version> {
    Version::parse(text).context(format_args!("`{text}` is no version X.Y.Z"))
}

/// The kinds of bump. Each crate goes on from its own version.
#[derive(PartialEq)]
pub enum Bump {
    /// The next version that may break users, as cargo understands it: the leftmost number that is not zero.
    Major,
    /// The next version that may add but not break: below 1.0 that is the last number, as with `Patch`.
    Minor,
    Patch,
    /// `-dev` to `-rc.1`, `-rc.1` to `-rc.2`.
    Rc,
    /// Drops the suffix; a version without one stays.
    Release,
    To(Version),
}

impl Bump {
    /// Reads the argument of `bump`: a level or a version.
    pub fn parse(text: &str) -> Result<Bump> {
        Ok(match text {
            "major" => Bump::Major,
            "minor" => Bump::Minor,
            "patch" => Bump::Patch,
            "rc" => Bump::Rc,
            "release" => Bump::Release,
            _ => Bump::To(Version::parse(text).context(format_args!(
                "{text:?} is neither a level (major, minor, patch, rc, release) nor a version X.Y.Z"
            ))?),
        })
    }

    /// Where the bump leads from `now`. With `candidates`, a major bump leads to `-dev`. Build metadata stays.
    /// Fails where a level has no meaning.
    pub fn next(&self, now: &Version, candidates: bool) -> Result<Version> {
        let mut next = release_of(now);
        let place = match self {
            Bump::To(version) => return Ok(version.clone()),
            Bump::Release => return Ok(next),
            Bump::Rc => {
                let last = match now.pre.as_str() {
                    "dev" => Some(0),
                    pre => pre
                        .strip_prefix("rc.")
                        .and_then(|number| number.parse::<u64>().ok()),
                };
                let candidate = last.and_then(|last| last.checked_add(1));
                let candidate = candidate
                    .ok_or("a candidate follows only -dev or -rc.N; say `bump X.Y.Z-rc.1`")?;
                next.pre = Prerelease::new(&format!("rc.{candidate}"))?;
                return Ok(next);
            }
            Bump::Minor | Bump::Patch if !now.pre.is_empty() => {
                return Err(
                    "a minor or patch version follows only a release; say `bump release`".into(),
                );
            }
            Bump::Major if next.major > 0 => 0,
            Bump::Major if next.minor > 0 => 1,
            Bump::Minor if next.major > 0 => 1,
            Bump::Major | Bump::Minor | Bump::Patch => 2,
        };
        let mut numbers = [next.major, next.minor, next.patch];
        numbers[place] = numbers[place]
            .checked_add(1)
            .ok_or("there is no higher number")?;
        numbers[place + 1..].fill(0);
        [next.major, next.minor, next.patch] = numbers;
        if candidates && *self == Bump::Major {
            next.pre = Prerelease::new("dev")?;
        }
        Ok(next)
    }
}

/// A commit with this line in its message is tagged and released.
pub const MARKER: &str = "[automatically-tag-and-release-this-commit]";

/// Whether a message holds the marker as a line of its own, outside a code block.
pub fn is_marked(message: &str) -> bool {
    let mut fenced = false;
    message.lines().any(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.trim_end() == MARKER
    })
}

/// The version that a candidate or a development version leads to.
pub fn release_of(version: &Version) -> Version {
    Version {
        pre: Prerelease::EMPTY,
        ..version.clone()
    }
}

/// The branch that a version is cut to, and from which the later ones of its line are released.
pub fn release_branch(version: &Version) -> String {
    format!("release-{}", release_of(version))
}

/// The branch of the pull request that bumps main to a version.
pub fn bump_branch(version: &Version) -> String {
    format!("ci/bump-to-{version}")
}

/// The version that a release branch was cut for; `None` for other branches.
pub fn branch_version(branch: &str) -> Option<Version> {
    let version = Version::parse(branch.strip_prefix("release-")?).ok()?;
    let begins_a_line = version.patch == 0 || (version.major, version.minor) == (0, 0);
    (begins_a_line && release_branch(&version) == branch).then_some(version)
}

/// Whether two versions are released from one branch.
pub fn same_line(one: &Version, other: &Version) -> bool {
    let line = |version: &Version| {
        (
            version.major,
            version.minor,
            if version.major + version.minor > 0 {
                0
            } else {
                version.patch
            },
        )
    };
    line(one) == line(other)
}

/// The tag of a version.
pub fn tag(version: &Version) -> String {
    format!("v{version}")
}

/// The version that a tag names; `None` for other people's tags.
pub fn tag_version(tag: &str) -> Option<Version> {
    let version = Version::parse(tag.strip_prefix('v')?).ok()?;
    (version.pre.is_empty() || version.pre.as_str().starts_with("rc.")).then_some(version)
}

/// The number that grows by one with each train: the leftmost that is not zero.
pub fn train_number(version: &Version) -> u64 {
    [version.major, version.minor]
        .into_iter()
        .find(|number| *number > 0)
        .unwrap_or(version.patch)
}

/// Rewrites a requirement so that it names `to` as it named the version before: operators, white space and the
/// number of components stay. Towards a pre-release it gets the full version, since cargo matches one with nothing
/// less, `*` included. Upper and exclusive bounds (`<`, `<=`, `>`) name some other version and stay too. Fails if the
/// result does not match `to`.
pub fn follow(requirement: &str, to: &Version) -> Result<String> {
    let followed = requirement
        .split(',')
        .map(|part| follow_one(part, to))
        .collect::<Vec<_>>()
        .join(",");
    match VersionReq::parse(&followed)?.matches(to) {
        true => Ok(followed),
        false => Err(format!(
            "`{requirement}` cannot follow to {to}: write it with one of ^ = ~ >="
        )
        .into()),
    }
}

fn follow_one(part: &str, to: &Version) -> String {
    let start = part
        .find(|c: char| c.is_ascii_digit() || "*xX".contains(c))
        .unwrap_or(part.len());
    let (operator, rest) = part.split_at(start);
    let (old, space) = rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len()));
    if ["<", "<=", ">"].contains(&operator.trim()) {
        return part.to_string();
    }
    let new = if !to.pre.is_empty() {
        format!("{}.{}.{}-{}", to.major, to.minor, to.patch, to.pre)
    } else {
        let numbers = old.split(['-', '+']).next().unwrap_or_default().split('.');
        let follow = |(old, new): (&str, u64)| {
            if "*xX".contains(old) {
                old.to_string()
            } else {
                new.to_string()
            }
        };
        numbers
            .zip([to.major, to.minor, to.patch])
            .map(follow)
            .collect::<Vec<_>>()
            .join(".")
    };
    format!("{operator}{new}{space}")
}

/// Whether a requirement admits one version only: `=X.Y.Z`.
pub fn is_exact(requirement: &str) -> bool {
    let comparators = VersionReq::parse(requirement)
        .map(|requirement| requirement.comparators)
        .unwrap_or_default();
    matches!(
        comparators[..],
        [Comparator {
            op: Op::Exact,
            patch: Some(_),
            ..
        }]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_bump_leads_where_the_design_says() {
        let next = |bump: &str, now: &str| match Bump::parse(bump)
            .unwrap()
            .next(&now.parse().unwrap(), false)
        {
            Ok(next) => next.to_string(),
            Err(error) => format!("error: {error}"),
        };
        for (bump, now, expected) in [
            ("major", "12.0.1", "13.0.0"),
            ("major", "0.99.3", "0.100.0"),
            ("major", "0.0.1", "0.0.2"),
            ("major", "13.0.0-dev", "14.0.0"),
            ("major", "1.2.3+up.4", "2.0.0+up.4"),
            ("minor", "12.3.4", "12.4.0"),
            ("minor", "0.99.3", "0.99.4"),
            ("patch", "12.0.9", "12.0.10"),
            ("patch", "0.0.1", "0.0.2"),
            ("rc", "13.0.0-dev", "13.0.0-rc.1"),
            ("rc", "13.0.0-rc.9", "13.0.0-rc.10"),
            ("release", "13.0.0-rc.2", "13.0.0"),
            ("release", "13.0.0", "13.0.0"),
            ("5.0.0-rc.1", "4.0.0", "5.0.0-rc.1"),
            (
                "rc",
                "13.0.0",
                "error: a candidate follows only -dev or -rc.N; say `bump X.Y.Z-rc.1`",
            ),
            (
                "rc",
                "13.0.0-beta.1",
                "error: a candidate follows only -dev or -rc.N; say `bump X.Y.Z-rc.1`",
            ),
            (
                "rc",
                "13.0.0-rc.18446744073709551615",
                "error: a candidate follows only -dev or -rc.N; say `bump X.Y.Z-rc.1`",
            ),
            (
                "patch",
                "13.0.0-dev",
                "error: a minor or patch version follows only a release; say `bump release`",
            ),
            (
                "major",
                "18446744073709551615.0.0",
                "error: there is no higher number",
            ),
        ] {
            assert_eq!(next(bump, now), expected, "{bump} from {now}");
        }
        let dev = Bump::Major.next(&Version::new(13, 0, 0), true).unwrap();
        assert_eq!(dev.to_string(), "14.0.0-dev");
        assert!(Bump::parse("1.2").is_err());
    }

    #[test]
    fn the_marker_counts_as_a_line_of_its_own_only() {
        for marked in [
            "Release\n\n[automatically-tag-and-release-this-commit]",
            "[automatically-tag-and-release-this-commit]\r\n",
        ] {
            assert!(is_marked(marked), "{marked}");
        }
        for unmarked in [
            "Mend [automatically-tag-and-release-this-commit]",
            "> [automatically-tag-and-release-this-commit]",
            "    [automatically-tag-and-release-this-commit]",
            "Say it:\n\n```\n[automatically-tag-and-release-this-commit]\n```\n",
            "",
        ] {
            assert!(!is_marked(unmarked), "{unmarked}");
        }
    }

    #[test]
    fn branches_and_tags_of_other_people_have_no_version() {
        for name in ["release-12.0.0", "release-0.36.0"] {
            assert_eq!(release_branch(&branch_version(name).unwrap()), name);
        }
        for name in [
            "release-12.0",
            "release-12.0.0-rc.1",
            "release-v1.0.0",
            "release-",
            "main",
            "release-012.0.0",
            "release-2.0.1",
        ] {
            assert_eq!(branch_version(name), None, "{name}");
        }
        for name in [
            "v1",
            "vscode-1.2",
            "1.0.0",
            "v1.0",
            "version-1.0.0",
            "v1.0.0-demo",
        ] {
            assert_eq!(tag_version(name), None, "{name}");
        }
        assert_eq!(
            tag_version("v1.0.0-rc.1").unwrap().to_string(),
            "1.0.0-rc.1"
        );
    }

    #[test]
    fn a_requirement_keeps_its_operator_its_precision_and_its_spaces() {
        for (requirement, to, expected) in [
            ("=12.0.0", "13.0.0", "=13.0.0"),
            ("12.0", "13.0.0", "13.0"),
            ("12", "13.0.0", "13"),
            (" ^ 12.0 ", "13.0.0", " ^ 13.0 "),
            ("~0.99", "0.100.0", "~0.100"),
            ("12.*", "13.0.0", "13.*"),
            ("*", "13.0.0", "*"),
            (">= 12.0.0, <14", "13.0.0", ">= 13.0.0, <14"),
            ("12", "13.0.0-dev", "13.0.0-dev"),
            ("*", "13.0.0-dev", "13.0.0-dev"),
            ("~12.*", "13.0.0-rc.1", "~13.0.0-rc.1"),
            ("=13.0.0-rc.1", "13.0.0", "=13.0.0"),
            ("=1.0.0", "1.0.1+up.2", "=1.0.1"),
        ] {
            assert_eq!(
                follow(requirement, &to.parse().unwrap()).unwrap(),
                expected,
                "{requirement} to {to}"
            );
        }
        assert!(follow(">=12.0.0, <13", &Version::new(13, 0, 0)).is_err());
    }
}
