//! What the workflows may do, read in their files: permissions, environments, secrets, pins, schedules. They are executed in
//! `workflows.rs`.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use serde_json::{Map, Value, json};
use support::workflows::{HERE, pin, workflows};
use yaml_rust2::{Yaml, YamlLoader};

/// A file as YAML 1.2 has it: `on` is a word.
fn read(file: &Path) -> Value {
    fn value(yaml: &Yaml) -> Value {
        match yaml {
            Yaml::Hash(map) => map
                .iter()
                .map(|(key, of)| (key.as_str().unwrap().to_string(), value(of)))
                .collect::<Map<_, _>>()
                .into(),
            Yaml::Array(list) => list.iter().map(value).collect::<Vec<_>>().into(),
            Yaml::Boolean(yes) => json!(yes),
            Yaml::Integer(number) => json!(number),
            Yaml::Null => Value::Null,
            other => json!(other.as_str().unwrap()),
        }
    }
    value(&YamlLoader::load_from_str(&fs::read_to_string(file).unwrap()).unwrap()[0])
}

/// Each job, with the file and the name that it has.
fn jobs() -> Vec<(String, Value)> {
    let mut jobs = Vec::new();
    for file in workflows() {
        let workflow = file.file_stem().unwrap().to_str().unwrap().to_string();
        for (name, job) in read(&file)["jobs"].as_object().unwrap() {
            jobs.push((format!("{workflow}/{name}"), job.clone()));
        }
    }
    jobs
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().map_or(&[], Vec::as_slice)
}

/// The jobs for which something holds.
fn which(holds: impl Fn(&Value) -> bool) -> Vec<String> {
    jobs()
        .into_iter()
        .filter(|(_, job)| holds(job))
        .map(|(name, _)| name)
        .collect()
}

