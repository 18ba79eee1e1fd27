//! The queue before one class of operations.

use serde::Serialize;

use super::Settings;
use super::bucket::{Bucket, Rate};

/// The queue of a class and its counters.
#[derive(Default)]
pub(super) struct Lane {
    /// None until it is used: then it is full.
    bucket: Option<Bucket>,
    counts: Counts,
}

/// What became of the calls of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Let through, at once or later.
    pub(crate) admitted: u64,
    /// Refused.
    pub(crate) refused: u64,
    /// Waiting now, those too that will be refused.
    pub(crate) waiting: usize,
}

/// When a call's turn is. Times are seconds of the hub's clock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// At once.
    Now,
    /// After so long; it has a place in the queue.
    After(f64),
    /// Too late; it has a place in the queue until it is refused after so long.
    TooLate(f64),
    /// Never: the queue is too long.
    Full,
}

impl Lane {
    /// Takes a call in. A turn with a wait has a place that must be left.
    pub(super) fn ask(&mut self, rate: Rate, cost: f64, now: f64, settings: &Settings) -> Turn {
        let is_full = self.counts.waiting >= settings.backlog;
        // With no room to wait in, only those pass that need not.
        let patience = if is_full { 0.0 } else { settings.shaping };
        let bucket = self.bucket.get_or_insert_with(|| Bucket::full(rate, now));
        match bucket.take(rate, cost, now, patience) {
            Some(wait) => {
                self.counts.admitted += 1;
                if wait == 0.0 {
                    return Turn::Now;
                }
                self.counts.waiting += 1;
                Turn::After(wait)
            }
            None => {
                self.counts.refused += 1;
                if is_full {
                    return Turn::Full;
                }
                self.counts.waiting += 1;
                Turn::TooLate(settings.shaping)
            }
        }
    }

    /// Gives up a place.
    pub(super) fn leave(&mut self) {
        self.counts.waiting = self.counts.waiting.saturating_sub(1);
    }

    /// Forgets what was spent.
    pub(super) fn empty(&mut self) {
        self.bucket = None;
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }
}
