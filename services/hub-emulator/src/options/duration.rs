//! Durations as people write them: `250ms`, `2s`, `5m`, `1h`.

use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// A text that is not a duration.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a whole number and ms, s, m or h, like 250ms or 5m")]
pub(super) struct NotADuration;

/// One whole number and one unit. A bare number is refused: nobody remembers its unit.
pub(super) fn parse(text: &str) -> Result<Duration, NotADuration> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
