//! `dist`: binaries and sources, the same bytes wherever they are made.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use expect_test::expect;
use support::publishing::package;
use support::train::World;
use support::{root, text};

/// A world whose `b` is a program, and which has a program that is not published.
fn world() -> World {
    let world = World::new();
    let main = "fn main() { println!(\"{}\", file!()); let v: Vec<u8> = Vec::new(); println!(\"{:?}\", v.first().unwrap()); }\n";
    world.commit(
        "main",
        "Programs",
        &[
            ("b/src/main.rs", main),
            ("LICENSE-MIT", "Do.\n"),
            ("README.md", "Demo\n"),
            ("b/README.md", "B\n"),
        ],
    );
    world.git("clone", &["pull", "-q", "--ff-only"]);
    world
}

fn host() -> String {
    let said = text(&Command::new("rustc").args(["-vV"]).output().unwrap().stdout);
    said.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap()
        .to_string()
}

fn archives(world: &World) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(world.path("clone/target/dist"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_string(),
                fs::read(&path).unwrap(),
            )
        })
        .collect()
}

fn listing(folder: &Path, archive: &str) -> Vec<String> {
    let list = Command::new("tar")
        .args(["tvzf", archive])
        .current_dir(folder)
        .output()
        .unwrap();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}", words[0], words[1], words[5])
    };
    text(&list.stdout).lines().map(line).collect()
}

