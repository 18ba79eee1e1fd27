//! registry-sync, the only one that talks to hubs: scans, comparisons and applied batches.

use std::time::Duration;

use hubshift_api::pb::registry::replication_service_client::ReplicationServiceClient;
use hubshift_api::pb::registry::{
    ApplyBatchRequest, ApplyBatchResponse, GetTaskRequest, StartScanRequest,
    StreamDivergenceRequest, StreamDivergenceResponse, Task,
};
use hubshift_shell::GrpcChannel;
use hubshift_shell::grpc::deadline;
use tonic::{Request, Status, Streaming};

/// A batch makes calls to hubs: it may take this long. What was not done by then is asked again.
const BATCH_DEADLINE: Duration = Duration::from_secs(50);

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    client: ReplicationServiceClient<GrpcChannel>,
    timeout: Duration,
}

impl Remote {
    /// A client over this channel.
    pub(crate) fn new(channel: GrpcChannel, timeout: Duration) -> Self {
        Self {
            client: ReplicationServiceClient::new(channel),
            timeout,
        }
    }

    /// Starts a scan; the same request id gives the same task.
    pub(crate) async fn start_scan(&self, message: StartScanRequest) -> Result<Task, Status> {
        let request = deadline(Request::new(message), self.timeout);
        Ok(self.client.clone().start_scan(request).await?.into_inner())
    }

    /// Looks at a task.
    pub(crate) async fn task(&self, name: &str) -> Result<Task, Status> {
        let message = GetTaskRequest {
            name: name.to_owned(),
        };
        let request = deadline(Request::new(message), self.timeout);
        Ok(self.client.clone().get_task(request).await?.into_inner())
    }

    /// Every key at which not all are equal, by the bytes of the ids.
    pub(crate) async fn divergence(
        &self,
        message: StreamDivergenceRequest,
    ) -> Result<Streaming<StreamDivergenceResponse>, Status> {
        let request = Request::new(message);
        Ok(self
            .client
            .clone()
            .stream_divergence(request)
            .await?
            .into_inner())
    }

    /// Applies a batch.
    pub(crate) async fn apply(
        &self,
        message: ApplyBatchRequest,
    ) -> Result<ApplyBatchResponse, Status> {
        let request = deadline(Request::new(message), BATCH_DEADLINE);
        Ok(self.client.clone().apply_batch(request).await?.into_inner())
    }
}
