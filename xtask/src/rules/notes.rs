//! `RELEASES.md` as text: sections `## X.Y.Z`, newest first, found by their version. Pure: text in, text out, and every byte
//! that a rule does not name stays.
//!
//! Two passes: `visible_lines` leaves out comments and code blocks; `outline` finds the headings among the rest.

use semver::Version;
use time::Date;

use crate::rules::calendar::parse_date;
use crate::rules::version::release_branch;
use crate::{Error, Result, bail};

pub const FILE: &str = "RELEASES.md";

/// A new section; `VERSION` stands for the version.
pub const TEMPLATE: &str = "## VERSION\n\nUnreleased.\n\n### Added\n\n### Changed\n";

/// In a file with this line, main holds the notes of the next release only; those of older ones stay on their branches, and
/// the list under the line links to them.
const ARCHIVE: &str = "<!-- ARCHIVE_START -->";

const UNRELEASED: &str = "Unreleased";

/// A line that is not visible counts as a line of text.
const HIDDEN: &str = "hidden";

/// The parts of the file, as byte offsets.
#[derive(Default)]
struct Outline<'a> {
    /// Each heading from the first version on.
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
    /// `None` for another heading, which ends the section above it.
    version: Option<Version>,
    start: usize,
    heading: usize,
    end: usize,
}

/// Inserts a section, as `render` makes it, in version order, unless the version has a section. In the archive form, the
/// first section of a release line replaces that of the line before, and a link to its branch joins the list: like the
/// newest link there, or relative as GitHub shows the file.
pub fn open(text: &str, version: &Version, section: &str) -> Result<String> {
    if has(text, version)? {
        return Ok(text.to_string());
    }
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let blank_line = eol.repeat(2);
    let section = section.replace('\n', eol);
    let outline = outline(text)?;
    let sections = &outline.sections;

    let versions = sections.iter().filter_map(|other| other.version.as_ref());
    let line = |version: &Version| (version.major, version.minor);
    if let (Some(archive), Some(newest)) = (outline.archive, versions.max())
        && line(newest) < line(version)
    {
        if let Some(other) = sections.get(1) {
            let heading = text[other.heading..].lines().next().unwrap_or_default();
            let line = line_at(text, other.heading);
            bail!("{line}: `{heading}` stands below the newest section: move it");
        }
        let (head, list) = (&text[..sections[0].start], &text[archive..]);
        let tail = &text[outline.end..archive];
        let gap = if tail.ends_with('\n') { "" } else { eol };
        let link = archive_link(list, newest).map(|link| link + eol);
        let link = link.unwrap_or_default();
        let replaced = format!("{head}{section}{blank_line}{tail}{gap}{link}{list}");
        return Ok(replaced);
    }

    let rule = outline.rule.map(|rule| format!("{rule}{blank_line}"));
    let rule = rule.unwrap_or_default();
    let is_older = |other: &&Section| other.version.as_ref().is_some_and(|it| it < version);
    if let Some(next) = sections.iter().find(is_older) {
        let (head, tail) = text.split_at(next.start);
        return Ok(format!("{head}{section}{blank_line}{rule}{tail}"));
    }
    let (head, tail) = text.split_at(outline.end);
    let mut head = head.to_string();
    while !head.is_empty() && !head.ends_with(&blank_line) {
        head += eol;
    }
    let rule = if sections.is_empty() { "" } else { &rule };
    let gap = if tail.is_empty() { "" } else { eol };
    Ok(format!("{head}{rule}{section}{eol}{gap}{tail}"))
}

/// Replaces the word `Unreleased` on the first line of a section with a date, unless the section has that date already.
pub fn date(text: &str, version: &Version, date: Date) -> Result<String> {
    match status(text, version)? {
        (at, None) => {
            let (before, after) = (&text[..at], &text[at + UNRELEASED.len()..]);
            Ok(format!("{before}Released {date}{after}"))
        }
        (_, Some(dated)) if dated == date => Ok(text.to_string()),
        (at, Some(dated)) => {
            let line = line_at(text, at);
            bail!("{line}: `## {version}` is already dated {dated}, not {date}")
        }
    }
}

/// Where the first line below a version's heading begins, and its date; `None` if it says `Unreleased`.
fn status(text: &str, version: &Version) -> Result<(usize, Option<Date>)> {
    let section = section(text, version)?;
    let mut below = visible_lines(text).into_iter();
    let is_first = |(at, line): &(usize, &str)| {
        *at > section.heading && *at < section.end && ![HIDDEN, ""].contains(line)
    };
    let (at, line) = below.find(is_first).unwrap_or_default();
    let (at, line) = (at + line.len() - line.trim_start().len(), line.trim_start());
    let after = line.strip_prefix(UNRELEASED).map(str::trim_start);
    // Prose may begin with the word.
    if after.is_some_and(|after| !after.starts_with(char::is_alphanumeric)) {
        return Ok((at, None));
    }
    let after = line.strip_prefix("Released").unwrap_or_default();
    for word in after.split_whitespace().take(2) {
        if let Ok(date) = parse_date(word.trim_matches(|c: char| !c.is_ascii_digit())) {
            return Ok((at, Some(date)));
        }
    }
    let heading = line_at(text, section.heading);
    bail!("{heading}: `{UNRELEASED}.` is missing below `## {version}`: write it on the first line");
}

