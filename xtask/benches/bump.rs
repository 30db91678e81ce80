//! How long a bump takes beside what cargo needs to read the same tree, and how that grows. Each figure is the best of
//! several runs, on a line `ratio: NAME VALUE (at most LIMIT)`; over the limit, the bench fails.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use xshell::{Shell, TempDir};

fn main() -> ExitCode {
    let (small, large) = (tree(100), tree(1_000));
    let [mut metadata, mut bump, mut large_metadata, mut large_bump] = [Duration::MAX; 4];
    // In turn, so that whatever else the machine does meets them all.
    for _ in 0..15 {
        metadata = metadata.min(cargo_metadata(&small));
        bump = bump.min(xtask_bump(&small));
        large_metadata = large_metadata.min(cargo_metadata(&large));
        large_bump = large_bump.min(xtask_bump(&large));
    }
    println!("100 crates: cargo metadata {metadata:.1?}, bump {bump:.1?}");
    println!("1,000 crates: cargo metadata {large_metadata:.1?}, bump {large_bump:.1?}");
    let within = [
        ratio("bump/metadata", bump, metadata, 3.0),
        ratio("bump-1000/bump-100", large_bump, bump, 11.0),
    ];
    if within.contains(&false) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn ratio(name: &str, one: Duration, other: Duration, limit: f64) -> bool {
    let ratio = one.as_secs_f64() / other.as_secs_f64();
    println!("ratio: {name} {ratio:.2} (at most {limit})");
    ratio <= limit
}

fn cargo_metadata(tree: &TempDir) -> Duration {
    time(
        tree.path(),
        "cargo",
        &["metadata", "--no-deps", "--format-version=1"],
    )
}

fn xtask_bump(tree: &TempDir) -> Duration {
    time(tree.path(), env!("CARGO_BIN_EXE_xtask"), &["bump"])
}

fn time(folder: &Path, program: &str, arguments: &[&str]) -> Duration {
    let start = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let time = start.elapsed();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    time
}

/// A workspace of Wasmtime's shape: of ten crates six are published and half inherit their version; sixty requirements in
/// the root manifest; five or six a crate, two or three of them on members (a bump of Wasmtime 0.31 changed 163 lines in
/// 46 manifests); and a lock file of five packages a crate. The root manifest does not grow with the crates: where it
/// does, cargo's own reading grows with the square, and hides ours.
fn tree(crates: usize) -> TempDir {
    let folder = Shell::new().unwrap().create_temp_dir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mut root =
        "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\npackage.version = \"12.0.0\"\n"
            .to_string();
    let mut lock = "version = 4\n".to_string();
    root += "[workspace.dependencies]\n";
    for at in 0..crates {
        let name = format!("crate-{at:04}");
        let version = if at % 2 == 0 {
            "version.workspace = true"
        } else {
            "version = \"12.0.0\""
        };
        let mut manifest = format!(
            "[package]\nname = \"{name}\"\n{version}\npublish = {}\n",
            at % 10 < 6
        );
        manifest += "edition = \"2021\"\n\n[dependencies]\nanyhow = \"1\"\nlog = \"0.4\"\n";
        manifest += "serde = { version = \"1\", features = [\"derive\"] }\n";
        if at < 60 {
            writeln!(
                root,
                "{name} = {{ path = \"crates/{name}\", version = \"=12.0.0\" }}"
            )
            .unwrap();
        }
        write!(
            lock,
            "\n[[package]]\nname = \"{name}\"\nversion = \"12.0.0\"\ndependencies = [\n"
        )
        .unwrap();
        for on in at.saturating_sub(2 + at % 2)..at {
            let requirement = "version = \"=12.0.0\", default-features = false";
            writeln!(
                manifest,
                "crate-{on:04} = {{ path = \"../crate-{on:04}\", {requirement} }}"
            )
            .unwrap();
            writeln!(lock, " \"crate-{on:04}\",").unwrap();
        }
        lock += "]\n";
        write(&format!("crates/{name}/Cargo.toml"), &manifest);
        write(&format!("crates/{name}/src/lib.rs"), "");
    }
    for at in 0..crates * 4 {
        let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
        let checksum = "0".repeat(64);
        write!(
            lock,
            "\n[[package]]\nname = \"outside-{at:04}\"\nversion = \"1.0.0\"\n{source}\n"
        )
        .unwrap();
        write!(
            lock,
            "checksum = \"{checksum}\"\ndependencies = [\n \"anyhow\",\n \"serde\",\n]\n"
        )
        .unwrap();
    }
    write("Cargo.toml", &root);
    write("Cargo.lock", &lock);
    folder
}
