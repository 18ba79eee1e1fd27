//! New keys for up to 100 devices and modules: `POST /devices/keys/regenerate`.

use serde::Serialize;

use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::secret::Secret;
use crate::wire_enum::wire_enum;

wire_enum! {
    /// Which key is to be made anew.
    pub enum PolicyKey {
        /// The first.
        Primary = "primaryKey",
        /// The second.
        Secondary = "secondaryKey",
        /// Both.
        Both = "both",
    }
}

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRotation {
    /// Which key; nothing if the name is none of the three.
    pub policy_key: Option<PolicyKey>,
    /// Whose.
    pub devices: Vec<KeyOwner>,
}

/// A device or a module of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyOwner {
    /// The device's id.
    pub id: String,
    /// The module's id, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRotationResult {
    /// Which key was made anew.
    pub policy_key: PolicyKey,
    /// Those that have new keys.
    pub rotated_keys: Vec<RotatedKeys>,
    /// Those that have not.
    pub errors: Vec<KeyRotationError>,
}

/// The keys of one owner, after the change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RotatedKeys {
    /// Whose.
    #[serde(flatten)]
    pub owner: KeyOwner,
    /// The first key.
    pub primary_key: Secret,
    /// The second key.
    pub secondary_key: Secret,
}

/// Why one owner has no new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRotationError {
    /// Who.
    #[serde(flatten)]
    pub owner: KeyOwner,
    /// An error name; see [`crate::ErrorCode`].
    pub error_code: String,
    /// Words.
    pub error_status: String,
}

impl KeyRotation {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            policy_key: fields
                .string("policyKey")?
                .and_then(|name| name.parse().ok()),
            devices: fields.list("devices", KeyOwner::read)?.unwrap_or_default(),
        })
    }
}

impl KeyOwner {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            id: fields.string("id")?.unwrap_or_default(),
            module_id: fields.filled("moduleId")?,
        })
    }
}

deserialize_by_fields!(KeyRotation);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_az_sends_is_read() {
        let sent = json!({"policyKey": "primaryKey", "devices": [{"id": "d1"}]});
        let read = KeyRotation::from_value(sent).unwrap();
        assert_eq!(read.policy_key, Some(PolicyKey::Primary));
        assert_eq!(
            (read.devices[0].id.as_str(), &read.devices[0].module_id),
            ("d1", &None)
        );
    }

    #[test]
    fn an_unknown_key_is_none() {
        let read = KeyRotation::from_value(json!({"policyKey": "Unknown", "devices": []}));
        assert_eq!(read.unwrap().policy_key, None);
    }

    #[test]
    fn the_answer_has_owner_and_keys_side_by_side_and_debug_has_no_key() {
        let owner = KeyOwner {
            id: "d".to_owned(),
            module_id: Some("m".to_owned()),
        };
        let keys = RotatedKeys {
            owner,
            primary_key: Secret::new("canary1"),
            secondary_key: Secret::new("canary2"),
        };
        let expected = json!({
            "id": "d", "moduleId": "m", "primaryKey": "canary1", "secondaryKey": "canary2"});
        assert_eq!(serde_json::to_value(&keys).unwrap(), expected);
        assert!(!format!("{keys:?}").contains("canary"));
    }
}
