//! Durations as people write them: `250ms`, `2s`, `5m`, `1h`, `7d`.
//!
//! A serde with-module: `#[serde(with = "hubshift_shell::config::humane")] timeout: Duration`.
//! One whole number and one unit; a bare number is refused, because nobody remembers its unit.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// A text that is not a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write a whole number and ms, s, m, h or d, like 250ms or 2s")]
pub struct NotADuration(String);

/// Parses `250ms`, `2s`, `5m`, `1h`, `7d`.
///
/// # Errors
/// [`NotADuration`] for anything else, and for more milliseconds than 64 bits hold.
pub fn parse(text: &str) -> Result<Duration, NotADuration> {
    let refused = || NotADuration(text.to_owned());
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| refused())?;
    let (_, millis) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(refused)?;
    number
        .checked_mul(*millis)
        .map(Duration::from_millis)
        .ok_or_else(refused)
}

/// Writes a duration in the largest unit that holds it exactly; less than a millisecond is cut.
pub fn format(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, size) = UNITS
        .iter()
        .rev()
        .find(|(_, size)| millis >= *size && millis.is_multiple_of(*size))
        .unwrap_or(&("s", 1_000));
    format!("{}{unit}", millis / size)
}

/// For serde: writes the text of [`format()`].
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*duration))
}

/// For serde: reads the text of [`parse`].
///
/// # Errors
/// Not a string, or not a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_read_and_written_back() {
        for text in ["250ms", "2s", "5m", "1h", "7d", "90s", "0s"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        assert_eq!(parse("5m").unwrap(), Duration::from_secs(300));
    }

    #[test]
    fn a_number_without_unit_and_an_overflow_are_refused() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1.5s",
            "5 s",
            "5parsecs",
            "99999999999999999999d",
        ] {
            assert_eq!(parse(text), Err(NotADuration(text.to_owned())));
        }
        assert!(parse("18446744073709551615d").is_err());
    }
}
