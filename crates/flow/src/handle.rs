//! What services do with workflows from outside: start, look, cancel, wake.

use hubshift_store::StoreError;
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// A workflow to start, in the caller's transaction.
#[derive(Debug)]
pub struct Start<'a, Step, State> {
    /// Its id, chosen by the caller.
    pub workflow_id: Uuid,
    /// `W::KIND`.
    pub kind: &'static str,
    /// At most one unfinished workflow per kind and subject; `None` for no such limit.
    pub subject: Option<&'a str>,
    /// The fleet's slug.
    pub fleet_id: &'a str,
    /// The first step.
    pub first: Step,
    /// What it starts with.
    pub state: &'a State,
    /// The trace of the request that starts it.
    pub traceparent: Option<String>,
}

/// Where a workflow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkflowState {
    /// Working, or waiting for its next turn.
    Running,
    /// Taking back what it did.
    Unwinding,
    /// Done.
    Succeeded,
    /// Gave up, with everything taken back.
    Failed,
    /// Stopped on request, with everything taken back.
    Cancelled,
    /// An undo keeps failing: a person must look.
    Stuck,
}

impl WorkflowState {
    fn parse(text: &str) -> Self {
        match text {
            "unwinding" => Self::Unwinding,
            "succeeded" => Self::Succeeded,
            "failed" => Self::Failed,
            "cancelled" => Self::Cancelled,
            "stuck" => Self::Stuck,
            _ => Self::Running,
        }
    }

    /// Whether it is over, well or not.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// One line of a workflow's history.
#[derive(Debug, Clone)]
pub struct StepEvent {
    /// The step.
    pub step: String,
    /// `started`, `succeeded`, `waiting`, `failed`, `undo_started`, `undone`, `undo_failed`,
    /// `superseded`, `resumed`.
    pub phase: String,
    /// For a person.
    pub detail: String,
    /// By the database's clock.
    pub time: OffsetDateTime,
}

/// A workflow as it is.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its id.
    pub workflow_id: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its fleet.
    pub fleet_id: String,
    /// Where it stands.
    pub state: WorkflowState,
    /// The current step's stored name.
    pub step: String,
    /// Its typed state, as stored.
    pub data: Value,
    /// Whether somebody asked to stop it.
    pub cancel_requested: bool,
    /// Why it gave up: reason and message.
    pub failure: Option<(String, String)>,
    /// The trace of who started it.
    pub traceparent: Option<String>,
    /// When it was started.
    pub create_time: OffsetDateTime,
    /// When it last changed.
    pub update_time: OffsetDateTime,
    /// Its history.
    pub events: Vec<StepEvent>,
}

/// The constraint that refuses a second unfinished workflow of the same subject.
const ONE_PER_SUBJECT: &str = "flow_workflow_one_per_subject";

/// Starts a workflow in the caller's transaction. `false` when an unfinished one of the same kind
/// and subject exists: the transaction is then only good for a rollback.
pub async fn start<Step: Serialize, State: Serialize>(
    connection: &mut PgConnection,
    start: Start<'_, Step, State>,
) -> Result<bool, StoreError> {
    let step = step_name(&start.first)?;
    let data = serde_json::to_value(start.state).map_err(encode_error)?;
    let inserted = sqlx::query!(
        "insert into flow.workflow (workflow_id, kind, subject, fleet_id, step, data, traceparent)
         values ($1, $2, $3, $4, $5, $6, $7)",
        start.workflow_id,
        start.kind,
        start.subject,
        start.fleet_id,
        step,
        data,
        start.traceparent
    )
    .execute(connection)
    .await
    .map_err(StoreError::from);
    match inserted {
        Ok(_) => Ok(true),
        Err(error) if error.is_constraint(ONE_PER_SUBJECT) => Ok(false),
        Err(error) => Err(error),
    }
}

pub(crate) fn step_name(step: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(step).map_err(encode_error)? {
        Value::String(name) => Ok(name),
        other => Err(encode_error(format!(
            "a step must be a plain name, not {other}"
        ))),
    }
}

pub(crate) fn encode_error(error: impl std::fmt::Display) -> StoreError {
    StoreError::Bug(sqlx::Error::Encode(error.to_string().into()))
}

/// Reads a workflow with its history.
pub async fn get(
    connection: &mut PgConnection,
    workflow_id: Uuid,
) -> Result<Option<Status>, StoreError> {
    let row = sqlx::query!(
        "select kind, fleet_id, state, step, data, cancel_requested, failure_reason,
                failure_message, traceparent, create_time, update_time
           from flow.workflow where workflow_id = $1",
        workflow_id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let events = sqlx::query_as!(
        StepEvent,
        "select step, phase, detail, time from flow.event where workflow_id = $1 order by seq",
        workflow_id
    )
    .fetch_all(connection)
    .await?;
    let message = row.failure_message.unwrap_or_default();
    Ok(Some(Status {
        workflow_id,
        kind: row.kind,
        fleet_id: row.fleet_id,
        state: WorkflowState::parse(&row.state),
        step: row.step,
        data: row.data,
        cancel_requested: row.cancel_requested,
        failure: row.failure_reason.map(|reason| (reason, message)),
        traceparent: row.traceparent,
        create_time: row.create_time,
        update_time: row.update_time,
        events,
    }))
}

/// Ids of a fleet's workflows of these kinds, newest first, before `before`.
pub async fn list(
    connection: &mut PgConnection,
    fleet_id: &str,
    kinds: &[String],
    before: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<(OffsetDateTime, Uuid)>, StoreError> {
    let (time, id) = before.unzip();
    let rows = sqlx::query!(
        "select create_time, workflow_id from flow.workflow
          where fleet_id = $1 and kind = any($2)
            and ($3::timestamptz is null or (create_time, workflow_id) < ($3, $4::uuid))
          order by create_time desc, workflow_id desc limit $5",
        fleet_id,
        kinds,
        time,
        id,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.create_time, row.workflow_id))
        .collect())
}

/// The unfinished workflow of a kind and subject.
pub async fn find_active(
    connection: &mut PgConnection,
    kind: &str,
    subject: &str,
) -> Result<Option<Uuid>, StoreError> {
    let id = sqlx::query_scalar!(
        "select workflow_id from flow.workflow
          where owner = current_user and kind = $1 and subject = $2
            and state in ('running', 'unwinding', 'stuck')",
        kind,
        subject
    )
    .fetch_optional(connection)
    .await?;
    Ok(id)
}

/// Asks a workflow to stop before its point of no return; it notices at its next turn, which is
/// now.
pub async fn request_cancel(
    connection: &mut PgConnection,
    workflow_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update flow.workflow set cancel_requested = true, wake_time = clock_timestamp()
          where workflow_id = $1 and state = 'running'",
        workflow_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes a workflow due now; a stuck one tries to unwind again.
pub async fn wake(connection: &mut PgConnection, workflow_id: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "update flow.workflow
            set wake_time = clock_timestamp(), attempt = 0,
                state = case when state = 'stuck' then 'unwinding' else state end
          where workflow_id = $1 and state in ('running', 'unwinding', 'stuck')",
        workflow_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets finished workflows of these kinds that are older than `keep_seconds`.
pub async fn prune(
    connection: &mut PgConnection,
    kinds: &[String],
    keep_seconds: f64,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from flow.workflow
          where owner = current_user and kind = any($1)
            and state in ('succeeded', 'failed', 'cancelled')
            and update_time < clock_timestamp() - make_interval(secs => $2)",
        kinds,
        keep_seconds
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
