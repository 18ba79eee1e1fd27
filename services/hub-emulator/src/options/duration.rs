//! Durations as people write them: `250ms`, `2s`, `5m`, `1h`.

use std::time::Duration;

use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde::ser::Serializer;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// A text that is not a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a whole number and ms, s, m or h, like 250ms or 5m")]
pub(crate) struct NotADuration;

/// One whole number and one unit. A bare number is refused: nobody remembers its unit.
pub(crate) fn parse(text: &str) -> Result<Duration, NotADuration> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or(NotADuration)?;
    let (number, unit) = text.split_at(end);
    let number: u64 = number.parse().map_err(|_| NotADuration)?;
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, millis) = unit.ok_or(NotADuration)?;
    number
        .checked_mul(*millis)
        .map(Duration::from_millis)
        .ok_or(NotADuration)
}

/// The text of a duration, in the largest unit in which it is a whole number.
pub(crate) fn write(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    let is_whole = |(_, size): &&(&str, u64)| millis.is_multiple_of(u128::from(*size));
    let (name, size) = UNITS.iter().rev().find(is_whole).unwrap_or(&UNITS[0]);
    format!("{}{name}", millis / u128::from(*size))
}

/// For serde: a duration is its text.
pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&write(*duration))
}

/// For serde: the text of a duration.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(from)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_in_the_largest_unit_that_is_whole() {
        for text in ["0s", "1ms", "1500ms", "90s", "90m", "25h"] {
            assert_eq!(write(parse(text).unwrap()), text);
        }
        assert_eq!(write(Duration::from_secs(7_200)), "2h");
    }

    #[test]
    fn a_number_and_a_unit_are_a_duration() {
        for (text, millis) in [("0s", 0), ("250ms", 250), ("2s", 2_000), ("5m", 300_000)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)));
        }
        assert_eq!(parse("1h"), Ok(Duration::from_secs(3600)));
    }

    #[test]
    fn anything_else_is_refused() {
        let most = format!("{}h", u64::MAX);
        for text in ["", "5", "s", "-1s", "1.5s", "5 s", "5d", "5S", &most] {
            assert_eq!(parse(text), Err(NotADuration), "{text}");
        }
    }
}
