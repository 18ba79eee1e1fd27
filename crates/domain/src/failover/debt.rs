//! What becomes of a hub that is not active: a lost one until its merge is closed, and a standby
//! on its way to `Ready`.
//!
//! Pure: observed facts in, the state that the hub should have out. Whoever writes it does so
//! under the condition that the hub is still in the state that was looked at.

use crate::epoch::Epoch;
use crate::hub_state::HubState;

/// Where merging stands for a hub with an unpaid `MERGE_REQUIRED`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MergeProgress {
    /// Whether a merge of the hub is not over.
    pub is_active: bool,
    /// Whether it is being applied or verified.
    pub is_applying: bool,
    /// Whether it found the hub rewound.
    pub is_rewound: bool,
    /// The epoch in which the newest closed merge was started.
    pub closed_epoch: Option<Epoch>,
}

/// What should become of a hub that must be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HubFate {
    /// Nothing changes.
    Stays,
    /// It gets this state and still owes.
    Becomes(HubState),
    /// The merge is closed: the debt is paid and the hub is a standby again.
    Paid,
}

/// The fate of a hub in `state` that owes a merge since `debt_epoch`.
pub fn hub_fate(state: HubState, debt_epoch: Epoch, merge: MergeProgress) -> HubFate {
    use HubState::{Merging, Quarantined, Rewound};
    if !matches!(state, Quarantined | Rewound | Merging) {
        return HubFate::Stays;
    }
    // A merge that was started before the hub was lost says nothing about the loss.
    if merge
        .closed_epoch
        .is_some_and(|closed| closed >= debt_epoch)
    {
        return HubFate::Paid;
    }
    let wanted = match merge {
        MergeProgress {
            is_active: true,
            is_applying: true,
            ..
        } => Merging,
        MergeProgress {
            is_active: true,
            is_rewound: true,
            ..
        } => Rewound,
        _ => Quarantined,
    };
    if wanted == state {
        HubFate::Stays
    } else {
        HubFate::Becomes(wanted)
    }
}

/// How far replication has come with a standby.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StandbyProgress {
    /// Whether its last call was answered.
    pub was_contacted: bool,
    /// Whether it is known to have been complete.
    pub has_watermark: bool,
    /// Whether replication to it stopped.
    pub is_blocked: bool,
    /// The epoch in which it was last verified equal.
    pub verify_epoch: Epoch,
}

/// The state that a standby on its way should get, if another one.
pub fn standby_fate(state: HubState, epoch: Epoch, seen: StandbyProgress) -> Option<HubState> {
    match state {
        HubState::Provisioning if seen.was_contacted => Some(HubState::Syncing),
        HubState::Syncing
            if seen.has_watermark && !seen.is_blocked && seen.verify_epoch == epoch =>
        {
            Some(HubState::Ready)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST_IN: Epoch = Epoch(2049);

    fn fate(state: HubState, merge: MergeProgress) -> HubFate {
        hub_fate(state, LOST_IN, merge)
    }

    #[test]
    fn a_lost_hub_follows_its_merge() {
        use HubState::{Merging, Quarantined, Rewound};
        let none = MergeProgress::default();
        let planned = MergeProgress {
            is_active: true,
            ..none
        };
        let rewound = MergeProgress {
            is_rewound: true,
            ..planned
        };
        let applying = MergeProgress {
            is_applying: true,
            ..rewound
        };
        assert_eq!(fate(Quarantined, none), HubFate::Stays);
        assert_eq!(fate(Quarantined, planned), HubFate::Stays);
        assert_eq!(fate(Quarantined, rewound), HubFate::Becomes(Rewound));
        assert_eq!(fate(Rewound, applying), HubFate::Becomes(Merging));
        // The merge gave up: the hub is as lost as before.
        assert_eq!(fate(Merging, none), HubFate::Becomes(Quarantined));
    }

    #[test]
    fn only_a_merge_of_this_loss_pays() {
        let closed = |epoch| MergeProgress {
            closed_epoch: Some(epoch),
            ..Default::default()
        };
        assert_eq!(
            fate(HubState::Quarantined, closed(Epoch(2048))),
            HubFate::Stays
        );
        assert_eq!(fate(HubState::Merging, closed(LOST_IN)), HubFate::Paid);
        assert_eq!(fate(HubState::Active, closed(LOST_IN)), HubFate::Stays);
    }

    #[test]
    fn a_standby_is_ready_when_it_was_verified_in_this_epoch() {
        let epoch = Epoch(1025);
        let seen = StandbyProgress {
            has_watermark: true,
            verify_epoch: epoch,
            ..Default::default()
        };
        assert_eq!(
            standby_fate(HubState::Syncing, epoch, seen),
            Some(HubState::Ready)
        );
        assert_eq!(standby_fate(HubState::Syncing, Epoch(2048), seen), None);
        let blocked = StandbyProgress {
            is_blocked: true,
            ..seen
        };
        assert_eq!(standby_fate(HubState::Syncing, epoch, blocked), None);
        assert_eq!(standby_fate(HubState::Quarantined, epoch, seen), None);
    }

    #[test]
    fn a_hub_is_synced_after_first_contact() {
        let seen = StandbyProgress {
            was_contacted: true,
            ..Default::default()
        };
        let epoch = Epoch(1025);
        assert_eq!(
            standby_fate(HubState::Provisioning, epoch, seen),
            Some(HubState::Syncing)
        );
        let unseen = StandbyProgress::default();
        assert_eq!(standby_fate(HubState::Provisioning, epoch, unseen), None);
    }
}
