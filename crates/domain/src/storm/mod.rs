//! A fleet that loses its hub, in virtual time: who arrives when at the other one, under different
//! ways for devices to come back. For an operator who sizes hubs before the day.
//!
//! Pure and repeatable: one seed, one result. The hub admits so many connections a second, saves up
//! at most one second's worth, and refuses the rest; a refused attempt costs it nothing here, which
//! flatters every strategy but the paced one: real handshakes of refused devices cost it something.

mod random;
mod run;
mod wheel;

use std::time::Duration;

use crate::epoch::Epoch;
use crate::pacing;

pub use run::simulate;

/// The step of virtual time.
pub const TICK: Duration = Duration::from_millis(100);

/// How devices come back to a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// All at once, and again after a fixed time: an SDK with a constant retry.
    FixedRetry,
    /// All at once, then a backoff that doubles up to its cap, without jitter.
    Backoff,
    /// All at once, then a backoff with full jitter.
    FullJitter,
    /// When the next poll tells it, then a backoff with full jitter.
    Polled,
    /// When the next poll tells it and at its slot of the admission window, then a backoff with
    /// full jitter: what the concierge does.
    Slots,
}

impl Strategy {
    /// All of them, the herd first.
    pub const ALL: [Self; 5] = [
        Self::FixedRetry,
        Self::Backoff,
        Self::FullJitter,
        Self::Polled,
        Self::Slots,
    ];

    /// Its name, as a command line has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixedRetry => "fixed-retry",
            Self::Backoff => "backoff",
            Self::FullJitter => "full-jitter",
            Self::Polled => "polled",
            Self::Slots => "slots",
        }
    }
}

/// A fleet, a hub, and a moment at which the other hub is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Devices that move.
    pub devices: u32,
    /// New connections that the hub admits, per second.
    pub admission_per_second: u32,
    /// How much of it paced devices use, percent.
    pub utilisation_percent: u8,
    /// How often devices ask a concierge.
    pub poll: Duration,
    /// The fixed retry of [`Strategy::FixedRetry`].
    pub retry: Duration,
    /// When to stop looking.
    pub horizon: Duration,
    /// The epoch that the slots are of.
    pub epoch: Epoch,
    /// Where randomness starts.
    pub seed: u64,
}

impl Scenario {
    /// The fastest that any strategy can be: all devices at the hub's full rate.
    pub fn floor(&self) -> Duration {
        pacing::window(u64::from(self.devices), 100, self.admission_per_second)
    }

    /// The admission window of [`Strategy::Slots`].
    pub fn window(&self) -> Duration {
        let devices = u64::from(self.devices);
        pacing::window(devices, self.utilisation_percent, self.admission_per_second)
    }
}

/// One tick at the hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Devices that tried to connect.
    pub attempts: u32,
    /// Of those, how many the hub admitted.
    pub admitted: u32,
}

/// What came of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The strategy.
    pub strategy: Strategy,
    /// Every [`TICK`] until all were attached, or the horizon.
    pub ticks: Vec<Arrivals>,
    /// Devices of the fleet.
    pub devices: u32,
}

impl Outcome {
    /// Devices that are attached at the end.
    pub fn attached(&self) -> u64 {
        self.ticks.iter().map(|tick| u64::from(tick.admitted)).sum()
    }

    /// Attempts of all devices together.
    pub fn attempts(&self) -> u64 {
        self.ticks.iter().map(|tick| u64::from(tick.attempts)).sum()
    }

    /// When this share of the fleet was attached; `None` when it never was.
    pub fn time_of(&self, percent: u8) -> Option<Duration> {
        let wanted = (u64::from(self.devices) * u64::from(percent)).div_ceil(100);
        let mut attached = 0;
        let done = self.ticks.iter().position(|tick| {
            attached += u64::from(tick.admitted);
            attached >= wanted
        })?;
        Some(TICK * u32::try_from(done + 1).unwrap_or(u32::MAX))
    }

    /// The most attempts in any one second.
    pub fn peak_per_second(&self) -> u64 {
        self.per(Duration::from_secs(1))
            .map(|second| u64::from(second.attempts))
            .max()
            .unwrap_or(0)
    }

    /// The same curve in wider bins; a width below one tick counts as one.
    pub fn per(&self, width: Duration) -> impl Iterator<Item = Arrivals> {
        let ticks = usize::try_from(width.as_millis() / TICK.as_millis()).unwrap_or(usize::MAX);
        self.ticks.chunks(ticks.max(1)).map(|bin| Arrivals {
            attempts: bin.iter().map(|tick| tick.attempts).sum(),
            admitted: bin.iter().map(|tick| tick.admitted).sum(),
        })
    }
}

#[cfg(test)]
mod tests;
