//! The rules for versions: where each kind of bump leads, how a requirement follows, and the names made of a version.

use semver::{Prerelease, Version, VersionReq};

use crate::{Context, Result, bail};

/// Reads a version from the command line.
pub fn parse(text: &str) -> Result<Version> {
    Version::parse(text).context(format_args!("`{text}` is not a version X.Y.Z"))
}

/// The kinds of bump. Each crate is bumped from its own version.
#[derive(Debug, PartialEq)]
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
        const KINDS: &str =
            "is neither a level (major, minor, patch, rc, release) nor a version X.Y.Z";
        Ok(match text {
            "major" => Bump::Major,
            "minor" => Bump::Minor,
            "patch" => Bump::Patch,
            "rc" => Bump::Rc,
            "release" => Bump::Release,
            _ => Bump::To(Version::parse(text).context(format_args!("`{text}` {KINDS}"))?),
        })
    }

    /// The version after the bump of `now`; `to_dev` for the development of it, `-dev`. Build metadata stays. Fails if the
    /// level does not apply to `now`.
    pub fn next(&self, now: &Version, to_dev: bool) -> Result<Version> {
        let mut next = release_of(now);
        let too_large = "the number cannot be increased";
        let up = |number: u64| number.checked_add(1).ok_or(too_large);
        [next.major, next.minor, next.patch] = match (self, now.major, now.minor) {
            (Bump::To(version), ..) => return Ok(version.clone()),
            (Bump::Release, ..) => return Ok(next),
            (Bump::Rc, ..) => {
                let of = format!(
                    "a candidate follows only -dev or -rc.N: `cargo xtask bump {next}-rc.1`"
                );
                next.pre = next_candidate(&now.pre).ok_or(of)?;
                return Ok(next);
            }
            (Bump::Minor | Bump::Patch, ..) if !now.pre.is_empty() && !to_dev => {
                bail!(
                    "a minor or patch version follows only a release: `cargo xtask bump release`"
                );
            }
            (Bump::Major, 1.., _) => [up(now.major)?, 0, 0],
            (Bump::Major, 0, 1..) | (Bump::Minor, 1.., _) => [now.major, up(now.minor)?, 0],
            (Bump::Major | Bump::Minor | Bump::Patch, ..) => [now.major, now.minor, up(now.patch)?],
        };
        if to_dev {
            next.pre = Prerelease::new("dev")?;
        }
        Ok(next)
    }
}

fn next_candidate(pre: &Prerelease) -> Option<Prerelease> {
    let last = match pre.strip_prefix("rc.") {
        Some(number) => number.parse::<u32>().ok()?,
        None if pre.as_str() == "dev" => 0,
        None => return None,
    };
    Prerelease::new(&format!("rc.{}", u64::from(last) + 1)).ok()
}

/// A commit with this line in its message is tagged and released.
pub const MARKER: &str = "[automatically-tag-and-release-this-commit]";

/// Whether a message has the marker as a line of its own, outside code blocks.
pub fn is_marked(message: &str) -> bool {
    let mut fenced = false;
    message.lines().any(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.trim_end() == MARKER
    })
}

/// The version without its pre-release suffix.
pub fn release_of(version: &Version) -> Version {
    let mut release = version.clone();
    release.pre = Prerelease::EMPTY;
    release
}

/// The branch that a version is cut to; the later versions of its release line are released from it, too.
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
    (version == first_of_line(&version)).then_some(version)
}

/// The first version that is released from the same branch: X.Y.0.
pub fn first_of_line(version: &Version) -> Version {
    let patch = match (version.major, version.minor) {
        (0, 0) => version.patch,
        _ => 0,
    };
    Version::new(version.major, version.minor, patch)
}

/// Whether two versions are released from the same branch.
pub fn same_line(one: &Version, other: &Version) -> bool {
    first_of_line(one) == first_of_line(other)
}

/// The form of tags: what comes before the version.
#[derive(Clone, Debug, PartialEq)]
pub struct TagForm(String);

impl TagForm {
    /// The default is `v{version}`. Fails if the text does not end with `{version}`, or could begin an option or be the name
    /// of a release branch.
    pub fn parse(text: Option<&str>) -> Result<TagForm> {
        let before = text.unwrap_or("v{version}").strip_suffix("{version}");
        let special = |c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c);
        let refused = |it: &str| it == "release-" || it.starts_with('-') || it.contains(special);
        match before {
            Some(before) if !refused(before) => Ok(TagForm(before.to_string())),
            _ => bail!(
                "`tag` must be letters, digits, - and _, then {{version}}, as in \"v{{version}}\""
            ),
        }
    }

    /// The tag of a version.
    pub fn tag(&self, version: &Version) -> String {
        format!("{}{version}", self.0)
    }

    /// The version that a tag names; `None` for tags of another form.
    pub fn version(&self, tag: &str) -> Option<Version> {
        let version = Version::parse(tag.strip_prefix(&self.0)?).ok()?;
        let is_ours = version.pre.is_empty() || version.pre.as_str().starts_with("rc.");
        is_ours.then_some(version)
    }
}

