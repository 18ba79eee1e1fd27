//! Keeps the table equal to the database: reads everything, signs what is missing, serves it, and
//! says so in `epoch_witness`. The same work every time, whatever happens.
//!
//! Durable: signed routes and the heartbeat. A database that does not answer changes nothing here
//! but the log: the table stays, and its answers say that they are stale.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubshift_domain::route::{RouteClaims, RouteError};
use hubshift_store::{Database, StoreError};
use time::OffsetDateTime;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::plan::{self, Action};
use super::{FleetEntry, Table};
use crate::adoption::{Adoption, shared};
use crate::gauges;
use crate::signing::Signer;
use crate::store::route::{self, NewRoute};
use crate::store::table as store;
use crate::store::table::write::{self, Served};

/// Read, sign, read back, and once more if another replica was in the way.
const PASSES: usize = 3;
/// Refreshes between two looks for replicas that are gone.
const TIDY_EVERY: u64 = 3600;
/// A refresh that takes longer is given up; the next one starts anew.
const LIMIT: Duration = Duration::from_secs(5);
/// How long one pass signs. What is left then waits for the next one, so that thousands of fleets
/// whose signatures run out together keep no refresh from its heartbeat.
const SIGNING: Duration = Duration::from_secs(1);

/// Why a refresh failed. The next one is the retry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RefreshError {
    /// The database did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A route can't be signed.
    #[error("a route can't be signed")]
    Sign(#[source] RouteError),
    /// The database took too long.
    #[error("the database did not answer within {LIMIT:?}")]
    TimedOut,
}

/// Refreshes one table.
#[derive(Clone)]
pub(crate) struct Refresher {
    /// The table.
    pub(crate) table: Table,
    /// Signs and verifies routes.
    pub(crate) signer: Arc<Signer>,
    /// What devices told this replica.
    pub(crate) adoption: Adoption,
    /// The database.
    pub(crate) database: Database,
    /// How this replica names itself.
    pub(crate) replica: String,
}

