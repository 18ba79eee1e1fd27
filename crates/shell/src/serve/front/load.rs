//! How far a thread is behind with its work, and what share of its requests it refuses for it.
//!
//! A probe wakes by a timer; how late it wakes is how long everything else that is ready waits,
//! too. A refusal has to cost less than an answer (what is told is ready made, nothing is looked up or
//! awaited), so that refusing a share brings the rest back into time, where serving everybody would
//! serve nobody in time.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// How often the probe looks.
pub(super) const PROBE_EVERY: Duration = Duration::from_millis(20);
/// How much of the past a smoothed lag remembers.
const MEMORY: Duration = Duration::from_millis(200);
/// Of a thousand requests; some always get through, so that it is seen when they can be served.
const MOST: u32 = 950;
/// Retry times are spread over this, so that those who were refused don't come back together.
const RETRY_SECONDS: u64 = 10;

/// The load of one thread.
pub(super) struct Load {
    shed_lag: Duration,
    lag: Cell<Duration>,
    /// Of a thousand requests, those that are refused.
    share: Cell<u32>,
    dice: Cell<u64>,
}

impl Load {
    pub(super) fn new(shed_lag: Duration) -> Self {
        Self {
            shed_lag,
            lag: Cell::default(),
            share: Cell::default(),
            // Xorshift stands still at zero.
            dice: Cell::new(RandomState::new().hash_one(0) | 1),
        }
    }

    /// The probe woke `late`, after it had slept `slept` in all.
    pub(super) fn observe(&self, late: Duration, slept: Duration) {
        let lag = smooth(self.lag.get(), late, slept);
        self.lag.set(lag);
        self.share
            .set(share(lag, self.shed_lag, self.share.get() > 0));
    }

    pub(super) fn lag(&self) -> Duration {
        self.lag.get()
    }

    /// Whether this request is one of those that are refused, and when to ask again.
    pub(super) fn refuses(&self) -> Option<Duration> {
        let share = self.share.get();
        if share == 0 || self.roll() % 1_000 >= u64::from(share) {
            return None;
        }
        Some(self.retry_after())
    }

    /// From one to ten seconds.
    pub(super) fn retry_after(&self) -> Duration {
        Duration::from_millis(1_000 + self.roll() % ((RETRY_SECONDS - 1) * 1_000))
    }

    /// Xorshift: nobody's secret, only spread.
    fn roll(&self) -> u64 {
        let mut dice = self.dice.get();
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        self.dice.set(dice);
        dice
    }
}

/// The smoothed lag after one more look: the longer since the last one, the more this one counts.
fn smooth(lag: Duration, late: Duration, slept: Duration) -> Duration {
    let weight = slept.as_secs_f64() / (slept + MEMORY).as_secs_f64();
    let smoothed = lag.as_secs_f64() * (1.0 - weight) + late.as_secs_f64() * weight;
    Duration::try_from_secs_f64(smoothed).unwrap_or(Duration::ZERO)
}

/// Of a thousand requests, how many are refused at a lag. It begins above `limit`, grows until
/// four times of it, and ends below half of it.
fn share(lag: Duration, limit: Duration, shedding: bool) -> u32 {
    let half = limit / 2;
    let begins = if shedding { half } else { limit };
    if lag <= begins {
        return 0;
    }
    let over = (lag - half).as_secs_f64() / (limit * 4 - half).as_secs_f64();
    // At most MOST, so it fits; at least one, or it would not be known as shedding.
    ((over * f64::from(MOST)) as u32).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn nothing_is_refused_up_to_the_limit() {
        assert_eq!(share(ms(0), LIMIT, false), 0);
        assert_eq!(share(LIMIT, LIMIT, false), 0);
    }

    #[test]
    fn the_share_grows_with_the_lag_and_never_reaches_everybody() {
        let at = |lag| share(ms(lag), LIMIT, false);
        assert!(at(101) > 100 && at(101) < 200, "{}", at(101));
        let lags = [101, 150, 200, 300, 399];
        assert!(lags.windows(2).all(|two| at(two[0]) < at(two[1])));
        assert_eq!(at(400), MOST);
        assert_eq!(share(Duration::from_secs(3_600), LIMIT, false), MOST);
    }

    #[test]
    fn what_began_ends_only_below_half_of_the_limit() {
        assert!(share(ms(60), LIMIT, true) > 0);
        assert_eq!(share(ms(60), LIMIT, false), 0);
        assert_eq!(share(ms(50), LIMIT, true), 0);
    }

    #[test]
    fn one_late_look_of_an_idle_loop_is_not_a_lag() {
        let lag = smooth(Duration::ZERO, ms(80), ms(20));
        assert!(lag < ms(10), "{lag:?}");
        // A loop that stood still for half a second is one at once.
        let lag = smooth(Duration::ZERO, ms(480), ms(500));
        assert!(lag > ms(300), "{lag:?}");
    }

    #[test]
    fn a_load_that_is_over_sheds_no_more() {
        let load = Load::new(LIMIT);
        assert_eq!(load.refuses(), None);
        load.observe(ms(2_000), ms(2_020));
        let refused = (0..1_000).filter_map(|_| load.refuses());
        let times: Vec<_> = refused.collect();
        assert!(times.len() > 850 && times.len() < 1_000, "{}", times.len());
        assert!(
            times
                .iter()
                .all(|time| *time >= ms(1_000) && *time <= ms(10_000))
        );
        assert!(times.iter().max() > times.iter().min().map(|min| *min + ms(5_000)).as_ref());
        for _ in 0..100 {
            load.observe(Duration::ZERO, PROBE_EVERY);
        }
        assert_eq!(load.refuses(), None);
    }
}
