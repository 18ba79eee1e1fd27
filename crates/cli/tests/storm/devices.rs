//! What each virtual device holds: the highest epoch that it accepted, its slot, and when it
//! learned of it, in virtual time.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use hubshift_domain::route::RouteClaims;

/// One round of all devices is so long, milliseconds.
const ROUND_MS: u64 = 60_000;

/// A turn of one device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) device: u64,
    /// Virtual milliseconds.
    pub(crate) now: u64,
}

/// All of them.
pub(crate) struct Devices {
    count: u64,
    turns: AtomicU64,
    answered: AtomicU64,
    moved: AtomicU64,
    epochs: Vec<AtomicU64>,
    /// Milliseconds.
    slots: Vec<AtomicU32>,
    learned: Vec<AtomicU64>,
}

impl Devices {
    pub(crate) fn new(count: u64) -> Self {
        let zeros = || (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            count,
            turns: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            epochs: zeros(),
            slots: (0..count).map(|_| AtomicU32::new(0)).collect(),
            learned: zeros(),
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whose turn it is.
    pub(crate) fn next(&self) -> Turn {
        let turn = self.turns.fetch_add(1, Relaxed);
        Turn {
            device: turn % self.count,
            now: turn * ROUND_MS / self.count,
        }
    }

    /// The id of a device.
    pub(crate) fn id(turn: Turn) -> String {
        format!("storm-{:07}", turn.device)
    }

    /// The epoch that a device holds.
    pub(crate) fn epoch(&self, turn: Turn) -> u64 {
        self.epochs[turn.device as usize].load(Relaxed)
    }

    /// A device was answered with a verified route; `false` if it is of a lower epoch than it holds.
    pub(crate) fn take(&self, turn: Turn, route: &RouteClaims, slot_ms: u32) -> bool {
        self.answered.fetch_add(1, Relaxed);
        let place = turn.device as usize;
        let held = self.epochs[place].swap(route.epoch.0, Relaxed);
        if route.epoch.0 > held {
            self.slots[place].store(slot_ms, Relaxed);
            self.learned[place].store(turn.now, Relaxed);
            if held > 0 {
                self.moved.fetch_add(1, Relaxed);
            }
        }
        route.epoch.0 >= held
    }

    /// Rounds in which everybody was answered.
    pub(crate) fn rounds(&self) -> u64 {
        self.asked() / self.count
    }

    /// Answers so far.
    pub(crate) fn asked(&self) -> u64 {
        self.answered.load(Relaxed)
    }

    /// The highest epoch that any device holds.
    pub(crate) fn highest(&self) -> u64 {
        let held = self.epochs.iter().map(|epoch| epoch.load(Relaxed));
        held.max().unwrap_or(0)
    }

    /// Devices that were told to move.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Relaxed)
    }

    /// The slots of the epoch that was accepted last, milliseconds.
    pub(crate) fn slots(&self) -> Vec<f64> {
        self.slots
            .iter()
            .map(|slot| f64::from(slot.load(Relaxed)))
            .collect()
    }

    /// When each device connects to the new hub, virtual milliseconds.
    pub(crate) fn arrivals(&self) -> Vec<u64> {
        let arrival = |(slot, learned): (&AtomicU32, &AtomicU64)| {
            learned.load(Relaxed) + u64::from(slot.load(Relaxed))
        };
        self.slots.iter().zip(&self.learned).map(arrival).collect()
    }
}
