//! How many calls a second a hub answered of late: what is known of a limit that nobody told us.
//! Pure: time is passed in.

use std::time::Duration;

use tokio::time::Instant;

/// Calls are counted in windows of this length; the one before counts too.
const WINDOW: Duration = Duration::from_secs(10);
/// Over less time than this no rate is taken.
const LEAST: Duration = Duration::from_secs(1);

/// Counts calls.
#[derive(Debug)]
pub(super) struct Meter {
    since: Instant,
    count: u32,
    before: u32,
}

impl Meter {
    /// Nothing was counted yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
            before: 0,
        }
    }

    /// Counts a call that was answered.
    pub(super) fn count(&mut self, now: Instant) {
        self.roll(now);
        self.count = self.count.saturating_add(1);
    }

    /// Calls per second of late.
    pub(super) fn rate(&mut self, now: Instant) -> f64 {
        self.roll(now);
        let elapsed = now.saturating_duration_since(self.since);
        let elapsed = match self.before {
            0 => elapsed.max(LEAST),
            _ => elapsed + WINDOW,
        };
        (f64::from(self.before) + f64::from(self.count)) / elapsed.as_secs_f64()
    }

    fn roll(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= 2 * WINDOW {
            *self = Self::new(now);
        } else if elapsed >= WINDOW {
            self.since += WINDOW;
            (self.before, self.count) = (self.count, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        assert_eq!(meter.rate(start), 0.0);
        // Ten a second for fifteen seconds.
        let tick = |number: u32| start + Duration::from_millis(100) * number;
        (1..=150).for_each(|number| meter.count(tick(number)));
        let rate = meter.rate(tick(150));
        assert!((9.9..10.1).contains(&rate), "{rate}");
        // A quiet time is forgotten, whatever was before.
        assert_eq!(meter.rate(start + Duration::from_secs(60)), 0.0);
    }

    #[test]
    fn the_first_calls_do_not_count_as_thousands_a_second() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        (0..20).for_each(|_| meter.count(start));
        assert_eq!(meter.rate(start), 20.0);
    }
}
