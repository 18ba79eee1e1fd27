//! What must be paid before a fleet is whole again: a hub that must be merged, a hub that is not
//! provably shut out. The latter is paid by trying: how often, when next, and why it came to nothing
//! stands beside it.

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
    /// Why the last try to pay it came to nothing; empty when none was made.
    pub(crate) error: String,
}

/// A fence that is owed, and whose turn it is.
#[derive(Debug, Clone)]
pub(crate) struct DueFence {
    pub(crate) hub_id: String,
    pub(crate) epoch: i64,
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
        "select kind, hub_id, failover_id, epoch, create_time, error from concierge.debt
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

/// Pays the fences that a hub owes up to an epoch: it is shut out.
pub(crate) async fn pay_fence(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
    up_to: Epoch,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "update concierge.debt set pay_time = now(), error = ''
          where fleet_id = $1 and hub_id = $2 and kind = 'fence_required' and epoch <= $3
            and pay_time is null",
        fleet_id,
        hub_id,
        up_to.as_i64()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Takes the fences of a fleet whose turn it is to be asked for: after a second, and then after twice
/// as long every time, at most after five minutes. While a move is under way its own step asks.
pub(crate) async fn due_fences(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Vec<DueFence>, StoreError> {
    let rows = sqlx::query_as!(
        DueFence,
        "update concierge.debt d
            set attempt = d.attempt + 1,
                try_time = clock_timestamp()
                         + make_interval(secs => least(300, power(2, least(d.attempt, 10))))
           from authority.fleet f
          where d.fleet_id = $1 and d.kind = 'fence_required' and d.pay_time is null
            and (d.try_time is null or d.try_time <= clock_timestamp())
            and f.fleet_id = d.fleet_id and f.operation is null
         returning d.hub_id, d.epoch",
        fleet_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// Notes why a hub is not shut out yet; empty: there is nothing to say.
pub(crate) async fn note_fence(
    connection: &mut PgConnection,
    fleet_id: &str,
    hub_id: &str,
    error: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update concierge.debt set error = $3
          where fleet_id = $1 and hub_id = $2 and kind = 'fence_required' and pay_time is null
            and error <> $3",
        fleet_id,
        hub_id,
        error
    )
    .execute(connection)
    .await?;
    Ok(())
}
