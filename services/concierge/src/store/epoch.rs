//! The reigns of a fleet, one row each: the proof that a commit happened.

use hubshift_domain::epoch::Epoch;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A reign that a failover began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Committed {
    pub(crate) epoch: Epoch,
    pub(crate) open_time: OffsetDateTime,
}

/// The reign that this failover began, if it ever committed.
pub(crate) async fn of_failover(
    connection: &mut PgConnection,
    fleet_id: &str,
    failover_id: Uuid,
) -> Result<Option<Committed>, StoreError> {
    let row = sqlx::query!(
        "select epoch, open_time from concierge.epoch where fleet_id = $1 and failover_id = $2",
        fleet_id,
        failover_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Committed {
        epoch: Epoch::from_i64(row.epoch),
        open_time: row.open_time,
    }))
}

/// The failover that began this reign; `None` for a fleet's first.
pub(crate) async fn failover_of(
    connection: &mut PgConnection,
    fleet_id: &str,
    epoch: Epoch,
) -> Result<Option<Uuid>, StoreError> {
    let failover = sqlx::query_scalar!(
        "select failover_id from concierge.epoch where fleet_id = $1 and epoch = $2",
        fleet_id,
        epoch.as_i64()
    )
    .fetch_optional(connection)
    .await?;
    Ok(failover.flatten())
}

/// Whether the fleet ever had this epoch.
pub(crate) async fn exists(
    connection: &mut PgConnection,
    fleet_id: &str,
    epoch: Epoch,
) -> Result<bool, StoreError> {
    let row = sqlx::query_scalar!(
        "select epoch from concierge.epoch where fleet_id = $1 and epoch = $2",
        fleet_id,
        epoch.as_i64()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Ends the reign that is open.
pub(crate) async fn close(
    connection: &mut PgConnection,
    fleet_id: &str,
    at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update concierge.epoch set close_time = $2 where fleet_id = $1 and close_time is null",
        fleet_id,
        at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A reign that begins.
#[derive(Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) fleet_id: &'a str,
    pub(crate) epoch: Epoch,
    pub(crate) hub_id: &'a str,
    /// `None` for a fleet's first.
    pub(crate) failover_id: Option<Uuid>,
    /// What the hub was known to hold.
    pub(crate) cut: &'a Value,
    pub(crate) at: OffsetDateTime,
}

/// Begins a reign.
pub(crate) async fn open(
    connection: &mut PgConnection,
    opening: &Opening<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.epoch (fleet_id, epoch, hub_id, failover_id, cut, open_time)
         values ($1, $2, $3, $4, $5, $6)",
        opening.fleet_id,
        opening.epoch.as_i64(),
        opening.hub_id,
        opening.failover_id,
        opening.cut,
        opening.at
    )
    .execute(connection)
    .await?;
    Ok(())
}
