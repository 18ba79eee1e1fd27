//! Making a plan of what two scans found.

use hubshift_domain::id::HubId;
use hubshift_flow::{StepCx, StepError};
use hubshift_store::{StoreError, commit};

use super::{Facts, Side, name, result};
use crate::app::pass_plan;
use crate::authority::FleetView;
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::scan::Found;
use crate::store;
use crate::store::adoption::NewAdoption;
use crate::store::adoption::extra::{self, Outcomes, Pair};
use crate::workflows::report::{AdoptionResult, count};

/// Both hubs, as complete scans found them.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// The active hub.
    pub(crate) source: Found,
    /// The standby.
    pub(crate) target: Found,
}

/// Stores the plan of a standby under the id of the task that made it, once.
pub(crate) async fn store_plan(
    deps: &Deps,
    view: &FleetView,
    target: &HubId,
    scanned: &Scanned,
    cx: &StepCx,
) -> Result<AdoptionResult, StepError> {
    let facts = facts(deps, view, target, scanned).await?;
    let id = cx.workflow_id;
    let pair = Pair {
        fleet: &view.fleet,
        source: &view.active_hub,
        target,
    };
    let new = NewAdoption {
        id,
        fleet: &view.fleet,
        hub: target,
        epoch: view.epoch,
        facts: &facts,
    };
    let mut tx = deps.pool.begin().await.map_err(StoreError::from)?;
    cx.guard(&mut tx).await?;
    let is_new = store::adoption::insert(&mut tx, &new).await?;
    if is_new {
        extra::fill(&mut *tx, id, pair).await?;
    }
    let (extras, digest) = extra::digest(&mut *tx, id).await?;
    if is_new {
        store::adoption::set_extras(&mut *tx, id, extras, digest).await?;
    }
    commit(tx).await?;
    let plan = name(&view.fleet, target, id);
    Ok(result(plan, extras, Outcomes::default()))
}

async fn facts(
    deps: &Deps,
    view: &FleetView,
    target: &HubId,
    scanned: &Scanned,
) -> Result<Facts, StepError> {
    let (pool, source) = (&deps.pool, &view.active_hub);
    let plan = Box::pin(pass_plan::plan(deps, view, target)).await?;
    let singular = store::adoption::singular(pool, &view.fleet, source).await?;
    let estimate = plan.text();
    let mut unknowns = plan.unknowns;
    if !store::intent::was_written(pool, view.fleet.as_str(), target.as_str()).await? {
        unknowns.push(format!(
            "whether the policy of {target} allows writes is not known before the first one"
        ));
    }
    Ok(Facts {
        source: side(deps, view, source, &scanned.source).await?,
        target: side(deps, view, target, &scanned.target).await?,
        equal: plan.unchanged,
        missing: plan.work.creates,
        different: plan.work.updates,
        gone: plan.work.deletes,
        estimate,
        unknowns,
        authorities: count(singular.authorities),
        edges: count(singular.edges),
    })
}

async fn side(
    deps: &Deps,
    view: &FleetView,
    hub: &HubId,
    found: &Found,
) -> Result<Side, HubsError> {
    let row = deps.hubs.row(&view.fleet, hub).await?;
    Ok(Side {
        hub: hub.clone(),
        snapshot: found.scan_id,
        records: found.count,
        digest: found.digest.to_string(),
        tier: row.tier,
        units: u32::try_from(row.units).unwrap_or(1),
    })
}
