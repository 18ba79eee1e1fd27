//! The registers of a fleet of more devices than can be named one by one: two halves that take turns,
//! so that who fell silent is forgotten.
//!
//! A half takes devices in for one window (1.2 poll periods), then the other one is emptied and takes
//! over. Both together are who asked within the last one to two windows.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use hubshift_domain::sketch::{REGISTERS, place, place_of_tag};

/// Registers that threads raise without a lock: 32 KiB a fleet. Once a fleet has asked, hardly any
/// register rises any more, so that threads read lines which nobody writes.
pub(super) struct Dense {
    halves: [Box<[AtomicU8]>; 2],
    current: AtomicUsize,
    turned: AtomicU64,
}

impl Dense {
    /// Registers that hold these devices.
    pub(super) fn of(tags: impl Iterator<Item = u32>, tick: u64) -> Self {
        let dense = Self {
            halves: [empty(), empty()],
            current: AtomicUsize::new(0),
            turned: AtomicU64::new(tick),
        };
        for (register, rank) in tags.map(place_of_tag) {
            dense.raise(register, rank);
        }
        dense
    }

    /// Takes a device in, by the hash of its id.
    pub(super) fn note(&self, hash: u64) {
        let (register, rank) = place(hash);
        self.raise(register, rank);
    }

    fn raise(&self, register: usize, rank: u8) {
        let half = &self.halves[self.current.load(Relaxed) % 2];
        let held = &half[register % REGISTERS];
        if held.load(Relaxed) < rank {
            held.fetch_max(rank, Relaxed);
        }
    }

    /// Forgets the older half when the newer one is full. One caller at a time. When nobody called
    /// for a window more, as while the database was away, both hold who fell silent long ago:
    /// then both are forgotten for those who asked `lately`, by their tags.
    pub(super) fn turn<I: Iterator<Item = u32>>(
        &self,
        tick: u64,
        window: u64,
        lately: impl FnOnce() -> I,
    ) {
        let age = tick.saturating_sub(self.turned.load(Relaxed));
        if age < window {
            return;
        }
        let current = self.current.load(Relaxed) % 2;
        let next = 1 - current;
        empty_out(&self.halves[next]);
        self.current.store(next, Relaxed);
        self.turned.store(tick, Relaxed);
        if age >= 2 * window {
            empty_out(&self.halves[current]);
            // Read afterwards: a device is in the cells before it is here.
            for (register, rank) in lately().map(place_of_tag) {
                self.raise(register, rank);
            }
        }
    }

    /// Both halves together.
    pub(super) fn registers(&self) -> Vec<u8> {
        let [one, other] = &self.halves;
        one.iter()
            .zip(other)
            .map(|(one, other)| one.load(Relaxed).max(other.load(Relaxed)))
            .collect()
    }
}

fn empty_out(half: &[AtomicU8]) {
    for register in half {
        register.store(0, Relaxed);
    }
}

fn empty() -> Box<[AtomicU8]> {
    (0..REGISTERS).map(|_| AtomicU8::new(0)).collect()
}
