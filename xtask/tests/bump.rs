//! `bump`: what moves, what stays, and what is printed.

mod support;

use expect_test::{Expect, expect};
use support::{Tree, package, root, text};

/// Bumps a workspace of `a` at 12.0.0 and of `b` with these lines below its `[package]`, and shows what the lines
/// became.
fn follows(bump: &str, lines: &str, expected: Expect) {
    let head = package("b", "12.0.0");
    let files = [
        (
            "Cargo.toml",
            root("a b") + "[workspace.metadata.release-train]\nversion-of = \"a\"\n",
        ),
        ("a/Cargo.toml", package("a", "12.0.0")),
        ("b/Cargo.toml", head.clone() + lines),
    ];
    let tree = Tree::new(&files.each_ref().map(|(file, text)| (*file, &**text)));
    let (version, _) = tree.done(&["bump", bump]);
    let manifest = tree.read("b/Cargo.toml");
    let moved = head.replace("12.0.0", version.trim());
    expected.assert_eq(manifest.strip_prefix(&moved).unwrap());
    tree.cargo(&["metadata", "--offline", "--format-version=1"]);
}

#[test]
fn every_crate_goes_on_from_its_own_version() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            &(root("a b c tool") + "[workspace.metadata.release-train]\nversion-of = \"a\"\n"),
        ),
        ("a/Cargo.toml", &package("a", "12.0.0")),
        ("b/Cargo.toml", &package("b", "0.99.0")),
        ("c/Cargo.toml", &package("c", "0.0.1")),
        (
            "tool/Cargo.toml",
            &(package("tool", "0.5.0")
                + "publish = false\n[dependencies]\nc = { path = \"../c\", version = \"0.0.1\" }\n"),
        ),
    ]);
    let (stdout, stderr) = tree.done(&["bump"]);
    assert_eq!(stdout, "13.0.0\n");
    expect![[r#"
        c 0.0.1 -> 0.0.2
        b 0.99.0 -> 0.100.0
        a 12.0.0 -> 13.0.0
        changed 4 files
    "#]]
    .assert_eq(&stderr);
    assert!(tree.read("tool/Cargo.toml").contains("version = \"0.5.0\""));
    assert!(tree.read("tool/Cargo.toml").contains("version = \"0.0.2\""));
    assert_eq!(tree.done(&["bump", "minor"]).0, "13.1.0\n");
    let (stdout, stderr) = tree.done(&["bump", "patch"]);
    assert_eq!(stdout, "13.1.1\n");
    expect![[r#"
        c 0.0.3 -> 0.0.4
        b 0.100.1 -> 0.100.2
        a 13.1.0 -> 13.1.1
        changed 4 files
    "#]]
    .assert_eq(&stderr);
}

#[test]
fn a_given_version_is_for_the_crates_of_the_train() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            &(root("a b") + "[workspace.metadata.release-train]\nversion-of = \"a\"\n"),
        ),
        ("a/Cargo.toml", &package("a", "12.0.0")),
        (
            "b/Cargo.toml",
            &(package("b", "0.99.0")
                + "[dependencies]\na = { path = \"../a\", version = \"12.0\" }\n"),
        ),
    ]);
    let (stdout, stderr) = tree.done(&["bump", "14.0.0"]);
    assert_eq!(stdout, "14.0.0\n");
    expect![[r#"
        b 0.99.0 left alone: its version is not the train's
        a 12.0.0 -> 14.0.0
        changed 2 files
    "#]]
    .assert_eq(&stderr);
    let before = tree.files();
    let (stdout, stderr) = tree.done(&["bump", "14.0.0"]);
    assert_eq!(stdout, "14.0.0\n");
    expect![[r#"
        nothing to do: the version is 14.0.0
    "#]]
    .assert_eq(&stderr);
    assert!(tree.files() == before);
}

#[test]
fn a_train_with_candidates_goes_from_dev_to_candidates_to_the_release() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            &(root("a b")
                + "package.version = \"12.0.0\"\nmetadata.release-train.release-candidates = true\n"),
        ),
        (
            "a/Cargo.toml",
            "[package]\nname = \"a\"\nversion.workspace = true\nedition = \"2021\"\n",
        ),
        (
            "b/Cargo.toml",
            &(package("b", "0.99.0")
                + "[dependencies]\na = { path = \"../a\", version = \"12\" }\n"),
        ),
    ]);
    for (bump, version) in [
        ("major", "13.0.0-dev"),
        ("rc", "13.0.0-rc.1"),
        ("rc", "13.0.0-rc.2"),
        ("release", "13.0.0"),
        ("release", "13.0.0"),
    ] {
        assert_eq!(tree.done(&["bump", bump]).0.trim(), version);
        assert!(tree.read("Cargo.toml").contains(&format!("\"{version}\"")));
        tree.cargo(&["metadata", "--offline", "--format-version=1"]);
    }
    assert_eq!(tree.read("b/Cargo.toml").matches("\"13.0.0\"").count(), 1);
    assert_eq!(tree.read("b/Cargo.toml").matches("\"0.100.0\"").count(), 1);
}

