//! A device twin: what operators set (tags, desired) and what the device reports.
//!
//! The hub keeps `$metadata` and `$version` inside the property bags. They are the hub's own and
//! never travel to another hub: `plain` takes them off.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::authentication::{AuthType, X509Thumbprint};
use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::identity::{Capabilities, ConnectionState, Status};

/// The two property bags, with the hub's `$metadata` and `$version` inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TwinProperties {
    /// Set by the back end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<Map<String, Value>>,
    /// Set by the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<Map<String, Value>>,
}

/// A twin, as `GET /twins/{id}` and queries give it. Never has keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Twin {
    /// The device's id.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub device_id: String,
    /// The module's id, where the twin is a module's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// Changes on writes of tags or desired only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The etag of the identity (the module's, where the twin is a module's): tells that the identity changed without reading it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_etag: Option<String>,
    /// Whether the device may connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// When `status` last changed. (The identity spells it `statusUpdatedTime`.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_update_time: Option<String>,
    /// Whether the device is connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection_state: Option<ConnectionState>,
    /// When the device last connected, sent or received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_activity_time: Option<String>,
    /// How many messages wait for the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_to_device_message_count: Option<i64>,
    /// How the device proves who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication_type: Option<AuthType>,
    /// Its thumbprints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x509_thumbprint: Option<X509Thumbprint>,
    /// The plug-and-play model, empty where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// Rises with every write of tags, desired or reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// What operators noted; devices do not see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// Desired and reported properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<TwinProperties>,
    /// What the device can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// The Edge scope it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    /// The scopes of its parents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_scopes: Option<Vec<String>>,
}

/// The properties without the hub's own `$metadata` and `$version`.
pub(crate) fn plain(mut properties: Map<String, Value>) -> Map<String, Value> {
    properties.remove("$metadata");
    properties.remove("$version");
    properties
}

impl TwinProperties {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            desired: fields.object("desired")?,
            reported: fields.object("reported")?,
        })
    }
}

impl Twin {
    /// The desired properties without `$metadata` and `$version`.
    pub fn plain_desired(&self) -> Map<String, Value> {
        self.desired().cloned().map(plain).unwrap_or_default()
    }

    /// The desired properties' `$version`, if the hub gave one.
    pub fn desired_version(&self) -> Option<i64> {
        self.desired()?.get("$version")?.as_i64()
    }

    fn desired(&self) -> Option<&Map<String, Value>> {
        self.properties.as_ref()?.desired.as_ref()
    }

    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            device_id: fields.string("deviceId")?.unwrap_or_default(),
            module_id: fields.filled("moduleId")?,
            etag: fields.string("etag")?,
            device_etag: fields.string("deviceEtag")?,
            status: fields.choice("status")?,
            status_reason: fields.string("statusReason")?,
            status_update_time: fields.string("statusUpdateTime")?,
            connection_state: fields.choice("connectionState")?,
            last_activity_time: fields.string("lastActivityTime")?,
            cloud_to_device_message_count: fields.integer("cloudToDeviceMessageCount")?,
            authentication_type: fields.choice("authenticationType")?,
            x509_thumbprint: fields.nested("x509Thumbprint", X509Thumbprint::read)?,
            model_id: fields.string("modelId")?,
            version: fields.integer("version")?,
            tags: fields.object("tags")?,
            properties: fields.nested("properties", TwinProperties::read)?,
            capabilities: fields.nested("capabilities", Capabilities::read)?,
            device_scope: fields.filled("deviceScope")?,
            parent_scopes: fields.strings("parentScopes")?,
        })
    }
}

deserialize_by_fields!(Twin);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metadata_and_version_come_off_the_top_level_only() {
        let twin = Twin::from_value(json!({"deviceId": "d", "properties": {"desired":
            {"$version": 7, "$metadata": {"$lastUpdated": "x"}, "a": {"b": 1}}}}));
        let twin = twin.unwrap();
        assert_eq!(Value::Object(twin.plain_desired()), json!({"a": {"b": 1}}));
        assert_eq!(twin.desired_version(), Some(7));
    }

    #[test]
    fn case_inside_tags_is_kept() {
        let twin = Twin::from_value(json!({"TAGS": {"Room": 1, "room": 2}})).unwrap();
        assert_eq!(twin.tags.unwrap().len(), 2);
    }
}
