//! What a wanted record is at the hub, and which parts of a device differ from it.

use hubshift_domain::id::is_device;
use hubshift_domain::identity::{Record, canonical_json};
use hubshift_hub::EtagPair;
use serde_json::{Map, Value};

use super::Wanted;
use crate::observe::Observed;

/// The record as the hub is to show it: a held device is disabled, whatever its record says. A
/// module or a configuration cannot be: its hold has no effect there.
pub(crate) fn effect(wanted: &Wanted) -> Record {
    let mut record = wanted.record.clone();
    record.enabled &= wanted.hold.is_none() || !is_device(&wanted.device_id);
    record
}

/// The etags of the parts that must be written; nothing when the device is as wanted.
pub(super) fn differing_parts(to: &Wanted, seen: &Observed) -> Option<EtagPair> {
    let record = effect(to);
    let identity = record.enabled != seen.record.enabled
        || record.status_reason != seen.record.status_reason
        || record.credential != seen.record.credential
        || record.iot_edge != seen.record.iot_edge
        || record.parent != seen.record.parent
        || record.managed_by != seen.record.managed_by;
    let twin = !is_same(&record.tags, &seen.record.tags)
        || !is_same(&record.desired, &seen.record.desired);
    (identity || twin).then(|| EtagPair {
        identity: identity.then(|| seen.identity_etag.clone()),
        twin: twin.then(|| seen.twin_etag.clone()),
    })
}

/// Equal as JSON: `1` and `1.0` are the same number.
fn is_same(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    let text = |map: &Map<String, Value>| canonical_json(&Value::Object(map.clone()));
    a == b || text(a) == text(b)
}

#[cfg(test)]
mod tests {
    use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint};
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;

    fn record() -> Record {
        let credential = Credential {
            kind: CredentialKind::Ca,
            fingerprint: Fingerprint([1; 16]),
        };
        Record {
            enabled: true,
            status_reason: None,
            credential,
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: json!({"a": 1}).as_object().unwrap().clone(),
            desired: Map::new(),
        }
    }

    fn seen() -> Observed {
        Observed {
            device_id: "d-1".into(),
            generation_id: "1".into(),
            incarnation: 1,
            identity_etag: "i".into(),
            twin_etag: "t".into(),
            twin_version: 1,
            desired_version: 1,
            record: record(),
            sealed: Vec::new(),
            fingerprint: Fingerprint::default(),
            read_time: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn wanted(record: Record, hold: Option<&str>) -> Wanted {
        let hold = hold.map(str::to_owned);
        Wanted {
            device_id: "d-1".into(),
            incarnation: 1,
            record,
            sealed: Vec::new(),
            hold,
        }
    }

    #[test]
    fn only_the_parts_that_differ_are_written() {
        assert_eq!(differing_parts(&wanted(record(), None), &seen()), None);
        let mut disabled = record();
        disabled.enabled = false;
        let parts = differing_parts(&wanted(disabled, None), &seen()).unwrap();
        assert_eq!((parts.identity.as_deref(), parts.twin), (Some("i"), None));
        let mut tagged = record();
        tagged.tags.insert("b".into(), json!(true));
        let parts = differing_parts(&wanted(tagged, None), &seen()).unwrap();
        assert_eq!((parts.identity, parts.twin.as_deref()), (None, Some("t")));
    }

    #[test]
    fn a_held_device_is_disabled_at_the_hub_and_only_there() {
        let held = wanted(record(), Some("conflict-1"));
        assert!(held.record.enabled && !effect(&held).enabled);
        assert!(differing_parts(&held, &seen()).unwrap().identity.is_some());
        let mut shown = seen();
        shown.record.enabled = false;
        assert_eq!(differing_parts(&held, &shown), None);
    }

    #[test]
    fn what_cannot_be_disabled_is_not() {
        for key in ["d-1/m", "/configurations/a"] {
            let mut held = wanted(record(), Some("conflict-1"));
            held.device_id = key.into();
            assert!(effect(&held).enabled, "{key}");
            assert_eq!(differing_parts(&held, &seen()), None, "{key}");
        }
    }

    #[test]
    fn another_parent_or_manager_is_another_identity() {
        let mut moved = record();
        moved.parent = Some("gateway".into());
        let mut managed = record();
        managed.managed_by = Some("me".into());
        for other in [moved, managed] {
            let parts = differing_parts(&wanted(other, None), &seen()).unwrap();
            assert_eq!((parts.identity.as_deref(), parts.twin), (Some("i"), None));
        }
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let mut float = record();
        float.tags.insert("a".into(), json!(1.0));
        assert_eq!(differing_parts(&wanted(float, None), &seen()), None);
    }
}
