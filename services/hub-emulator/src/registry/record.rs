//! One device as the hub stores it, and the faces that it shows: identity, twin, export lines.
//!
//! A record owns its modules: they come with it, are written with it and go with it.

use std::collections::BTreeMap;

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{
    Authentication, Capabilities, ConnectionState, Device, ErrorCode, ExportImportDevice,
    Properties, Status, Twin, TwinProperties, wire_time,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::activity::Activity;
use super::module::ModuleRecord;
use super::scope::Place;
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
    /// An Edge device's own scope, a leaf's parent's.
    #[serde(default)]
    pub(crate) device_scope: Option<String>,
    /// The parent's scope, if there is a parent.
    #[serde(default)]
    pub(crate) parent_scopes: Vec<String>,
    pub(crate) twin: TwinState,
    /// By module id.
    #[serde(default)]
    pub(crate) modules: BTreeMap<String, ModuleRecord>,
}

impl Record {
    pub(crate) fn check_etag(&self, if_match: &IfMatch) -> Result<(), Refusal> {
        check_etag(if_match, &self.etag, "Device version did not match")
    }

    pub(crate) fn check_twin_etag(&self, if_match: &IfMatch) -> Result<(), Refusal> {
        check_etag(if_match, &self.twin.etag(), "Twin version did not match")
    }

    /// The same device at another place in the tree.
    pub(super) fn at(&self, place: Place) -> Self {
        Self {
            device_scope: place.device_scope,
            parent_scopes: place.parent_scopes,
            ..self.clone()
        }
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
            device_scope: self.device_scope.clone(),
            parent_scopes: self.shown_parents(),
        }
    }

    pub(crate) fn twin(&self, activity: Option<&Activity>, now: OffsetDateTime) -> Value {
        let twin = Twin {
            device_id: self.device_id.clone(),
            module_id: None,
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
            device_scope: self.device_scope.clone(),
            parent_scopes: self.shown_parents(),
        };
        shown_twin(twin, &self.authentication)
    }

    /// The device and its modules as an export job writes them, keys included.
    pub(crate) fn entries(&self) -> impl Iterator<Item = ExportImportDevice> {
        let modules = self.modules.values();
        let modules = modules.map(move |module| module.entry(&self.device_id));
        std::iter::once(self.entry()).chain(modules)
    }

    fn entry(&self) -> ExportImportDevice {
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
                reported: Some(self.twin.reported().clone()),
            }),
            capabilities: Some(Capabilities {
                iot_edge: self.iot_edge,
            }),
            device_scope: self.device_scope.clone(),
            parent_scopes: self.shown_parents(),
            ..ExportImportDevice::default()
        }
    }

    /// The hub shows no empty list.
    fn shown_parents(&self) -> Option<Vec<String>> {
        Some(self.parent_scopes.clone()).filter(|scopes| !scopes.is_empty())
    }
}

/// The JSON of a twin. Twins spell the thumbprints' names with a capital, identities do not.
pub(super) fn shown_twin(twin: Twin, authentication: &Authentication) -> Value {
    // The twin's types are all serialisable; an empty object would only ever be a bug.
    let mut value = serde_json::to_value(twin).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        let prints = Value::Object(capital_thumbprints(authentication));
        map.insert("x509Thumbprint".to_owned(), prints);
    }
    value
}

fn capital_thumbprints(authentication: &Authentication) -> Map<String, Value> {
    let prints = authentication.x509_thumbprint.clone().unwrap_or_default();
    [
        ("PrimaryThumbprint", prints.primary_thumbprint),
        ("SecondaryThumbprint", prints.secondary_thumbprint),
    ]
    .map(|(name, print)| (name.to_owned(), print.map_or(Value::Null, Value::String)))
    .into_iter()
    .collect()
}

/// Whether a write under this condition may be done; the words say what it is the version of.
pub(super) fn check_etag(if_match: &IfMatch, current: &str, words: &str) -> Result<(), Refusal> {
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
        device_scope: None,
        parent_scopes: Vec::new(),
        modules: BTreeMap::new(),
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
