//! registry-sync and merge as the tests want them: tasks that are done at the second look, unless
//! the test holds them or lets them find differences.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::Stream;
use hubshift_api::fault;
use hubshift_api::pb::merge as m;
use hubshift_api::pb::merge::merge_service_server::{MergeService, MergeServiceServer};
use hubshift_api::pb::registry as r;
use hubshift_api::pb::registry::backup_service_server::{BackupService, BackupServiceServer};
use hubshift_api::pb::registry::fence_service_server::FenceServiceServer;
use hubshift_api::pb::registry::replication_service_server::{
    ReplicationService, ReplicationServiceServer,
};
use hubshift_api::pb::types::{Failure, StepContext, TaskState};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};

use crate::plane::Plane;

/// What the services below know and do. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Below(Arc<Mutex<Script>>);

/// A script, and what was heard.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Slugs of hubs that do not answer.
    pub(crate) dead: BTreeSet<String>,
    /// The epoch in which every standby was verified.
    pub(crate) verify_epoch: u64,
    /// Seconds since the watermark.
    pub(crate) staleness: f64,
    /// Kinds of tasks that are not done before the test says so.
    pub(crate) held: BTreeSet<&'static str>,
    /// Steps whose verification finds a difference.
    pub(crate) differing: BTreeSet<&'static str>,
    /// Kinds of tasks that give up.
    pub(crate) failing: BTreeSet<&'static str>,
    /// Writes that a replay could not repeat yet.
    pub(crate) pending: u64,
    /// Writes that the target of a replay does not take.
    pub(crate) refused: u64,
    /// How hubs are shut out.
    pub(crate) plane: Plane,
    /// Every fence that was asked for.
    pub(crate) fenced: Vec<r::FenceHubRequest>,
    /// Slugs of hubs that are shut out.
    pub(crate) shut: BTreeSet<String>,
    /// Where merging stands.
    pub(crate) merge: m::MergeStatus,
    /// Every start: kind, request id and context.
    pub(crate) started: Vec<(&'static str, String, StepContext)>,
    tasks: BTreeMap<String, (r::Task, &'static str, String)>,
}

impl Below {
    /// The script, to read or to change.
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// Serves both services on a free port until the process ends.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(ReplicationServiceServer::new(self.clone()))
            .add_service(BackupServiceServer::new(self.clone()))
            .add_service(FenceServiceServer::new(self.clone()))
            .add_service(MergeServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }

    /// The same request id gives the same task.
    fn start(
        &self,
        kind: &'static str,
        request_id: &str,
        context: Option<StepContext>,
    ) -> Result<Response<r::Task>, Status> {
        let mut script = self.script();
        let context = context.unwrap_or_default();
        let step = context.step.clone();
        script.started.push((kind, request_id.to_owned(), context));
        let task = r::Task {
            name: format!("fleets/acme/tasks/{request_id}"),
            kind: kind.to_owned(),
            state: TaskState::Running.into(),
            ..r::Task::default()
        };
        let entry = script
            .tasks
            .entry(request_id.to_owned())
            .or_insert((task, kind, step));
        Ok(Response::new(entry.0.clone()))
    }
}

impl Script {
    fn look(&mut self, request_id: &str) -> Option<r::Task> {
        let (task, kind, step) = self.tasks.get(request_id)?.clone();
        if self.held.contains(kind) {
            return Some(task);
        }
        if self.failing.contains(kind) {
            let failure = Failure {
                reason: "HUB_GONE".into(),
                message: "it is gone".into(),
            };
            let state = TaskState::Failed.into();
            return Some(r::Task {
                state,
                done: true,
                failure: Some(failure),
                ..task
            });
        }
        let result = Some(self.result(kind, &step));
        Some(r::Task {
            state: TaskState::Succeeded.into(),
            done: true,
            result,
            ..task
        })
    }

    fn result(&self, kind: &str, step: &str) -> r::task::Result {
        match kind {
            "verify" => {
                let equal = !self.differing.contains(step);
                r::task::Result::Verify(r::VerifyResult {
                    equal,
                    source_count: 7,
                    target_count: 7,
                    source_digest: "aa".into(),
                    target_digest: if equal { "aa".into() } else { "bb".into() },
                    differing_devices: if equal { vec![] } else { vec!["d-1".into()] },
                    differing_count: u64::from(!equal),
                    read_time: None,
                    ..Default::default()
                })
            }
            "backup" => r::task::Result::Backup(r::BackupResult::default()),
            "replay" => r::task::Result::Pass(r::PassResult {
                created_count: 2,
                pending_count: self.pending,
                refused_count: self.refused,
                ..Default::default()
            }),
            _ => r::task::Result::Pass(r::PassResult {
                created_count: 2,
                ..Default::default()
            }),
        }
    }

    fn hub(&self, hub: &str) -> r::HubStatus {
        let complete = self.staleness >= 0.0;
        let fence = match self.shut.contains(hub) {
            true => r::FenceState::Done,
            false => r::FenceState::Unspecified,
        };
        r::HubStatus {
            hub: hub.to_owned(),
            reachable: !self.dead.contains(hub),
            last_error: "connection refused".into(),
            watermark: complete.then(prost_types::Timestamp::default),
            staleness_seconds: self.staleness,
            verify_epoch: self.verify_epoch,
            hard_fence: self.plane != Plane::None,
            fence: fence.into(),
            ..r::HubStatus::default()
        }
    }
}

fn not_played() -> Status {
    fault::status(Code::Unimplemented, "NOT_PLAYED", "no test needs it")
}

type Nothing<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ReplicationService for Below {
    async fn get_replication_status(
        &self,
        _: Request<r::GetReplicationStatusRequest>,
    ) -> Result<Response<r::ReplicationStatus>, Status> {
        let script = self.script();
        let hubs = ["east", "west"]
            .into_iter()
            .map(|hub| script.hub(hub))
            .collect();
        Ok(Response::new(r::ReplicationStatus {
            hubs,
            ..Default::default()
        }))
    }

    async fn start_pass(
        &self,
        request: Request<r::StartPassRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let message = request.into_inner();
        self.start("pass", &message.request_id, message.context)
    }

    async fn plan_pass(
        &self,
        _: Request<r::PlanPassRequest>,
    ) -> Result<Response<r::PassPlan>, Status> {
        Err(not_played())
    }

    async fn start_scan(
        &self,
        _: Request<r::StartScanRequest>,
    ) -> Result<Response<r::Task>, Status> {
        Err(not_played())
    }

    async fn start_verify(
        &self,
        request: Request<r::StartVerifyRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let message = request.into_inner();
        self.start("verify", &message.request_id, message.context)
    }

    async fn start_drain(
        &self,
        request: Request<r::StartDrainRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let message = request.into_inner();
        self.start("drain", &message.request_id, message.context)
    }

    async fn start_replay(
        &self,
        request: Request<r::StartReplayRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let message = request.into_inner();
        self.start("replay", &message.request_id, message.context)
    }

    async fn get_task(
        &self,
        request: Request<r::GetTaskRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let name = &request.get_ref().name;
        let id = name.rsplit('/').next().unwrap_or_default();
        let gone = || fault::status(Code::NotFound, "TASK_NOT_FOUND", "no such task");
        self.script().look(id).map(Response::new).ok_or_else(gone)
    }

    async fn list_tasks(
        &self,
        _: Request<r::ListTasksRequest>,
    ) -> Result<Response<r::ListTasksResponse>, Status> {
        Err(not_played())
    }

    type StreamDivergenceStream = Nothing<r::StreamDivergenceResponse>;

    async fn stream_divergence(
        &self,
        _: Request<r::StreamDivergenceRequest>,
    ) -> Result<Response<Self::StreamDivergenceStream>, Status> {
        Err(not_played())
    }

    async fn apply_batch(
        &self,
        _: Request<r::ApplyBatchRequest>,
    ) -> Result<Response<r::ApplyBatchResponse>, Status> {
        Err(not_played())
    }
}

#[tonic::async_trait]
impl BackupService for Below {
    async fn create_backup(
        &self,
        request: Request<r::CreateBackupRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let message = request.into_inner();
        self.start("backup", &message.request_id, message.context)
    }

    async fn get_backup(
        &self,
        _: Request<r::GetBackupRequest>,
    ) -> Result<Response<r::Backup>, Status> {
        Err(not_played())
    }

    async fn list_backups(
        &self,
        _: Request<r::ListBackupsRequest>,
    ) -> Result<Response<r::ListBackupsResponse>, Status> {
        Err(not_played())
    }

    async fn verify_backup(
        &self,
        _: Request<r::VerifyBackupRequest>,
    ) -> Result<Response<r::VerifyBackupResponse>, Status> {
        Err(not_played())
    }

    async fn restore_backup(
        &self,
        _: Request<r::RestoreBackupRequest>,
    ) -> Result<Response<r::Task>, Status> {
        Err(not_played())
    }
}

#[tonic::async_trait]
impl MergeService for Below {
    async fn plan_merge(
        &self,
        _: Request<m::PlanMergeRequest>,
    ) -> Result<Response<m::Merge>, Status> {
        Err(not_played())
    }

    async fn get_merge(
        &self,
        _: Request<m::GetMergeRequest>,
    ) -> Result<Response<m::Merge>, Status> {
        Err(not_played())
    }

    async fn list_merges(
        &self,
        _: Request<m::ListMergesRequest>,
    ) -> Result<Response<m::ListMergesResponse>, Status> {
        Err(not_played())
    }

    async fn list_conflicts(
        &self,
        _: Request<m::ListConflictsRequest>,
    ) -> Result<Response<m::ListConflictsResponse>, Status> {
        Err(not_played())
    }

    async fn resolve_conflict(
        &self,
        _: Request<m::ResolveConflictRequest>,
    ) -> Result<Response<m::Conflict>, Status> {
        Err(not_played())
    }

    async fn apply_merge(
        &self,
        _: Request<m::ApplyMergeRequest>,
    ) -> Result<Response<m::Merge>, Status> {
        Err(not_played())
    }

    async fn get_merge_status(
        &self,
        _: Request<m::GetMergeStatusRequest>,
    ) -> Result<Response<m::MergeStatus>, Status> {
        Ok(Response::new(self.script().merge.clone()))
    }
}
