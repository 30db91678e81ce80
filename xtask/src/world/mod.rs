//! The only readers of git, gh, cargo and the registry's index. They decide nothing, and they change nothing beyond this
//! machine: `process` refuses to.

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
