//! The SQL of the engine. Every write of an executor is guarded by its fence.

use std::time::Duration;

use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A workflow as an executor claimed it.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) workflow_id: Uuid,
    pub(crate) kind: String,
    pub(crate) fleet_id: String,
    pub(crate) state: String,
    pub(crate) step: String,
    pub(crate) data: Value,
    pub(crate) cancel_requested: bool,
    pub(crate) fence: i64,
    pub(crate) attempt: i32,
    pub(crate) failure_reason: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) create_time: OffsetDateTime,
}

/// Takes the workflow that has been due for longest, and raises its fence.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    replica: &str,
    kinds: &[String],
    lease: Duration,
) -> Result<Option<Claimed>, StoreError> {
    let row = sqlx::query_as!(
        Claimed,
        r#"update flow.workflow
              set fence = fence + 1, lease_owner = $1,
                  lease_until = clock_timestamp() + make_interval(secs => $3)
            where workflow_id = (
                select workflow_id from flow.workflow
                 where owner = current_user and state in ('running', 'unwinding')
                   and kind = any($2) and wake_time <= clock_timestamp()
                   and (lease_until is null or lease_until < clock_timestamp())
                 order by wake_time limit 1 for update skip locked)
        returning workflow_id, kind, fleet_id, state, step, data, cancel_requested, fence, attempt,
                  failure_reason, traceparent, create_time"#,
        replica,
        kinds,
        lease.as_secs_f64()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Extends the lease; `false` when somebody else took over.
pub(crate) async fn renew(
    connection: &mut PgConnection,
    id: Uuid,
    fence: i64,
    lease: Duration,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update flow.workflow
            set lease_until = clock_timestamp() + make_interval(secs => $3)
          where workflow_id = $1 and fence = $2 and lease_owner is not null",
        id,
        fence,
        lease.as_secs_f64()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Holds the row until the transaction ends, if the fence is still ours.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    id: Uuid,
    fence: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query_scalar!(
        "select fence from flow.workflow where workflow_id = $1 and fence = $2 for update",
        id,
        fence
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Adds to the history.
pub(crate) async fn append(
    connection: &mut PgConnection,
    id: Uuid,
    step: &str,
    phase: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into flow.event (workflow_id, step, phase, detail) values ($1, $2, $3, $4)",
        id,
        step,
        phase,
        detail
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an executor changes in the workflow's row.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) state: &'a str,
    pub(crate) step: &'a str,
    pub(crate) data: &'a Value,
    pub(crate) attempt: i32,
    pub(crate) wake_after: Duration,
    pub(crate) release: bool,
    pub(crate) failure: Option<(&'a str, &'a str)>,
}

/// Writes the row under the fence; `false` when somebody else took over.
pub(crate) async fn change(
    connection: &mut PgConnection,
    id: Uuid,
    fence: i64,
    change: &Change<'_>,
) -> Result<bool, StoreError> {
    let (reason, message) = change.failure.unzip();
    let done = sqlx::query!(
        "update flow.workflow
            set state = $3, step = $4, data = $5, attempt = $6,
                wake_time = clock_timestamp() + make_interval(secs => $7),
                lease_owner = case when $8 then null else lease_owner end,
                lease_until = case when $8 then null else lease_until end,
                failure_reason = coalesce($9, failure_reason),
                failure_message = coalesce($10, failure_message),
                update_time = clock_timestamp()
          where workflow_id = $1 and fence = $2",
        id,
        fence,
        change.state,
        change.step,
        change.data,
        change.attempt,
        change.wake_after.as_secs_f64(),
        change.release,
        reason,
        message
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether somebody asked to stop, read fresh.
pub(crate) async fn is_cancel_requested(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<bool, StoreError> {
    let row = sqlx::query_scalar!(
        "select cancel_requested from flow.workflow where workflow_id = $1",
        id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.unwrap_or(false))
}

/// The steps that were started and not undone, newest first.
pub(crate) async fn steps_to_undo(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Vec<String>, StoreError> {
    let steps = sqlx::query_scalar!(
        r#"select step as "step!" from flow.event
            where workflow_id = $1 and phase = 'started'
              and step not in (
                  select step from flow.event where workflow_id = $1 and phase = 'undone')
            group by step order by max(seq) desc"#,
        id
    )
    .fetch_all(connection)
    .await?;
    Ok(steps)
}
