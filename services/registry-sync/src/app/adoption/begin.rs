//! An order is taken: the plan is the task's from then on, and says of every extra what is to become
//! of it.

use hubshift_domain::adoption::ExtraAction;
use hubshift_domain::hub_state::{HubState, Purpose};
use hubshift_flow::{StepCx, StepError};
use hubshift_store::{StoreError, commit};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{AdoptionError, Order};
use crate::authority::{self, FleetView};
use crate::deps::Deps;
use crate::intent::IntentError;
use crate::pass::SOURCE_REWOUND;
use crate::store;
use crate::store::adoption::AdoptionRow;
use crate::store::adoption::work::{self, Told};
use crate::workflows::scan::gone;

/// Whether a plan can't be applied, as far as the plan and its fleet tell.
pub(crate) fn refusal(row: &AdoptionRow, view: &FleetView) -> Result<(), AdoptionError> {
    if row.apply_time.is_some() {
        return Err(AdoptionError::Applied);
    }
    if row.epoch != view.epoch {
        return Err(AdoptionError::OtherEpoch {
            planned: row.epoch,
            current: view.epoch,
        });
    }
    if row.is_expired {
        return Err(AdoptionError::Expired);
    }
    match view.hub(&row.hub).map(|hub| hub.state) {
        Some(HubState::Syncing | HubState::Ready) => Ok(()),
        state => Err(AdoptionError::NotStandby {
            hub: row.hub.clone(),
            state: state.map_or("not in the fleet", HubState::as_str),
        }),
    }
}

/// The task that applies a plan, if it is another one than `ours` and not over.
pub(crate) async fn other_task(
    connection: &mut PgConnection,
    row: &AdoptionRow,
    ours: Option<Uuid>,
) -> Result<Option<Uuid>, StoreError> {
    let Some(task) = row.apply_task.filter(|task| Some(*task) != ours) else {
        return Ok(None);
    };
    let status = hubshift_flow::get(connection, task).await?;
    let is_active = status.is_some_and(|status| !status.state.is_over());
    Ok(is_active.then_some(task))
}

/// Takes an order, if it may be carried out.
pub(crate) async fn begin(deps: &Deps, order: &Order, cx: &StepCx) -> Result<(), StepError> {
    let view = authority::fleet(&deps.pool, &order.fleet).await?;
    let view = view.ok_or_else(|| gone(&order.fleet))?;
    let row = store::adoption::get(&deps.pool, &order.fleet, &order.hub, order.adoption).await?;
    let row = row.ok_or_else(|| AdoptionError::NotFound(order.hub.clone()))?;
    refusal(&row, &view)?;
    refuse_rewound(deps, order, &view).await?;
    let (fleet, hub, purpose) = (&order.fleet, &order.hub, Purpose::Replicate.as_str());
    let mut tx = deps.pool.begin().await.map_err(StoreError::from)?;
    cx.guard(&mut tx).await?;
    let epoch = order.epoch.as_i64();
    store::authority::assert_intent(&mut tx, fleet.as_str(), epoch, hub.as_str(), purpose)
        .await
        .map_err(IntentError::from)?;
    if let Some(task) = other_task(&mut tx, &row, Some(cx.workflow_id)).await? {
        let task = fleet.child_name("tasks", task);
        return Err(AdoptionError::Active { task }.into());
    }
    let (id, task, action) = (row.id, cx.workflow_id, order.action);
    if !store::adoption::claim(&mut *tx, id, action, task, row.apply_task).await? {
        // Another task came in between: the next try finds it.
        return Err(StepError::Unknown(anyhow::anyhow!(
            "another task took the plan"
        )));
    }
    work::decide(&mut tx, id, action, &told(order)).await?;
    commit(tx).await?;
    Ok(())
}

fn told(order: &Order) -> Vec<Told<'_>> {
    let told = order.overrides.iter().map(|it| Told {
        device: it.device.as_str(),
        action: it.action,
    });
    told.collect()
}

/// Of what an active hub that was restored from an older state lacks, nothing is inferred.
async fn refuse_rewound(deps: &Deps, order: &Order, view: &FleetView) -> Result<(), StepError> {
    if !order.says(ExtraAction::Delete) && !order.says(ExtraAction::Quarantine) {
        return Ok(());
    }
    let (fleet, source) = (view.fleet.as_str(), view.active_hub.as_str());
    if store::scan::was_rewound(&deps.pool, fleet, source).await? {
        let text = format!(
            "hub {source} was restored from an older state: what only {} has may be what it lost",
            order.hub
        );
        return Err(StepError::rejected(SOURCE_REWOUND, text));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
