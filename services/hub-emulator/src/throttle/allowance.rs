//! The messages that the hub takes on one day.
//!
//! A day is one of the hub's clock, from when throttling began. A message counts once, however
//! large it is: that the real hub counts by blocks of 4 KB is not emulated.

const DAY: f64 = 24.0 * 60.0 * 60.0;

/// Messages taken today.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    day: u64,
    used: u64,
}

impl Allowance {
    /// How many were taken today.
    pub(crate) fn used(&self, now: f64) -> u64 {
        if self.day == day(now) { self.used } else { 0 }
    }

    /// Counts one.
    pub(crate) fn count(&mut self, now: f64) {
        self.used = self.used(now) + 1;
        self.day = day(now);
    }
}

fn day(now: f64) -> u64 {
    (now / DAY) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_day_begins_with_none() {
        let mut allowance = Allowance::default();
        allowance.count(10.0);
        allowance.count(DAY - 1.0);
        assert_eq!(allowance.used(DAY - 0.5), 2);
        assert_eq!(allowance.used(DAY + 0.5), 0);
        allowance.count(DAY + 0.5);
        assert_eq!(allowance.used(DAY + 1.0), 1);
    }
}
