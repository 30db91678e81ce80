//! The board of the trains: as a table for a terminal, as Markdown for a page, as JSON for a workflow. Pure.

use std::array::from_fn;

use semver::Version;
use serde_json::{Value, json};
use time::Date;

use crate::calendar::{self, CUT, RELEASE, named, weekend};
use crate::github::{Ci, Proposed};
use crate::next::{Step, What};
use crate::notes::{code, plain};
use crate::train::{Line, Page, Tagged, Trains};
use crate::version::{release_of, tag};

/// The widest line of the table; what is to be pasted is not broken.
const WIDTH: usize = 100;

/// The columns of the table: branch, version, tag, crates, release and the end of support.
type Cells = [String; 6];

fn cells(trains: &Trains, line: &Line) -> Cells {
    let last = line.last();
    let crates = last.map(|last| last.crates.map_or("?".to_string(), |(there, all)| format!("{there} of {all}")));
    let release = last.map(|last| match last.page {
        Some(Page::Public) if is_latest(trains, last) => "latest",
        Some(Page::Public) if !last.version.pre.is_empty() => "candidate",
        Some(page) => name(page),
        None => "?",
    });
    [
        line.branch.clone(),
        line.version.to_string(),
        last.map_or("none".to_string(), |last| tag(&last.version)),
        crates.unwrap_or_default(),
        release.unwrap_or_default().to_string(),
        support(line),
    ]
}

fn is_latest(trains: &Trains, tagged: &Tagged) -> bool {
    trains.latest.as_ref() == Some(&tag(&tagged.version))
}

fn name(page: Page) -> &'static str {
    match page {
        Page::Missing => "none",
        Page::Draft { .. } => "draft",
        Page::Public => "public",
    }
}

fn support(line: &Line) -> String {
    let until = match line.support {
        Some((_, until)) => Some(until.to_string()),
        None => line.left.then(|| "ended".to_string()),
    };
    let term = line.long_term.then(|| "long-term".to_string());
    until.into_iter().chain(term).collect::<Vec<_>>().join(", ")
}

fn ci(ci: Ci) -> &'static str {
    match ci {
        Ci::None => "CI has not run",
        Ci::Running => "CI is running",
        Ci::Green => "CI is green",
        Ci::Red => "CI is red",
    }
}

/// For a terminal.
pub fn table(trains: &Trains) -> String {
    let mut rows: Vec<(Cells, String)> = trains.lines.iter().map(|line| (cells(trains, line), line.words())).collect();
    let mut main = Cells::default();
    (main[0], main[1]) = (trains.main.clone(), trains.version.to_string());
    rows.push((main, trains.words()));
    let heads = ["branch", "version", "tag", "crates", "release", "supported until"].map(str::to_string);
    let all = || rows.iter().map(|(cells, _)| cells).chain([&heads]);
    let widths: [usize; 6] = from_fn(|at| all().map(|cells| cells[at].len()).max().unwrap_or_default());
    let text = |cells: &Cells| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        fit(padded.join("  ").trim_end())
    };
    let mut board = format!("{} on {}\n\n{}", trains.name, named(trains.today), text(&heads));
    for (cells, words) in &rows {
        board += &text(cells);
        words.split("; ").for_each(|words| board += &fit(&format!("  {words}")));
        for Proposed { url, title, ci: state, .. } in trains.proposed_to(&cells[0]) {
            let number = url.rsplit('/').next().unwrap_or_default();
            board += &fit(&format!("  #{number} {}: {}", ci(*state), plain(title)));
        }
    }
    let (cut, release) = trains.days();
    board += "\n";
    let mut below = |head: &str, text: String| board += &fit(&format!("{head:<9} {text}"));
    trains.latest.iter().for_each(|latest| below("latest", latest.clone()));
    below("next", format!("cut on {}, release on {}", named(cut), named(release)));
    match &trains.issues {
        Some(issues) if issues.is_empty() => below("RUSTSEC", "no open issue".to_string()),
        Some(issues) => issues.iter().for_each(|(title, url)| below("RUSTSEC", format!("{url} {}", plain(title)))),
        None => below("RUSTSEC", "?".to_string()),
    }
    trains.unknown.iter().for_each(|unknown| board += &format!("{:<9} {}\n", "unknown", plain(unknown)));
    board + "\nWhat to do next\n" + &commands(trains, "  ")
}

/// The steps, as lines for a shell: what a human does, and why, are comments there.
fn commands(trains: &Trains, indent: &str) -> String {
    let steps = trains.next();
    let mut lines = String::new();
    let mut last = "";
    for Step { what, why } in &steps {
        if why != last {
            lines += &format!("{indent}# {}\n", plain(why));
        }
        last = why;
        lines += &match what {
            What::Run(command) => format!("{indent}{command}\n"),
            What::Human(says, _) => format!("{indent}# -> {says}\n"),
        };
    }
    if !trains.unknown.is_empty() {
        let rest = if steps.is_empty() { "nothing else is known to be due" } else { "this may not be all" };
        lines += &format!("{indent}# {rest}: see what is unknown\n");
    } else if steps.is_empty() {
        let (cut, release) = trains.days();
        let (day, task) = if release < cut { (release, "release-latest") } else { (cut, "cut") };
        lines += &format!("{indent}# nothing before {}\n{indent}# cargo xtask {task}\n", named(day));
    }
    lines
}

