//! When devices have been watched for long enough.

use std::time::Duration;

/// Of a thousand devices that poll, so many must be attached.
const ATTACHED_PER_MILLE: u64 = 995;

/// Where nobody polls, nothing is learnt by watching longer.
const NOBODY: Duration = Duration::from_secs(5);

/// What retries of a missed slot may take.
const RETRIES: Duration = Duration::from_secs(5);

/// How long to watch at most: the admission window, three polls and some retries, within `limit`;
/// next to nothing when nobody polls.
pub fn observation(
    window: Duration,
    poll_after: Duration,
    limit: Duration,
    polling: u64,
) -> Duration {
    let longest = (window + poll_after * 3 + RETRIES).min(limit);
    if polling == 0 {
        longest.min(NOBODY)
    } else {
        longest
    }
}

/// Whether the devices that poll are where they should be: 99.5 % of them.
pub fn adoption_is_complete(polling: u64, attached: u64) -> bool {
    polling > 0 && attached.saturating_mul(1_000) >= polling.saturating_mul(ATTACHED_PER_MILLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_is_enough_and_nobody_is_not() {
        assert!(adoption_is_complete(1_000, 995));
        assert!(!adoption_is_complete(1_000, 994));
        assert!(!adoption_is_complete(0, 0));
    }

    #[test]
    fn watching_ends() {
        let seconds = Duration::from_secs;
        assert_eq!(
            observation(seconds(100), seconds(60), seconds(600), 9),
            seconds(285)
        );
        assert_eq!(
            observation(seconds(1_250), seconds(60), seconds(600), 9),
            seconds(600)
        );
        assert_eq!(
            observation(seconds(100), seconds(60), seconds(600), 0),
            seconds(5)
        );
    }
}
