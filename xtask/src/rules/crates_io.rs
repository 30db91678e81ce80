//! What crates.io, or cargo on the way there, refuses at upload, after the crates before it were published ("The manifest
//! format" in the Cargo book, and `src/controllers/krate/publish.rs` of crates.io). Pure.

use semver::VersionReq;
use serde_json::Value;

/// How many features a crate may have, and how many one of them may enable.
const FEATURES: usize = 300;

/// Each key of `[package]`, or the table, that crates.io refuses, and why; `package` is cargo's metadata of it.
pub fn refusals(package: &Value) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let mut refuse = |key, what: String| found.push((key, what));
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    let (description, license) = (text("description"), text("license"));
    let add = "add one, or `publish = false`";
    match description.len() {
        0 => refuse("description", format!("has no description: {add}")),
        ..=1000 => {}
        bytes => refuse(
            "description",
            format!("has a description of {bytes} bytes: at most 1000 are allowed"),
        ),
    }
    match license {
        "" if text("license_file").is_empty() => refuse(
            "license",
            format!("has no license and no license-file: {add}"),
        ),
        "" => {}
        _ if is_license(license) => {}
        _ => refuse(
            "license",
            format!("has the license `{license}`: write SPDX names with OR, AND and WITH"),
        ),
    }
    for key in ["homepage", "documentation", "repository"] {
        if let Some(url) = package[key].as_str().filter(|url| !is_url(url)) {
            refuse(
                key,
                format!("has the {key} `{url}`: it must be an http(s) URL"),
            );
        }
    }
    let lists: [(_, fn(&str) -> bool, _); 2] = [
        (
            "keywords",
            is_keyword,
            "at most 20 letters, digits, `_`, `-` and `+`, beginning with a letter or digit",
        ),
        (
            "categories",
            is_category,
            "see https://crates.io/category_slugs",
        ),
    ];
    for (key, is_allowed, rule) in lists {
        let words = package[key].as_array().into_iter().flatten();
        let words: Vec<&str> = words.filter_map(Value::as_str).collect();
        let count = words.len();
        if count > 5 {
            refuse(key, format!("has {count} {key}: at most 5 are allowed"));
        }
        for word in words.iter().filter(|word| !is_allowed(word)) {
            refuse(key, format!("has `{word}` among its {key}: {rule}"));
        }
    }
    let mut features = Vec::from_iter(package["features"].as_object().into_iter().flatten());
    // Cargo shows an optional dependency as a feature, too.
    features.retain(|(name, enabled)| enabled[0] != format!("dep:{name}"));
    let limit = format!("at most {FEATURES} are allowed");
    let count = features.len();
    if count > FEATURES {
        refuse("features", format!("has {count} features: {limit}"));
    }
    for (name, enabled) in features {
        let count = enabled.as_array().map_or(0, Vec::len);
        if count > FEATURES {
            let what = format!("has a feature `{name}` that enables {count}: {limit}");
            refuse("features", what);
        }
    }
    found
}

/// A dependency of a published crate, as far as a registry cares.
pub struct Dependency<'a> {
    pub name: &'a str,
    pub dev: bool,
    pub version: Option<&'a str>,
    /// It is a member that is not published, or the crate itself, and the registry has no version that it admits.
    pub unavailable: bool,
}

impl Dependency<'_> {
    /// Why the crate cannot be published with this dependency.
    pub fn refusal(&self) -> Option<String> {
        let name = self.name;
        let wildcard = |text| VersionReq::parse(text).is_ok_and(|it| it == VersionReq::STAR);
        let what = match (self.version, self.dev) {
            // Cargo leaves it out of the package.
            (None, true) => return None,
            (None, false) => format!("depends on `{name}` without a version: add one"),
            (Some(text), _) if wildcard(text) => {
                format!("depends on `{name}` `{text}`: crates.io allows no wildcard")
            }
            (Some(_), _) if !self.unavailable => return None,
            (Some(_), true) => {
                format!("depends on `{name}`, which is not published: leave out its version")
            }
            (Some(_), false) => format!("depends on `{name}`, which is not published"),
        };
        Some(what)
    }
}

/// Whether a text has the form of an SPDX expression, or of the old one with `/`. Its names are not looked up.
fn is_license(text: &str) -> bool {
    let text = text.replace('/', " OR ").replace(['(', ')'], " ");
    let mut words = text.split_whitespace().enumerate();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-+:".contains(c);
    let fits = |(at, word): (usize, &str)| {
        let is_operator = ["OR", "AND", "WITH"].contains(&word);
        is_operator == (at % 2 == 1) && word.chars().all(allowed)
    };
    text.split_whitespace().count() % 2 == 1 && words.all(fits)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://");
    let rest = rest.or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    host.is_some_and(|host| !host.is_empty() && !host.contains([' ', '<', '>', '^', '|']))
}

