//! Where devices say they are: counted in bounded memory, without a lock. Shown to people; nobody
//! vouches for it and it triggers nothing.
//!
//! Nothing here is durable. A fleet has a fixed array of cells, sixteen to a bucket; a device's
//! hash names its bucket and its tag, and the cell says when it last asked and which hub it named.
//! Two cells per expected device keep the share of devices that find no room below one in a
//! thousand; a fleet that is ten times larger than it says is undercounted, and takes no more
//! memory for it.
//!
//! Each replica counts by itself, and the numbers are added up. A device asks every 1.0 to 1.1 poll
//! periods and is forgotten after 1.2: one that asks another concierge each time counts twice for a
//! fifth of the time at most, once with what it said before. That share, below a tenth of the
//! fleet behind two concierges, is what the sum may be too high by; one whose poll is late by more
//! than a tenth of the period is missing until it comes.

mod cells;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hubshift_domain::id::FleetId;

use crate::table::{FleetEntry, Snapshot};
use cells::Cells;

/// How many tenths of a poll period a device may stay silent and still counts as polling.
const TENTHS: u32 = 12;

/// What the devices of a fleet told this replica lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Devices that asked within 1.2 poll periods.
    pub(crate) polling: u64,
    /// Of those, how many named the active hub.
    pub(crate) attached: u64,
}

type Fleets = HashMap<FleetId, Arc<Cells>>;

/// The counters of every fleet; clones share them.
#[derive(Clone)]
pub(crate) struct Adoption {
    fleets: Arc<ArcSwap<Fleets>>,
    /// Keyed, so that nobody can choose device ids that share a bucket.
    hasher: RandomState,
    started: Instant,
}

impl Adoption {
    /// Nobody has asked yet.
    pub(crate) fn new() -> Self {
        let fleets = Arc::new(ArcSwap::from_pointee(Fleets::new()));
        Self {
            fleets,
            hasher: RandomState::new(),
            started: Instant::now(),
        }
    }

    /// Notes that a device asked, and the index of the hub that it named. A fleet without room
    /// yet (see [`Self::make_room`]) is passed over.
    pub(crate) fn note(&self, fleet: &FleetId, device: &str, hub: Option<u16>) {
        self.note_at(self.tick(), fleet, device, hub);
    }

    fn note_at(&self, tick: u64, fleet: &FleetId, device: &str, hub: Option<u16>) {
        if let Some(cells) = self.fleets.load().get(fleet) {
            cells.note(self.hasher.hash_one(device), hub, tick);
        }
    }

    /// Makes room for the fleets of the table, by their number of devices. A fleet whose number
    /// changed much starts again from zero, and is right after one poll period.
    pub(crate) fn make_room(&self, snapshot: &Snapshot) {
        let held = self.fleets.load();
        let fits = |(id, entry): (&FleetId, &Arc<FleetEntry>)| {
            held.get(id)
                .is_some_and(|cells| cells.fits(entry.device_count))
        };
        if held.len() == snapshot.fleets.len() && snapshot.fleets.iter().all(fits) {
            return;
        }
        let room = |(id, entry): (&FleetId, &Arc<FleetEntry>)| {
            let kept = held
                .get(id)
                .filter(|cells| cells.fits(entry.device_count))
                .cloned();
            (
                id.clone(),
                kept.unwrap_or_else(|| Arc::new(Cells::for_devices(entry.device_count))),
            )
        };
        self.fleets
            .store(Arc::new(snapshot.fleets.iter().map(room).collect()));
    }

    /// Counts a fleet's devices, and forgets those that fell silent. Reads every cell.
    pub(crate) fn counts(&self, entry: &FleetEntry) -> Counts {
        self.counts_at(self.tick(), entry)
    }

    fn counts_at(&self, tick: u64, entry: &FleetEntry) -> Counts {
        let Some(cells) = self.fleets.load().get(&entry.fleet_id).cloned() else {
            return Counts::default();
        };
        let window = ticks(entry.poll_after.saturating_mul(TENTHS) / 10);
        cells.count(tick, window, entry.epoch.hub_index())
    }

    fn tick(&self) -> u64 {
        ticks(self.started.elapsed())
    }
}

/// Tenths of a second.
fn ticks(span: Duration) -> u64 {
    u64::try_from(span.as_millis() / 100).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture;
    use time::OffsetDateTime;

    fn world() -> (Adoption, Snapshot, FleetEntry) {
        let entry = fixture::entry("acme", 2049, 1);
        let snapshot = Snapshot::of(vec![entry.clone()], OffsetDateTime::UNIX_EPOCH);
        (Adoption::new(), snapshot, entry)
    }

    #[test]
    fn devices_count_once_and_by_the_hub_that_they_named_last() {
        let (adoption, snapshot, entry) = world();
        adoption.make_room(&snapshot);
        for device in 0..100 {
            adoption.note(&entry.fleet_id, &format!("d{device}"), Some(0));
        }
        for device in 0..60 {
            adoption.note(&entry.fleet_id, &format!("d{device}"), Some(1));
        }
        adoption.note(&entry.fleet_id, "new", None);
        assert_eq!(
            adoption.counts(&entry),
            Counts {
                polling: 101,
                attached: 60
            }
        );
    }

    /// Behind round-robin DNS: it asks east, moves, and a period later asks west.
    #[test]
    fn a_device_that_changes_its_concierge_soon_counts_once_and_where_it_is() {
        let (east, snapshot, entry) = world();
        let west = Adoption::new();
        for concierge in [&east, &west] {
            concierge.make_room(&snapshot);
        }
        let (first, period) = (10, ticks(entry.poll_after));
        east.note_at(first, &entry.fleet_id, "d", Some(0));
        west.note_at(first + period, &entry.fleet_id, "d", Some(1));
        let after = first + period + period / 4;
        let (there, here) = (east.counts_at(after, &entry), west.counts_at(after, &entry));
        assert_eq!(there.polling + here.polling, 1);
        assert_eq!(there.attached + here.attached, 1);
        let late = first + 2 * period + period / 10;
        assert_eq!(west.counts_at(late, &entry), here, "until it asks again");
    }

    #[test]
    fn a_fleet_without_room_is_passed_over() {
        let (adoption, _, entry) = world();
        adoption.note(&entry.fleet_id, "d", Some(1));
        assert_eq!(adoption.counts(&entry), Counts::default());
    }

    #[test]
    fn making_room_again_forgets_nobody() {
        let (adoption, snapshot, entry) = world();
        adoption.make_room(&snapshot);
        adoption.note(&entry.fleet_id, "d", Some(1));
        let other = fixture::entry("other", 1024, 1);
        let both = Snapshot::of(vec![entry.clone(), other], OffsetDateTime::UNIX_EPOCH);
        adoption.make_room(&both);
        assert_eq!(
            adoption.counts(&entry),
            Counts {
                polling: 1,
                attached: 1
            }
        );
    }
}