#[test]
fn a_workspace_without_published_crates_moves_its_own_version() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            &(root("a") + "[workspace.package]\nversion = '0.1.0' # of the train\n"),
        ),
        (
            "a/Cargo.toml",
            &(package("a", "0.1.0") + "publish = false\n"),
        ),
    ]);
    let (stdout, stderr) = tree.done(&["bump"]);
    assert_eq!(stdout, "0.2.0\n");
    expect![[r#"
        [workspace.package] 0.1.0 -> 0.2.0
        changed Cargo.toml
    "#]]
    .assert_eq(&stderr);
    assert!(
        tree.read("Cargo.toml")
            .ends_with("version = '0.2.0' # of the train\n")
    );
}

#[test]
fn an_independent_crate_stays_and_its_requirements_follow() {
    let config = "[workspace.metadata.release-train]\nindependent = [\"b\"]\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &(root("a b") + config)),
        (
            "a/Cargo.toml",
            &(package("a", "12.0.0")
                + "[dev-dependencies]\nb = { path = \"../b\", version = \"0.1\" }\n"),
        ),
        (
            "b/Cargo.toml",
            &(package("b", "0.1.3")
                + "[dependencies]\na = { path = \"../a\", version = \"=12.0.0\" }\n"),
        ),
    ]);
    assert_eq!(tree.done(&["bump"]).0, "13.0.0\n");
    assert!(tree.read("a/Cargo.toml").ends_with("version = \"0.1\" }\n"));
    assert!(tree.read("b/Cargo.toml").contains("version = \"0.1.3\""));
    assert!(
        tree.read("b/Cargo.toml")
            .ends_with("version = \"=13.0.0\" }\n")
    );
}

#[test]
fn a_package_alone_is_a_workspace() {
    let tree = Tree::new(&[("Cargo.toml", &package("a", "1.2.3"))]);
    let output = tree.xtask_in("src", &["bump", "patch"]);
    assert_eq!(
        (text(&output.stdout).trim(), output.status.code()),
        ("1.2.4", Some(0))
    );
    assert_eq!(tree.read("Cargo.toml"), package("a", "1.2.4"));
}

