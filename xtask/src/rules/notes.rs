//! `RELEASES.md` as text: sections `## X.Y.Z`, newest first, found by their version. Pure: text in, text out, and every byte
//! that a rule does not name stays.
//!
//! Two passes: `visible_lines` leaves out comments and code blocks; `outline` finds the headings among the rest.

use semver::Version;
use time::Date;

use crate::rules::calendar::parse_date;
use crate::rules::version::release_branch;
use crate::{Result, bail};

pub const FILE: &str = "RELEASES.md";

/// A new section; `VERSION` stands for the version.
pub const TEMPLATE: &str = "## VERSION\n\nUnreleased.\n\n### Added\n\n### Changed\n";

/// In a file with this line, main holds the notes of the next release only; those of older ones stay on their branches, and
/// the list under the line links to them.
const ARCHIVE: &str = "<!-- ARCHIVE_START -->";

const UNRELEASED: &str = "Unreleased";

/// A line without its end and its trailing white space; `None` inside a comment or a code block.
struct Line<'a> {
    start: usize,
    text: Option<&'a str>,
}

/// The parts of the file, as byte offsets.
#[derive(Default)]
struct Outline<'a> {
    sections: Vec<Section>,
    /// The line of dashes between sections, if there is one.
    rule: Option<&'a str>,
    /// Where the list of archived notes begins.
    archive: Option<usize>,
    /// Where the last section ends.
    end: usize,
}

/// From the heading, with the anchors right above it, to the rule or heading that follows.
struct Section {
    version: Version,
    start: usize,
    heading: usize,
    end: usize,
}

/// Inserts a section, as `render` makes it, in version order. `None` if the version has a section. In the archive form, a
/// section of an older release line leaves and a link to its branch joins the list: like the newest link there, or below
/// `repository`.
pub fn open(
    text: &str,
    version: &Version,
    section: &str,
    repository: Option<&str>,
) -> Result<Option<String>> {
    if find(text, version)?.is_some() {
        return Ok(None);
    }
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let section = section.replace('\n', eol);
    let Outline {
        sections,
        rule,
        archive,
        end,
    } = outline(text)?;

    let older = |section: &Section| {
        let Version { major, minor, .. } = section.version;
        section.version < *version && (major, minor) != (version.major, version.minor)
    };
    if let (Some(archive), [first, ..], true) = (archive, &sections[..], sections.iter().all(older))
    {
        let mut links = String::new();
        for (at, section) in sections.iter().enumerate() {
            let next = sections.get(at + 1).map_or(end, |next| next.start);
            let mut between = text[section.end..next].lines();
            if let Some(line) = between.find(|line| !line.trim_start_matches('-').trim().is_empty())
            {
                bail!("`{line}` stands between two sections: move it");
            }
            let link = archive_link(&text[archive..], &section.version, repository)?;
            if let Some(link) = link.filter(|link| !links.contains(link)) {
                links += &format!("{link}{eol}");
            }
        }
        let (head, tail, list) = (&text[..first.start], &text[end..archive], &text[archive..]);
        let last = if tail.ends_with('\n') { "" } else { eol };
        return Ok(Some(format!(
            "{head}{section}{eol}{eol}{tail}{last}{links}{list}"
        )));
    }

    let rule = rule
        .map(|rule| format!("{rule}{eol}{eol}"))
        .unwrap_or_default();
    if let Some(next) = sections.iter().find(|section| section.version < *version) {
        let (head, tail) = text.split_at(next.start);
        return Ok(Some(format!("{head}{section}{eol}{eol}{rule}{tail}")));
    }
    let (head, tail) = text.split_at(end);
    let gap = match head {
        "" => "",
        _ if head.ends_with(&format!("{eol}{eol}")) => "",
        _ if head.ends_with(eol) => eol,
        _ => &format!("{eol}{eol}"),
    };
    let rule = if sections.is_empty() { "" } else { &rule };
    let below = if tail.is_empty() { "" } else { eol };
    Ok(Some(format!(
        "{head}{gap}{rule}{section}{eol}{below}{tail}"
    )))
}

