//! One task in a copy of what the user's clone knows of `origin`: its output, and the pull requests that it would open.

use crate::gh::text;
use crate::outcome::State;
use crate::sandbox::Sandbox;
use release_train::{Result, print};

/// Runs a task in the clone, and prints its output, each pull request with its difference, and what else is new.
pub fn run(sandbox: &Sandbox, task: &[&str]) -> Result<()> {
    let before = State::read(sandbox)?;
    let (ok, output) = sandbox.task("clone", task)?;
    print(&format!("\n{output}"))?;
    let after = State::read(sandbox)?;

    for pull in after.list("pulls") {
        let (head, base) = (text(&pull["headRefName"]), text(&pull["baseRefName"]));
        let (title, body) = (text(&pull["title"]), text(&pull["body"]).trim_end());
        let diff = sandbox.git(&sandbox.origin, &format!("diff {base}...{head}"))?;
        print(&format!(
            "\n== {head} -> {base}: {title}\n{body}\n\n{diff}\n"
        ))?;
    }
    let checkout = sandbox.git("clone", "diff HEAD")?;
    if !checkout.is_empty() {
        print(&format!("\n== the checkout\n{checkout}\n"))?;
    }
    let mut news = after.since(&before);
    if news.is_empty() {
        news.push("nothing".to_string());
    }
    print(&format!("\n== new in the sandbox\n{}\n", news.join("\n")))?;
    match ok {
        true => Ok(()),
        false => Err(format!("`{}` failed: see its output above", task.join(" ")).into()),
    }
}