#[test]
fn requirements_are_found_wherever_cargo_allows_them() {
    follows(
        "major",
        r#"
[dependencies]
a = { path = "../a", version = "12.0.0" } # a comment
[dev-dependencies]
a.path = "../a"
a.version = '12.0'
[build-dependencies.a]
version = "=12.0.0"
path = '../b/./../a'
[target.'cfg(unix)'.dependencies]
a = { version = "~12.0", path = "../a" }
[target."cfg(windows)".dev-dependencies.a]
path = "../a"
version = """^12"""
[target.x86_64-unknown-linux-gnu]
build-dependencies = { a = { path = "../a", version = "\u00312.0.0" } }
"#,
        expect![[r#"

            [dependencies]
            a = { path = "../a", version = "13.0.0" } # a comment
            [dev-dependencies]
            a.path = "../a"
            a.version = '13.0'
            [build-dependencies.a]
            version = "=13.0.0"
            path = '../b/./../a'
            [target.'cfg(unix)'.dependencies]
            a = { version = "~13.0", path = "../a" }
            [target."cfg(windows)".dev-dependencies.a]
            path = "../a"
            version = """^13"""
            [target.x86_64-unknown-linux-gnu]
            build-dependencies = { a = { path = "../a", version = "13.0.0" } }
        "#]],
    );
}

#[test]
fn a_renamed_dependency_follows_the_package_and_not_a_member_of_its_own_name() {
    follows(
        "major",
        r#"
[dependencies]
b = { package = "a", path = "../a", version = "12.0.0" }
"#,
        expect![[r#"

            [dependencies]
            b = { package = "a", path = "../a", version = "13.0.0" }
        "#]],
    );
}

#[test]
fn requirements_that_name_no_version_stay() {
    follows(
        "major",
        r#"
[dependencies]
a = { path = "../a", version = "*" }
[dev-dependencies]
a = { path = "../a" }
"#,
        expect![[r#"

            [dependencies]
            a = { path = "../a", version = "*" }
            [dev-dependencies]
            a = { path = "../a" }
        "#]],
    );
}

#[test]
fn a_requirement_towards_a_candidate_gets_the_full_version() {
    follows(
        "13.0.0-rc.1",
        r#"
[dependencies]
a = { path = "../a", version = "12" }
[dev-dependencies]
a = { path = "../a", version = "=12.0.0" }
[build-dependencies]
a = { path = "../a", version = "*" }
"#,
        expect![[r#"

            [dependencies]
            a = { path = "../a", version = "13.0.0-rc.1" }
            [dev-dependencies]
            a = { path = "../a", version = "=13.0.0-rc.1" }
            [build-dependencies]
            a = { path = "../a", version = "13.0.0-rc.1" }
        "#]],
    );
}

#[test]
fn requirements_of_the_workspace_move_and_those_that_inherit_them_stay() {
    let members = "[workspace.dependencies]\na = { path = \"a\", version = \"=1.0.0\" }\nalias.package = \"a\"\nalias.path = \"./a\"\nalias.version = '1'\n[workspace.dependencies.same]\npackage = \"a\"\npath = \"a\"\nversion = \"1.0\"\n";
    let b = package("b", "1.0.0")
        + "[dependencies]\na.workspace = true\nalias = { workspace = true, features = [] }\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &(root("a b") + members)),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        ("b/Cargo.toml", &b),
    ]);
    tree.done(&["bump"]);
    expect![[r#"
        [workspace]
        resolver = "2"
        members = ["a", "b"]
        [workspace.dependencies]
        a = { path = "a", version = "=2.0.0" }
        alias.package = "a"
        alias.path = "./a"
        alias.version = '2'
        [workspace.dependencies.same]
        package = "a"
        path = "a"
        version = "2.0"
    "#]]
    .assert_eq(&tree.read("Cargo.toml"));
    assert_eq!(tree.read("b/Cargo.toml"), b.replace("1.0.0", "2.0.0"));
}

#[test]
fn a_requirement_on_a_published_crate_moves_only_while_the_workspace_stands_in_for_it() {
    let b = "[package]\nname = \"b\"\nversion = \"2.0.0\"\n[dependencies]\na = \"2\"\nolder = { package = \"a\", version = \"1\" }\n";
    let members = [
        ("a/Cargo.toml", package("a", "2.0.0")),
        ("b/Cargo.toml", b.to_string()),
    ];
    let tree = |patch: &str| {
        let root = root("a b") + patch;
        Tree::new(&[
            ("Cargo.toml", &root),
            (members[0].0, &members[0].1),
            (members[1].0, &members[1].1),
        ])
    };
    let unpatched = tree("");
    unpatched.done(&["bump"]);
    assert_eq!(unpatched.read("b/Cargo.toml"), b.replace("2.0.0", "3.0.0"));
    // One for another of its versions may stand before.
    for before in [
        "",
        "older = { package = \"a\", git = \"https://example.com/a\" }\n",
    ] {
        let patch = format!("[patch.crates-io]\n{before}a = {{ path = \"a\" }}\n");
        let patched = tree(&patch);
        patched.done(&["bump"]);
        assert_eq!(
            patched.read("b/Cargo.toml"),
            b.replace("2.0.0", "3.0.0")
                .replace("a = \"2\"", "a = \"3\"")
        );
        assert!(patched.read("Cargo.toml").ends_with(&patch));
    }
}

#[test]
fn a_requirement_on_a_git_repository_is_updated_if_patch_replaces_it_by_a_member() {
    let b = package("b", "1.0.0")
        + "[dependencies]\na = { git = \"https://example.com/a\", version = \"1.0.0\" }\n";
    for (source, updated) in [
        ("\"https://example.com/a\"", b.replace("1.0.0", "2.0.0")),
        ("crates-io", b.replacen("1.0.0", "2.0.0", 1)),
    ] {
        let root = root("a b") + &format!("[patch.{source}]\na.path = \"a\"\n");
        let tree = Tree::new(&[
            ("Cargo.toml", &root),
            ("a/Cargo.toml", &package("a", "1.0.0")),
            ("b/Cargo.toml", &b),
        ]);
        tree.done(&["bump"]);
        assert_eq!(tree.read("b/Cargo.toml"), updated, "{source}");
    }
}

#[test]
fn a_lower_bound_that_the_registry_can_meet_is_its_authors() {
    let b = "[package]\nname = \"b\"\nversion = \"1.9.0\"\n[dependencies]\na = \"1.2.0\"\n";
    let root = root("a b") + "[patch.crates-io]\na.path = \"a\"\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root),
        ("a/Cargo.toml", &package("a", "1.9.0")),
        ("b/Cargo.toml", b),
    ]);
    tree.done(&["bump", "minor"]);
    assert_eq!(tree.read("b/Cargo.toml"), b.replace("1.9.0", "1.10.0"));
}

#[test]
fn crlf_a_byte_order_mark_and_a_missing_newline_stay() {
    let manifest =
        "\u{feff}[package]\r\nname = 'a'\r\n\tversion  =  '1.0.0'\t# here\r\n\r\n[features]";
    let tree = Tree::new(&[("Cargo.toml", manifest)]);
    tree.done(&["bump"]);
    assert_eq!(tree.read("Cargo.toml"), manifest.replace("1.0.0", "2.0.0"));
}

#[test]
fn version_strings_move_with_the_train() {
    let config = r##"
[workspace.metadata.release-train]
version-strings = [
  { file = "a/version.h", line = '#define A_VERSION "{version}"' },
  { file = "a/version.h", line = "#define A_MAJOR {major}" },
  { file = "a/version.h", line = "#define A_MINOR {minor}" },
  { file = "a/version.h", line = "#define A_PATCH {patch}" },
  { file = "Cargo.toml", line = 'newest = "a-{major}"' },
]
[workspace.metadata.other]
  newest = "a-1"
"##;
    let header = "// 1.0.0 was the first\r\n#define A_VERSION \"1.2.3\"\r\n  #define A_MAJOR 1\r\n#define A_MINOR 2\r\n#define A_PATCH 3";
    let tree = Tree::new(&[
        ("Cargo.toml", &(root("a") + config)),
        ("a/Cargo.toml", &package("a", "1.2.3")),
        ("a/version.h", header),
    ]);
    tree.done(&["bump"]);
    let moved = "// 1.0.0 was the first\r\n#define A_VERSION \"2.0.0\"\r\n  #define A_MAJOR 2\r\n#define A_MINOR 0\r\n#define A_PATCH 0";
    assert_eq!(tree.read("a/version.h"), moved);
    assert!(tree.read("Cargo.toml").ends_with("  newest = \"a-2\"\n"));
}

#[test]
fn a_version_string_in_a_manifest_is_moved_with_it_whatever_path_it_goes_by() {
    let root = root("a")
        + "[workspace.package]\nversion = \"1.0.0\"\n[workspace.metadata]\nnewest = \"a-1\"\n[workspace.metadata.release-train]\nversion-strings = [{ file = \"a/../Cargo.toml\", line = 'newest = \"a-{major}\"' }]\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root),
        (
            "a/Cargo.toml",
            "[package]\nname = \"a\"\nversion.workspace = true\nedition = \"2021\"\n",
        ),
    ]);
    tree.done(&["bump"]);
    assert_eq!(
        tree.read("Cargo.toml"),
        root.replace("1.0.0", "2.0.0").replace("a-1", "a-2")
    );
}

#[test]
fn a_package_that_is_called_a_project_moves_too() {
    let tree = Tree::new(&[(
        "Cargo.toml",
        "[project]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\n",
    )]);
    tree.write("src/lib.rs", "");
    assert_eq!(tree.done(&["bump"]).0, "2.0.0\n");
    assert!(tree.read("Cargo.toml").contains("2.0.0"));
}

#[test]
fn after_bump_runs_in_the_bumped_workspace_and_leaves_stdout_alone() {
    let config = "[workspace.metadata.release-train]\nafter-bump = [[\"cargo\", \"pkgid\", \"--offline\"], [\"git\", \"--version\"]]\n";
    let tree = Tree::new(&[(
        "Cargo.toml",
        &(package("a", "1.0.0") + "[workspace]\n" + config),
    )]);
    tree.cargo(&["generate-lockfile", "--offline"]);
    let output = tree.xtask_in("src", &["bump"]);
    assert_eq!(text(&output.stdout), "2.0.0\n");
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("$ cargo pkgid --offline\n") && stderr.contains("#a@2.0.0\n"),
        "{stderr}"
    );
    assert!(stderr.contains("git version"), "{stderr}");
}

#[test]
fn after_bump_that_fails_leaves_a_bump_that_is_complete_and_says_so() {
    let config =
        "[workspace.metadata.release-train]\nafter-bump = [[\"git\", \"no-such-command\"]]\n";
    let tree = Tree::new(&[(
        "Cargo.toml",
        &(package("a", "1.0.0") + "[workspace]\n" + config),
    )]);
    let output = tree.xtask(&["bump"]);
    assert_eq!(output.status.code(), Some(1));
    expect!["error: after-bump: `git no-such-command` failed; the versions are written"]
        .assert_eq(text(&output.stderr).lines().last().unwrap());
    assert!(tree.read("Cargo.toml").contains("version = \"2.0.0\""));
}

#[test]
fn the_pin_rule_is_for_what_users_get() {
    let config = "[workspace.metadata.release-train]\npublic = [\"b\"]\n";
    let private = package("tests", "0.0.0")
        + "publish = false\n[dependencies]\na = { path = \"../a\", version = \"1\" }\nb = { path = \"../b\", version = \"=1.0.0\" }\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &(root("a b tests") + config)),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        (
            "b/Cargo.toml",
            &(package("b", "1.0.0")
                + "[dependencies]\na = { path = \"../a\", version = \"=1.0.0\" }\n"),
        ),
        ("tests/Cargo.toml", &private),
    ]);
    assert_eq!(tree.done(&["bump"]).0, "2.0.0\n");
}

