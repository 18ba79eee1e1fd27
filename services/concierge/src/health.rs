//! What each listener says of itself: the public one serves as long as there is a table, the
//! operator one as long as there is a database that fits this binary.

use std::time::Duration;

use hubshift_api::pb::concierge::{
    endpoint_service_server, failover_service_server, fleet_service_server,
};
use hubshift_shell::Health;
use hubshift_store::Fit;
use hubshift_store::migrate::SchemaState;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::table::Table;

/// How often both are looked at.
const LOOK: Duration = Duration::from_millis(500);

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
        match self.fit.look(&self.pool).await {
            Ok(state) => state == SchemaState::Usable,
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
