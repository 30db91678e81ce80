//! The workflows of `.github/workflows`, executed by `act` on this machine, without a network, in a sandbox: each scenario
//! asserts what exists afterwards. Third-party actions are stubs; the steps, conditions, inputs, outputs and matrices are
//! those of the files. What `act` does not check is in `workflow_files.rs`.
//!
//! `unshare -rn sh -c 'ip link set lo up && cargo test --test workflows -- --ignored'`, with `act` on the PATH.

mod support;

use std::fs;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use support::registry::{Registry, Rules};
use support::text;
use support::train::{Merge, World};
use support::workflows::{pin, read, workflows};

/// Stands for the crate of the tool, which takes long to build: it starts the real one.
const TOOL: &str = r#"use std::env;
use std::process::{Command, exit};

fn main() {
    let tool = env::var_os("XTASK").expect("XTASK is the tool");
    let status = Command::new(tool).args(env::args_os().skip(1)).status();
    exit(status.unwrap().code().unwrap_or(1));
}
"#;

/// The third-party actions, each with what it does here.
const STUBS: [(&str, &str); 6] = [
    (
        "actions/checkout",
        r#"
    - env: { REF: "${{ inputs.ref || github.sha }}", DEPTH: "${{ inputs.fetch-depth }}", PERSIST: "${{ inputs.persist-credentials }}" }
      shell: bash
      run: |
        [ "$PERSIST" = false ]
        "$GIT" init -q . && "$GIT" remote add origin "file://$ORIGIN"
        if [ "$DEPTH" = 0 ]; then
          "$GIT" fetch -q origin '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'
        else
          # act may lose the output right before the end of a step.
          "$GIT" fetch -q --depth="${DEPTH:-1}" origin "refs/heads/$REF" || "$GIT" fetch -q --depth="${DEPTH:-1}" origin "$REF" || { sleep 0.5; exit 1; }
          REF=FETCH_HEAD
        fi
        if "$GIT" rev-parse -q --verify "refs/remotes/origin/$REF"; then "$GIT" checkout -q -B "$REF" "origin/$REF"
        else "$GIT" checkout -q --detach "$REF"; fi"#,
    ),
    // An artifact is a folder with the name of its id. If the file `planted` exists, each upload plants two more, newer ones.
    (
        "actions/upload-artifact",
        r#"
    - id: stub
      env: { NAME: "${{ inputs.name }}", FILES: "${{ inputs.path }}", MISSING: "${{ inputs.if-no-files-found }}" }
      shell: bash
      run: |
        shopt -s nullglob; files=($FILES)
        if [ ${#files[@]} = 0 ]; then [ "$MISSING" = ignore ] || exit 1; exit 0; fi
        add() { mkdir -p "$WORLD/artifacts"; id=100; until mkdir "$WORLD/artifacts/$id"; do id=$((id + 1)); done
          mkdir "$WORLD/artifacts/$id/$1"; cp "${@:2}" "$WORLD/artifacts/$id/$1"; }
        add "$NAME" "${files[@]}"
        echo "artifact-id=$id" >> "$GITHUB_OUTPUT"
        if [ -e "$WORLD/planted" ]; then
          printf '#!/bin/sh\necho evil\nexit 1\n' > xtask-evil; cp xtask-evil target/dist-evil.tar.gz; mkdir -p evil; mv xtask-evil evil/xtask
          add tool evil/xtask; add dist-evil target/dist-evil.tar.gz
        fi"#,
    ),
    // Of a name or a pattern, it takes what is newest, as the real one does.
    (
        "actions/download-artifact",
        r#"
    - env: { IDS: "${{ inputs.artifact-ids }}", PATTERN: "${{ inputs.pattern || inputs.name }}", TO: "${{ inputs.path }}" }
      shell: bash
      run: |
        mkdir -p "$TO"
        for id in ${IDS//,/ }; do cp "$WORLD/artifacts/$id"/*/* "$TO"; done
        [ -z "$PATTERN" ] || cp "$WORLD/artifacts"/*/$PATTERN/* "$TO"
        chmod -x "$TO"/*"#,
    ),
    (
        "actions/attest",
        r#"
    - env: { SUBJECT: "${{ inputs.subject-path }}" }
      shell: bash
      run: sha256sum $SUBJECT >> "$WORLD/attested""#,
    ),
    (
        "actions/create-github-app-token",
        r#"
    - id: stub
      env: { APP: "${{ inputs.app-id }}", KEY: "${{ inputs.private-key }}" }
      shell: bash
      run: '[ "$APP $KEY" = "7 app-key" ] && echo "token=app-token" >> "$GITHUB_OUTPUT"'"#,
    ),
    (
        "rust-lang/crates-io-auth-action",
        r#"
    - id: stub
      shell: bash
      run: echo "token=trusted" >> "$GITHUB_OUTPUT""#,
    ),
];

const CHOICES: &str = "xtask/ci.json";
const HOST: &str = "x86_64-unknown-linux-gnu";

/// Our choices with another target: of several, act would lose the outputs of all but one.
fn choices(os: &str, target: &str) -> String {
    let mut choices: Value = serde_json::from_str(&read(CHOICES)).unwrap();
    choices["targets"] = json!([{ "os": os, "target": target }]);
    choices.to_string()
}

struct Github {
    world: World,
    registry: Registry,
    fork: bool,
    private: bool,
    secrets: Vec<&'static str>,
    variables: Vec<&'static str>,
}

impl Github {
    /// A sandbox whose main has the tool and its workflows.
    fn new() -> Github {
        Github::with(World::new())
    }

    fn with(mut world: World) -> Github {
        world.checkout("main");
        let work = world.path("github");
        let manifest = fs::read_to_string(work.join("Cargo.toml")).unwrap();
        let package = "[package]\nname = \"xtask\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n";
        let mut files = vec![
            ("Cargo.toml", manifest.replace("\"b\"", "\"b\", \"xtask\"")),
            ("LICENSE", "Do.\n".to_string()),
            ("b/src/main.rs", "fn main() {}\n".to_string()),
            ("b/src/lib.rs", "//! B.\n".to_string()),
            ("a/src/lib.rs", "#[test]\nfn works() {}\n".to_string()),
            ("xtask/Cargo.toml", package.to_string()),
            ("xtask/src/main.rs", TOOL.to_string()),
            (
                "xtask/src/bin/rehearse/main.rs",
                "fn main() {}\n".to_string(),
            ),
            (".cargo/config.toml", read(".cargo/config.toml")),
            // Only this machine's archive can be built here.
            (CHOICES, choices("ubuntu-latest", HOST)),
        ];
        let flows = workflows();
        for file in &flows {
            files.push((file, read(file)));
        }
        for (file, text) in files {
            fs::create_dir_all(work.join(file).parent().unwrap()).unwrap();
            fs::write(work.join(file), text).unwrap();
        }
        world.commit("main", "Adopt the release train", &[]);
        world.lock();
        let any_commit = ["config", "uploadpack.allowAnySHA1InWant", "true"];
        world.git("origin.git", &any_commit);

        let registry = world.registry(Rules::default());
        world
            .env
            .retain(|(name, _)| name != "CARGO_REGISTRIES_REHEARSAL_TOKEN");
        let variables = [
            ("GH_TOKEN", "a-human".to_string()),
            ("GIT", World::real("git")),
            ("GH", World::real("gh")),
            ("XTASK", env!("CARGO_BIN_EXE_xtask").to_string()),
            ("ORIGIN", world.path("origin.git").display().to_string()),
            ("WORLD", world.path("").display().to_string()),
        ];
        let variables = variables.map(|(name, value)| (name.to_string(), value));
        world.env.extend(variables);
        world.wrap(
            "rustup",
            r#"[ "$1" = component ] || [ "$*" = "default $(jq -r .rust xtask/ci.json)" ] && touch .git/pinned"#,
        );
        // No job runs cargo before it has chosen the toolchain. Nothing is installed. The token for crates.io is recorded, and
        // stands for the one of the sandbox's registry.
        world.wrap(
            "cargo",
            &format!(
                r#"
[ "$GITHUB_ACTIONS" != true ] || [ -e "$GITHUB_WORKSPACE/.git/pinned" ] || exit 1
[ "$1" != install ] || exit 0
[ -z "$CARGO_REGISTRY_TOKEN" ] || {{ export CARGO_REGISTRIES_REHEARSAL_TOKEN="$CARGO_REGISTRY_TOKEN"; echo "$CARGO_REGISTRY_TOKEN cargo $1" >> "$WORLD/tokens"; }}
exec {}/cargo "$@""#,
                support::train::toolchain()
            ),
        );
        world.wrap("cargo-semver-checks", "exit 0");
        // No checkout keeps credentials: git has them in the jobs that tell gh to give them to it.
        world.wrap(
            "git",
            r#"
case "$GITHUB_ACTIONS $1 $PRIVATE" in
  "true push "* | "true fetch true" | "true ls-remote true")
    common=$("$GIT" rev-parse --path-format=absolute --git-common-dir)
    [ -n "$GH_TOKEN" ] && [ -e "$common/authorized" ] ||
      { echo "fatal: could not read Username for 'https://github.com': terminal prompts disabled" >&2; exit 128; };;
esac
# A ruleset lets only the App create tags.
case "$GITHUB_ACTIONS $*" in
  "true push "*:refs/tags/v*) [ ! -e "$WORLD/ruleset" ] || [ "$GH_TOKEN" = app-token ] ||
    { echo "remote: error: GH013: Repository rule violations found for refs/tags" >&2; exit 1; };;
esac
exec "$GIT" "$@""#,
        );
        // GitHub would refuse a job that gives gh no token. The tokens are recorded. The real gh judges the command lines of
        // the workflows, as far as it can without a network; those of the tasks have a test of their own.
        world.wrap(
            "gh",
            r#"
[ -n "$GH_TOKEN" ] || { echo 'gh: To use GitHub CLI in a GitHub Actions workflow, set GH_TOKEN' >&2; exit 4; }
echo "$GH_TOKEN gh $1 $2" >> "$WORLD/tokens"
case "$1 $2" in
  "auth setup-git") exec touch .git/authorized;;
  "repo view"|"issue "*|"workflow run"|"run list")
    [ -e .git ] && export GH_REPO=demo/demo
    GH_HOST=github.invalid GH_ENTERPRISE_TOKEN=none "$GH" "$@" < /dev/null 2>&1 | grep 'error connecting to github.invalid' || exit 1;;
esac >&2
case "$1 $2" in
  "repo view") [ -e "$WORLD/no-issues" ] && echo '{"hasIssuesEnabled":false}' || echo '{"hasIssuesEnabled":true}'; exit;;
  "issue "*) [ ! -e "$WORLD/no-issues" ] || { echo 'the repository has disabled issues' >&2; exit 1; };;
esac
[ -e .git ] || cd "$WORLD/github"
exec "$WORLD/real/gh" "$@""#,
        );
        for (action, step) in STUBS {
            let inputs = "ref fetch-depth persist-credentials name path if-no-files-found overwrite pattern merge-multiple subject-path artifact-ids \
                app-id private-key permission-contents permission-actions permission-pull-requests";
            let inputs = inputs.replace(' ', ": {}\n  ");
            let action_yml = format!(
                "name: stub\ninputs:\n  {inputs}: {{}}\noutputs:\n  token: {{ value: \"${{{{ steps.stub.outputs.token }}}}\" }}\n  \
                 artifact-id: {{ value: \"${{{{ steps.stub.outputs.artifact-id }}}}\" }}\n\
                 runs:\n  using: composite\n  steps:{step}\n"
            );
            fs::create_dir_all(world.path("stubs").join(action)).unwrap();
            fs::write(
                world.path("stubs").join(action).join("action.yml"),
                action_yml,
            )
            .unwrap();
        }
        Github {
            world,
            registry,
            fork: false,
            private: false,
            secrets: vec!["YANK_TOKEN=yank-token"],
            variables: vec!["YANK_CANDIDATES=true"],
        }
    }

    /// Runs `EVENT WORKFLOW REF`, of a branch or, by its full name, a tag, with the workflow as it is there, and returns
    /// whether it succeeded and its output. The inputs are those of a form.
    fn event(&self, line: &str, inputs: &[(&str, &str)]) -> (bool, String) {
        let begun = Instant::now();
        let world = &self.world;
        let [name, workflow, reference] = *line.split(' ').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        for folder in ["run", "cache", "artifacts"] {
            let _ = fs::remove_dir_all(world.path(folder));
        }
        let reference = match reference.starts_with("refs/") {
            true => reference.to_string(),
            false => format!("refs/heads/{reference}"),
        };
        world.git("", &["clone", "-q", "origin.git", "run"]);
        world.git("run", &["fetch", "-q", "origin", &reference]);
        world.git("run", &["checkout", "-q", "--detach", "FETCH_HEAD"]);
        let url = "https://github.com/demo/demo.git";
        world.git("run", &["remote", "set-url", "origin", url]);
        let inputs: Value = inputs.iter().copied().collect();
        let mut event = inputs.clone();
        event["ref"] = json!(reference);
        event["repository"] = json!({ "fork": self.fork, "private": self.private, "default_branch": "main", "name": "demo" });
        event["inputs"] = inputs.clone();
        fs::write(world.path("event.json"), event.to_string()).unwrap();

        let mut act = world.command("run", "act");
        act.env_remove("GH_TOKEN") // a step has what its workflow gives it
            .env("PRIVATE", self.private.to_string())
            .args([name, "--action-offline-mode", "--no-cache-server"])
            .args(["--no-skip-checkout", "--concurrent-jobs", "2"])
            .args(["--secret", "GITHUB_TOKEN=own-token"])
            .arg(format!("--workflows=.github/workflows/{workflow}.yml"))
            .arg("--eventpath")
            .arg(world.path("event.json"))
            .arg("--action-cache-path")
            .arg(world.path("cache"));
        for secret in &self.secrets {
            act.args(["--secret", secret]);
        }
        for variable in &self.variables {
            act.args(["--var", variable]);
        }
        for os in ["ubuntu-latest", "macos-latest", "windows-latest"] {
            act.arg(format!("--platform={os}=-self-hosted"));
        }
        if name == "workflow_dispatch" {
            for (input, value) in inputs.as_object().unwrap() {
                act.arg(format!("--input={input}={}", value.as_str().unwrap()));
            }
        }
        for (action, _) in STUBS {
            let stub = world.path("stubs").join(action);
            let at = format!("{action}@{}={}", pin(action), stub.display());
            act.arg("--local-repository").arg(at);
        }
        let output = act.output().expect("act is not on the PATH");
        let log = text(&output.stdout) + &text(&output.stderr);
        println!("{line}: {:.0} s", begun.elapsed().as_secs_f64());
        if std::env::var_os("SHOW").is_some() {
            println!("{log}");
        }
        (output.status.success(), log)
    }

    fn passes(&self, line: &str, inputs: &[(&str, &str)]) -> String {
        let (passed, log) = self.event(line, inputs);
        assert!(passed, "{log}");
        log
    }

    fn fails(&self, line: &str, inputs: &[(&str, &str)], why: &str) {
        let (passed, log) = self.event(line, inputs);
        assert!(!passed && log.contains(why), "{log}");
    }

    /// Runs a workflow on its schedule, and then the one that it starts.
    fn scheduled(&self, workflow: &str) -> String {
        self.passes(&format!("schedule {workflow} main"), &[]);
        let run = self.last_run();
        assert_eq!(run["workflowName"], "release-process.yml");
        assert_eq!(run["inputs"], json!([format!("task={workflow}")]));
        let dispatch = "workflow_dispatch release-process main";
        self.passes(dispatch, &[("task", workflow)])
    }

    /// The run that was started last.
    fn last_run(&self) -> Value {
        let state = self.world.stand_in();
        state["runs"].as_array().unwrap().last().unwrap().clone()
    }

    /// Runs what a push to the branch of 12.0.0 starts, and then, if that started the release of a tag, the release.
    fn push(&self) -> String {
        let before = self.world.stand_in()["runs"].clone();
        let log = self.passes("push push-tag release-12.0.0", &[]);
        if self.world.stand_in()["runs"] == before {
            return log;
        }
        let run = self.last_run();
        assert_eq!(run["workflowName"], "release-tag.yml");
        log + &self.release(run["headBranch"].as_str().unwrap())
    }

    fn release(&self, tag: &str) -> String {
        let dispatch = format!("workflow_dispatch release-tag refs/tags/{tag}");
        self.passes(&dispatch, &[])
    }

    /// 12.0.0 is cut, dated and merged on its branch; no workflow ran.
    fn merged() -> (Github, String) {
        let github = Github::new();
        github.world.cut("2026-03-05");
        let merged = github.merge_release();
        (github, merged)
    }

    fn merge_release(&self) -> String {
        self.world.done("release-latest --date 2026-03-20");
        self.world.merge("ci/release-12.0.0", Merge::Commit)
    }

    fn break_tests(&self) {
        let broken = "#[test]\nfn works() {\n    panic!();\n}\n";
        self.world
            .commit("release-12.0.0", "Break it", &[("a/src/lib.rs", broken)]);
    }

    /// The token of each call of gh, and of each of cargo that had one for crates.io.
    fn tokens(&self) -> String {
        fs::read_to_string(self.world.path("tokens")).unwrap()
    }

    fn issues(&self) -> Vec<String> {
        let state = self.world.stand_in();
        let issues = state["issues"].as_array().unwrap().iter();
        issues
            .map(|issue| issue["title"].as_str().unwrap().to_string())
            .collect()
    }

    /// A release leaves the tag, one upload per crate, and the public release with its attested files; and no issue.
    fn has_released(&self, version: &str, commit: &str) {
        let tag = format!("v{version}");
        assert_eq!(self.world.refs()[&format!("refs/tags/{tag}")], commit);
        let mut uploads = self.registry.log();
        uploads.retain(|line| line.contains(&format!(" {version} ")));
        uploads.sort();
        assert_eq!(
            uploads,
            ["a", "b"].map(|name| format!("PUT /api/v1/crates/new {name} {version} 200"))
        );
        let state = self.world.stand_in();
        let releases = state["releases"].as_array().unwrap();
        let release = releases.iter().find(|release| release["tag_name"] == *tag);
        let release = release.unwrap();
        assert_eq!(
            (&release["draft"], &state["latest"]),
            (&json!(false), &json!(tag))
        );
        let attested = fs::read_to_string(self.world.path("attested")).unwrap_or_default();
        assert_eq!(attested.is_empty(), self.private);
        let assets = release["assets"].as_array().unwrap();
        assert_eq!(assets.len(), 2, "{assets:?}");
        for asset in assets {
            let digest = asset["digest"].as_str().unwrap().replace("sha256:", "");
            assert!(
                self.private || attested.contains(&digest),
                "{asset}:\n{attested}"
            );
        }
        assert!(self.issues().is_empty());
    }
}

#[test]
#[ignore = "needs act"]
fn the_fifth_cuts_once_and_its_retries_have_nothing_to_do() {
    let github = Github::new();
    let world = &github.world;
    github.scheduled("cut");
    assert!(world.refs().contains_key("refs/heads/release-12.0.0"));
    let open = ["OPEN ci/bump-to-13.0.0 -> main: Bump Demo to 13.0.0"];
    assert_eq!(world.pulls(), open);
    let before = world.state();
    github.scheduled("cut");
    assert_eq!(world.state(), before);
    world.merge("ci/bump-to-13.0.0", Merge::Commit);
    let before = world.state();
    github.scheduled("cut");
    assert_eq!(world.state(), before);
    let tokens = github.tokens();
    assert!(tokens.contains("own-token gh pr create"), "{tokens}");
    assert!(!tokens.contains("a-human"), "{tokens}");
}

#[test]
#[ignore = "needs act"]
fn the_twentieth_proposes_the_release_once_and_a_patch_is_dispatched() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    github.scheduled("release-latest");
    let open = [
        "OPEN ci/release-date-for-12.0.0 -> main: Update release date of Demo 12.0.0",
        "OPEN ci/release-12.0.0 -> release-12.0.0: Release Demo 12.0.0",
    ];
    assert_eq!(world.pulls()[1..], open);
    let before = world.state();
    github.scheduled("release-latest"); // the 21st
    assert_eq!(world.state(), before);

    world.merge("ci/release-12.0.0", Merge::Commit);
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    let before = world.state();
    github.scheduled("release-latest"); // the 22nd
    assert_eq!(world.state(), before);

    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// fixed\n")],
    );
    let patch = [("task", "release-patch"), ("date", "2026-03-27")];
    let main = "workflow_dispatch release-process main";
    github.fails(main, &patch, "`main` is not a release branch");
    github.passes("workflow_dispatch release-process release-12.0.0", &patch);
    let open = ["OPEN ci/release-12.0.1 -> release-12.0.0: Release Demo 12.0.1"];
    assert_eq!(world.pulls()[3..], open);
    assert!(
        world
            .file("ci/release-12.0.1", "RELEASES.md")
            .contains("Released 2026-03-27")
    );
}

#[test]
#[ignore = "needs act"]
fn by_hand_a_branch_can_be_typed_and_all_supported_ones_be_patched_without_changes() {
    let mut github = Github::new();
    github.variables.push("RELEASE_APP_ID=7");
    github.secrets.push("RELEASE_APP_KEY=app-key");
    let world = &github.world;
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    let main = "workflow_dispatch release-process main";
    let typed = [("task", "release-patch"), ("branch", "release-12.0.0")];
    github.fails(main, &typed, "has not changed since v12.0.0");
    assert_eq!(github.issues(), ["release-patch failed"]);
    let all = [
        ("task", "release-patch"),
        ("all-supported", "true"),
        ("allow-empty", "true"),
    ];
    github.passes(main, &all);
    let open = "OPEN ci/release-12.0.1 -> release-12.0.0: Release Demo 12.0.1";
    assert_eq!(world.pulls().pop().unwrap(), open);
    let tokens = github.tokens();
    assert!(tokens.contains("app-token gh pr create"), "{tokens}");
}

#[test]
#[ignore = "needs act"]
fn a_schedule_that_fails_opens_an_issue_even_if_the_tool_does_not_build() {
    let github = Github::new();
    let world = &github.world;
    let broken = [("xtask/src/main.rs", "fn main() {\n")];
    world.commit("main", "Break the tool", &broken);
    let dispatch = "workflow_dispatch release-process main";
    github.fails(dispatch, &[("task", "cut")], "could not compile");
    assert_eq!(github.issues(), ["cut failed"]);
    // Nor does it go unseen if that run cannot be started.
    world.git(
        "github",
        &["rm", "-q", ".github/workflows/release-process.yml"],
    );
    world.wrap("sleep", "exit 0");
    world.set_stand_in(|state| state["runs"] = json!("no list"));
    github.fails(
        "schedule release-latest main",
        &[],
        "Job 'Start release-latest' failed",
    );
    assert_eq!(github.issues(), ["cut failed", "release-latest failed"]);
}

#[test]
#[ignore = "needs act"]
fn a_push_with_a_marked_commit_publishes_its_release_and_one_without_changes_nothing() {
    let (mut github, merged) = Github::merged();
    github.variables.push("RELEASE_APP_ID=7");
    github.secrets.push("RELEASE_APP_KEY=app-key");
    github.push();
    github.has_released("12.0.0", &merged);
    let tokens = github.tokens();
    assert!(tokens.contains("trusted cargo publish"), "{tokens}");
    assert!(tokens.contains("app-token gh workflow run"), "{tokens}");
    let world = &github.world;
    let fix = [("a/src/lib.rs", "// fixed\n")];
    world.commit("release-12.0.0", "Backport a fix", &fix);
    let before = (world.refs(), world.stand_in());
    github.push();
    assert_eq!((world.refs(), world.stand_in()), before);
    github.has_released("12.0.0", &merged);
}

#[test]
#[ignore = "needs act"]
fn a_fix_that_is_pushed_before_its_bump_runs_no_ci_that_the_tag_waits_for() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    world.done("release-latest --date 2026-03-20");
    // Its CI would fail.
    github.break_tests();
    let log = github.push();
    assert!(
        log.contains("nothing to do") && !log.contains("Tests"),
        "{log}"
    );
    let works = [("a/src/lib.rs", "#[test]\nfn works() {}\n")];
    world.commit("release-12.0.0", "Fix it", &works);
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    let log = github.passes("push push-tag release-12.0.0", &[]);
    assert!(log.contains("Tests"), "{log}");
    assert_eq!(world.refs()["refs/tags/v12.0.0"], merged);
    assert_eq!(github.last_run()["headBranch"], "v12.0.0");
    // While the release waits for a reviewer, further pushes neither wait for it nor start it again.
    let runs = world.stand_in()["runs"].clone();
    world.set_stand_in(|state| state["runs"][0]["conclusion"] = json!("waiting"));
    world.commit("release-12.0.0", "Backport", &[]);
    let log = github.passes("push push-tag release-12.0.0", &[]);
    assert!(
        log.contains("not started again: waiting: https://"),
        "{log}"
    );
    assert!(!log.contains("Tests"), "{log}");
    let now = world.stand_in()["runs"].as_array().unwrap().len();
    assert_eq!(now, runs.as_array().unwrap().len());
}

#[test]
#[ignore = "needs act"]
fn under_a_ruleset_for_tags_only_the_app_creates_them() {
    let (mut github, merged) = Github::merged();
    fs::write(github.world.path("ruleset"), "").unwrap();
    let push = "push push-tag release-12.0.0";
    github.fails(push, &[], "GH013: Repository rule violations");
    assert!(!github.world.refs().contains_key("refs/tags/v12.0.0"));
    assert_eq!(github.issues(), ["push-tag failed on release-12.0.0"]);
    github.variables.push("RELEASE_APP_ID=7");
    github.secrets.push("RELEASE_APP_KEY=app-key");
    github.passes(push, &[]);
    assert_eq!(github.world.refs()["refs/tags/v12.0.0"], merged);
    assert_eq!(github.last_run()["headBranch"], "v12.0.0");
}

#[test]
#[ignore = "needs act"]
fn a_push_whose_ci_fails_is_not_tagged_and_opens_an_issue() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    github.break_tests();
    github.merge_release();
    let dispatch = "workflow_dispatch push-tag release-12.0.0";
    github.fails(dispatch, &[], "Job 'Tests' failed");
    assert!(!world.refs().contains_key("refs/tags/v12.0.0"));
    assert!(
        github.issues().is_empty(),
        "main.yml leaves it to its caller"
    );

    // GitHub then runs the job `report`. act stops after a called workflow that failed: here the calling job fails itself.
    let file = ".github/workflows/push-tag.yml";
    let text = world.file("release-12.0.0", file);
    let call = "    uses: ./.github/workflows/main.yml\n    with:\n      ref: ${{ needs.find.outputs.commit }}\n";
    let fails = "    runs-on: ubuntu-latest\n    steps:\n      - run: exit 1\n";
    assert!(text.contains(call));
    let changed = [(file, &*text.replace(call, fails))];
    world.commit("release-12.0.0", "Fail in act, too", &changed);
    github.fails("push push-tag release-12.0.0", &[], "Job 'ci' failed");
    assert!(!world.refs().contains_key("refs/tags/v12.0.0"));
    assert_eq!(github.issues(), ["push-tag failed on release-12.0.0"]);
}

#[test]
#[ignore = "needs act"]
fn a_dispatch_does_what_a_lost_event_did_not_and_ci_tests_the_commit_that_is_tagged() {
    let (github, merged) = Github::merged();
    github.break_tests(); // in a later commit, which is not released
    github.passes("workflow_dispatch push-tag release-12.0.0", &[]);
    github.release("v12.0.0");
    github.has_released("12.0.0", &merged);
}

#[test]
#[ignore = "needs act"]
fn a_release_that_is_started_again_goes_on_also_in_a_private_repository() {
    let (mut github, merged) = Github::merged();
    github.world.done("push-tag --branch release-12.0.0");
    github.world.check_out("v12.0.0");
    // One crate was published before.
    let mut cargo = github.world.command("clone", "cargo");
    let cargo = cargo.args(["publish", "--no-verify", "-p", "a"]);
    let output = cargo.env("CARGO_REGISTRY_TOKEN", "before").output();
    assert!(output.unwrap().status.success());
    github.private = true;
    github.secrets.push("CARGO_REGISTRY_TOKEN=api-token");
    github.release("v12.0.0");
    github.has_released("12.0.0", &merged);
    let tokens = github.tokens();
    assert!(tokens.contains("api-token cargo publish"), "{tokens}");
    assert!(!tokens.contains("trusted"), "{tokens}");

    // A patch, whose notes are copied to main.
    github.variables.push("RELEASE_APP_ID=7");
    github.secrets.push("RELEASE_APP_KEY=app-key");
    let world = &github.world;
    let fix = [("a/src/lib.rs", "// fixed\n")];
    world.commit("release-12.0.0", "Backport a fix", &fix);
    world.done("release-patch --branch release-12.0.0");
    let merged = world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    github.release("v12.0.1");
    github.has_released("12.0.1", &merged);
    let pull = world.pulls().pop().unwrap();
    assert!(pull.starts_with("OPEN ci/sync-notes"), "{pull}");
    let tokens = github.tokens();
    assert!(tokens.contains("app-token gh pr create"), "{tokens}");
}

#[test]
#[ignore = "needs act"]
fn a_release_that_is_started_on_a_branch_is_refused_in_the_first_job() {
    let (github, _) = Github::merged();
    let world = &github.world;
    let head = "HEAD:refs/heads/v12.0.0";
    world.git("github", &["push", "-q", "origin", head]);
    world.done("push-tag --branch release-12.0.0");
    for branch in ["main", "release-12.0.0", "v12.0.0"] {
        let dispatch = format!("workflow_dispatch release-tag {branch}");
        // By the step that fails: act can lose the output of one that ends at once.
        let why = "Failure - Main echo \"::error::$GITHUB_REF is not a tag";
        github.fails(&dispatch, &[], why);
        assert!(!world.path("artifacts").exists(), "something was built");
    }
    assert!(!world.path("registry/crates").exists());
    assert!(world.stand_in()["releases"].is_null());
    // Nor are those branches built in the place of the tag.
    let broken = "fn main() {\n    panic!(\"of a branch\");\n}\n";
    for branch in ["v12.0.0", "release-12.0.0"] {
        world.commit(branch, "Break it", &[("xtask/src/main.rs", broken)]);
    }
    let log = github.release("v12.0.0");
    assert!(!log.contains("of a branch"), "{log}");
}

#[test]
#[ignore = "needs act"]
fn a_swapped_tool_artifact_and_an_extra_dist_artifact_do_not_get_in() {
    let (github, merged) = Github::merged();
    let world = &github.world;
    fs::write(world.path("planted"), "").unwrap();
    world.done("push-tag --branch release-12.0.0");
    let log = github.release("v12.0.0");
    assert!(!log.contains("evil\n"), "{log}");
    github.has_released("12.0.0", &merged);
    let planted = fs::read_dir(world.path("artifacts")).unwrap();
    assert_eq!(planted.count(), 2 * 3, "they were not planted");
}

#[test]
#[ignore = "needs act"]
fn a_release_has_the_archive_of_the_target_in_ci_json() {
    let github = Github::new();
    let world = &github.world;
    let target = "riscv64gc-unknown-linux-gnu";
    let changed = choices("macos-latest", target);
    world.commit("main", "Choose a target", &[(CHOICES, &changed)]);
    // What is built for it is built for this machine, and called otherwise.
    let cargo = fs::read_to_string(world.path("bin/cargo")).unwrap();
    let (_, cargo) = cargo.split_once('\n').unwrap();
    world.wrap(
        "cargo",
        &format!(
            r#"
if [ "$1 $2 $4" = "xtask dist {target}" ]; then
  "$0" xtask dist --target {HOST}
  for file in target/dist/*-{HOST}.*; do mv "$file" "$(echo "$file" | sed s/{HOST}/{target}/)"; done
  exit
fi
{cargo}"#
        ),
    );
    world.cut("2026-03-05");
    github.merge_release();
    world.done("push-tag --branch release-12.0.0");
    github.release("v12.0.0");
    let assets = world.stand_in()["releases"][0]["assets"].clone();
    let name = |asset: &Value| asset["name"].as_str().unwrap().to_string();
    let mut names: Vec<String> = assets.as_array().unwrap().iter().map(name).collect();
    names.sort();
    let archive = format!("demo-v12.0.0-{target}.tar.gz");
    assert_eq!(names, [&archive, "demo-v12.0.0-src.tar.gz"]);
}

#[test]
#[ignore = "needs jq"]
fn all_targets_must_have_made_an_artifact_or_the_first_one_alone() {
    let dist = read(".github/workflows/dist.yml");
    let (_, script) = dist.split_once("- id: ids\n        run: |\n").unwrap();
    let (script, _) = script.split_once("        env:\n").unwrap();
    let folder = support::temporary();
    let output = folder.path().join("output");
    // The number of targets, what the legs left, and the ids that are passed on.
    for (count, ids, expected) in [
        (4, "11 12 13 14", "ids=11,12,13,14\n"),
        (2, "11 12 -", "ids=11,12\n"),
        (3, "11 none none", "ids=11\n"),
        (3, "11 12 none", ""),
        (3, "11 12", ""),
        (1, "none", ""),
        (2, "", ""),
    ] {
        let mut outputs = json!({});
        for (index, id) in ids.split_whitespace().enumerate() {
            outputs[format!("id{index}")] = json!(id.trim_matches('-'));
        }
        fs::write(&output, "").unwrap();
        let mut bash = Command::new("bash");
        bash.args(["-e", "-c", script])
            .env("TARGETS", json!(vec![0; count]).to_string())
            .env("OUTPUTS", outputs.to_string())
            .env("GITHUB_OUTPUT", &output);
        let passed = bash.status().unwrap().success();
        assert_eq!(passed, !expected.is_empty(), "{ids} of {count}");
        assert_eq!(fs::read_to_string(&output).unwrap(), expected);
    }
}

#[test]
#[ignore = "needs act"]
fn a_missing_archive_of_a_configured_target_fails_the_run() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    let file = ".github/workflows/dist.yml";
    let text = world.file("release-12.0.0", file);
    let changed = text.replace("      id0: ${{ steps.id.outputs.id0 }}\n", "");
    assert_ne!(text, changed);
    world.commit("release-12.0.0", "Forget an output", &[(file, &changed)]);
    github.merge_release();
    world.done("push-tag --branch release-12.0.0");
    let dispatch = "workflow_dispatch release-tag refs/tags/v12.0.0";
    github.fails(dispatch, &[], "Job 'All targets' failed");
    assert!(!world.path("registry/crates").exists());
    assert!(world.stand_in()["releases"].is_null());
}

#[test]
#[ignore = "needs act"]
fn candidates_are_yanked_once_their_release_is_public() {
    let config = "name = \"Demo\"\nrelease-candidates = true\n";
    let notes = "## 12.0.0\n\nUnreleased.\n";
    let github = Github::with(World::with(config, "12.0.0-dev", notes));
    let world = &github.world;
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    github.release("v12.0.0-rc.1");
    let release = &world.stand_in()["releases"][0];
    let flags = (&release["prerelease"], &release["draft"]);
    assert_eq!(flags, (&json!(true), &json!(false)), "{release}");

    let merged = github.merge_release();
    world.done("push-tag --branch release-12.0.0");
    github.release("v12.0.0");
    github.has_released("12.0.0", &merged);
    for name in ["a", "b"] {
        let index = fs::read_to_string(world.path("registry/index").join(name)).unwrap();
        let lines = index.lines().map(|line| line.contains("\"yanked\":true"));
        assert_eq!(lines.collect::<Vec<_>>(), [true, false], "{index}");
    }
    let tokens = github.tokens();
    assert!(tokens.contains("yank-token cargo yank"), "{tokens}");
}

#[test]
#[ignore = "needs act"]
fn wasmtime_9407_ci_runs_weekly_on_every_supported_release_branch() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    world.release("12.0.0", "2026-03-20");
    github.passes("schedule check-branches main", &[]);
    let mut runs = world.stand_in()["runs"].as_array().unwrap().clone();
    runs.retain(|run| run["workflowName"] == "main.yml");
    assert_eq!(runs.len(), 1, "{runs:?}");
    assert_eq!(runs[0]["headBranch"], "release-12.0.0");
    // A branch whose workflow cannot be started.
    world.wrap("xargs", "exit 123");
    github.fails("workflow_dispatch check-branches main", &[], "exit");
    assert_eq!(github.issues(), ["check-branches failed"]);
}

#[test]
#[ignore = "needs act"]
fn wasmtime_7040_ci_that_fails_on_a_release_branch_opens_one_issue() {
    let github = Github::new();
    github.world.cut("2026-03-05");
    github.break_tests();
    let run = "workflow_dispatch main release-12.0.0";
    let disabled = github.world.path("no-issues");
    fs::write(&disabled, "").unwrap();
    let (passed, log) = github.event(run, &[]);
    assert!(!passed && !log.contains("disabled issues"), "{log}");
    fs::remove_file(&disabled).unwrap();
    // Only the same title counts.
    let other = json!([{ "title": "CI fails on release-12.0.0-rc", "state": "OPEN", "body": "", "url": "other" }]);
    github
        .world
        .set_stand_in(|state| state["issues"] = other.clone());
    github.fails(run, &[], "Job 'Tests' failed");
    github.fails(run, &[], "Job 'Tests' failed");
    assert_eq!(github.issues()[1..], ["CI fails on release-12.0.0"]);
}

#[test]
#[ignore = "needs act"]
fn lints_run_on_pull_requests_alone_and_no_other_job_may_be_skipped() {
    let github = Github::new();
    let world = &github.world;
    world.commit(
        "main",
        "Format badly",
        &[("b/src/main.rs", "fn  main(){}\n")],
    );
    github.passes("push main main", &[]);
    github.fails("pull_request main main", &[], "Failure - Main jq -e");
    let file = ".github/workflows/main.yml";
    let text = world.file("main", file);
    let skipped = text.replace("  release:\n", "  release:\n    if: false\n");
    assert_ne!(text, skipped);
    world.commit("main", "Skip a job", &[(file, &skipped)]);
    github.fails("push main main", &[], "Job 'CI' failed");
}

#[test]
#[ignore = "needs act"]
fn a_pull_request_is_rehearsed_if_it_changes_manifests_notes_or_the_tool() {
    let github = Github::new();
    let world = &github.world;
    let fails = "fn main() {\n    std::process::exit(1);\n}\n";
    let broken = [("xtask/src/bin/rehearse/main.rs", fails)];
    world.commit("main", "Break the rehearsal", &broken);
    let other = [("a/src/lib.rs", "#[test]\nfn works() {}\n// More.\n")];
    world.commit("main", "Change a crate", &other);
    github.passes("pull_request main main", &[]);
    github.fails("push main main", &[], "Job 'Rehearse' failed");
    let manifest = world.file("main", "a/Cargo.toml") + "# More.\n";
    let notes = world.file("main", "RELEASES.md") + "More.\n";
    for (file, text) in [("a/Cargo.toml", manifest), ("RELEASES.md", notes)] {
        world.commit("main", "Change what is rehearsed", &[(file, &text)]);
        github.fails("pull_request main main", &[], "Job 'Rehearse' failed");
    }
}

#[test]
#[ignore = "needs act"]
fn a_fork_does_nothing_on_a_schedule_or_on_a_push() {
    let (mut github, _) = Github::merged();
    github.fork = true;
    let before = (github.world.state(), github.world.stand_in());
    github.passes("schedule cut main", &[]);
    github.passes("schedule release-latest main", &[]);
    github.passes("push push-tag release-12.0.0", &[]);
    github.passes("schedule check-branches main", &[]);
    assert_eq!((github.world.state(), github.world.stand_in()), before);
    assert!(!github.tokens().contains("own-token"), "gh was called");
}
