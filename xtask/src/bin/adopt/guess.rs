//! The configuration that a workspace lets guess: which version names the train, which crates are public, which lines carry
//! the version. What is only likely is a comment, and every key says where it comes from. It writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde_json::Value;
use xshell::{Shell, cmd};

use super::there::There;
use release_train::rules::config::fill;
use release_train::rules::version::is_exact;
use release_train::world::workspace::{Workspace, metadata};
use release_train::{Result, world::process};

/// The crate for `version-of`, where the workspace does not load without one: that with the repository's name, else the
/// first of those that share the most common version.
pub fn version_of(sh: &Shell, repository: &str) -> Result<Option<String>> {
    let Err(error) = Workspace::load(sh) else {
        return Ok(None);
    };
    let metadata = metadata(sh)?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let published = packages.filter(|package| package["publish"] != Value::Array(Vec::new()));
    let published: Vec<(&str, &str)> = published
        .filter_map(|package| Some((package["name"].as_str()?, package["version"].as_str()?)))
        .collect();
    let named = published.iter().find(|(name, _)| *name == repository);
    let share = |version: &str| {
        published
            .iter()
            .filter(|(_, other)| *other == version)
            .count()
    };
    let common = published
        .iter()
        .rev()
        .max_by_key(|(_, version)| share(version));
    match named.or(common) {
        Some((name, _)) => Ok(Some(name.to_string())),
        None => Err(error),
    }
}

/// The table with no more than the workspace needs to load.
pub fn first_line(version_of: &Option<String>) -> String {
    let key = version_of
        .as_ref()
        .map(|name| format!("version-of = {name:?}"));
    format!(
        "[workspace.metadata.release-train]\n{}",
        key.unwrap_or_default()
    )
}

/// The whole table.
pub fn table(
    sh: &Shell,
    workspace: &Workspace,
    version_of: &Option<String>,
    there: &There,
) -> Result<String> {
    let mut text =
        "# The release train (`cargo xtask`). All keys are optional; xtask/README.md says what each is for.\n\
        [workspace.metadata.release-train]\n"
            .to_string();
    text += &format!(
        "# name = {:?} # in titles; the repository's name if nothing is said\n",
        there.name
    );
    match version_of {
        Some(name) => {
            let crates = workspace.crates.iter().filter(|member| member.published);
            let versions: BTreeSet<&Version> = crates.map(|member| &member.version).collect();
            text += &format!(
                "# Guessed: the published crates have {} versions, and one must name the train.\n",
                versions.len()
            );
            text += &format!("version-of = {name:?}\n");
        }
        None => {
            text += &format!(
                "# The train is at {}: no `version-of` is needed.\n",
                workspace.version
            )
        }
    }
    text += &public(workspace);
    text += &version_strings(sh, workspace)?;
    text += &match &*workspace.version.pre {
        pre if pre == "dev" || pre.starts_with("rc.") => {
            format!("# Guessed: main is at -{pre}.\nrelease-candidates = true\n")
        }
        _ => "# release-candidates = false # if true, main is at X.Y.0-dev, and a branch begins at -rc.1\n".to_string(),
    };
    text += "# independent = [] # published with the others, but with versions of their own\n";
    text += "# owners = [\"github:org:team\"] # of crates that are published for the first time\n";
    if !there.locked {
        text += "# There is no Cargo.lock: the alias and the workflows go without `--locked`.\n";
    }
    Ok(text)
}

/// `public`: where some members are required as `=X.Y.Z` by others, those that are not.
fn public(workspace: &Workspace) -> String {
    let (mut pinned, mut loose) = (BTreeSet::new(), BTreeSet::new());
    for (_, requirement, member, _) in workspace
        .requirements()
        .filter(|(.., for_users)| *for_users)
    {
        if is_exact(requirement.text) {
            &mut pinned
        } else {
            &mut loose
        }
        .insert(&*member.name);
    }
    if pinned.is_empty() {
        return "# public = [] # with it, a published member that is not in it must be required as `=X.Y.Z`\n"
            .to_string();
    }
    let published = workspace
        .crates
        .iter()
        .filter(|member| member.published)
        .map(|member| &*member.name);
    let public: BTreeSet<&str> = published.filter(|name| !pinned.contains(name)).collect();
    let public = Vec::from_iter(public);
    let short = format!("{public:?}");
    let public = if short.len() < 100 {
        short
    } else {
        format!("{public:#?}")
    };
    let both: Vec<&str> = pinned.intersection(&loose).copied().collect();
    match &both[..] {
        [] => format!(
            "# Guessed: the published members that no other one requires as `=X.Y.Z`. The others must be; a crate that your\n\
             # users depend on belongs here, too, without such pins.\n\
             public = {public}\n"
        ),
        both => format!(
            "# The members that no other one requires as `=X.Y.Z`. Not yet in force: some require {} so, and some do not.\n\
             # public = {}\n",
            both.join(", "),
            public.replace('\n', "\n# ")
        ),
    }
}

