//! What we may ask of a hub: a budget for each of its quotas, half of the quota by default.
//!
//! A hub's quotas are there for its owner's applications too. So a budget holds calls back
//! before the hub has to, and gives way for a while when the hub refuses one (429), whoever used
//! the quota up.
//!
//! Durable: nothing here. [`LocalBudget`] is one process's; where replicas share a budget,
//! something else implements [`Budget`] with [`Pace`] as its rules.

mod daily;
mod local;
mod pace;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use hubshift_azure::quota::{self, Tier};
use tokio::time::Instant;

pub use daily::DailyMessages;
pub use hubshift_azure::quota::OperationClass;
pub use local::LocalBudget;
pub use pace::Pace;

/// Every class of calls that has a quota of its own.
pub const CLASSES: [OperationClass; 6] = [
    OperationClass::Registry,
    OperationClass::Query,
    OperationClass::TwinRead,
    OperationClass::TwinWrite,
    OperationClass::Job,
    OperationClass::Configuration,
];

/// Calls of so many seconds may go at once after a rest, and at most this many.
const BURST_SECONDS: f64 = 10.0;
const MAX_BURST: f64 = 10.0;
/// Queries may use this part of the hub's daily messages.
const DAILY_PART: u64 = 20;

/// Holds calls to one hub back until there is room for them.
#[async_trait]
pub trait Budget: Send + Sync + fmt::Debug {
    /// Waits for room for one call of the class, at most until `until`. An error is how long it
    /// would take: then nothing may be sent.
    async fn take(&self, class: OperationClass, until: Instant) -> Result<(), Duration>;

    /// The hub refused a call of this class with 429, and is to be left alone for this long.
    fn throttled(&self, class: OperationClass, pause: Duration);

    /// The hub answered a call of this class, with something else than 429.
    fn answered(&self, class: OperationClass);

    /// A query was answered with so many bytes: the hub counts them as messages of its day.
    fn spent(&self, bytes: usize);
}

/// How large a hub is, and which part of it is ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetSettings {
    /// The hub's edition; without it nothing is held back until the hub answers 429.
    pub tier: Option<Tier>,
    /// Its units.
    pub units: u32,
    /// The part of each quota that is ours, above 0 and at most 1.
    pub share: f64,
    /// How much faster than ours the hub's clock runs. Only an emulator's is not 1.
    pub speed: f64,
    /// How many of the hub's daily messages queries may use; a twentieth without it.
    pub daily_messages: Option<u64>,
}

impl Default for BudgetSettings {
    fn default() -> Self {
        Self {
            tier: None,
            units: 1,
            share: 0.5,
            speed: 1.0,
            daily_messages: None,
        }
    }
}

impl BudgetSettings {
    /// Our calls per second of a class; nothing where the hub's quota is not known.
    pub fn per_second(&self, class: OperationClass) -> Option<f64> {
        let quota = quota::per_second(self.tier?, self.units, class);
        let share = if self.share > 0.0 {
            self.share.min(1.0)
        } else {
            Self::default().share
        };
        Some(quota * share * self.speed())
    }

    /// The pace of a class.
    pub fn pace(&self, class: OperationClass) -> Pace {
        let pace = match self.per_second(class) {
            Some(rate) => Pace::new(rate, (rate * BURST_SECONDS).clamp(1.0, MAX_BURST)),
            None => Pace::unlimited(),
        };
        pace.with_speed(self.speed())
    }

    /// The count of the day's messages.
    pub fn daily(&self) -> DailyMessages {
        let part = |tier| quota::daily_messages(tier, self.units) / DAILY_PART;
        let size = match self.tier {
            Some(Tier::F1) => 512,
            _ => 4096,
        };
        DailyMessages::new(self.daily_messages.or(self.tier.map(part)), size)
    }

    /// The speed, if it is one.
    pub fn speed(&self) -> f64 {
        if self.speed.is_finite() && self.speed > 0.0 {
            self.speed
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s1() -> BudgetSettings {
        BudgetSettings {
            tier: Some(Tier::S1),
            ..BudgetSettings::default()
        }
    }

    fn per_minute(settings: &BudgetSettings) -> f64 {
        settings.per_second(OperationClass::Registry).unwrap() * 60.0
    }

    #[test]
    fn half_of_the_quota_is_ours_by_default() {
        assert!((per_minute(&s1()) - 50.0).abs() < 1e-9);
        let fast = BudgetSettings {
            speed: 60.0,
            ..s1()
        };
        assert!((per_minute(&fast) - 3000.0).abs() < 1e-9);
        assert_eq!(
            BudgetSettings::default().per_second(OperationClass::Registry),
            None
        );
    }

    #[test]
    fn a_share_or_speed_that_is_none_counts_for_the_usual() {
        for (share, speed, expected) in [
            (0.0, 1.0, 50.0),
            (f64::NAN, 1.0, 50.0),
            (7.0, 1.0, 100.0),
            (0.5, 0.0, 50.0),
            (0.5, f64::INFINITY, 50.0),
        ] {
            let settings = BudgetSettings {
                share,
                speed,
                ..s1()
            };
            assert!((per_minute(&settings) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn queries_have_a_twentieth_of_the_day_or_what_is_said() {
        let now = time::macros::datetime!(2026-03-01 12:00:00 UTC);
        let mut daily = s1().daily();
        assert!(!daily.spend(4096 * 19_999, now));
        assert!(daily.spend(1, now), "400,000 messages a day");
        let said = BudgetSettings {
            daily_messages: Some(1),
            ..s1()
        };
        assert!(said.daily().spend(1, now));
    }
}
