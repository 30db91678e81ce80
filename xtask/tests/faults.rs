//! Proof that no task gets stuck: each is disturbed at each call of git, gh and cargo that it makes, and run again. The
//! state at the end is that of a run that nothing disturbed, ref by ref, pull request by pull request, crate by crate and
//! release by release. From the same states `status` is asked instead, and what it says is next, executed, completes the
//! release. `cargo test` takes a sample; everything, in some minutes:
//! `cargo test -p xtask --test faults -- --ignored --nocapture`.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use support::github::{self, GitHub};
use support::publishing::{Failure, Fault};
use support::registry::{Registry, Rules};
use support::text;
use support::train::{Merge, World, toolchain};

/// A task, and the world just before it.
struct Task {
    line: &'static str,
    before: World,
}

const PLAIN: &str = "name = \"Demo\"\n";
const CANDIDATES: &str = "name = \"Demo\"\nrelease-candidates = true\n";
const NOTES: &str = "## 12.0.0\n\nUnreleased.\n\n### Added\n\n* A thing.\n";
const PUSH_TAG: &str = "push-tag --branch release-12.0.0";

/// Every task of a month.
fn tasks() -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut keep = |line: &'static str, world: &World| {
        tasks.push(Task {
            line,
            before: world.copy(),
        })
    };

    let world = World::with(CANDIDATES, "12.0.0-dev", NOTES);
    world.today("2026-03-05");
    keep("cut --date 2026-03-05", &world);
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done(PUSH_TAG);
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    keep("release-candidate --branch release-12.0.0", &world);
    let mut yanked = world.copy();
    yanked.done("release-candidate --branch release-12.0.0");
    yanked.merge("ci/release-candidate-12.0.0-rc.2", Merge::Commit);
    yanked.done(PUSH_TAG);
    let registry = yanked.registry(Rules::default());
    for tag in ["v12.0.0-rc.1", "v12.0.0-rc.2"] {
        yanked.check_out(tag);
        yanked.done("publish");
    }
    drop(registry);
    keep("yank --candidates", &yanked);

    let world = World::with(PLAIN, "12.0.0", NOTES);
    world.commit(
        "main",
        "A program",
        &[
            ("b/src/main.rs", "fn main() {}\n"),
            ("LICENSE", "Do.\n"),
            (".github/workflows/release-tag.yml", "name: release-tag\n"),
        ],
    );
    world.cut("2026-03-05");
    world.today("2026-03-20");
    keep("release-latest --date 2026-03-20", &world);
    world.done("release-latest --date 2026-03-20");
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    keep(PUSH_TAG, &world);
    world.done(PUSH_TAG);

    let mut published = world.copy();
    let registry = published.registry(Rules::default());
    published.check_out("v12.0.0");
    keep("verify --fast", &published);
    keep("dist", &published);
    let dist = published.path("clone/target/dist");
    published.done("dist");
    // Copies need no more of what was built.
    for entry in fs::read_dir(published.path("clone/target"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if entry != dist {
            if entry.is_dir() {
                fs::remove_dir_all(entry).unwrap()
            } else {
                fs::remove_file(entry).unwrap()
            }
        }
    }
    keep("publish --timeout 5", &published);
    published.done("publish");
    keep("github-release", &published);
    drop(registry);

    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.today("2026-03-25");
    keep(
        "release-patch --branch release-12.0.0 --date 2026-03-25",
        &world,
    );
    world.done("release-patch --branch release-12.0.0 --date 2026-03-25");
    world.merge("ci/release-12.0.1", Merge::Commit);
    world.done(PUSH_TAG);
    keep("sync-notes", &world);
    tasks
}

/// Everything that a task can change.
type State = BTreeMap<String, String>;

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
enum How {
    FailsBefore,
    FailsAfter,
    KilledAfter,
}