/// The requirement with `to` instead of the version before: operators, white space and the number of components stay. For a
/// pre-release it names the full version, since cargo matches one with nothing less, not even `*`. Upper and exclusive
/// bounds (`<`, `<=`, `>`) name another version and stay, too. Fails if the result does not match `to`.
pub fn follow(requirement: &str, to: &Version) -> Result<String> {
    let parts = requirement.split(',').map(|part| follow_one(part, to));
    let followed = parts.collect::<Vec<_>>().join(",");
    if !VersionReq::parse(&followed)?.matches(to) {
        bail!("`{requirement}` cannot be updated to {to}: write it with one of ^ = ~ >=");
    }
    Ok(followed)
}

fn follow_one(part: &str, to: &Version) -> String {
    let version = part.trim_start_matches([' ', '^', '=', '~', '<', '>']);
    let operator = part.strip_suffix(version).unwrap_or_default();
    let (old, space) = version.split_at(version.trim_end().len());
    if ["<", "<=", ">"].contains(&operator.trim()) {
        return part.to_string();
    }
    let [major, minor, patch] = [to.major, to.minor, to.patch].map(|number| number.to_string());
    if !to.pre.is_empty() {
        return format!("{operator}{major}.{minor}.{patch}-{}{space}", to.pre);
    }
    let mut new = Vec::new();
    let numbers = old.split(['-', '+']).next().unwrap_or_default();
    for (old, number) in numbers.split('.').zip([&*major, &minor, &patch]) {
        new.push(if "*xX".contains(old) { old } else { number });
    }
    format!("{operator}{}{space}", new.join("."))
}

/// Whether a requirement admits one version only: `=X.Y.Z`.
pub fn is_exact(requirement: &str) -> bool {
    let version = requirement.trim().strip_prefix('=');
    version.is_some_and(|version| Version::parse(version.trim()).is_ok())
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
                "error: a candidate follows only -dev or -rc.N: `cargo xtask bump 13.0.0-rc.1`",
            ),
            (
                "rc",
                "13.0.0-beta.1",
                "error: a candidate follows only -dev or -rc.N: `cargo xtask bump 13.0.0-rc.1`",
            ),
            (
                "rc",
                "13.0.0-rc.18446744073709551615",
                "error: a candidate follows only -dev or -rc.N: `cargo xtask bump 13.0.0-rc.1`",
            ),
            (
                "patch",
                "13.0.0-dev",
                "error: a minor or patch version follows only a release: `cargo xtask bump release`",
            ),
            (
                "major",
                "18446744073709551615.0.0",
                "error: the number cannot be increased",
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
            "Fix [automatically-tag-and-release-this-commit]",
            "> [automatically-tag-and-release-this-commit]",
            "    [automatically-tag-and-release-this-commit]",
            "Use it:\n\n```\n[automatically-tag-and-release-this-commit]\n```\n",
            "",
        ] {
            assert!(!is_marked(unmarked), "{unmarked}");
        }
    }

    #[test]
    fn branches_and_tags_of_another_form_have_no_version() {
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
        let form = TagForm::parse(None).unwrap();
        for name in [
            "v1",
            "vscode-1.2",
            "1.0.0",
            "v1.0",
            "version-1.0.0",
            "v1.0.0-demo",
        ] {
            assert_eq!(form.version(name), None, "{name}");
        }
        let candidate: Version = "1.0.0-rc.1".parse().unwrap();
        for (form, tag) in [
            ("v{version}", "v1.0.0-rc.1"),
            ("{version}", "1.0.0-rc.1"),
            ("demo-{version}", "demo-1.0.0-rc.1"),
        ] {
            let form = TagForm::parse(Some(form)).unwrap();
            assert_eq!(form.tag(&candidate), tag);
            assert_eq!(form.version(tag), Some(candidate.clone()));
        }
        for form in [
            "v",
            "{version}{version}",
            "v {version}",
            "{version}-x",
            "-{version}",
            "release-{version}",
        ] {
            assert!(TagForm::parse(Some(form)).is_err(), "{form}");
        }
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
