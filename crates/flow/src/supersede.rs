//! Setting a workflow aside for another one, and taking it up again.
//!
//! Past its point of no return a workflow only moves forward; when what it needs is gone for good
//! it never ends. A person may then start another one in its place. The one that was set aside
//! keeps its step and state: should its successor come to nothing, it goes on where it was.
//!
//! Kept true: the executor of a workflow that was set aside has lost its fence, and writes nothing.

use hubshift_store::StoreError;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::handle::step_name;
use crate::store;

/// Why a workflow that was set aside has failed.
pub const SUPERSEDED: &str = "SUPERSEDED";

/// Sets a running workflow aside, if it stands at one of `steps`; `false` when it does not. Waits
/// for what its executor is about to commit.
pub async fn supersede<Step: Serialize>(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    steps: &[Step],
    by: &str,
) -> Result<bool, StoreError> {
    let steps: Vec<String> = steps.iter().map(step_name).collect::<Result<_, _>>()?;
    let step = sqlx::query_scalar!(
        "update flow.workflow
            set state = 'failed', failure_reason = $3, failure_message = $4, fence = fence + 1,
                lease_owner = null, lease_until = null, update_time = clock_timestamp()
          where workflow_id = $1 and state = 'running' and step = any($2)
          returning step",
        workflow_id,
        &steps,
        SUPERSEDED,
        format!("{by} takes over from it")
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(step) = step else { return Ok(false) };
    store::append(connection, workflow_id, &step, "superseded", by).await?;
    Ok(true)
}

/// Whether a workflow of this kind and subject was set aside, and none has taken its place that is
/// still under way. A first look; whoever acts on it looks again.
pub async fn has_superseded(
    connection: &mut PgConnection,
    kind: &str,
    subject: &str,
) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from flow.workflow
                           where owner = current_user and kind = $1 and subject = $2
                             and state = 'failed' and failure_reason = $3)
              and not exists (select from flow.workflow
                               where owner = current_user and kind = $1 and subject = $2
                                 and state in ('running', 'unwinding', 'stuck')) as "found!""#,
        kind,
        subject,
        SUPERSEDED
    )
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// Takes up a workflow that was set aside, at the step where it was; `false` when it was not set
/// aside.
pub async fn resume(connection: &mut PgConnection, workflow_id: Uuid) -> Result<bool, StoreError> {
    let step = sqlx::query_scalar!(
        "update flow.workflow
            set state = 'running', failure_reason = null, failure_message = null, attempt = 0,
                wake_time = clock_timestamp(), update_time = clock_timestamp()
          where workflow_id = $1 and state = 'failed' and failure_reason = $2
          returning step",
        workflow_id,
        SUPERSEDED
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(step) = step else { return Ok(false) };
    store::append(connection, workflow_id, &step, "resumed", "").await?;
    Ok(true)
}