#[test]
fn each_job_may_do_what_it_says_and_no_more() {
    let permissions = |(name, job): &(String, Value)| {
        let may = job["permissions"]
            .as_object()
            .unwrap_or_else(|| panic!("{name} has what a default gives"));
        let may = may
            .iter()
            .map(|(what, how)| format!(" {what}={}", how.as_str().unwrap()))
            .collect::<String>();
        format!("{name}:{may}\n")
    };
    expect![[r#"
        check-branches/check: actions=write contents=read issues=write
        check-branches/report: contents=read issues=write
        dist/dist: contents=read
        main/build: contents=read
        main/ci:
        main/dist: contents=read
        main/lint: contents=read
        main/rehearse: contents=read
        main/test: contents=read
        main/verify: contents=read
        push-tag/attest: attestations=write id-token=write
        push-tag/ci: contents=read
        push-tag/dist: contents=read
        push-tag/draft: contents=write
        push-tag/find: contents=read
        push-tag/public: contents=write
        push-tag/publish: contents=read id-token=write
        push-tag/report: contents=read issues=write
        push-tag/sync-notes: contents=write pull-requests=write
        push-tag/tag: contents=write
        push-tag/yank: contents=read
        release-process/propose: actions=read checks=read contents=write issues=read pull-requests=write statuses=read
        release-process/report: contents=read issues=write
    "#]]
    .assert_eq(&jobs().iter().map(permissions).collect::<String>());
    for file in workflows() {
        assert_eq!(read(&file)["permissions"], json!({}), "{}", file.display());
        // Each permission has its reason beside it.
        for line in fs::read_to_string(&file).unwrap().lines() {
            let bare = [": read", ": write"]
                .iter()
                .any(|what| line.starts_with("      ") && line.ends_with(what));
            assert!(!bare, "{}: {line}", file.display());
        }
    }
}

#[test]
fn a_secret_is_in_its_environment_alone_and_never_where_something_is_built() {
    let with = |secret: &'static str| {
        which(move |job| job.to_string().contains(&format!("secrets.{secret}")))
    };
    let within = |environment: &'static str| which(move |job| job["environment"] == environment);
    assert_eq!(with("CARGO_REGISTRY_TOKEN"), ["push-tag/publish"]);
    assert_eq!(with("YANK_TOKEN"), ["push-tag/yank"]);
    assert_eq!(
        (within("release"), within("yank")),
        (with("CARGO_REGISTRY_TOKEN"), with("YANK_TOKEN"))
    );
    assert_eq!(
        with("RELEASE_TOKEN"),
        ["push-tag/sync-notes", "release-process/propose"]
    );
    assert_eq!(within("proposals"), with("RELEASE_TOKEN"));
    assert_eq!(
        which(|job| job["secrets"] == "inherit"),
        Vec::<String>::new()
    );
    for (name, job) in jobs() {
        let holds = |value: &Value| {
            let text = value.to_string().replace("!secrets.", "");
            text.contains("secrets.")
                || text.contains("github.token")
                || text.contains("outputs.token")
        };
        assert!(!holds(&job["env"]), "{name}: what is built would see it");
        // A step of a job with `id-token` can ask for an identity, whatever its environment is.
        let runs = |what: &str| {
            steps(&job)
                .iter()
                .any(|step| step["run"].as_str().unwrap_or_default().contains(what))
        };
        if job["permissions"]["id-token"] == "write" {
            assert!(
                !runs("cargo build") && !runs("cargo xtask"),
                "{name}: something is built beside an identity"
            );
            continue;
        }
        let Some(first) = steps(&job).iter().position(|step| holds(&step["env"])) else {
            continue;
        };
        let builds = |step: &Value| {
            step["run"] == "cargo build --locked --package xtask" && step["env"].is_null()
        };
        assert!(
            steps(&job)[..first].iter().any(builds),
            "{name}: the tool is built where a secret is"
        );
    }
}

#[test]
fn nothing_stands_in_a_script_but_commands_and_no_checkout_keeps_credentials() {
    for (name, job) in jobs() {
        for step in steps(&job) {
            let run = step["run"].as_str().unwrap_or_default();
            assert!(!run.contains("${{"), "{name}: {run}");
            if step["uses"]
                .as_str()
                .unwrap_or_default()
                .starts_with("actions/checkout@")
            {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}");
            }
        }
    }
    for file in workflows() {
        for line in fs::read_to_string(&file).unwrap().lines().filter(|line| {
            line.trim_start()
                .trim_start_matches("- ")
                .starts_with("uses: ")
        }) {
            let (_, uses) = line.split_once("uses: ").unwrap();
            let pinned = || {
                let (action, rest) = uses.split_once('@')?;
                let (commit, tag) = rest.split_once(" # v")?;
                let hex = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                (hex && !tag.is_empty() && pin(action) == commit).then_some(())
            };
            assert!(
                uses.starts_with("./") || pinned().is_some(),
                "{}: {line}",
                file.display()
            );
        }
    }
}

#[test]
fn wasmtime_3512_the_days_are_the_5th_and_the_20th_with_two_more_and_a_fork_has_none() {
    let crons = |file: &str| {
        let schedule =
            read(&Path::new(HERE).join(".github/workflows").join(file))["on"]["schedule"].clone();
        let crons = schedule
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["cron"].as_str().unwrap().to_string());
        crons.collect::<Vec<String>>()
    };
    assert_eq!(
        crons("release-process.yml"),
        ["17 7 5-7 * *", "17 7 20-22 * *"]
    );
    assert_eq!(crons("check-branches.yml"), ["43 4 * * 1"]);
    let task =
        &read(&Path::new(HERE).join(".github/workflows/release-process.yml"))["jobs"]["propose"];
    assert!(
        task.to_string()
            .contains("github.event.schedule == '17 7 5-7 * *' && 'cut' || 'release-latest'"),
        "{task}"
    );
    for name in [
        "release-process/propose",
        "check-branches/check",
        "push-tag/find",
    ] {
        let (_, job) = jobs().into_iter().find(|(job, _)| job == name).unwrap();
        assert!(
            job["if"]
                .as_str()
                .unwrap()
                .contains("!github.event.repository.fork"),
            "{name}"
        );
    }
}

