//! The counters of one fleet: cells for who is where, registers where they are too many for cells to
//! name, and when the sketch of both was written last.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hubshift_domain::siphash::SipKey;
use hubshift_domain::sketch::{MOST_NAMED, Sketch};

use super::Counts;
use super::cells::Cells;
use super::dense::Dense;

/// The counters.
pub(super) struct Counter {
    key: SipKey,
    cells: Cells,
    /// Made when the cells can't name everybody any more, and kept.
    dense: OnceLock<Dense>,
    /// One more than the tick of the last written sketch; zero: none yet.
    written: AtomicU64,
}

impl Counter {
    /// Nobody has asked yet.
    pub(super) fn new(key: SipKey, devices: u64) -> Self {
        Self {
            key,
            cells: Cells::for_devices(devices),
            dense: OnceLock::new(),
            written: AtomicU64::new(0),
        }
    }

    /// Whether a new one would be the same.
    pub(super) fn fits(&self, key: SipKey, devices: u64) -> bool {
        self.key == key && self.cells.fits(devices)
    }

    /// Notes that a device asked, and which hub it named.
    pub(super) fn note(&self, device: &str, hub: Option<u16>, tick: u64) {
        let hash = self.key.hash(device.as_bytes());
        self.cells.note(hash, hub, tick);
        if let Some(dense) = self.dense.get() {
            dense.note(hash);
        }
    }

    /// Counts who is where.
    pub(super) fn count(&self, tick: u64, window: u64, active: u16) -> Counts {
        self.cells.count(tick, window, active)
    }

    /// When the sketch was written last; nothing for never.
    pub(super) fn written(&self) -> Option<u64> {
        self.written.load(Relaxed).checked_sub(1)
    }

    /// Notes that the sketch of this tick was written.
    pub(super) fn note_written(&self, tick: u64) {
        self.written.store(tick + 1, Relaxed);
    }

    /// Forgets who fell silent, in time. One caller at a time.
    pub(super) fn tend(&self, tick: u64, window: u64) {
        if let Some(dense) = self.dense.get() {
            dense.turn(tick, window, || self.cells.tags(tick, window));
        }
    }

    /// Who asked within the window; nothing when nobody did since the last one was written.
    pub(super) fn news(&self, tick: u64, window: u64) -> Option<Sketch> {
        let last = tick.saturating_sub(self.cells.youngest(tick)?);
        if self.written().is_some_and(|written| last < written) {
            return None;
        }
        // Crowded cells have lost some of the devices.
        let most = MOST_NAMED.min(self.cells.len() / 2);
        if let Some(tags) = self.cells.few_tags(tick, window, most) {
            return Some(Sketch::Named(tags));
        }
        let made = || Dense::of(self.cells.tags(tick, window), tick);
        Some(Sketch::Registers(self.dense.get_or_init(made).registers()))
    }
}
