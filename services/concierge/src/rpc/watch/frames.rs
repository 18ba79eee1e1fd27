//! A fleet's state as bytes for the wire: encoded once per change, whoever watches it on however
//! many threads.
//!
//! Kept true: a fleet that nobody watches holds nothing here; a state that a watcher could not tell
//! from the one before is the one before.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;
use hubshift_api::pb::concierge::WatchFleetResponse;
use hubshift_domain::id::FleetId;
use prost::Message;

use super::{Resume, lock, wire_fleet};
use crate::table::{FleetEntry, Table};

/// Bytes before a message in gRPC: whether it is compressed, and its length.
pub(super) const PREFIX: usize = 5;

/// One state of one fleet, ready to be sent.
pub(super) struct State {
    entry: Arc<FleetEntry>,
    change: Bytes,
    heartbeat: Bytes,
}

impl State {
    fn encode(entry: Arc<FleetEntry>, alive: &Arc<AtomicUsize>) -> Self {
        let revision = entry.change();
        let change = framed(&WatchFleetResponse {
            fleet: Some(wire_fleet(&entry)),
            revision,
            heartbeat: false,
        });
        let heartbeat = framed(&WatchFleetResponse {
            fleet: None,
            revision,
            heartbeat: true,
        });
        Self {
            entry,
            change: Bytes::from_owner(Counted::new(change, alive)),
            heartbeat: heartbeat.into(),
        }
    }

    /// What it was made of.
    pub(super) fn entry(&self) -> &Arc<FleetEntry> {
        &self.entry
    }

    /// The fleet whole.
    pub(super) fn change(&self) -> Bytes {
        self.change.clone()
    }

    /// That nothing changed.
    pub(super) fn heartbeat(&self) -> Bytes {
        self.heartbeat.clone()
    }

    /// Whether a watcher that was here before has this. While the database has forgotten an epoch,
    /// nobody can tell by numbers.
    pub(super) fn is_at(&self, resume: Resume) -> bool {
        let (epoch, revision) = (self.entry.epoch.0, self.entry.change());
        !self.entry.is_forgotten && (resume.epoch, resume.revision) == (epoch, revision)
    }

    fn tells_the_same(&self, entry: &Arc<FleetEntry>) -> bool {
        Arc::ptr_eq(&self.entry, entry) || wire_fleet(&self.entry) == wire_fleet(entry)
    }
}

/// A message as gRPC sends it.
fn framed(message: &WatchFleetResponse) -> Vec<u8> {
    let message = message.encode_to_vec();
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes()[..], &message[..]].concat()
}

/// Bytes that are counted for as long as anybody holds them: a table, or a connection that has not
/// sent them yet.
struct Counted {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl Counted {
    fn new(bytes: Vec<u8>, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self {
            bytes,
            alive: alive.clone(),
        }
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The states that are watched, shared by all threads.
#[derive(Default)]
pub(super) struct Frames {
    states: Mutex<HashMap<FleetId, Weak<State>>>,
    alive: Arc<AtomicUsize>,
}

impl Frames {
    /// The newest state of a fleet that was seen as `known`. The same allocation as before while a
    /// watcher would see no difference.
    pub(super) fn newest(&self, table: &Table, known: &Arc<FleetEntry>) -> Arc<State> {
        let fleet = &known.fleet_id;
        let mut states = lock(&self.states);
        // Looked up under the lock: no thread puts an older state over a newer one. The table
        // loses no fleet.
        let entry = table.get(fleet).unwrap_or_else(|| known.clone());
        let held = states.get(fleet).and_then(Weak::upgrade);
        if let Some(same) = held.filter(|state| state.tells_the_same(&entry)) {
            return same;
        }
        let state = Arc::new(State::encode(entry, &self.alive));
        states.insert(fleet.clone(), Arc::downgrade(&state));
        state
    }

    /// Somebody stopped watching a fleet: forgets it if nobody else does.
    pub(super) fn forget(&self, fleet: &FleetId) {
        let mut states = lock(&self.states);
        if states
            .get(fleet)
            .is_some_and(|state| state.strong_count() == 0)
        {
            states.remove(fleet);
        }
    }

    /// How many encoded states are in memory: those that are watched, and older ones that a slow
    /// reader's connection still holds.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// How many fleets are known here.
    #[cfg(test)]
    pub(super) fn fleets(&self) -> usize {
        lock(&self.states).len()
    }
}