#[test]
fn help_is_a_sentence_usage_options_and_an_example_in_80_columns_and_does_nothing() {
    let tree = Tree::new(&[("Cargo.toml", &package("a", "1.0.0"))]);
    let before = tree.files();
    let help = tree.done(&[]).0;
    expect![[r#"
        The release train of this workspace.

        cargo xtask TASK [OPTIONS]     cargo xtask TASK --help

        The train
          cut                 push main to release-X.Y.0 and bump main (on the 5th)
          release-latest      date the latest version, in pull requests (on the 20th)
          release-patch       the same for a patch of one or more release branches
          release-candidate   the same for the next release candidate
          push-tag            tag the merged release
          verify              find what would stop or spoil a release
          dist                build binaries and a source tarball into target/dist
          publish             publish every crate that is missing from the registry
          github-release      make the release on GitHub public, with its files
          sync-notes          copy the notes of patch releases to main
          yank                yank a release, or superseded candidates

        Overview
          status              show where each train is, and what to run next

        Versions and notes
          bump [major|minor|patch|rc|release|X.Y.Z]
                              write the next version everywhere
          notes new|date|show VERSION
                              add, date or print a section of RELEASES.md

        Options
          --date YYYY-MM-DD   stands for today

        A task acts on the workspace that holds the current directory, and is safe to
        run again. Exit code: 0 done or nothing to do, 1 an error, 2 a usage error.
    "#]]
    .assert_eq(&help);
    assert_eq!(tree.done(&["--help"]).0, help);
    let mut tasks = Vec::new();
    for line in help.lines() {
        let task = line.strip_prefix("  ").unwrap_or_default();
        if task.starts_with(|c: char| c.is_ascii_lowercase()) {
            tasks.extend(task.split(' ').next());
        }
    }
    assert_eq!(tasks.len(), 14, "{tasks:?}");
    for task in tasks {
        let help = tree.done(&[task, "--help"]).0;
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{task}: {line}");
        }
        // One sentence, usage, options and what to know, an example.
        let parts = Vec::from_iter(help.trim_end().split("\n\n"));
        let (sentence, usage, example) = (parts[0], parts[1], parts[parts.len() - 1]);
        assert!(
            sentence.ends_with('.') && !sentence.contains(". "),
            "{sentence}"
        );
        let begins = format!("cargo xtask {task}");
        assert!(usage.starts_with(&begins), "{usage}");
        assert!(
            example.starts_with(&format!("Example: {begins}")),
            "{example}"
        );
        assert!(!example.contains('\n'), "{example}");
    }
    assert!(tree.files() == before);
}

#[test]
fn a_workspace_version_that_no_published_crate_inherits_does_not_name_the_train() {
    let root = root("a b") + "[workspace.package]\nversion = \"0.1.0\" # left over\n";
    let inherits =
        "[package]\nname = \"b\"\nversion.workspace = true\nedition = \"2021\"\npublish = false\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root),
        ("a/Cargo.toml", &package("a", "2.3.0")),
        (
            "b/Cargo.toml",
            &(package("b", "0.1.0") + "publish = false\n"),
        ),
    ]);
    assert_eq!(tree.done(&["bump"]).0, "3.0.0\n");
    assert_eq!(tree.read("Cargo.toml"), root);
    // What inherits it moves with it.
    tree.write("b/Cargo.toml", inherits);
    assert_eq!(tree.done(&["bump"]).0, "4.0.0\n");
    assert!(
        tree.read("Cargo.toml")
            .ends_with("version = \"0.2.0\" # left over\n")
    );
}

