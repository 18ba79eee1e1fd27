//! The rule by which calls are let through: a token bucket that may owe.
//!
//! Pure: time comes in as seconds of the hub's clock.

/// The fewest calls that may come at once. How much the real hub lets through in a burst is not
/// known; a second's worth would be less than two calls for the registry of a small hub, and a
/// client that reads back what it wrote would stumble at once.
const LEAST_BURST: f64 = 10.0;

/// How fast a bucket fills, in calls a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate(pub(crate) f64);

/// What a class of operations may spend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    /// Below zero when calls wait that were let through already, or after a large one.
    tokens: f64,
    /// When that was so.
    at: f64,
}

impl Rate {
    /// A second's worth, and ten calls at least.
    fn burst(self) -> f64 {
        self.0.max(LEAST_BURST)
    }
}

impl Bucket {
    /// A bucket that nobody has used.
    pub(crate) fn full(rate: Rate, now: f64) -> Self {
        Self {
            tokens: rate.burst(),
            at: now,
        }
    }

    /// Takes a call in and says how long it waits; nothing if that is longer than `patience`, and
    /// then nothing is taken.
    ///
    /// A call that costs more than a burst waits for a full bucket only and leaves a debt: a bulk
    /// call of fifty is let through by an idle hub, and the next one waits for both.
    pub(crate) fn take(&mut self, rate: Rate, cost: f64, now: f64, patience: f64) -> Option<f64> {
        let passed = (now - self.at).max(0.0);
        self.tokens = (self.tokens + passed * rate.0).min(rate.burst());
        self.at = self.at.max(now);
        let wait = ((cost.min(rate.burst()) - self.tokens) / rate.0).max(0.0);
        if wait > patience {
            return None;
        }
        self.tokens -= cost;
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One unit of S1: a hundred identities a minute.
    const RATE: Rate = Rate(100.0 / 60.0);

    #[test]
    fn a_burst_passes_then_calls_queue_in_order_then_they_are_refused() {
        let mut bucket = Bucket::full(RATE, 0.0);
        for _ in 0..10 {
            assert_eq!(bucket.take(RATE, 1.0, 0.0, 10.0), Some(0.0));
        }
        let waits: Vec<_> = (0..20)
            .filter_map(|_| bucket.take(RATE, 1.0, 0.0, 10.0))
            .collect();
        assert_eq!(waits.len(), 16, "{waits:?}");
        assert!(waits.is_sorted(), "{waits:?}");
        assert!((waits[0] - 0.6).abs() < 1e-9, "{waits:?}");
        assert!((waits[15] - 9.6).abs() < 1e-9, "{waits:?}");
        // A refused call takes nothing: a moment later there is room for one.
        assert!(bucket.take(RATE, 1.0, 0.6, 10.0).is_some());
        assert!(bucket.take(RATE, 1.0, 0.6, 10.0).is_none());
    }

    #[test]
    fn over_any_while_no_more_passes_than_the_rate_and_a_burst() {
        let mut bucket = Bucket::full(RATE, 0.0);
        let passed = (0..6_000)
            .filter(|tick| {
                bucket
                    .take(RATE, 1.0, f64::from(*tick) / 10.0, 0.0)
                    .is_some()
            })
            .count();
        assert!((1_000..=1_010).contains(&passed), "{passed} in 600 s");
    }

    #[test]
    fn a_large_call_passes_an_idle_hub_and_is_paid_by_those_after_it() {
        let mut bucket = Bucket::full(RATE, 0.0);
        assert_eq!(bucket.take(RATE, 50.0, 0.0, 10.0), Some(0.0));
        assert_eq!(bucket.take(RATE, 1.0, 0.0, 10.0), None);
        // Forty are owed: the next fifty wait until they are paid and the bucket is full.
        let wait = bucket.take(RATE, 50.0, 0.0, 90.0).unwrap();
        assert!((wait - 30.0).abs() < 1e-9, "{wait}");
        let wait = bucket.take(RATE, 50.0, 0.0, 90.0).unwrap();
        assert!((wait - 60.0).abs() < 1e-9, "{wait}");
    }

    #[test]
    fn idling_saves_up_no_more_than_a_burst() {
        let mut bucket = Bucket::full(Rate(100.0), 0.0);
        let passed = (0..1_000)
            .filter(|_| bucket.take(Rate(100.0), 1.0, 3_600.0, 0.0).is_some())
            .count();
        assert_eq!(passed, 100);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing() {
        let mut bucket = Bucket::full(RATE, 100.0);
        for _ in 0..10 {
            bucket.take(RATE, 1.0, 100.0, 0.0);
        }
        assert_eq!(bucket.take(RATE, 1.0, 50.0, 0.0), None);
        assert_eq!(bucket.take(RATE, 1.0, 100.0, 0.0), None);
    }
}
