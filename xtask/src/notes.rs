//! `RELEASES.md` as text: sections `## X.Y.Z`, newest first, found by their version and never by counting. Pure: text in,
//! text out, and every byte that a rule does not name stays.

use semver::Version;
use time::Date;

use crate::Result;
use crate::calendar::parse_date;
use crate::version::release_branch;

/// In a file with this line, main holds the notes of the next release alone; those of older ones stay on their branches,
/// and the list under the line leads there.
const ARCHIVE: &str = "<!-- ARCHIVE_START -->";

/// What a section looks like before anybody has written in it; `VERSION` stands for the version.
pub const TEMPLATE: &str = "## VERSION\n\nUnreleased.\n\n### Added\n\n### Changed\n";

/// The parts of the file, as byte offsets.
struct Outline<'a> {
    sections: Vec<Section>,
    /// The line of dashes between sections, if there are such lines.
    rule: Option<&'a str>,
    /// Where the list of archived notes begins.
    archive: Option<usize>,
    /// Where the sections end: at the rule above the archive, or at the end.
    end: usize,
}

/// From the heading up to the rule or heading that follows.
struct Section {
    version: Version,
    start: usize,
    end: usize,
}

/// Puts the section of a version, as `render` makes it, in its place in version order. In the archive form an older
/// section of another line was cut: it leaves, and a link to its branch joins the list, in the fashion of the newest
/// one there or else by `repository`. `None` if the version has a section.
pub fn open(text: &str, version: &Version, section: &str, repository: Option<&str>) -> Result<Option<String>> {
    if find(text, version)?.is_some() {
        return Ok(None);
    }
    let eol = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let section = section.replace('\n', eol);
    let Outline { sections, rule, archive, end } = outline(text);
    let rule = rule.map(|rule| format!("{rule}{eol}{eol}")).unwrap_or_default();

    let line = |version: &Version| (version.major, version.minor);
    let older = |section: &Section| section.version < *version && line(&section.version) != line(version);
    if let (Some(archive), Some(first), true) = (archive, sections.first(), sections.iter().all(older)) {
        let mut links: Vec<String> = Vec::new();
        for (at, section) in sections.iter().enumerate() {
            let below = &text[section.end..sections.get(at + 1).map_or(end, |next| next.start)];
            if let Some(line) = below.lines().find(|line| line.trim_start_matches('-').trim() != "") {
                return Err(format!("`{line}` stands between the sections, and would leave with them: move it").into());
            }
            links.extend(link(&text[archive..], &section.version, repository)?.filter(|link| !links.contains(link)));
        }
        let links: String = links.iter().map(|link| format!("{link}{eol}")).collect();
        let (head, tail, list) = (&text[..first.start], &text[end..archive], &text[archive..]);
        let last = if tail.ends_with('\n') { "" } else { eol };
        return Ok(Some(format!("{head}{section}{eol}{eol}{tail}{last}{links}{list}")));
    }
    if let (true, Some(heading)) = (sections.is_empty(), text.lines().find(|line| line.starts_with("## "))) {
        return Err(format!("`{heading}` names no version: sections are headed `## X.Y.Z`").into());
    }
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
    Ok(Some(format!("{head}{gap}{rule}{section}{eol}{below}{tail}")))
}

/// Puts a date in the place of the word `Unreleased` on the first line under the heading. `None` if it stands there.
pub fn date(text: &str, version: &Version, date: Date) -> Result<Option<String>> {
    match status(text, version)? {
        Status::Unreleased(at) => Ok(Some(format!("{}Released {date}{}", &text[..at], &text[at + UNRELEASED.len()..]))),
        Status::Released(dated) if dated == date => Ok(None),
        Status::Released(dated) => Err(format!("`## {version}` is dated {dated} already, not {date}").into()),
    }
}

const UNRELEASED: &str = "Unreleased";

/// What the first line under a version's heading says.
enum Status {
    /// The word `Unreleased` stands there, in the text.
    Unreleased(usize),
    Released(Date),
}

fn status(text: &str, version: &Version) -> Result<Status> {
    let section = section(text, version)?;
    let heading = text[section.start..].find('\n').map_or(section.end, |end| section.start + end);
    let below = text[heading..section.end].trim_start();
    let line = below.lines().next().unwrap_or_default();
    let apart = |text: Option<char>| !text.is_some_and(char::is_alphanumeric);
    let whole =
        |at: &usize| apart(line[..*at].chars().next_back()) && apart(line[at + UNRELEASED.len()..].chars().next());
    if let Some(at) = line.match_indices(UNRELEASED).map(|(at, _)| at).find(whole) {
        return Ok(Status::Unreleased(section.end - below.len() + at));
    }
    let date = line.split(|c: char| !c.is_ascii_digit() && c != '-').find_map(|word| parse_date(word).ok());
    let neither = || format!("`{UNRELEASED}.` is missing under `## {version}`: write it there");
    Ok(Status::Released(date.ok_or_else(neither)?))
}

/// Whether a version has a section.
pub fn has(text: &str, version: &Version) -> Result<bool> {
    Ok(find(text, version)?.is_some())
}

/// Whether a version has a section with a date.
pub fn is_dated(text: &str, version: &Version) -> Result<bool> {
    Ok(has(text, version)? && matches!(status(text, version)?, Status::Released(_)))
}

/// Whether main keeps the notes of the next release alone.
pub fn is_archive(text: &str) -> bool {
    outline(text).archive.is_some()
}