/// `version-strings`: lines of tracked files that hold the train's version.
fn version_strings(sh: &Shell, workspace: &Workspace) -> Result<String> {
    let train = &workspace.version;
    let crates = workspace
        .crates
        .iter()
        .filter(|member| member.published && member.version == *train);
    let names: Vec<&str> = crates.map(|member| &*member.name).collect();
    let mut files: BTreeMap<String, Vec<(bool, String)>> = BTreeMap::new();
    // What Rust escapes so, TOML does not.
    for file in candidates(sh, train, &names)?
        .into_iter()
        .filter(|file| !format!("{file:?}").contains("\\u{"))
    {
        let Ok(text) = std::fs::read_to_string(workspace.root.join(&file)) else {
            continue;
        };
        let lines = text.lines().map(str::trim);
        let mut found: Vec<(bool, String)> = lines
            .clone()
            .filter_map(|line| pattern(line, train, &names))
            .collect();
        // Where the whole version is said, its numbers may follow.
        if found.iter().any(|(likely, _)| *likely) {
            found.extend(
                lines
                    .clone()
                    .filter_map(|line| Some((true, numbers(line, train)?))),
            );
        }
        // A bump finds a line by its text, which must be there once; and it must be written in TOML, to be read.
        let once = |pattern: &str| {
            lines
                .clone()
                .filter(|line| *line == fill(pattern, train))
                .count()
                == 1
        };
        let plain = |text: &str| !text.contains(|c: char| c == '\'' || c.is_control() && c != '\t');
        found.retain(|(_, pattern)| once(pattern) && plain(pattern) && pattern.len() < LONG);
        files.insert(file, found);
    }
    let found = files
        .iter()
        .flat_map(|(file, lines)| lines.iter().map(move |(likely, line)| (likely, file, line)));
    let item = |file: &str, line: &str| format!("{{ file = {file:?}, line = '{line}' }},\n");
    let (likely, others): (Vec<_>, Vec<_>) = found.partition(|(likely, ..)| **likely);
    let others: Vec<String> = others
        .iter()
        .map(|(_, file, line)| format!("  # {}", item(file, line)))
        .collect();
    let likely: String = likely
        .iter()
        .map(|(_, file, line)| format!("  {}", item(file, line)))
        .collect();
    if likely.is_empty() && others.is_empty() {
        return Ok(format!(
            "# version-strings = [] # lines outside the manifests that carry the version: none with {train} was found\n"
        ));
    }
    let more = match others.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!("  # ... and {more} more lines\n"),
    };
    let others: String = others.into_iter().take(MOST).collect();
    let says = "# Guessed: lines that follow each bump. Those in comments have the version, too, but may tell of the past.\n";
    Ok(format!(
        "{says}version-strings = [\n{likely}{others}{more}]\n"
    ))
}

/// How many unlikely lines are shown.
const MOST: usize = 10;

/// How many bytes no line has that somebody wrote by hand.
const LONG: usize = 300;

/// The tracked files that may hold such lines: neither manifests, nor those that tell of versions that are out, or of other
/// people's.
fn candidates(sh: &Shell, train: &Version, names: &[&str]) -> Result<Vec<String>> {
    let short = names
        .iter()
        .flat_map(|name| requirements(name, train).map(|(text, _)| text));
    let texts = std::iter::once(train.to_string())
        .chain(short)
        .flat_map(|text| ["-e".to_string(), text]);
    let others = [
        "*.lock",
        "*-lock.*",
        "*Cargo.toml",
        "*vendor/*",
        "*third?party/*",
    ];
    let past = [
        "*change*",
        "*release*",
        "*history*",
        "*news*",
        "*tests/*",
        "*fixtures/*",
        "*.snap",
    ];
    let others = others
        .iter()
        .chain(&past)
        .map(|glob| format!(":(exclude,icase){glob}"));
    let ours = [":(exclude)xtask", ":(exclude).github"];
    let grep = cmd!(
        sh,
        "git grep -z -l -I --fixed-strings {texts...} -- {others...} {ours...}"
    );
    Ok(process::search_output(grep, "")?
        .split_terminator('\0')
        .map(str::to_string)
        .collect())
}

