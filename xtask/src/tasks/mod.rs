//! One file a command. A task reads from top to bottom: observe, decide, prepare, act.

pub mod bump;
pub mod notes;
