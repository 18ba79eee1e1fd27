//! Closing a job: nothing of it is at the hub any more, and nothing will be. Only then may the hub
//! be written by others who count on it.

use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_hub::{HubError, Outcome, Rejection};
use hubshift_store::StoreError;

use super::watch::{Standing, found, standing};
use super::{JobCx, clean, scaled};
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::store::import_job::{self, ENDED, IDLE, JobRow, RUNNING, STARTING};

/// How often a job that is being ended is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Why a job could not be closed yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CloseError {
    /// The hub can't be talked to.
    #[error(transparent)]
    Hubs(#[from] HubsError),
    /// The hub does not say what its jobs do, or does not let them be ended.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends whatever job of ours is open at a hub, and says how long until the next look; nothing when
/// none is open any more.
pub(crate) async fn drain(
    deps: &Deps,
    fleet: &FleetId,
    hub_id: &HubId,
) -> Result<Option<Duration>, CloseError> {
    let open = import_job::open_at(&deps.pool, fleet.as_str(), hub_id.as_str()).await?;
    let Some(row) = open else { return Ok(None) };
    let cx = JobCx::new(deps, fleet, hub_id).await?;
    close(&cx, &row, true).await
}

/// Brings a job closer to its end, and says how long until the next look; nothing when it is over.
/// One that runs is cancelled, or waited for.
pub(crate) async fn close(
    cx: &JobCx<'_>,
    row: &JobRow,
    cancel: bool,
) -> Result<Option<Duration>, CloseError> {
    let pool = &cx.deps.pool;
    let next_look = Some(scaled(cx.deps, LOOK));
    match (row.state.as_str(), &row.hub_job_id) {
        (IDLE, _) => end(cx, row).await,
        (STARTING, _) if row.seconds_left > 0.0 => {
            let left = Duration::try_from_secs_f64(row.seconds_left).unwrap_or(LOOK);
            Ok(Some(left.min(LOOK)))
        }
        (STARTING, _) => match found(cx, row.job_id, &row.blob).await? {
            Some((id, Standing::Runs)) => {
                import_job::running(pool, row.job_id, &id).await?;
                Ok(Some(Duration::ZERO))
            }
            _ => end(cx, row).await,
        },
        (RUNNING, Some(id)) => match standing(cx, id).await? {
            Standing::Runs if cancel => {
                cancelled(cx, id).await?;
                Ok(next_look)
            }
            Standing::Runs => Ok(next_look),
            Standing::Completed | Standing::Lost(_) => end(cx, row).await,
        },
        (ENDED, _) => Ok(None),
        // Of a state that this binary does not know: a newer one brings it on.
        _ => Ok(next_look),
    }
}

/// Whether it worked is seen at the next look.
async fn cancelled(cx: &JobCx<'_>, id: &str) -> Result<(), HubError> {
    tracing::warn!(fleet = %cx.fleet, hub = %cx.hub_id, job = id, "a job is cancelled");
    match cx.bulk()?.cancel_job(id).await {
        // A job that was over is no error, whatever the hub makes of it.
        Outcome::Done(()) | Outcome::Unknown(_) | Outcome::Rejected(Rejection::NotFound) => Ok(()),
        Outcome::Rejected(rejection) => Err(rejection.into()),
    }
}

async fn end(cx: &JobCx<'_>, row: &JobRow) -> Result<Option<Duration>, CloseError> {
    if !import_job::end(&cx.deps.pool, row).await? {
        // It moved on since it was read.
        return Ok(Some(Duration::ZERO));
    }
    let (fleet, hub, job) = (row.fleet_id.as_str(), row.hub_id.as_str(), row.job_id);
    tracing::info!(fleet, hub, %job, "an import job is over");
    if let Err(error) = clean(cx.deps, row).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(fleet, hub, %job, error, "blobs with keys are left, tried again later");
    }
    Ok(None)
}