/// Replaces the word `Unreleased` on the first line of a section with a date. `None` if the section has that date already.
pub fn date(text: &str, version: &Version, date: Date) -> Result<Option<String>> {
    match status(text, version)? {
        Status::Unreleased(at) => {
            let (before, after) = (&text[..at], &text[at + UNRELEASED.len()..]);
            Ok(Some(format!("{before}Released {date}{after}")))
        }
        Status::Released(dated) if dated == date => Ok(None),
        Status::Released(dated) => bail!("`## {version}` is already dated {dated}, not {date}"),
    }
}

/// What the first line below a version's heading says.
enum Status {
    /// The word stands there in the text.
    Unreleased(usize),
    Released(Date),
}

fn status(text: &str, version: &Version) -> Result<Status> {
    let section = section(text, version)?;
    let (_, below) = text[section.heading..section.end]
        .split_once('\n')
        .unwrap_or_default();
    let below = below.trim_start();
    let line = below.lines().next().unwrap_or_default();
    let after = line.strip_prefix(UNRELEASED).map(str::trim_start);
    // Prose may begin with the word.
    if after.is_some_and(|after| !after.starts_with(char::is_alphanumeric)) {
        return Ok(Status::Unreleased(section.end - below.len()));
    }
    let after = line.strip_prefix("Released").unwrap_or_default();
    let word = |word: &&str| !word.is_empty();
    let words = after.split(|c: char| !c.is_alphanumeric() && c != '-');
    let mut words = words.filter(word).take(2);
    match words.find_map(|word| parse_date(word).ok()) {
        Some(date) => Ok(Status::Released(date)),
        None => {
            bail!("`{UNRELEASED}.` is missing below `## {version}`: write it on the first line")
        }
    }
}

/// Whether a version has a section.
pub fn has(text: &str, version: &Version) -> Result<bool> {
    Ok(find(text, version)?.is_some())
}

/// Whether a version has a section with a date.
pub fn is_dated(text: &str, version: &Version) -> Result<bool> {
    Ok(has(text, version)? && matches!(status(text, version)?, Status::Released(_)))
}

/// The date of a version's section, if it has one.
pub fn released_on(text: &str, version: &Version) -> Option<Date> {
    match status(text, version) {
        Ok(Status::Released(date)) => Some(date),
        _ => None,
    }
}

/// Whether main keeps the notes of the next release only.
pub fn is_archive(text: &str) -> Result<bool> {
    Ok(outline(text)?.archive.is_some())
}

/// A section made of the subjects of commits, for a human to rewrite.
pub fn draft(version: &Version, date: Date, subjects: &[String]) -> String {
    let mut section = format!("## {version}\n\nReleased {date}.\n\n### Fixed");
    for subject in subjects {
        section += &format!("\n\n* {}", code(subject));
    }
    section
}

/// Untrusted text on one line, without control characters.
pub fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Untrusted text as a code span: no Markdown, link or mention in it has an effect.
pub fn code(text: &str) -> String {
    let text = plain(text);
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let gap = if longest > 0 { " " } else { "" };
    format!("{fence}{gap}{}{gap}{fence}", text.trim())
}

/// A version's section, from its heading to its last line.
pub fn show<'a>(text: &'a str, version: &Version) -> Result<&'a str> {
    let section = section(text, version)?;
    Ok(text[section.start..section.end].trim_end())
}

/// The same as a text of its own: with the definitions of its reference links, which may stand anywhere in the file.
pub fn standalone(text: &str, version: &Version) -> Result<String> {
    let section = show(text, version)?;
    let mut standalone = section.to_string();
    for line in visible_lines(text) {
        let Some(definition) = line.text.filter(|line| line.starts_with('[')) else {
            continue;
        };
        let Some((label, _)) = definition.split_once("]:") else {
            continue;
        };
        let reference = format!("{}]", label.to_lowercase());
        if section.to_lowercase().contains(&reference) && !section.contains(definition) {
            let gap = if standalone == section { "\n\n" } else { "\n" };
            standalone += &format!("{gap}{definition}");
        }
    }
    Ok(standalone)
}

