//! Typed clients for back ends and operators, over one lazy channel per service; and
//! [`FleetWatch`], which follows a fleet over several concierges.

mod retry;
mod watch;

use hubshift_api::pb::concierge::failover_service_client::FailoverServiceClient;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::merge::inbox_service_client::InboxServiceClient;
use hubshift_api::pb::merge::merge_service_client::MergeServiceClient;
use hubshift_api::pb::merge::metadata_service_client::MetadataServiceClient;
use hubshift_api::pb::registry::backup_service_client::BackupServiceClient;
use hubshift_api::pb::registry::connection_service_client::ConnectionServiceClient;
use hubshift_api::pb::registry::device_service_client::DeviceServiceClient;
use hubshift_api::pb::registry::replication_service_client::ReplicationServiceClient;
use hubshift_shell::grpc::{GrpcChannel, channel};
use hubshift_shell::tls::TlsError;

pub use hubshift_shell::grpc::{Endpoint, deadline};
pub use retry::{RetryPolicy, request_id, retry};
pub use watch::{FleetState, FleetWatch};

/// The operator side of a concierge. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Concierge {
    channel: GrpcChannel,
}

impl Concierge {
    /// Makes the channel; nothing is connected yet. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// The address or its TLS settings can't work.
    pub fn new(endpoint: &Endpoint) -> Result<Self, TlsError> {
        Ok(Self {
            channel: channel(endpoint)?,
        })
    }

    /// Fleets, and the watch of back ends.
    pub fn fleets(&self) -> FleetServiceClient<GrpcChannel> {
        FleetServiceClient::new(self.channel.clone())
    }

    /// Failovers.
    pub fn failovers(&self) -> FailoverServiceClient<GrpcChannel> {
        FailoverServiceClient::new(self.channel.clone())
    }
}

/// registry-sync. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    channel: GrpcChannel,
}

impl Registry {
    /// As [`Concierge::new`].
    ///
    /// # Errors
    /// The address or its TLS settings can't work.
    pub fn new(endpoint: &Endpoint) -> Result<Self, TlsError> {
        Ok(Self {
            channel: channel(endpoint)?,
        })
    }

    /// Device identities, through the authority.
    pub fn devices(&self) -> DeviceServiceClient<GrpcChannel> {
        DeviceServiceClient::new(self.channel.clone())
    }

    /// Connections to hubs.
    pub fn connections(&self) -> ConnectionServiceClient<GrpcChannel> {
        ConnectionServiceClient::new(self.channel.clone())
    }

    /// Replication between hubs.
    pub fn replication(&self) -> ReplicationServiceClient<GrpcChannel> {
        ReplicationServiceClient::new(self.channel.clone())
    }

    /// Backups.
    pub fn backups(&self) -> BackupServiceClient<GrpcChannel> {
        BackupServiceClient::new(self.channel.clone())
    }
}

/// merge. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Merge {
    channel: GrpcChannel,
}

impl Merge {
    /// As [`Concierge::new`].
    ///
    /// # Errors
    /// The address or its TLS settings can't work.
    pub fn new(endpoint: &Endpoint) -> Result<Self, TlsError> {
        Ok(Self {
            channel: channel(endpoint)?,
        })
    }

    /// Merges of a returning hub.
    pub fn merges(&self) -> MergeServiceClient<GrpcChannel> {
        MergeServiceClient::new(self.channel.clone())
    }

    /// Application documents.
    pub fn metadata(&self) -> MetadataServiceClient<GrpcChannel> {
        MetadataServiceClient::new(self.channel.clone())
    }

    /// The event inbox.
    pub fn inbox(&self) -> InboxServiceClient<GrpcChannel> {
        InboxServiceClient::new(self.channel.clone())
    }
}
