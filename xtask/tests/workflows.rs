//! The workflows of `.github/workflows`, executed by `act` on this machine, without a network, against a world of the tests:
//! each scenario asserts what exists afterwards. Third-party actions are stubs, and so is the installation of a tool; the
//! steps, conditions, inputs, outputs and matrices are those of the files. What `act` cannot tell is in `workflow_files.rs`.
//!
//! `unshare -rn sh -c 'ip link set lo up && cargo test --test workflows -- --ignored'`, with `act` on the PATH.

mod support;

use std::fs;
use std::time::Instant;

use serde_json::{Value, json};
use support::registry::{Registry, Rules};
use support::text;
use support::train::{Merge, World};
use support::workflows::{HERE, pin, workflows};

/// Stands for the crate of the tool, which takes long to build: builds in a moment, and is the tool.
const TOOL: &str = r#"use std::env;
use std::process::{Command, exit};

fn main() {
    let tool = env::var_os("XTASK").expect("XTASK is the tool");
    let status = Command::new(tool).args(env::args_os().skip(1)).status();
    exit(status.unwrap().code().unwrap_or(1));
}
"#;

/// The actions of others, each with what it does here.
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
          # act may lose what is said right before the end of a step.
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
    /// A world that carries the tool and its workflows, on main.
    fn new() -> Github {
        Github::carrying(World::new())
    }

    fn carrying(mut world: World) -> Github {
        let work = world.path("github");
        world.checkout("main");
        let manifest = fs::read_to_string(work.join("Cargo.toml"))
            .unwrap()
            .replace("\"b\"", "\"b\", \"xtask\"");
        for (file, text) in [
            ("Cargo.toml", manifest.as_str()),
            ("LICENSE", "Do.\n"),
            ("b/src/main.rs", "fn main() {}\n"),
            ("b/src/lib.rs", "//! B.\n"),
            ("a/src/lib.rs", "#[test]\nfn works() {}\n"),
            (
                "xtask/Cargo.toml",
                "[package]\nname = \"xtask\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n",
            ),
            ("xtask/src/main.rs", TOOL),
            (
                ".cargo/config.toml",
                &fs::read_to_string(format!("{HERE}/.cargo/config.toml")).unwrap(),
            ),
        ] {
            fs::create_dir_all(work.join(file).parent().unwrap()).unwrap();
            fs::write(work.join(file), text).unwrap();
        }
        fs::create_dir_all(work.join(".github/workflows")).unwrap();
        for file in workflows() {
            fs::copy(
                &file,
                work.join(".github/workflows")
                    .join(file.file_name().unwrap()),
            )
            .unwrap();
        }
        world.git("github", &["add", "--all"]);
        world.git("github", &["commit", "-q", "-m", "Carry the release train"]);
        world.git("github", &["push", "-q", "origin", "HEAD:main"]);
        world.lock();
        world.git(
            "origin.git",
            &["config", "uploadpack.allowAnySHA1InWant", "true"],
        );

        let registry = world.registry(Rules::default());
        world
            .env
            .retain(|(name, _)| name != "CARGO_REGISTRIES_REHEARSAL_TOKEN");
        let variables = [
            ("GH_TOKEN", "a-human".to_string()),
            ("GIT", World::real("git")),
            ("XTASK", env!("CARGO_BIN_EXE_xtask").to_string()),
            ("ORIGIN", world.path("origin.git").display().to_string()),
            ("WORLD", world.path("").display().to_string()),
        ];
        world
            .env
            .extend(variables.map(|(name, value)| (name.to_string(), value)));
        // The token for crates.io is the one for what stands for it, and is written down; nothing is installed.
        let (cargo, tokens) = (
            format!("{}/cargo", support::train::toolchain()),
            world.path("tokens"),
        );
        world.wrap(
            "cargo",
            &format!(
                r#"
[ "$1" != install ] || exit 0
[ -z "$CARGO_REGISTRY_TOKEN" ] || {{ export CARGO_REGISTRIES_REHEARSAL_TOKEN="$CARGO_REGISTRY_TOKEN"; echo "$CARGO_REGISTRY_TOKEN cargo $1" >> {tokens}; }}
exec {cargo} "$@""#,
                tokens = tokens.display()
            ),
        );
        // No checkout keeps credentials: git has them where gh was told to give them, in each job anew.
        world.wrap(
            "git",
            &format!(
                r#"
case "$GITHUB_ACTIONS $1 $PRIVATE" in
  "true push "* | "true fetch yes" | "true ls-remote yes")
    common=$({git} rev-parse --path-format=absolute --git-common-dir)
    [ -n "$GH_TOKEN" ] && [ -e "$common/authorized" ] ||
      {{ echo "fatal: could not read Username for 'https://github.com': terminal prompts disabled" >&2; exit 128; }};;
esac
exec {git} "$@""#,
                git = World::real("git")
            ),
        );
        world.wrap("cargo-semver-checks", "exit 0");
        // A job that gives gh no token is one that GitHub would refuse. Which one it was is written down.
        world.wrap(
            "gh",
            &format!(
                r#"
[ -n "$GH_TOKEN" ] || {{ echo 'gh: To use GitHub CLI in a GitHub Actions workflow, set GH_TOKEN' >&2; exit 4; }}
[ "$1 $2" != "auth setup-git" ] || exec touch .git/authorized
echo "$GH_TOKEN gh $1 $2" >> {}
exec {} "$@""#,
                tokens.display(),
                world.path("real/gh").display()
            ),
        );
        let stubs = world.path("stubs");
        for (action, step) in STUBS {
            let inputs = "ref fetch-depth persist-credentials name path if-no-files-found overwrite pattern merge-multiple subject-path";
            let inputs: String = inputs
                .split(' ')
                .map(|input| format!("  {input}: {{ required: false }}\n"))
                .collect();
            let outputs = "outputs:\n  token: { value: \"${{ steps.token.outputs.token }}\" }\n";
            let action_yml = format!(
                "name: stub\ninputs:\n{inputs}{outputs}runs:\n  using: composite\n  steps:{step}\n"
            );
            fs::create_dir_all(stubs.join(action)).unwrap();
            fs::write(stubs.join(action).join("action.yml"), action_yml).unwrap();
        }
        Github {
            world,
            registry,
            fork: false,
            private: false,
            secrets: vec!["YANK_TOKEN=yank-token"],
        }
    }

    /// Runs a workflow as it is on a branch, for an event there, and returns whether it succeeded and what it said.
    fn event(
        &self,
        name: &str,
        branch: &str,
        workflow: &str,
        event: Value,
        inputs: &[(&str, &str)],
    ) -> (bool, String) {
        let begun = Instant::now();
        let world = &self.world;
        for folder in ["run", "cache", "artifacts"] {
            let _ = fs::remove_dir_all(world.path(folder));
        }
        world.git(
            "",
            &["clone", "-q", "--branch", branch, "origin.git", "run"],
        );
        world.git(
            "run",
            &[
                "remote",
                "set-url",
                "origin",
                "https://github.com/demo/demo.git",
            ],
        );
        let mut event = event;
        event["ref"] = json!(format!("refs/heads/{branch}"));
        event["repository"] = json!({ "fork": self.fork, "private": self.private, "default_branch": "main", "name": "demo" });
        event["inputs"] = inputs
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value)))
            .collect();
        fs::write(world.path("event.json"), event.to_string()).unwrap();

        let mut act = world.command("run", "act");
        act.env_remove("GH_TOKEN"); // a step has what its workflow gives it
        act.arg(name)
            .arg("--workflows")
            .arg(format!(".github/workflows/{workflow}"));
        act.arg("--eventpath")
            .arg(world.path("event.json"))
            .arg("--action-cache-path")
            .arg(world.path("cache"));
        act.args([
            "--action-offline-mode",
            "--no-cache-server",
            "--no-skip-checkout",
            "--concurrent-jobs",
            "2",
        ]);
        act.args([
            "--secret",
            "GITHUB_TOKEN=own-token",
            "--var",
            "YANK_CANDIDATES=true",
        ]);
        act.args(self.secrets.iter().flat_map(|secret| ["--secret", secret]));
        act.env("PRIVATE", if self.private { "yes" } else { "no" });
        act.args(["--matrix", "target:x86_64-unknown-linux-gnu"]);
        for os in [
            "ubuntu-latest",
            "ubuntu-24.04-arm",
            "macos-latest",
            "windows-latest",
        ] {
            act.arg("--platform").arg(format!("{os}=-self-hosted"));
        }
        for (input, value) in inputs {
            act.arg("--input").arg(format!("{input}={value}"));
        }
        for (action, _) in STUBS {
            let stub = world.path("stubs").join(action);
            act.arg("--local-repository").arg(format!(
                "{action}@{}={}",
                pin(action),
                stub.display()
            ));
        }
        let output = act.output().expect("act is not on the PATH");
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        println!(
            "{name} of {workflow} on {branch}: {:.0} s",
            begun.elapsed().as_secs_f64()
        );
        if std::env::var_os("SHOW").is_some() {
            println!("{said}");
        }
        (output.status.success(), said)
    }

    fn well(
        &self,
        name: &str,
        branch: &str,
        workflow: &str,
        event: Value,
        inputs: &[(&str, &str)],
    ) {
        let (well, said) = self.event(name, branch, workflow, event, inputs);
        assert!(well, "{said}");
    }

    fn schedule(&self, cron: &str) {
        self.well(
            "schedule",
            "main",
            "release-process.yml",
            json!({ "schedule": cron }),
            &[],
        );
    }

    fn push(&self, branch: &str) -> (bool, String) {
        self.event("push", branch, "push-tag.yml", json!({}), &[])
    }

    fn dispatch(&self, branch: &str, workflow: &str, inputs: &[(&str, &str)]) {
        self.well("workflow_dispatch", branch, workflow, json!({}), inputs);
    }

    /// 12.0.0 is cut, dated and merged on its branch; nothing was told of it.
    fn merged() -> (Github, String) {
        let github = Github::new();
        github.world.cut("2026-03-05");
        github.world.done("release-latest --date 2026-03-20");
        let merged = github.world.merge("ci/release-12.0.0", Merge::Commit);
        (github, merged)
    }

    /// What each call of gh, and each of cargo that had one for crates.io, had as its token.
    fn tokens(&self) -> String {
        fs::read_to_string(self.world.path("tokens")).unwrap()
    }

    /// All that a release leaves, and no more: the tag, the crates, the public release with its attested files.
    fn has_released(&self, version: &str, commit: &str) {
        let refs = self.world.refs();
        assert_eq!(
            refs.get(&format!("refs/tags/v{version}"))
                .map(String::as_str),
            Some(commit)
        );
        let mut crates: Vec<String> = fs::read_dir(self.world.path("registry/crates"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(&format!("-{version}.crate")))
            .collect();
        crates.sort();
        assert_eq!(
            crates,
            ["a", "b"].map(|name| format!("{name}-{version}.crate"))
        );
        let state = self.world.stand_in();
        let releases: Vec<&Value> = state["releases"].as_array().unwrap().iter().collect();
        let release = releases
            .iter()
            .find(|release| release["tag_name"] == format!("v{version}"))
            .unwrap();
        assert_eq!(
            (&release["draft"], &state["latest"]),
            (&json!(false), &json!(format!("v{version}")))
        );
        let attested = fs::read_to_string(self.world.path("attested")).unwrap_or_default();
        assert_eq!(attested.is_empty(), self.private);
        let names: Vec<&str> = release["assets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|asset| asset["name"].as_str().unwrap())
            .collect();
        assert_eq!(names.len(), 2, "{names:?}");
        for asset in release["assets"].as_array().unwrap() {
            let digest = asset["digest"]
                .as_str()
                .unwrap()
                .trim_start_matches("sha256:");
            assert!(
                self.private || attested.contains(digest),
                "{asset} is not attested:\n{attested}"
            );
        }
        assert_eq!(state["issues"], json!([]));
        // One upload a crate.
        let uploads = self
            .registry
            .log()
            .iter()
            .filter(|line| line.contains(&format!(" {version} ")))
            .count();
        assert_eq!(uploads, 2, "{:?}", self.registry.log());
    }
}

#[test]
#[ignore = "needs act"]
fn the_fifth_cuts_once_and_its_retries_have_nothing_to_do() {
    let github = Github::new();
    let world = &github.world;
    github.schedule("17 7 5-7 * *");
    assert!(world.refs().contains_key("refs/heads/release-12.0.0"));
    assert_eq!(
        world.pulls(),
        ["OPEN ci/bump-to-13.0.0 -> main: Bump Demo to 13.0.0"]
    );
    let before = world.state();
    github.schedule("17 7 5-7 * *");
    assert_eq!(world.state(), before);
    world.merge("ci/bump-to-13.0.0", Merge::Commit);
    let before = world.state();
    github.schedule("17 7 5-7 * *");
    assert_eq!(world.state(), before);
    let tokens = github.tokens();
    assert!(
        tokens.contains("own-token gh pr create") && !tokens.contains("a-human"),
        "{tokens}"
    );
}

#[test]
#[ignore = "needs act"]
fn the_twentieth_proposes_the_release_once_and_a_patch_is_dispatched() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    github.schedule("17 7 20-22 * *");
    let open = [
        "OPEN ci/release-date-for-12.0.0 -> main: Update release date of Demo 12.0.0",
        "OPEN ci/release-12.0.0 -> release-12.0.0: Release Demo 12.0.0",
    ];
    assert_eq!(world.pulls()[1..], open);
    let before = world.state();
    github.schedule("17 7 20-22 * *"); // the 21st
    assert_eq!(world.state(), before);

    world.merge("ci/release-12.0.0", Merge::Commit);
    world.merge("ci/release-date-for-12.0.0", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    let before = world.state();
    github.schedule("17 7 20-22 * *"); // the 22nd
    assert_eq!(world.state(), before);

    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    github.dispatch(
        "main",
        "release-process.yml",
        &[("task", "release-patch"), ("branch", "release-12.0.0")],
    );
    assert_eq!(
        world.pulls()[3..],
        ["OPEN ci/release-12.0.1 -> release-12.0.0: Release Demo 12.0.1"]
    );
}

#[test]
#[ignore = "needs act"]
fn a_push_with_a_marked_commit_goes_through_to_published_crates_and_one_without_leaves_all_as_it_is()
 {
    let (github, merged) = Github::merged();
    let (well, said) = github.push("release-12.0.0");
    assert!(well, "{said}");
    github.has_released("12.0.0", &merged);
    assert!(
        github.tokens().contains("trusted cargo publish"),
        "{}",
        github.tokens()
    );
    github.world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    let before = (github.world.refs(), github.world.stand_in());
    let (well, said) = github.push("release-12.0.0");
    assert!(well, "{said}");
    assert_eq!((github.world.refs(), github.world.stand_in()), before);
    github.has_released("12.0.0", &merged);
}

#[test]
#[ignore = "needs act"]
fn a_push_whose_ci_fails_is_not_tagged_and_an_issue_says_so() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    let broken = "#[test]\nfn works() {\n    panic!();\n}\n";
    world.commit("release-12.0.0", "Break it", &[("a/src/lib.rs", broken)]);
    world.done("release-latest --date 2026-03-20");
    world.merge("ci/release-12.0.0", Merge::Commit);
    let (well, said) = github.push("release-12.0.0");
    assert!(!well && said.contains("Job 'Tests' failed"), "{said}");
    assert!(!world.refs().contains_key("refs/tags/v12.0.0"));

    // GitHub goes on with the jobs that want to know of a failure. `act` does not after a called workflow that failed, so
    // here the job that calls it fails by itself.
    let text = world.file("release-12.0.0", ".github/workflows/push-tag.yml");
    let call = "    uses: ./.github/workflows/main.yml\n    with:\n      ref: ${{ needs.find.outputs.commit || github.sha }}\n";
    assert!(text.contains(call));
    let fails = text.replace(
        call,
        "    runs-on: ubuntu-latest\n    steps:\n      - run: exit 1\n",
    );
    world.commit(
        "release-12.0.0",
        "Fail in act, too",
        &[(".github/workflows/push-tag.yml", &fails)],
    );
    let (well, _) = github.push("release-12.0.0");
    assert!(!well && !world.refs().contains_key("refs/tags/v12.0.0"));
    let issues = world.stand_in()["issues"].clone();
    assert_eq!(issues.as_array().unwrap().len(), 1, "{issues}");
    assert_eq!(
        issues[0]["title"],
        "The release of Demo 12.0.0 has not come"
    );
}

