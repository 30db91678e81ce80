//! The permissions, environments, secrets, pins and schedules of the workflows, read from their files. `workflows.rs`
//! executes them.

mod support;

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use serde_json::{Map, Value, json};
use support::workflows::{HERE, pin, read, workflows};
use yaml_rust2::{Yaml, YamlLoader};

/// A file as YAML 1.2, in which `on` is a word.
fn parse(file: &str) -> Value {
    fn value(yaml: &Yaml) -> Value {
        match yaml {
            Yaml::Hash(map) => {
                let mut object = Map::new();
                for (key, of) in map {
                    object.insert(key.as_str().unwrap().to_string(), value(of));
                }
                object.into()
            }
            Yaml::Array(list) => list.iter().map(value).collect(),
            Yaml::Boolean(yes) => json!(yes),
            Yaml::Integer(number) => json!(number),
            Yaml::Null => Value::Null,
            other => json!(other.as_str().unwrap()),
        }
    }
    value(&YamlLoader::load_from_str(&read(file)).unwrap()[0])
}

fn workflow(name: &str) -> Value {
    parse(&format!(".github/workflows/{name}.yml"))
}

/// Each job, as `workflow/job`.
fn jobs() -> Vec<(String, Value)> {
    let mut jobs = Vec::new();
    for file in workflows() {
        let workflow = Path::new(&file).file_stem().unwrap().to_str().unwrap();
        for (name, job) in parse(&file)["jobs"].as_object().unwrap() {
            jobs.push((format!("{workflow}/{name}"), job.clone()));
        }
    }
    jobs
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_array().map_or(&[], Vec::as_slice)
}

fn script(step: &Value) -> &str {
    step["run"].as_str().unwrap_or_default()
}

