//! The wire protocol of Azure IoT Hub, shared by the connector and the emulator.
//!
//! Owns the JSON of the registry REST API, tokens, ETags, error envelopes, connection strings, the
//! lines of an export file and the table of quotas. Nothing here opens a connection or keeps state.
//!
//! Keeps true: a key shows itself only where it is serialised on purpose. `Debug` and every
//! error text are free of keys, even when the input that failed had one in the wrong place.

pub mod api_version;
mod authentication;
mod bulk;
mod configuration;
mod connection_string;
pub mod device_id;
mod envelope;
mod error;
pub mod etag;
mod event_hub_endpoint;
mod export;
pub mod export_line;
mod fields;
pub mod headers;
mod identity;
mod job;
mod key_rotation;
pub mod limits;
mod module;
pub mod path;
pub mod quota;
mod rules;
pub mod sas;
mod scheduled_job;
mod secret;
mod statistics;
mod twin;
mod wire_enum;
pub mod wire_time;

pub use authentication::{AuthType, Authentication, SymmetricKey, X509Thumbprint};
pub use bulk::{BulkError, BulkResult, BulkWarning};
pub use configuration::{
    Configuration, ConfigurationContent, ConfigurationMetrics, QueriesTest, QueriesTestResult,
};
pub use connection_string::{
    ConnectionString, ConnectionStringError, EntraConnection, EntraCredential, EntraLogin,
    HubConnection, ManagementConnection, PUBLIC_AUTHORITY, PUBLIC_MANAGEMENT, is_host, origin,
};
pub use envelope::NumberedErrorBody;
pub use error::{ErrorBody, ErrorCode, HubAnswer};
pub use event_hub_endpoint::{AMQPS_PORT, EventHubEndpoint, EventHubEndpointError};
pub use export::{ExportImportDevice, ImportMode, Properties};
pub use fields::FieldError;
pub use identity::{Capabilities, ConnectionState, Device, Status};
pub use job::{
    CONFIGURATIONS_BLOB, DEVICES_BLOB, IMPORT_ERRORS_BLOB, ImportError, JobProperties, JobStatus,
    JobType, ManagedIdentity, StorageAuthenticationType,
};
pub use key_rotation::{
    KeyOwner, KeyRotation, KeyRotationError, KeyRotationResult, PolicyKey, RotatedKeys,
};
pub use module::Module;
pub use rules::{MAX_STATUS_REASON, Violation};
pub use scheduled_job::{CloudToDeviceMethod, DeviceJobStatistics, JobRequest, JobResponse};
pub use secret::{InvalidKey, NoRandomness, Secret};
pub use statistics::{RegistryStatistics, ServiceStatistics};
pub use twin::{Twin, TwinProperties};
pub use wire_enum::UnknownName;
