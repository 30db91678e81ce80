//! What `verify` finds: each a line on stderr, and in GitHub's log an annotation beside the line of the file.

use std::fmt::Display;

use xshell::{Shell, cmd};

use crate::{say, shell};

/// What was found, in the order in which it was looked for.
pub struct Findings {
    pub errors: usize,
    pub warnings: usize,
    /// The folder of the workspace in the repository, if GitHub shows annotations.
    annotate: Option<String>,
}

impl Findings {
    pub fn begin(sh: &Shell) -> Findings {
        let prefix = || shell::read(cmd!(sh, "git rev-parse --show-prefix")).unwrap_or_default();
        Findings { errors: 0, warnings: 0, annotate: std::env::var_os("GITHUB_ACTIONS").map(|_| prefix()) }
    }

    pub fn error(&mut self, place: &str, what: impl Display) {
        self.errors += 1;
        self.show("error", place, &what.to_string());
    }

    pub fn warning(&mut self, place: &str, what: impl Display) {
        self.warnings += 1;
        self.show("warning", place, &what.to_string());
    }

    /// As one line. `place` is a file, with or without a line, or empty.
    fn show(&self, kind: &str, place: &str, what: &str) {
        let what = what.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let text = if place.is_empty() { what } else { format!("{place}: {what}") };
        let Some(folder) = &self.annotate else {
            // Only the end of a task says `error:`.
            return say(format_args!("{}{text}", if kind == "warning" { "warning: " } else { "" }));
        };
        // "Workflow commands" in GitHub's documentation: what they must not contain.
        let text = text.replace('%', "%25");
        match place.rsplit_once(':').filter(|(_, line)| line.parse::<usize>().is_ok()) {
            Some((file, line)) => say(format_args!("::{kind} file={folder}{file},line={line}::{text}")),
            None if place.is_empty() => say(format_args!("::{kind}::{text}")),
            None => say(format_args!("::{kind} file={folder}{place}::{text}")),
        }
    }
}
