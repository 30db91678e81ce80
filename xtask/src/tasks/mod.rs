//! One file a command. A task reads from top to bottom: observe, decide, prepare, act.

pub mod bump;
pub mod cut;
pub mod notes;
pub mod push_tag;
pub mod release;
pub mod sync_notes;

use xshell::{Shell, cmd};

use crate::config::Config;
use crate::{Result, shell};

/// The project's name in titles: the configured one, or the repository's.
fn name(sh: &Shell, config: &Config) -> Result<String> {
    if let Some(name) = &config.name {
        return Ok(name.clone());
    }
    let origin = shell::read(cmd!(sh, "git remote get-url origin"))?;
    let last = origin.trim().trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    Ok(last.trim_end_matches(".git").to_string())
}
