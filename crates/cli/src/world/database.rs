//! The world's PostgreSQL: a private cluster, the services' roles, the migrations.

use std::collections::HashMap;

use anyhow::Context as _;
use hubshift_private_pg::{Cluster, Settings};
use sqlx::{AssertSqlSafe, PgPool};

use super::layout::{Layout, random_key};

const ROLES: &str = include_str!("../../../../deploy/postgres/roles.sql");
const DATABASE: &str = "hubshift";

/// A running database with everything in it that the services need.
#[derive(Debug)]
pub(crate) struct WorldDatabase {
    cluster: Cluster,
    passwords: HashMap<&'static str, String>,
}

impl WorldDatabase {
    /// Starts the cluster, makes the roles and applies the migrations.
    pub(crate) async fn start(layout: &Layout, ephemeral: bool) -> anyhow::Result<Self> {
        let settings = Settings {
            data_dir: (!ephemeral).then(|| layout.path("postgres")),
            log_file: Some(layout.path("logs/postgres.log")),
            ..Settings::default()
        };
        let cluster = Cluster::start(settings).await?;
        let mut passwords = HashMap::new();
        for role in ["concierge", "registry", "merge"] {
            // Hexadecimal, because it stands in a URL and in a statement.
            let password: String = random_key().bytes().map(|b| format!("{b:02x}")).collect();
            passwords.insert(role, password);
        }
        let database = Self { cluster, passwords };
        database.prepare().await?;
        Ok(database)
    }

    async fn prepare(&self) -> anyhow::Result<()> {
        let admin = PgPool::connect(&self.cluster.superuser_url()).await?;
        sqlx::raw_sql(ROLES)
            .execute(&admin)
            .await
            .context("the roles could not be made")?;
        for (role, password) in &self.passwords {
            let statement = format!("alter role hubshift_{role} password '{password}'");
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&admin)
                .await?;
        }
        let exists: bool = sqlx::query_scalar(
            "select exists (select from pg_database where datname = 'hubshift')",
        )
        .fetch_one(&admin)
        .await?;
        if !exists {
            sqlx::raw_sql("create database hubshift")
                .execute(&admin)
                .await?;
        }
        admin.close().await;
        let pool = PgPool::connect(&self.superuser_url()).await?;
        hubshift_store::migrate::migrate(&pool).await?;
        pool.close().await;
        Ok(())
    }

    /// The URL of a service's role.
    pub(crate) fn url(&self, role: &str) -> String {
        let password = self
            .passwords
            .get(role)
            .map(String::as_str)
            .unwrap_or_default();
        self.cluster
            .url(&format!("hubshift_{role}"), password, DATABASE)
    }

    fn superuser_url(&self) -> String {
        let url = self.cluster.superuser_url();
        match url.rsplit_once('/') {
            Some((server, _)) => format!("{server}/{DATABASE}"),
            None => url,
        }
    }

    /// Stops the server and removes a throw-away cluster.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.cluster.stop().await?)
    }
}
