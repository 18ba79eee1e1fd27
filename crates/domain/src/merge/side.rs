//! What is known of one device at one place, and what a hub must do to become equal to a merge.

use serde::{Deserialize, Serialize};

use crate::hub_state::named;
use crate::identity::{Incarnation, Record, Stamp};
use crate::json_merge::same_map;

/// Names an open hold: the path that waits for an operator and the incarnation it belongs to.
/// The same situation always gives the same name, so that repeating a merge changes nothing.
pub type HoldId = String;

/// The hold that a conflict at `path` puts on `incarnation`; the empty path is the whole record.
pub fn hold_id(path: &str, incarnation: Incarnation) -> HoldId {
    let what = if path.is_empty() { "record" } else { path };
    format!("{what}@{incarnation}")
}

named!(
    /// Why a device was deleted.
    TombstoneReason {
        /// It is no longer wanted.
        Deleted = "deleted",
        /// Its credential must never be accepted again.
        Revoked = "revoked",
    }
);

/// A device that exists at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Live {
    /// Which life of the device id this is.
    pub incarnation: Incarnation,
    /// What must be equal at two hubs.
    pub record: Record,
    /// Who wrote it, in our own order.
    pub stamp: Stamp,
    /// An open hold: an overlay, beside the record and never written into it.
    pub hold: Option<HoldId>,
}

impl Live {
    /// Whether the hub lets the device connect: a held device is disabled at the hub, whatever
    /// its record says. A hold on a module or a configuration has no effect there.
    pub fn is_effectively_enabled(&self) -> bool {
        self.record.enabled && self.hold.is_none()
    }

    /// Whether a hub sees no difference: all but the stamp is equal.
    pub fn same(&self, other: &Live) -> bool {
        self.incarnation == other.incarnation
            && self.hold == other.hold
            && same_record(&self.record, &other.record)
    }
}

/// A device that is known to have been deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// The last life that it ends: it says nothing of later ones.
    pub incarnation: Incarnation,
    /// Who deleted it, in our own order.
    pub stamp: Stamp,
    /// Why.
    pub reason: TombstoneReason,
}

impl Tombstone {
    fn order(&self) -> (Incarnation, bool, &Stamp) {
        let revoked = self.reason == TombstoneReason::Revoked;
        (self.incarnation, revoked, &self.stamp)
    }
}

/// What is known of a device at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Nothing is known: never evidence of a deletion.
    Absent,
    /// It exists.
    Live(Live),
    /// It was deleted.
    Dead(Tombstone),
}

impl Side {
    /// The device, if it exists.
    pub fn live(&self) -> Option<&Live> {
        match self {
            Side::Live(live) => Some(live),
            Side::Absent | Side::Dead(_) => None,
        }
    }

    /// The tombstone, if it was deleted.
    pub fn tombstone(&self) -> Option<&Tombstone> {
        match self {
            Side::Dead(tombstone) => Some(tombstone),
            Side::Absent | Side::Live(_) => None,
        }
    }

    /// Whether nothing is known.
    pub fn is_absent(&self) -> bool {
        matches!(self, Side::Absent)
    }

    /// Whether a hold is open.
    pub fn is_held(&self) -> bool {
        self.live().is_some_and(|live| live.hold.is_some())
    }

    /// The stamp of what is known.
    pub fn stamp(&self) -> Option<&Stamp> {
        match self {
            Side::Absent => None,
            Side::Live(live) => Some(&live.stamp),
            Side::Dead(tombstone) => Some(&tombstone.stamp),
        }
    }

    /// The incarnation of what is known; 0 for nothing.
    pub fn incarnation(&self) -> Incarnation {
        match self {
            Side::Absent => 0,
            Side::Live(live) => live.incarnation,
            Side::Dead(tombstone) => tombstone.incarnation,
        }
    }

    /// Whether the two differ in nothing but stamps.
    pub fn same(&self, other: &Side) -> bool {
        match (self, other) {
            (Side::Absent, Side::Absent) => true,
            (Side::Live(a), Side::Live(b)) => a.same(b),
            (Side::Dead(a), Side::Dead(b)) => {
                a.incarnation == b.incarnation && a.reason == b.reason
            }
            _ => false,
        }
    }
}

named!(
    /// One of the two hubs of a merge.
    Choice {
        /// The recovered hub.
        Primary = "primary",
        /// The hub that is active now.
        Secondary = "secondary",
    }
);

/// What is known of one device at the three places that a merge compares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Triple {
    /// What was last verified equal at both hubs.
    pub base: Side,
    /// What the recovered hub has.
    pub primary: Side,
    /// What the hub that is active now has.
    pub secondary: Side,
}

impl Triple {
    /// The tombstone that stands above all others: the latest incarnation, and for the same
    /// incarnation `revoked` before `deleted`.
    pub fn tombstone(&self) -> Option<&Tombstone> {
        let sides = [&self.base, &self.primary, &self.secondary];
        let dead = sides.into_iter().filter_map(Side::tombstone);
        dead.max_by_key(|tombstone| tombstone.order())
    }

    /// The same facts with the two hubs in each other's place.
    pub fn swapped(&self) -> Triple {
        Triple {
            base: self.base.clone(),
            primary: self.secondary.clone(),
            secondary: self.primary.clone(),
        }
    }

    /// What is known at one of the hubs.
    pub fn at(&self, hub: Choice) -> &Side {
        match hub {
            Choice::Primary => &self.primary,
            Choice::Secondary => &self.secondary,
        }
    }

    /// Whether the base holds exactly this device: its hub changed nothing since.
    pub(super) fn is_unchanged(&self, live: &Live) -> bool {
        self.base.live().is_some_and(|base| base.same(live))
    }
}

named!(
    /// What a hub must do to hold what a merge says.
    Action {
        /// Nothing.
        Keep = "keep",
        /// Create the device.
        Create = "create",
        /// Write the record, or the overlay, over the device that is there; when the incarnation
        /// differs, the device there becomes the new one.
        Update = "update",
        /// Delete the device.
        Delete = "delete",
    }
);

impl Action {
    /// What turns `from` into `to` at a hub. A device that is held in `to` is created or updated
    /// as disabled ([`Live::is_effectively_enabled`]).
    pub fn between(from: &Side, to: &Side) -> Action {
        match (from.live(), to.live()) {
            (None, None) => Action::Keep,
            (None, Some(_)) => Action::Create,
            (Some(_), None) => Action::Delete,
            (Some(from), Some(to)) if from.same(to) => Action::Keep,
            (Some(_), Some(_)) => Action::Update,
        }
    }
}

/// Whether a hub sees no difference between two records.
pub fn same_record(a: &Record, b: &Record) -> bool {
    a.enabled == b.enabled
        && a.status_reason == b.status_reason
        && a.credential == b.credential
        && a.iot_edge == b.iot_edge
        && a.managed_by == b.managed_by
        && a.parent == b.parent
        && same_map(&a.tags, &b.tags)
        && same_map(&a.desired, &b.desired)
}
