//! `AdoptionService`: plans, what only a standby has, and what is ordered about it.

mod order;
mod wire;

use std::sync::Arc;

use hubshift_api::fault;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::adoption_service_server::{AdoptionService, AdoptionServiceServer};
use hubshift_api::validate::Checks;
use hubshift_domain::adoption::PlanFacts;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::Workflow as _;
use hubshift_shell::Caller;
use hubshift_store::{StoreError, page};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::find;
use super::task::{NewTask, start};
use crate::app::adoption::{AdoptionError, other_task};
use crate::deps::Deps;
use crate::store;
use crate::store::adoption::{AdoptionRow, extra};
use crate::workflows::adoption_plan::{self, AdoptionPlanTask};
use crate::workflows::report::Report;

/// How a plan is named.
const PATTERN: &str = "fleets/{fleet}/hubs/{hub}/adoptions/{adoption}";

/// The service.
#[derive(Debug)]
pub(crate) struct Adoptions {
    deps: Arc<Deps>,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> AdoptionServiceServer<Adoptions> {
    AdoptionServiceServer::new(Adoptions { deps })
}

#[tonic::async_trait]
impl AdoptionService for Adoptions {
    async fn plan_adoption(
        &self,
        request: Request<pb::PlanAdoptionRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        tracing::info!(method = "PlanAdoption", caller = %Caller::of(&request), "called");
        self.plan(request.into_inner()).await.map(Response::new)
    }

    async fn get_adoption_plan(
        &self,
        request: Request<pb::GetAdoptionPlanRequest>,
    ) -> Result<Response<pb::AdoptionPlan>, Status> {
        self.get(&request.get_ref().name).await.map(Response::new)
    }

    async fn list_extras(
        &self,
        request: Request<pb::ListExtrasRequest>,
    ) -> Result<Response<pb::ListExtrasResponse>, Status> {
        self.list(request.into_inner()).await.map(Response::new)
    }

    async fn apply_adoption(
        &self,
        request: Request<pb::ApplyAdoptionRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        tracing::info!(method = "ApplyAdoption", caller = %Caller::of(&request), "called");
        order::apply(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }
}

impl Adoptions {
    async fn plan(&self, body: pb::PlanAdoptionRequest) -> Result<pb::Task, Status> {
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &body.fleet);
        let hub = checks.hub("hub", &body.hub);
        let request_id = checks.request_id(&body.request_id);
        let ((fleet, hub), request_id) = checks.require(fleet.zip(hub).zip(request_id))?;
        let view = find::fleet(&self.deps, &fleet).await?;
        for hub in [&view.active_hub, &hub] {
            find::connected(&self.deps, &view, hub).await?;
        }
        let state = view.hub(&hub).map(|hub| hub.state);
        if let Some(state) = state.filter(|state| !is_adoptable(*state)) {
            let state = state.as_str();
            return Err(AdoptionError::NotStandby { hub, state }.into());
        }
        let state = adoption_plan::State {
            fleet: fleet.clone(),
            hub,
            scans: None,
            report: Report::default(),
        };
        let new = NewTask {
            kind: AdoptionPlanTask::KIND,
            fleet: &fleet,
            request_id,
            method: "PlanAdoption",
            first: adoption_plan::Step::Begin,
            state: &state,
        };
        start(&self.deps, &body, new).await
    }

    async fn get(&self, name: &str) -> Result<pb::AdoptionPlan, Status> {
        let mut checks = Checks::new();
        let name = checks.hub_child("name", name, "adoptions", PATTERN);
        let (fleet, hub, id) = checks.require(name)?;
        let view = find::fleet(&self.deps, &fleet).await?;
        let row = row(&self.deps, &fleet, &hub, id).await?;
        let mut connection = self.deps.pool.acquire().await.map_err(StoreError::from)?;
        let outcomes = extra::outcomes(&mut *connection, id).await?;
        let running = other_task(&mut connection, &row, None).await?;
        let facts = PlanFacts {
            is_applied: row.apply_time.is_some(),
            is_running: running.is_some(),
            is_over: row.is_expired || row.epoch != view.epoch,
        };
        let active = row.facts.source.hub.as_str();
        let active = store::connection::get(&mut *connection, fleet.as_str(), active).await?;
        let can_fence = active.is_some_and(|active| !active.management_ref.is_empty());
        Ok(wire::plan(&fleet, row, facts.state(), outcomes, can_fence))
    }

    async fn list(&self, request: pb::ListExtrasRequest) -> Result<pb::ListExtrasResponse, Status> {
        let mut checks = Checks::new();
        let name = checks.hub_child("parent", &request.parent, "adoptions", PATTERN);
        let size = checks.page_size(request.page_size);
        let list = format!("extras/{}", request.parent);
        let after = page::parse::<String>(&list, &request.page_token);
        if let Err(error) = &after {
            checks.violation("page_token", error.to_string());
        }
        let (fleet, hub, id) = checks.require(name)?;
        let after = after.map_err(|_| fault::internal())?.unwrap_or_default();
        row(&self.deps, &fleet, &hub, id).await?;
        let mut rows = extra::list(&self.deps.pool, id, &after, size + 1).await?;
        let size = usize::try_from(size).unwrap_or(1);
        let has_more = rows.len() > size;
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if has_more => page::token(&list, &last.device),
            _ => String::new(),
        };
        Ok(pb::ListExtrasResponse {
            extras: rows.into_iter().map(wire::extra).collect(),
            next_page_token,
        })
    }
}

/// A hub that was, or may have been, the fleet's authority is merged and not adopted.
fn is_adoptable(state: HubState) -> bool {
    matches!(
        state,
        HubState::Provisioning | HubState::Syncing | HubState::Ready
    )
}

/// A plan.
///
/// # Errors
/// `ADOPTION_NOT_FOUND` (NOT_FOUND).
async fn row(deps: &Deps, fleet: &FleetId, hub: &HubId, id: Uuid) -> Result<AdoptionRow, Status> {
    let row = store::adoption::get(&deps.pool, fleet, hub, id).await?;
    row.ok_or_else(|| AdoptionError::NotFound(hub.clone()).into())
}
