//! One strategy, from the loss of the hub to the last device.

use std::time::Duration;

use super::random::Random;
use super::wheel::Wheel;
use super::{Arrivals, Outcome, Scenario, Strategy, TICK};
use crate::pacing;

/// Simulates one strategy.
pub fn simulate(scenario: &Scenario, strategy: Strategy) -> Outcome {
    let mut fleet = Fleet::new(scenario, strategy);
    let mut hub = Hub::new(scenario.admission_per_second);
    let mut ticks = Vec::new();
    let mut left = scenario.devices;
    while left > 0 && ticks.len() < in_ticks(scenario.horizon) {
        let due = fleet.wheel.due();
        let admitted = hub.admit(u32::try_from(due.len()).unwrap_or(u32::MAX));
        ticks.push(Arrivals {
            attempts: u32::try_from(due.len()).unwrap_or(u32::MAX),
            admitted,
        });
        left -= admitted;
        for device in due.into_iter().skip(admitted as usize) {
            fleet.refused(device);
        }
        fleet.wheel.step();
    }
    Outcome {
        strategy,
        ticks,
        devices: scenario.devices,
    }
}

/// The devices that are not attached yet.
struct Fleet {
    strategy: Strategy,
    retry: Duration,
    wheel: Wheel,
    /// Refusals of each device so far.
    refusals: Vec<u8>,
    random: Random,
}

impl Fleet {
    fn new(scenario: &Scenario, strategy: Strategy) -> Self {
        let longest = match strategy {
            Strategy::Slots => scenario.poll + scenario.window(),
            Strategy::Polled => scenario.poll,
            Strategy::FixedRetry | Strategy::Backoff | Strategy::FullJitter => Duration::ZERO,
        };
        let longest = longest.max(scenario.retry).max(pacing::BACKOFF_CAP);
        let mut fleet = Self {
            strategy,
            retry: scenario.retry,
            wheel: Wheel::new(in_ticks(longest)),
            refusals: vec![0; scenario.devices as usize],
            random: Random::new(scenario.seed),
        };
        for device in 0..scenario.devices {
            let first = fleet.first(scenario, device);
            fleet.wheel.after(in_ticks(first), device);
        }
        fleet
    }

    /// When a device first tries.
    fn first(&mut self, scenario: &Scenario, device: u32) -> Duration {
        match self.strategy {
            Strategy::FixedRetry | Strategy::Backoff | Strategy::FullJitter => Duration::ZERO,
            Strategy::Polled => pacing::share(scenario.poll, self.random.next()),
            Strategy::Slots => {
                let told = pacing::share(scenario.poll, self.random.next());
                let id = format!("device-{device}");
                told + pacing::slot(&id, scenario.epoch, scenario.window())
            }
        }
    }

    /// The hub refused it: when it tries again.
    fn refused(&mut self, device: u32) {
        let refusals = &mut self.refusals[device as usize];
        let attempt = u32::from(*refusals);
        *refusals = refusals.saturating_add(1);
        let wait = match self.strategy {
            Strategy::FixedRetry => self.retry,
            // The largest random number stands for the whole of the ceiling.
            Strategy::Backoff => pacing::backoff(attempt, u64::MAX),
            Strategy::FullJitter | Strategy::Polled | Strategy::Slots => {
                pacing::backoff(attempt, self.random.next())
            }
        };
        // Not within the tick that it was refused in.
        self.wheel.after(in_ticks(wait).max(1), device);
    }
}

/// A token bucket that holds one second's worth. In tenths of a connection, so that no rate is
/// rounded.
struct Hub {
    per_tick: u64,
    saved: u64,
}

impl Hub {
    fn new(admission_per_second: u32) -> Self {
        let per_tick = u64::from(admission_per_second);
        Self {
            per_tick,
            saved: per_tick * 10,
        }
    }

    fn admit(&mut self, attempts: u32) -> u32 {
        self.saved = (self.saved + self.per_tick).min(self.per_tick * 10);
        let admitted = u64::from(attempts).min(self.saved / 10);
        self.saved -= admitted * 10;
        u32::try_from(admitted).unwrap_or(u32::MAX)
    }
}

fn in_ticks(span: Duration) -> usize {
    usize::try_from(span.as_millis() / TICK.as_millis()).unwrap_or(usize::MAX)
}
