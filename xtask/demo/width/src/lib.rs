//! How much room a text takes. Tinytable's own: it may change with each release.

/// The columns of a terminal that a text fills, if each character fills one.
pub fn width(text: &str) -> usize {
    text.chars().count()
}
