//! Where devices say they are: counted in bounded memory, without a lock. Shown to people; nobody
//! vouches for it and it triggers nothing.
//!
//! Nothing here is durable. A fleet has a fixed array of cells, sixteen to a bucket; a device's
//! hash names its bucket and its tag, and the cell says when it last asked and which hub it named.
//! Two cells per expected device keep the share of devices that find no room below one in a
//! thousand; a fleet that is ten times larger than it says is undercounted, and takes no more
//! memory for it.
//!
//! Each replica counts by itself, and who is *where* is the sum over them. A device asks every 1.0 to
//! 1.1 poll periods and is forgotten after 1.2: one that asks another concierge each time counts twice
//! for a fifth of the time at most, once with what it said before. That share, below a tenth of the
//! fleet behind two concierges, is what the sum may be too high by; one whose poll is late by more
//! than a tenth of the period is missing until it comes.
//!
//! *How many* ask is no sum. Replicas hash devices with a key per fleet that they share
//! (`concierge.fleet`) and write sketches of whom they heard (`shared`): their union counts a device
//! once, whichever concierges it asked. Up to 1,024 devices it is exact, beyond that within 1.6 % in 95
//! of 100 cases, however wrong the number is that somebody gave for the fleet. Who fell silent leaves
//! the count after 1.2 periods where devices are named, after 1.2 to 2.4 where they are not, and a
//! quarter more until the sketch is written. Before the key is known a key of this process takes its
//! place, and the fleet starts again from zero when it comes.
//!
//! A poll costs a hash of its id, a look-up of its fleet, and one compare-and-swap in a cell that is
//! hardly anybody else's; registers are read and next to never written. A fleet takes 16 bytes a
//! device that it is said to have (32 MiB at most), and 32 KiB more once it has too many to name.

mod cells;
mod counter;
mod dense;
pub(crate) mod shared;

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hubshift_domain::id::FleetId;
use hubshift_domain::siphash::SipKey;

use crate::table::{FleetEntry, Snapshot};
use counter::Counter;

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

type Fleets = HashMap<FleetId, Arc<Counter>>;
type Keys = HashMap<FleetId, SipKey>;

/// The counters of every fleet; clones share them.
#[derive(Clone)]
pub(crate) struct Adoption {
    fleets: Arc<ArcSwap<Fleets>>,
    /// The keys that replicas share, as far as they are known. A key is there so that nobody can
    /// choose device ids that share a bucket.
    keys: Arc<ArcSwap<Keys>>,
    /// The key of fleets whose own is not known.
    local: SipKey,
    started: Instant,
}

impl Adoption {
    /// Nobody has asked yet.
    pub(crate) fn new() -> Self {
        Self {
            fleets: Arc::new(ArcSwap::from_pointee(Fleets::new())),
            keys: Arc::new(ArcSwap::from_pointee(Keys::new())),
            local: local_key(),
            started: Instant::now(),
        }
    }

    /// Notes that a device asked, and the index of the hub that it named. A fleet without room
    /// yet (see [`Self::make_room`]) is passed over.
    pub(crate) fn note(&self, fleet: &FleetId, device: &str, hub: Option<u16>) {
        self.note_at(self.tick(), fleet, device, hub);
    }

    fn note_at(&self, tick: u64, fleet: &FleetId, device: &str, hub: Option<u16>) {
        if let Some(counter) = self.fleets.load().get(fleet) {
            counter.note(device, hub, tick);
        }
    }

    /// Makes room for the fleets of the table, by their number of devices. A fleet whose number
    /// changed much, or whose key has come, starts again from zero, and is right after one poll
    /// period.
    pub(crate) fn make_room(&self, snapshot: &Snapshot) {
        let (held, keys) = (self.fleets.load(), self.keys.load());
        let key = |id: &FleetId| keys.get(id).copied().unwrap_or(self.local);
        let kept = |id: &FleetId, entry: &Arc<FleetEntry>| {
            let counter = held.get(id);
            counter.filter(|counter| counter.fits(key(id), entry.device_count))
        };
        let mut fleets = snapshot.fleets.iter();
        let all_fit = fleets.all(|(id, entry)| kept(id, entry).is_some());
        if held.len() == snapshot.fleets.len() && all_fit {
            return;
        }
        let room = |(id, entry): (&FleetId, &Arc<FleetEntry>)| {
            let made = || Arc::new(Counter::new(key(id), entry.device_count));
            let counter = kept(id, entry).cloned().unwrap_or_else(made);
            (id.clone(), counter)
        };
        let fleets = snapshot.fleets.iter().map(room).collect();
        self.fleets.store(Arc::new(fleets));
    }

    /// Fleets whose shared key is not known here.
    fn strangers(&self, snapshot: &Snapshot) -> Vec<String> {
        let keys = self.keys.load();
        let fleets = snapshot.fleets.keys();
        let strangers = fleets.filter(|fleet| !keys.contains_key(*fleet));
        strangers.map(FleetId::to_string).collect()
    }

    /// Takes in the keys of fleets; they count with them from the next time that room is made.
    fn learn(&self, keys: Vec<(FleetId, SipKey)>) {
        let mut all = Keys::clone(&self.keys.load());
        all.extend(keys);
        self.keys.store(Arc::new(all));
    }

    /// Counts a fleet's devices, and forgets those that fell silent. Reads every cell.
    pub(crate) fn counts(&self, entry: &FleetEntry) -> Counts {
        self.counts_at(self.tick(), entry)
    }

    fn counts_at(&self, tick: u64, entry: &FleetEntry) -> Counts {
        let Some(counter) = self.fleets.load().get(&entry.fleet_id).cloned() else {
            return Counts::default();
        };
        counter.count(tick, window(entry), entry.epoch.hub_index())
    }

    fn tick(&self) -> u64 {
        ticks(self.started.elapsed())
    }
}

/// How long a device may stay silent and still counts as polling.
fn window(entry: &FleetEntry) -> u64 {
    ticks(entry.poll_after.saturating_mul(TENTHS) / 10)
}

/// A key that nobody else has.
fn local_key() -> SipKey {
    let random = RandomState::new();
    let number = (u128::from(random.hash_one(0)) << 64) | u128::from(random.hash_one(1));
    SipKey::new(number.to_le_bytes())
}

/// Tenths of a second.
fn ticks(span: Duration) -> u64 {
    u64::try_from(span.as_millis() / 100).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
