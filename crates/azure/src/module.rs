//! A module identity, as `GET /devices/{id}/modules/{mid}` gives it and `PUT` takes it.
//!
//! A module has no status of its own. What is said of keys and of `authentication` that is left
//! out holds as for devices; `managedBy` that is left out is cleared.

use serde::Serialize;

use crate::authentication::Authentication;
use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::identity::ConnectionState;

/// A module identity. Times are the hub's own text; see [`crate::wire_time`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// The id, unique on its device, case-sensitive.
    pub module_id: String,
    /// Who manages it: `iotEdge` for those of the Edge runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// Its device's id.
    pub device_id: String,
    /// The hub's mark of this incarnation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<String>,
    /// Changes on every write of the identity. Unquoted here, quoted in headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Whether it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_state: Option<ConnectionState>,
    /// When it last connected or disconnected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_state_updated_time: Option<String>,
    /// When it last connected, sent or received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_time: Option<String>,
    /// How many messages wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_to_device_message_count: Option<i64>,
    /// How it proves who it is. Absent on an update makes the hub mint new keys: always send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
}

impl Module {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            module_id: fields.string("moduleId")?.unwrap_or_default(),
            managed_by: fields.filled("managedBy")?,
            device_id: fields.string("deviceId")?.unwrap_or_default(),
            generation_id: fields.string("generationId")?,
            etag: fields.string("etag")?,
            connection_state: fields.choice("connectionState")?,
            connection_state_updated_time: fields.string("connectionStateUpdatedTime")?,
            last_activity_time: fields.string("lastActivityTime")?,
            cloud_to_device_message_count: fields.integer("cloudToDeviceMessageCount")?,
            authentication: fields.nested("authentication", Authentication::read)?,
        })
    }
}

deserialize_by_fields!(Module);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_module_reads_back_what_it_writes() {
        let json = json!({
            "moduleId": "$edgeAgent", "managedBy": "iotEdge", "deviceId": "edge",
            "generationId": "635928930091746067", "etag": "ODAxMjMyNDI2",
            "connectionState": "Disconnected", "cloudToDeviceMessageCount": 0,
            "authentication": {"type": "none"},
        });
        let module = Module::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&module).unwrap(), json);
    }
}
