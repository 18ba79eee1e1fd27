//! Closing jobs that nobody works with: what a pass left that came to its own end early.

use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;

use super::{CloseError, JobCx, clean, close};
use crate::authority;
use crate::deps::Deps;
use crate::store;
use crate::store::import_job::{ENDED, JobRow};

/// A pass that works with a job says so more often than this, in seconds, whatever it waits for.
const QUIET: f64 = 300.0;
/// Jobs that are looked at in one go.
const BATCH: i64 = 20;

/// Brings every such job closer to its end; how many are over and leave nothing behind. A hub or a
/// container that does not answer keeps its own.
pub(crate) async fn tidy(deps: &Deps) -> Result<u64, StoreError> {
    let mut closed = 0;
    for row in store::import_job::left_behind(&deps.pool, QUIET, BATCH).await? {
        let (fleet, hub) = (row.fleet_id.as_str(), row.hub_id.as_str());
        match bring_on(deps, &row).await {
            Ok(is_over) => closed += u64::from(is_over),
            Err(error) => tracing::debug!(fleet, hub, job = %row.job_id, error, "left as it is"),
        }
    }
    Ok(closed)
}

async fn bring_on(deps: &Deps, row: &JobRow) -> Result<bool, String> {
    if row.state == ENDED {
        let cleaned = clean(deps, row).await;
        return cleaned.map(|()| true).map_err(|error| error.to_string());
    }
    let closed = close_quiet(deps, row).await;
    closed.map_err(|error| error.to_string())
}

/// One that still is of the current authority and of a standby that lacks something does no harm: it
/// is let run to its end.
async fn close_quiet(deps: &Deps, row: &JobRow) -> Result<bool, CloseError> {
    let ids = FleetId::new(row.fleet_id.clone()).ok();
    let Some((fleet, hub)) = ids.zip(HubId::new(row.hub_id.clone()).ok()) else {
        return Ok(false);
    };
    let view = authority::fleet(&deps.pool, &fleet).await?;
    let is_wanted = view.is_some_and(|view| {
        let state = view.hub(&hub).map(|hub| hub.state);
        view.epoch.as_i64() == row.epoch && state == Some(HubState::Syncing)
    });
    let cx = JobCx::new(deps, &fleet, &hub).await?;
    Ok(close(&cx, row, !is_wanted).await?.is_none())
}
