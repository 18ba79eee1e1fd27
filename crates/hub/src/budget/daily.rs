//! The messages of the hub's day that queries may use: devices' telemetry lives on the rest.
//!
//! A hub counts the answers of queries against its daily messages. The count is kept in memory,
//! so that a restart forgets the day.

use std::time::Duration;

use time::{Date, OffsetDateTime};

/// The messages that were used since midnight, UTC.
#[derive(Clone, Debug)]
pub struct DailyMessages {
    cap: Option<u64>,
    /// How many bytes of an answer are one message.
    size: usize,
    day: Date,
    used: u64,
}

impl DailyMessages {
    /// A count with an end, in messages of so many bytes; without an end nothing is refused.
    pub fn new(cap: Option<u64>, size: usize) -> Self {
        Self {
            cap,
            size: size.max(1),
            day: Date::MIN,
            used: 0,
        }
    }

    /// How long there is none left; nothing if there is one.
    pub fn wait(&self, now: OffsetDateTime) -> Option<Duration> {
        let used = if self.day == utc_day(now) {
            self.used
        } else {
            0
        };
        let is_used_up = self.cap.is_some_and(|cap| used >= cap);
        is_used_up.then(|| until_midnight(now))
    }

    /// Counts an answer of so many bytes. True if it took the last message.
    pub fn spend(&mut self, bytes: usize, now: OffsetDateTime) -> bool {
        if self.day != utc_day(now) {
            (self.day, self.used) = (utc_day(now), 0);
        }
        let had_some = self.wait(now).is_none();
        self.used = self.used.saturating_add(self.messages(bytes));
        had_some && self.wait(now).is_some()
    }

    /// Begun messages count in full, and an empty answer counts too.
    fn messages(&self, bytes: usize) -> u64 {
        u64::try_from(bytes.div_ceil(self.size).max(1)).unwrap_or(u64::MAX)
    }
}

fn utc_day(now: OffsetDateTime) -> Date {
    now.to_offset(time::UtcOffset::UTC).date()
}

fn until_midnight(now: OffsetDateTime) -> Duration {
    let (hours, minutes, seconds) = now.to_offset(time::UtcOffset::UTC).to_hms();
    let passed = 3600 * u64::from(hours) + 60 * u64::from(minutes) + u64::from(seconds);
    Duration::from_secs(86_400 - passed)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn begun_messages_count_in_full() {
        let daily = DailyMessages::new(None, 4096);
        for (bytes, expected) in [(0, 1), (1, 1), (4096, 1), (4097, 2), (40_960, 10)] {
            assert_eq!(daily.messages(bytes), expected, "{bytes}");
        }
    }

    #[test]
    fn the_day_ends_at_midnight_utc() {
        let evening = datetime!(2026-03-01 22:30:00 UTC);
        let mut daily = DailyMessages::new(Some(2), 4096);
        assert!(!daily.spend(1, evening));
        assert_eq!(daily.wait(evening), None);
        assert!(daily.spend(1, evening), "the last one");
        assert!(!daily.spend(1, evening), "said once");
        assert_eq!(daily.wait(evening), Some(Duration::from_secs(5400)));
        assert_eq!(
            daily.wait(datetime!(2026-03-02 01:00:00 +2)),
            Some(Duration::from_secs(3600))
        );
        assert_eq!(daily.wait(datetime!(2026-03-02 00:00:00 UTC)), None);
    }

    #[test]
    fn without_a_cap_there_is_no_end() {
        let now = datetime!(2026-03-01 22:30:00 UTC);
        let mut daily = DailyMessages::new(None, 4096);
        assert!(!daily.spend(usize::MAX, now));
        assert_eq!(daily.wait(now), None);
    }
}
