//! `registry.fleet_key`: a fleet's keys, wrapped by the key-encryption key.

use hubshift_store::StoreError;
use sqlx::PgExecutor;

/// A wrapped key.
pub(crate) struct WrappedKey {
    pub(crate) kind: String,
    pub(crate) kek_id: String,
    pub(crate) wrapped: Vec<u8>,
}

/// A fleet's wrapped keys.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Vec<WrappedKey>, StoreError> {
    let rows = sqlx::query_as!(
        WrappedKey,
        "select kind, kek_id, wrapped from registry.fleet_key where fleet_id = $1",
        fleet
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Adds a key unless the fleet has one of the kind: of two replicas the first wins.
pub(crate) async fn add(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    key: &WrappedKey,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.fleet_key (fleet_id, kind, kek_id, wrapped)
         values ($1, $2, $3, $4) on conflict on constraint registry_fleet_key_pk do nothing",
        fleet,
        key.kind,
        key.kek_id,
        key.wrapped
    )
    .execute(executor)
    .await?;
    Ok(())
}
