//! Writes what is seen from here, and reads what everybody sees.
//!
//! A verdict is written when its hub was looked at, not more often: a hundred rows a second at most,
//! and none that claims to be fresher than it is.

use std::sync::Arc;
use std::time::Duration;

use hubshift_store::StoreError;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Observers;
use super::sights::Sights;
use crate::store::observer::{self, Observation};

/// Reports between two looks for what replicas left that are gone.
const TIDY_EVERY: u64 = 360;
/// How much longer than three rounds a verdict is good.
const SLACK: Duration = Duration::from_secs(5);
/// Reports are no closer together: when many hubs die, each is news.
const SOONEST: Duration = Duration::from_secs(1);
/// Verdicts that are written in one statement.
const AT_ONCE: usize = 1_000;

/// Reports to the database, and from it.
pub(super) struct Report {
    pub(super) observers: Observers,
    pub(super) sights: Arc<Sights>,
    /// Something is new: it is not to wait for the next report.
    pub(super) news: Arc<Notify>,
    pub(super) pool: PgPool,
    pub(super) replica: String,
    pub(super) from: String,
    pub(super) every: Duration,
}

impl Report {
    /// Reports every period, and at once when there is news, until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        let mut reports = 0u64;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                () = self.news.notified() => {}
                () = tokio::time::sleep(self.every) => {}
            }
            let outcome = tokio::select! {
                () = cancel.cancelled() => return,
                outcome = self.report(reports) => outcome,
            };
            reports += 1;
            if let Err(error) = outcome {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "what is seen of the hubs is not written");
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(SOONEST.min(self.every)) => {}
            }
        }
    }

    async fn report(&self, number: u64) -> Result<(), StoreError> {
        let seen = self.sights.take();
        let written = self.write(&seen).await;
        written.inspect_err(|_| self.sights.put_back(&seen))?;
        let doubtful = observer::doubtful(&self.pool).await?;
        self.observers.take(doubtful, self.every * 3 + SLACK);
        if number.is_multiple_of(TIDY_EVERY) {
            observer::forget(&self.pool).await?;
        }
        Ok(())
    }

    /// Writes verdicts, each good until the hub should have been looked at three times more.
    async fn write(&self, seen: &[Observation]) -> Result<(), StoreError> {
        let good_for = self.sights.round().max(self.every) * 3 + SLACK;
        let (pool, replica, from) = (&self.pool, &self.replica, &self.from);
        for some in seen.chunks(AT_ONCE) {
            observer::write(pool, replica, from, good_for, some).await?;
        }
        Ok(())
    }
}
