//! What a hub's listing tells of one device or module. It never has keys.

use std::collections::BTreeMap;

use hubshift_azure::{AuthType, Status, Twin};
use serde_json::{Map, Value};

use crate::hub::SurveyError;
use crate::print::Print;

/// Everything that one hub lists, by key: `device` or `device/module`.
pub type Side = BTreeMap<String, Seen>;

/// One device or module.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub(crate) enabled: bool,
    pub(crate) status_reason: Option<String>,
    pub(crate) authentication: Option<AuthType>,
    pub(crate) thumbprints: [Option<String>; 2],
    pub(crate) iot_edge: bool,
    /// The hub's own name for the scope that the device opens or belongs to.
    pub(crate) scope: Option<String>,
    /// The parent's id, read from the scope.
    pub(crate) parent: Option<String>,
    pub(crate) tags: Print,
    pub(crate) desired: Print,
    pub(crate) reports: bool,
    pub(crate) waiting_messages: u64,
}

impl Seen {
    /// A row of a query over devices or modules, with its key.
    pub(crate) fn read(row: Value) -> Result<(String, Self), SurveyError> {
        let module = row
            .get("moduleId")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .map(str::to_owned);
        let twin = Twin::from_value(row).map_err(|_| SurveyError::Unreadable)?;
        if twin.device_id.is_empty() {
            return Err(SurveyError::Unreadable);
        }
        let key = match module {
            Some(module) => format!("{}/{module}", twin.device_id),
            None => twin.device_id.clone(),
        };
        Ok((key, Self::of(twin)))
    }

    fn of(twin: Twin) -> Self {
        let desired = twin.plain_desired();
        let iot_edge = twin.capabilities.unwrap_or_default().iot_edge;
        let above = if iot_edge {
            twin.parent_scopes
                .and_then(|scopes| scopes.into_iter().next())
        } else {
            twin.device_scope.clone()
        };
        let prints = twin.x509_thumbprint.unwrap_or_default();
        let reported = twin.properties.and_then(|both| both.reported);
        Self {
            enabled: twin.status != Some(Status::Disabled),
            status_reason: twin.status_reason.filter(|reason| !reason.is_empty()),
            authentication: twin.authentication_type,
            thumbprints: [prints.primary_thumbprint, prints.secondary_thumbprint],
            iot_edge,
            scope: twin.device_scope,
            parent: above
                .as_deref()
                .and_then(device_of_scope)
                .map(str::to_owned),
            tags: Print::of(&twin.tags.unwrap_or_default()),
            desired: Print::of(&desired),
            reports: reported.as_ref().is_some_and(has_own),
            waiting_messages: u64::try_from(twin.cloud_to_device_message_count.unwrap_or(0))
                .unwrap_or(0),
        }
    }

    pub(crate) fn is_authority(&self) -> bool {
        self.authentication == Some(AuthType::CertificateAuthority)
    }
}

/// Members beside the hub's own `$metadata` and `$version`.
fn has_own(reported: &Map<String, Value>) -> bool {
    reported.keys().any(|name| !name.starts_with('$'))
}

/// The device of `ms-azure-iot-edge://<id>-<ticks>`.
fn device_of_scope(scope: &str) -> Option<&str> {
    let (id, ticks) = scope
        .strip_prefix("ms-azure-iot-edge://")?
        .rsplit_once('-')?;
    let is_scope = !id.is_empty() && !ticks.is_empty() && ticks.bytes().all(|b| b.is_ascii_digit());
    is_scope.then_some(id)
}

#[cfg(test)]
pub(crate) fn sample(row: Value) -> (String, Seen) {
    Seen::read(row).expect("a good row")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parent_is_read_from_the_scope_that_is_above() {
        let leaf = sample(json!({"deviceId": "leaf", "status": "enabled",
            "deviceScope": "ms-azure-iot-edge://gate-1-637", "parentScopes": []}));
        assert_eq!(leaf.1.parent.as_deref(), Some("gate-1"));
        let edge = sample(
            json!({"deviceId": "inner", "capabilities": {"iotEdge": true},
            "deviceScope": "ms-azure-iot-edge://inner-638",
            "parentScopes": ["ms-azure-iot-edge://outer-637"]}),
        );
        assert_eq!(edge.1.parent.as_deref(), Some("outer"));
        let alone = sample(json!({"deviceId": "d"}));
        assert_eq!(alone.1.parent, None);
    }

    #[test]
    fn a_module_has_a_key_of_its_own() {
        let (key, _) = sample(json!({"deviceId": "d", "moduleId": "m"}));
        assert_eq!(key, "d/m");
        assert!(Seen::read(json!({"moduleId": "m"})).is_err());
    }

    #[test]
    fn what_the_hub_notes_itself_is_no_report() {
        let row = |reported: Value| {
            sample(json!({"deviceId": "d", "properties": {"reported": reported}})).1
        };
        assert!(!row(json!({"$version": 1, "$metadata": {}})).reports);
        assert!(row(json!({"$version": 2, "battery": 4})).reports);
    }
}
