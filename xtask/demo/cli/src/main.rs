//! Draws the comma-separated lines on stdin as a table.

use tinytable::{grid, themes};

fn main() {
    let lines = std::io::stdin().lines().map_while(Result::ok);
    let lines: Vec<Vec<String>> = lines.map(|line| line.split(',').map(str::to_string).collect()).collect();
    print!("{}", grid(&lines, themes::BOXED));
}
