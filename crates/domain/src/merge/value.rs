//! A side as JSON, as conflict rows, plans and rescue reports hold it: readable, and without
//! secrets, as a credential is its kind and the hexadecimal text of its fingerprint.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::side::{HoldId, Live, Side, Tombstone, TombstoneReason};
use crate::identity::{Credential, CredentialKind, Fingerprint, Incarnation, Record, Stamp};

/// Why a stored value is not a side or a field of a record.
#[derive(Debug, thiserror::Error)]
pub enum BadValue {
    /// It does not have the shape that we write.
    #[error("a stored side does not have the expected shape")]
    Shape(#[from] serde_json::Error),
    /// A fingerprint is 32 hexadecimal digits.
    #[error("`{0}` is not a fingerprint: 32 hexadecimal digits")]
    Fingerprint(String),
}

/// The side as JSON; `None` when nothing is known.
pub fn side_value(side: &Side) -> Option<Value> {
    match side {
        Side::Absent => None,
        Side::Live(live) => Some(json!({"live": {
            "incarnation": live.incarnation,
            "record": record_value(&live.record),
            "stamp": live.stamp,
            "hold": live.hold,
        }})),
        Side::Dead(tombstone) => Some(json!({"dead": tombstone})),
    }
}

/// The record as JSON.
pub fn record_value(record: &Record) -> Value {
    let mut value = json!({
        "enabled": record.enabled,
        "statusReason": record.status_reason,
        "credential": {
            "kind": record.credential.kind.as_str(),
            "fingerprint": record.credential.fingerprint.to_string(),
        },
        "iotEdge": record.iot_edge,
        "parent": record.parent,
        "tags": record.tags,
        "desired": record.desired,
    });
    if let Some(managed_by) = &record.managed_by {
        value["managedBy"] = managed_by.as_str().into();
    }
    value
}

/// Reads back what [`side_value`] wrote.
pub fn side_from_value(value: Option<&Value>) -> Result<Side, BadValue> {
    let Some(value) = value else {
        return Ok(Side::Absent);
    };
    Ok(match SideForm::deserialize(value)? {
        SideForm::Live(form) => Side::Live(Live {
            incarnation: form.incarnation,
            record: form.record.try_into()?,
            stamp: form.stamp,
            hold: form.hold,
        }),
        SideForm::Dead(form) => Side::Dead(Tombstone {
            incarnation: form.incarnation,
            stamp: form.stamp,
            reason: form.reason,
        }),
    })
}

/// Reads a credential from a conflict row.
pub(super) fn credential_from_value(value: &Value) -> Result<Credential, BadValue> {
    CredentialForm::deserialize(value)?.try_into()
}

/// Reads status and reason from a conflict row.
pub(super) fn access_from_value(value: &Value) -> Result<(bool, Option<String>), BadValue> {
    let form = AccessForm::deserialize(value)?;
    Ok((form.enabled, form.status_reason))
}

/// Reads capability and manager from a conflict row.
pub(super) fn capability_from_value(value: &Value) -> Result<(bool, Option<String>), BadValue> {
    if let Value::Bool(iot_edge) = value {
        return Ok((*iot_edge, None));
    }
    let form = CapabilityForm::deserialize(value)?;
    Ok((form.iot_edge, form.managed_by))
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideForm {
    Live(LiveForm),
    Dead(DeadForm),
}

#[derive(Deserialize)]
struct LiveForm {
    incarnation: Incarnation,
    record: RecordForm,
    stamp: Stamp,
    hold: Option<HoldId>,
}

#[derive(Deserialize)]
struct DeadForm {
    incarnation: Incarnation,
    stamp: Stamp,
    reason: TombstoneReason,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessForm {
    enabled: bool,
    status_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CapabilityForm {
    iot_edge: bool,
    managed_by: Option<String>,
}

#[derive(Deserialize)]
struct CredentialForm {
    kind: CredentialKind,
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordForm {
    enabled: bool,
    status_reason: Option<String>,
    credential: CredentialForm,
    iot_edge: bool,
    parent: Option<String>,
    managed_by: Option<String>,
    tags: Map<String, Value>,
    desired: Map<String, Value>,
}

impl TryFrom<CredentialForm> for Credential {
    type Error = BadValue;
    fn try_from(form: CredentialForm) -> Result<Self, BadValue> {
        Ok(Credential {
            kind: form.kind,
            fingerprint: parse_fingerprint(&form.fingerprint)?,
        })
    }
}

impl TryFrom<RecordForm> for Record {
    type Error = BadValue;
    fn try_from(form: RecordForm) -> Result<Self, BadValue> {
        Ok(Record {
            enabled: form.enabled,
            status_reason: form.status_reason,
            credential: form.credential.try_into()?,
            iot_edge: form.iot_edge,
            parent: form.parent,
            managed_by: form.managed_by,
            tags: form.tags,
            desired: form.desired,
        })
    }
}

fn parse_fingerprint(text: &str) -> Result<Fingerprint, BadValue> {
    let bad = || BadValue::Fingerprint(text.to_owned());
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad());
    }
    let number = u128::from_str_radix(text, 16).map_err(|_| bad())?;
    Ok(Fingerprint(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::Epoch;
    use crate::id::HubId;

    fn stamp() -> Stamp {
        Stamp {
            epoch: Epoch(1025),
            sequence: 7,
            origin: HubId::new("east").unwrap(),
        }
    }

    #[test]
    fn sides_read_back() {
        let live = Side::Live(Live {
            incarnation: 2,
            record: Record {
                enabled: true,
                status_reason: Some("new".into()),
                credential: Credential {
                    kind: CredentialKind::SelfSigned,
                    fingerprint: Fingerprint([0xa5; 16]),
                },
                iot_edge: false,
                parent: None,
                managed_by: Some("iotEdge".into()),
                tags: Map::from_iter([("site".to_owned(), json!("x"))]),
                desired: Map::new(),
            },
            stamp: stamp(),
            hold: Some("record@2".into()),
        });
        let dead = Side::Dead(Tombstone {
            incarnation: 1,
            stamp: stamp(),
            reason: TombstoneReason::Revoked,
        });
        for side in [Side::Absent, live, dead] {
            let value = side_value(&side);
            assert_eq!(side_from_value(value.as_ref()).unwrap(), side);
        }
    }

    #[test]
    fn a_capability_is_a_bare_fact_or_has_a_manager() {
        let read = |value: Value| capability_from_value(&value).ok();
        assert_eq!(read(json!(true)), Some((true, None)));
        let managed = json!({"iotEdge": false, "managedBy": "me"});
        assert_eq!(read(managed), Some((false, Some("me".into()))));
        assert_eq!(read(json!("yes")), None);
    }

    #[test]
    fn other_shapes_are_refused() {
        assert!(matches!(
            side_from_value(Some(&json!({"alive": {}}))),
            Err(BadValue::Shape(_))
        ));
        let short = json!({"kind": "sas", "fingerprint": "+f"});
        let refused = credential_from_value(&short);
        assert!(matches!(refused, Err(BadValue::Fingerprint(_))));
    }
}
