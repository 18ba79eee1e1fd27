//! What each listener says of itself: the public one serves as long as there is a table and the
//! process is not about to stop, the operator one as long as there is a database that fits this
//! binary. Neither waits for the other: a database that hangs takes nothing from the public side.

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
        let looking = futures::future::join(self.follow_table(), self.follow_database());
        tokio::select! {
            () = cancel.cancelled() => {}
            _never = looking => {}
        }
        self.say_public(false);
        self.say_operator(false);
    }

    async fn follow_table(&self) {
        loop {
            self.say_public(self.table.is_offered());
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn follow_database(&self) {
        loop {
            self.say_operator(self.look().await);
            tokio::time::sleep(LOOK).await;
        }
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

    fn say_public(&self, offered: bool) {
        for name in [endpoint_service_server::SERVICE_NAME, ""] {
            self.public.set_serving(name, offered);
        }
    }

    fn say_operator(&self, usable: bool) {
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

#[cfg(test)]
mod tests {
    use hubshift_testkit::eventually;

    use super::*;
    use crate::table::fixture::{entry, signer};

    const SOON: Duration = Duration::from_secs(20);

    /// Takes connections, and never says a word.
    async fn hung_database() -> (tokio::net::TcpListener, PgPool) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://nobody@127.0.0.1:{port}/nothing");
        (listener, PgPool::connect_lazy(&url).unwrap())
    }

    #[tokio::test]
    async fn a_database_that_hangs_keeps_the_public_side_from_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let table = Table::boot(dir.path(), &signer(), Duration::from_secs(5));
        let (_listener, pool) = hung_database().await;
        let public = Health::new();
        let watch = Watch {
            public: public.clone(),
            operator: Health::new(),
            table: table.clone(),
            pool,
            fit: Fit::default(),
        };
        let cancel = CancellationToken::new();
        let running = tokio::spawn(watch.run(cancel.clone()));
        let is_serving = |expected: bool| {
            let public = public.clone();
            move || std::future::ready(public.is_serving("") == expected)
        };
        table.serve(vec![entry("acme", 1024, 1)]).await;
        assert!(eventually(SOON, is_serving(true)).await);
        table.leave();
        assert!(eventually(SOON, is_serving(false)).await);
        cancel.cancel();
        running.await.unwrap();
    }
}
