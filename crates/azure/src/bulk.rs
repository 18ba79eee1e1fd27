//! The answer to a bulk call. The same body comes with 200 and, on any failure, with 400.

use serde::{Deserialize, Serialize};

/// What a bulk call did. There is no "partial": entries without an error were applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkResult {
    /// Whether every entry was applied.
    pub is_successful: bool,
    /// One for each entry that was not.
    pub errors: Vec<BulkError>,
    /// Entries that were applied in part.
    pub warnings: Vec<BulkWarning>,
}

/// Why one entry was not applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkError {
    /// The entry's device.
    pub device_id: String,
    /// The entry's module, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// An error name; see [`crate::ErrorCode`].
    pub error_code: String,
    /// Words.
    pub error_status: String,
    /// The import mode that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// What is odd about an entry that was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BulkWarning {
    /// The entry's device.
    pub device_id: String,
    /// `DeviceRegisteredWithoutTwin`.
    pub warning_code: String,
    /// Words.
    pub warning_status: String,
}
