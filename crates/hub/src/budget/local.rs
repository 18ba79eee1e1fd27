//! A budget in the memory of one process.

use std::array;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::time::{Instant, sleep_until};

use super::{Budget, BudgetSettings, CLASSES, DailyMessages, OperationClass, Pace};

/// A pause is as long as the hub asks, and up to half as long again: not all come back at once.
const JITTER: f64 = 1.5;

/// The budget of one hub. Calls of a class go in the order in which they asked.
#[derive(Debug)]
pub struct LocalBudget {
    paces: Mutex<[Pace; CLASSES.len()]>,
    daily: Mutex<DailyMessages>,
    speed: f64,
}

impl LocalBudget {
    /// A budget that nobody has used yet.
    pub fn new(settings: &BudgetSettings) -> Self {
        Self {
            paces: Mutex::new(array::from_fn(|index| settings.pace(CLASSES[index]))),
            daily: Mutex::new(settings.daily()),
            speed: settings.speed(),
        }
    }

    /// A budget that holds nothing back until the hub answers 429.
    pub fn unlimited() -> Self {
        Self::new(&BudgetSettings::default())
    }

    /// Reserves a slot, if there is one before `until`.
    fn reserve(
        &self,
        class: OperationClass,
        now: Instant,
        until: Instant,
    ) -> Result<(Instant, u64), Duration> {
        self.with(class, |pace| {
            let slot = pace.peek(now);
            if slot > until {
                return Err(slot.duration_since(now));
            }
            Ok((pace.next(now), pace.round()))
        })
    }

    fn with<T>(&self, class: OperationClass, work: impl FnOnce(&mut Pace) -> T) -> T {
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut paces[index(class)])
    }

    fn daily(&self) -> MutexGuard<'_, DailyMessages> {
        self.daily.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Budget for LocalBudget {
    async fn take(&self, class: OperationClass, until: Instant) -> Result<(), Duration> {
        if class == OperationClass::Query
            && let Some(wait) = self.daily().wait(OffsetDateTime::now_utc())
        {
            return Err(wait);
        }
        loop {
            let now = Instant::now();
            let (slot, round) = self.reserve(class, now, until)?;
            if slot > now {
                sleep_until(slot).await;
            }
            // A 429 that came meanwhile has voided the reservation.
            if self.with(class, |pace| pace.round()) == round {
                return Ok(());
            }
        }
    }

    fn throttled(&self, class: OperationClass, pause: Duration) {
        let factor = rand::random_range(1.0..=JITTER) / self.speed;
        let pause = Duration::try_from_secs_f64(pause.as_secs_f64() * factor).unwrap_or(pause);
        self.with(class, |pace| pace.throttled(Instant::now(), pause));
    }

    fn answered(&self, class: OperationClass) {
        self.with(class, |pace| pace.answered(Instant::now()));
    }

    fn spent(&self, bytes: usize) {
        let is_last = self.daily().spend(bytes, OffsetDateTime::now_utc());
        if is_last {
            tracing::warn!("queries have used up their part of the hub's daily messages");
        }
    }
}

fn index(class: OperationClass) -> usize {
    match class {
        OperationClass::Registry => 0,
        OperationClass::Query => 1,
        OperationClass::TwinRead => 2,
        OperationClass::TwinWrite => 3,
        OperationClass::Job => 4,
        OperationClass::Configuration => 5,
    }
}

#[cfg(test)]
mod tests;
