//! Devices as hubs hold them, and in the same words modules and configurations.
//!
//! A module has no status and no capabilities. A configuration has an identity without
//! credentials; its content, metrics and schema stand in `desired`, its labels, priority and
//! target condition in `tags`, and its one etag in both places.

use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::credentials::Credentials;

/// Who a device, module or configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The key, see [`crate::Key`]: a device's id, or what names a module or configuration.
    pub device_id: String,
    /// Whether it may connect. Only a device can be kept from it.
    pub enabled: bool,
    /// Why, at most 128 characters.
    pub status_reason: Option<String>,
    /// How it proves who it is.
    pub credentials: Credentials,
    /// Whether it is an Edge device.
    pub iot_edge: bool,
    /// The id of the edge device above it, whatever scope that has at this hub.
    pub parent: Option<String>,
    /// Who manages it, of a module: `iotEdge` for those of an edge deployment.
    pub managed_by: Option<String>,
}

/// A device as it is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceWrite {
    /// The identity, whole.
    pub identity: Identity,
    /// All tags.
    pub tags: Map<String, Value>,
    /// All desired properties, without the hub's own `$metadata` and `$version`.
    pub desired: Map<String, Value>,
}

/// A device as the hub holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubDevice {
    /// The identity.
    pub identity: Identity,
    /// All tags.
    pub tags: Map<String, Value>,
    /// All desired properties, without the hub's own `$metadata` and `$version`.
    pub desired: Map<String, Value>,
    /// The hub's mark of this incarnation: another one when the device is deleted and made again.
    pub generation_id: String,
    /// Moves with every write of the identity, and with nothing else; of a configuration with
    /// every write. Unquoted.
    pub identity_etag: String,
    /// Moves with every write of tags or desired. Unquoted.
    pub twin_etag: String,
    /// Rises with every write of the twin, or of the configuration.
    pub twin_version: i64,
    /// Rises with every write of desired; devices remember it.
    pub desired_version: i64,
}

/// The etags under which the parts of a device are written. A part without one is left alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EtagPair {
    /// Write the identity if this is its etag.
    pub identity: Option<String>,
    /// Write tags and desired if this is the twin's etag.
    pub twin: Option<String>,
}

/// One row of a hub's listing. It may be older than the hub's `read_lag` says; never take an
/// absent row for a deleted device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The key.
    pub device_id: String,
    /// The identity's etag: tells that keys or status changed without reading them. Empty where
    /// the listing does not say it.
    pub identity_etag: String,
    /// The twin's etag.
    pub twin_etag: String,
    /// The twin's version.
    pub twin_version: i64,
    /// Whether the device is connected.
    pub connected: bool,
    /// When the device last connected, sent or received; nothing if never.
    pub last_activity: Option<OffsetDateTime>,
}

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows.
    pub rows: Vec<Summary>,
    /// Where the next page starts; nothing on the last.
    pub next: Option<String>,
}

/// How many devices a hub has, as it counts them: no modules, no configurations. The count may
/// lag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All.
    pub total: u64,
    /// Those that may connect.
    pub enabled: u64,
    /// Those that may not.
    pub disabled: u64,
}
