//! What would otherwise grow for ever, and what a crash left open: finished passes, old answers,
//! old scans, intents, jobs and plans of adoptions, fences that nobody needs any more, intents
//! without an outcome, jobs that nobody works with.

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::Workflow as _;
use hubshift_store::{StoreError, idem};

use crate::deps::Deps;
use crate::intent;
use crate::jobs;
use crate::rpc::task::KINDS;
use crate::store;
use crate::workflows::pass::SyncTask;

/// How long the reconciler's own passes are kept, in seconds.
const KEEP_SYNCS: f64 = 600.0;
/// How long tasks are kept that somebody asked for, in seconds.
const KEEP_TASKS: f64 = 7.0 * 86_400.0;
/// Answers forgotten in one tick.
const ANSWERS: i64 = 10_000;

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Rows that were forgotten.
    pub(crate) forgotten: u64,
    /// Intents that got an outcome.
    pub(crate) settled: u64,
    /// Jobs of which nothing is left.
    pub(crate) closed: u64,
}

/// Tidies up.
pub(crate) async fn tick(deps: &Deps) -> Result<Summary, StoreError> {
    let mut summary = Summary {
        settled: settle(deps).await?,
        closed: jobs::tidy(deps).await?,
        ..Summary::default()
    };
    let mut connection = deps.pool.acquire().await?;
    let syncs = [SyncTask::KIND.to_owned()];
    summary.forgotten += hubshift_flow::prune(&mut connection, &syncs, KEEP_SYNCS).await?;
    let tasks = KINDS.map(str::to_owned);
    summary.forgotten += hubshift_flow::prune(&mut connection, &tasks, KEEP_TASKS).await?;
    summary.forgotten += idem::purge(&mut connection, ANSWERS).await?;
    summary.forgotten += store::scan::purge(&mut *connection).await?;
    summary.forgotten += store::intent::purge(&mut *connection).await?;
    summary.forgotten += store::import_job::purge(&mut *connection).await?;
    summary.forgotten += store::step_fence::purge(&mut *connection).await?;
    summary.forgotten += store::adoption::purge(&mut *connection).await?;
    summary.forgotten += store::fence::purge(&mut *connection).await?;
    Ok(summary)
}

/// Gives intents an outcome that nobody waits for any more. A hub that does not answer keeps its
/// open ones.
async fn settle(deps: &Deps) -> Result<u64, StoreError> {
    let mut settled = 0;
    for (fleet, hub) in store::intent::hubs_with_overdue(&deps.pool).await? {
        let (Ok(fleet), Ok(hub)) = (FleetId::new(fleet), HubId::new(hub)) else {
            continue;
        };
        match intent::settle(deps, &fleet, &hub, None).await {
            Ok(done) => settled += done.count,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(%fleet, %hub, error, "open intents stay open");
            }
        }
    }
    Ok(settled)
}
