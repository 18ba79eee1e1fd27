//! The one clock that all replicas share.

use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// What the database's clock says at this moment, not at the transaction's start.
pub(crate) async fn now(connection: &mut PgConnection) -> Result<OffsetDateTime, StoreError> {
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(connection)
        .await?;
    Ok(now)
}
