//! When a canary ends: a part of a fleet that is attached to a standby returns to its active hub.
//!
//! The rule is pure, and errs towards the end: whatever it does not like about the standby or the
//! fleet ends it. What devices echo is no part of it: nobody vouches for that, and it triggers
//! nothing.

use std::time::Duration;

use time::OffsetDateTime;

use crate::epoch::Epoch;
use crate::hub_state::{HubState, named};

/// How long a canary lasts when nobody says.
pub const DEFAULT_TTL: Duration = Duration::from_secs(15 * 60);
/// The shortest and the longest.
pub const TTL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));

named!(
    /// Why a canary ended.
    RevertCause {
        /// Its time was over.
        Expired = "expired",
        /// Its hub is no longer a standby that holds everything.
        HubNotReady = "hub_not_ready",
        /// Observers say that its hub is dead.
        HubDead = "hub_dead",
        /// A failover has begun.
        OperationRunning = "operation_running",
        /// The fleet has another epoch than it began in.
        EpochChanged = "epoch_changed",
        /// An operator ended it.
        Stopped = "stopped",
    }
);

/// What the end of a canary depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CanaryFacts {
    /// The time now.
    pub now: OffsetDateTime,
    /// When its time is over.
    pub until: OffsetDateTime,
    /// The epoch that it began in.
    pub began_in: Epoch,
    /// The fleet's.
    pub epoch: Epoch,
    /// Its hub's state; `None` when the fleet has no such hub.
    pub hub: Option<HubState>,
    /// Whether a failover of the fleet is unfinished.
    pub is_operation_running: bool,
    /// Whether our own observers say that its hub is dead. Devices are not asked.
    pub observed_dead: bool,
}

/// Why a canary has to end now, if it has to; the most telling reason of those that hold.
pub fn should_revert(facts: &CanaryFacts) -> Option<RevertCause> {
    if facts.epoch != facts.began_in {
        Some(RevertCause::EpochChanged)
    } else if facts.is_operation_running {
        Some(RevertCause::OperationRunning)
    } else if facts.hub != Some(HubState::Ready) {
        Some(RevertCause::HubNotReady)
    } else if facts.observed_dead {
        Some(RevertCause::HubDead)
    } else if facts.now >= facts.until {
        Some(RevertCause::Expired)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> CanaryFacts {
        CanaryFacts {
            now: OffsetDateTime::UNIX_EPOCH,
            until: OffsetDateTime::UNIX_EPOCH + DEFAULT_TTL,
            began_in: Epoch(1024),
            epoch: Epoch(1024),
            hub: Some(HubState::Ready),
            is_operation_running: false,
            observed_dead: false,
        }
    }

    #[test]
    fn a_canary_lasts_until_its_time_is_over() {
        let mut facts = good();
        assert_eq!(should_revert(&facts), None);
        facts.now = facts.until - time::Duration::MILLISECOND;
        assert_eq!(should_revert(&facts), None);
        facts.now = facts.until;
        assert_eq!(should_revert(&facts), Some(RevertCause::Expired));
    }

    /// Every combination: it goes on only when nothing speaks against it, and an operator's word
    /// is never made up.
    #[test]
    fn whatever_is_wrong_ends_it() {
        let states = HubState::ALL.iter().copied().map(Some).chain([None]);
        for hub in states {
            for bits in 0..16u8 {
                let is = |bit: u8| bits & bit != 0;
                let mut facts = CanaryFacts {
                    hub,
                    is_operation_running: is(1),
                    observed_dead: is(2),
                    ..good()
                };
                if is(4) {
                    facts.epoch = Epoch(2049);
                }
                if is(8) {
                    facts.now = facts.until;
                }
                let found = should_revert(&facts);
                let goes_on = hub == Some(HubState::Ready) && bits == 0;
                assert_eq!(found.is_none(), goes_on, "{facts:?}");
                assert_ne!(found, Some(RevertCause::Stopped));
                assert_eq!(found == Some(RevertCause::EpochChanged), is(4), "{facts:?}");
            }
        }
    }
}
