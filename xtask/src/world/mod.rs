//! The only readers of git, gh, cargo and the registry's index. They decide nothing, and they change nothing beyond this
//! machine: `process` refuses to.

use serde_json::Value;
use time::{Date, OffsetDateTime};

pub mod git;
pub mod github;
pub mod process;
pub mod registry;
pub mod workspace;
pub mod worktree;

/// Today's date in UTC, as in GitHub's schedules.
pub fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// A string of what cargo or gh printed as JSON; empty if it is missing.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_string()
}

/// The items of a list; none if it is missing.
pub fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}
