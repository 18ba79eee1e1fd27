//! The wire protocol of Azure IoT Hub, shared by the connector and the emulator.
//!
//! Owns the JSON of the registry REST API, tokens, ETags, error envelopes, connection strings and
//! the lines of an export file. Nothing here opens a connection or keeps state.
//!
//! Keeps true: a key shows itself only where it is serialised on purpose. `Debug` and every
//! error text are free of keys, even when the input that failed had one in the wrong place.

pub mod api_version;
mod authentication;
mod bulk;
mod connection_string;
pub mod device_id;
mod error;
pub mod etag;
mod event_hub_endpoint;
mod export;
pub mod export_line;
mod fields;
pub mod headers;
mod identity;
pub mod limits;
pub mod path;
mod rules;
pub mod sas;
mod secret;
mod statistics;
mod twin;
mod wire_enum;
pub mod wire_time;

pub use authentication::{AuthType, Authentication, SymmetricKey, X509Thumbprint};
pub use bulk::{BulkError, BulkResult, BulkWarning};
pub use connection_string::{ConnectionString, ConnectionStringError, is_host};
pub use error::{ErrorBody, ErrorCode, HubAnswer};
pub use event_hub_endpoint::{AMQPS_PORT, EventHubEndpoint, EventHubEndpointError};
pub use export::{ExportImportDevice, ImportMode, Properties};
pub use fields::FieldError;
pub use identity::{Capabilities, ConnectionState, Device, Status};
pub use rules::{MAX_STATUS_REASON, Violation};
pub use secret::{InvalidKey, NoRandomness, Secret};
pub use statistics::{RegistryStatistics, ServiceStatistics};
pub use twin::{Twin, TwinProperties};
pub use wire_enum::UnknownName;
