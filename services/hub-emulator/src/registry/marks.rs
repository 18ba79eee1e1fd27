//! The marks that a hub puts on what it writes: identity etags and generation ids.
//!
//! A hub that was put back to an older state must not give an etag again that it gave before
//! for something else, so etags go on from a random number at every start.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_azure::NoRandomness;
use time::OffsetDateTime;

/// Ticks (100 ns) from year 1 to the Unix epoch.
const EPOCH_TICKS: i128 = 621_355_968_000_000_000;

/// Makes etags and generation ids; never the same twice while the process lives.
pub(crate) struct Marks {
    next_etag: u64,
    last_generation: i128,
}

impl Marks {
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        let mut bytes = [0_u8; 4];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        let start = 100_000_000 + u64::from(u32::from_be_bytes(bytes)) % 900_000_000;
        Ok(Self {
            next_etag: start,
            last_generation: 0,
        })
    }

    /// The next identity etag: base64 of a decimal number.
    pub(crate) fn etag(&mut self) -> String {
        self.next_etag += 1;
        STANDARD.encode(self.next_etag.to_string())
    }

    /// A generation id: 18 digits that count ticks.
    pub(crate) fn generation(&mut self) -> String {
        let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 100 + EPOCH_TICKS;
        self.last_generation = now.max(self.last_generation + 1);
        self.last_generation.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_have_18_digits_and_rise() {
        let mut marks = Marks::new().unwrap();
        let (one, two) = (marks.generation(), marks.generation());
        assert_eq!(one.len(), 18);
        assert!(one < two);
    }

    #[test]
    fn etags_are_base64_of_a_decimal_number() {
        let mut marks = Marks::new().unwrap();
        let decoded = STANDARD.decode(marks.etag()).unwrap();
        assert!(String::from_utf8(decoded).unwrap().parse::<u64>().is_ok());
    }
}