fn section(text: &str, version: &Version) -> Result<Section> {
    let missing = || {
        format!("the section `## {version}` is missing; `cargo xtask notes new {version}` adds it")
    };
    Ok(find(text, version)?.ok_or_else(missing)?)
}

fn find(text: &str, version: &Version) -> Result<Option<Section>> {
    let sections = outline(text)?.sections.into_iter();
    let mut found = sections.filter(|section| section.version == *version);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => {
            Err(format!("the section `## {version}` is there twice: remove one").into())
        }
        (section, _) => Ok(section),
    }
}

/// The first pass: comments, code blocks and `<pre>` hide their lines.
fn visible_lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    // What ends the hidden lines, and the column at which a code block begins.
    let (mut until, mut column) = (None::<&str>, 0);
    let mut start = text.len() - text.trim_start_matches('\u{feff}').len();
    for raw in text[start..].split_inclusive('\n') {
        let line = raw.trim_end();
        let indentation = line.len() - line.trim_start().len();
        // A code block may stand in a list or a quotation.
        let fence =
            line.trim_start_matches(|c: char| c.is_ascii_digit() || " \t*+-.)>".contains(c));
        let before = &line[..line.len() - fence.len()];
        let (run, info) =
            fence.split_at(fence.find(|c| !fence.starts_with(c)).unwrap_or(fence.len()));
        let is_fence = run.len() >= 3 && "`~".contains(&run[..1]);

        // A list that ends closes the code block in it.
        if !line.is_empty() && indentation < column {
            (until, column) = (None, 0);
        }
        let mut visible = until.is_none();
        match until {
            None if is_fence && !info.contains('`') => {
                visible = false;
                until = Some(run);
                column = if before.contains('>') {
                    0
                } else {
                    before.len()
                };
            }
            None if line != ARCHIVE && line.starts_with("<!--") => {
                visible = false;
                until = Some("-->").filter(|end| !line.contains(end));
            }
            None if line.starts_with("<pre") => {
                visible = false;
                until = Some("</pre>").filter(|end| !line.contains(end));
            }
            Some(end @ ("-->" | "</pre>")) if line.contains(end) => until = None,
            Some(open) if info.is_empty() && run.starts_with(open) => (until, column) = (None, 0),
            _ => {}
        }
        lines.push(Line {
            start,
            text: visible.then_some(line),
        });
        start += raw.len();
    }
    lines
}

/// The second pass: headings, and where each section begins and ends. Fails at a heading that names a version in another form.
fn outline(text: &str) -> Result<Outline<'_>> {
    let lines = visible_lines(text);
    let mut outline = Outline {
        end: text.len(),
        ..Outline::default()
    };
    let mut open = None; // the section that is not closed yet
    for (at, line) in lines.iter().enumerate() {
        let Some(heading) = line.text else { continue };
        if heading == ARCHIVE {
            // The text between the last rule and the list introduces the list.
            let mut above = (0..at).rev().take_while(|at| !is_heading(&lines[*at]));
            let rule = above.find(|at| is_rule(&lines, *at));
            outline.archive = Some(
                line.start + heading.len() + usize::from(text.len() > line.start + heading.len()),
            );
            outline.end = rule.map_or(line.start, |rule| lines[rule].start);
            outline.rule = outline.rule.or_else(|| lines[rule?].text);
            break;
        }
        let underlined = lines.get(at + 1).is_some_and(is_underline);
        if !is_heading(line) && !underlined {
            continue;
        }
        let title = heading.trim_start_matches('#').trim_end_matches('#').trim();
        let version = Version::parse(title)
            .ok()
            .filter(|_| heading.starts_with("## "));
        if version.is_none() && names_version(title) {
            let number = at + 1;
            bail!("line {number}: `{heading}`: a section of a version is headed `## X.Y.Z`");
        }
        if underlined {
            continue;
        }
        let mut first = at;
        while first > 0 && lines[first - 1].text.is_some_and(is_anchor) {
            first -= 1;
        }
        let (end, rule) = end_above(&lines, first);
        outline.rule = outline.rule.or(rule);
        outline.close(open.take(), end);
        if let Some(version) = version {
            let (start, heading) = (lines[first].start, line.start);
            open = Some(Section {
                version,
                start,
                heading,
                end,
            });
        }
    }
    if outline.archive.is_none() && !lines.is_empty() {
        let (end, _) = end_above(&lines, lines.len());
        outline.end = end.min(text.len());
    }
    let end = outline.end;
    outline.close(open, end);
    Ok(outline)
}

