//! Keeps every standby like its active hub: a pass per interval, and a light one at once on news
//! of the journal.
//!
//! The passes are workflows, at most one per standby over all replicas, unless a sweep has to wait:
//! then a light one goes past it. A tick only starts them.

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Start, Workflow as _};
use hubshift_store::{StoreError, commit};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::jittered;
use crate::deps::Deps;
use crate::pass::Depth;
use crate::store;
use crate::workflows::pass::{State, Step, SyncTask, in_the_way, subject};

/// News of the journal is gathered for this long.
const GATHER: Duration = Duration::from_millis(50);
/// How soon news is looked at again that came while a pass was running.
const AGAIN: Duration = Duration::from_millis(500);

/// What a tick did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Passes that were started.
    pub(crate) started: u64,
    /// Standbys at which one was running.
    pub(crate) busy: u64,
}

/// Ticks until cancelled; `looked` is told after every look.
pub(crate) async fn run(deps: Arc<Deps>, cancel: CancellationToken, looked: impl Fn() + Send) {
    let interval = deps.config.sync_interval;
    let mut next = tokio::time::Instant::now();
    let mut has_news = false;
    while !cancel.is_cancelled() {
        let is_due = tokio::time::Instant::now() >= next;
        if is_due || has_news {
            let depth = if is_due {
                Depth::Incremental
            } else {
                Depth::Light
            };
            if is_due {
                next = tokio::time::Instant::now() + jittered(interval);
            }
            has_news = look(&deps, depth).await;
            looked();
        }
        let wake = if has_news {
            tokio::time::Instant::now() + AGAIN
        } else {
            next
        };
        tokio::select! {
            () = tokio::time::sleep_until(wake.min(next)) => {}
            () = deps.sync.notified() => {
                has_news = true;
                tokio::time::sleep(GATHER).await;
            }
            () = cancel.cancelled() => {}
        }
    }
}

/// One tick; whether some standby must be looked at again soon.
async fn look(deps: &Deps, depth: Depth) -> bool {
    match tick(deps, depth).await {
        Ok(summary) => {
            tracing::trace!(?summary, ?depth, "standbys looked at");
            summary.busy > 0
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::debug!(error, "standbys not looked at, the next tick tries again");
            false
        }
    }
}

/// Starts a pass for every standby that has none.
pub(crate) async fn tick(deps: &Deps, depth: Depth) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    for standby in store::authority::standbys(&deps.pool).await? {
        let (Ok(fleet), Ok(hub)) = (FleetId::new(standby.fleet_id), HubId::new(standby.hub_id))
        else {
            continue;
        };
        match start(deps, fleet, hub, depth).await? {
            true => summary.started += 1,
            false => summary.busy += 1,
        }
    }
    if summary.started > 0 {
        deps.flow.notify_one();
    }
    Ok(summary)
}

async fn start(deps: &Deps, fleet: FleetId, hub: HubId, depth: Depth) -> Result<bool, StoreError> {
    let subject = subject(&fleet, &hub, depth);
    let fleet_id = fleet.to_string();
    let state = State::new(fleet.clone(), hub.clone(), depth);
    let start = Start {
        workflow_id: Uuid::now_v7(),
        kind: SyncTask::KIND,
        subject: Some(&subject),
        fleet_id: &fleet_id,
        first: Step::Begin,
        state: &state,
        traceparent: None,
    };
    let mut tx = deps.pool.begin().await?;
    if in_the_way(&mut tx, &fleet, &hub).await?.is_some() {
        return Ok(false);
    }
    // A failed insert aborts the transaction, so a pass that is held is looked for as well.
    if hubshift_flow::find_active(&mut tx, SyncTask::KIND, &subject)
        .await?
        .is_some()
    {
        return Ok(false);
    }
    if !hubshift_flow::start(&mut tx, start).await? {
        return Ok(false);
    }
    commit(tx).await?;
    Ok(true)
}

#[cfg(test)]
mod tests;
