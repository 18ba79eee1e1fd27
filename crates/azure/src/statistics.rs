//! Counts that a hub keeps of its devices. On the real hub they lag.

use serde::{Deserialize, Serialize};

/// `GET /statistics/devices`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryStatistics {
    /// All devices.
    pub total_device_count: i64,
    /// Those that may connect.
    pub enabled_device_count: i64,
    /// Those that may not.
    pub disabled_device_count: i64,
}

/// `GET /statistics/service`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatistics {
    /// Devices that are connected now.
    pub connected_device_count: i64,
}
