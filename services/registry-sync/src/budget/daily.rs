//! What queries cost of the messages that a hub allows a day. Pure: time is passed in.
//!
//! Kept true: the devices' telemetry, which is paid from the same purse, is not starved by sweeps.
//! What is allowed is spread over the day, so that a sweep that is too dear is made less often
//! instead of not at all from noon on.

use std::time::Duration;

use hubshift_azure::quota::Tier;

/// A day.
const DAY: Duration = Duration::from_secs(86_400);
/// The part of a day's allowance that may be spent as soon as the day begins.
const AT_ONCE: f64 = 0.25;
/// No wait is longer: an operator may allow more meanwhile.
const LONGEST: Duration = Duration::from_secs(600);

/// The messages that an answer of so many bytes costs.
pub(super) fn messages(tier: Option<Tier>, bytes: usize) -> u64 {
    let size = match tier {
        Some(Tier::F1) => 512,
        _ => 4096,
    };
    u64::try_from(bytes.div_ceil(size).max(1)).unwrap_or(u64::MAX)
}

/// How long the next query has to wait when so much of the day's allowance is spent so long after
/// the day (UTC) began; nothing when it need not.
pub(super) fn wait(spent: u64, allowance: u64, of_day: Duration) -> Option<Duration> {
    let (spent, allowance) = (spent as f64, allowance as f64);
    let later = allowance * (1.0 - AT_ONCE);
    // The part of the day after which so much may be spent; all of it when that is too much.
    let part = ((spent - allowance * AT_ONCE) / later).min(1.0);
    if part < 0.0 {
        return None;
    }
    let left = DAY.mul_f64(part).saturating_sub(of_day);
    (!left.is_zero()).then_some(left.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn an_answer_costs_whole_messages_of_its_tier() {
        assert_eq!(messages(Some(Tier::S1), 0), 1);
        assert_eq!(messages(Some(Tier::S1), 4096), 1);
        assert_eq!(messages(Some(Tier::S3), 1_000_000), 245);
        assert_eq!(messages(Some(Tier::F1), 4096), 8);
        assert_eq!(messages(None, 4097), 2);
    }

    #[test]
    fn a_quarter_may_be_spent_at_once_and_the_rest_evenly_over_the_day() {
        assert_eq!(wait(0, 1000, Duration::ZERO), None);
        assert_eq!(wait(249, 1000, Duration::ZERO), None);
        // 250, and 31.25 an hour: at two o'clock 312.5 may be spent.
        assert_eq!(wait(312, 1000, 2 * HOUR), None);
        let soon = wait(313, 1000, 2 * HOUR).unwrap();
        assert!(soon <= MINUTE, "{soon:?}");
        assert_eq!(wait(600, 1000, HOUR), Some(LONGEST));
    }

    #[test]
    fn who_has_spent_everything_waits_for_the_next_day() {
        assert_eq!(wait(1000, 1000, 23 * HOUR), Some(LONGEST));
        assert_eq!(wait(5000, 1000, DAY - MINUTE), Some(MINUTE));
        assert_eq!(wait(1, 0, DAY - MINUTE), Some(MINUTE));
    }
}
