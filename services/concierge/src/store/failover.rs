//! Failovers as they were started: kind, hubs and plan. Where one stands is in its workflow, which
//! has the same id.

use hubshift_domain::failover::Kind;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::unknown_name;

/// A failover as it was started.
#[derive(Debug, Clone)]
pub(crate) struct FailoverRow {
    pub(crate) failover_id: Uuid,
    pub(crate) fleet_id: String,
    pub(crate) kind: String,
    pub(crate) source_hub_id: String,
    pub(crate) target_hub_id: String,
    pub(crate) plan: Value,
    pub(crate) create_time: OffsetDateTime,
}

impl FailoverRow {
    /// What kind of move.
    pub(crate) fn kind(&self) -> Result<Kind, StoreError> {
        Kind::parse(&self.kind).ok_or_else(|| unknown_name("kind of failover", &self.kind))
    }
}

/// The resource name of a fleet's failover.
pub(crate) fn name(fleet_id: &str, failover_id: Uuid) -> String {
    format!("fleets/{fleet_id}/failovers/{failover_id}")
}

/// Stores a failover that starts.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    row: &FailoverRow,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.failover
            (failover_id, fleet_id, kind, source_hub_id, target_hub_id, plan, create_time)
         values ($1, $2, $3, $4, $5, $6, $7)",
        row.failover_id,
        row.fleet_id,
        row.kind,
        row.source_hub_id,
        row.target_hub_id,
        row.plan,
        row.create_time
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// One failover of a fleet.
pub(crate) async fn get(
    connection: &mut PgConnection,
    fleet_id: &str,
    failover_id: Uuid,
) -> Result<Option<FailoverRow>, StoreError> {
    let row = sqlx::query_as!(
        FailoverRow,
        "select failover_id, fleet_id, kind, source_hub_id, target_hub_id, plan, create_time
           from concierge.failover where fleet_id = $1 and failover_id = $2",
        fleet_id,
        failover_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// A fleet's failovers, newest first, before `before`.
pub(crate) async fn list(
    connection: &mut PgConnection,
    fleet_id: &str,
    before: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<FailoverRow>, StoreError> {
    let (time, id) = before.unzip();
    let rows = sqlx::query_as!(
        FailoverRow,
        "select failover_id, fleet_id, kind, source_hub_id, target_hub_id, plan, create_time
           from concierge.failover
          where fleet_id = $1
            and ($2::timestamptz is null or (create_time, failover_id) < ($2, $3::uuid))
          order by create_time desc, failover_id desc limit $4",
        fleet_id,
        time,
        id,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}