/// A world like another, with a registry of its own, whose git, gh and cargo can be disturbed.
fn prepared(world: &World, rules: Rules) -> (World, Registry) {
    let mut copy = world.copy();
    let registry = copy.registry(rules);
    for name in ["WORKFLOW", "SERVER_URL", "REPOSITORY", "RUN_ID"] {
        copy.env.push((format!("GITHUB_{name}"), "x".to_string()));
    }
    // In the place of each program: writes every call of the task down, and disturbs the one that DISTURB says. What the
    // programs call themselves is not the task's.
    let (calls, happened) = (copy.path("calls"), copy.path("happened"));
    let reals = [
        ("git", World::real("git")),
        ("gh", copy.path("real/gh").display().to_string()),
        ("cargo", format!("{}/cargo", toolchain())),
    ];
    for (program, real) in reals {
        copy.wrap(
            program,
            &format!(
                r#"
[ -z "$NESTED" ] || exec {real} "$@"
export NESTED=1
echo "{program} $*" | tr '\n' ' ' >> {calls}; echo >> {calls}
[ "$(wc -l < {calls})" = "${{DISTURB%% *}}" ] || exec {real} "$@"
touch {happened}
case $DISTURB in
  *FailsBefore) echo 'error: the line is dead' >&2; exit 1;;
  *FailsAfter) {real} "$@"; echo 'error: the line went dead' >&2; exit 1;;
  *KilledAfter) {real} "$@"; kill -9 $PPID; exit 1;;
esac"#,
                calls = calls.display(),
                happened = happened.display()
            ),
        );
    }
    (copy, registry)
}

fn run(world: &World, line: &str, disturb: &str) -> Output {
    world
        .xtask("clone", line)
        .env("DISTURB", disturb)
        .output()
        .unwrap()
}

/// The calls of an undisturbed run, and the state after it.
fn calm(task: &Task) -> (Vec<String>, State) {
    let (world, _registry) = prepared(&task.before, Rules::default());
    let output = run(&world, task.line, "0");
    assert!(
        output.status.success(),
        "{}: {}",
        task.line,
        text(&output.stderr)
    );
    let calls = fs::read_to_string(world.path("calls")).unwrap();
    (calls.lines().map(str::to_string).collect(), state(&world))
}

/// Everything that a task can change: refs, pull requests and releases, the index and packages, artifacts.
fn state(world: &World) -> State {
    let mut state = world.refs();
    if let Value::Object(mut stand_in) = world.stand_in() {
        // gh uploads several files at a time.
        for release in stand_in
            .get_mut("releases")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let assets = release["assets"].as_array_mut().unwrap();
            assets.sort_by_key(|asset| asset["name"].to_string());
        }
        // A second run at the same tag waits for the first one, and finds nothing to do.
        if let Some(runs) = stand_in["runs"].as_array_mut() {
            runs.dedup_by_key(|run| run["headBranch"].to_string());
        }
        state.extend(
            stand_in
                .into_iter()
                .map(|(key, value)| (format!("gh {key}"), value.to_string())),
        );
    }
    for folder in ["registry", "clone/target/dist"] {
        for file in files(&world.path(folder)) {
            let name = file
                .strip_prefix(world.path(""))
                .unwrap()
                .display()
                .to_string();
            state.insert(name, support::sha256::sha256(&fs::read(&file).unwrap()));
        }
    }
    state
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap());
    entries
        .flat_map(|entry| {
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path())
            } else {
                vec![entry.path()]
            }
        })
        .collect()
}

fn is_outward(call: &str) -> bool {
    let acts = [
        "git push",
        "gh pr create",
        "gh release",
        "gh workflow run",
        "cargo publish",
        "cargo yank",
    ];
    acts.iter().any(|act| call.starts_with(act))
}

