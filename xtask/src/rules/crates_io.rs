//! What crates.io refuses at upload, after the crates before it were published ("The manifest format" in the Cargo book, and
//! `src/controllers/krate/publish.rs` of crates.io). Pure.

use serde_json::Value;

/// Each key of `[package]` that crates.io refuses, and why; `package` is cargo's metadata of it.
pub fn refusals(package: &Value) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let text = |key: &str| package[key].as_str().unwrap_or_default();
    if text("description").is_empty() {
        found.push((
            "description",
            "has no description: add one, or `publish = false`".to_string(),
        ));
    }
    if text("license").is_empty() && text("license_file").is_empty() {
        found.push((
            "license",
            "has no license and no license-file: add one, or `publish = false`".to_string(),
        ));
    }
    for key in ["keywords", "categories"] {
        let words: Vec<&str> = package[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if words.len() > 5 {
            found.push((
                key,
                format!("has {} {key}: at most 5 are allowed", words.len()),
            ));
        }
        if let (Some(word), "keywords") = (words.iter().find(|word| !is_keyword(word)), key) {
            let rule =
                "at most 20 letters, digits, `_`, `-` and `+`, beginning with a letter or digit";
            found.push((key, format!("has the keyword `{word}`: {rule}")));
        }
    }
    found
}

fn is_keyword(word: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-+".contains(c);
    word.len() <= 20
        && word.chars().all(allowed)
        && word.starts_with(|c: char| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_crates_io_refuses_is_found() {
        let good = json!({ "description": "A crate.", "license": "MIT", "keywords": ["a", "b-c", "3d"], "categories": [] });
        for (key, value, expected) in [
            ("name", json!("a"), ""),
            ("license_file", json!("LICENSE"), ""),
            ("description", Value::Null, "has no description"),
            ("description", json!(""), "has no description"),
            ("license", Value::Null, "has no license"),
            (
                "keywords",
                json!(["a", "b", "c", "d", "e", "f"]),
                "has 6 keywords",
            ),
            ("keywords", json!(["f g"]), "has the keyword `f g`"),
            ("keywords", json!(["-f"]), "has the keyword `-f`"),
            (
                "keywords",
                json!(["abcdefghijklmnopqrstu"]),
                "has the keyword `abc",
            ),
            (
                "categories",
                json!(["a", "b", "c", "d", "e", "f"]),
                "has 6 categories",
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
}
