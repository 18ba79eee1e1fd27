//! A stopwatch that also runs while the machine sleeps.

use std::time::{Duration, Instant, SystemTime};

/// Measures from its start.
#[derive(Debug)]
pub(crate) struct Stopwatch {
    steady: Instant,
    wall: SystemTime,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// The longer of what two clocks say: the steady one stands still in a suspend, the wall
    /// clock may be set back.
    pub(crate) fn elapsed(&self) -> Duration {
        self.steady
            .elapsed()
            .max(self.wall.elapsed().unwrap_or_default())
    }
}