/// Whether a version has a section.
pub fn has(text: &str, version: &Version) -> Result<bool> {
    Ok(find(text, version)?.is_some())
}

/// Whether a version has a section with a date.
pub fn is_dated(text: &str, version: &Version) -> Result<bool> {
    Ok(has(text, version)? && status(text, version)?.1.is_some())
}

/// The date of a version's section, if it has one.
pub fn released_on(text: &str, version: &Version) -> Option<Date> {
    status(text, version).ok()?.1
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

/// Untrusted text on one line, without control characters and those that change the direction of text.
pub fn plain(text: &str) -> String {
    let turns = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.replace(|c: char| c.is_control() || turns(c), " ")
}

/// Untrusted text as a code span: no Markdown, link or mention in it has an effect.
pub fn code(text: &str) -> String {
    let text = plain(text);
    let runs = text.split(|c| c != '`').map(str::len);
    let longest = runs.max().unwrap_or_default();
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
    let lowercase = section.to_lowercase();
    let mut standalone = section.to_string();
    for (_, line) in visible_lines(text) {
        let line = line.trim_start();
        let (label, _) = line.split_once("]:").unwrap_or_default();
        let is_used = lowercase.contains(&format!("{}]", label.to_lowercase()));
        if label.starts_with('[') && is_used && !section.contains(line) {
            standalone += if standalone == section { "\n\n" } else { "\n" };
            standalone += line;
        }
    }
    Ok(standalone)
}

fn section(text: &str, version: &Version) -> Result<Section> {
    let add = format!("`cargo xtask notes new {version}` adds it");
    let missing = || format!("the section `## {version}` is missing; {add}");
    Ok(find(text, version)?.ok_or_else(missing)?)
}

fn find(text: &str, version: &Version) -> Result<Option<Section>> {
    let mut sections = outline(text)?.sections;
    sections.retain(|section| section.version.as_ref() == Some(version));
    if let [_, second, ..] = &sections[..] {
        let line = line_at(text, second.heading);
        bail!("{line}: the section `## {version}` is there twice: remove one");
    }
    Ok(sections.pop())
}

/// The line of a place in a text, for messages.
fn line_at(text: &str, at: usize) -> String {
    format!("line {}", text[..at].matches('\n').count() + 1)
}

/// The first pass: where each line begins, and the line without white space at its end. Comments, code blocks and `<pre>`
/// hide their lines. The last line is empty, at the end of the text.
fn visible_lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    // What ends the hidden lines; empty outside them. A code block in a list also ends left of its column.
    let (mut end, mut column) = ("", 0);
    let mut start = text.len() - text.trim_start_matches('\u{feff}').len();
    for raw in text[start..].split_inclusive('\n') {
        let line = raw.trim_end();
        let in_list = |c: char| c.is_ascii_digit() || " \t*+-.)".contains(c);
        let block = line.trim_start_matches(in_list);
        let mark = if block.starts_with('~') { '~' } else { '`' };
        let info = block.trim_start_matches(mark);
        let fence = &block[..block.len() - info.len()];

        let indentation = line.len() - line.trim_start().len();
        if !line.is_empty() && indentation < column && !end.ends_with('>') {
            end = "";
        }
        let was_hidden = !end.is_empty();
        let html = line.trim_start().to_lowercase();
        if !was_hidden {
            column = line.len() - block.len();
            end = match line {
                _ if fence.len() >= 3 && !info.contains('`') => fence,
                _ if html.starts_with("<!--") && line != ARCHIVE => "-->",
                _ if html.starts_with("<pre") => "</pre>",
                _ => "",
            };
        }
        lines.push((start, if end.is_empty() { line } else { HIDDEN }));
        start += raw.len();
        let is_last = match end.ends_with('>') {
            true => html.contains(end),
            false => was_hidden && info.is_empty() && fence.starts_with(end),
        };
        if is_last {
            end = "";
        }
    }
    lines.push((start, ""));
    lines
}

