//! Days of the release train. Pure, but for `today`.

use time::{Date, Month, OffsetDateTime};

use crate::Result;

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
