//! `ApplyAdoption`: an order is checked as a whole before anything of it is begun.

use std::collections::{BTreeSet, HashMap};

use hubshift_api::pb::registry as pb;
use hubshift_api::validate::Checks;
use hubshift_domain::adoption::ExtraAction;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::Workflow as _;
use hubshift_store::StoreError;
use tonic::Status;
use uuid::Uuid;

use super::super::find;
use super::super::task::{NewTask, start, task_id};
use super::{PATTERN, row, wire};
use crate::app::adoption::{AdoptionError, Order, Override, other_task, refusal};
use crate::authority::FleetView;
use crate::deps::Deps;
use crate::store::adoption::{AdoptionRow, extra};
use crate::workflows::adoption::{self, AdoptionTask};
use crate::workflows::report::{Report, count};

/// The most extras that are named in one order.
const MAX_OVERRIDES: usize = 1000;

/// A request whose fields are well formed.
#[derive(Debug)]
struct Asked {
    fleet: FleetId,
    hub: HubId,
    adoption: Uuid,
    action: ExtraAction,
    overrides: Vec<Override>,
    request_id: Uuid,
}

pub(super) async fn apply(deps: &Deps, body: pb::ApplyAdoptionRequest) -> Result<pb::Task, Status> {
    let asked = asked(&body)?;
    let view = find::fleet(deps, &asked.fleet).await?;
    let row = row(deps, &asked.fleet, &asked.hub, asked.adoption).await?;
    let order = Order {
        fleet: asked.fleet.clone(),
        hub: asked.hub,
        adoption: asked.adoption,
        epoch: row.epoch,
        action: asked.action,
        overrides: asked.overrides,
    };
    // A repetition finds the plan as its first try left it.
    if row.apply_task != Some(task_id(asked.request_id)) {
        admit(deps, &view, &row, &order, body.acknowledge_count).await?;
    }
    let state = adoption::State {
        order,
        report: Report::default(),
    };
    let new = NewTask {
        kind: AdoptionTask::KIND,
        fleet: &asked.fleet,
        request_id: asked.request_id,
        method: "ApplyAdoption",
        first: adoption::Step::Begin,
        state: &state,
    };
    start(deps, &body, new).await
}

fn asked(body: &pb::ApplyAdoptionRequest) -> Result<Asked, Status> {
    let mut checks = Checks::new();
    let name = checks.hub_child("name", &body.name, "adoptions", PATTERN);
    let action = action(&mut checks, "extras", body.extras());
    let overrides = overrides(&mut checks, &body.overrides);
    let request_id = checks.request_id(&body.request_id);
    let ((name, action), request_id) = checks.require(name.zip(action).zip(request_id))?;
    let (fleet, hub, adoption) = name;
    Ok(Asked {
        fleet,
        hub,
        adoption,
        action,
        overrides,
        request_id,
    })
}

fn action(checks: &mut Checks, field: &str, action: pb::ExtraAction) -> Option<ExtraAction> {
    let known = wire::from_action(action);
    if known.is_none() {
        checks.violation(field, "is required: keep, quarantine or delete");
    }
    known
}

/// Those of the overrides that are well formed; the others are noted.
fn overrides(checks: &mut Checks, asked: &[pb::ExtraOverride]) -> Vec<Override> {
    if asked.len() > MAX_OVERRIDES {
        let problem = format!("has {} entries, at most {MAX_OVERRIDES}", asked.len());
        checks.violation("overrides", problem);
        return Vec::new();
    }
    let mut named = BTreeSet::new();
    let mut overrides = Vec::new();
    for (place, one) in asked.iter().enumerate() {
        let (key, told) = (
            format!("overrides[{place}].device"),
            format!("overrides[{place}].action"),
        );
        let device = checks.key(&key, &one.device);
        let action = action(checks, &told, one.action());
        let Some((device, action)) = device.zip(action) else {
            continue;
        };
        if !action.fits(device.as_str()) {
            checks.violation(&told, "only a device can be quarantined");
        }
        if !named.insert(device.clone()) {
            checks.violation(&key, format!("`{device}` is named twice"));
        }
        overrides.push(Override { device, action });
    }
    overrides
}

/// Whether the order may be carried out, as far as is known before it is begun.
async fn admit(
    deps: &Deps,
    view: &FleetView,
    row: &AdoptionRow,
    order: &Order,
    acknowledged: u64,
) -> Result<(), Status> {
    refusal(row, view)?;
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    if let Some(task) = other_task(&mut connection, row, None).await? {
        let task = order.fleet.child_name("tasks", task);
        return Err(AdoptionError::Active { task }.into());
    }
    let devices: Vec<String> = order
        .overrides
        .iter()
        .map(|it| it.device.to_string())
        .collect();
    let known = extra::known(&mut *connection, row.id, &devices).await?;
    check_known(&order.overrides, known)?;
    let expected = count(row.extra_count);
    if order.says(ExtraAction::Delete) && acknowledged != expected {
        let given = acknowledged;
        return Err(AdoptionError::NotAcknowledged { expected, given }.into());
    }
    Ok(())
}

/// Every override names an extra that has a fate of its own.
fn check_known(overrides: &[Override], known: Vec<(String, Option<String>)>) -> Result<(), Status> {
    let known: HashMap<String, Option<String>> = known.into_iter().collect();
    let mut checks = Checks::new();
    for (place, one) in overrides.iter().enumerate() {
        let field = format!("overrides[{place}].device");
        match known.get(one.device.as_str()) {
            None => checks.violation(&field, format!("`{}` is no extra of the plan", one.device)),
            Some(Some(device)) => {
                let problem = format!("`{}` goes with `{device}`; name that", one.device);
                checks.violation(&field, problem);
            }
            Some(None) => {}
        }
    }
    checks.done()
}

#[cfg(test)]
mod tests;
