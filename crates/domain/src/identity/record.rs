//! The canonical record of a device, module or configuration: what must be equal at two hubs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Fingerprint, FingerprintKey, canonical_json};
use crate::epoch::Epoch;
use crate::hub_state::named;
use crate::id::HubId;

/// Which life of a device id this is: 1 for the first, one more each time the authority hub shows
/// a new generation id for it.
pub type Incarnation = u32;

named!(
    /// How a device proves who it is.
    CredentialKind {
        /// Two symmetric keys.
        Sas = "sas",
        /// Two certificate thumbprints.
        SelfSigned = "self_signed",
        /// A certificate signed by an authority that the hub trusts.
        Ca = "ca",
        /// Nothing: the device can't connect.
        None = "none",
    }
);

/// A credential without its secret. The unit is atomic: slots are never mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// How the device proves who it is.
    pub kind: CredentialKind,
    /// Keyed fingerprint over kind, keys and thumbprints: equal credentials have equal ones.
    pub fingerprint: Fingerprint,
}

/// What must be equal at two hubs for one device. Tags and desired come without `$` members.
///
/// Modules and configurations are records as well. They have no status, no capabilities and no
/// parent beside the one that a module's key names; a configuration's content, a text, stands in
/// `desired`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Whether the device may connect.
    pub enabled: bool,
    /// Why it was disabled, at most 128 characters.
    pub status_reason: Option<String>,
    /// How the device proves who it is.
    pub credential: Credential,
    /// Whether the device is an edge gateway.
    pub iot_edge: bool,
    /// The logical id of the parent gateway.
    pub parent: Option<String>,
    /// Who manages it, of a module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// Tags of the back end, at most 8 KB.
    pub tags: Map<String, Value>,
    /// Desired properties, at most 32 KB.
    pub desired: Map<String, Value>,
}

impl Record {
    /// The canonical text: what the fingerprint is taken over. A record that nobody manages has the
    /// text that it had before there were managers.
    pub fn canonical(&self) -> String {
        let mut form = json!({
            "enabled": self.enabled,
            "statusReason": self.status_reason,
            "credential": {
                "kind": self.credential.kind.as_str(),
                "fingerprint": self.credential.fingerprint.to_string(),
            },
            "iotEdge": self.iot_edge,
            "parent": self.parent,
            "tags": self.tags,
            "desired": self.desired,
        });
        if let Some(managed_by) = &self.managed_by {
            form["managedBy"] = managed_by.as_str().into();
        }
        canonical_json(&form)
    }

    /// The record's fingerprint under the fleet's key; the device id is part of it.
    pub fn fingerprint(&self, key: &FingerprintKey, device_id: &str) -> Fingerprint {
        key.fingerprint(&format!("record:{device_id}"), self.canonical().as_bytes())
    }
}

/// Who wrote a value and when, in our own order: never by a hub's clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The epoch under which it was written.
    pub epoch: Epoch,
    /// The journal's sequence number; 0 for what was found at a hub and not written by us.
    pub sequence: i64,
    /// The hub at which it was written.
    pub origin: HubId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            enabled: true,
            status_reason: None,
            credential: Credential {
                kind: CredentialKind::Sas,
                fingerprint: Fingerprint([1; 16]),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: Map::new(),
            desired: Map::new(),
        }
    }

    #[test]
    fn every_replicated_field_moves_the_fingerprint() {
        let key = FingerprintKey::new([3; 32]);
        let base = record();
        let print = base.fingerprint(&key, "d1");
        let mut changed = vec![base.clone(); 9];
        changed[0].enabled = false;
        changed[1].status_reason = Some("lost".into());
        changed[2].credential.kind = CredentialKind::Ca;
        changed[3].credential.fingerprint = Fingerprint([2; 16]);
        changed[4].iot_edge = true;
        changed[5].tags.insert("site".into(), json!("x"));
        changed[6].desired.insert("rate".into(), json!(1));
        changed[7].parent = Some("gateway".into());
        changed[8].managed_by = Some("iotEdge".into());
        for record in &changed {
            assert_ne!(record.fingerprint(&key, "d1"), print, "{record:?}");
        }
        assert_ne!(base.fingerprint(&key, "d2"), print);
    }

    #[test]
    fn what_nobody_manages_is_written_as_before() {
        assert!(!record().canonical().contains("managedBy"));
        let json = serde_json::to_value(record()).unwrap();
        assert_eq!(json.get("managed_by"), None);
        assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record());
    }
}
