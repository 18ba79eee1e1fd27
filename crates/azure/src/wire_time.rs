//! Times as the hub writes them: ISO 8601 in UTC with seven fractional digits.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What the hub says for "never".
pub const NEVER: &str = "0001-01-01T00:00:00Z";

/// The hub's text of a time.
pub fn write(time: OffsetDateTime) -> String {
    let utc = time.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:07}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second(),
        utc.nanosecond() / 100,
    )
}

/// The time of a hub's text: nothing for [`NEVER`] and for what is no time.
///
/// Text without an offset is read as UTC.
pub fn parse(text: &str) -> Option<OffsetDateTime> {
    let parsed = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339))
        .ok()?;
    (parsed.year() > 1).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn seven_digits_are_written_and_read_back() {
        let time = datetime!(2026-11-23 04:05:06.123456700 UTC);
        assert_eq!(write(time), "2026-11-23T04:05:06.1234567Z");
        assert_eq!(parse(&write(time)), Some(time));
    }

    #[test]
    fn never_is_no_time() {
        assert_eq!(parse(NEVER), None);
        assert_eq!(parse("0001-01-01T00:00:00"), None);
        assert_eq!(parse("yesterday"), None);
    }
}