/// How a README tells users to depend on a crate, less exactly than with its whole version, and the pattern for it.
fn requirements(name: &str, train: &Version) -> impl Iterator<Item = (String, String)> {
    let (major, minor) = (train.major, train.minor);
    let numbers = [
        (format!("{major}.{minor}"), "{major}.{minor}"),
        (format!("{major}"), "{major}"),
    ];
    numbers.into_iter().flat_map(move |(number, pattern)| {
        ["", "{ version = "].map(|table| {
            let before = format!("{name} = {table}\"");
            (
                format!("{before}{number}\""),
                format!("{before}{pattern}\""),
            )
        })
    })
}

/// The pattern of a line that holds the version, and whether the line is likely to follow it.
fn pattern(line: &str, train: &Version, names: &[&str]) -> Option<(bool, String)> {
    let (version, number) = (train.to_string(), |c: char| c.is_ascii_digit());
    let whole = |at: usize| {
        let (before, after) = (&line[..at], &line[at + version.len()..]);
        let goes_on = after
            .strip_prefix(['.', '-', '+'])
            .is_some_and(|after| after.starts_with(char::is_alphanumeric));
        !before.ends_with(|c| number(c) || c == '.')
            && !after.starts_with(char::is_alphanumeric)
            && !goes_on
    };
    let places: Vec<usize> = line.match_indices(&version).map(|(at, _)| at).collect();
    if let Some(first) = places
        .first()
        .filter(|_| places.iter().all(|at| whole(*at)))
    {
        let lower = line.to_lowercase();
        let named = names.iter().any(|name| word(line, name).is_some());
        // A requirement in a table is on the crate before it.
        let names_it =
            named || lower.contains("version") && !line.replace(' ', "").contains("={version");
        let past = [
            "since",
            "deprecated",
            "before",
            "until",
            "added",
            "changed",
            "introduced",
        ];
        let past = past.iter().any(|word| lower.contains(word));
        let said = line[..*first]
            .trim_end_matches('v')
            .trim_end()
            .ends_with(['"', '/', '=', '@', ':']);
        return Some((
            said && names_it && !past,
            line.replace(&version, "{version}"),
        ));
    }
    let mut short = names.iter().flat_map(|name| requirements(name, train));
    short.find_map(|(text, pattern)| {
        let (before, after) = line.split_at(word(line, &text)?);
        Some((true, format!("{before}{pattern}{}", &after[text.len()..])))
    })
}

/// Where a text stands in a line that is no part of a longer name.
fn word(line: &str, text: &str) -> Option<usize> {
    let goes_on = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let mut places = line.match_indices(text).map(|(at, _)| at);
    places
        .find(|at| !line[..*at].ends_with(goes_on) && !line[at + text.len()..].starts_with(goes_on))
}

/// The pattern of a line that holds one number of the version under its name, as C headers have it.
fn numbers(line: &str, train: &Version) -> Option<String> {
    let numbers = [
        ("MAJOR", train.major, "{major}"),
        ("MINOR", train.minor, "{minor}"),
        ("PATCH", train.patch, "{patch}"),
    ];
    let (_, number, pattern) = numbers
        .into_iter()
        .find(|(name, ..)| line.contains(&format!("VERSION_{name} ")))?;
    let head = line.strip_suffix(&number.to_string())?;
    head.ends_with(' ').then(|| format!("{head}{pattern}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_says_the_version_of_these_crates_is_likely() {
        for (line, likely) in [
            ("tiny = \"0.1.0\"", true),
            ("//! tiny = { version = \"0.1.0\" }", true),
            ("tiny = { version = \"0.1\" }", true),
            ("html_root_url = \"https://docs.rs/tiny/0.1.0\"", true),
            ("\"version\": \"0.1.0\",", true),
            ("serde = { version = \"0.1.0\" }", false),
            ("\"tiny-js\": \"0.1.0\"", false),
            ("datafile: 0.1.0", false),
            (".. versionadded:: 0.1.0", false),
            ("version 0.1.0 was slow", false),
        ] {
            let found = pattern(line, &Version::new(0, 1, 0), &["tiny", "a"]);
            assert_eq!(found.map(|(likely, _)| likely), Some(likely), "{line}");
        }
        assert_eq!(
            pattern("tiny-js = \"0.1\"", &Version::new(0, 1, 0), &["js"]),
            None
        );
    }
}
