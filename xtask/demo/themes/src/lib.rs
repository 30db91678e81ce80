//! Characters to draw tables with.

/// What stands between columns, and what a rule is made of.
#[derive(Clone, Copy)]
pub struct Theme {
    pub column: &'static str,
    pub rule: char,
}

pub const PLAIN: Theme = Theme { column: "  ", rule: '-' };
pub const BOXED: Theme = Theme { column: " │ ", rule: '─' };
