//! A device identity, as `GET /devices/{id}` gives it and `PUT` takes it.

use serde::Serialize;

use crate::authentication::Authentication;
use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::wire_enum::wire_enum;

wire_enum! {
    /// Whether the device may connect.
    pub enum Status {
        /// It may.
        Enabled = "enabled",
        /// It may not.
        Disabled = "disabled",
    }
}

wire_enum! {
    /// Whether the device is connected now.
    pub enum ConnectionState {
        /// It is.
        Connected = "Connected",
        /// It is not.
        Disconnected = "Disconnected",
    }
}

/// What the device can be. Immutable for leaf and Edge alike in practice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Whether the device is an IoT Edge device.
    pub iot_edge: bool,
}

/// A device identity. Times are the hub's own text; see [`crate::wire_time`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// The id, 1 to 128 characters, case-sensitive.
    pub device_id: String,
    /// The hub's mark of this incarnation: new when the device is deleted and made again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation_id: Option<String>,
    /// Changes on every identity write. Unquoted here, quoted in headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Whether it is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_state: Option<ConnectionState>,
    /// Whether it may connect. Absent on a write means enabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Why it is disabled or enabled, at most 128 characters.
    pub status_reason: Option<String>,
    /// When it last connected or disconnected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_state_updated_time: Option<String>,
    /// When `status` last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_updated_time: Option<String>,
    /// When it last connected, sent or received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_time: Option<String>,
    /// How many messages wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_to_device_message_count: Option<i64>,
    /// How it proves who it is. Absent on an update makes the hub mint new keys: always send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// What it can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// The Edge scope it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    /// The scopes of its parents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_scopes: Option<Vec<String>>,
}

impl Capabilities {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            iot_edge: fields.boolean("iotEdge")?.unwrap_or(false),
        })
    }
}

impl Device {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            device_id: fields.string("deviceId")?.unwrap_or_default(),
            generation_id: fields.string("generationId")?,
            etag: fields.string("etag")?,
            connection_state: fields.choice("connectionState")?,
            status: fields.choice("status")?,
            status_reason: fields.string("statusReason")?,
            connection_state_updated_time: fields.string("connectionStateUpdatedTime")?,
            status_updated_time: fields.string("statusUpdatedTime")?,
            last_activity_time: fields.string("lastActivityTime")?,
            cloud_to_device_message_count: fields.integer("cloudToDeviceMessageCount")?,
            authentication: fields.nested("authentication", Authentication::read)?,
            capabilities: fields.nested("capabilities", Capabilities::read)?,
            device_scope: fields.filled("deviceScope")?,
            parent_scopes: fields.strings("parentScopes")?,
        })
    }
}

deserialize_by_fields!(Device);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_device_reads_back_what_it_writes() {
        let json = json!({
            "deviceId": "d1", "generationId": "635928930091746067", "etag": "ODAxMjMyNDI2",
            "connectionState": "Disconnected", "status": "disabled", "statusReason": "stolen",
            "authentication": {"type": "selfSigned",
                "x509Thumbprint": {"primaryThumbprint": "AB", "secondaryThumbprint": null}},
            "capabilities": {"iotEdge": false},
        });
        let device = Device::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&device).unwrap(), json);
    }

    #[test]
    fn unknown_fields_of_newer_hubs_are_ignored() {
        let device = Device::from_value(json!({"deviceId": "d1", "policyResourceId": {}}));
        assert_eq!(device.unwrap().device_id, "d1");
    }
}
