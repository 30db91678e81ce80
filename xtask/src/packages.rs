//! What `verify` has cargo build: each crate packaged as its users will get it, and the public ones compared with the last
//! release. It writes to the target folder alone, and git fetches what is compared.

use std::fs;

use xshell::{Shell, cmd};

use crate::findings::Findings;
use crate::git::fetch;
use crate::registry::{CRATES_IO, Registry};
use crate::sha256::sha256;
use crate::workspace::{Crate, Workspace};
use crate::{Context, Result, shell};

/// Packages and builds every crate as its users will get it, and looks at the sizes. A version that the registry has is not
/// packaged again: to cargo, one that differs from it is corrupt.
pub fn build(
    sh: &Shell,
    workspace: &Workspace,
    registry: Option<&Registry>,
    to_come: &[&Crate],
    findings: &mut Findings,
) -> Result<()> {
    /// Of crates.io, compressed, unless it allows a crate more.
    const LIMIT: u64 = 10 << 20;
    let there = registry.map_or(0, |registry| registry.members(workspace).count() - to_come.len());
    if there > 0 {
        findings.warning("", format_args!("{there} crates are published at their versions, and not packaged again"));
    }
    let later = workspace.waiting(to_come);
    for (name, need) in &later {
        findings.warning("", format_args!("`{name}` is not packaged before `{need}` is published, which it or what it needs names without a path: cargo takes that from the registry alone"));
    }
    let to_come = to_come.iter().filter(|member| !later.contains_key(member.name.as_str()));
    let to_come: Vec<&Crate> = to_come.copied().collect();
    if to_come.is_empty() {
        return Ok(()); // without a name, cargo would take every member
    }
    let names = to_come.iter().flat_map(|member| ["--package", &member.name]);
    let registry = registry.map(|registry| registry.name.as_str()).filter(|name| *name != CRATES_IO);
    let registry = registry.into_iter().flat_map(|name| ["--registry", name]);
    // To cargo, a package of the same name and version is the same for ever: others than these must not be about.
    let verify = workspace.target.join("verify");
    let target = verify.join(content(sh)?);
    for other in fs::read_dir(&verify).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if other != target {
            let _ = fs::remove_dir_all(other);
        }
    }
    // What is not committed is looked at, too: it is what the next commit will be. A lock file that is kept stays as it is.
    let locked = shell::read(cmd!(sh, "git ls-files Cargo.lock"))?;
    let locked = if locked.is_empty() { None } else { Some("--locked") };
    let package = cmd!(sh, "cargo package --allow-dirty {locked...} --target-dir {target} {registry...} {names...}");
    if let Err(error) = shell::run(package) {
        findings.error("", format_args!("{error}: it is said above why"));
        return Ok(());
    }
    for Crate { name, version, manifest, .. } in to_come {
        let package = target.join(format!("package/{name}-{version}.crate"));
        let size = fs::metadata(&package).context(package.display())?.len();
        if size <= LIMIT {
            continue;
        }
        let manifest = &workspace.manifests[*manifest];
        let folder = manifest.path.parent().unwrap_or(&workspace.root);
        let listed = shell::read(cmd!(sh, "cargo package --allow-dirty --list --package {name}"))?;
        let size_of = |file: &str| Some((fs::metadata(folder.join(file)).ok()?.len(), file.to_string()));
        let mut files: Vec<(u64, String)> = listed.lines().filter_map(size_of).collect();
        files.sort_by(|one, other| other.cmp(one));
        let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let biggest = files.iter().take(3).map(|(size, file)| format!("{file} ({})", mebibytes(*size)));
        let (size, biggest) = (mebibytes(size), biggest.collect::<Vec<_>>().join(", "));
        findings.error(&manifest.file, format_args!("`{name}` packs to {size}, and 10 are allowed; the biggest files are {biggest}: `exclude` what users do not need"));
    }
    Ok(())
}

/// A name for what the files of the checkout hold now.
fn content(sh: &Shell) -> Result<String> {
    let mut content = shell::read(cmd!(sh, "git rev-parse HEAD"))?;
    content += &shell::read(cmd!(sh, "git diff --no-ext-diff --no-textconv --binary HEAD"))?;
    for file in shell::read(cmd!(sh, "git ls-files -z --others --exclude-standard"))?.split_terminator('\0') {
        content += file;
        content += &sha256(&fs::read(sh.current_dir().join(file)).unwrap_or_default());
    }
    Ok(sha256(content.as_bytes())[..16].to_string())
}

/// Compares the public crates with the last release of the line, of which they are to be a patch.
pub fn compare(
    sh: &Shell,
    workspace: &Workspace,
    (tag, commit): (&str, &str),
    wanted: bool,
    findings: &mut Findings,
) -> Result<()> {
    if shell::read(cmd!(sh, "cargo semver-checks --version")).is_err() {
        let how = "cargo semver-checks is not installed: cargo install --locked cargo-semver-checks";
        if wanted {
            findings.error("", how)
        } else {
            findings.warning("", how)
        }
        return Ok(());
    }
    fetch(sh, &[&format!("refs/tags/{tag}")])?;
    let members: Vec<&Crate> = workspace.relied_on().filter(|member| member.moves).collect();
    if members.is_empty() {
        return Ok(());
    }
    let names = members.iter().flat_map(|member| ["--package", &member.name]);
    let check = cmd!(sh, "cargo semver-checks --baseline-rev {commit} --release-type patch {names...}");
    if let Err(error) = shell::run(check) {
        findings.error("", format_args!("{error}: this is no patch of {tag}"));
    }
    Ok(())
}
