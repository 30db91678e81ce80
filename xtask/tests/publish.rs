//! `publish`: real cargo against a real registry, which lags, limits, fails and forgets.

mod support;

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use expect_test::expect;
use support::publishing::{
    Failure, Publishing, Rules, faults, last, package, requests, status, uploads,
};
use support::train::{Merge, World};
use support::{root, text};

const CHAIN: [&str; 8] = [
    "c1",
    "c2: c1",
    "c3: c1",
    "c4: c2 c3",
    "c5: c4",
    "c6: c4",
    "c7: c5 c6",
    "c8: c7",
];

/// The lines of the tool, without those of cargo.
fn ours(said: &str) -> String {
    let marks = ["$ ", "rehearsal has", "are missing from rehearsal"];
    let ours = |line: &&str| marks.iter().any(|mark| line.contains(mark));
    said.lines().filter(ours).collect::<Vec<_>>().join("\n")
}

fn calls_of_cargo(said: &str) -> usize {
    said.matches("$ cargo publish ").count()
}

/// crates.io's answer at its rate limit, with the date so many seconds from now.
fn rate_limit(seconds: i32) -> Option<Failure> {
    let mut date = Command::new("date");
    date.env("LC_ALL", "C")
        .args(["-u", "+%a, %d %b %Y %H:%M:%S GMT", "-d"]);
    let date = date.arg(format!("{seconds} seconds")).output().unwrap();
    let date = text(&date.stdout);
    status(
        429,
        &format!(
            "You have published too many new crates in a short period of time. Please try again after {} and see https://crates.io/docs/rate-limits for more details.",
            date.trim()
        ),
    )
}

/// Starts it, waits for the n-th upload to be sent, and kills it and its cargo before that one is answered.
fn killed_at_upload(crates: &[&str], at: usize, stored: bool, delay: Duration) -> Publishing {
    let (sent, when_sent) = channel();
    let sent = Mutex::new(sent);
    let mut rules = uploads(move |count| {
        if count != at {
            return None;
        }
        sent.lock().unwrap().send(()).unwrap();
        Some(if stored {
            Failure::Late(Duration::from_millis(300))
        } else {
            Failure::Lost
        })
    });
    rules.delay = delay;
    let publishing = Publishing::new(crates, rules);
    let mut child = publishing
        .xtask("")
        .process_group(0)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    when_sent.recv_timeout(Duration::from_secs(30)).unwrap();
    Command::new("kill")
        .args(["-9", "--", &format!("-{}", child.id())])
        .status()
        .unwrap();
    assert!(!child.wait().unwrap().success());
    publishing
}

