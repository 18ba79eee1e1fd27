//! One device as the hub stores it, and the two faces that it shows: identity and twin.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{
    Authentication, Capabilities, ConnectionState, Device, ErrorCode, ExportImportDevice,
    Properties, Status, Twin, TwinProperties, wire_time,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::activity::Activity;
use super::twin_state::TwinState;
use crate::answer::Refusal;

/// A device. `Debug` shows no key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) device_id: String,
    pub(crate) generation_id: String,
    pub(crate) etag: String,
    pub(crate) status: Status,
    pub(crate) status_reason: Option<String>,
    /// Text as on the wire.
    pub(crate) status_updated: String,
    pub(crate) authentication: Authentication,
    pub(crate) iot_edge: bool,
    pub(crate) twin: TwinState,
}

impl Record {
    pub(crate) fn check_etag(&self, if_match: &IfMatch) -> Result<(), Refusal> {
        check(if_match, &self.etag, "Device version did not match")
    }

    pub(crate) fn check_twin_etag(&self, if_match: &IfMatch) -> Result<(), Refusal> {
        check(if_match, &self.twin.etag(), "Twin version did not match")
    }

    pub(crate) fn device(&self, activity: Option<&Activity>, now: OffsetDateTime) -> Device {
        Device {
            device_id: self.device_id.clone(),
            generation_id: Some(self.generation_id.clone()),
            etag: Some(self.etag.clone()),
            connection_state: Some(connection_state(activity, now)),
            status: Some(self.status),
            status_reason: self.status_reason.clone(),
            connection_state_updated_time: Some(time(activity.map(|seen| seen.changed(now)))),
            status_updated_time: Some(self.status_updated.clone()),
            last_activity_time: Some(time(activity.map(|seen| seen.last))),
            cloud_to_device_message_count: Some(0),
            authentication: Some(self.authentication.clone()),
            capabilities: Some(Capabilities {
                iot_edge: self.iot_edge,
            }),
            device_scope: None,
            parent_scopes: None,
        }
    }

    pub(crate) fn twin(&self, activity: Option<&Activity>, now: OffsetDateTime) -> Value {
        let twin = Twin {
            device_id: self.device_id.clone(),
            etag: Some(self.twin.etag()),
            device_etag: Some(self.etag.clone()),
            status: Some(self.status),
            status_reason: self.status_reason.clone(),
            status_update_time: Some(self.status_updated.clone()),
            connection_state: Some(connection_state(activity, now)),
            last_activity_time: Some(time(activity.map(|seen| seen.last))),
            cloud_to_device_message_count: Some(0),
            authentication_type: Some(self.authentication.kind),
            x509_thumbprint: None,
            model_id: Some(String::new()),
            version: Some(self.twin.version),
            tags: Some(self.twin.tags.clone()),
            properties: Some(TwinProperties {
                desired: Some(self.twin.shown_desired()),
                reported: Some(self.twin.shown_reported()),
            }),
            capabilities: Some(Capabilities {
                iot_edge: self.iot_edge,
            }),
            device_scope: None,
            parent_scopes: None,
        };
        // The twin's types are all serialisable; an empty object would only ever be a bug.
        let mut value = serde_json::to_value(twin).unwrap_or_default();
        if let Value::Object(map) = &mut value {
            map.insert(
                "x509Thumbprint".to_owned(),
                Value::Object(self.capital_thumbprints()),
            );
        }
        value
    }

    /// The device as an export job writes it, keys included.
    pub(crate) fn entry(&self) -> ExportImportDevice {
        ExportImportDevice {
            id: self.device_id.clone(),
            etag: Some(self.etag.clone()),
            status: Some(self.status),
            status_reason: self.status_reason.clone(),
            authentication: Some(self.authentication.clone()),
            twin_etag: Some(self.twin.etag()),
            tags: Some(self.twin.tags.clone()),
            properties: Some(Properties {
                desired: Some(self.twin.desired().clone()),
                reported: Some(Map::new()),
            }),
            capabilities: Some(Capabilities {
                iot_edge: self.iot_edge,
            }),
            ..ExportImportDevice::default()
        }
    }

    /// Twins spell the thumbprints' names with a capital, identities do not.
    fn capital_thumbprints(&self) -> Map<String, Value> {
        let prints = self
            .authentication
            .x509_thumbprint
            .clone()
            .unwrap_or_default();
        [
            ("PrimaryThumbprint", prints.primary_thumbprint),
            ("SecondaryThumbprint", prints.secondary_thumbprint),
        ]
        .map(|(name, print)| (name.to_owned(), print.map_or(Value::Null, Value::String)))
        .into_iter()
        .collect()
    }
}

fn check(if_match: &IfMatch, current: &str, words: &str) -> Result<(), Refusal> {
    let IfMatch::Etag(given) = if_match else {
        return Ok(());
    };
    if given == current {
        return Ok(());
    }
    let words = format!("{words}, existingVersion:{current} newVersion:{given}");
    Err(Refusal::new(ErrorCode::PreconditionFailed, words))
}

fn connection_state(activity: Option<&Activity>, now: OffsetDateTime) -> ConnectionState {
    match activity {
        Some(seen) if seen.is_connected(now) => ConnectionState::Connected,
        _ => ConnectionState::Disconnected,
    }
}

fn time(time: Option<OffsetDateTime>) -> String {
    time.map_or_else(|| wire_time::NEVER.to_owned(), wire_time::write)
}

/// A record for tests.
#[cfg(test)]
pub(crate) fn sample(id: &str) -> Record {
    Record {
        device_id: id.to_owned(),
        generation_id: "635928930091746067".to_owned(),
        etag: "MTAw".to_owned(),
        status: Status::Enabled,
        status_reason: None,
        status_updated: wire_time::NEVER.to_owned(),
        authentication: Authentication::certificate_authority(),
        iot_edge: false,
        twin: TwinState::new(super::TwinChange::default(), OffsetDateTime::UNIX_EPOCH)
            .expect("an empty twin is legal"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_carries_the_identity_etag_and_no_key() {
        let key = hubshift_azure::Secret::new("Y2FuYXJ5");
        let authentication = Authentication::sas(key.clone(), key);
        let record = Record {
            authentication,
            ..sample("d")
        };
        let twin = record.twin(None, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(twin["deviceEtag"], "MTAw");
        assert_eq!(twin["etag"], "AAAAAAAAAAE=");
        assert_eq!(twin["lastActivityTime"], wire_time::NEVER);
        assert!(twin["x509Thumbprint"]["PrimaryThumbprint"].is_null());
        assert!(!twin.to_string().contains("Y2FuYXJ5"));
    }

    #[test]
    fn a_stale_etag_is_refused_with_both_versions() {
        let stale = IfMatch::parse("\"MA==\"");
        let refusal = sample("d").check_etag(&stale).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::PreconditionFailed);
        assert!(
            refusal
                .words
                .contains("existingVersion:MTAw newVersion:MA==")
        );
        assert!(sample("d").check_etag(&IfMatch::Any).is_ok());
    }
}
