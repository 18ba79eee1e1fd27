//! The counter of one fleet: an array of atomic cells.
//!
//! ```text
//! cell: | tag of the device, 28 bits | hub, 10 bits | tenths of a second, 26 bits |   0: empty
//! ```
//!
//! A cell is replaced by one compare-and-swap. Counting empties the cells of silent devices, so
//! that the clock may wrap (after 77 days) without bringing one back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hubshift_domain::sketch::TAG_BITS;

use super::Counts;

/// Cells of a bucket: two cache lines.
const WAYS: usize = 16;
/// No fleet gets more cells: 32 MiB.
const MAX_CELLS: usize = 4 << 20;
/// Attempts to place a device while others write to the same bucket.
const ATTEMPTS: usize = 4;

const TICK_BITS: u32 = 26;
const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
const HUB_BITS: u32 = 10;
/// Stands for no hub, or one that the fleet does not have.
const NO_HUB: u16 = (1 << HUB_BITS) - 1;
const TAG_SHIFT: u32 = TICK_BITS + HUB_BITS;
/// Who counts may be so many ticks behind a device that asks meanwhile: its cell is young, not 77 days
/// old.
const AHEAD: u64 = 600;
/// A tag names a device in a sketch, too.
const _: () = assert!(TAG_BITS == u64::BITS - TAG_SHIFT);

/// The cells.
pub(super) struct Cells {
    cells: Box<[AtomicU64]>,
}