/// A section written from the subjects of commits, for a human to rewrite.
pub fn draft(version: &Version, date: Date, subjects: &[String]) -> String {
    let items = subjects.iter().map(|subject| format!("\n\n* {}", code(subject))).collect::<String>();
    format!("## {version}\n\nReleased {date}.\n\n### Fixed{items}")
}

/// The words of others in one line, without what a terminal would obey.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Words of others as a code span: no Markdown, link or mention in them has an effect.
pub fn code(text: &str) -> String {
    let text = plain(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let gap = if longest > 0 { " " } else { "" };
    format!("{fence}{gap}{}{gap}{fence}", text.trim())
}

/// A version's section, from its heading to its last line.
pub fn show<'a>(text: &'a str, version: &Version) -> Result<&'a str> {
    let section = section(text, version)?;
    Ok(text[section.start..section.end].trim_end())
}

fn section(text: &str, version: &Version) -> Result<Section> {
    let missing = || format!("there is no section `## {version}`; `cargo xtask notes new {version}` opens one");
    Ok(find(text, version)?.ok_or_else(missing)?)
}

fn find(text: &str, version: &Version) -> Result<Option<Section>> {
    let mut found = outline(text).sections.into_iter().filter(|section| section.version == *version);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(format!("the section `## {version}` is there twice: remove one").into()),
        (section, _) => Ok(section),
    }
}

fn outline(text: &str) -> Outline<'_> {
    let mut outline = Outline { sections: Vec::new(), rule: None, archive: None, end: text.len() };
    // The last rule since the heading, and whether only blank lines have followed it.
    let (mut rule, mut hangs) = (None, false);
    let start = text.len() - text.trim_start_matches('\u{feff}').len();
    let (mut fence, mut after_blank, mut at) = (None::<&str>, true, start);
    for line in text[start..].split_inclusive('\n') {
        let start = at;
        at += line.len();
        let line = line.trim_end();
        let blank = line.is_empty();
        // A code block, also one in a list: it ends with the marks that it began with, or with more of them.
        let mark = line.trim_start_matches(|c: char| c.is_ascii_digit() || " \t*+-.)>".contains(c));
        let (run, info) = mark.split_at(mark.find(|c| !mark.starts_with(c) || !"`~".contains(c)).unwrap_or(mark.len()));
        let fenced = fence.is_some();
        match fence {
            None if run.len() >= 3 && !info.contains('`') => fence = Some(run),
            Some(open) if info.is_empty() && run.starts_with(open) => fence = None,
            _ => {}
        }
        // Dashes right below text would make a heading of it.
        let is_rule = !fenced && after_blank && line.len() >= 3 && line.bytes().all(|byte| byte == b'-');
        after_blank = blank;
        if is_rule {
            rule = Some((start, line));
        }
        if fenced || fence.is_some() || blank || is_rule {
            hangs = is_rule || blank && hangs;
            continue;
        }
        let is_archive = line == ARCHIVE;
        if is_archive || line.starts_with("# ") || line.starts_with("## ") {
            let end = rule.take().filter(|_| hangs || is_archive).map_or(start, |(rule_start, dashes)| {
                outline.rule.get_or_insert(dashes);
                rule_start
            });
            outline.close(end);
            if is_archive {
                (outline.archive, outline.end) = (Some(at), end);
                return outline;
            }
            if let Some(version) = line.strip_prefix("## ").and_then(|title| Version::parse(title.trim()).ok()) {
                outline.sections.push(Section { version, start, end: usize::MAX });
            }
        }
        hangs = false;
    }
    outline.end = rule.filter(|_| hangs).map_or(text.len(), |(start, _)| start);
    outline.close(outline.end);
    outline
}

impl Outline<'_> {
    fn close(&mut self, end: usize) {
        if let Some(open) = self.sections.last_mut().filter(|section| section.end == usize::MAX) {
            open.end = end;
        }
    }
}

/// A section made of a template, with LF: from its heading on, without the rule below.
pub fn render(template: &str, version: &Version) -> Result<String> {
    let text = template.replace("\r\n", "\n").replace("VERSION", &version.to_string());
    match &outline(&text).sections[..] {
        [section] if section.version == *version => Ok(text[section.start..section.end].trim_end().to_string()),
        _ => Err("it must hold one section, `## VERSION`".into()),
    }
}

/// The item that leads from the list of archived notes to those of a version's branch. `None` if it is there.
fn link(list: &str, version: &Version, repository: Option<&str>) -> Result<Option<String>> {
    let label = format!("{}.{}.x", version.major, version.minor);
    let branch = release_branch(&Version::new(version.major, version.minor, 0));
    if list.contains(&format!("[{label}")) {
        return Ok(None);
    }
    let like_the_newest = || {
        let (bullet, item) = list.lines().find(|line| line.contains("]("))?.split_once('[')?;
        let (newest, target) = item.split_once("](")?;
        let mut numbers = newest.split('.').map(|number| number.parse().ok());
        let newest = Version::new(numbers.next()??, numbers.next()??, 0);
        let (before, after) = target.split_once(&release_branch(&newest))?;
        Some(format!("{bullet}[{label}]({before}{branch}{after}"))
    };
    let by_repository = |url: &str| {
        format!("* [{label}]({}/blob/{branch}/RELEASES.md)", url.trim_end_matches('/').trim_end_matches(".git"))
    };
    let link = like_the_newest().or_else(|| repository.map(by_repository));
    Ok(Some(link.ok_or(
        "the list of archived notes has no link to follow and no crate names its `repository`: write the first",
    )?))
}
