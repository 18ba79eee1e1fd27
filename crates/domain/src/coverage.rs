//! Which part of a fleet asks a concierge at all. The others learn nothing of a move: they stay where
//! they are, and whoever orders one is to know that before.

use crate::sketch::Count;

/// Of a thousand registered devices, so many must poll for a move to go without a warning.
const COVERED_PER_MILLE: u64 = 950;

/// A fleet's devices, and those of them that ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// How many there are.
    pub registered: u64,
    /// How many different ones asked lately.
    pub polling: u64,
    /// Of 100 counts 95 are within so many percent of `polling`; zero: they were counted one by one.
    pub error_percent: f64,
}

impl Coverage {
    /// Of a fleet with so many devices.
    pub fn new(registered: u64, polling: Count) -> Self {
        Self {
            registered,
            polling: polling.number,
            error_percent: polling.error_percent,
        }
    }

    /// How many do not ask.
    pub fn silent(&self) -> u64 {
        self.registered.saturating_sub(self.polling)
    }

    /// Whether nearly all ask: 95 of 100.
    pub fn is_good(&self) -> bool {
        let polling = u128::from(self.polling) * 1_000;
        polling >= u128::from(self.registered) * u128::from(COVERED_PER_MILLE)
    }

    /// Whether more ask than the count alone may be too high by: there are more devices than somebody
    /// said.
    fn is_beyond(&self) -> bool {
        let most = self.registered as f64 * (1.0 + self.error_percent / 100.0);
        self.polling as f64 > most
    }

    /// Whether the count may be too low by all that is missing.
    fn may_be_all(&self) -> bool {
        self.polling as f64 * (1.0 + self.error_percent / 100.0) >= self.registered as f64
    }

    /// For a person: `182,114 of 200,000 poll (±1.6 %); 17,886 will not move by themselves`.
    pub fn text(&self) -> String {
        let (polling, registered) = (grouped(self.polling), grouped(self.registered));
        let error = match self.error_percent {
            none if none <= 0.0 => String::new(),
            percent => format!(" (±{percent:.1} %)"),
        };
        let rest = match self.silent() {
            0 if self.is_beyond() => {
                "more than are known: correct the number of devices".to_owned()
            }
            0 => "all of them move by themselves".to_owned(),
            silent if self.may_be_all() => {
                format!("{} may not move by themselves", grouped(silent))
            }
            silent => format!("{} will not move by themselves", grouped(silent)),
        };
        format!("{polling} of {registered} poll{error}; {rest}")
    }
}

/// `200,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(polling: u64, registered: u64, error_percent: f64) -> Coverage {
        let polling = Count {
            number: polling,
            error_percent,
        };
        Coverage::new(registered, polling)
    }

    #[test]
    fn it_says_who_will_not_move() {
        assert_eq!(
            coverage(182_114, 200_000, 1.6).text(),
            "182,114 of 200,000 poll (±1.6 %); 17,886 will not move by themselves"
        );
        assert_eq!(
            coverage(997_000, 1_000_000, 1.6).text(),
            "997,000 of 1,000,000 poll (±1.6 %); 3,000 may not move by themselves"
        );
        assert_eq!(
            coverage(999, 1_000, 0.0).text(),
            "999 of 1,000 poll; 1 will not move by themselves"
        );
        assert_eq!(
            coverage(0, 1_000, 0.0).text(),
            "0 of 1,000 poll; 1,000 will not move by themselves"
        );
    }

    #[test]
    fn an_estimate_above_the_number_is_all_of_them_within_its_error_and_a_wrong_number_beyond_it() {
        let within = coverage(202_000, 200_000, 1.6);
        assert_eq!(within.silent(), 0);
        assert_eq!(
            within.text(),
            "202,000 of 200,000 poll (±1.6 %); all of them move by themselves"
        );
        assert_eq!(
            coverage(1_000, 1_000, 0.0).text(),
            "1,000 of 1,000 poll; all of them move by themselves"
        );
        assert_eq!(
            coverage(1_001, 1_000, 0.0).text(),
            "1,001 of 1,000 poll; more than are known: correct the number of devices"
        );
    }

    #[test]
    fn nineteen_of_twenty_are_good_coverage() {
        assert!(coverage(950, 1_000, 0.0).is_good());
        assert!(!coverage(949, 1_000, 0.0).is_good());
        assert!(coverage(u64::MAX, u64::MAX, 1.6).is_good());
    }

    #[test]
    fn digits_stand_in_threes() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }
}
