//! A device as export jobs write it, and as import jobs and bulk calls take it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::authentication::Authentication;
use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::identity::{Capabilities, Status};
use crate::twin::plain;
use crate::wire_enum::wire_enum;

wire_enum! {
    /// What is to be done with an entry.
    pub enum ImportMode {
        /// Make it; it must not be there.
        Create = "create",
        /// Replace the identity, whatever its etag.
        Update = "update",
        /// Replace the identity if its etag is the entry's.
        UpdateIfMatchETag = "updateIfMatchETag",
        /// Make or replace it: what import jobs do when nothing is said.
        CreateOrUpdate = "createOrUpdate",
        /// Make it, or replace it if its etag is the entry's.
        CreateOrUpdateIfMatchETag = "createOrUpdateIfMatchETag",
        /// Remove it, whatever its etag.
        Delete = "delete",
        /// Remove it if its etag is the entry's.
        DeleteIfMatchETag = "deleteIfMatchETag",
        /// Replace tags and desired, whatever the twin's etag.
        UpdateTwin = "updateTwin",
        /// Replace tags and desired if the twin's etag is the entry's.
        UpdateTwinIfMatchETag = "updateTwinIfMatchETag",
    }
}

/// Desired and reported properties, without `$metadata` and `$version`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Properties {
    /// Set by the back end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<Map<String, Value>>,
    /// Set by the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reported: Option<Map<String, Value>>,
}

/// One line of an export file, or one entry of a bulk call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportImportDevice {
    /// The device's id.
    pub id: String,
    /// The module's id, where the line is a module's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// The identity's etag.
    #[serde(rename = "eTag", skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// What is to be done; not in exports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import_mode: Option<ImportMode>,
    /// Whether the device may connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// How the device proves who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,
    /// The twin's etag.
    #[serde(rename = "twinETag", skip_serializing_if = "Option::is_none")]
    pub twin_etag: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// Properties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub properties: Option<Properties>,
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

impl Properties {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            desired: fields.object("desired")?.map(plain),
            reported: fields.object("reported")?.map(plain),
        })
    }
}

impl ExportImportDevice {
    /// What is to be done with it: make or replace it, if it does not say.
    pub fn mode(&self) -> ImportMode {
        self.import_mode.unwrap_or(ImportMode::CreateOrUpdate)
    }

    /// The desired properties, if the entry has any.
    pub fn desired(&self) -> Option<&Map<String, Value>> {
        self.properties.as_ref()?.desired.as_ref()
    }

    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            id: fields.string("id")?.unwrap_or_default(),
            module_id: fields.filled("moduleId")?,
            etag: fields.filled("eTag")?,
            import_mode: fields.choice("importMode")?,
            status: fields.choice("status")?,
            status_reason: fields.string("statusReason")?,
            authentication: fields.nested("authentication", Authentication::read)?,
            twin_etag: fields.filled("twinETag")?,
            tags: fields.object("tags")?,
            properties: fields.nested("properties", Properties::read)?,
            capabilities: fields.nested("capabilities", Capabilities::read)?,
            device_scope: fields.filled("deviceScope")?,
            parent_scopes: fields.strings("parentScopes")?,
        })
    }
}

deserialize_by_fields!(ExportImportDevice);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modes_and_keys_are_read_in_any_case() {
        let entry = ExportImportDevice::from_value(
            json!({"id": "d", "ImportMode": "UpdateIfMatchETag", "etag": "MA==", "generationId": "1"}),
        );
        let entry = entry.unwrap();
        assert_eq!(entry.import_mode, Some(ImportMode::UpdateIfMatchETag));
        assert_eq!(entry.etag.as_deref(), Some("MA=="));
    }

    #[test]
    fn metadata_does_not_come_in() {
        let entry = ExportImportDevice::from_value(
            json!({"id": "d", "properties": {"desired": {"$version": 1, "a": 1}}}),
        );
        assert_eq!(entry.unwrap().desired(), json!({"a": 1}).as_object());
    }
}