impl Outline<'_> {
    fn close(&mut self, section: Option<Section>, end: usize) {
        self.sections
            .extend(section.map(|section| Section { end, ..section }));
    }
}

/// Where the text above a line ends, and the rule between them, if there is one.
fn end_above<'a>(lines: &[Line<'a>], at: usize) -> (usize, Option<&'a str>) {
    let mut above = at;
    while above > 0 && lines[above - 1].text == Some("") {
        above -= 1;
    }
    if above > 0 && is_rule(lines, above - 1) {
        return (lines[above - 1].start, lines[above - 1].text);
    }
    (lines.get(at).map_or(usize::MAX, |line| line.start), None)
}

/// A line of dashes below a blank one. Right below text, dashes make a heading of it.
fn is_rule(lines: &[Line], at: usize) -> bool {
    let dashes = |line: &str| line.len() >= 3 && line.bytes().all(|byte| byte == b'-');
    lines[at].text.is_some_and(dashes) && (at == 0 || lines[at - 1].text == Some(""))
}

fn is_heading(line: &Line) -> bool {
    line.text
        .is_some_and(|line| line.starts_with("# ") || line.starts_with("## "))
}

/// Makes a heading of the line above it, if that is text.
fn is_underline(line: &Line) -> bool {
    let only =
        |byte: u8| move |line: &str| !line.is_empty() && line.bytes().all(|other| other == byte);
    line.text.is_some_and(only(b'-')) || line.text.is_some_and(only(b'='))
}

/// Whether one of the first two words of a heading is a version: `[1.0.0]`, `v1.0.0 - date`, `Version 1.0.0`.
fn names_version(title: &str) -> bool {
    let mut words = title.split_whitespace().take(2);
    words.any(|word| {
        let word = word.trim_matches(|c| "[]():".contains(c));
        let word = word.split("](").next().unwrap_or_default();
        Version::parse(word.trim_start_matches(['v', 'V'])).is_ok()
    })
}

fn is_anchor(line: &str) -> bool {
    line.starts_with("<a ") && (line.ends_with("</a>") || line.ends_with("/>"))
}

/// A section made of a template, with LF: from its heading on, without the rule below.
pub fn render(template: &str, version: &Version) -> Result<String> {
    let text = template
        .replace("\r\n", "\n")
        .replace("VERSION", &version.to_string());
    match &outline(&text)?.sections[..] {
        [section] if section.version == *version => {
            Ok(text[section.start..section.end].trim_end().to_string())
        }
        _ => Err("it must hold one section, `## VERSION`".into()),
    }
}

/// The item that links from the list of archived notes to those of a version's branch. `None` if it is there.
fn archive_link(list: &str, version: &Version, repository: Option<&str>) -> Result<Option<String>> {
    let label = |version: &Version| format!("{}.{}.x", version.major, version.minor);
    let branch = |version: &Version| release_branch(&Version::new(version.major, version.minor, 0));
    if list.contains(&format!("[{}", label(version))) {
        return Ok(None);
    }
    // The newest link, with the version in it replaced.
    let newest = || {
        let line = list.lines().find(|line| line.contains("]("))?;
        let (_, item) = line.split_once('[')?;
        let newest = Version::parse(&item.split("](").next()?.replace(".x", ".0")).ok()?;
        let linked = line.contains(&branch(&newest));
        let line = line.replace(&branch(&newest), &branch(version));
        linked.then(|| line.replace(&label(&newest), &label(version)))
    };
    let below_repository = |url: &str| {
        let url = url.trim_end_matches('/').trim_end_matches(".git");
        format!(
            "* [{}]({url}/blob/{}/{FILE})",
            label(version),
            branch(version)
        )
    };
    let link = newest().or_else(|| repository.map(below_repository));
    Ok(Some(link.ok_or(
        "the list of archived notes is empty and no crate names its `repository`: write the first link",
    )?))
}