/// The names of the jobs for which something holds.
fn jobs_where(holds: impl Fn(&Value) -> bool) -> Vec<String> {
    let mut jobs = jobs();
    jobs.retain(|(_, job)| holds(job));
    jobs.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn each_job_has_the_permissions_that_it_needs_and_no_more() {
    let mut list = String::new();
    for (name, job) in jobs() {
        let permissions = job["permissions"].as_object();
        let permissions = permissions.unwrap_or_else(|| panic!("{name} has the default ones"));
        list += &format!("{name}:");
        for (what, how) in permissions {
            list += &format!(" {what}={}", how.as_str().unwrap());
        }
        list += "\n";
    }
    expect![[r#"
        check-branches/check: actions=write contents=read pull-requests=read
        check-branches/report: issues=write
        cut/report: issues=write
        cut/start: actions=write
        dist/complete:
        dist/dist: contents=read
        dist/targets: contents=read
        main/build: contents=read
        main/ci:
        main/dist: contents=read
        main/lint: contents=read
        main/release: contents=read
        main/report: issues=write
        main/test: contents=read
        push-tag/ci: contents=read issues=write
        push-tag/find: actions=read contents=read
        push-tag/report: issues=write
        push-tag/tag: actions=write contents=write
        release-checks/rehearse: contents=read
        release-checks/verify: contents=read
        release-latest/report: issues=write
        release-latest/start: actions=write
        release-process/propose: actions=read checks=read contents=write pull-requests=write statuses=read
        release-process/report: issues=write
        release-tag/attest: attestations=write id-token=write
        release-tag/dist: contents=read
        release-tag/github-release: contents=write
        release-tag/publish: contents=read id-token=write
        release-tag/report: issues=write
        release-tag/sync-notes: contents=write pull-requests=write
        release-tag/tool: contents=read
        release-tag/yank: contents=read
        report-failure/report: issues=write
    "#]]
    .assert_eq(&list);
    for file in workflows() {
        assert_eq!(parse(&file)["permissions"], json!({}), "{file}");
        // Each permission has its reason beside it.
        for line in read(&file).lines() {
            let bare = line.ends_with(": read") || line.ends_with(": write");
            assert!(!bare || line.contains("permission-"), "{file}: {line}");
        }
    }
}

#[test]
fn the_apps_token_can_write_what_the_job_can_and_no_more() {
    for (name, job) in jobs() {
        for step in steps(&job) {
            let uses = step["uses"].as_str().unwrap_or_default();
            if !uses.starts_with("actions/create-github-app-token@") {
                continue;
            }
            let mut permissions = Map::new();
            for (input, value) in step["with"].as_object().unwrap() {
                let of = input.strip_prefix("permission-");
                permissions.extend(of.map(|of| (of.to_string(), value.clone())));
            }
            let mut own = job["permissions"].as_object().unwrap().clone();
            own.retain(|_, how| how == "write");
            assert_eq!(permissions, own, "{name}");
        }
    }
}

#[test]
fn a_called_workflow_asks_for_no_permission_that_its_caller_lacks() {
    for (name, job) in jobs() {
        let Some(called) = job["uses"].as_str() else {
            continue;
        };
        for (_, called) in parse(&called[2..])["jobs"].as_object().unwrap() {
            for (what, how) in called["permissions"].as_object().unwrap() {
                assert_eq!(job["permissions"][what], *how, "{name}: {what}");
            }
        }
    }
}

#[test]
fn a_secret_is_in_its_environment_alone_and_never_where_something_is_built() {
    let with = |secret: &str| jobs_where(|job| job.to_string().contains(secret));
    let within = |environment: &str| jobs_where(|job| job["environment"] == environment);
    let with_app = [
        "push-tag/tag",
        "release-process/propose",
        "release-tag/sync-notes",
    ];
    let publish = ["release-tag/publish"];
    assert_eq!(with("secrets.CARGO_REGISTRY_TOKEN"), publish);
    assert_eq!(with("secrets.YANK_TOKEN"), ["release-tag/yank"]);
    assert_eq!(with("secrets.RELEASE_APP_KEY"), with_app);
    assert_eq!(within("release"), publish);
    assert_eq!(within("yank"), ["release-tag/yank"]);
    assert_eq!(within("proposals"), with_app);
    assert!(jobs_where(|job| !job["secrets"].is_null()).is_empty());
    for (name, job) in jobs() {
        let has_token = |value: &Value| {
            let text = value.to_string().replace("!secrets.", "");
            ["secrets.", "github.token", "outputs.token"]
                .iter()
                .any(|token| text.contains(token))
        };
        assert!(!has_token(&job["env"]), "{name}: a build would see it");
        let mut built = false;
        for step in steps(&job) {
            let run = script(step);
            let builds = run == "cargo build --locked --package xtask --bin xtask";
            // A step of a job with `id-token` can ask for an identity, whatever its environment is.
            if job["permissions"]["id-token"] == "write" {
                assert!(!builds && !run.contains("cargo "), "{name}: {run}");
            } else if has_token(&step["env"]) {
                assert!(built || !run.contains("cargo "), "{name}: {run}");
                assert!(!builds, "{name}: the tool is built beside a token");
            }
            built |= builds;
        }
    }
}

#[test]
fn no_script_holds_an_expression_and_no_checkout_keeps_credentials() {
    for (name, job) in jobs() {
        for step in steps(&job) {
            assert!(!script(step).contains("${{"), "{name}: {step}");
            let uses = step["uses"].as_str().unwrap_or_default();
            if uses.starts_with("actions/checkout@") {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}");
            }
        }
    }
}

#[test]
fn every_action_is_pinned_to_the_commit_of_a_version() {
    for file in workflows() {
        for line in read(&file).lines() {
            let Some((_, uses)) = line.split_once(" uses: ") else {
                continue;
            };
            if !uses.starts_with("./") {
                let (action, rest) = uses.split_once('@').unwrap();
                let (commit, version) = rest.split_once(" # v").expect(line);
                let hex = commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(hex && commit.len() == 40 && !version.is_empty(), "{line}");
                assert_eq!(pin(action), commit, "{file}");
            }
        }
    }
}

#[test]
fn wasmtime_3512_the_train_runs_on_the_5th_and_the_20th_with_two_retries() {
    for (name, cron) in [
        ("cut", "17 7 5-7 * *"),
        ("release-latest", "17 7 20-22 * *"),
        ("check-branches", "43 4 * * 1"),
    ] {
        assert_eq!(workflow(name)["on"]["schedule"], json!([{ "cron": cron }]));
    }
    for file in workflows() {
        assert!(!read(&file).contains("event.schedule"), "{file}");
    }
}

#[test]
fn wasmtime_4476_a_release_is_never_cancelled_by_a_newer_one_and_required_checks_always_come() {
    for file in workflows() {
        let workflow = parse(&file);
        let events: Vec<&String> = workflow["on"].as_object().unwrap().keys().collect();
        let cancels = &workflow["concurrency"]["cancel-in-progress"];
        if file.ends_with("/main.yml") {
            let only = "${{ github.event_name == 'pull_request' }}";
            assert_eq!(cancels, only);
        } else if events != ["workflow_call"] {
            assert_eq!(cancels, false, "{file}");
        }
    }
    let main = workflow("main");
    for event in ["pull_request", "merge_group", "push"] {
        let event = main["on"].get(event).expect(event);
        assert!(event["paths"].is_null(), "{event}");
    }
    let mut jobs: Vec<&str> = vec!["ci", "report"];
    for name in main["jobs"]["ci"]["needs"].as_array().unwrap() {
        jobs.push(name.as_str().unwrap());
    }
    jobs.sort();
    let all: Vec<&String> = main["jobs"].as_object().unwrap().keys().collect();
    let mut all: Vec<&str> = all.into_iter().map(String::as_str).collect();
    all.sort();
    assert_eq!(jobs, all, "the required check stands for every job");
}

#[test]
fn wasmtime_13329_a_failure_is_never_ignored_and_every_job_of_a_release_is_reported() {
    for file in workflows() {
        assert!(!read(&file).contains("continue-on-error"), "{file}");
    }
    for name in [
        "check-branches",
        "cut",
        "push-tag",
        "release-latest",
        "release-process",
        "release-tag",
    ] {
        let jobs = workflow(name)["jobs"].clone();
        let needs = jobs["report"]["needs"].to_string();
        for job in jobs.as_object().unwrap().keys() {
            let reported = job == "report" || needs.contains(&format!("\"{job}\""));
            assert!(reported, "{name}: {job}");
        }
    }
}

#[test]
fn a_release_is_of_the_ref_of_its_run_and_nothing_else_names_a_tag() {
    let release = workflow("release-tag");
    assert_eq!(release["on"], json!({ "workflow_dispatch": null }));
    assert_eq!(
        release["concurrency"]["group"],
        "release-tag-${{ github.ref }}"
    );
    let main = "${{ github.event.repository.default_branch }}";
    for (name, job) in release["jobs"].as_object().unwrap() {
        assert!(job["with"]["ref"].is_null(), "{name}");
        for step in steps(job) {
            let expected = match name.as_str() {
                "sync-notes" if step["with"]["fetch-depth"] == 0 => json!(main),
                _ => Value::Null,
            };
            assert_eq!(step["with"]["ref"], expected, "{name}");
        }
        // All others wait for the job that refuses a branch.
        assert_eq!(name == "tool", job["needs"].is_null(), "{name}");
    }
    let first = &release["jobs"]["tool"]["steps"][0];
    assert_eq!(first["if"], "github.ref_type != 'tag'");
}

#[test]
fn artifacts_are_passed_on_by_id_and_each_target_has_an_output_of_its_own() {
    for (name, job) in jobs() {
        for step in steps(&job) {
            let uses = step["uses"].as_str().unwrap_or_default();
            if uses.starts_with("actions/download-artifact@") {
                let ids = step["with"]["artifact-ids"].as_str().unwrap_or_default();
                assert!(ids.starts_with("${{ needs."), "{name}");
                assert!(step["with"]["name"].is_null() && step["with"]["pattern"].is_null());
            }
        }
    }
    let dist = &workflow("dist")["jobs"]["dist"];
    let mut outputs = json!({});
    for index in 0..20 {
        let id = format!("id{index}");
        outputs[&id] = json!(format!("${{{{ steps.id.outputs.{id} }}}}"));
    }
    assert_eq!(dist["outputs"], outputs);
}

#[test]
fn wasmtime_13275_no_workflow_calls_a_file_or_a_task_that_does_not_exist() {
    let mut tasks = Vec::new();
    for (name, job) in jobs() {
        if let Some(file) = job["uses"].as_str() {
            assert!(Path::new(HERE).join(file).exists(), "{name}: {file}");
        }
        for line in steps(&job).iter().flat_map(|step| script(step).lines()) {
            if let Some((_, rest)) = line.split_once("xtask ") {
                tasks.push(rest.split(' ').next().unwrap().to_string());
            }
        }
    }
    let inputs = &workflow("release-process")["on"]["workflow_dispatch"]["inputs"];
    for task in inputs["task"]["options"].as_array().unwrap() {
        tasks.push(task.as_str().unwrap().to_string());
    }
    tasks.retain(|task| !["\"$TASK\"", "--bin"].contains(&&**task));
    assert!(tasks.len() > 10, "{tasks:?}");
    for task in tasks {
        let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let output = xtask.args([&task, "--help"]).output();
        assert!(output.unwrap().status.success(), "{task}");
    }
}
