//! What operators and back ends can do, free of gRPC's ceremony: checks, transactions, answers.
//!
//! A mutation stores its answer for replay and its audit line in the transaction of its effect.

pub(crate) mod canary;
mod error;
pub(crate) mod failover;
pub(crate) mod fencing;
pub(crate) mod fleet;
mod once;
pub(crate) mod plan;
pub(crate) mod precheck;
pub(crate) mod remote;
pub(crate) mod route;
mod view;
pub(crate) mod wire;

use std::sync::Arc;
use std::time::Duration;

use hubshift_store::{Fit, StoreError};
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};
use tokio::sync::Notify;
use tonic::Status;

pub(crate) use error::AppError;

use crate::config::Config;
use crate::observers::Observers;
use crate::signing::Signer;
use crate::table::Table;
use remote::Remote;

/// Limits, from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How far clocks of this deployment may be apart.
    pub(crate) clock_bound: Duration,
    /// How long to wait for every concierge to serve a new route.
    pub(crate) publish_deadline: Duration,
    /// How long the registry may stay frozen.
    pub(crate) freeze_timeout: Duration,
    /// How long to watch devices move, at most.
    pub(crate) observe_timeout: Duration,
    /// How stale a target may be.
    pub(crate) max_staleness: Duration,
    /// How many streams may watch fleets.
    pub(crate) max_watchers: usize,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            clock_bound: config.clock_bound,
            publish_deadline: config.publish_deadline,
            freeze_timeout: config.freeze_timeout,
            observe_timeout: config.observe_timeout,
            max_staleness: config.max_staleness,
            max_watchers: config.max_watchers,
        }
    }
}

/// What every operation works with. Shared by handlers, workflows and reconcilers.
#[derive(Debug)]
pub(crate) struct App {
    /// The database.
    pub(crate) pool: PgPool,
    /// The services below.
    pub(crate) remote: Remote,
    /// What devices are answered from: knows of forgotten epochs.
    pub(crate) table: Table,
    /// Signs the route of a new epoch.
    pub(crate) signer: Arc<Signer>,
    /// Limits.
    pub(crate) settings: Settings,
    /// Wakes the engine of this replica.
    pub(crate) nudge: Arc<Notify>,
    /// Whether the database's schema fits this binary.
    pub(crate) fit: Fit,
    /// What all concierges together make of the hubs.
    pub(crate) observers: Observers,
}

impl App {
    /// Refuses to work on a schema that does not fit.
    pub(crate) fn ready(&self) -> Result<(), Status> {
        self.fit.ready()
    }

    /// A connection of the pool.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        Ok(self.pool.acquire().await?)
    }
}
