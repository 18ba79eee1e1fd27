//! Who did what. A row stands in the transaction of the effect.

use hubshift_store::StoreError;
use sqlx::PgConnection;
use uuid::Uuid;

/// One line of the audit.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) caller: &'a str,
    pub(crate) method: &'a str,
    pub(crate) fleet_id: &'a str,
    pub(crate) request_id: Uuid,
    /// For a person; no secrets.
    pub(crate) detail: &'a str,
}

/// Writes a line.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    entry: &Entry<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.audit (caller, method, fleet_id, request_id, detail)
         values ($1, $2, $3, $4, $5)",
        entry.caller,
        entry.method,
        entry.fleet_id,
        entry.request_id,
        entry.detail
    )
    .execute(connection)
    .await?;
    Ok(())
}
