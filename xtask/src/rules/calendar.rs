//! The days of the release train.

use semver::Version;
use time::format_description::well_known::Iso8601;
use time::{Date, Month};

use crate::rules::config::Config;
use crate::rules::version::Bump;
use crate::{Result, bail};

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Result<Date> {
    match Date::parse(text, &Iso8601::DATE) {
        // ISO 8601 has other forms of a date, too.
        Ok(date) if date.to_string() == text => Ok(date),
        _ => bail!("`{text}` is not a date: write YYYY-MM-DD"),
    }
}

/// The days of a month on which a train is cut, and on which it is released.
pub const CUT: u8 = 5;
pub const RELEASE: u8 = 20;

/// The next such day of a month, the given date included.
pub fn next_on(day: u8, from: Date) -> Date {
    let this_month = from.replace_day(day).unwrap_or(from);
    plus_months(this_month, u64::from(this_month < from))
}

/// Whether two dates are in the same month.
pub fn same_month(one: Date, other: Date) -> bool {
    (one.year(), one.month()) == (other.year(), other.month())
}

/// The last day on which the release line of a version is supported; `released` is the date of its X.Y.0.
pub fn supported_until(config: &Config, version: &Version, released: Date) -> Date {
    // The number that grows by one with each train.
    let train = match (&config.train, version.major, version.minor) {
        (Bump::Major, major @ 1.., _) => major,
        (Bump::Major, 0, 0) => version.patch,
        (_, _, minor) => minor,
    };
    match config.lts_every {
        Some(every) if train > 0 && train.is_multiple_of(every) => {
            plus_months(released, config.lts_months)
        }
        _ => plus_months(released, config.support_months),
    }
}

/// The same day a number of months later, or the last day of a shorter month.
fn plus_months(date: Date, months: u64) -> Date {
    let count = u64::from(u8::from(date.month())) - 1 + months.min(1_200);
    let year = date.year() + (count / 12) as i32;
    let month = Month::January.nth_next((count % 12) as u8);
    Date::from_calendar_date(year, month, date.day().min(month.length(year))).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_counted_by_the_calendar() {
        for (date, months, expected) in [
            ("2024-01-20", 2, "2024-03-20"),
            ("2023-12-31", 2, "2024-02-29"),
            ("2024-01-20", 24, "2026-01-20"),
        ] {
            assert_eq!(
                plus_months(parse_date(date).unwrap(), months),
                parse_date(expected).unwrap()
            );
        }
    }

    #[test]
    fn the_next_days_are_of_this_month_or_of_the_next_one() {
        let day = |text: &str| parse_date(text).unwrap();
        for (from, cut, release) in [
            ("2026-03-05", "2026-03-05", "2026-03-20"),
            ("2026-03-06", "2026-04-05", "2026-03-20"),
            ("2026-12-21", "2027-01-05", "2027-01-20"),
        ] {
            assert_eq!(
                (next_on(CUT, day(from)), next_on(RELEASE, day(from))),
                (day(cut), day(release)),
                "{from}"
            );
        }
    }

    #[test]
    fn every_twelfth_train_is_supported_for_long() {
        let config = Config::parse(&serde_json::json!({ "lts-every": 12 })).unwrap();
        let until = |line: [u64; 3]| {
            let [major, minor, patch] = line;
            supported_until(
                &config,
                &Version::new(major, minor, patch),
                parse_date("2024-08-20").unwrap(),
            )
            .to_string()
        };
        assert_eq!(until([24, 0, 0]), "2026-08-20");
        assert_eq!(until([25, 0, 0]), "2024-10-20");
        assert_eq!(until([0, 36, 0]), "2026-08-20");
    }
}