/// For a job's summary, or a page of the documentation.
pub fn markdown(trains: &Trains) -> String {
    let mut page = format!("## Releases of {}, {}\n\n", trains.name, named(trains.today));
    page += "| branch | version | where it stands | crates | release | supported until | pull requests |\n|---|---|---|---|---|---|---|\n";
    let pulls = |branch: &str| {
        let pulls = trains.proposed_to(branch).map(|proposed| format!("{} ({})", proposed.url, ci(proposed.ci)));
        pulls.collect::<Vec<_>>().join("<br>")
    };
    for line in trains.lines.iter().rev() {
        let ([branch, version, _, crates, release, support], words) = (cells(trains, line), line.words());
        let pulls = pulls(&branch);
        page += &format!("| `{branch}` | {version} | {words} | {crates} | {release} | {support} | {pulls} |\n");
    }
    page +=
        &format!("| `{}` | {} | {} | | | | {} |\n", trains.main, trains.version, trains.words(), pulls(&trains.main));
    if let Some(issues) = trains.issues.as_ref().filter(|issues| !issues.is_empty()) {
        let issues = issues.iter().map(|(title, url)| format!("\n* {url} {}", code(title)));
        page += &format!("\nOpen issues that mention RUSTSEC:\n{}\n", issues.collect::<String>());
    }
    trains.unknown.iter().for_each(|unknown| page += &format!("\nNot known: {}\n", code(unknown)));
    page += &format!("\n{}\nWhat to do next:\n\n```sh\n{}```\n", gantt(trains), commands(trains, ""));
    page
}

/// The trains as a chart: what was released and is supported, what is being tested, and the next cut.
fn gantt(trains: &Trains) -> String {
    let mut chart = "```mermaid\ngantt\n    dateFormat YYYY-MM-DD\n    axisFormat %Y-%m\n".to_string();
    let (cut, release) = trains.days();
    let mut section = |version: &str, bars: &[(&str, Date, Date)]| {
        chart += &format!("    section {version}\n");
        for (name, from, to) in bars.iter().filter(|(_, from, to)| from < to) {
            chart += &format!("    {name} :{from}, {to}\n");
        }
    };
    for line in &trains.lines {
        let term = if line.long_term { " (long-term)" } else { "" };
        let name = format!("{}{term}", line.first);
        let tested = release.replace_day(CUT).unwrap_or(release);
        match line.support {
            Some((released, until)) => section(&name, &[("supported", released, until)]),
            None if !line.left => section(&name, &[("tested", tested, release)]),
            None => {}
        }
    }
    let leaves = calendar::next(RELEASE, cut);
    section(&release_of(&trains.version).to_string(), &[("developed", trains.today, cut), ("tested", cut, leaves)]);
    chart + "```\n"
}

/// One line for a workflow.
pub fn json(trains: &Trains) -> String {
    let proposed = |branch: &str| -> Vec<Value> {
        let one = |Proposed { url, title, branch, ci, .. }: &Proposed| json!({ "url": url, "title": title, "branch": branch, "ci": format!("{ci:?}").to_lowercase() });
        trains.proposed_to(branch).map(one).collect()
    };
    let line = |line: &Line| {
        let last = line.last();
        json!({
            "branch": line.branch, "version": line.version.to_string(), "stands": line.words(),
            "tag": last.map(|last| tag(&last.version)), "supported": line.support.is_some(), "long_term": line.long_term,
            "crates": last.and_then(|last| last.crates).map(|(there, all)| json!({ "published": there, "of": all })),
            "release": last.and_then(|last| last.page).map(name),
            "latest": last.is_some_and(|last| is_latest(trains, last)),
            "until": line.support.map(|(_, until)| until.to_string()), "changes": line.changes,
            "notes_missing": line.notes_missing.iter().map(Version::to_string).collect::<Vec<_>>(),
            "pull_requests": proposed(&line.branch),
        })
    };
    let mut branches: Vec<Value> = trains.lines.iter().map(line).collect();
    branches.push(json!({
        "branch": trains.main, "version": trains.version.to_string(), "stands": trains.words(),
        "pull_requests": proposed(&trains.main),
    }));
    let step = |Step { what, why }: Step| match what {
        What::Run(command) => json!({ "command": command, "why": why }),
        What::Human(says, url) => json!({ "human": says, "url": url, "why": why }),
    };
    let day = |day: Date| json!({ "day": day.to_string(), "weekend": weekend(day) });
    let issue = |(title, url): &(String, String)| json!({ "title": title, "url": url });
    let (cut, release) = trains.days();
    let board = json!({
        "day": trains.today.to_string(), "name": trains.name, "main": trains.main, "branches": branches,
        "supported": trains.supported, "latest": trains.latest,
        "cut": day(cut), "release": day(release),
        "security": trains.issues.as_ref().map(|issues| issues.iter().map(issue).collect::<Vec<_>>()),
        "unknown": trains.unknown, "next": trains.next().into_iter().map(step).collect::<Vec<_>>(),
    });
    format!("{board}\n")
}

/// A line of the table that fits.
fn fit(line: &str) -> String {
    match line.char_indices().nth(WIDTH) {
        Some(_) => line.chars().take(WIDTH - 3).chain("...\n".chars()).collect(),
        None => format!("{line}\n"),
    }
}
