//! Beginning a job: recorded, then asked for once, within the deadline of what was recorded.

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::Purpose;
use hubshift_flow::StepError;
use hubshift_hub::{HubError, Outcome, Rejection};
use hubshift_store::{StoreError, commit};
use uuid::Uuid;

use super::JobCx;
use crate::hubs::job_container;
use crate::intent::IntentError;
use crate::store;
use crate::store::import_job::{JobRow, STARTING};
use crate::write::Stopwatch;

/// What is asked of the hub.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    /// The epoch that the caller acts under.
    pub(crate) epoch: Epoch,
    pub(crate) is_export: bool,
    pub(crate) blob: &'a str,
    /// After this long nothing of it can land any more.
    pub(crate) deadline: Duration,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Started {
    /// The hub took it on.
    Runs,
    /// Nothing was begun: the hub's slot is taken, or it asks to slow down.
    Busy(Duration),
    /// Nobody knows: to be looked at when it can't land any more.
    Unknown,
    /// Nothing was begun, and won't be.
    Refused(String),
    /// Nothing was begun: the hub can't be talked to.
    Down(HubError),
    /// The job was closed, or its authority is over.
    Closed,
}

/// Asks a hub to carry out the next part of a job that is idle.
///
/// # Errors
/// The database failed. What was perhaps begun is found by its row.
pub(crate) async fn start(
    cx: &JobCx<'_>,
    row: &JobRow,
    ask: &Ask<'_>,
) -> Result<Started, StepError> {
    let container = match job_container(&row.container_ref) {
        Ok(container) => container,
        Err(error) => return Ok(Started::Refused(error.to_string())),
    };
    let bulk = match cx.bulk() {
        Ok(bulk) => bulk,
        Err(error) => return Ok(Started::Refused(error.to_string())),
    };
    let clock = Stopwatch::start();
    if !record(cx, row.job_id, ask).await? {
        return Ok(Started::Closed);
    }
    if let Some(refusal) = recheck(cx, row.job_id, ask, &clock).await? {
        return Ok(refusal);
    }
    let answer = if ask.is_export {
        bulk.start_export(&container, ask.blob).await
    } else {
        bulk.start_import(&container, ask.blob).await
    };
    let kind = if ask.is_export { "export" } else { "import" };
    metrics::counter!("hubshift_seed_jobs_total", "kind" => kind, "outcome" => answer.label())
        .increment(1);
    conclude(cx, row.job_id, answer).await
}

/// Records the call, if the authority allows it and the job is still there.
async fn record(cx: &JobCx<'_>, job: Uuid, ask: &Ask<'_>) -> Result<bool, StoreError> {
    let (fleet, hub) = (cx.fleet.as_str(), cx.hub_id.as_str());
    let (epoch, purpose) = (ask.epoch.as_i64(), Purpose::Replicate.as_str());
    let mut tx = cx.deps.pool.begin().await?;
    let asserted = store::authority::assert_intent(&mut tx, fleet, epoch, hub, purpose).await;
    match asserted.map_err(IntentError::from) {
        Ok(()) => {}
        Err(IntentError::Store(error)) => return Err(error),
        Err(refusal) => {
            tracing::info!(fleet, hub, %refusal, "no job is begun");
            return Ok(false);
        }
    }
    let seconds = ask.deadline.as_secs_f64();
    let is_ours = store::import_job::starting(&mut *tx, job, ask.blob, seconds).await?;
    commit(tx).await?;
    Ok(is_ours)
}

/// Just before the call: the epoch still stands, and the call will end before its deadline.
async fn recheck(
    cx: &JobCx<'_>,
    job: Uuid,
    ask: &Ask<'_>,
    clock: &Stopwatch,
) -> Result<Option<Started>, StoreError> {
    let pool = &cx.deps.pool;
    let epoch = store::authority::epoch(pool, cx.fleet.as_str()).await?;
    let refusal = if epoch != Some(ask.epoch.as_i64()) {
        Started::Closed
    } else if clock.elapsed() + cx.hub.call_deadline() > ask.deadline {
        Started::Busy(Duration::ZERO)
    } else {
        return Ok(None);
    };
    store::import_job::rest(pool, job, STARTING, None).await?;
    Ok(Some(refusal))
}

async fn conclude(
    cx: &JobCx<'_>,
    job: Uuid,
    answer: Outcome<String>,
) -> Result<Started, StepError> {
    match answer {
        Outcome::Done(id) => taken_on(cx, job, &id).await,
        Outcome::Unknown(cause) => {
            tracing::warn!(hub = %cx.hub_id, %cause, "not known whether a job was begun");
            Ok(Started::Unknown)
        }
        Outcome::Rejected(rejection) => {
            store::import_job::rest(&cx.deps.pool, job, STARTING, None).await?;
            Ok(refused(rejection))
        }
    }
}

async fn taken_on(cx: &JobCx<'_>, job: Uuid, id: &str) -> Result<Started, StepError> {
    if store::import_job::running(&cx.deps.pool, job, id).await? {
        return Ok(Started::Runs);
    }
    // Closed meanwhile, by somebody who could not know of it.
    if let Ok(bulk) = cx.bulk() {
        let outcome = bulk.cancel_job(id).await.label();
        tracing::warn!(hub = %cx.hub_id, outcome, "a job that nobody waits for is cancelled");
    }
    Ok(Started::Closed)
}

/// What a refusal means: certainly nothing was begun.
fn refused(rejection: Rejection) -> Started {
    match rejection {
        Rejection::Throttled { retry_after } => Started::Busy(retry_after),
        Rejection::Unreachable(_) | Rejection::Unavailable(_) | Rejection::Untrusted(_) => {
            Started::Down(rejection.into())
        }
        Rejection::AlreadyExists
        | Rejection::NotFound
        | Rejection::ParentMissing(_)
        | Rejection::DeviceDisabled
        | Rejection::PreconditionFailed
        | Rejection::Unauthorized(_)
        | Rejection::Invalid(_) => Started::Refused(rejection.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_slot_is_waited_for_and_a_container_that_is_no_good_is_not() {
        let retry_after = Duration::from_secs(30);
        let busy = refused(Rejection::Throttled { retry_after });
        assert!(matches!(busy, Started::Busy(pause) if pause == retry_after));
        for text in ["BlobContainerValidationError", "no"] {
            let refusal = refused(Rejection::Invalid(text.into()));
            assert!(matches!(refusal, Started::Refused(_)), "{refusal:?}");
        }
        let closed = refused(Rejection::Unauthorized("no right to jobs".into()));
        assert!(matches!(closed, Started::Refused(_)));
        let silent = refused(Rejection::Unreachable("no connection".into()));
        assert!(matches!(silent, Started::Down(_)));
    }
}
