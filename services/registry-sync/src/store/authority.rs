//! Reads of schema `authority`, which the concierge owns, and its functions that we may call.

use hubshift_store::StoreError;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

/// A fleet's row.
#[derive(Debug, Clone)]
pub(crate) struct FleetRow {
    pub(crate) epoch: i64,
    pub(crate) active_hub_id: String,
    pub(crate) registry_mode: String,
    pub(crate) frozen_until: Option<OffsetDateTime>,
    pub(crate) update_time: OffsetDateTime,
    /// Whether a concierge served a higher epoch than this.
    pub(crate) is_forgotten: bool,
    /// The database's clock.
    pub(crate) now: OffsetDateTime,
}

/// A hub's row.
#[derive(Debug, Clone)]
pub(crate) struct HubRow {
    pub(crate) hub_id: String,
    pub(crate) hub_index: i16,
    pub(crate) state: String,
    pub(crate) last_active_epoch: i64,
    pub(crate) call_deadline_ms: i64,
    pub(crate) read_lag_ms: i64,
}

/// A standby that the sync keeps up, with the hub that it follows.
#[derive(Debug, Clone)]
pub(crate) struct Standby {
    pub(crate) fleet_id: String,
    pub(crate) hub_id: String,
}

/// A fleet's row, if there is such a fleet.
pub(crate) async fn fleet(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Option<FleetRow>, StoreError> {
    let row = sqlx::query_as!(
        FleetRow,
        r#"select epoch, active_hub_id, registry_mode, frozen_until, update_time,
                  authority.is_forgotten(fleet_id) as "is_forgotten!", clock_timestamp() as "now!"
             from authority.fleet where fleet_id = $1"#,
        fleet
    )
    .fetch_optional(executor)
    .await?;
    Ok(row)
}

/// The hubs of a fleet.
pub(crate) async fn hubs(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Vec<HubRow>, StoreError> {
    let rows = sqlx::query_as!(
        HubRow,
        "select hub_id, hub_index, state, last_active_epoch, call_deadline_ms, read_lag_ms
           from authority.hub where fleet_id = $1 order by hub_index",
        fleet
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// A fleet's epoch.
pub(crate) async fn epoch(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Option<i64>, StoreError> {
    let epoch = sqlx::query_scalar!(
        "select epoch from authority.fleet where fleet_id = $1",
        fleet
    )
    .fetch_optional(executor)
    .await?;
    Ok(epoch)
}

/// Whether a concierge served a higher epoch than the fleet's row has: the database was restored or
/// promoted, and nobody knows who reigns.
pub(crate) async fn is_forgotten(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<bool, StoreError> {
    let forgotten = sqlx::query_scalar!(
        r#"select authority.is_forgotten($1) as "is_forgotten!""#,
        fleet
    )
    .fetch_one(executor)
    .await?;
    Ok(forgotten)
}

/// Where service calls to a hub go, as the concierge has it; nothing when it knows no such hub.
pub(crate) async fn service_host(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<Option<String>, StoreError> {
    let host = sqlx::query_scalar!("select authority.service_host($1, $2)", fleet, hub)
        .fetch_one(executor)
        .await?;
    Ok(host)
}

/// Every Syncing or Ready hub that has a connection and whose fleet's active hub has one too,
/// unless the fleet is settling.
pub(crate) async fn standbys(executor: impl PgExecutor<'_>) -> Result<Vec<Standby>, StoreError> {
    let rows = sqlx::query_as!(
        Standby,
        "select h.fleet_id, h.hub_id
           from authority.hub h
           join authority.fleet f using (fleet_id)
           join registry.connection target
             on target.fleet_id = h.fleet_id and target.hub_id = h.hub_id
           join registry.connection source
             on source.fleet_id = f.fleet_id and source.hub_id = f.active_hub_id
          where h.state in ('syncing', 'ready') and f.registry_mode <> 'settling'
          order by h.fleet_id, h.hub_id"
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Holds the fleet's row for share until the transaction ends, and refuses what its epoch, mode
/// or hub does not allow ([`StoreError::Raised`], HS001 to HS005).
pub(crate) async fn assert_intent(
    connection: &mut PgConnection,
    fleet: &str,
    epoch: i64,
    hub: &str,
    purpose: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "select authority.assert_intent($1, $2, $3, $4)",
        fleet,
        epoch,
        hub,
        purpose
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Holds the fleet's row for share until the transaction ends, and refuses to shut out a hub that a
/// forced move did not leave, or one of another epoch ([`StoreError::Raised`], HS001 to HS005).
pub(crate) async fn assert_fence(
    connection: &mut PgConnection,
    fleet: &str,
    epoch: i64,
    hub: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "select authority.assert_fence($1, $2, $3)",
        fleet,
        epoch,
        hub
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The database's clock.
pub(crate) async fn now(executor: impl PgExecutor<'_>) -> Result<OffsetDateTime, StoreError> {
    let now = sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
        .fetch_one(executor)
        .await?;
    Ok(now)
}