fn is_keyword(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
    word.len() <= 20
        && word.chars().all(allowed)
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a text has the form of a category, as `development-tools::cargo-plugins` has.
fn is_category(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-:".contains(c);
    !word.is_empty() && word.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn many(count: usize) -> Vec<String> {
        (0..count).map(|at| format!("f{at}")).collect()
    }

    #[test]
    fn what_crates_io_refuses_is_found() {
        let good = json!({
            "description": "A crate.", "license": "MIT", "keywords": ["a", "b-c", "3d"],
            "categories": ["development-tools::cargo-plugins"], "features": { "x": ["dep:x"] },
        });
        let features = |count| {
            let names = many(count).into_iter();
            Value::Object(names.map(|name| (name, json!([]))).collect())
        };
        let five = json!(["a", "b", "c", "d", "e", "f"]);
        for (key, value, expected) in [
            ("name", json!("a"), ""),
            ("license_file", json!("LICENSE"), ""),
            ("description", Value::Null, "has no description"),
            ("description", json!(""), "has no description"),
            ("description", json!("x".repeat(1000)), ""),
            // Bytes, not letters.
            (
                "description",
                json!("ü".repeat(501)),
                "has a description of 1002 bytes",
            ),
            ("license", Value::Null, "has no license"),
            ("license", json!("MIT OR (Apache-2.0 AND MIT)"), ""),
            ("license", json!("MIT/Apache-2.0"), ""),
            (
                "license",
                json!("Apache-2.0 WITH LLVM-exception OR GPL-3.0+"),
                "",
            ),
            ("license", json!("apache 2.0"), "has the license `apache"),
            ("license", json!("MIT or Apache-2.0"), "has the license"),
            ("license", json!("MIT, Apache-2.0"), "has the license"),
            ("license", json!("MIT OR"), "has the license"),
            ("homepage", json!("https://example.com"), ""),
            ("homepage", json!("http://example.com:80/a b?c#d"), ""),
            ("homepage", json!("example.com"), "has the homepage"),
            ("homepage", json!("https://"), "has the homepage"),
            ("homepage", json!("https:///path"), "has the homepage"),
            ("homepage", json!("https:example.com"), "has the homepage"),
            (
                "repository",
                json!("git+https://a.b/c"),
                "has the repository",
            ),
            (
                "repository",
                json!("git@github.com:a/b"),
                "has the repository",
            ),
            ("documentation", json!(""), "has the documentation ``"),
            ("keywords", five.clone(), "has 6 keywords"),
            ("keywords", json!(["f g"]), "has `f g` among its keywords"),
            ("keywords", json!(["-f"]), "has `-f` among"),
            ("keywords", json!([""]), "has `` among"),
            ("keywords", json!(["abcdefghijklmnopqrstu"]), "has `abc"),
            ("categories", five, "has 6 categories"),
            (
                "categories",
                json!(["Command line"]),
                "has `Command line` among",
            ),
            ("features", features(300), ""),
            ("features", features(301), "has 301 features"),
            ("features", json!({ "all": many(300) }), ""),
            (
                "features",
                json!({ "all": many(301) }),
                "has a feature `all` that enables 301",
            ),
        ] {
            let mut package = good.clone();
            package[key] = value;
            let found = refusals(&package);
            assert_eq!(found.len(), usize::from(!expected.is_empty()), "{package}");
            assert!(
                found.iter().all(|(_, what)| what.starts_with(expected)),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_dependency_that_stops_a_publish_is_found() {
        for (version, dev, unavailable, expected) in [
            (Some("1"), false, false, ""),
            (Some("1"), true, false, ""),
            (Some(">=0"), false, false, ""),
            (None, true, true, ""),
            (None, false, false, "without a version"),
            (None, false, true, "without a version"),
            (Some("*"), false, false, "no wildcard"),
            (Some(" X"), true, false, "no wildcard"),
            (Some("*"), true, true, "no wildcard"),
            (Some("1.*"), true, false, ""),
            (Some("1"), false, true, "which is not published"),
            (Some("1"), true, true, "leave out its version"),
        ] {
            let dependency = Dependency {
                name: "x",
                dev,
                version,
                unavailable,
            };
            let refusal = dependency.refusal().unwrap_or_default();
            assert_eq!(refusal.is_empty(), expected.is_empty(), "{refusal}");
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