#[test]
fn every_crate_is_published_and_a_second_run_finds_nothing_to_do() {
    let publishing = Publishing::new(&["b: a", "a", "c: b"], Rules::default());
    let said = publishing.done("");
    expect![[r#"
        3 of 3 crates are missing from rehearsal
        $ cargo publish --no-verify --registry rehearsal --package b@1.0.0 --package a@1.0.0 --package c@1.0.0
        rehearsal has all 3 crates"#]].assert_eq(&ours(&said));
    // cargo's output is shown.
    assert!(
        said.contains("\n    Uploaded b v1.0.0 to registry"),
        "{said}"
    );
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    expect![[r#"
        rehearsal has all 3 crates
    "#]]
    .assert_eq(&publishing.done(""));
    assert_eq!(publishing.uploads(), 3);
    publishing.consumer_builds("c = \"1\"\n");
}

#[test]
fn killed_after_crate_3_of_8_it_continues_there() {
    let publishing = killed_at_upload(&CHAIN, 3, false, Duration::ZERO);
    assert_eq!(publishing.published(), ["c1 1.0.0", "c2 1.0.0", "c3 1.0.0"]);
    let publishing = publishing.again(Rules::default());
    let said = publishing.done("");
    assert!(said.starts_with("5 of 8 crates are missing"), "{said}");
    assert_eq!((publishing.published().len(), publishing.uploads()), (8, 5));
    publishing.consumer_builds("c8 = \"1\"\n");
}

#[test]
fn killed_after_an_upload_and_before_the_index_shows_it_it_takes_the_refusal_as_published() {
    let publishing = killed_at_upload(&["a", "b: a"], 0, true, Duration::from_secs(3));
    while publishing.published().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = publishing.done("");
    assert!(
        said.contains("already uploaded") && calls_of_cargo(&said) >= 2,
        "{said}"
    );
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0"]);
}

#[test]
fn wasmtime_5084_an_index_that_lags_is_waited_for() {
    let rules = Rules {
        delay: Duration::from_secs(2),
        ..Rules::default()
    };
    let publishing = Publishing::new(&["a", "b: a"], rules);
    let said = publishing.done("");
    assert_eq!(calls_of_cargo(&said), 1, "{said}");
    assert_eq!(publishing.published().len(), 2);
}

#[test]
fn a_rate_limit_is_waited_for_until_the_date_that_the_registry_names() {
    let begun = Instant::now();
    let limited = uploads(|count| (count == 1).then(|| rate_limit(4))?);
    let publishing = Publishing::new(&["a", "b", "c"], limited);
    // The wait does not count as time without progress.
    let said = publishing.done("--timeout 2");
    assert!(
        said.contains("too many new crates") && said.contains("\nwaiting "),
        "{said}"
    );
    let counts = (calls_of_cargo(&said), publishing.uploads());
    assert_eq!(counts, (2, 4), "{said}");
    // The date is in whole seconds.
    assert!(begun.elapsed() > Duration::from_secs(3));
    assert_eq!(publishing.published().len(), 3);
}

#[test]
fn a_lost_connection_and_an_error_of_the_server_are_tried_again() {
    type Fault = fn(usize) -> Option<Failure>;
    let rows: [(Fault, u64, usize); 3] = [
        (|count| (count == 1).then_some(Failure::Unanswered), 0, 2),
        (|count| (count == 1).then_some(Failure::Truncated), 1, 0),
        (
            |count| match count {
                1 => Some(Failure::Lost),
                2 => status(500, "oops"),
                3 => status(503, "busy"),
                _ => None,
            },
            0,
            4,
        ),
    ];
    for (fault, delay, calls) in rows {
        let mut rules = uploads(fault);
        rules.delay = Duration::from_secs(delay);
        let publishing = Publishing::new(&["a", "b: a", "c: b"], rules);
        let said = publishing.done("");
        assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
        // A lagging index changes how often cargo is called.
        assert!(calls == 0 || calls_of_cargo(&said) == calls, "{said}");
    }
}

#[test]
fn without_progress_it_gives_up_after_the_timeout() {
    type Fault = fn(usize) -> Option<Failure>;
    let rows: [(Fault, _, _); 3] = [
        (|_| rate_limit(-3600), "a", 2),
        (|_| rate_limit(2), "a", 2),
        (|count| (count > 0).then(|| status(500, "oops"))?, "b", 1),
    ];
    for (fault, name, missing) in rows {
        let publishing = Publishing::new(&["a", "b: a"], uploads(fault));
        let said = publishing.refused("--timeout 1");
        let begin = format!(
            "error: no progress for 1 s: {name} v1.0.0: the remote server responded with an error (status "
        );
        let end = format!("; {missing} of 2 crates are missing from rehearsal: run this again");
        let error = last(&said);
        assert!(
            error.starts_with(&begin) && error.ends_with(&end) && calls_of_cargo(&said) <= 4,
            "{said}"
        );
    }
}

#[test]
fn what_the_registry_rejects_is_sent_once_and_the_error_names_the_crate_and_what_to_do() {
    for (code, text, expected) in [
        (
            400,
            "missing or empty metadata fields: description, license",
            expect![
                "error: b v1.0.0: the remote server responded with an error (status 400 Bad Request): missing or empty metadata fields: description, license; fix that, then run this again"
            ],
        ),
        (
            401,
            "Invalid authentication token",
            expect![
                "error: b v1.0.0: the remote server responded with an error (status 401 Unauthorized): Invalid authentication token; check the token (that of trusted publishing lives 30 minutes and cannot create a crate), then run this again"
            ],
        ),
        // Wasmtime #11313.
        (
            403,
            "Trusted Publishing tokens do not support creating new crates. Publish the crate manually, first",
            expect![
                "error: b v1.0.0: the remote server responded with an error (status 403 Forbidden): Trusted Publishing tokens do not support creating new crates. Publish the crate manually, first; check the token (that of trusted publishing lives 30 minutes and cannot create a crate), then run this again"
            ],
        ),
        (
            429,
            "You have published too many versions of this crate in the last 24 hours",
            expect![
                "error: b v1.0.0: the remote server responded with an error (status 429 Too Many Requests): You have published too many versions of this crate in the last 24 hours; the daily limit is reached: run this again tomorrow"
            ],
        ),
    ] {
        let rejects = uploads(move |count| (count > 0).then(|| status(code, text))?);
        let publishing = Publishing::new(&["a", "b: a", "c: b"], rejects);
        expected.assert_eq(&publishing.error(""));
        assert_eq!(publishing.uploads(), 2);
        if code == 401 {
            // The next job has a fresh token.
            let publishing = publishing.again(Rules::default());
            publishing.done("");
            assert_eq!(publishing.published().len(), 3);
        }
    }
}

#[test]
fn the_same_failure_before_anything_is_sent_ends_it_the_third_time() {
    let publishing = Publishing::new(&["a", "b"], Rules::default());
    // Wasmtime #6427.
    publishing.member("b", "1.0.0", "readme = \"README.md\"\n");
    let said = publishing.refused("");
    expect!["error: readme `README.md` does not appear to exist (relative to `$TREE/b`).: Please update the readme setting in the manifest at `$TREE/b/Cargo.toml`.; 2 of 2 crates are missing from rehearsal"].assert_eq(last(&said));
    assert_eq!((publishing.uploads(), calls_of_cargo(&said)), (0, 3));
}

#[test]
fn without_a_token_it_ends_at_once() {
    let mut publishing = Publishing::new(&["a"], Rules::default());
    let mut without = publishing.xtask("");
    without.env_remove("CARGO_REGISTRIES_REHEARSAL_TOKEN");
    let said = text(&without.output().unwrap().stderr);
    expect!["error: no token found for `rehearsal`, please run `cargo login --registry rehearsal`: or use environment variable CARGO_REGISTRIES_REHEARSAL_TOKEN; check the token (that of trusted publishing lives 30 minutes and cannot create a crate), then run this again"].assert_eq(last(&said));
    // As a workflow whose secret is missing.
    let token = "CARGO_REGISTRIES_REHEARSAL_TOKEN".to_string();
    publishing.env.push((token, String::new()));
    let said = publishing.refused("");
    expect!["error: a v1.0.0: please provide a non-empty token; check the token (that of trusted publishing lives 30 minutes and cannot create a crate), then run this again"].assert_eq(last(&said));
    assert_eq!((publishing.uploads(), calls_of_cargo(&said)), (0, 1));
}

#[test]
fn wasmtime_11090_an_index_that_answers_500_does_not_lack_the_crate() {
    let broken = |until| {
        requests("/index/1/a", move |count| {
            (count < until).then(|| status(500, "oops"))?
        })
    };
    let publishing = Publishing::new(&["a", "b"], broken(usize::MAX));
    expect!["error: $INDEX/1/a: status 500: what is published is unknown"]
        .assert_eq(&publishing.error("--timeout 1"));
    assert_eq!(publishing.uploads(), 0);
    let publishing = publishing.again(broken(2));
    publishing.done("");
    assert_eq!(publishing.published().len(), 2);
}

#[test]
fn an_incomplete_answer_of_the_index_is_asked_for_again() {
    let before = Publishing::new(&["a", "b"], Rules::default());
    before.done("");
    let asked = Mutex::new(HashMap::<String, usize>::new());
    let publishing = before.again(faults(move |_, path, _| {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(path.to_string()).or_default();
        *count += 1;
        match *count {
            1 => Some(Failure::Truncated),
            2 => Some(Failure::Lost),
            _ => None,
        }
    }));
    assert_eq!(publishing.done(""), "rehearsal has all 2 crates\n");
}

#[test]
fn a_crate_that_the_index_shows_to_cargo_alone_is_published() {
    let before = Publishing::new(&["a", "b: a"], Rules::default());
    before.done("");
    let late = requests("/index/1/a", |count| {
        (count == 0).then(|| status(404, "not found"))?
    });
    let publishing = before.again(late);
    let said = publishing.done("");
    assert!(said.contains("1 of 2 crates are missing"), "{said}");
    assert_eq!((calls_of_cargo(&said), publishing.uploads()), (1, 0));
}

#[test]
fn a_crate_that_the_index_hides_from_cargo_alone_is_waited_for() {
    let before = Publishing::new(&["a"], Rules::default());
    before.done("");
    before.tree.write("Cargo.toml", &root("a b"));
    before.member(
        "b",
        "1.0.0",
        "[dependencies]\na = { path = \"../a\", version = \"1\" }\n",
    );
    let late = requests("/index/1/a", |count| {
        (1..5).contains(&count).then(|| status(404, "not found"))?
    });
    let publishing = before.again(late);
    let said = publishing.done("");
    assert!(calls_of_cargo(&said) >= 2, "{said}");
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0"]);
}

#[test]
fn the_longest_timeout_is_accepted() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.done(&format!("--timeout {}", u64::MAX));
    assert_eq!(publishing.published(), ["a 1.0.0"]);
}

#[test]
fn every_kind_of_dependency_arrives_as_it_was_meant() {
    let members = "z-base build-help target-help dev-help user cycle-a cycle-b";
    let publishing = Publishing::with(&[("Cargo.toml", root(members))], Rules::default());
    for name in ["build-help", "target-help", "dev-help"] {
        publishing.member(name, "1.0.0", "");
    }
    publishing.member("z-base", "1.0.0", "[features]\nextra = []\n");
    publishing.member(
        "user",
        "1.0.0",
        r#"
[dependencies]
renamed = { package = "z-base", path = "../z-base", version = "1", features = ["extra"], optional = true }
[target.'cfg(unix)'.dependencies]
target-help = { path = "../target-help", version = "1.0" }
[build-dependencies]
build-help = { path = "../build-help", version = "=1.0.0" }
[dev-dependencies]
dev-help = { path = "../dev-help", version = "1" }
[features]
default = ["dep:renamed"]
"#,
    );
    let cycle = "[dev-dependencies]\ncycle-b = { path = \"../cycle-b\" }\n";
    publishing.member("cycle-a", "1.0.0", cycle);
    let needs = "[dependencies]\ncycle-a = { path = \"../cycle-a\", version = \"1\" }\n";
    publishing.member("cycle-b", "1.0.0", needs);
    for (file, text) in [
        ("build-help/src/lib.rs", "pub fn help() {}\n"),
        (
            "z-base/src/lib.rs",
            "#[cfg(feature = \"extra\")]\npub fn extra() {}\n",
        ),
        ("user/src/lib.rs", "pub fn user() { renamed::extra(); }\n"),
        ("user/build.rs", "fn main() { build_help::help() }\n"),
    ] {
        publishing.tree.write(file, text);
    }
    publishing.done("");
    publishing.consumer_builds("user = \"1\"\ncycle-b = \"1\"\n");
}

#[test]
fn wasmtime_966b347faa_sixty_crates_in_twelve_layers_need_no_list() {
    // In the reverse of the order in which they are published.
    let mut crates = Vec::new();
    for at in (0..60).rev() {
        let (layer, place) = (at / 5, at % 5);
        let below = |other| 99 - (layer * 5 - 5 + (place + other) % 5);
        crates.push(match layer {
            0 => format!("c{}", 99 - at),
            _ => format!("c{}: c{} c{}", 99 - at, below(0), below(1)),
        });
    }
    let crates: Vec<&str> = crates.iter().map(String::as_str).collect();
    let publishing = Publishing::new(&crates, Rules::default());
    let said = publishing.done("");
    assert!(said.contains("60 of 60 crates are missing"), "{said}");
    let counts = (calls_of_cargo(&said), publishing.uploads());
    assert_eq!((counts, publishing.published().len()), ((1, 60), 60));
    publishing.consumer_builds("c40 = \"1\"\n");
}

#[test]
fn wasmtime_9422_a_patch_of_an_old_release_is_missing_though_a_newer_version_is_published() {
    let publishing = Publishing::new(&["a", "b: a"], Rules::default());
    for version in ["2.0.0", "1.0.1"] {
        publishing.member("a", version, "");
        let needs = format!("[dependencies]\na = {{ path = \"../a\", version = \"{version}\" }}\n");
        publishing.member("b", version, &needs);
        publishing.done("");
    }
    let versions = ["a 1.0.1", "a 2.0.0", "b 1.0.1", "b 2.0.0"];
    assert_eq!(publishing.published(), versions);
    // Half of it is there.
    publishing.tree.write("Cargo.toml", &root("a b c"));
    publishing.member("c", "1.0.1", "");
    let said = publishing.done("");
    assert!(said.contains("1 of 3 crates are missing"), "{said}");
}

#[test]
fn a_version_that_was_yanked_cannot_be_had() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.done("");
    let mut yank = publishing.command("cargo", "yank --registry rehearsal a@1.0.0");
    assert!(yank.output().unwrap().status.success());
    expect!["error: `a` 1.0.0 is yanked in rehearsal: undo that with `yank --undo`, or release the next version"].assert_eq(&publishing.error(""));
}

#[test]
fn private_crates_stay_and_independent_ones_are_published_at_their_own_version() {
    let manifest =
        root("a own inner") + "[workspace.metadata.release-train]\nindependent = [\"own\"]\n";
    let publishing = Publishing::with(&[("Cargo.toml", manifest)], Rules::default());
    let needs = "[dev-dependencies]\ninner = { path = \"../inner\" }\n";
    publishing.member("a", "3.0.0", needs);
    publishing.member("own", "0.4.2", "");
    publishing.member("inner", "3.0.0", "publish = false\n");
    publishing.done("");
    assert_eq!(publishing.published(), ["a 3.0.0", "own 0.4.2"]);
}

#[test]
fn a_member_that_another_one_needs_without_a_path_is_published_before_it() {
    let publishing = Publishing::new(&["b", "a", "c: b"], Rules::default());
    let manifest = publishing.tree.read("Cargo.toml") + "[patch.crates-io]\na = { path = \"a\" }\n";
    publishing.tree.write("Cargo.toml", &manifest);
    publishing.member("b", "1.0.0", "[dependencies]\na = \"1.0.0\"\n");
    let said = publishing.done("--timeout 5");
    assert_eq!(
        publishing.published(),
        ["a 1.0.0", "b 1.0.0", "c 1.0.0"],
        "{said}"
    );
    assert_eq!(publishing.uploads(), 3);
}

#[test]
fn the_registry_is_the_one_named_or_the_default_or_the_only_one_allowed() {
    let company = Publishing::new(&[], Rules::default());
    let mut publishing = Publishing::new(&["a"], Rules::default());
    for (name, value) in [
        ("INDEX", company.registry.index()),
        ("TOKEN", "secret-token".to_string()),
    ] {
        let name = format!("CARGO_REGISTRIES_THE_COMPANY_{name}");
        publishing.env.push((name, value));
    }
    publishing.done("--registry the-company");
    assert_eq!(company.published(), ["a 1.0.0"]);
    assert!(publishing.published().is_empty());
    publishing.done("");
    assert_eq!(publishing.published(), ["a 1.0.0"]);
    // A crate that may not be published there is not left out silently.
    publishing.member("a", "1.0.1", "publish = [\"the-company\"]\n");
    expect!["error: `a`: its `publish` does not allow registry `rehearsal`: pass --registry"]
        .assert_eq(&publishing.error(""));
    let mut only = publishing.xtask("");
    only.env("CARGO_HOME", publishing.tree.path().join("empty")); // no default there
    let only = only.env_remove("CARGO_REGISTRY_DEFAULT").output().unwrap();
    assert!(only.status.success(), "{}", text(&only.stderr));
    assert_eq!(company.published(), ["a 1.0.0", "a 1.0.1"]);
    // Named, it takes the crates that may be published there.
    publishing.tree.write("Cargo.toml", &root("a b"));
    publishing.member("b", "1.0.1", "");
    publishing.done("--registry rehearsal");
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.1"]);
}

#[test]
fn a_registry_that_cannot_be_asked_is_a_clear_error() {
    let mut publishing = Publishing::new(&["a"], Rules::default());
    expect!["error: registry `company`: set CARGO_REGISTRIES_COMPANY_INDEX to its sparse index without credentials, sparse+https://..."]
    .assert_eq(&publishing.error("--registry company"));
    for index in [
        "https://example.com/index.git",
        "sparse+https://user:secret@example.com/",
    ] {
        publishing.env = vec![("CARGO_REGISTRIES_COMPANY_INDEX".into(), index.into())];
        expect!["error: registry `company`: set CARGO_REGISTRIES_COMPANY_INDEX to its sparse index without credentials, sparse+https://..."]
            .assert_eq(&publishing.error("--registry company"));
    }
    let unknown = "error: $INDEX/config.json: status CODE: what is published is unknown";
    let closed = "error: $INDEX/config.json: it asks for a token, and an index is read without one";
    let missing = "error: registry `rehearsal`: $INDEX/ has no config.json of an index";
    for (code, expected) in [(401, closed), (403, closed), (404, missing), (500, unknown)] {
        let rules = requests("/index/config.json", move |_| status(code, "oops"));
        let publishing = Publishing::new(&["a"], rules);
        let expected = expected.replace("CODE", &code.to_string());
        assert_eq!(publishing.error("--timeout 0"), expected);
    }
}

#[test]
fn a_version_that_changes_in_the_checkout_meanwhile_is_not_published() {
    let publishing = Publishing::new(&["a", "b: a"], Rules::default());
    let manifest = publishing.tree.path().join("b/Cargo.toml");
    let later = package("b", "2.0.0", "");
    let publishing = publishing.again(uploads(move |count| {
        if count != 1 {
            return None;
        }
        fs::write(&manifest, &later).unwrap();
        status(500, "oops")
    }));
    let error = publishing.error("--timeout 3");
    assert_eq!(publishing.published(), ["a 1.0.0"], "{error}");
    expect!["error: `b/Cargo.toml` is not committed: only a commit can be released"]
        .assert_eq(&error);
}

#[test]
fn only_the_tagged_commit_is_published() {
    let mut world = World::proposed();
    let manifest = world.file("release-12.0.0", "Cargo.toml");
    let manifest = manifest.replace("\"a\", \"b\"", "\"[abs]*\"");
    world.commit("release-12.0.0", "A pattern", &[("Cargo.toml", &manifest)]);
    world.git("clone", &["fetch", "-q"]);
    expect!["error: origin has no tag v12.0.0: run `cargo xtask push-tag --branch release-12.0.0`"]
        .assert_eq(&world.refused("publish"));
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    expect!["error: v12.0.0 is at MERGED, not at HEAD: run `git fetch origin tag v12.0.0` and `git checkout v12.0.0`"]
        .assert_eq(&world.refused("publish").replace(&merged, "MERGED"));
    // The tag is the remote's; the next question is for the registry.
    world.git("clone", &["fetch", "-q"]);
    world.git("clone", &["checkout", "-q", &merged]);
    let registry = world.registry(Rules::default());
    fs::write(world.path("clone/a/src/lib.rs"), "// changed\n").unwrap();
    expect!["error: `a/src/lib.rs` is not committed: only a commit can be released"]
        .assert_eq(&world.refused("publish"));
    world.git("clone", &["checkout", "-q", "."]);
    // A member that git ignores, found by a pattern.
    for folder in ["clone/.git/info", "clone/scratch/src"] {
        fs::create_dir_all(world.path(folder)).unwrap();
    }
    for (file, text) in [
        ("clone/.git/info/exclude", "/scratch\n"),
        (
            "clone/scratch/Cargo.toml",
            &*package("scratch", "12.0.0", ""),
        ),
        ("clone/scratch/src/lib.rs", ""),
    ] {
        fs::write(world.path(file), text).unwrap();
    }
    expect!["error: pathspec 'scratch/Cargo.toml' did not match any file(s) known to git: Did you forget to 'git add'?"]
        .assert_eq(&world.refused("publish"));
    assert!(!registry.log().iter().any(|line| line.starts_with("PUT")));
}

#[test]
fn the_registry_of_the_tests_is_as_strict_as_the_real_one() {
    let publishing = Publishing::new(&["a"], Rules::default());
    // A request without a User-Agent (#11090).
    use std::io::{Read, Write};
    let index = publishing.registry.index();
    let address = index.replace("sparse+http://", "").replace("/index/", "");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /index/config.json HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut answer = [0; 100];
    let length = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 403 "));
    // A crate without a licence.
    publishing
        .tree
        .write("a/Cargo.toml", &support::package("a", "1.0.0"));
    let error = publishing.error("");
    assert!(
        error.contains("missing or empty metadata fields"),
        "{error}"
    );
    // Of the letter `a` so many times, by `sha256sum`: around the length at which the padding needs another block.
    for line in "\
0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
55 9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318
56 b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a
63 7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34
64 ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb
1000 41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"
        .lines()
    {
        let (length, sum) = line.split_once(' ').unwrap();
        let text = "a".repeat(length.parse().unwrap());
        assert_eq!(support::sha256::sha256(text.as_bytes()), sum);
    }
}

#[test]
fn a_commit_that_is_checked_out_meanwhile_is_not_published() {
    let mut world = World::released();
    let _registry = world.registry(Rules::default());
    world.check_out("v12.0.0");
    let real = format!("{}/cargo", support::train::toolchain());
    let moves = "git commit -q --allow-empty -m Other; echo 'error: the line is dead' >&2; exit 1";
    world.wrap(
        "cargo",
        &format!("case $1 in publish) {moves};; esac\nexec {real} \"$@\""),
    );
    let error = text(&world.xtask("clone", "publish").output().unwrap().stderr);
    assert!(error.contains("error: HEAD has moved from "), "{error}");
}

#[test]
fn the_registry_of_cargos_configuration_files_is_the_default() {
    let publishing = Publishing::new(&["a"], Rules::default());
    let index = publishing.registry.index();
    let config = format!("[registry]\ndefault = \"own\"\n[registries.own]\nindex = \"{index}\"\n");
    publishing.tree.write(".cargo/config.toml", &config);
    publishing.tag();
    let mut verify = publishing.command(env!("CARGO_BIN_EXE_xtask"), "verify --fast");
    verify
        .env_remove("CARGO_REGISTRY_DEFAULT")
        .env_remove("CARGO_REGISTRIES_REHEARSAL_INDEX");
    let said = text(&verify.output().unwrap().stderr);
    assert!(said.contains("own has never seen a: "), "{said}");
}

#[test]
fn a_crate_of_a_stranger_under_a_name_that_was_never_used_is_not_taken_for_ours() {
    let publishing = Publishing::new(&["a", "b: a", "c: b"], Rules::default());
    publishing.tree.write("a/src/lib.rs", "// of a stranger\n");
    publishing.publish_by_hand("--package a");
    publishing.tree.write("a/src/lib.rs", "");
    expect!["error: `a` 1.0.0 in rehearsal is not what is packaged here: `src/lib.rs` differs: ask its owners there; `--accept a` takes it as it is"]
        .assert_eq(&publishing.error(""));
    assert_eq!(publishing.error("--accept b"), publishing.error(""));
    assert_eq!(publishing.published(), ["a 1.0.0"]);
    let left = fs::read_dir(publishing.tree.path().join("target")).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("compare")
    });
    assert_eq!(left.count(), 0);
    publishing.done("--accept a");
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    // One that asks for a crate, too.
    publishing.done("--accept a --accept b");
}

