//! `FenceService`: hubs that are shut out through their management plane. What is asked for is
//! recorded with the task that works on it; no answer waits for the plane, and none has a key.

mod view;

use std::sync::Arc;

use hubshift_api::fault;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::fence_service_server::{FenceService, FenceServiceServer};
use hubshift_api::validate::Checks;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::fence::{Ask, ask_to_lift, ask_to_shut};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::{Start, Workflow as _};
use hubshift_shell::Caller;
use hubshift_store::idem::Request as Idem;
use hubshift_store::{StoreError, Tx, commit};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::{context, find};
use crate::authority::{FleetView, HubView};
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::intent::IntentError;
use crate::store;
use crate::workflows::fence::{FenceTask, State, Step};
use crate::workflows::report::Report;

/// The service.
pub(crate) struct Fences {
    deps: Arc<Deps>,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> FenceServiceServer<Fences> {
    FenceServiceServer::new(Fences { deps })
}

#[tonic::async_trait]
impl FenceService for Fences {
    async fn get_fence(
        &self,
        request: Request<pb::GetFenceRequest>,
    ) -> Result<Response<pb::FenceStatus>, Status> {
        let body = request.into_inner();
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &body.fleet);
        let hub = checks.hub("hub", &body.hub);
        let (fleet, hub) = checks.require(fleet.zip(hub))?;
        let view = find::fleet(&self.deps, &fleet).await?;
        view.hub(&hub).ok_or(HubsError::NoHub)?;
        view::status(&self.deps, &fleet, &hub)
            .await
            .map(Response::new)
    }

    async fn fence_hub(
        &self,
        request: Request<pb::FenceHubRequest>,
    ) -> Result<Response<pb::FenceStatus>, Status> {
        let caller = Caller::of(&request).name;
        shut(&self.deps, &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn unfence_hub(
        &self,
        request: Request<pb::UnfenceHubRequest>,
    ) -> Result<Response<pb::FenceStatus>, Status> {
        let caller = Caller::of(&request).name;
        lift(&self.deps, &caller, request.into_inner())
            .await
            .map(Response::new)
    }
}

async fn shut(
    deps: &Deps,
    caller: &str,
    mut body: pb::FenceHubRequest,
) -> Result<pb::FenceStatus, Status> {
    // It differs between executors of one operation.
    let step = body.context.take();
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let hub = checks.hub("hub", &body.hub);
    let request_id = checks.request_id(&body.request_id);
    let ((fleet, hub), request_id) = checks.require(fleet.zip(hub).zip(request_id))?;
    context::admit(&deps.pool, step.as_ref()).await?;
    let request = Idem::new(caller, "FenceHub", request_id, &body);
    if was_done(deps, &request).await? {
        return view::status(deps, &fleet, &hub).await;
    }
    let view = managed(deps, &fleet, &hub).await?;
    let epoch = match body.epoch {
        0 => view.epoch,
        known => Epoch(known),
    };
    let order = Order {
        view: &view,
        hub: view.hub(&hub).ok_or(HubsError::NoHub)?,
        epoch,
        again: body.again,
    };
    if order.record(deps, &request).await? {
        tracing::info!(target: "audit", %caller, %fleet, %hub, %epoch, again = body.again,
            "a hub is to be shut out");
    }
    view::status(deps, &fleet, &hub).await
}

async fn lift(
    deps: &Deps,
    caller: &str,
    body: pb::UnfenceHubRequest,
) -> Result<pb::FenceStatus, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let hub = checks.hub("hub", &body.hub);
    let request_id = checks.request_id(&body.request_id);
    let ((fleet, hub), request_id) = checks.require(fleet.zip(hub).zip(request_id))?;
    let request = Idem::new(caller, "UnfenceHub", request_id, &body);
    if was_done(deps, &request).await? {
        return view::status(deps, &fleet, &hub).await;
    }
    managed(deps, &fleet, &hub).await?;
    if record_lift(deps, &request, &fleet, &hub).await? {
        tracing::info!(target: "audit", %caller, %fleet, %hub, "a hub is to be opened again");
    }
    view::status(deps, &fleet, &hub).await
}

/// Whether the same request was recorded before; its effect is then not repeated.
async fn was_done(deps: &Deps, request: &Idem) -> Result<bool, Status> {
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    let known = request.replay::<pb::FenceStatus>(&mut connection).await?;
    Ok(known.is_some())
}

/// The fleet, if the hub's connection says how to manage it.
async fn managed(deps: &Deps, fleet: &FleetId, hub: &HubId) -> Result<FleetView, Status> {
    let view = find::fleet(deps, fleet).await?;
    view.hub(hub).ok_or(HubsError::NoHub)?;
    if deps.hubs.row(fleet, hub).await?.management_ref.is_empty() {
        return Err(HubsError::NoManagement.into());
    }
    Ok(view)
}

/// A hub to shut out.
struct Order<'a> {
    view: &'a FleetView,
    hub: &'a HubView,
    epoch: Epoch,
    again: bool,
}