/// Runs a task again, at most twice, until it succeeds; whether the state is then the expected one, or what is wrong.
fn converges(world: &World, line: &str, expected: &State) -> Result<(), String> {
    let mut said = String::new();
    let done = (0..2).any(|_| {
        let output = run(world, line, "0");
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success()
    });
    let now = state(world);
    match done {
        true if now == *expected => Ok(()),
        true => Err(difference(&now, expected)),
        false => Err(said),
    }
}

fn difference(now: &State, expected: &State) -> String {
    let differs = |(key, value): &(&String, &String)| expected.get(*key) != Some(value);
    let missing = expected.keys().filter(|key| !now.contains_key(*key));
    let differs = now.iter().filter(differs);
    format!(
        "differs in {:?}, lacks {:?}",
        differs.collect::<Vec<_>>(),
        missing.collect::<Vec<_>>()
    )
}

/// The state as a release by hand leaves it, which needs no run of a workflow.
fn by_hand(world: &World) -> State {
    let mut state = state(world);
    state.remove("gh runs");
    state
}

/// What `status` leads to from the state after an undisturbed run of a task.
struct Way {
    end: State,
    /// The states from which it is known to lead there.
    from: Mutex<BTreeSet<State>>,
    /// For a task that is not a step of a release: `status` does not advise it.
    beside_a_release: bool,
}

fn is_beside_a_release(task: &Task) -> bool {
    task.line.starts_with("yank")
}

impl Way {
    fn of(task: &Task) -> Way {
        let (world, _registry) = prepared(&task.before, Rules::default());
        run(&world, task.line, "0");
        let mut way = Way {
            end: State::new(),
            from: Mutex::default(),
            beside_a_release: is_beside_a_release(task),
        };
        let (mut passed, end) =
            follow(&world, |_| false).unwrap_or_else(|why| panic!("{}: {why}", task.line));
        passed.push(end.clone());
        (way.end, way.from) = (end, Mutex::new(passed.into_iter().collect()));
        way
    }

    /// Whether it leads there from a world in which a task was disturbed, too, or what is wrong.
    fn completes(&self, world: &World) -> Result<(), String> {
        let known = |state: &State| self.from.lock().unwrap().contains(state);
        if self.beside_a_release || known(&by_hand(world)) {
            return Ok(());
        }
        let mut world = world.copy();
        let _registry = world.registry(Rules::default());
        let (passed, end) = follow(&world, known)?;
        if !known(&end) {
            return Err(format!(
                "what is next leads elsewhere: {}",
                difference(&end, &self.end)
            ));
        }
        self.from.lock().unwrap().extend(passed);
        Ok(())
    }
}

/// Asks what is next and does it, until nothing is or the state is a known one. Merging is for humans. Returns the states that
/// it passed, and the last one.
fn follow(world: &World, known: impl Fn(&State) -> bool) -> Result<(Vec<State>, State), String> {
    let today = world.stand_in()["today"].as_str().unwrap().to_string();
    let mut passed = Vec::new();
    let mut said = String::new();
    for _ in 0..12 {
        let now = by_hand(world);
        let output = run(world, &format!("status --json --date {today}"), "0");
        let board: Value =
            serde_json::from_slice(&output.stdout).map_err(|_| text(&output.stderr))?;
        let steps = board["next"].as_array().unwrap();
        if known(&now) || steps.is_empty() {
            return Ok((passed, now));
        }
        passed.push(now);
        for step in steps {
            said += &format!("{step}\n");
            let merge = step["human"]
                .as_str()
                .and_then(|says| says.strip_prefix("merge "));
            if let Some(url) = merge {
                let pulls = world.stand_in()["pulls"].clone();
                let pull = pulls
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|pull| pull["url"] == url)
                    .unwrap();
                world.merge(pull["headRefName"].as_str().unwrap(), Merge::Commit);
            } else if let Some(task) = step["command"]
                .as_str()
                .unwrap_or_default()
                .strip_prefix("cargo xtask ")
            {
                let output = run(world, &format!("{task} --date {today}"), "0");
                said += &text(&output.stderr);
                if !output.status.success() {
                    break;
                }
            } else if let Some(line) = step["command"]
                .as_str()
                .and_then(|line| line.strip_prefix("git "))
            {
                world.git("clone", &line.split(' ').collect::<Vec<_>>());
            }
        }
    }
    Err(format!("status finds no end:\n{said}"))
}

