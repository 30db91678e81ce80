//! What the registry answered, read out of what cargo prints when it fails. Pure.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// What follows from an answer. The texts are those of crates.io (`src/rate_limiter.rs`, `src/auth.rs` and
/// `src/controllers/krate/publish.rs` there); another registry's status says enough.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// It has this version already.
    Taken,
    /// Not before then.
    Later(OffsetDateTime),
    /// Not today.
    NotToday,
    /// The token is not valid, or not any more.
    BadToken,
    /// Not this crate, whenever it is asked.
    Never,
    /// It failed, or there was no answer: it may pass.
    Trouble,
}

/// Reads what cargo printed from `error` on: the answer, and its reason in one line.
pub fn read(error: &str, now: OffsetDateTime) -> (Answer, String) {
    // The root of it comes last.
    let cause = error.rsplit("Caused by:").next().unwrap_or_default();
    let why = crate::shell::one_line(cause);
    let number = |text: &str| text.get(..3)?.parse::<u16>().ok();
    // A server that answers something else than the API does: cargo prints all of it.
    if let Some(code) = why.split_once(" OK response, got ").and_then(|(_, rest)| number(rest)) {
        return (by_status(code, "", now), format!("status {code}"));
    }
    let (why, status) = match why.split_once("responded with an error (status ") {
        Some((_, rest)) => (format!("status {}", rest.replacen("): ", ": ", 1)), number(rest)),
        None => (why, None),
    };
    let answer = match status {
        Some(status) => by_status(status, &why, now),
        // Asked by cargo before it sends anything.
        None if why.starts_with("crate ") && why.contains(" already exists on ") => Answer::Taken,
        None if why.starts_with("no token found") => Answer::BadToken,
        None => Answer::Trouble,
    };
    (answer, if why.is_empty() { "cargo failed and does not say why".to_string() } else { why })
}

fn by_status(status: u16, why: &str, now: OffsetDateTime) -> Answer {
    match status {
        400 | 409 if why.contains("already uploaded") || why.contains("already exists") => Answer::Taken,
        429 if why.contains("in the last 24 hours") => Answer::NotToday,
        429 => date(why).filter(|date| *date > now).map_or(Answer::Trouble, Answer::Later),
        401 => Answer::BadToken,
        403 if why.contains("authentication") => Answer::BadToken,
        408 | 425 => Answer::Trouble,
        400..500 => Answer::Never,
        _ => Answer::Trouble,
    }
}

/// The moment in `... Please try again after Tue, 30 Jul 2024 05:25:39 GMT and see ...`.
fn date(text: &str) -> Option<OffsetDateTime> {
    let (_, rest) = text.split_once("try again after ")?;
    OffsetDateTime::parse(&rest[..rest.find("GMT")? + 3], &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As cargo 1.95 prints it.
    fn answer(text: &str) -> Answer {
        let error = format!(
            "error: failed to publish to registry at http://127.0.0.1:1; the following crates have not been published yet:\n  a v1.0.0 (/a)\n\nCaused by:\n  the remote server responded with an error ({text}\n"
        );
        read(&error, OffsetDateTime::UNIX_EPOCH).0
    }

    #[test]
    fn what_crates_io_answers() {
        let limit = "status 429 Too Many Requests): You have published too many new crates in a short period of time. Please try again after Thu, 01 Jan 1970 00:01:40 GMT and see https://crates.io/docs/rate-limits for more details.";
        assert_eq!(answer(limit), Answer::Later(OffsetDateTime::from_unix_timestamp(100).unwrap()));
        assert_eq!(answer(&limit.replace("1970", "1969").replace("Thu", "Wed")), Answer::Trouble);
        assert_eq!(answer(&limit.replace("Jan", "Foo")), Answer::Trouble);
        for (text, expected) in [
            ("status 400 Bad Request): crate version `1.0.0` is already uploaded", Answer::Taken),
            ("status 400 Bad Request): missing or empty metadata fields: description", Answer::Never),
            ("status 401 Unauthorized): who are you", Answer::BadToken),
            ("status 403 Forbidden): authentication failed", Answer::BadToken),
            ("status 403 Forbidden): Invalid authentication token", Answer::BadToken),
            ("status 403 Forbidden): The provided access token is not valid for crate `a`", Answer::Never),
            ("status 413 Payload Too Large): max upload size is: 10485760", Answer::Never),
            (
                "status 429 Too Many Requests): You have published too many versions of this crate in the last 24 hours",
                Answer::NotToday,
            ),
            ("status 429 Too Many Requests): slower", Answer::Trouble),
            ("status 503 Service Unavailable): ", Answer::Trouble),
        ] {
            assert_eq!(answer(text), expected, "{text}");
        }
    }

    #[test]
    fn the_reason_is_one_line() {
        let error = "error: failed to publish\n\nCaused by:\n  failed to get\n\nCaused by:\n  the remote server responded with an error (status 500 Internal Server Error): a (b): c\n";
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(read(error, now), (Answer::Trouble, "status 500 Internal Server Error: a (b): c".to_string()));
        assert_eq!(read("error: crate a@1.0.0 already exists on crates.io index\n", now).0, Answer::Taken);
        assert_eq!(read("", now), (Answer::Trouble, "cargo failed and does not say why".to_string()));
        let page = "error: failed to publish\n\nCaused by:\n  failed to get a 200 OK response, got 401\n  headers:\n  \tSet-Cookie: secret\n  body:\n  <html>\n";
        assert_eq!(read(page, now), (Answer::BadToken, "status 401".to_string()));
    }
}