impl Cells {
    /// Room for a fleet of this size.
    pub(super) fn for_devices(devices: u64) -> Self {
        Self {
            cells: (0..cells_for(devices)).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Whether the room is what a fleet of this size gets.
    pub(super) fn fits(&self, devices: u64) -> bool {
        self.cells.len() == cells_for(devices)
    }

    /// Notes a device, by the hash of its id.
    pub(super) fn note(&self, hash: u64, hub: Option<u16>, tick: u64) {
        let buckets = self.cells.len() / WAYS;
        // The upper half chooses the tag, the lower one the bucket.
        let first = (hash as usize % buckets) * WAYS;
        let bucket = &self.cells[first..first + WAYS];
        let tag = hash >> TAG_SHIFT;
        let value = pack(tag, hub, tick);
        for _ in 0..ATTEMPTS {
            let (cell, seen) = place(bucket, tag, tick);
            if cell.compare_exchange(seen, value, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Tags of the devices that asked within `window` ticks.
    pub(super) fn tags(&self, tick: u64, window: u64) -> impl Iterator<Item = u32> {
        let cells = self.cells.iter().map(|cell| cell.load(Relaxed));
        let asked = cells.filter(move |cell| *cell != 0 && age(*cell, tick) <= window);
        asked.map(|cell| (cell >> TAG_SHIFT) as u32)
    }

    /// The same, if they are at most so many.
    pub(super) fn few_tags(&self, tick: u64, window: u64, most: usize) -> Option<BTreeSet<u32>> {
        let mut few = BTreeSet::new();
        for tag in self.tags(tick, window) {
            few.insert(tag);
            if few.len() > most {
                return None;
            }
        }
        Some(few)
    }

    /// How many ticks ago somebody asked last.
    pub(super) fn youngest(&self, tick: u64) -> Option<u64> {
        let cells = self.cells.iter().map(|cell| cell.load(Relaxed));
        let ages = cells.filter(|cell| *cell != 0).map(|cell| age(cell, tick));
        ages.min()
    }

    /// Counts the devices that asked within `window` ticks, and empties the cells of the others.
    pub(super) fn count(&self, tick: u64, window: u64, active: u16) -> Counts {
        let mut counts = Counts::default();
        for cell in &self.cells {
            let seen = cell.load(Relaxed);
            if seen == 0 {
                continue;
            }
            if age(seen, tick) > window {
                // When it fails the device has just asked: it counts the next time.
                let _asked_again = cell.compare_exchange(seen, 0, Relaxed, Relaxed);
                continue;
            }
            counts.polling += 1;
            counts.attached += u64::from(hub(seen) == active);
        }
        counts
    }
}

fn cells_for(devices: u64) -> usize {
    let wanted = usize::try_from(devices.saturating_mul(2)).unwrap_or(MAX_CELLS);
    wanted
        .clamp(WAYS * 4, MAX_CELLS)
        .next_power_of_two()
        .min(MAX_CELLS)
}

/// The device's own cell, else an empty one, else the one that was silent longest.
fn place(bucket: &[AtomicU64], tag: u64, tick: u64) -> (&AtomicU64, u64) {
    let mut best = (&bucket[0], bucket[0].load(Relaxed));
    for cell in bucket {
        let seen = cell.load(Relaxed);
        if seen != 0 && seen >> TAG_SHIFT == tag {
            return (cell, seen);
        }
        if best.1 != 0 && (seen == 0 || age(seen, tick) > age(best.1, tick)) {
            best = (cell, seen);
        }
    }
    best
}

fn pack(tag: u64, hub: Option<u16>, tick: u64) -> u64 {
    let hub = hub.unwrap_or(NO_HUB).min(NO_HUB);
    // Tick zero is kept for empty cells.
    let tick = (tick & TICK_MASK).max(1);
    (tag << TAG_SHIFT) | (u64::from(hub) << TICK_BITS) | tick
}

fn hub(cell: u64) -> u16 {
    ((cell >> TICK_BITS) & u64::from(NO_HUB)) as u16
}

fn age(cell: u64, tick: u64) -> u64 {
    // A cell that was written at tick zero says one: it is not from the future.
    let now = (tick & TICK_MASK).max(1);
    match now.wrapping_sub(cell) & TICK_MASK {
        ahead if ahead > TICK_MASK - AHEAD => 0,
        age => age,
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    fn fill(cells: &Cells, devices: u64, hub: u16, tick: u64) {
        let hasher = RandomState::new();
        for device in 0..devices {
            cells.note(hasher.hash_one(device), Some(hub), tick);
        }
    }

    #[test]
    fn nearly_every_device_of_a_full_fleet_is_counted() {
        let cells = Cells::for_devices(200_000);
        fill(&cells, 200_000, 1, 10);
        let counts = cells.count(10, 50, 1);
        assert!(counts.polling > 199_800, "{counts:?}");
        assert_eq!(counts.attached, counts.polling);
    }

    #[test]
    fn memory_stays_bounded_whoever_asks() {
        let cells = Cells::for_devices(u64::MAX);
        assert_eq!(cells.cells.len(), MAX_CELLS);
        let small = Cells::for_devices(10);
        fill(&small, 100_000, 1, 10);
        assert_eq!(small.count(10, 50, 1).polling, 64);
    }

    #[test]
    fn the_silent_are_forgotten_and_the_window_counts() {
        let cells = Cells::for_devices(1000);
        cells.note(1 << 40, Some(0), 0);
        cells.note(2 << 40, Some(1), 30);
        assert_eq!(
            cells.count(50, 50, 1),
            Counts {
                polling: 2,
                attached: 1
            }
        );
        assert_eq!(
            cells.count(60, 50, 1),
            Counts {
                polling: 1,
                attached: 1
            }
        );
        assert_eq!(cells.count(50, 50, 1).polling, 1);
    }

    /// Counting takes a while, and a thread may be held up for longer.
    #[test]
    fn who_asks_while_it_is_counted_is_not_forgotten() {
        let cells = Cells::for_devices(1000);
        cells.note(1 << 40, Some(1), 12);
        assert_eq!(cells.youngest(10), Some(0));
        assert_eq!(cells.count(10, 50, 1).polling, 1);
        assert_eq!(cells.tags(10, 50).count(), 1);
        assert_eq!(cells.count(40, 50, 1).polling, 1);
        // The one that is a tick ahead is not the one that was silent longest.
        let full = Cells::for_devices(1);
        for device in 0..16u64 {
            full.note(device << TAG_SHIFT, Some(1), 12 - 2 * device.min(1));
        }
        full.note(16 << TAG_SHIFT, Some(1), 11);
        assert!(full.tags(12, 0).any(|tag| tag == 0));
    }

    #[test]
    fn the_clock_may_wrap() {
        let cells = Cells::for_devices(1000);
        cells.note(1 << 40, Some(0), TICK_MASK);
        assert_eq!(cells.count(TICK_MASK + 20, 50, 0).polling, 1);
        assert_eq!(cells.count(TICK_MASK + 100, 50, 0).polling, 0);
    }

    #[test]
    fn threads_that_note_the_same_devices_count_them_once() {
        let cells = Cells::for_devices(10_000);
        let hasher = RandomState::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for device in 0..5_000u32 {
                        cells.note(hasher.hash_one(device), Some(1), 10);
                    }
                });
            }
        });
        let polling = cells.count(10, 50, 1).polling;
        assert!((4_990..=5_010).contains(&polling), "{polling}");
    }
}
