//! `concierge migrate`: the one command that changes the schema.

use hubshift_store::migrate;
use hubshift_store::{Database, PoolConfig};
use secrecy::ExposeSecret as _;

use crate::config::Config;

/// Applies the migrations that are missing, with `database_url` or the configured one.
///
/// # Errors
/// [`migrate::MigrateError`]: the database is newer, does not answer, or refuses.
pub async fn migrate(config: &Config, database_url: Option<String>) -> anyhow::Result<()> {
    let urls = database_url.unwrap_or_else(|| config.database_url.expose_secret().to_owned());
    let pool = PoolConfig {
        urls,
        max_connections: 2,
        application: "hubshift-migrate",
    };
    let database = Database::lazy(&pool).map_err(migrate::MigrateError::from)?;
    migrate::migrate(database.pool()).await?;
    tracing::info!(
        version = migrate::known_version(),
        "the schema is up to date"
    );
    Ok(())
}