#[test]
fn what_is_packed_is_the_same_in_two_places_and_at_two_times() {
    let (one, other) = (world(), world());
    assert_eq!(
        one.git("clone", &["rev-parse", "HEAD"]),
        other.git("clone", &["rev-parse", "HEAD"])
    );
    one.done("dist");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    // With the line ends of Windows in the checkout.
    other.git("clone", &["config", "core.autocrlf", "true"]);
    other.git("clone", &["rm", "-q", "-r", "."]);
    other.git("clone", &["checkout", "-q", "HEAD", "--", "."]);
    let readme = fs::read(other.path("clone/README.md")).unwrap();
    assert!(readme.ends_with(b"\r\n"));
    let output = other
        .xtask("clone", "dist")
        .env("TZ", "Asia/Tokyo")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (first, second) = (archives(&one), archives(&other));
    let host = host();
    let program = format!("demo-v12.0.0-{host}.tar.gz");
    assert_eq!(
        first.keys().map(String::as_str).collect::<Vec<_>>(),
        ["demo-v12.0.0-src.tar.gz", program.as_str()]
    );
    for (name, bytes) in &first {
        assert!(second[name] == *bytes, "{name} differs");
    }
    let folder = one.path("clone/target/dist");
    expect![[r#"
        drwxr-xr-x root/root demo-v12.0.0-HOST/
        -rw-r--r-- root/root demo-v12.0.0-HOST/LICENSE-MIT
        -rw-r--r-- root/root demo-v12.0.0-HOST/README.md
        -rwxr-xr-x root/root demo-v12.0.0-HOST/b"#]]
    .assert_eq(&listing(&folder, &program).join("\n").replace(&host, "HOST"));
    expect![[r#"
        drwxr-xr-x root/root demo-v12.0.0-src/
        -rw-r--r-- root/root demo-v12.0.0-src/.gitignore
        -rw-r--r-- root/root demo-v12.0.0-src/Cargo.lock
        -rw-r--r-- root/root demo-v12.0.0-src/Cargo.toml
        -rw-r--r-- root/root demo-v12.0.0-src/LICENSE-MIT
        -rw-r--r-- root/root demo-v12.0.0-src/README.md
        -rw-r--r-- root/root demo-v12.0.0-src/RELEASES.md
        drwxr-xr-x root/root demo-v12.0.0-src/a/
        -rw-r--r-- root/root demo-v12.0.0-src/a/Cargo.toml
        drwxr-xr-x root/root demo-v12.0.0-src/a/src/
        -rw-r--r-- root/root demo-v12.0.0-src/a/src/lib.rs
        drwxr-xr-x root/root demo-v12.0.0-src/b/
        -rw-r--r-- root/root demo-v12.0.0-src/b/Cargo.toml
        -rw-r--r-- root/root demo-v12.0.0-src/b/README.md
        drwxr-xr-x root/root demo-v12.0.0-src/b/src/
        -rw-r--r-- root/root demo-v12.0.0-src/b/src/lib.rs
        -rw-r--r-- root/root demo-v12.0.0-src/b/src/main.rs"#]]
    .assert_eq(&listing(&folder, "demo-v12.0.0-src.tar.gz").join("\n"));
    Command::new("tar")
        .args(["xzf", &program])
        .current_dir(&folder)
        .status()
        .unwrap();
    let ran = Command::new(folder.join(format!("demo-v12.0.0-{host}/b")))
        .output()
        .unwrap();
    assert_eq!(text(&ran.stdout), "b/src/main.rs\n");
}

#[test]
fn of_default_members_those_that_are_published_are_packed() {
    let world = world();
    let files = [
        (
            "Cargo.toml",
            root("a b bench tool") + "default-members = [\"bench\", \"tool\"]\n",
        ),
        (
            "bench/Cargo.toml",
            package("bench", "12.0.0", "publish = false\n"),
        ),
        ("bench/src/main.rs", "fn main() {}\n".to_string()),
        ("tool/Cargo.toml", package("tool", "12.0.0", "")),
        ("tool/src/main.rs", "fn main() {}\n".to_string()),
    ];
    for folder in ["bench/src", "tool/src"] {
        fs::create_dir_all(world.path("github").join(folder)).unwrap();
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(file, text)| (*file, text.as_str()))
        .collect();
    world.commit("main", "A benchmark and a tool", &files);
    world.git("clone", &["pull", "-q", "--ff-only"]);
    // The lock file does not know them yet.
    assert_eq!(
        world.xtask("clone", "dist").output().unwrap().status.code(),
        Some(1)
    );
    world.lock();
    world.git("clone", &["pull", "-q", "--ff-only"]);
    world.done("dist");
    let program = format!("origin-v12.0.0-{}.tar.gz", host());
    let names: Vec<String> = archives(&world).into_keys().collect();
    assert_eq!(names, ["origin-v12.0.0-src.tar.gz", &program]);
    let files = listing(&world.path("clone/target/dist"), &program);
    let programs: Vec<&str> = files
        .iter()
        .filter_map(|line| line.strip_prefix("-rwxr-xr-x root/root "))
        .collect();
    assert_eq!(programs, [format!("origin-v12.0.0-{}/tool", host())]);
}

#[test]
fn with_source_nothing_is_built() {
    let world = world();
    world.done("dist --source");
    let names: Vec<String> = archives(&world).into_keys().collect();
    assert_eq!(names, ["demo-v12.0.0-src.tar.gz"]);
    let built = world.path("clone/target").join(host());
    assert!(!built.exists(), "{}", built.display());
}

#[test]
fn what_is_not_committed_is_not_packed() {
    let world = world();
    fs::write(world.path("clone/a/src/lib.rs"), "// changed\n").unwrap();
    expect!["error: `a/src/lib.rs` is not committed: only a commit can be released"]
        .assert_eq(&world.refused("dist"));
    world.git("clone", &["checkout", "-q", "."]);
    fs::create_dir(world.path("clone/b/src/bin")).unwrap();
    fs::write(world.path("clone/b/src/bin/scratch.rs"), "fn main() {}\n").unwrap();
    expect!["error: `b/src/bin/` is not committed: only a commit can be released"]
        .assert_eq(&world.refused("dist"));
    fs::remove_dir_all(world.path("clone/b/src/bin")).unwrap();
    let said = text(
        &world
            .xtask("clone", "dist --target no-such-target")
            .output()
            .unwrap()
            .stderr,
    );
    assert!(
        said.lines()
            .last()
            .unwrap()
            .starts_with("error: `cargo build "),
        "{said}"
    );
}

#[test]
fn two_binaries_of_one_name_are_refused_and_other_files_stay() {
    let world = world();
    let bin = "[[bin]]\nname = \"tool\"\npath = \"src/main.rs\"\n";
    let a = world.file("main", "a/Cargo.toml");
    let b = world.file("main", "b/Cargo.toml");
    let main = "fn main() {}\n";
    let (a_with, b_with) = (format!("{a}{bin}"), format!("{b}{bin}"));
    let files = [
        ("a/Cargo.toml", &*a_with),
        ("b/Cargo.toml", &b_with),
        ("a/src/main.rs", main),
    ];
    world.commit("main", "Two of them", &files);
    world.git("clone", &["pull", "-q"]);
    let said = text(&world.xtask("clone", "dist").output().unwrap().stderr);
    assert!(
        said.trim_end()
            .ends_with("tool: two packages build a binary of this name"),
        "{said}"
    );

    world.commit("main", "One of them", &[("a/Cargo.toml", &a)]);
    fs::remove_file(world.path("github/a/src/main.rs")).unwrap();
    world.commit("main", "One of them", &[]);
    world.git("clone", &["pull", "-q"]);
    let dist = world.path("clone/target/dist");
    for file in [
        "demo-v12.0.0-rc.1-x.tar.gz",
        "demo-v11.0.0-x.zip",
        "demo-v12.0.0-another-target.tar.gz",
        "demo-viewer.zip",
        "sbom-vendor.json",
    ] {
        fs::write(dist.join(file), "").unwrap();
    }
    world.done("dist");
    let names: Vec<String> = archives(&world).into_keys().collect();
    let program = format!("demo-v12.0.0-{}.tar.gz", host());
    assert_eq!(
        names,
        [
            "demo-v12.0.0-another-target.tar.gz",
            "demo-v12.0.0-src.tar.gz",
            &program,
            "demo-viewer.zip",
            "sbom-vendor.json"
        ]
    );
}

#[test]
fn a_clone_of_a_clone_by_its_folder_has_a_name() {
    let world = World::with("", "12.0.0", "## 12.0.0\n\nUnreleased.\n");
    let origin = world.path("origin.git/.").display().to_string();
    world.git("clone", &["remote", "set-url", "origin", &origin]);
    world.done("dist");
    assert_eq!(
        archives(&world).into_keys().collect::<Vec<_>>(),
        ["origin-v12.0.0-src.tar.gz"]
    );
}

#[test]
fn a_licence_that_is_a_link_out_of_the_workspace_is_not_packed() {
    let world = world();
    fs::write(world.path("outside"), "secret\n").unwrap();
    world.checkout("main");
    let link = world.path("github/LICENSE-MORE");
    std::os::unix::fs::symlink(world.path("outside"), link).unwrap();
    world.git("github", &["add", "LICENSE-MORE"]);
    world.git("github", &["commit", "-q", "-m", "Link"]);
    world.git("github", &["push", "-q", "origin", "HEAD:main"]);
    world.git("clone", &["pull", "-q", "--ff-only"]);
    let error = world.refused("dist");
    assert_eq!(error, "error: LICENSE-MORE: not a file of the commit");
}

#[test]
fn the_users_flags_stay_and_no_path_of_the_machine_is_in_a_binary() {
    let world = world();
    let manifest = world.file("main", "Cargo.toml") + "[profile.release]\ndebug = true\n";
    let main = "fn main() { println!(\"{}\", cfg!(mine)); }\n";
    let files = [("Cargo.toml", &*manifest), ("b/src/main.rs", main)];
    world.commit("main", "With paths", &files);
    let host = host();
    let of_target = format!("[target.{host}]\nrustflags");
    for (config, variable) in [
        ("", Some(("RUSTFLAGS", "--cfg mine"))),
        ("[build]\nrustflags = \"--cfg mine\"\n", None),
        ("[build]\nrustflags = [\"--cfg\", \"mine\"]\n", None),
        ("", Some(("CARGO_ENCODED_RUSTFLAGS", "--cfg\x1fmine"))),
        (
            "[target.'cfg(unix)']\nrustflags = [\"--cfg\", \"mine\"]\n",
            None,
        ),
        (&format!("{of_target} = \"--cfg mine\"\n"), None),
        (&format!("{of_target} = [\"--cfg\", \"mine\"]\n"), None),
    ] {
        world.commit("main", "Flags", &[(".cargo/config.toml", config)]);
        world.git("clone", &["pull", "-q", "--ff-only"]);
        let mut dist = world.xtask("clone", "dist");
        dist.envs(variable);
        let output = dist.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let binary = world.path(&format!("clone/target/{host}/release/b"));
        let ran = Command::new(&binary).output().unwrap();
        assert_eq!(text(&ran.stdout), "true\n", "{config}");
        let bytes = fs::read(&binary).unwrap();
        let path = world.path("clone").display().to_string();
        let has_path = |bytes: &[u8]| bytes == path.as_bytes();
        assert!(!bytes.windows(path.len()).any(has_path), "{config}");
    }
}

#[test]
fn the_build_knows_the_time_of_the_commit_and_where_the_library_lies() {
    let world = world();
    let real = format!("{}/cargo", support::train::toolchain());
    let record = world.path("record").display().to_string();
    world.wrap(
        "cargo",
        &format!(
            "case $1 in build) echo \"$SOURCE_DATE_EPOCH $*\" > {record};; esac\nexec {real} \"$@\""
        ),
    );
    let output = world.xtask("clone", "dist").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let said = fs::read_to_string(record).unwrap();
    let time = world.git("clone", &["log", "-1", "--format=%ct"]);
    assert!(said.starts_with(&format!("{time} build ")), "{said}");
    assert!(said.contains("/lib/rustlib/src/rust=/rustc/"), "{said}");
}

#[test]
fn a_submodule_is_named_since_the_source_archive_does_not_hold_it() {
    let world = world();
    world.submodule("vendor/lib");
    let said = world.done("dist");
    assert!(
        said.contains("the source archive does not hold the submodule vendor/lib\n"),
        "{said}"
    );
    world.submodule("b/vendor");
    expect!["error: b/vendor: a submodule that is not checked out: run `git submodule update --init --recursive`, or pass `submodules: recursive` to actions/checkout"]
    .assert_eq(&world.refused("dist"));
}

#[test]
fn a_workspace_in_a_folder_of_its_repository_is_packed_with_its_documents() {
    let world = world();
    world.checkout("main");
    world.git("github", &["rm", "-q", "LICENSE-MIT"]);
    for (from, to) in [
        ("Cargo.toml", "ws/"),
        ("Cargo.lock", "ws/"),
        ("a", "ws/"),
        ("b", "ws/"),
        ("README.md", "ws/"),
        ("RELEASES.md", "ws/"),
    ] {
        fs::create_dir_all(world.path("github/ws")).unwrap();
        world.git("github", &["mv", from, to]);
    }
    fs::write(world.path("github/LICENSE"), "Do.\n").unwrap();
    fs::write(world.path("github/ws/.gitignore"), "/target\n").unwrap();
    std::os::unix::fs::symlink("../LICENSE", world.path("github/ws/LICENSE")).unwrap();
    world.git("github", &["add", "--all"]);
    world.git("github", &["commit", "-q", "-m", "A folder"]);
    world.git("github", &["push", "-q", "origin", "HEAD:main"]);
    world.git("clone", &["pull", "-q", "--ff-only"]);
    let output = world.xtask("clone/ws", "dist").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let program = format!("demo-v12.0.0-{}.tar.gz", host());
    let files = listing(&world.path("clone/ws/target/dist"), &program);
    let files: Vec<&str> = files
        .iter()
        .filter_map(|line| line.rsplit('/').next())
        .collect();
    assert_eq!(files, ["", "LICENSE", "README.md", "b"]);
}