/// The second pass: headings, and where each section begins and ends. Fails at a heading that names a version in another form.
fn outline(text: &str) -> Result<Outline<'_>> {
    let lines = visible_lines(text);
    let mut outline = Outline::default();
    for (at, &(heading, line)) in lines.iter().enumerate() {
        let next = lines.get(at + 1);
        let title = line.trim_matches('#').trim();
        let mut version = Version::parse(title).ok();
        version = version.filter(|_| line.starts_with("## "));
        let is_title = is_heading(line) || is_underlined(&lines, at);
        if is_title && version.is_none() && names_version(title) {
            return Err(not_a_section(at, line));
        }
        let is_end = line == ARCHIVE || next.is_none();
        if !is_heading(line) && !is_end {
            continue;
        }

        let mut first = at;
        while first > 0 && is_anchor(lines[first - 1].1) {
            first -= 1;
        }
        // The text between the last rule and the list of archived notes introduces the list.
        let is_stop = |above: &usize| match line == ARCHIVE {
            true => is_rule(&lines, *above) || is_heading(lines[*above].1),
            false => !lines[*above].1.is_empty(),
        };
        let rule = (0..first).rev().find(is_stop);
        let rule = rule.filter(|rule| is_rule(&lines, *rule));
        outline.rule = outline.rule.or(rule.map(|rule| lines[rule].1));
        let (start, end) = (lines[first].0, lines[rule.unwrap_or(first)].0);
        if let Some(above) = outline.sections.last_mut() {
            above.end = end;
        }
        if is_end {
            outline.end = end;
            outline.archive = next.map(|(below, _)| *below);
            break;
        }
        if version.is_some() || !outline.sections.is_empty() {
            outline.sections.push(Section {
                version,
                start,
                heading,
                end,
            });
        }
    }
    // Without a section of ours, every heading that may be one of another form is.
    for (at, (_, line)) in lines.iter().enumerate() {
        let is_code = line.starts_with("    ");
        let is_title = line.trim_start().starts_with('#') || is_underlined(&lines, at);
        let is_foreign = is_title && mentions_version(line)
            || names_version(line.trim_start_matches(['*', ' ']));
        if outline.sections.is_empty() && is_foreign && !is_code {
            return Err(not_a_section(at, line));
        }
    }
    Ok(outline)
}

fn not_a_section(at: usize, line: &str) -> Error {
    let number = at + 1;
    format!("line {number}: `{line}`: a section of a version is headed `## X.Y.Z`").into()
}

/// A line of dashes below a blank one. Right below text, dashes make a heading of it.
fn is_rule(lines: &[(usize, &str)], at: usize) -> bool {
    let line = lines[at].1;
    line.len() >= 3 && line.bytes().all(|b| b == b'-') && (at == 0 || lines[at - 1].1.is_empty())
}

fn is_heading(line: &str) -> bool {
    line.starts_with("# ") || line.starts_with("## ")
}

/// Whether the line below makes a heading of a line. A list has no such line below it.
fn is_underlined(lines: &[(usize, &str)], at: usize) -> bool {
    let below = lines.get(at + 1).map_or("", |(_, below)| below);
    let only = |c: char| !below.is_empty() && below.trim_matches(c).is_empty();
    !lines[at].1.starts_with([' ', '*', '-', '+', '>']) && (only('-') || only('='))
}

/// Whether a word of a heading may be a version, or says that there is none yet.
fn mentions_version(title: &str) -> bool {
    let mut words = title.split(|c: char| !c.is_alphanumeric() && c != '.');
    words.any(|word| {
        let numbers = word.trim_start_matches(['v', 'V']).split('.').take(2);
        let numbers = numbers.filter(|part| part.parse::<u64>().is_ok());
        numbers.count() == 2 || word.eq_ignore_ascii_case("unreleased")
    })
}

/// Whether a heading is that of a version in another form: `[1.0.0]`, `v1.0.0 - date`, `Version 1.0.0`, `Unreleased`.
fn names_version(title: &str) -> bool {
    let words = title.to_lowercase();
    let words = words
        .trim_start_matches("version ")
        .trim_start_matches("release ");
    let word = words.split([' ', '\t']).next().unwrap_or_default();
    let word = word.split("](").next().unwrap_or_default();
    let word = word.trim_matches(|c| "[](){}*:v".contains(c));
    Version::parse(word).is_ok() || word == "unreleased" && !words.contains(' ')
}

fn is_anchor(line: &str) -> bool {
    line.starts_with("<a ") && (line.ends_with("</a>") || line.ends_with("/>"))
}

/// A section made of a template, with LF: from its heading on, without the rule below.
pub fn render(template: &str, version: &Version) -> Result<String> {
    let text = template.replace("\r\n", "\n");
    let text = text.replace("VERSION", &version.to_string());
    match (outline(&text)?.sections.len(), show(&text, version)) {
        (1, Ok(section)) if status(&text, version).is_ok_and(|(_, dated)| dated.is_none()) => {
            Ok(section.to_string())
        }
        _ => bail!("it must hold one section, `## VERSION`, and begin it with `{UNRELEASED}.`"),
    }
}

/// The item that links from the list of archived notes to those of a version's branch. `None` if it is there.
fn archive_link(list: &str, version: &Version) -> Option<String> {
    let label = |version: &Version| format!("[{}.{}.x]", version.major, version.minor);
    let branch = |version: &Version| release_branch(&Version::new(version.major, version.minor, 0));
    if list.contains(&label(version)) {
        return None;
    }
    // The newest link, with the version in it replaced.
    let newest = list.lines().find(|line| line.contains("]("));
    let newest = newest.unwrap_or_default();
    let linked = newest.split(['[', ']']).nth(1).unwrap_or_default();
    if let Ok(linked) = Version::parse(&linked.replace(".x", ".0"))
        && newest.contains(&branch(&linked))
    {
        let link = newest.replace(&label(&linked), &label(version));
        return Some(link.replace(&branch(&linked), &branch(version)));
    }
    let (label, branch) = (label(version), branch(version));
    Some(format!("* {label}(../{branch}/{FILE})"))
}
