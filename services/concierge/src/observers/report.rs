//! Writes what is seen from here, and reads what everybody sees.

use std::sync::Arc;
use std::time::Duration;

use hubshift_store::StoreError;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Observers;
use super::sights::Sights;
use crate::store::observer;

/// Reports between two looks for what replicas left that are gone.
const TIDY_EVERY: u64 = 360;
/// How much longer than three periods a report is good.
const SLACK: Duration = Duration::from_secs(5);

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
        }
    }

    async fn report(&self, number: u64) -> Result<(), StoreError> {
        let good_for = self.every * 3 + SLACK;
        let seen = self.sights.observations();
        if !seen.is_empty() {
            observer::write(&self.pool, &self.replica, &self.from, good_for, &seen).await?;
        }
        let doubtful = observer::doubtful(&self.pool).await?;
        self.observers.take(doubtful, good_for);
        if number.is_multiple_of(TIDY_EVERY) {
            observer::forget(&self.pool).await?;
        }
        Ok(())
    }
}
