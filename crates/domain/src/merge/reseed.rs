//! What becomes of one device when its hub was rewound: the active hub's state is written over
//! it, and what only the rewound hub has goes to the rescue report.
//!
//! The active hub is never written because of a rewound one. A tombstoned incarnation never
//! returns, and nothing that both hubs once had is deleted only because the active hub lacks it.

use serde::{Deserialize, Serialize};

use super::side::{Action, Live, Side, Triple};
use crate::hub_state::named;

named!(
    /// Why a side stands in the rescue report.
    RescueReason {
        /// Only the rewound hub has the device.
        OnlyHere = "only_here",
        /// Its record differs from the active hub's and from what both once had.
        Differs = "differs",
        /// The active hub deleted the device, and the rewound one has a record of its own of it.
        DeletedThere = "deleted_there",
        /// The device was deleted, but the active hub has it: an operator must decide which.
        DeletionDisputed = "deletion_disputed",
        /// Both hubs once had the device, nobody deleted it, and the active hub lacks it.
        MissingThere = "missing_there",
    }
);

/// A line of the rescue report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rescue {
    /// Why it is there.
    pub reason: RescueReason,
    /// What would otherwise be lost: the rewound hub's side, or the base's where it has none.
    pub side: Side,
}

/// What becomes of one device at a rewound hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reseed {
    /// What the rewound hub should hold.
    pub target: Side,
    /// What it must do for that.
    pub on_primary: Action,
    /// What an operator should look at.
    pub rescue: Option<Rescue>,
}

/// Decides for one device: a pure function of what is known.
pub fn reseed(triple: &Triple) -> Reseed {
    let (target, reason) = match &triple.secondary {
        Side::Live(live) => over_live(triple, live),
        Side::Dead(_) => (
            buried(triple),
            lost_record(triple, RescueReason::DeletedThere),
        ),
        Side::Absent => over_absent(triple),
    };
    let side = match &triple.primary {
        Side::Absent => &triple.base,
        known => known,
    };
    Reseed {
        on_primary: Action::between(&triple.primary, &target),
        target,
        rescue: reason.map(|reason| Rescue {
            reason,
            side: side.clone(),
        }),
    }
}

fn over_live(triple: &Triple, live: &Live) -> (Side, Option<RescueReason>) {
    if live.hold.is_none() && buried_up_to(triple) >= live.incarnation {
        return (buried(triple), Some(RescueReason::DeletionDisputed));
    }
    let target = Side::Live(live.clone());
    (target, lost_record(triple, RescueReason::Differs))
}

fn over_absent(triple: &Triple) -> (Side, Option<RescueReason>) {
    let buried_up_to = buried_up_to(triple);
    let base = triple.base.live();
    if base.is_some_and(|base| base.incarnation > buried_up_to) {
        return (triple.primary.clone(), Some(RescueReason::MissingThere));
    }
    (buried(triple), lost_record(triple, RescueReason::OnlyHere))
}

/// `reason`, if the rewound hub has a record that stands neither at the active hub nor in the
/// base.
fn lost_record(triple: &Triple, reason: RescueReason) -> Option<RescueReason> {
    let live = triple.primary.live()?;
    let known = triple.is_unchanged(live) || triple.primary.same(&triple.secondary);
    (!known).then_some(reason)
}

fn buried(triple: &Triple) -> Side {
    triple.tombstone().cloned().map_or(Side::Absent, Side::Dead)
}

fn buried_up_to(triple: &Triple) -> u32 {
    triple
        .tombstone()
        .map_or(0, |tombstone| tombstone.incarnation)
}