#[test]
fn wasmtime_4476_a_release_is_never_cancelled_by_a_newer_one_and_required_checks_always_come() {
    for file in workflows() {
        let concurrency = &read(&file)["concurrency"];
        match file.file_name().unwrap().to_str().unwrap() {
            "main.yml" => {
                let only = "${{ github.event_name == 'pull_request' }}";
                assert_eq!(concurrency["cancel-in-progress"], only);
            }
            "dist.yml" => assert!(concurrency.is_null(), "it is part of its caller"),
            other => assert_eq!(concurrency["cancel-in-progress"], false, "{other}"),
        }
    }
    let main = read(&Path::new(HERE).join(".github/workflows/main.yml"));
    let on = main["on"].as_object().unwrap();
    for event in [
        "pull_request",
        "merge_group",
        "push",
        "workflow_call",
        "workflow_dispatch",
    ] {
        assert!(
            on.contains_key(event) && on[event]["paths"].is_null(),
            "{event}"
        );
    }
    let mut needs: Vec<&str> = main["jobs"]["ci"]["needs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    needs.push("ci");
    needs.sort();
    let mut all: Vec<&String> = main["jobs"].as_object().unwrap().keys().collect();
    all.sort();
    assert_eq!(needs, all, "the required check stands for every job");
}

#[test]
fn wasmtime_13329_a_step_that_fails_is_never_passed_over() {
    for file in workflows() {
        assert!(
            !fs::read_to_string(&file)
                .unwrap()
                .contains("continue-on-error"),
            "{}",
            file.display()
        );
    }
    // A release that stays a draft is a failure of the job that is to make it public.
    let (_, public) = jobs()
        .into_iter()
        .find(|(name, _)| name == "push-tag/public")
        .unwrap();
    assert!(steps(&public).iter().any(|step| {
        step.to_string()
            .contains("cargo xtask github-release --public")
    }));
}

#[test]
fn what_follows_from_a_tag_is_done_at_the_tag_whatever_branches_are_called() {
    for file in workflows() {
        for line in fs::read_to_string(&file)
            .unwrap()
            .lines()
            .filter(|line| line.contains("ref: "))
        {
            assert!(
                !line.contains("outputs.tag") || line.contains("ref: refs/tags/"),
                "{}: {line}",
                file.display()
            );
        }
    }
}

#[test]
fn wasmtime_13275_no_workflow_calls_what_is_not_there() {
    for (name, job) in jobs() {
        let uses = job["uses"]
            .as_str()
            .into_iter()
            .chain(steps(&job).iter().filter_map(|step| step["uses"].as_str()));
        for called in uses.filter_map(|uses| uses.strip_prefix("./")) {
            assert!(
                Path::new(HERE).join(called).exists(),
                "{name} calls {called}"
            );
        }
        // Every task that is called is one.
        for line in steps(&job)
            .iter()
            .filter_map(|step| step["run"].as_str())
            .flat_map(str::lines)
        {
            let Some(task) = line
                .split_once("cargo xtask ")
                .map(|(_, rest)| rest.split(' ').next().unwrap())
            else {
                continue;
            };
            if task != "\"$TASK\"" {
                let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
                    .args([task, "--help"])
                    .output();
                assert!(output.unwrap().status.success(), "{name}: {line}");
            }
        }
    }
    let dispatch = &read(&Path::new(HERE).join(".github/workflows/release-process.yml"))["on"]["workflow_dispatch"];
    for task in dispatch["inputs"]["task"]["options"].as_array().unwrap() {
        let help = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args([task.as_str().unwrap(), "--help"])
            .output();
        assert!(help.unwrap().status.success(), "{task}");
    }
}
