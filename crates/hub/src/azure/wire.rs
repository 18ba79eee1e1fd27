//! JSON of which the connector asks less than the protocol's own types do: a row of a listing, and
//! configurations, whose content it passes on as it is.

use hubshift_azure::ConnectionState;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A module's row of a query over their twins.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ModuleRow {
    pub(super) device_id: String,
    pub(super) module_id: String,
    pub(super) etag: Option<String>,
    /// Taken for the etag of the module's identity. If it is not that, the module is read once
    /// more in every pass, and nothing is missed.
    pub(super) device_etag: Option<String>,
    pub(super) version: Option<i64>,
    pub(super) connection_state: Option<ConnectionState>,
    pub(super) last_activity_time: Option<String>,
}

/// A configuration, as it is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Configuration {
    pub(super) id: String,
    pub(super) schema_version: Option<String>,
    pub(super) labels: Option<Map<String, Value>>,
    pub(super) content: Option<Value>,
    pub(super) target_condition: Option<String>,
    pub(super) priority: Option<i64>,
    pub(super) metrics: Option<Metrics>,
    pub(super) created_time_utc: Option<String>,
    pub(super) last_updated_time_utc: Option<String>,
    pub(super) etag: Option<String>,
}

/// What a configuration counts. The results are the hub's own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metrics {
    pub(super) queries: Option<Map<String, Value>>,
}
