//! What must be paid before a fleet is whole again: a hub that must be merged, a hub that is not
//! provably shut out.

use hubshift_domain::epoch::Epoch;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// The stored name of a merge that is owed.
pub(crate) const MERGE_REQUIRED: &str = "merge_required";
/// The stored name of a fence that is owed.
pub(crate) const FENCE_REQUIRED: &str = "fence_required";

/// A debt that is not paid.
#[derive(Debug, Clone)]
pub(crate) struct DebtRow {
    pub(crate) kind: String,
    pub(crate) hub_id: String,
    pub(crate) failover_id: Uuid,
    pub(crate) epoch: i64,
    pub(crate) create_time: OffsetDateTime,
}

/// Notes a debt; one that is noted already stays as it is.
pub(crate) async fn incur(
    connection: &mut PgConnection,
    fleet_id: &str,
    kind: &str,
    hub_id: &str,
    failover_id: Uuid,
    epoch: Epoch,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.debt (fleet_id, kind, hub_id, failover_id, epoch)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
        fleet_id,
        kind,
        hub_id,
        failover_id,
        epoch.as_i64()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A fleet's unpaid debts, oldest first.
pub(crate) async fn unpaid(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Vec<DebtRow>, StoreError> {
    let rows = sqlx::query_as!(
        DebtRow,
        "select kind, hub_id, failover_id, epoch, create_time from concierge.debt
          where fleet_id = $1 and pay_time is null order by create_time, kind",
        fleet_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Pays what a hub owes up to an epoch; returns how many debts that were.
pub(crate) async fn pay(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
    up_to: Epoch,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "update concierge.debt set pay_time = now()
          where fleet_id = $1 and hub_id = $2 and epoch <= $3 and pay_time is null",
        fleet_id,
        hub_id,
        up_to.as_i64()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