#[test]
fn what_is_ours_is_not_taken_for_a_strangers() {
    let manifest =
        root("a own old") + "[workspace.metadata.release-train]\nindependent = [\"own\"]\n";
    let publishing = Publishing::with(&[("Cargo.toml", manifest)], Rules::default());
    publishing.member(
        "a",
        "1.0.0",
        "[dev-dependencies]\nold = { path = \"../old\", version = \"1.0.0\" }\n",
    );
    publishing.member("own", "0.1.0", "");
    publishing.member("old", "0.9.0", "");
    // By hand and before the tag, as an owner creates a crate: another commit, and another time.
    publishing.publish_by_hand("--package old --package own");
    publishing.member("old", "1.0.0", "");
    publishing.publish_by_hand("--package old");
    publishing.publish_by_hand("--package a");
    // `own` goes on at its version, and `old` had another one.
    publishing.tree.write("own/src/lib.rs", "// later\n");
    publishing.tree.write("old/src/lib.rs", "// later\n");
    // Each version of cargo packs the same files into other bytes.
    let package = publishing.file("crates/a-1.0.0.crate");
    let folder = publishing.file("unpacked");
    fs::create_dir(&folder).unwrap();
    for line in ["-xzf", "--mtime=2020-01-01 -czf"] {
        let mut tar = Command::new("tar");
        tar.args(line.split(' ')).arg(&package).current_dir(&folder);
        if line.contains("-czf") {
            tar.arg("a-1.0.0");
        }
        assert!(tar.status().unwrap().success());
    }
    assert_eq!(publishing.done(""), "rehearsal has all 3 crates\n");
}