#[test]
#[ignore = "needs act"]
fn what_a_lost_event_did_not_do_a_dispatch_does_and_ci_sees_the_commit_that_is_tagged() {
    let (github, merged) = Github::merged();
    // What came after it is broken: that is not what is released.
    let broken = "#[test]\nfn works() {\n    panic!();\n}\n";
    github.world.commit(
        "release-12.0.0",
        "Break it later",
        &[("a/src/lib.rs", broken)],
    );
    github.dispatch("release-12.0.0", "push-tag.yml", &[("tag", "")]);
    github.has_released("12.0.0", &merged);
}

#[test]
#[ignore = "needs act"]
fn a_marked_commit_whose_ci_failed_is_not_tagged_by_the_push_that_mends_it_unless_that_is_marked() {
    let github = Github::new();
    let world = &github.world;
    world.cut("2026-03-05");
    let broken = "#[test]\nfn works() {\n    panic!();\n}\n";
    world.commit("release-12.0.0", "Break it", &[("a/src/lib.rs", broken)]);
    world.done("release-latest --date 2026-03-20");
    world.merge("ci/release-12.0.0", Merge::Commit);
    world.commit(
        "release-12.0.0",
        "Mend it",
        &[("a/src/lib.rs", "#[test]\nfn works() {}\n")],
    );
    let (well, said) = github.push("release-12.0.0");
    assert!(!well && said.contains("Job 'Tests' failed"), "{said}");
    assert!(!world.refs().contains_key("refs/tags/v12.0.0"));
}

