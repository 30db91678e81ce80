//! The workflows of `.github/workflows`, executed by `act` on this machine, without a network, in a sandbox: each scenario
//! asserts what exists afterwards. Third-party actions are stubs; the steps, conditions, inputs, outputs and matrices are
//! those of the files. What `act` does not check is in `workflow_files.rs`.
//!
//! `unshare -rn sh -c 'ip link set lo up && cargo test --test workflows -- --ignored'`, with `act` on the PATH.

mod support;

use std::fs;
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

const CUT: [(&str, &str); 1] = [("schedule", "17 7 5-7 * *")];
const RELEASE_LATEST: [(&str, &str); 1] = [("schedule", "17 7 20-22 * *")];

/// The third-party actions, each with what it does here.
const STUBS: [(&str, &str); 5] = [
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
          "$GIT" fetch -q --depth=1 origin "refs/heads/$REF" || "$GIT" fetch -q --depth=1 origin "$REF" || { sleep 0.5; exit 1; }
          REF=FETCH_HEAD
        fi
        if "$GIT" rev-parse -q --verify "refs/remotes/origin/$REF"; then "$GIT" checkout -q -B "$REF" "origin/$REF"
        else "$GIT" checkout -q --detach "$REF"; fi"#,
    ),
    (
        "actions/upload-artifact",
        r#"
    - env: { NAME: "${{ inputs.name }}", FILES: "${{ inputs.path }}" }
      shell: bash
      run: |
        shopt -s nullglob; mkdir -p "$WORLD/artifacts/$NAME"
        cp $FILES "$WORLD/artifacts/$NAME""#,
    ),
    (
        "actions/download-artifact",
        r#"
    - env: { PATTERN: "${{ inputs.pattern || inputs.name }}", TO: "${{ inputs.path }}" }
      shell: bash
      run: mkdir -p "$TO" && cp "$WORLD"/artifacts/$PATTERN/* "$TO" && chmod -x "$TO"/*"#,
    ),
    (
        "actions/attest",
        r#"
    - env: { SUBJECT: "${{ inputs.subject-path }}" }
      shell: bash
      run: sha256sum $SUBJECT >> "$WORLD/attested""#,
    ),
    (
        "rust-lang/crates-io-auth-action",
        r#"
    - id: token
      shell: bash
      run: echo "token=trusted" >> "$GITHUB_OUTPUT""#,
    ),
];

struct Github {
    world: World,
    registry: Registry,
    fork: bool,
    private: bool,
    secrets: Vec<&'static str>,
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
            ("xtask/src/bin/rehearse.rs", "fn main() {}\n".to_string()),
        ];
        let theirs = [".cargo/config.toml", "xtask/toolchain"].map(|file| (file, read(file)));
        files.extend(theirs);
        let flows = workflows();
        files.extend(flows.iter().map(|file| (file.as_str(), read(file))));
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
            r#"[ "$1" = component ] || [ "$*" = "default $(cat xtask/toolchain)" ] && touch .git/pinned"#,
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
  "repo view"|"issue "*|"workflow run")
    [ -e .git ] && export GH_REPO=demo/demo
    GH_HOST=github.invalid GH_ENTERPRISE_TOKEN=none "$GH" "$@" < /dev/null 2>&1 | grep 'error connecting to github.invalid' || exit 1;;
esac >&2
case "$1 $2" in
  "repo view") [ -e "$WORLD/no-issues" ] && echo '{"hasIssuesEnabled":false}' || echo '{"hasIssuesEnabled":true}'; exit;;
  "issue "*) [ ! -e "$WORLD/no-issues" ] || { echo 'the repository has disabled issues' >&2; exit 1; };;
esac
exec "$WORLD/real/gh" "$@""#,
        );
        for (action, step) in STUBS {
            let inputs = "ref fetch-depth persist-credentials name path if-no-files-found overwrite pattern merge-multiple subject-path";
            let inputs = inputs.replace(' ', ": {}\n  ");
            let action_yml = format!(
                "name: stub\ninputs:\n  {inputs}: {{}}\noutputs:\n  token: {{ value: \"${{{{ steps.token.outputs.token }}}}\" }}\n\
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
        }
    }

    /// Runs `EVENT WORKFLOW BRANCH` with the workflow as it is on the branch, and returns whether it succeeded and its
    /// output. The inputs are those of a form, or the `schedule` of the event.
    fn event(&self, line: &str, inputs: &[(&str, &str)]) -> (bool, String) {
        let begun = Instant::now();
        let world = &self.world;
        let [name, workflow, branch] = *line.split(' ').collect::<Vec<_>>() else {
            panic!("{line}")
        };
        for folder in ["run", "cache", "artifacts"] {
            let _ = fs::remove_dir_all(world.path(folder));
        }
        let clone = ["clone", "-q", "--branch", branch, "origin.git", "run"];
        world.git("", &clone);
        let url = "https://github.com/demo/demo.git";
        world.git("run", &["remote", "set-url", "origin", url]);
        let inputs: Value = inputs.iter().copied().collect();
        let mut event = inputs.clone();
        event["ref"] = json!(format!("refs/heads/{branch}"));
        event["repository"] = json!({ "fork": self.fork, "private": self.private, "default_branch": "main", "name": "demo" });
        event["inputs"] = inputs.clone();
        fs::write(world.path("event.json"), event.to_string()).unwrap();

        let mut act = world.command("run", "act");
        act.env_remove("GH_TOKEN") // a step has what its workflow gives it
            .env("PRIVATE", self.private.to_string())
            .args([name, "--action-offline-mode", "--no-cache-server"])
            .args(["--no-skip-checkout", "--concurrent-jobs", "2"])
            .args(["--secret", "GITHUB_TOKEN=own-token"])
            .args(["--var", "YANK_CANDIDATES=true"])
            .args(["--matrix", "target:x86_64-unknown-linux-gnu"])
            .arg(format!("--workflows=.github/workflows/{workflow}.yml"))
            .arg("--eventpath")
            .arg(world.path("event.json"))
            .arg("--action-cache-path")
            .arg(world.path("cache"));
        for secret in &self.secrets {
            act.args(["--secret", secret]);
        }
        for os in [
            "ubuntu-latest",
            "ubuntu-24.04-arm",
            "macos-latest",
            "windows-latest",
        ] {
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
    github.passes("schedule release-process main", &CUT);
    assert!(world.refs().contains_key("refs/heads/release-12.0.0"));
    let open = ["OPEN ci/bump-to-13.0.0 -> main: Bump Demo to 13.0.0"];
    assert_eq!(world.pulls(), open);
    let before = world.state();
    github.passes("schedule release-process main", &CUT);
    assert_eq!(world.state(), before);
    world.merge("ci/bump-to-13.0.0", Merge::Commit);
    let before = world.state();
    github.passes("schedule release-process main", &CUT);
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
    github.passes("schedule release-process main", &RELEASE_LATEST);
    let open = [
        "OPEN ci/release-date-for-12.0.0 -> main: Update release date of Demo 12.0.0",
        "OPEN ci/release-12.0.0 -> release-12.0.0: Release Demo 12.0.0",
    ];
    assert_eq!(world.pulls()[1..], open);
    let before = world.state();
    github.passes("schedule release-process main", &RELEASE_LATEST); // the 21st
    assert_eq!(world.state(), before);

    world.merge("ci/release-12.0.0", Merge::Commit);
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    let before = world.state();
    github.passes("schedule release-process main", &RELEASE_LATEST); // the 22nd
    assert_eq!(world.state(), before);

    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// fixed\n")],
    );
    let patch = [("task", "release-patch"), ("branch", "release-12.0.0")];
    github.passes("workflow_dispatch release-process main", &patch);
    let open = ["OPEN ci/release-12.0.1 -> release-12.0.0: Release Demo 12.0.1"];
    assert_eq!(world.pulls()[3..], open);
}

#[test]
#[ignore = "needs act"]
fn a_schedule_that_fails_opens_an_issue_even_if_the_tool_does_not_build() {
    let github = Github::new();
    let broken = [("xtask/src/main.rs", "fn main() {\n")];
    github.world.commit("main", "Break the tool", &broken);
    github.fails("schedule release-process main", &CUT, "could not compile");
    let title = "release-process failed (schedule 17 7 5-7 * *)";
    assert_eq!(github.issues(), [title]);
}

#[test]
#[ignore = "needs act"]
fn a_push_with_a_marked_commit_publishes_its_release_and_one_without_changes_nothing() {
    let (github, merged) = Github::merged();
    github.passes("push push-tag release-12.0.0", &[]);
    github.has_released("12.0.0", &merged);
    let tokens = github.tokens();
    assert!(tokens.contains("trusted cargo publish"), "{tokens}");
    let world = &github.world;
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// fixed\n")],
    );
    let before = (world.refs(), world.stand_in());
    github.passes("push push-tag release-12.0.0", &[]);
    assert_eq!((world.refs(), world.stand_in()), before);
    github.has_released("12.0.0", &merged);
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
    github.fails(dispatch, &[("tag", "")], "Job 'Tests' failed");
    assert!(!world.refs().contains_key("refs/tags/v12.0.0"));
    assert!(
        github.issues().is_empty(),
        "main.yml leaves it to its caller"
    );

    // GitHub then runs the job `report`. act stops after a called workflow that failed: here the calling job fails itself.
    let file = ".github/workflows/push-tag.yml";
    let text = world.file("release-12.0.0", file);
    let call = "    uses: ./.github/workflows/main.yml\n    with:\n      ref: ${{ needs.find.outputs.commit || github.sha }}\n";
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
    github.passes("workflow_dispatch push-tag release-12.0.0", &[("tag", "")]);
    github.has_released("12.0.0", &merged);
}

#[test]
#[ignore = "needs act"]
fn a_dispatch_with_the_tag_finishes_a_release_also_in_a_private_repository() {
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
    let dispatch = "workflow_dispatch push-tag release-12.0.0";
    github.passes(dispatch, &[("tag", "v12.0.0")]);
    github.has_released("12.0.0", &merged);
    let tokens = github.tokens();
    assert!(tokens.contains("api-token cargo publish"), "{tokens}");
    assert!(!tokens.contains("trusted"), "{tokens}");

    // A patch, whose notes are copied to main.
    github.secrets.push("RELEASE_TOKEN=release-token");
    let world = &github.world;
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// fixed\n")],
    );
    world.done("release-patch --branch release-12.0.0");
    let merged = world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    github.passes(dispatch, &[("tag", "v12.0.1")]);
    github.has_released("12.0.1", &merged);
    let pull = world.pulls().pop().unwrap();
    assert!(pull.starts_with("OPEN ci/sync-notes"), "{pull}");
    let tokens = github.tokens();
    assert!(tokens.contains("release-token gh pr create"), "{tokens}");
}

#[test]
#[ignore = "needs act"]
fn a_branch_with_the_name_of_a_tag_is_not_released() {
    let (github, _) = Github::merged();
    let world = &github.world;
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/heads/v12.0.0"],
    );
    let dispatch = "workflow_dispatch push-tag release-12.0.0";
    github.fails(dispatch, &[("tag", "v12.0.0")], "refs/tags/v12.0.0");
    assert!(!world.path("registry/crates").exists());
    assert!(world.stand_in()["releases"].is_null());
    // Nor is it built in the place of the tag, and neither is the release branch, which may not build any more.
    world.done("push-tag --branch release-12.0.0");
    let evil = "fn main() {\n    panic!(\"evil\");\n}\n";
    for branch in ["v12.0.0", "release-12.0.0"] {
        world.commit(branch, "Evil", &[("xtask/src/main.rs", evil)]);
    }
    let log = github.passes(dispatch, &[("tag", "v12.0.0")]);
    assert!(!log.contains("evil"), "{log}");
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
    let dispatch = "workflow_dispatch push-tag release-12.0.0";
    github.passes(dispatch, &[("tag", "v12.0.0-rc.1")]);
    let release = &world.stand_in()["releases"][0];
    let flags = (&release["prerelease"], &release["draft"]);
    assert_eq!(flags, (&json!(true), &json!(false)), "{release}");

    let merged = github.merge_release();
    world.done("push-tag --branch release-12.0.0");
    github.passes(dispatch, &[("tag", "v12.0.0")]);
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
    github.passes(
        "schedule check-branches main",
        &[("schedule", "43 4 * * 1")],
    );
    let runs = &world.stand_in()["runs"];
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(runs[0]["workflowName"], "main.yml");
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
    let skipped = text.replace(
        "    name: Rehearse\n",
        "    name: Rehearse\n    if: false\n",
    );
    assert_ne!(text, skipped);
    world.commit("main", "Skip a job", &[(file, &skipped)]);
    github.fails("push main main", &[], "Job 'CI' failed");
}

#[test]
#[ignore = "needs act"]
fn a_fork_does_nothing_on_a_schedule_or_on_a_push() {
    let (mut github, _) = Github::merged();
    github.fork = true;
    let before = (github.world.state(), github.world.stand_in());
    github.passes("schedule release-process main", &CUT);
    github.passes("push push-tag release-12.0.0", &[]);
    github.passes(
        "schedule check-branches main",
        &[("schedule", "43 4 * * 1")],
    );
    assert_eq!((github.world.state(), github.world.stand_in()), before);
    assert!(!github.tokens().contains("own-token"), "gh was called");
}
