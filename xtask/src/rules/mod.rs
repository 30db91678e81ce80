//! Pure rules: text and facts in, text and decisions out. Nothing here starts a process or reads a file.

pub mod calendar;
pub mod config;
pub mod crates_io;
pub mod decisions;
pub mod lockfile;
pub mod manifest;
pub mod notes;
pub mod status;
pub mod version;
