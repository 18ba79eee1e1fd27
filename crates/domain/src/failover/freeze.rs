//! The freeze of a move that must lose nothing: how long it will last, and when it is too late to
//! commit under it.

use std::time::Duration;

use time::OffsetDateTime;

use super::Kind;

/// A commit needs this much of the freeze to lie ahead: the freeze thaws by itself when it runs
/// out, and no write may slip in between.
pub const FREEZE_MARGIN: Duration = Duration::from_secs(2);

/// How many devices a listing is predicted to pass per second, both hubs at once.
const LISTED_PER_SECOND: u64 = 1_000;

/// Whether an epoch may be committed under a freeze that ends at `frozen_until`.
pub fn may_commit(now: OffsetDateTime, frozen_until: OffsetDateTime) -> bool {
    frozen_until > now + FREEZE_MARGIN
}

/// How long registry writes will be refused: the settle barrier, and for a move that must lose
/// nothing the last comparison before it.
pub fn predicted_closure(
    kind: Kind,
    devices: u64,
    settle: Duration,
    read_lag: Duration,
) -> Duration {
    if !kind.has_source() {
        return settle;
    }
    // Before the commit and once more before the registry opens.
    let comparing = Duration::from_secs(devices.div_ceil(LISTED_PER_SECOND)) + read_lag;
    settle + comparing * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_that_is_about_to_end_is_too_late() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert!(!may_commit(now, now + FREEZE_MARGIN));
        assert!(may_commit(
            now,
            now + FREEZE_MARGIN + Duration::from_millis(1)
        ));
    }

    #[test]
    fn a_forced_move_closes_the_registry_for_the_barrier_alone() {
        let closure =
            |kind| predicted_closure(kind, 2_000, Duration::from_secs(90), Duration::from_secs(1));
        assert_eq!(closure(Kind::Forced), Duration::from_secs(90));
        assert_eq!(closure(Kind::Planned), Duration::from_secs(96));
    }
}
