//! A database of a test's own.

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use crate::pg::role::Role;
use crate::pg::server::{Server, shared};

/// A database of a test's own, as the migrations make it. It is removed when this is dropped,
/// whoever is still connected; when the test panics it stays for a look (and goes with the server).
#[derive(Debug)]
pub struct Database {
    /// Its name on the server.
    pub name: String,
    server: Server,
}

impl Database {
    /// A new one on the server that this process shares.
    ///
    /// # Errors
    /// No PostgreSQL, or a migration fails.
    pub async fn fresh() -> anyhow::Result<Self> {
        Self::on(shared().await?).await
    }

    /// A new one on a server of the test's own, such as one that the test stops.
    ///
    /// # Errors
    /// The server can't be reached, or a migration fails.
    pub async fn on(server: &Server) -> anyhow::Result<Self> {
        let name = format!("hubshift_test_{}", Uuid::new_v4().simple());
        server.create_database(&name).await?;
        Ok(Self {
            name,
            server: server.clone(),
        })
    }

    /// Where `role` connects.
    #[must_use]
    pub fn url(&self, role: Role) -> String {
        self.server.url(role, &self.name)
    }

    /// Where the superuser connects.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url(Role::Superuser)
    }

    /// Where the concierge connects.
    #[must_use]
    pub fn concierge_url(&self) -> String {
        self.url(Role::Concierge)
    }

    /// Where registry-sync connects.
    #[must_use]
    pub fn registry_url(&self) -> String {
        self.url(Role::Registry)
    }

    /// Where merge connects.
    #[must_use]
    pub fn merge_url(&self) -> String {
        self.url(Role::Merge)
    }

    /// A new pool of at most 8 connections.
    ///
    /// # Errors
    /// The server can't be reached.
    pub async fn connect(&self, role: Role) -> anyhow::Result<PgPool> {
        Ok(PgPoolOptions::new()
            .max_connections(8)
            .connect(&self.url(role))
            .await?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the test's database {} stays until its server ends",
                self.name
            );
            return;
        }
        let (server, name) = (self.server.clone(), std::mem::take(&mut self.name));
        // A thread with a runtime of its own: a destructor can't wait within the test's. It waits
        // for a moment only: the test's runtime stands still meanwhile, and the server does not drop
        // a database while a connection of that runtime is half made. What stays goes with the server.
        let (done, dropped) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let gone = runtime.map(|runtime| runtime.block_on(server.drop_database(&name)));
            // Nobody may listen any more.
            let _ = done.send(gone.is_ok_and(|gone| gone.is_ok()));
        });
        // Its server may be stopped already, and takes the database along.
        let _gone = dropped.recv_timeout(std::time::Duration::from_secs(1));
    }
}