/// One fault: a task, and either a call of it that is disturbed, or a request to the registry that fails.
enum Point<'a> {
    Call(usize, &'a str, How),
    Request(&'static str, usize, &'static str),
}

/// Goes through all points, as many at a time as there is room for, and returns those that did not converge.
fn go_through(points: &[(&Task, &State, Option<&Way>, Point)]) -> Vec<String> {
    let (next, stuck) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((task, expected, way, point)) =
                    points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let (result, what) = meet(task, expected, *way, point);
                    if let Err(why) = result {
                        stuck
                            .lock()
                            .unwrap()
                            .push(format!("{}: {what}: {why}", task.line));
                    }
                }
            });
        }
    });
    stuck.into_inner().unwrap()
}

fn meet(
    task: &Task,
    expected: &State,
    way: Option<&Way>,
    point: &Point,
) -> (Result<(), String>, String) {
    // First by what status says, in a copy; then by the task itself.
    let go_on = |world: &World| {
        way.map_or(Ok(()), |way| way.completes(world))
            .and_then(|()| converges(world, task.line, expected))
    };
    match *point {
        Point::Call(at, call, how) => {
            let (world, _registry) = prepared(&task.before, Rules::default());
            let output = run(&world, task.line, &format!("{} {how:?}", at + 1));
            let what = format!("call {} {how:?} `{call}`", at + 1);
            assert!(
                world.path("happened").exists(),
                "{}: {what} did not happen: {}",
                task.line,
                text(&output.stderr)
            );
            assert!(
                !String::from_utf8_lossy(&output.stderr).contains("panicked"),
                "{what}"
            );
            (go_on(&world), what)
        }
        Point::Request(method, at, kind) => {
            let fault: Fault = Box::new(move |asked, _, count| {
                (asked == method && count == at).then(|| match kind {
                    "lost" => Failure::Lost,
                    "unanswered" => Failure::Unanswered,
                    "truncated" => Failure::Truncated,
                    _ => Failure::Refused(500, "oops".to_string()),
                })
            });
            let (mut world, registry) = prepared(
                &task.before,
                Rules {
                    fault: Some(fault),
                    ..Rules::default()
                },
            );
            run(&world, task.line, "0");
            drop(registry);
            let _registry = world.registry(Rules::default());
            (go_on(&world), format!("{method} {at} {kind}"))
        }
    }
}

#[test]
#[ignore = "takes minutes: a sample is below"]
fn every_fault_converges() {
    let tasks = tasks();
    let calm: Vec<_> = tasks.iter().map(with_a_token).collect();
    let ways: Vec<Way> = tasks.iter().map(Way::of).collect();
    let mut points = Vec::new();
    for ((task, (calls, expected)), way) in tasks.iter().zip(&calm).zip(&ways) {
        for (at, call) in calls.iter().enumerate() {
            let all = [How::FailsBefore, How::FailsAfter, How::KilledAfter];
            let how = if is_outward(call) {
                &all[..]
            } else {
                &all[..1]
            };
            points.extend(how.iter().map(|how| {
                (
                    task,
                    expected,
                    Some(way),
                    Point::Call(at, call.as_str(), *how),
                )
            }));
        }
        println!(
            "{}: {} calls, {} of them outward",
            task.line,
            calls.len(),
            calls.iter().filter(|call| is_outward(call)).count()
        );
    }
    let all = tasks.iter().zip(&calm).zip(&ways);
    for ((task, (_, expected)), way) in
        all.filter(|((task, _), _)| task.line.starts_with("publish"))
    {
        let (world, registry) = prepared(&task.before, Rules::default());
        run(&world, task.line, "0");
        for method in ["GET", "PUT"] {
            let count = registry
                .log()
                .iter()
                .filter(|line| line.starts_with(method))
                .count();
            for at in 0..count {
                points.extend(
                    ["lost", "unanswered", "truncated", "500"]
                        .map(|kind| (task, expected, Some(way), Point::Request(method, at, kind))),
                );
            }
        }
    }
    let stuck = go_through(&points);
    for one in &stuck {
        println!("stuck: {one}");
    }
    let (states, well) = (
        ways.iter()
            .map(|way| way.from.lock().unwrap().len())
            .sum::<usize>(),
        points.len() - stuck.len(),
    );
    println!("\nstatus: from {states} states on, to the end of the release");
    println!(
        "faults: {well} of {} converged, run again and by what status says",
        points.len()
    );
    assert!(stuck.is_empty());
}