impl Order<'_> {
    /// Records what is wanted, if the authority gives the hub away; whether an equal request was not
    /// faster.
    async fn record(&self, deps: &Deps, request: &Idem) -> Result<bool, Status> {
        let fleet = &self.view.fleet;
        let (fleet_id, hub) = (fleet.as_str(), self.hub.hub_id.as_str());
        let epoch = self.epoch.as_i64();
        let mut tx = deps.pool.begin().await.map_err(StoreError::from)?;
        let allowed = store::authority::assert_fence(&mut tx, fleet_id, epoch, hub).await;
        allowed.map_err(|error| refused(error.into()))?;
        if !request.record(&mut tx, &pb::FenceStatus::default()).await? {
            return Ok(false);
        }
        let row = store::fence::hold(&mut tx, fleet_id, hub).await?;
        let state = row.as_ref().map(|row| row.state()).transpose()?;
        let last_reign = self.hub.last_active_epoch.as_i64();
        let reigned_since = row.as_ref().is_some_and(|row| row.epoch <= last_reign);
        match ask_to_shut(state, self.again, reigned_since) {
            Ask::Begin => {
                let task = start(&mut tx, fleet, &self.hub.hub_id).await?;
                store::fence::request(&mut *tx, fleet_id, hub, epoch, task).await?;
            }
            Ask::Resume => resume(&mut tx, fleet, &self.hub.hub_id, epoch, row).await?,
            Ask::Keep | Ask::Forgo => {}
        }
        commit(tx).await?;
        deps.flow.notify_one();
        Ok(true)
    }
}

async fn record_lift(
    deps: &Deps,
    request: &Idem,
    fleet: &FleetId,
    hub: &HubId,
) -> Result<bool, Status> {
    let (fleet_id, hub_id) = (fleet.as_str(), hub.as_str());
    let mut tx = deps.pool.begin().await.map_err(StoreError::from)?;
    if !request.record(&mut tx, &pb::FenceStatus::default()).await? {
        return Ok(false);
    }
    let row = store::fence::hold(&mut tx, fleet_id, hub_id).await?;
    let recorded = row.as_ref().map(|row| row.recorded()).transpose()?;
    match ask_to_lift(recorded) {
        Ask::Begin => {
            let task = start(&mut tx, fleet, hub).await?;
            store::fence::lift(&mut *tx, fleet_id, hub_id, task).await?;
        }
        Ask::Resume => resume(&mut tx, fleet, hub, 0, row).await?,
        Ask::Forgo => store::fence::forgo(&mut *tx, fleet_id, hub_id).await?,
        Ask::Keep => {}
    }
    commit(tx).await?;
    deps.flow.notify_one();
    Ok(true)
}

/// Starts a task that works on what is recorded, in the transaction that records it.
async fn start(tx: &mut Tx, fleet: &FleetId, hub: &HubId) -> Result<Uuid, StoreError> {
    let task = Uuid::now_v7();
    let state = State {
        fleet: fleet.clone(),
        hub: hub.clone(),
        report: Report::default(),
    };
    let start = Start {
        workflow_id: task,
        kind: FenceTask::KIND,
        subject: None,
        fleet_id: fleet.as_str(),
        first: Step::Work,
        state: &state,
        traceparent: hubshift_shell::trace::current_traceparent(),
    };
    hubshift_flow::start(tx, start).await?;
    Ok(task)
}

/// Has somebody work on what is recorded, if nobody does.
async fn resume(
    tx: &mut Tx,
    fleet: &FleetId,
    hub: &HubId,
    epoch: i64,
    row: Option<store::fence::FenceRow>,
) -> Result<(), StoreError> {
    let Some(row) = row else { return Ok(()) };
    let task = match view::works(tx, row.task_id).await? {
        true => row.task_id,
        false => start(tx, fleet, hub).await?,
    };
    store::fence::hand_on(&mut **tx, fleet.as_str(), hub.as_str(), epoch, task).await
}

/// Why a hub is not shut out: nothing was recorded.
fn refused(error: IntentError) -> Status {
    let text = error.to_string();
    match error {
        IntentError::EpochMoved => {
            let text = "the fleet's epoch moved; look again, then decide";
            fault::status(Code::Aborted, "EPOCH_MOVED", text)
        }
        IntentError::EpochForgotten => {
            fault::status(Code::FailedPrecondition, "EPOCH_FORGOTTEN", text)
        }
        IntentError::HubState(state) => {
            let text = format!("{state}; only a hub that a forced move left is shut out");
            fault::status(Code::FailedPrecondition, "HUB_NOT_DEPOSED", text)
        }
        IntentError::NoSuchHub => HubsError::NoHub.into(),
        IntentError::RegistryClosed(_) => {
            fault::status(Code::FailedPrecondition, "REGISTRY_CLOSED", text)
        }
        IntentError::Store(store) => store.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_the_authority_has_its_reason() {
        let reason = |code: &str| {
            let (code, message) = (code.to_owned(), "hub is active".to_owned());
            let status = refused(StoreError::Raised { code, message }.into());
            (fault::reason(&status), status.message().to_owned())
        };
        assert_eq!(reason("HS001").0, "EPOCH_MOVED");
        assert_eq!(reason("HS004").0, "HUB_NOT_FOUND");
        assert_eq!(reason("HS005").0, "EPOCH_FORGOTTEN");
        let (active, text) = reason("HS003");
        assert_eq!(active, "HUB_NOT_DEPOSED");
        assert!(text.starts_with("hub is active; "), "{text}");
    }
}
