//! The services below: registry-sync and merge, each call with a deadline.
//!
//! Long work at registry-sync is a task: [`TaskCall`] says which, the caller keeps its name and
//! polls it.

use std::time::Duration;

use hubshift_api::pb::merge::merge_service_client::MergeServiceClient;
use hubshift_api::pb::merge::{GetMergeStatusRequest, MergeStatus};
use hubshift_api::pb::registry::backup_service_client::BackupServiceClient;
use hubshift_api::pb::registry::fence_service_client::FenceServiceClient;
use hubshift_api::pb::registry::replication_service_client::ReplicationServiceClient;
use hubshift_api::pb::registry::{
    CreateBackupRequest, FenceHubRequest, FenceStatus, GetReplicationStatusRequest, GetTaskRequest,
    ReplicationStatus, StartDrainRequest, StartPassRequest, StartReplayRequest, StartVerifyRequest,
    Task,
};
use hubshift_api::pb::types::StepContext;
use hubshift_api::times;
use hubshift_domain::epoch::Epoch;
use hubshift_shell::GrpcChannel;
use hubshift_shell::grpc::deadline;
use time::OffsetDateTime;
use tonic::{Request, Status};
use uuid::Uuid;

/// Clients of the services below. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    replication: ReplicationServiceClient<GrpcChannel>,
    backup: BackupServiceClient<GrpcChannel>,
    fence: FenceServiceClient<GrpcChannel>,
    merge: MergeServiceClient<GrpcChannel>,
    timeout: Duration,
}

/// A piece of long work at registry-sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskCall {
    /// A backup of a hub.
    Backup { hub: String },
    /// A comparison of two hubs.
    Verify {
        source: String,
        target: String,
        full: bool,
        read_after: Option<OffsetDateTime>,
    },
    /// Every intent gets an outcome, and the standby catches up.
    Drain { target: String },
    /// Journaled writes are repeated at the new active hub.
    Replay { target: String },
    /// A pass from the active hub to a standby.
    Pass { target: String },
}

impl TaskCall {
    /// Names the call among those of one step, and in words for a person.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Backup { hub } => format!("backup of {hub}"),
            Self::Verify { source, target, .. } => format!("verify of {source} and {target}"),
            Self::Drain { target } => format!("drain to {target}"),
            Self::Replay { target } => format!("replay at {target}"),
            Self::Pass { target } => format!("pass to {target}"),
        }
    }
}

impl Remote {
    /// Clients over these channels.
    pub(crate) fn new(registry: GrpcChannel, merge: GrpcChannel, timeout: Duration) -> Self {
        Self {
            replication: ReplicationServiceClient::new(registry.clone()),
            backup: BackupServiceClient::new(registry.clone()),
            fence: FenceServiceClient::new(registry),
            merge: MergeServiceClient::new(merge),
            timeout,
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        deadline(Request::new(message), self.timeout)
    }

    /// Starts a task; the same request id gives the same task.
    pub(crate) async fn start(
        &self,
        call: &TaskCall,
        fleet: &str,
        request_id: Uuid,
        context: StepContext,
    ) -> Result<Task, Status> {
        let (fleet, request_id) = (format!("fleets/{fleet}"), request_id.to_string());
        let context = Some(context);
        let mut replication = self.replication.clone();
        let response = match call.clone() {
            TaskCall::Backup { hub } => {
                let message = CreateBackupRequest {
                    parent: fleet,
                    hub,
                    request_id,
                    context,
                };
                self.backup
                    .clone()
                    .create_backup(self.request(message))
                    .await
            }
            TaskCall::Verify {
                source,
                target,
                full,
                read_after,
            } => {
                let message = StartVerifyRequest {
                    fleet,
                    source_hub: source,
                    target_hub: target,
                    request_id,
                    read_after: read_after.map(times::timestamp),
                    full,
                    context,
                };
                replication.start_verify(self.request(message)).await
            }
            TaskCall::Drain { target } => {
                let message = StartDrainRequest {
                    fleet,
                    target_hub: target,
                    request_id,
                    context,
                };
                replication.start_drain(self.request(message)).await
            }
            TaskCall::Replay { target } => {
                let message = StartReplayRequest {
                    fleet,
                    target_hub: target,
                    request_id,
                    context,
                };
                replication.start_replay(self.request(message)).await
            }
            TaskCall::Pass { target } => {
                let message = StartPassRequest {
                    fleet,
                    target_hub: target,
                    full: false,
                    request_id,
                    context,
                    accept_source: false,
                };
                replication.start_pass(self.request(message)).await
            }
        };
        response.map(tonic::Response::into_inner)
    }

    /// Looks at a task.
    pub(crate) async fn task(&self, name: &str) -> Result<Task, Status> {
        let message = GetTaskRequest {
            name: name.to_owned(),
        };
        let response = self
            .replication
            .clone()
            .get_task(self.request(message))
            .await?;
        Ok(response.into_inner())
    }

    /// Asks that a hub be shut out through its management plane, and says how that stands. The same
    /// request id asks once, however often it is sent.
    pub(crate) async fn fence_hub(
        &self,
        fleet: &str,
        hub: &str,
        epoch: Epoch,
        request_id: Uuid,
        context: Option<StepContext>,
    ) -> Result<FenceStatus, Status> {
        let message = FenceHubRequest {
            fleet: format!("fleets/{fleet}"),
            hub: hub.to_owned(),
            epoch: epoch.0,
            request_id: request_id.to_string(),
            context,
            again: false,
        };
        let request = self.request(message);
        Ok(self.fence.clone().fence_hub(request).await?.into_inner())
    }

    /// How far a fleet's standbys are behind.
    pub(crate) async fn replication_status(
        &self,
        fleet: &str,
    ) -> Result<ReplicationStatus, Status> {
        let message = GetReplicationStatusRequest {
            fleet: format!("fleets/{fleet}"),
        };
        let request = self.request(message);
        let response = self
            .replication
            .clone()
            .get_replication_status(request)
            .await?;
        Ok(response.into_inner())
    }

    /// Where merging stands for a fleet; for one hub of it when `hub` is not empty.
    pub(crate) async fn merge_status(&self, fleet: &str, hub: &str) -> Result<MergeStatus, Status> {
        let message = GetMergeStatusRequest {
            fleet: format!("fleets/{fleet}"),
            hub: hub.to_owned(),
        };
        let response = self
            .merge
            .clone()
            .get_merge_status(self.request(message))
            .await?;
        Ok(response.into_inner())
    }
}