impl Refresher {
    /// Refreshes every `period`, or sooner when somebody knows of news, until cancelled.
    pub(crate) async fn run(self, period: Duration, cancel: CancellationToken) {
        let mut ticks = interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut failures, mut refreshes) = (0u64, 0u64);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
                () = self.table.wanted() => {}
            }
            let outcome = tokio::select! {
                () = cancel.cancelled() => return,
                outcome = self.round() => outcome,
            };
            match outcome {
                Ok(()) => {
                    if failures > 0 {
                        tracing::info!(failures, "the table is fresh again");
                    }
                    failures = 0;
                    if refreshes.is_multiple_of(TIDY_EVERY) {
                        self.tidy().await;
                    }
                    refreshes += 1;
                }
                Err(error) => {
                    failures += 1;
                    self.cope(&error, failures).await;
                }
            }
        }
    }

    /// Logs the first failure and every hundredth, and looks for another database host.
    async fn cope(&self, error: &RefreshError, failures: u64) {
        if failures % 100 == 1 {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                failures,
                "the table can't be refreshed; devices are answered from memory"
            );
        }
        if let Err(error) = self.database.repoint().await {
            tracing::debug!(%error, "no database host is writable");
        }
    }

    async fn round(&self) -> Result<(), RefreshError> {
        self.follow_keys().await;
        self.tick().await
    }

    /// Takes signing keys that changed, with or without a database, and serves nothing under one
    /// that is not trusted any more. A disk that hangs changes nothing.
    pub(crate) async fn follow_keys(&self) {
        let signer = self.signer.clone();
        let look = spawn_blocking(move || signer.look(OffsetDateTime::now_utc()));
        if timeout(LIMIT, look).await.is_err() {
            tracing::debug!("the signing keys could not be looked at in time");
        }
        self.table.follow_keys(&self.signer).await;
    }

    /// One refresh.
    pub(crate) async fn tick(&self) -> Result<(), RefreshError> {
        timeout(LIMIT, self.refresh())
            .await
            .map_err(|_| RefreshError::TimedOut)?
    }

    async fn refresh(&self) -> Result<(), RefreshError> {
        let failed = self.serve_and_sign().await?;
        let pool = self.database.pool();
        shared::prepare(&self.adoption, pool, &self.table).await;
        let served = self.served();
        measure(&served);
        write::witness(pool, &self.replica, &served).await?;
        gauges::refreshed(&self.table.load());
        shared::publish(&self.adoption, pool, &self.replica, &self.table).await;
        failed.map_or(Ok(()), Err)
    }

    /// Serves what there is after every pass, and lets no fleet wait for another one's signature:
    /// returns the first failure only after everything else was done.
    async fn serve_and_sign(&self) -> Result<Option<RefreshError>, RefreshError> {
        let mut failed = None;
        for _ in 0..PASSES {
            let read = store::read(self.database.pool()).await?;
            let now = read.now;
            let plan = plan::plan(read, &self.table.load(), &self.signer);
            let (entries, kept) = (plan.entries, plan.kept);
            self.table
                .update(|held| held.refreshed(entries, &kept, now))
                .await;
            if plan.actions.is_empty() {
                break;
            }
            let began = Instant::now();
            for action in plan.actions {
                if began.elapsed() > SIGNING {
                    break;
                }
                if let Err(error) = self.act(action).await {
                    failed.get_or_insert(error);
                }
            }
        }
        Ok(failed)
    }

    async fn act(&self, action: Action) -> Result<(), RefreshError> {
        match action {
            Action::Sign(claims) => self.sign(&claims).await,
            Action::Raise { fleet, from, to } => {
                tracing::info!(%fleet, from, to, "devices are told something new");
                let pool = self.database.pool();
                Ok(write::raise_routing_version(pool, &fleet, from, to).await?)
            }
        }
    }

    async fn sign(&self, claims: &RouteClaims) -> Result<(), RefreshError> {
        let jws = self.signer.sign(claims).map_err(RefreshError::Sign)?;
        let new = NewRoute {
            fleet_id: claims.fleet.as_str(),
            routing_version: claims.routing_version,
            epoch: claims.epoch,
            jws: &jws,
            issue_time: claims.issued_at,
            not_after: claims.not_after,
        };
        let mut connection = self
            .database
            .pool()
            .acquire()
            .await
            .map_err(StoreError::from)?;
        Ok(route::insert(&mut connection, &new).await?)
    }

    fn served(&self) -> Vec<Served> {
        self.table
            .load()
            .fleets
            .values()
            .map(|entry| self.serves(entry))
            .collect()
    }

    fn serves(&self, entry: &FleetEntry) -> Served {
        let counts = self.adoption.counts(entry);
        Served {
            fleet: entry.fleet_id.clone(),
            epoch: entry.epoch.0,
            routing_version: entry.routing_version,
            polling: counts.polling,
            attached: counts.attached,
        }
    }

    /// Tidies up after replicas that are gone.
    async fn tidy(&self) {
        match write::forget_gone_replicas(self.database.pool()).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "replicas that are gone for a day are forgotten"),
            Err(error) => tracing::debug!(%error, "replicas that are gone stay for now"),
        }
        match write::forget_old_routes(self.database.pool()).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "routes that are long over are forgotten"),
            Err(error) => tracing::debug!(%error, "routes that are long over stay for now"),
        }
        shared::tidy(self.database.pool()).await;
    }
}

/// Metrics, by fleet: there are few fleets.
fn measure(served: &[Served]) {
    for fleet in served {
        let labels = [("fleet", fleet.fleet.to_string())];
        metrics::gauge!("hubshift_concierge_epoch", &labels).set(fleet.epoch as f64);
        metrics::gauge!("hubshift_concierge_polling_devices", &labels).set(fleet.polling as f64);
        metrics::gauge!("hubshift_concierge_attached_devices", &labels).set(fleet.attached as f64);
    }
}

#[cfg(test)]
mod tests;
