//! The migrations, compiled in: one linear, forward-only history for all schemas.
//!
//! Applied by `concierge migrate` under sqlx's advisory lock. Binary N runs on schemas N and N+1.

use sqlx::PgPool;
use sqlx::migrate::Migrator;

use crate::StoreError;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// How the database's schema relates to this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// As this binary knows it, or one version newer.
    Usable,
    /// Older: run `concierge migrate`.
    Behind {
        /// What the database has.
        found: i64,
        /// What this binary needs.
        needed: i64,
    },
    /// More than one version newer: run a newer binary.
    TooNew {
        /// What the database has.
        found: i64,
        /// What this binary knows.
        known: i64,
    },
}

/// The version that this binary knows.
pub fn known_version() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

/// The migrations themselves, for tests that apply them to a template.
pub fn migrator() -> &'static Migrator {
    &MIGRATOR
}

/// Why the migrations could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database is newer than this binary: nothing was changed.
    #[error("the database has schema {found}, this binary knows {known}; run a newer binary")]
    TooNew {
        /// What the database has.
        found: i64,
        /// What this binary knows.
        known: i64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A migration failed; the ones before it stand.
    #[error("a migration failed: {0}")]
    Failed(String),
}

/// Applies what is missing.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    if let SchemaState::TooNew { found, known } = schema_state(pool).await? {
        return Err(MigrateError::TooNew { found, known });
    }
    MIGRATOR
        .run(pool)
        .await
        .map_err(|error| MigrateError::Failed(error.to_string()))
}

/// Looks at the version that the database has.
pub async fn schema_state(pool: &PgPool) -> Result<SchemaState, StoreError> {
    let known = known_version();
    let found = found_version(pool).await?;
    Ok(if found < known {
        SchemaState::Behind {
            found,
            needed: known,
        }
    } else if found > known + 1 {
        SchemaState::TooNew { found, known }
    } else {
        SchemaState::Usable
    })
}

async fn found_version(pool: &PgPool) -> Result<i64, StoreError> {
    // Asked at run time: the table is sqlx's own and not part of our migrations.
    let exists: Option<String> =
        sqlx::query_scalar("select to_regclass('public._sqlx_migrations')::text")
            .fetch_one(pool)
            .await?;
    if exists.is_none() {
        return Ok(0);
    }
    let version: Option<i64> =
        sqlx::query_scalar("select max(version) from public._sqlx_migrations where success")
            .fetch_one(pool)
            .await?;
    Ok(version.unwrap_or(0))
}
