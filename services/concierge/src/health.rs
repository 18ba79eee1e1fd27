//! What each listener says of itself: the public one serves as long as there is a table, the
//! operator one as long as there is a database that fits this binary.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hubshift_api::pb::concierge::{
    endpoint_service_server, failover_service_server, fleet_service_server,
};
use hubshift_shell::Health;
use hubshift_store::migrate::{SchemaState, schema_state};
use hubshift_store::within;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::table::Table;

/// How often both are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// A database that takes longer is not there.
const LIMIT: Duration = Duration::from_secs(5);

/// Whether the database's schema fits this binary, as far as is known. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fit(Arc<AtomicU8>);

/// How the schema fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitting {
    /// Never looked at yet: the database has not answered.
    Unknown,
    /// It fits.
    Fits,
    /// It is older than this binary needs.
    Behind,
    /// It is newer than this binary knows.
    TooNew,
}

impl Fit {
    /// What is known.
    pub(crate) fn get(&self) -> Fitting {
        match self.0.load(Ordering::Relaxed) {
            1 => Fitting::Fits,
            2 => Fitting::Behind,
            3 => Fitting::TooNew,
            _ => Fitting::Unknown,
        }
    }

    /// Notes what was found; says whether it is news.
    fn note(&self, state: SchemaState) -> bool {
        let number = match state {
            SchemaState::Usable => 1,
            SchemaState::Behind { .. } => 2,
            SchemaState::TooNew { .. } => 3,
        };
        self.0.swap(number, Ordering::Relaxed) != number
    }
}

/// Keeps both up to date until cancelled.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) public: Health,
    pub(crate) operator: Health,
    pub(crate) table: Table,
    pub(crate) pool: PgPool,
    pub(crate) fit: Fit,
}

impl Watch {
    /// Looks again and again.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        loop {
            let usable = self.look().await;
            self.say(self.table.is_loaded(), usable);
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        self.say(false, false);
    }

    async fn look(&self) -> bool {
        match within(LIMIT, schema_state(&self.pool)).await {
            Ok(state) => {
                if self.fit.note(state) {
                    tell(state);
                }
                state == SchemaState::Usable
            }
            Err(error) => {
                tracing::debug!(error = &error as &dyn std::error::Error, "no database");
                false
            }
        }
    }

    fn say(&self, loaded: bool, usable: bool) {
        for name in [endpoint_service_server::SERVICE_NAME, ""] {
            self.public.set_serving(name, loaded);
        }
        let names = [
            fleet_service_server::SERVICE_NAME,
            failover_service_server::SERVICE_NAME,
            "",
        ];
        for name in names {
            self.operator.set_serving(name, usable);
        }
    }
}

fn tell(state: SchemaState) {
    match state {
        SchemaState::Usable => tracing::info!("the database's schema fits"),
        SchemaState::Behind { found, needed } => tracing::error!(
            found,
            needed,
            "the database is older than this binary: run `concierge migrate`; devices are still \
             served"
        ),
        SchemaState::TooNew { found, known } => tracing::error!(
            found,
            known,
            "the database is newer than this binary: run a newer one; devices are still served"
        ),
    }
}