#[test]
#[ignore = "needs act"]
fn a_release_that_died_after_its_tag_is_finished_by_a_dispatch_with_the_tag_also_where_all_is_private()
 {
    let (mut github, merged) = Github::merged();
    github.world.done("push-tag --branch release-12.0.0");
    github.world.check_out("v12.0.0");
    // One crate went out before.
    let mut cargo = github.world.command("clone", "cargo");
    let cargo = cargo
        .args(["publish", "--no-verify", "-p", "a"])
        .env("CARGO_REGISTRY_TOKEN", "before")
        .output();
    assert!(cargo.unwrap().status.success());
    github.private = true;
    github.secrets.push("CARGO_REGISTRY_TOKEN=api-token");
    github.dispatch("release-12.0.0", "push-tag.yml", &[("tag", "v12.0.0")]);
    github.has_released("12.0.0", &merged);
    let tokens = github.tokens();
    assert!(
        tokens.contains("api-token cargo publish") && !tokens.contains("trusted"),
        "{tokens}"
    );

    // A patch, whose notes come back to main.
    github.secrets.push("RELEASE_TOKEN=release-token");
    let world = &github.world;
    world.commit(
        "release-12.0.0",
        "Backport a fix",
        &[("a/src/lib.rs", "// mended\n")],
    );
    world.done("release-patch --branch release-12.0.0");
    let merged = world.merge("ci/release-12.0.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    github.dispatch("release-12.0.0", "push-tag.yml", &[("tag", "v12.0.1")]);
    github.has_released("12.0.1", &merged);
    assert!(
        world
            .pulls()
            .last()
            .unwrap()
            .starts_with("OPEN ci/sync-notes-12.0.1 -> main: "),
        "{:?}",
        world.pulls()
    );
    assert!(
        github.tokens().contains("release-token gh pr create"),
        "{}",
        github.tokens()
    );
}

#[test]
#[ignore = "needs act"]
fn a_branch_that_is_called_like_a_tag_is_not_released() {
    let (github, _) = Github::merged();
    let world = &github.world;
    world.git(
        "github",
        &["push", "-q", "origin", "HEAD:refs/heads/v12.0.0"],
    );
    let (well, said) = github.event(
        "workflow_dispatch",
        "release-12.0.0",
        "push-tag.yml",
        json!({}),
        &[("tag", "v12.0.0")],
    );
    assert!(
        !well && said.contains("couldn't find remote ref refs/tags/v12.0.0"),
        "{said}"
    );
    assert!(!world.path("registry/crates").exists() && world.stand_in()["releases"].is_null());
    // Nor is it built in the place of the tag.
    world.done("push-tag --branch release-12.0.0");
    world.commit(
        "v12.0.0",
        "Evil",
        &[(
            "xtask/src/main.rs",
            "fn main() {\n    panic!(\"evil\");\n}\n",
        )],
    );
    let (well, said) = github.event(
        "workflow_dispatch",
        "release-12.0.0",
        "push-tag.yml",
        json!({}),
        &[("tag", "v12.0.0")],
    );
    assert!(well && !said.contains("evil"), "{said}");
}

#[test]
#[ignore = "needs act"]
fn candidates_are_yanked_once_their_release_is_out() {
    let config = "name = \"Demo\"\nrelease-candidates = true\n";
    let github = Github::carrying(World::with(
        config,
        "12.0.0-dev",
        "## 12.0.0\n\nUnreleased.\n",
    ));
    let world = &github.world;
    world.cut("2026-03-05");
    world.merge("ci/release-candidate-12.0.0-rc.1", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    github.dispatch("release-12.0.0", "push-tag.yml", &[("tag", "v12.0.0-rc.1")]);
    let release = &world.stand_in()["releases"][0];
    assert_eq!(
        (&release["prerelease"], &release["draft"]),
        (&json!(true), &json!(false)),
        "{release}"
    );

    world.done("release-latest --date 2026-03-20");
    let merged = world.merge("ci/release-12.0.0", Merge::Commit);
    world.done("push-tag --branch release-12.0.0");
    github.dispatch("release-12.0.0", "push-tag.yml", &[("tag", "v12.0.0")]);
    github.has_released("12.0.0", &merged);
    for name in ["a", "b"] {
        let index = fs::read_to_string(world.path("registry/index").join(name)).unwrap();
        let yanked = |line: &str| serde_json::from_str::<Value>(line).unwrap()["yanked"] == true;
        assert_eq!(
            index.lines().map(yanked).collect::<Vec<_>>(),
            [true, false],
            "{index}"
        );
    }
    assert!(
        github.tokens().contains("yank-token cargo yank"),
        "{}",
        github.tokens()
    );
}

#[test]
#[ignore = "needs act"]
fn the_weekly_run_says_which_release_branch_cannot_be_released_any_more() {
    let github = Github::new();
    github.world.cut("2026-03-05");
    github.world.release("12.0.0", "2026-03-20");
    github.world.set_stand_in(|state| {
        state["today"] = Value::Null; // the run is started today
        state["conclusions"] = json!({ "release-12.0.0": "failure" });
    });
    github.well(
        "schedule",
        "main",
        "check-branches.yml",
        json!({ "schedule": "43 4 * * 1" }),
        &[],
    );
    assert_eq!(
        github.world.stand_in()["issues"][0]["title"],
        "CI fails on `release-12.0.0`"
    );
}

#[test]
#[ignore = "needs act"]
fn a_fork_does_nothing_on_a_schedule_or_on_a_push() {
    let (mut github, _) = Github::merged();
    github.fork = true;
    let before = (github.world.state(), github.world.stand_in());
    github.schedule("17 7 5-7 * *");
    let (well, said) = github.push("release-12.0.0");
    assert!(well, "{said}");
    github.well(
        "schedule",
        "main",
        "check-branches.yml",
        json!({ "schedule": "43 4 * * 1" }),
        &[],
    );
    assert_eq!((github.world.state(), github.world.stand_in()), before);
    assert!(!github.tokens().contains("own-token"), "gh was called");
}