#[test]
fn other_workspaces_of_the_repository_that_depend_on_a_bumped_member_are_named() {
    let tree = Tree::new(&[
        (
            "Cargo.toml",
            &(root("a b") + "exclude = [\"fuzz\", \"bench\"]\n"),
        ),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        (
            "b/Cargo.toml",
            &(package("b", "1.0.0") + "publish = false\n"),
        ),
        (
            "fuzz/Cargo.toml",
            &(package("fuzz", "0.0.0") + "[workspace]\n[dependencies]\na = { path = \"../a\" }\n"),
        ),
        (
            "bench/Cargo.toml",
            &(package("bench", "0.0.0") + "[workspace]\n[dependencies]\nb = { path = \"../b\" }\n"),
        ),
        (
            "tool/Cargo.toml",
            "[workspace]\nmembers = []\n[workspace.dependencies]\nrenamed = { path = \"../a\", package = \"a\", version = \"1\" }\n",
        ),
        (
            "patched/Cargo.toml",
            "[workspace]\nmembers = []\n[patch.crates-io]\na = { path = \"../a\" }\n",
        ),
        (
            "template/Cargo.toml",
            "[package]\nname = {{ name }}\n[dependencies]\na = { path = \"../a\" }\n",
        ),
    ]);
    for line in ["init -q", "add --all"] {
        let mut git = std::process::Command::new("git");
        assert!(
            git.args(line.split(' '))
                .current_dir(tree.path())
                .status()
                .unwrap()
                .success()
        );
    }
    let said = tree.done(&["bump"]).1;
    let others: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("another"))
        .collect();
    expect![[r#"
        fuzz/Cargo.toml:7: depends on `a` from another workspace: update it and its Cargo.lock
        patched/Cargo.toml:4: depends on `a` from another workspace: update it and its Cargo.lock
        tool/Cargo.toml:4: depends on `a` from another workspace: update it and its Cargo.lock"#]]
    .assert_eq(&others.join("\n"));
}

#[test]
fn a_member_at_a_pre_release_of_its_own_stays_at_a_patch_and_is_named() {
    let root = root("a b") + "[workspace.metadata.release-train]\nversion-of = \"a\"\n";
    let tree = Tree::new(&[
        ("Cargo.toml", &root),
        ("a/Cargo.toml", &package("a", "1.0.0")),
        ("b/Cargo.toml", &package("b", "0.1.0-beta.3")),
    ]);
    let (version, said) = tree.done(&["bump", "patch"]);
    assert_eq!(version, "1.0.1\n");
    let named = "b 0.1.0-beta.3 left alone: its version is not the train's\n";
    assert!(said.contains(named), "{said}");
    tree.done(&["bump", "release"]);
    assert!(tree.read("b/Cargo.toml").contains("\"0.1.0-beta.3\""));
}
