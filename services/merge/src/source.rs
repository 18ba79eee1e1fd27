//! A back end's own store that takes part in a merge.

use std::time::Duration;

use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::metadata_source_service_client::MetadataSourceServiceClient;
use hubshift_shell::GrpcChannel;
use hubshift_shell::grpc::{self, Endpoint, deadline};
use hubshift_shell::tls::TlsError;
use tonic::{Request, Status, Streaming};

/// The deadline of applying a batch of documents.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The client of one store.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    client: MetadataSourceServiceClient<GrpcChannel>,
}

impl Source {
    /// A client; nothing is connected yet.
    ///
    /// # Errors
    /// The address can't work.
    pub(crate) fn at(url: &str) -> Result<Self, TlsError> {
        let endpoint = Endpoint {
            url: url.to_owned(),
            tls: None,
            timeout: TIMEOUT,
        };
        Ok(Self {
            client: MetadataSourceServiceClient::new(grpc::channel(&endpoint)?),
        })
    }

    /// What changed on either side.
    pub(crate) async fn branches(
        &self,
        message: pb::StreamBranchesRequest,
    ) -> Result<Streaming<pb::StreamBranchesResponse>, Status> {
        Ok(self
            .client
            .clone()
            .stream_branches(Request::new(message))
            .await?
            .into_inner())
    }

    /// Hands merged documents in; the keys that moved meanwhile.
    pub(crate) async fn apply(
        &self,
        message: pb::ApplyMergedRequest,
    ) -> Result<Vec<String>, Status> {
        let request = deadline(Request::new(message), TIMEOUT);
        Ok(self
            .client
            .clone()
            .apply_merged(request)
            .await?
            .into_inner()
            .stale_keys)
    }
}