/// Starts a task twice at the same moment, in one clone or in two; the state at the end is that of one run.
fn twice_at_once(task: &Task, expected: &State, second: &str) -> Result<(), String> {
    let (world, _registry) = prepared(&task.before, Rules::default());
    world.git("", &["clone", "-q", "origin.git", "other"]);
    let head = world.git("clone", &["rev-parse", "HEAD"]);
    world.git("other", &["checkout", "-q", "--detach", &head]);
    let start = |clone: &str| {
        let mut command = world.xtask(clone, task.line);
        command
            .env("NESTED", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let both = [start("clone"), start(second)].map(|running| running.wait_with_output().unwrap());
    let said: Vec<_> = both
        .iter()
        .filter(|output| !output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stderr).into_owned())
        .collect();
    // One of two may have to give up before the other; run again, it has nothing to do.
    if said.len() == 2 {
        return Err(said.join("\n"));
    }
    converges(&world, task.line, expected)
}

#[test]
#[ignore = "takes minutes: a sample is below"]
fn two_at_the_same_time_end_as_one_twenty_times() {
    let tasks = tasks();
    for task in &tasks {
        let (_, expected) = calm(task);
        for at in 0..20 {
            // Artifacts lie in the clone.
            let one = task.line.starts_with("github") || is_beside_a_release(task);
            let second = if at % 2 == 0 || one { "clone" } else { "other" };
            twice_at_once(task, &expected, second)
                .unwrap_or_else(|why| panic!("{} in clone and {second}: {why}", task.line));
        }
    }
}

/// One month is enough for all of them, and takes as long as they do.
#[test]
fn a_sample_converges_two_at_once_end_as_one_and_a_token_is_in_no_argument_output_or_file() {
    // Every third task, and of each one outward call.
    let tasks: Vec<Task> = tasks().into_iter().step_by(3).collect();
    let calm: Vec<_> = tasks.iter().map(with_a_token).collect();
    let ways: Vec<Option<Way>> = tasks
        .iter()
        .map(|task| (task.line == PUSH_TAG).then(|| Way::of(task)))
        .collect();
    let mut points = Vec::new();
    let mut twice = Vec::new();
    for (count, (task, (calls, expected))) in tasks.iter().zip(&calm).enumerate() {
        let outward: Vec<usize> = (0..calls.len())
            .filter(|at| is_outward(&calls[*at]))
            .collect();
        if let Some(at) = outward.get(count % outward.len().max(1)) {
            let way = [How::KilledAfter, How::FailsAfter, How::FailsBefore][count % 3];
            points.push((
                task,
                expected,
                ways[count].as_ref(),
                Point::Call(*at, calls[*at].as_str(), way),
            ));
            twice.extend((count % 2 == 0).then_some((task, expected)));
        }
    }
    let mut stuck = go_through(&points);
    for (task, expected) in twice {
        let result = twice_at_once(task, expected, "clone");
        stuck.extend(
            result
                .err()
                .map(|why| format!("{} twice at once: {why}", task.line)),
        );
    }
    assert!(stuck.is_empty(), "{stuck:#?}");
}

/// A copy of a world, with a registry and the real `gh` on the API of GitHub's stand-in.
fn on_github(task: &Task, rules: github::Rules) -> (World, Registry, GitHub) {
    let mut world = task.before.copy();
    let registry = world.registry(Rules::default());
    let github = GitHub::start(&mut world, &World::real("gh"), rules);
    (world, registry, github)
}

#[test]
#[ignore = "takes minutes"]
fn every_fault_of_githubs_api_is_one_line_and_converges_with_the_real_gh() {
    let tasks = tasks();
    let mut points = Vec::new();
    for task in &tasks {
        let (world, _registry, github) = on_github(task, github::Rules::default());
        let output = run(&world, task.line, "0");
        assert!(
            output.status.success(),
            "{}: {}",
            task.line,
            text(&output.stderr)
        );
        let expected = state(&world);
        println!("{}: {} requests", task.line, github.log().len());
        for (at, request) in github.log().into_iter().enumerate() {
            for fault in github::FAULTS {
                points.push((task, expected.clone(), at, request.clone(), fault));
            }
        }
    }
    let (next, stuck) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((task, expected, at, request, fault)) =
                    points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let rules = github::Rules {
                        fault: Some((*at, *fault)),
                        ..Default::default()
                    };
                    let (world, _registry, _github) = on_github(task, rules);
                    let output = run(&world, task.line, "0");
                    let said = text(&output.stderr);
                    let errors = said.lines().filter(|line| line.starts_with("error: "));
                    let is_one_line = output.status.success()
                        || errors.count() == 1
                            && said.lines().last().unwrap().starts_with("error: ")
                            && ![
                                "error: error",
                                "gh: gh",
                                "secret-token",
                                "release not found",
                            ]
                            .iter()
                            .any(|words| said.contains(words));
                    let converged = converges(&world, task.line, expected);
                    if let Some(why) = converged.err().or((!is_one_line).then_some(said)) {
                        let what = format!("{}: {request} ({at}) {fault:?}: {why}", task.line);
                        stuck.lock().unwrap().push(what);
                    }
                }
            });
        }
    });
    let stuck = stuck.into_inner().unwrap();
    for one in &stuck {
        println!("stuck: {one}");
    }
    let well = points.len() - stuck.len();
    println!("faults of the API: {well} of {} converged", points.len());
    assert!(stuck.is_empty());
}

