//! What crates.io, or cargo on the way there, refuses at upload, after the crates before it were published ("The manifest
//! format" in the Cargo book, and `src/controllers/krate/publish.rs` of crates.io). Pure.

use semver::VersionReq;
use serde_json::Value;

/// Each key of `[package]`, or the table, that crates.io refuses, and why; `package` is cargo's metadata of it.
pub fn refusals(package: &Value) -> Vec<(&'static str, String)> {
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    let list = |key: &str| {
        let list = package[key].as_array();
        list.map(Vec::as_slice).unwrap_or_default()
    };
    let (description, license) = (text("description"), text("license"));
    let too_long = more("bytes in its description", 1000);
    let no_license = license.is_empty() && text("license_file").is_empty();
    let bad_license = !license.is_empty() && !is_license(license);
    let names = not("license", license, "SPDX names with OR, AND and WITH");
    let mut refused = vec![
        ("description", description.is_empty(), no("description")),
        ("description", description.len() > 1000, too_long),
        ("license", no_license, no("license and no license-file")),
        ("license", bad_license, names),
    ];
    for key in ["keywords", "categories"] {
        refused.push((key, list(key).len() > 5, more(key, 5)));
    }
    for key in ["homepage", "documentation", "repository"] {
        let is_wrong = package[key].as_str().is_some_and(|url| !is_url(url));
        refused.push((key, is_wrong, not(key, text(key), "an http(s) URL")));
    }
    for word in list("keywords").iter().filter_map(Value::as_str) {
        refused.push(("keywords", !is_keyword(word), not("keyword", word, KEYWORD)));
    }
    for word in list("categories").iter().filter_map(Value::as_str) {
        let what = not("category", word, "one of https://crates.io/category_slugs");
        refused.push(("categories", !is_category(word), what));
    }
    let mut features = Vec::from_iter(package["features"].as_object().into_iter().flatten());
    // Cargo shows an optional dependency as a feature, too.
    features.retain(|(name, enabled)| enabled[0] != format!("dep:{name}"));
    refused.push(("features", features.len() > 300, more("features", 300)));
    for (name, enabled) in features {
        let count = enabled.as_array().map_or(0, Vec::len);
        let what = format!("features enabled by `{name}`");
        refused.push(("features", count > 300, more(&what, 300)));
    }
    let refused = refused.into_iter().filter(|(_, is_wrong, _)| *is_wrong);
    refused.map(|(key, _, what)| (key, what)).collect()
}

fn no(what: &str) -> String {
    format!("has no {what}: add one, or `publish = false`")
}

fn more(what: &str, limit: usize) -> String {
    format!("has more than {limit} {what}, which is the limit")
}

fn not(key: &str, value: &str, rule: &str) -> String {
    format!("has the {key} `{value}`: it must be {rule}")
}

const KEYWORD: &str =
    "of at most 20 letters, digits, `_`, `-` and `+`, the first a letter or digit";

/// A dependency of a published crate, as far as a registry cares.
pub struct Dependency<'a> {
    pub name: &'a str,
    pub dev: bool,
    pub version: Option<&'a str>,
    /// It is a member that is not published, or the crate itself, and the registry has no version that it admits.
    pub unavailable: bool,
    /// It is in another registry than the crate is published to.
    pub elsewhere: bool,
}

impl Dependency<'_> {
    /// Why the crate cannot be published with this dependency.
    pub fn refusal(&self) -> Option<String> {
        let is_wildcard = |text| VersionReq::parse(text).is_ok_and(|it| it == VersionReq::STAR);
        let what = match self.version {
            // Cargo leaves it out of the package.
            None if self.dev => return None,
            None => "has no version: add one",
            Some(text) if is_wildcard(text) => "is a wildcard, which crates.io refuses",
            Some(_) if self.elsewhere => "is in another registry, which crates.io refuses",
            Some(_) if !self.unavailable => return None,
            Some(_) if self.dev => "is not published: leave out its version",
            Some(_) => "is not published",
        };
        Some(format!("depends on `{}`, which {what}", self.name))
    }
}

/// Whether a text has the form of an SPDX expression, or of the old one with `/`. Its names are not looked up.
fn is_license(text: &str) -> bool {
    let is_balanced = text.matches('(').count() == text.matches(')').count();
    let text = text.replace('/', " OR ").replace(['(', ')'], " ");
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-+:".contains(c);
    let words: Vec<&str> = text.split_whitespace().collect();
    let fits = |(at, word): (usize, &&str)| {
        let is_operator = ["OR", "AND", "WITH"].contains(word);
        is_operator == (at % 2 == 1) && word.chars().all(allowed)
    };
    is_balanced && words.len() % 2 == 1 && words.iter().enumerate().all(fits)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://");
    let rest = rest.or_else(|| text.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let host = host.and_then(|host| host.rsplit('@').next());
    let host = host.unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let is_port = port.is_empty() || port.parse::<u16>().is_ok();
    is_port && !name.is_empty() && !name.contains([' ', '<', '>', '^', '|', '%'])
}

fn is_keyword(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
    let first = |c: char| c.is_ascii_alphanumeric();
    word.len() <= 20 && word.chars().all(allowed) && word.starts_with(first)
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
                "has more than 1000 bytes",
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
            ("license", json!("(MIT"), "has the license"),
            ("homepage", json!("https://example.com"), ""),
            ("homepage", json!("http://example.com:80/a b?c#d"), ""),
            ("homepage", json!("example.com"), "has the homepage"),
            ("homepage", json!("https://me@[::1]:80/"), ""),
            ("homepage", json!("https://a.b:x/"), "has the homepage"),
            ("homepage", json!("https://:80/"), "has the homepage"),
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
            ("keywords", five.clone(), "has more than 5 keywords"),
            ("keywords", json!(["f g"]), "has the keyword `f g`"),
            ("keywords", json!(["-f"]), "has the keyword `-f`"),
            ("keywords", json!([""]), "has the keyword ``"),
            (
                "keywords",
                json!(["abcdefghijklmnopqrstu"]),
                "has the keyword `abc",
            ),
            ("categories", five, "has more than 5 categories"),
            (
                "categories",
                json!(["Command line"]),
                "has the category `Command line`",
            ),
            ("features", features(300), ""),
            ("features", features(301), "has more than 300 features"),
            ("features", json!({ "all": many(300) }), ""),
            (
                "features",
                json!({ "all": many(301) }),
                "has more than 300 features enabled by `all`",
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
            (None, false, false, "which has no version"),
            (None, false, true, "which has no version"),
            (Some("*"), false, false, "is a wildcard"),
            (Some(" X"), true, false, "is a wildcard"),
            (Some("*"), true, true, "is a wildcard"),
            (Some("1.*"), true, false, ""),
            (Some("1"), false, true, "which is not published"),
            (Some("1"), true, true, "leave out its version"),
        ] {
            let dependency = Dependency {
                name: "x",
                dev,
                version,
                unavailable,
                elsewhere: false,
            };
            let refusal = dependency.refusal().unwrap_or_default();
            assert_eq!(refusal.is_empty(), expected.is_empty(), "{refusal}");
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
