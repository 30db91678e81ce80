//! `publish`: real cargo against a real registry, which lags, limits, fails and forgets.

mod support;

use std::collections::HashMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use expect_test::expect;
use support::publishing::{Failure, Publishing, Rules, package, uploads};
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

fn refused(status: u16, text: &str) -> Option<Failure> {
    Some(Failure::Refused(status, text.to_string()))
}

/// The last line without what differs from run to run.
fn error(said: &str) -> String {
    said.lines().last().unwrap().to_string()
}

fn calls_of_cargo(said: &str) -> usize {
    said.lines()
        .filter(|line| line.starts_with("$ cargo publish "))
        .count()
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
fn nothing_is_missing_afterwards_and_a_second_run_finds_nothing_to_do() {
    let publishing = Publishing::new(&["b: a", "a", "c: b"], Rules::default());
    let said = publishing.done("");
    expect![[r#"
        rehearsal: 3 of 3 crates are missing
        $ cargo publish --no-verify --registry rehearsal --package b@1.0.0 --package a@1.0.0 --package c@1.0.0
            Updating `rehearsal` index
           Packaging a v1.0.0 (/dev/shm/.tmpCcpQ8K/a)
            Packaged 4 files, 1002B (684B compressed)
           Packaging b v1.0.0 (/dev/shm/.tmpCcpQ8K/b)
            Updating `rehearsal` index
            Packaged 4 files, 1.2KiB (820B compressed)
           Packaging c v1.0.0 (/dev/shm/.tmpCcpQ8K/c)
            Updating `rehearsal` index
            Packaged 4 files, 1.4KiB (886B compressed)
           Uploading a v1.0.0 (/dev/shm/.tmpCcpQ8K/a)
            Uploaded a v1.0.0 to registry `rehearsal`
        note: waiting for a v1.0.0 to be available at registry `rehearsal`.
              2 remaining crates to be published
           Published a v1.0.0 at registry `rehearsal`
           Uploading b v1.0.0 (/dev/shm/.tmpCcpQ8K/b)
            Uploaded b v1.0.0 to registry `rehearsal`
        note: waiting for b v1.0.0 to be available at registry `rehearsal`.
              1 remaining crate to be published
           Published b v1.0.0 at registry `rehearsal`
           Uploading c v1.0.0 (/dev/shm/.tmpCcpQ8K/c)
            Uploaded c v1.0.0 to registry `rehearsal`
        note: waiting for c v1.0.0 to be available at registry `rehearsal`
        help: you may press ctrl-c to skip waiting; the crate should be available shortly
           Published c v1.0.0 at registry `rehearsal`
        rehearsal has all 3 crates
    "#]]
    .assert_eq(&said);
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    expect![[r#"
        rehearsal has all 3 crates
    "#]]
    .assert_eq(&publishing.done(""));
    assert_eq!(publishing.uploads(), 3);
    publishing.consumer_builds("c = \"1\"\n");
}

#[test]
fn dead_after_crate_3_of_8_it_is_started_again_and_finishes() {
    let publishing = killed_at_upload(&CHAIN, 3, false, Duration::ZERO);
    assert_eq!(publishing.published(), ["c1 1.0.0", "c2 1.0.0", "c3 1.0.0"]);
    let publishing = publishing.again(Rules::default());
    let said = publishing.done("");
    assert!(
        said.starts_with("rehearsal: 5 of 8 crates are missing\n"),
        "{said}"
    );
    assert!(
        said.contains("Uploaded c4 v1.0.0") && said.contains("Uploaded c8 v1.0.0"),
        "{said}"
    );
    assert_eq!((publishing.published().len(), publishing.uploads()), (8, 5));
    publishing.consumer_builds("c8 = \"1\"\n");
}

#[test]
fn killed_after_the_registry_took_it_and_before_the_index_shows_it() {
    let publishing = killed_at_upload(&["a", "b: a"], 0, true, Duration::from_secs(3));
    while publishing.published().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = publishing.done("");
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0"]);
    // It was sent a second time, and the registry's no was taken for what it is.
    assert!(calls_of_cargo(&said) >= 2, "{said}");
    assert!(!said.contains("refused"), "{said}");
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
fn the_rate_limit_is_waited_out_to_the_date_that_the_registry_names() {
    let begun = Instant::now();
    let mut date = Command::new("date");
    date.env("LC_ALL", "C")
        .args(["-u", "-d", "+4 seconds", "+%a, %d %b %Y %H:%M:%S GMT"]);
    let date = text(&date.output().unwrap().stdout).trim().to_string();
    let limit = format!(
        "You have published too many updates to existing crates in a short period of time. Please try again after {date} and see https://crates.io/docs/rate-limits for more details."
    );
    let publishing = Publishing::new(
        &["a", "b", "c"],
        uploads(move |count| (count == 1).then(|| refused(429, &limit))?),
    );
    let said = publishing.done("");
    assert!(
        said.contains("too many updates") && said.contains("\nwaiting until then, "),
        "{said}"
    );
    assert_eq!(
        (calls_of_cargo(&said), publishing.uploads()),
        (2, 4),
        "{said}"
    );
    // The date is in whole seconds.
    assert!(begun.elapsed() > Duration::from_secs(3));
    assert_eq!(publishing.published().len(), 3);
}

#[test]
fn a_date_that_has_passed_and_still_a_limit_is_no_reason_to_ask_without_end() {
    let limit = "You have published too many new crates in a short period of time. Please try again after Tue, 30 Jul 2024 05:25:39 GMT and see https://crates.io/docs/rate-limits for more details.";
    let publishing = Publishing::new(&["a"], uploads(|_| refused(429, limit)));
    let said = publishing.refused("--patience 2");
    assert!(
        error(&said).starts_with("error: no progress for 2 s: "),
        "{said}"
    );
    assert!(calls_of_cargo(&said) <= 4, "{said}");
}

#[test]
fn the_daily_limit_ends_it_at_once() {
    let limit = "You have published too many versions of this crate in the last 24 hours";
    let publishing = Publishing::new(
        &["a", "b: a"],
        uploads(|count| {
            if count == 1 {
                refused(429, limit)
            } else {
                None
            }
        }),
    );
    let said = publishing.refused("");
    expect![[r#"
        left: `b` 1.0.0: not sent
        error: `b`: status 429 Too Many Requests: You have published too many versions of this crate in the last 24 hours: waiting does not help today; 1 of 2 crates are left, and the same command goes on from there"#]]
    .assert_eq(said.trim_end().split_once("[1/2] a 1.0.0\n").unwrap().1);
}

#[test]
fn stored_but_the_reply_was_lost() {
    let publishing = Publishing::new(
        &["a", "b: a", "c: b"],
        uploads(|count| (count == 1).then_some(Failure::Unanswered)),
    );
    let said = publishing.done("");
    assert_eq!(
        (publishing.published().len(), calls_of_cargo(&said)),
        (3, 2),
        "{said}"
    );
}

#[test]
fn stored_but_the_reply_was_cut_off_and_the_index_lags() {
    let mut rules = uploads(|count| (count == 1).then_some(Failure::Truncated));
    rules.delay = Duration::from_secs(1);
    let publishing = Publishing::new(&["a", "b: a", "c: b"], rules);
    publishing.done("");
    assert_eq!(publishing.published().len(), 3);
}

#[test]
fn a_connection_that_was_lost_and_a_server_that_stumbled_are_tried_again() {
    let publishing = Publishing::new(
        &["a", "b: a", "c: b"],
        uploads(|count| match count {
            1 => Some(Failure::Lost),
            2 => refused(500, "oops"),
            3 => refused(503, "busy"),
            _ => None,
        }),
    );
    let said = publishing.done("");
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.0", "c 1.0.0"]);
    assert_eq!(calls_of_cargo(&said), 4, "{said}");
}

#[test]
fn it_gives_up_in_the_end_and_names_each_crate_that_is_left_and_why() {
    let publishing = Publishing::new(
        &["a", "b: a", "c: b"],
        uploads(|count| {
            if count > 0 {
                refused(500, "oops")
            } else {
                None
            }
        }),
    );
    let summary = publishing.folder().join("summary");
    let mut publishing = publishing;
    publishing
        .env
        .push(("GITHUB_STEP_SUMMARY".into(), summary.display().to_string()));
    let said = publishing.refused("--patience 2");
    expect![""].assert_eq(
        &said
            .lines()
            .skip_while(|line| !line.starts_with("left"))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    expect![[r#"


        | rehearsal | version | |
        |---|---|---|
        | a | 1.0.0 | published |
        | b | 1.0.0 | **not sent** |
        | c | 1.0.0 | **not sent** |
    "#]]
    .assert_eq(&fs::read_to_string(summary).unwrap());
}

#[test]
fn wasmtime_11313_a_brand_new_crate_that_the_token_may_not_create_stops_only_what_needs_it() {
    let old = Publishing::new(&["a", "b"], Rules::default());
    old.done("");
    for (file, text) in [
        ("Cargo.toml", root("a b new user z")),
        ("a/Cargo.toml", package("a", "1.0.1", "")),
        ("b/Cargo.toml", package("b", "1.0.1", "")),
        ("new/Cargo.toml", package("new", "1.0.1", "")),
        (
            "user/Cargo.toml",
            package(
                "user",
                "1.0.1",
                "[dependencies]\nnew = { path = \"../new\", version = \"1\" }\n",
            ),
        ),
        (
            "z/Cargo.toml",
            package(
                "z",
                "1.0.1",
                "[dependencies]\nuser = { path = \"../user\", version = \"1\" }\n",
            ),
        ),
        ("new/src/lib.rs", String::new()),
        ("user/src/lib.rs", String::new()),
        ("z/src/lib.rs", String::new()),
    ] {
        old.tree.write(file, &text);
    }
    let text = "Trusted Publishing tokens do not support creating new crates. Publish the crate manually, first";
    let fault = move |_: &str, path: &str, _: usize| {
        if path.contains("/new new ") {
            refused(403, text)
        } else {
            None
        }
    };
    let publishing = old.again(Rules {
        fault: Some(Box::new(fault)),
        ..Rules::default()
    });
    let said = publishing.refused("");
    expect![[r#"
        rehearsal: 5 of 5 crates are missing
        error: failed to publish new v1.0.1 to registry at http://127.0.0.1:40419

        note: the following crates have not been published yet:

        Caused by:
        error: the remote server responded with an error (status 403 Forbidden): Trusted Publishing tokens do not support creating new crates. Publish the crate manually, first; once that is settled, run this again"#]].assert_eq(&said.lines().filter(|line| !line.starts_with(['[', '$', ' '])).collect::<Vec<_>>().join("\n"));
    assert_eq!(
        publishing.published(),
        ["a 1.0.0", "a 1.0.1", "b 1.0.0", "b 1.0.1"]
    );
}

#[test]
fn a_token_that_outlives_its_half_hour_is_named_and_a_second_job_finishes() {
    let publishing = Publishing::new(
        &["a", "b: a", "c: b"],
        uploads(|count| {
            if count >= 2 {
                refused(403, "Invalid authentication token")
            } else {
                None
            }
        }),
    );
    let said = publishing.refused("");
    expect!["error: the remote server responded with an error (status 403 Forbidden): Invalid authentication token; once that is settled, run this again"].assert_eq(&error(&said));
    assert_eq!(publishing.uploads(), 3);
    let publishing = publishing.again(Rules::default());
    publishing.done("");
    assert_eq!(publishing.published().len(), 3);
}

#[test]
fn a_token_that_is_not_taken_at_all_is_an_error_at_once() {
    let publishing = Publishing::new(
        &["a", "b"],
        uploads(|_| refused(403, "authentication failed")),
    );
    expect!["error: the remote server responded with an error (status 403 Forbidden): authentication failed; once that is settled, run this again"].assert_eq(&error(&publishing.refused("")));
    assert_eq!(publishing.uploads(), 1);
    let names = ["a", "b", "c", "d", "e"];
    let old = Publishing::new(&names, Rules::default());
    old.done("");
    for name in names {
        old.tree
            .write(&format!("{name}/Cargo.toml"), &package(name, "1.0.1", ""));
    }
    let may_not = "this token does not have the required permissions to perform this action";
    let publishing = old.again(uploads(move |_| refused(403, may_not)));
    expect!["error: the remote server responded with an error (status 403 Forbidden): this token does not have the required permissions to perform this action; once that is settled, run this again"].assert_eq(&error(&publishing.refused("")));
    assert_eq!(publishing.uploads(), 3);
    let publishing = Publishing::new(&["a"], Rules::default());
    let output = publishing
        .xtask("")
        .env_remove("CARGO_REGISTRIES_REHEARSAL_TOKEN")
        .output()
        .unwrap();
    expect!["error: no token found for `rehearsal`, please run `cargo login --registry rehearsal`: or use environment variable CARGO_REGISTRIES_REHEARSAL_TOKEN; 1 of 1 crates are left, and the same command goes on from there"].assert_eq(&error(&text(&output.stderr)));
}

#[test]
fn wasmtime_11090_an_index_that_answers_500_is_not_one_without_the_crate() {
    let broken = |until: usize| {
        let asked = Mutex::new(0);
        let fault = move |_: &str, path: &str, _: usize| {
            let mut asked = asked.lock().unwrap();
            *asked += usize::from(path == "/index/1/a");
            if path == "/index/1/a" && *asked <= until {
                refused(500, "oops")
            } else {
                None
            }
        };
        Rules {
            fault: Some(Box::new(fault)),
            ..Rules::default()
        }
    };
    let publishing = Publishing::new(&["a", "b"], broken(usize::MAX));
    let said = publishing.refused("--patience 1");
    let port = publishing.registry.index().replace("sparse+", "");
    expect![[r#"
        error: INDEX/1/a: status 500; what is published cannot be known
    "#]]
    .assert_eq(&said.replace(&port, "INDEX/"));
    assert_eq!(publishing.uploads(), 0);
    let publishing = Publishing::new(&["a", "b"], broken(2));
    publishing.done("");
    assert_eq!(publishing.published().len(), 2);
}

#[test]
fn an_answer_of_the_index_that_breaks_off_is_asked_for_again() {
    let before = Publishing::new(&["a", "b"], Rules::default());
    before.done("");
    let asked = Mutex::new(HashMap::<String, usize>::new());
    let fault = move |_: &str, path: &str, _: usize| {
        let mut asked = asked.lock().unwrap();
        let count = asked.entry(path.to_string()).or_default();
        *count += 1;
        match *count {
            1 => Some(Failure::Truncated),
            2 => Some(Failure::Lost),
            _ => None,
        }
    };
    let publishing = before.again(Rules {
        fault: Some(Box::new(fault)),
        ..Rules::default()
    });
    assert!(publishing.done("").contains("has all"));
}

#[test]
fn what_the_index_denies_and_cargo_finds_there_is_published() {
    let before = Publishing::new(&["a", "b: a"], Rules::default());
    before.done("");
    let asked = Mutex::new(0);
    let fault = move |_: &str, path: &str, _: usize| {
        let mut asked = asked.lock().unwrap();
        *asked += usize::from(path == "/index/1/a");
        if path == "/index/1/a" && *asked == 1 {
            refused(404, "not found")
        } else {
            None
        }
    };
    let publishing = before.again(Rules {
        fault: Some(Box::new(fault)),
        ..Rules::default()
    });
    let said = publishing.done("");
    assert!(
        said.contains("1 of 2 crates are missing") && calls_of_cargo(&said) == 1,
        "{said}"
    );
    assert_eq!(publishing.uploads(), 0);
}

#[test]
fn no_patience_is_too_long() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.done(&format!("--patience {}", u64::MAX));
    assert_eq!(publishing.published(), ["a 1.0.0"]);
}

#[test]
fn every_kind_of_dependency_arrives_as_it_was_meant() {
    let files = [
        (
            "Cargo.toml",
            root("z-base build-help target-help dev-help user cycle-a cycle-b"),
        ),
        (
            "z-base/Cargo.toml",
            package("z-base", "1.0.0", "[features]\nextra = []\n"),
        ),
        ("build-help/Cargo.toml", package("build-help", "1.0.0", "")),
        (
            "target-help/Cargo.toml",
            package("target-help", "1.0.0", ""),
        ),
        ("dev-help/Cargo.toml", package("dev-help", "1.0.0", "")),
        (
            "user/build.rs",
            "fn main() { build_help::help() }\n".to_string(),
        ),
        (
            "user/Cargo.toml",
            package(
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
            ),
        ),
        (
            "cycle-a/Cargo.toml",
            package(
                "cycle-a",
                "1.0.0",
                "[dev-dependencies]\ncycle-b = { path = \"../cycle-b\" }\n",
            ),
        ),
        (
            "cycle-b/Cargo.toml",
            package(
                "cycle-b",
                "1.0.0",
                "[dependencies]\ncycle-a = { path = \"../cycle-a\", version = \"1\" }\n",
            ),
        ),
    ];
    let publishing = Publishing::with(&files, Rules::default());
    publishing
        .tree
        .write("build-help/src/lib.rs", "pub fn help() {}\n");
    publishing.tree.write(
        "z-base/src/lib.rs",
        "#[cfg(feature = \"extra\")]\npub fn extra() {}\n",
    );
    publishing
        .tree
        .write("user/src/lib.rs", "pub fn user() { renamed::extra(); }\n");
    let said = publishing.done("");
    let _ = said;
    publishing.consumer_builds("user = \"1\"\ncycle-b = \"1\"\n");
}

#[test]
fn wasmtime_966b347faa_no_list_by_hand_sixty_crates_in_twelve_layers() {
    let names: Vec<String> = (0..60)
        .map(|at| {
            let (layer, place) = (at / 5, at % 5);
            let needs =
                (0..2).map(|other| format!("c{}", 99 - (layer * 5 - 5 + (place + other) % 5)));
            format!(
                "c{}: {}",
                99 - at,
                if layer == 0 {
                    String::new()
                } else {
                    needs.collect::<Vec<_>>().join(" ")
                }
            )
        })
        .rev()
        .collect();
    let names: Vec<&str> = names
        .iter()
        .map(|name| name.trim_end_matches(": "))
        .collect();
    let publishing = Publishing::new(&names, Rules::default());
    let said = publishing.done("");
    assert!(
        said.contains("60 of 60 crates are missing") && calls_of_cargo(&said) == 1,
        "{said}"
    );
    assert_eq!(
        (publishing.published().len(), publishing.uploads()),
        (60, 60)
    );
    publishing.consumer_builds("c40 = \"1\"\n");
}

#[test]
fn wasmtime_9422_a_patch_of_an_old_line_is_asked_for_by_its_own_version() {
    let newer = Publishing::new(&["a", "b: a"], Rules::default());
    for version in ["2.0.0", "1.0.1"] {
        newer.tree.write("a/Cargo.toml", &package("a", version, ""));
        let needs = format!("[dependencies]\na = {{ path = \"../a\", version = \"{version}\" }}\n");
        newer
            .tree
            .write("b/Cargo.toml", &package("b", version, &needs));
        newer.done("");
    }
    assert_eq!(
        newer.published(),
        ["a 1.0.1", "a 2.0.0", "b 1.0.1", "b 2.0.0"]
    );
    // Half of it is there.
    newer.tree.write("Cargo.toml", &root("a b c"));
    newer.tree.write("c/Cargo.toml", &package("c", "1.0.1", ""));
    newer.tree.write("c/src/lib.rs", "");
    let said = newer.done("");
    assert!(said.contains("1 of 3 crates are missing"), "{said}");
}

#[test]
fn a_version_that_is_yanked_is_there() {
    let publishing = Publishing::new(&["a"], Rules::default());
    publishing.done("");
    let yank = publishing
        .command("cargo", "yank --registry rehearsal a@1.0.0")
        .output()
        .unwrap();
    assert!(yank.status.success(), "{}", text(&yank.stderr));
    assert!(publishing.done("").contains("has all"));
}

#[test]
fn crates_that_are_not_published_and_those_of_another_version_line() {
    let files = [
        (
            "Cargo.toml",
            root("a own inner") + "[workspace.metadata.release-train]\nindependent = [\"own\"]\n",
        ),
        (
            "a/Cargo.toml",
            package(
                "a",
                "3.0.0",
                "[dev-dependencies]\ninner = { path = \"../inner\" }\n",
            ),
        ),
        ("own/Cargo.toml", package("own", "0.4.2", "")),
        (
            "inner/Cargo.toml",
            package("inner", "3.0.0", "publish = false\n"),
        ),
    ];
    let publishing = Publishing::with(&files, Rules::default());
    publishing.done("");
    assert_eq!(publishing.published(), ["a 3.0.0", "own 0.4.2"]);
}

#[test]
fn wasmtime_6427_a_readme_that_is_missing_is_found_before_anything_is_sent() {
    let files = [
        ("Cargo.toml", root("a b")),
        ("a/Cargo.toml", package("a", "1.0.0", "")),
        (
            "b/Cargo.toml",
            package("b", "1.0.0", "readme = \"README.md\"\n"),
        ),
    ];
    let publishing = Publishing::with(&files, Rules::default());
    let said = publishing.refused("");
    expect!["error: readme `README.md` does not appear to exist (relative to `$TREE/b`).: Please update the readme setting in the manifest at `$TREE/b/Cargo.toml`.; 2 of 2 crates are missing"].assert_eq(&error(&said).replace(&publishing.tree.path().display().to_string(), "$TREE"));
    assert_eq!((publishing.uploads(), calls_of_cargo(&said)), (0, 2));
}

#[test]
fn what_the_registry_refuses_for_good_is_sent_once() {
    let files = [
        ("Cargo.toml", root("a b")),
        ("a/Cargo.toml", package("a", "1.0.0", "")),
        ("b/Cargo.toml", support::package("b", "1.0.0")),
    ];
    let publishing = Publishing::with(&files, Rules::default());
    let said = publishing.refused("");
    expect![""].assert_eq(
        &said
            .lines()
            .skip_while(|line| !line.starts_with("left"))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    assert_eq!(publishing.uploads(), 2);
}

#[test]
fn owners_are_added_to_what_is_published_for_the_first_time() {
    let owners = "[workspace.metadata.release-train]\nowners = [\"github:org:team\", \"alice\"]\n";
    let old = Publishing::new(&["a"], Rules::default());
    old.done("");
    let manifest = root("a b") + owners;
    for (file, text) in [
        ("Cargo.toml", &*manifest),
        ("a/Cargo.toml", &package("a", "1.0.1", "")),
        ("b/Cargo.toml", &package("b", "1.0.1", "")),
        ("b/src/lib.rs", ""),
    ] {
        old.tree.write(file, text);
    }
    let may_not = |method: &str, path: &str, _: usize| {
        if path.ends_with("/owners") && method == "PUT" {
            refused(
                403,
                "this token does not have the required permissions to perform this action",
            )
        } else {
            None
        }
    };
    let publishing = old.again(Rules {
        fault: Some(Box::new(may_not)),
        ..Rules::default()
    });
    let said = publishing.done("");
    expect![[r#"
        $ cargo owner --registry rehearsal --add github:org:team b
        owner github:org:team of b: status 403 Forbidden: this token does not have the required permissions to perform this action; someone who may do it runs: cargo owner --registry rehearsal --add github:org:team b
        $ cargo owner --registry rehearsal --add alice b
        owner alice of b: status 403 Forbidden: this token does not have the required permissions to perform this action; someone who may do it runs: cargo owner --registry rehearsal --add alice b
    "#]].assert_eq(said.split_once("[2/2] b 1.0.1\n").unwrap().1);
    // Whoever may runs it again, or was interrupted there.
    let publishing = publishing.again(Rules::default());
    let list = || {
        text(
            &publishing
                .command("cargo", "owner --registry rehearsal --list b")
                .output()
                .unwrap()
                .stdout,
        )
    };
    assert_eq!(list(), "");
    publishing
        .command(
            "cargo",
            "owner --registry rehearsal --add github:org:team b",
        )
        .output()
        .unwrap();
    expect![[r#"
        nothing to do: rehearsal has all 2 crates
        $ cargo owner --registry rehearsal --add github:org:team b
        $ cargo owner --registry rehearsal --add alice b
    "#]]
    .assert_eq(&publishing.done(""));
    assert_eq!(list(), "github:org:team\nalice\n");
    assert_eq!(
        text(
            &publishing
                .command("cargo", "owner --registry rehearsal --list a")
                .output()
                .unwrap()
                .stdout
        ),
        ""
    );
}

#[test]
fn the_registry_is_the_one_that_is_named_or_the_only_one_allowed_or_cargos_default() {
    let index = |publishing: &Publishing| publishing.registry.index();
    let other = |publishing: &mut Publishing, name: &str, index: String| {
        publishing
            .env
            .push((format!("CARGO_REGISTRIES_{name}_INDEX"), index));
        publishing.env.push((
            format!("CARGO_REGISTRIES_{name}_TOKEN"),
            "secret-token".into(),
        ));
    };
    // Named, and in the environment alone.
    let company = Publishing::new(&[], Rules::default());
    let mut publishing = Publishing::new(&["a"], Rules::default());
    other(&mut publishing, "THE_COMPANY", index(&company));
    publishing.done("--registry the-company");
    assert_eq!(
        (company.published().len(), publishing.published().len()),
        (1, 0)
    );
    // The default of the environment goes before that of the files.
    publishing
        .env
        .push(("CARGO_REGISTRY_DEFAULT".into(), "the-company".into()));
    assert!(publishing.done("").contains("the-company has all"));
    publishing.env.pop();
    publishing.done("");
    assert_eq!(publishing.published().len(), 1);
    // A crate that may not go to the default is not left out in silence, and nothing else is sent.
    publishing.tree.write("Cargo.toml", &root("a b"));
    publishing.tree.write(
        "a/Cargo.toml",
        &package("a", "1.0.1", "publish = [\"the-company\"]\n"),
    );
    publishing
        .tree
        .write("b/Cargo.toml", &package("b", "1.0.1", ""));
    publishing.tree.write("b/src/lib.rs", "");
    expect![[r#"
        error: `a` may not go to registry `rehearsal`, by its `publish`: use --registry
    "#]]
    .assert_eq(&publishing.refused(""));
    publishing.done("--registry the-company");
    assert_eq!(company.published(), ["a 1.0.0", "a 1.0.1", "b 1.0.1"]);
    assert!(
        publishing
            .done("--registry rehearsal")
            .starts_with("not for registry `rehearsal`, by their `publish`: a\n")
    );
    assert_eq!(publishing.published(), ["a 1.0.0", "b 1.0.1"]);
    // Without a default, the only one that the crates allow.
    publishing.tree.write(
        "b/Cargo.toml",
        &package("b", "1.0.2", "publish = [\"the-company\"]\n"),
    );
    publishing.tree.write(
        "a/Cargo.toml",
        &package("a", "1.0.2", "publish = [\"the-company\"]\n"),
    );
    let config = publishing
        .registry
        .configuration()
        .replace("default = \"rehearsal\"", "");
    fs::write(publishing.folder().join("config.toml"), config).unwrap();
    publishing.done("");
    assert_eq!(company.published().len(), 5);
    expect![[r#"
        error: `a`, `b` may not go to registry `rehearsal`, by their `publish`: name the right one with --registry
    "#]]
    .assert_eq(&publishing.refused("--registry rehearsal"));
    // What another file says is not known here.
    publishing
        .tree
        .write(".cargo/config.toml", "include = [\"more.toml\"]\n");
    publishing.tree.write(".cargo/more.toml", "");
    let folder = publishing
        .tree
        .path()
        .canonicalize()
        .unwrap()
        .display()
        .to_string();
    expect![[r#"
        error: $TREE/.cargo/config.toml: what it includes is not looked at here: set CARGO_REGISTRY_DEFAULT, or name the --registry
    "#]].assert_eq(&publishing.refused("").replace(&folder, "$TREE"));
}

#[test]
fn what_changes_in_the_checkout_while_it_waits_is_not_published() {
    let publishing = Publishing::new(
        &["a", "b: a"],
        uploads(|count| (count == 1).then(|| Failure::Refused(500, "oops".into()))),
    );
    let manifest = publishing.tree.path().join("b/Cargo.toml");
    let later = publishing.tree.read("b/Cargo.toml").replace(
        "version = \"1.0.0\"\nedition",
        "version = \"2.0.0\"\nedition",
    );
    let fault = uploads(move |count| {
        (count == 1).then(|| {
            fs::write(&manifest, &later).unwrap();
            Failure::Refused(500, "oops".to_string())
        })
    });
    let publishing = publishing.again(fault);
    let said = publishing.refused("--patience 3");
    assert_eq!(publishing.published(), ["a 1.0.0"], "{said}");
    assert!(error(&said).contains("b@1.0.0"), "{said}");
}

#[test]
fn a_member_that_git_ignores_and_a_change_are_not_in_the_commit_that_is_published() {
    let mut world = World::released();
    let registry = world.registry(Rules::default());
    world.check_out("v12.0.0");
    fs::write(world.path("clone/a/src/lib.rs"), "// changed\n").unwrap();
    expect!["error: `a/src/lib.rs` is not committed: what goes out must be a commit"]
        .assert_eq(&world.refused("publish"));
    world.git("clone", &["checkout", "-q", "."]);
    let ignored = "\n/scratch\n";
    let root = fs::read_to_string(world.path("clone/Cargo.toml"))
        .unwrap()
        .replace("[\"a\", \"b\"]", "[\"a\", \"b\", \"scratch\"]");
    fs::write(world.path("clone/.git/info/exclude"), ignored).unwrap_or_else(|_| {
        fs::create_dir_all(world.path("clone/.git/info")).unwrap();
        fs::write(world.path("clone/.git/info/exclude"), ignored).unwrap();
    });
    fs::create_dir_all(world.path("clone/scratch/src")).unwrap();
    fs::write(world.path("clone/scratch/src/lib.rs"), "").unwrap();
    fs::write(
        world.path("clone/scratch/Cargo.toml"),
        package("scratch", "12.0.0", ""),
    )
    .unwrap();
    world.git(
        "clone",
        &[
            "update-index",
            "--assume-unchanged",
            "Cargo.toml",
            "Cargo.lock",
        ],
    );
    fs::write(world.path("clone/Cargo.toml"), root).unwrap();
    expect!["error: scratch/Cargo.toml: `scratch` is not in the commit"]
        .assert_eq(&world.refused("publish"));
    assert!(!registry.log().iter().any(|line| line.starts_with("PUT")));
}

#[test]
fn new_crates_that_are_refused_do_not_stand_in_the_way_of_the_others() {
    let old = Publishing::new(&["y", "z"], Rules::default());
    old.done("");
    let names = ["a", "b", "c", "y", "z"];
    old.tree.write("Cargo.toml", &root(&names.join(" ")));
    for name in names {
        old.tree
            .write(&format!("{name}/Cargo.toml"), &package(name, "1.0.1", ""));
        old.tree.write(&format!("{name}/src/lib.rs"), "");
    }
    let new = |path: &str| {
        ["a", "b", "c"]
            .iter()
            .any(|name| path.contains(&format!("/new {name} ")))
    };
    let fault = move |_: &str, path: &str, _: usize| {
        if new(path) {
            refused(
                403,
                "this token does not have the required permissions to perform this action",
            )
        } else {
            None
        }
    };
    let publishing = old.again(Rules {
        fault: Some(Box::new(fault)),
        ..Rules::default()
    });
    let said = publishing.refused("");
    assert_eq!(
        publishing.published(),
        ["y 1.0.0", "y 1.0.1", "z 1.0.0", "z 1.0.1"],
        "{said}"
    );
}

#[test]
fn an_index_that_cargo_finds_behind_is_asked_again() {
    let before = Publishing::new(&["a"], Rules::default());
    before.done("");
    before.tree.write("Cargo.toml", &root("a b"));
    before.tree.write(
        "b/Cargo.toml",
        &package(
            "b",
            "1.0.0",
            "[dependencies]\na = { path = \"../a\", version = \"1\" }\n",
        ),
    );
    before.tree.write("b/src/lib.rs", "");
    // We see `a`; cargo does not, for its first questions.
    let asked = Mutex::new(0);
    let fault = move |_: &str, path: &str, _: usize| {
        let mut asked = asked.lock().unwrap();
        *asked += usize::from(path == "/index/1/a");
        if path == "/index/1/a" && (2..6).contains(&*asked) {
            refused(404, "not found")
        } else {
            None
        }
    };
    let publishing = before.again(Rules {
        fault: Some(Box::new(fault)),
        ..Rules::default()
    });
    let said = publishing.done("");
    assert!(
        calls_of_cargo(&said) > 2 && publishing.published().len() == 2,
        "{said}"
    );
}

#[test]
fn a_limit_whose_date_is_always_ahead_ends_with_the_patience() {
    let publishing = Publishing::new(
        &["a"],
        uploads(|_| {
            let mut date = Command::new("date");
            date.env("LC_ALL", "C")
                .args(["-u", "-d", "+2 seconds", "+%a, %d %b %Y %H:%M:%S GMT"]);
            let date = text(&date.output().unwrap().stdout);
            refused(
                429,
                &format!(
                    "You have published too many new crates in a short period of time. Please try again after {} and see",
                    date.trim()
                ),
            )
        }),
    );
    let said = publishing.refused("--patience 1");
    assert!(
        error(&said).contains("no progress for 1 s") && calls_of_cargo(&said) <= 4,
        "{said}"
    );
}

#[test]
fn a_version_that_differs_in_its_build_metadata_alone_is_no_other() {
    let publishing = Publishing::with(
        &[
            ("Cargo.toml", &root("a")),
            ("a/Cargo.toml", &package("a", "1.0.0+one", "")),
        ],
        Rules::default(),
    );
    publishing.done("");
    publishing
        .tree
        .write("a/Cargo.toml", &package("a", "1.0.0+two", ""));
    expect![[r#"
        rehearsal: 0 of 1 crates are there, 0 are missing, in 0 layers
        left: `a` 1.0.0+two: refused: rehearsal has 1.0.0+one, which is the same version
        error: the registry refuses what is left; 1 of 1 crates are left, and the same command goes on from there
    "#]]
    .assert_eq(&publishing.refused(""));
}

#[test]
fn a_registry_that_cannot_be_asked_is_a_clear_error() {
    let mut publishing = Publishing::new(&["a"], Rules::default());
    expect![[r#"
        error: registry `company`: CARGO_REGISTRIES_COMPANY_INDEX: environment variable not found
    "#]]
    .assert_eq(&publishing.refused("--registry company"));
    for (index, expected) in [
        (
            "https://example.com/index.git",
            expect![[r#"
                error: registry `company`: https://example.com/index.git is no sparse index
            "#]],
        ),
        (
            "nonsense",
            expect![[r#"
                error: registry `company`: nonsense is no sparse index
            "#]],
        ),
    ] {
        publishing.env = vec![("CARGO_REGISTRIES_COMPANY_INDEX".into(), index.into())];
        expected.assert_eq(&publishing.refused("--registry company"));
    }
    let closed = |status: u16, text: &'static str| {
        let fault = move |_: &str, path: &str, _: usize| {
            if path.ends_with("config.json") {
                refused(status, text)
            } else {
                None
            }
        };
        Publishing::new(
            &["a"],
            Rules {
                fault: Some(Box::new(fault)),
                ..Rules::default()
            },
        )
    };
    let said = |publishing: Publishing| {
        publishing.refused("--patience 0").replace(
            &publishing.registry.index().replace("sparse+", ""),
            "INDEX/",
        )
    };
    expect![[r#"
        error: INDEX/config.json: status 401; what is published cannot be known
    "#]]
    .assert_eq(&said(closed(401, "who are you")));
    expect![[r#"
        error: registry `rehearsal`: INDEX/ has no config.json
    "#]]
    .assert_eq(&said(closed(404, "what is that")));
    expect![[r#"
        error: INDEX/config.json: status 500; what is published cannot be known
    "#]]
    .assert_eq(&said(closed(500, "oops")));
    publishing.tree.write(".cargo/config.toml", "[registry\n");
    assert!(publishing.refused("").contains("config.toml"));
}

#[test]
fn a_member_that_another_one_names_without_a_path_goes_into_the_registry_before_it() {
    let needs = "[dependencies]\na = \"1.0.0\"\n";
    let files = [
        (
            "Cargo.toml",
            root("b a c") + "[patch.crates-io]\na = { path = \"a\" }\n",
        ),
        ("RELEASES.md", "## 1.0.0\n\nUnreleased.\n".to_string()),
        ("a/Cargo.toml", package("a", "1.0.0", "")),
        ("b/Cargo.toml", package("b", "1.0.0", needs)),
        (
            "c/Cargo.toml",
            package(
                "c",
                "1.0.0",
                "[dependencies]\nb = { path = \"../b\", version = \"1.0.0\" }\n",
            ),
        ),
    ];
    let publishing = Publishing::with(&files, Rules::default());
    for line in [
        "init -q",
        "add .",
        "-c user.name=A -c user.email=a@example.com commit -qm Begin",
    ] {
        assert!(publishing.command("git", line).status().unwrap().success());
    }
    let said = publishing.done("--patience 5");
    assert_eq!(
        publishing.published(),
        ["a 1.0.0", "b 1.0.0", "c 1.0.0"],
        "{said}"
    );
    assert_eq!(publishing.uploads(), 3);
}

#[test]
fn a_trial_never_goes_to_crates_io() {
    let mut publishing = Publishing::new(&["a"], Rules::default());
    publishing
        .env
        .push(("CARGO_REGISTRY_DEFAULT".into(), "crates-io".into()));
    let expected = expect![
        "error: --allow-untagged is for a registry of your own, and what crates.io has stays there: say --registry NAME, or tag the commit\n"
    ];
    expected.assert_eq(&publishing.refused(""));
    expected.assert_eq(&publishing.refused("--registry crates-io"));
    publishing.env.clear();
    publishing.done("");
}

#[test]
fn only_the_commit_that_carries_the_tag_is_published() {
    let world = World::proposed();
    world.git("clone", &["fetch", "-q"]);
    expect!["error: origin has no tag v12.0.0: `cargo xtask push-tag` comes first"]
        .assert_eq(&world.refused("publish"));
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    expect!["error: v12.0.0 is at MERGED, not at HEAD: check it out, `git checkout v12.0.0`"]
        .assert_eq(&world.refused("publish").replace(&merged, "MERGED"));
    world.git("clone", &["fetch", "-q"]);
    world.git("clone", &["checkout", "-q", &merged]);
    // The tag is the remote's; the next question is for the registry.
    let mut world = world;
    world
        .env
        .push(("CARGO_REGISTRY_DEFAULT".into(), "nowhere".into()));
    expect![
        "error: registry `nowhere`: set CARGO_REGISTRIES_NOWHERE_INDEX to the address of its index, sparse+https://..."
    ]
    .assert_eq(&world.refused("publish"));
}

#[test]
fn the_registry_of_the_tests_is_as_strict_as_the_real_one() {
    let publishing = Publishing::new(&["a"], Rules::default());
    // A request without a User-Agent (#11090).
    use std::io::{Read, Write};
    let address = publishing
        .registry
        .index()
        .replace("sparse+http://", "")
        .replace("/index/", "");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .write_all(b"GET /index/config.json HTTP/1.1\r\n\r\n")
        .unwrap();
    let mut answer = [0; 100];
    let length = stream.read(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer[..length]).starts_with("HTTP/1.1 403 "));
    // Of the letter `a` repeated so often, by `sha256sum`: around the length at which the padding needs a block more.
    for (length, sum) in [
        (
            0,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            55,
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318",
        ),
        (
            56,
            "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a",
        ),
        (
            63,
            "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34",
        ),
        (
            64,
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
        ),
        (
            1000,
            "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3",
        ),
    ] {
        assert_eq!(support::sha256::sha256("a".repeat(length).as_bytes()), sum);
    }
}
