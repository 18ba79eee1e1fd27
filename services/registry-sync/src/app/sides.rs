//! What base, recovered hub and active hub say of one device, as a merge compares them. Pure.
//!
//! A hub shows a held device as disabled; a side shows the record beneath, with the hold beside
//! it, so that a merge that was applied comes out the same again. The fingerprint stays that of
//! what the hub shows: it is what a write is conditional on.

use hubshift_api::records::SealedSide;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::Stamp;
use hubshift_domain::merge::{Live, Side};

use crate::observe::Observed;
use crate::store::base::Base;
use crate::store::divergence::Grave;
use crate::store::journal::list::Change;

/// A hub of the comparison, and the epoch of what was found there and not written by us.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The hub.
    pub(crate) hub: HubId,
    /// The last epoch in which it was active: the current one for the active hub.
    pub(crate) epoch: Epoch,
}

/// What is stored of one device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Last verified equal at both hubs.
    pub(crate) base: Option<Base>,
    /// At the recovered hub.
    pub(crate) primary: Option<Observed>,
    /// At the active hub.
    pub(crate) secondary: Option<Observed>,
    /// Its latest tombstone.
    pub(crate) grave: Option<Grave>,
    /// Its newest change through the authority.
    pub(crate) change: Option<Change>,
}

/// The three sides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sides {
    /// Last verified equal at both hubs.
    pub(crate) base: SealedSide,
    /// At the recovered hub.
    pub(crate) primary: SealedSide,
    /// At the active hub.
    pub(crate) secondary: SealedSide,
}

/// Classifies what is known.
pub(crate) fn sides(known: &Known, primary: &Place, secondary: &Place) -> Sides {
    Sides {
        base: base(known, primary, secondary),
        primary: at_hub(known, known.primary.as_ref(), primary),
        secondary: at_hub(known, known.secondary.as_ref(), secondary),
    }
}

/// A deletion that both hubs followed is as verified as a record that both hold.
fn base(known: &Known, primary: &Place, secondary: &Place) -> SealedSide {
    if let Some(base) = &known.base {
        let live = Live {
            incarnation: base.incarnation,
            record: base.record.clone(),
            stamp: base.stamp.clone(),
            hold: base.hold.clone(),
        };
        return SealedSide {
            side: Side::Live(live),
            credential: base.sealed.clone().into(),
            fingerprint: Some(base.fingerprint),
        };
    }
    let followed = |grave: &&Grave| knows(grave, &primary.hub) && knows(grave, &secondary.hub);
    match known.grave.as_ref().filter(followed) {
        Some(grave) => SealedSide::dead(grave.tombstone.clone()),
        None => SealedSide::absent(),
    }
}

fn at_hub(known: &Known, row: Option<&Observed>, place: &Place) -> SealedSide {
    let Some(row) = row else {
        return match known
            .grave
            .as_ref()
            .filter(|grave| knows(grave, &place.hub))
        {
            Some(grave) => SealedSide::dead(grave.tombstone.clone()),
            None => SealedSide::absent(),
        };
    };
    let base = known
        .base
        .as_ref()
        .filter(|base| base.incarnation == row.incarnation);
    let live = match base {
        Some(base) if base.fingerprint == row.fingerprint => Live {
            incarnation: base.incarnation,
            record: base.record.clone(),
            stamp: base.stamp.clone(),
            hold: base.hold.clone(),
        },
        _ => changed(known, row, base, place),
    };
    SealedSide {
        side: Side::Live(live),
        credential: row.sealed.clone().into(),
        fingerprint: Some(row.fingerprint),
    }
}

fn changed(known: &Known, row: &Observed, base: Option<&Base>, place: &Place) -> Live {
    let mut record = row.record.clone();
    let held = base.filter(|base| base.hold.is_some());
    if let Some(base) = held.filter(|_| !record.enabled) {
        record.enabled = base.record.enabled;
    }
    let journaled = known.change.as_ref().filter(|change| {
        change.fingerprint == Some(row.fingerprint) && change.incarnation == row.incarnation
    });
    let found = || Stamp {
        epoch: place.epoch,
        sequence: 0,
        origin: place.hub.clone(),
    };
    let stamp = journaled.and_then(|change| {
        let origin = HubId::new(change.hub_id.as_str()).ok()?;
        Some(Stamp {
            epoch: change.epoch,
            sequence: change.sequence,
            origin,
        })
    });
    Live {
        incarnation: row.incarnation,
        record,
        stamp: stamp.unwrap_or_else(found),
        hold: held.and_then(|base| base.hold.clone()),
    }
}

/// Whether the deletion happened at this hub, or is known to have been followed there.
fn knows(grave: &Grave, hub: &HubId) -> bool {
    grave.tombstone.stamp.origin == *hub || grave.acked_by.iter().any(|acked| acked == hub.as_str())
}

#[cfg(test)]
mod tests;
