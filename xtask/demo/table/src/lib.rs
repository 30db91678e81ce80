//! Draws small tables on a terminal.
//!
//! ```
//! use tinytable::{Row, draw, themes};
//!
//! #[derive(Row)]
//! struct Train {
//!     number: u32,
//!     leaves: &'static str,
//! }
//!
//! let table = draw(&[Train { number: 4, leaves: "20th" }], themes::PLAIN);
//! assert_eq!(table, "number  leaves\n--------------\n4       20th\n");
//! ```

pub use tinytable_derive::Row;
pub use tinytable_themes as themes;

use themes::Theme;
use tinytable_width::width;

/// What a line of a table is made of.
pub trait Row {
    fn heads() -> Vec<String>;
    fn cells(&self) -> Vec<String>;
}

/// A table of these rows, under the names of their columns.
pub fn draw<R: Row>(rows: &[R], theme: Theme) -> String {
    let mut lines = vec![R::heads()];
    lines.extend(rows.iter().map(Row::cells));
    let mut table = grid(&lines, theme);
    let heads = table.find('\n').unwrap_or(0);
    let rule: String = table[..heads].chars().map(|_| theme.rule).collect();
    table.insert_str(heads, &format!("\n{rule}"));
    table
}

/// Lines of cells, each column as wide as its widest cell.
pub fn grid(lines: &[Vec<String>], theme: Theme) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widest =
        |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| width(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut table = String::new();
    for line in lines {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
        table += cells.collect::<Vec<_>>().join(theme.column).trim_end();
        table.push('\n');
    }
    table
}
