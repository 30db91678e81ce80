//! The sandbox for rehearsals: nothing here is part of a real release.

pub mod gh;
