//! `registry.intent`: every write to a hub, before it is made and with what became of it (I2).

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// An intent as it is recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewIntent<'a> {
    pub(crate) intent_id: Uuid,
    pub(crate) fleet: &'a str,
    pub(crate) epoch: i64,
    pub(crate) hub: &'a str,
    pub(crate) purpose: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) device: &'a str,
    /// After this many seconds no call of it can land any more.
    pub(crate) deadline_seconds: f64,
}

/// An intent without a certain outcome.
#[derive(Debug, Clone)]
pub(crate) struct OpenIntent {
    pub(crate) intent_id: Uuid,
    pub(crate) operation: String,
    pub(crate) device_id: String,
    /// Seconds until no call of it can land any more; not positive when that is past.
    pub(crate) seconds_left: f64,
}

/// Records an intent, in the transaction that asserted it. Returns when it began, by the
/// database's clock.
pub(crate) async fn insert(
    executor: impl PgExecutor<'_>,
    new: &NewIntent<'_>,
) -> Result<OffsetDateTime, StoreError> {
    let start = sqlx::query_scalar!(
        "insert into registry.intent
             (intent_id, fleet_id, epoch, hub_id, purpose, operation, device_id, start_time,
              deadline)
         select $1, $2, $3, $4, $5, $6, $7, c.now, c.now + make_interval(secs => $8)
           from (select clock_timestamp() as now) as c
         returning start_time",
        new.intent_id,
        new.fleet,
        new.epoch,
        new.hub,
        new.purpose,
        new.operation,
        new.device,
        new.deadline_seconds
    )
    .fetch_one(executor)
    .await?;
    Ok(start)
}

/// Says what became of an intent. A certain outcome is never taken back.
pub(crate) async fn conclude(
    executor: impl PgExecutor<'_>,
    intent_id: Uuid,
    outcome: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.intent set outcome = $2, outcome_time = clock_timestamp()
          where intent_id = $1 and (outcome is null or outcome = 'unknown')",
        intent_id,
        outcome
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Intents of a hub without a certain outcome that began before `before`, the oldest first.
pub(crate) async fn open(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    before: Option<OffsetDateTime>,
    limit: i64,
) -> Result<Vec<OpenIntent>, StoreError> {
    let rows = sqlx::query_as!(
        OpenIntent,
        r#"select intent_id, operation, device_id,
                  extract(epoch from deadline - clock_timestamp())::float8 as "seconds_left!"
             from registry.intent
            where fleet_id = $1 and hub_id = $2 and (outcome is null or outcome = 'unknown')
              and ($3::timestamptz is null or start_time < $3)
            order by start_time limit $4"#,
        fleet,
        hub,
        before,
        limit
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Hubs with intents that are past their deadline and have no certain outcome.
pub(crate) async fn hubs_with_overdue(
    executor: impl PgExecutor<'_>,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query!(
        "select distinct fleet_id, hub_id from registry.intent
          where (outcome is null or outcome = 'unknown') and deadline < clock_timestamp()"
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.fleet_id, row.hub_id))
        .collect())
}

/// Writes of an older epoch to a hub whose outcome came after `since`: they landed late.
pub(crate) async fn late_count(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    epoch: i64,
    since: OffsetDateTime,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from registry.intent
            where fleet_id = $1 and hub_id = $2 and epoch < $3 and outcome = 'done'
              and outcome_time > $4"#,
        fleet,
        hub,
        epoch,
        since
    )
    .fetch_one(executor)
    .await?;
    Ok(count)
}

/// Forgets at most 10,000 intents that have been certain for 30 days.
pub(crate) async fn purge(executor: impl PgExecutor<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.intent where intent_id in (
             select intent_id from registry.intent
              where outcome in ('done', 'already', 'rejected')
                and outcome_time < clock_timestamp() - interval '30 days' limit 10000)"
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}

/// Whether a hub is known to have taken a write of ours.
pub(crate) async fn was_written(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<bool, StoreError> {
    let written = sqlx::query_scalar!(
        r#"select exists (select from registry.intent
                           where fleet_id = $1 and hub_id = $2 and outcome = 'done')
                  as "written!""#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(written)
}