/// As `calm`, with tokens in the environment, which must come up nowhere.
fn with_a_token(task: &Task) -> (Vec<String>, State) {
    const PLANTED: &str = "planted-4f1c9a";
    let (mut world, _registry) = prepared(&task.before, Rules::default());
    for name in [
        "CARGO_REGISTRIES_REHEARSAL_TOKEN",
        "GH_TOKEN",
        "GITHUB_TOKEN",
    ] {
        world.env.push((name.to_string(), PLANTED.to_string()));
    }
    let summary = world.path("summary").display().to_string();
    world.env.push(("GITHUB_STEP_SUMMARY".to_string(), summary));
    let output = run(&world, task.line, "0");
    assert!(
        output.status.success(),
        "{}: {}",
        task.line,
        text(&output.stderr)
    );
    for said in [&output.stdout, &output.stderr] {
        assert!(
            !String::from_utf8_lossy(said).contains(PLANTED),
            "{}",
            task.line
        );
    }
    // The arguments of every call are in one of them.
    for file in files(&world.path("")) {
        let holds = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(PLANTED);
        assert!(
            !fs::read(&file).is_ok_and(holds),
            "{}: {}",
            task.line,
            file.display()
        );
    }
    let calls = fs::read_to_string(world.path("calls")).unwrap();
    (calls.lines().map(str::to_string).collect(), state(&world))
}
