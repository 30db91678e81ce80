//! Days of the release train. Pure, but for `today`.

use semver::Version;
use time::{Date, Month, OffsetDateTime};

use crate::Result;
use crate::config::Config;
use crate::version::train_number;

/// Today's date in UTC, the time zone in which workflows are scheduled.
pub fn today() -> Date {
    OffsetDateTime::now_utc().date()
}

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Result<Date> {
    let no_date = || format!("`{text}` is no date: write YYYY-MM-DD");
    let shape = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    if !shape.eq(*b"0000-00-00") {
        return Err(no_date().into());
    }
    let month = Month::try_from(text[5..7].parse::<u8>()?).map_err(|_| no_date())?;
    Ok(Date::from_calendar_date(text[..4].parse()?, month, text[8..].parse()?).map_err(|_| no_date())?)
}

/// The day until which the line of a version is supported, itself not included, from the day of its X.Y.0.
pub fn supported_until(config: &Config, line: &Version, released: Date) -> Date {
    let long_term = config.lts_every.is_some_and(|every| train_number(line).is_multiple_of(every));
    plus_months(released, if long_term { config.lts_months } else { config.support_months })
}

/// The same day so many months later, or the last of a shorter month.
fn plus_months(date: Date, months: u64) -> Date {
    let count = date.year() as i64 * 12 + i64::from(u8::from(date.month())) - 1 + months.min(1_200) as i64;
    let year = (count.div_euclid(12) as i32).min(Date::MAX.year());
    let month = Month::January.nth_next(count.rem_euclid(12) as u8);
    Date::from_calendar_date(year, month, date.day().min(month.length(year))).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_counted_by_the_calendar() {
        for (date, months, expected) in
            [("2024-01-20", 2, "2024-03-20"), ("2023-12-31", 2, "2024-02-29"), ("2024-01-20", 24, "2026-01-20")]
        {
            assert_eq!(plus_months(parse_date(date).unwrap(), months), parse_date(expected).unwrap());
        }
    }

    #[test]
    fn every_twelfth_train_is_supported_for_long() {
        let config = Config { lts_every: Some(12), ..Config::default() };
        let until = |line: [u64; 3]| {
            let [major, minor, patch] = line;
            supported_until(&config, &Version::new(major, minor, patch), parse_date("2024-08-20").unwrap()).to_string()
        };
        assert_eq!(until([24, 0, 0]), "2026-08-20");
        assert_eq!(until([25, 0, 0]), "2024-10-20");
        assert_eq!(until([0, 36, 0]), "2026-08-20");
    }
}