#[test]
fn an_index_that_answers_for_another_crate_or_with_lines_that_cargo_skips() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.done("");
    let lines = fs::read_to_string(publishing.file("index/a")).unwrap();
    let odd = "\n{\"name\":\"a\",\"vers\":\"1.0\"}\nno JSON\n{\"v\":9}\n";
    let odd = format!("{odd}{lines}{odd}");
    let another = lines.replace("\"a\"", "\"b\"");
    let publishing = publishing.again(requests("/index/1/a", move |_| {
        Some(Failure::Instead(odd.clone()))
    }));
    assert_eq!(publishing.done(""), "rehearsal has all 1 crates\n");
    let publishing = publishing.again(requests("/index/1/a", move |_| {
        Some(Failure::Instead(another.clone()))
    }));
    expect![[r#"
        error: rehearsal answers for `a` with a crate `b`"#]]
    .assert_eq(&publishing.error(""));
}

#[test]
fn a_refusal_that_comes_with_status_200_is_one() {
    let rejects = uploads(|count| (count > 0).then(|| status(200, "no crates on Thursdays"))?);
    let publishing = Publishing::new(&["a", "b: a"], rejects);
    expect!["error: b v1.0.0: the remote server responded with an error: no crates on Thursdays; fix that, then run this again"]
        .assert_eq(&publishing.error(""));
    assert_eq!(publishing.uploads(), 2);
}

#[test]
fn a_crate_that_is_called_token_is_not_taken_for_a_missing_one() {
    let mut world = World::with("", "12.0.0", "## 12.0.0\n\nUnreleased.\n");
    let registry = world.registry(Rules::default());
    world.commit("main", "Tag it", &[]);
    world.git("origin.git", &["tag", "v12.0.0", "main"]);
    world.check_out("v12.0.0");
    // As cargo 1.96 says of a crate that it does not get to.
    let says =
        "error: no packages ready to publish but 1 packages remain in plan: tokenizer v12.0.0";
    let once = world.path("once").display().to_string();
    let real = format!("{}/cargo", support::train::toolchain());
    world.wrap("cargo", &format!("[ \"$1\" = publish ] && [ ! -e {once} ] && touch {once} && echo '{says}' >&2 && exit 1\nexec {real} \"$@\""));
    world.done("publish");
    drop(registry);
}

#[test]
fn an_index_that_needs_a_token_is_said_before_anything_is_made() {
    let publishing = Publishing::new(&["a"], Rules::default());
    let config: &str =
        "{\"dl\":\"http://localhost/\",\"api\":\"http://localhost\",\"auth-required\":true}";
    let rules = requests("/index/config.json", |_| {
        Some(Failure::Instead(config.into()))
    });
    let publishing = publishing.again(rules);
    expect![
        "error: registry `rehearsal`: $INDEX/ asks for a token, and an index is read without one"
    ]
    .assert_eq(&publishing.error(""));
}

#[test]
fn the_proxy_of_cargos_own_variable_is_used() {
    let mut publishing = Publishing::new(&["a"], Rules::default());
    publishing
        .env
        .push(("CARGO_HTTP_PROXY".into(), "http://127.0.0.1:1".into()));
    let error = publishing.error("--timeout 0");
    assert!(error.contains("what is published is unknown"), "{error}");
}

#[test]
fn a_registry_that_does_not_answer_is_named_within_seconds() {
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", silent.local_addr().unwrap());
    let mut publishing = Publishing::new(&["a"], Rules::default());
    publishing.env.push(("CARGO_HTTP_PROXY".into(), proxy));
    let mut publish = publishing.xtask("--timeout 600");
    let begun = Instant::now();
    let mut child = publish.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.ends_with(": asked for 600 s\n"), "{line}");
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

#[test]
fn what_git_did_not_check_out_is_not_published() {
    let publishing = Publishing::new(&["a", "b"], Rules::default());
    let git = |line: &str| publishing.git(line);
    let leave_out = |name: &str, pattern: &str| {
        publishing.member(name, "1.0.0", &format!("exclude = [\"{pattern}\"]\n"));
    };
    publishing.tag();
    // The repository itself stands for a library.
    let add = "-c protocol.file.allow=always submodule --quiet add";
    let library = publishing.file("").with_file_name("origin.git");
    let add = format!("{add} {}", library.display());
    git(&format!("{add} a/vendor"));
    git(&format!("{add} docs"));
    publishing.tag();
    git("submodule --quiet deinit --force --all");
    expect!["error: a/vendor: a submodule that is not checked out: run `git submodule update --init --recursive`, or pass `submodules: recursive` to actions/checkout"]
        .assert_eq(&publishing.error(""));
    leave_out("a", "vendor");
    // What is not there yet is no file of a crate; of these, `b` has one.
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n";
    publishing.tree.write("b/data.bin", pointer);
    publishing
        .tree
        .write("b/tests.bin", &format!("a text about\n{pointer}"));
    publishing.tree.write("data.bin", pointer);
    publishing.tree.write("shared/linked.bin", pointer);
    let linked = publishing.tree.path().join("b/linked.bin");
    std::os::unix::fs::symlink("../shared/linked.bin", linked).unwrap();
    expect!["error: b/data.bin: a pointer of Git LFS, not the file: run `git lfs pull`, or pass `lfs: true` to actions/checkout"]
        .assert_eq(&publishing.error(""));
    let mut verify = publishing.command(env!("CARGO_BIN_EXE_xtask"), "verify --fast");
    let said = text(&verify.output().unwrap().stderr);
    for file in ["data", "linked"] {
        let found = format!("b/{file}.bin: a pointer of Git LFS");
        assert!(said.contains(&found), "{said}");
    }
    assert_eq!(publishing.uploads(), 0);
    leave_out("b", "*.bin");
    publishing.done("");
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0"]);
}
