//! `ReplicationService`: starts tasks, shows them, and hands merge's calls on.

mod plan;
mod starts;

use std::sync::Arc;

use hubshift_api::fault;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::replication_service_server::{
    ReplicationService, ReplicationServiceServer,
};
use hubshift_api::validate::Checks;
use hubshift_shell::Caller;
use hubshift_store::{StoreError, page};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{apply, divergence, find, status, task};
use crate::deps::Deps;

/// The service.
pub(crate) struct Replication {
    deps: Arc<Deps>,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> ReplicationServiceServer<Replication> {
    ReplicationServiceServer::new(Replication { deps })
}

#[tonic::async_trait]
impl ReplicationService for Replication {
    async fn get_replication_status(
        &self,
        request: Request<pb::GetReplicationStatusRequest>,
    ) -> Result<Response<pb::ReplicationStatus>, Status> {
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &request.get_ref().fleet);
        let fleet = checks.require(fleet)?;
        let view = find::fleet(&self.deps, &fleet).await?;
        Ok(Response::new(status::replication(&self.deps, &view).await?))
    }

    async fn start_pass(
        &self,
        request: Request<pb::StartPassRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        note("StartPass", &request);
        starts::pass(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn plan_pass(
        &self,
        request: Request<pb::PlanPassRequest>,
    ) -> Result<Response<pb::PassPlan>, Status> {
        plan::plan(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn start_scan(
        &self,
        request: Request<pb::StartScanRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        note("StartScan", &request);
        starts::scan(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn start_verify(
        &self,
        request: Request<pb::StartVerifyRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        note("StartVerify", &request);
        starts::verify(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn start_drain(
        &self,
        request: Request<pb::StartDrainRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        note("StartDrain", &request);
        starts::drain(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn start_replay(
        &self,
        request: Request<pb::StartReplayRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        note("StartReplay", &request);
        starts::replay(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_task(
        &self,
        request: Request<pb::GetTaskRequest>,
    ) -> Result<Response<pb::Task>, Status> {
        let mut checks = Checks::new();
        let pattern = "fleets/{fleet}/tasks/{task}";
        let name = checks.child("name", &request.get_ref().name, "tasks", pattern);
        let (fleet, id) = checks.require(name)?;
        task::get(&self.deps, &fleet, id).await.map(Response::new)
    }

    async fn list_tasks(
        &self,
        request: Request<pb::ListTasksRequest>,
    ) -> Result<Response<pb::ListTasksResponse>, Status> {
        list(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }

    type StreamDivergenceStream = divergence::Stream;

    async fn stream_divergence(
        &self,
        request: Request<pb::StreamDivergenceRequest>,
    ) -> Result<Response<Self::StreamDivergenceStream>, Status> {
        note("StreamDivergence", &request);
        divergence::stream(self.deps.clone(), request.into_inner())
            .await
            .map(Response::new)
    }

    async fn apply_batch(
        &self,
        request: Request<pb::ApplyBatchRequest>,
    ) -> Result<Response<pb::ApplyBatchResponse>, Status> {
        note("ApplyBatch", &request);
        apply::batch(&self.deps, request.into_inner())
            .await
            .map(Response::new)
    }
}

fn note<T>(method: &'static str, request: &Request<T>) {
    tracing::info!(method, caller = %Caller::of(request), "called");
}

async fn list(deps: &Deps, request: pb::ListTasksRequest) -> Result<pb::ListTasksResponse, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("parent", &request.parent);
    let size = checks.page_size(request.page_size);
    let list = format!("tasks/{}", request.parent);
    let before = page::parse::<(OffsetDateTime, Uuid)>(&list, &request.page_token);
    if let Err(error) = &before {
        checks.violation("page_token", error.to_string());
    }
    let fleet = checks.require(fleet)?;
    let before = before.map_err(|_| fault::internal())?;
    find::fleet(deps, &fleet).await?;
    let kinds = task::KINDS.map(str::to_owned);
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    let mut rows =
        hubshift_flow::list(&mut connection, fleet.as_str(), &kinds, before, size + 1).await?;
    let size = usize::try_from(size).unwrap_or(1);
    let has_more = rows.len() > size;
    rows.truncate(size);
    let next_page_token = match rows.last() {
        Some(last) if has_more => page::token(&list, last),
        _ => String::new(),
    };
    let tasks = task::get_all(&mut connection, rows.into_iter().map(|(_, id)| id)).await?;
    Ok(pb::ListTasksResponse {
        tasks,
        next_page_token,
    })
}
