//! What differs between two hubs, by their listings: a pure function of both.

use serde::Serialize;

use crate::seen::{Seen, Side};

/// A part of a device that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// Enabled here, disabled there.
    Status,
    /// The reason of the status.
    StatusReason,
    /// The kind of proof: keys, thumbprints, an authority.
    Authentication,
    /// The thumbprints.
    Thumbprints,
    /// The keys; seen where both identities were read.
    Keys,
    /// Edge here, leaf there.
    IotEdge,
    /// The parent, by its id.
    Parent,
    /// The tags.
    Tags,
    /// The desired properties.
    Desired,
}

/// A key that both hubs have and that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The device, or `device/module`.
    pub key: String,
    /// What differs.
    pub fields: Vec<Field>,
}

/// A scope that the other hub has, or will have, under another name: hubs make them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScopeChange {
    /// The device.
    pub key: String,
    /// Its scope at the source.
    pub source: String,
    /// Its scope at the target; nothing while it is not there.
    pub target: Option<String>,
}

/// Two hubs side by side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How many keys are the same.
    pub equal: u64,
    /// Keys that the target lacks.
    pub missing: Vec<String>,
    /// Keys that only the target has.
    pub extra: Vec<String>,
    /// Keys that both have and that are not the same.
    pub different: Vec<Difference>,
    /// Edge scopes that will not be the same.
    pub scopes: Vec<ScopeChange>,
}

/// Compares all that two hubs list.
pub fn compare(source: &Side, target: &Side) -> Comparison {
    let mut found = Comparison::default();
    for (key, here) in source {
        let there = target.get(key);
        found.scopes.extend(scope_change(key, here, there));
        match there {
            None => found.missing.push(key.clone()),
            Some(there) => match fields(here, there) {
                fields if fields.is_empty() => found.equal += 1,
                fields => found.different.push(Difference {
                    key: key.clone(),
                    fields,
                }),
            },
        }
    }
    let extra = target.keys().filter(|key| !source.contains_key(*key));
    found.extra = extra.cloned().collect();
    found
}

/// What differs between two of one key.
pub(crate) fn fields(here: &Seen, there: &Seen) -> Vec<Field> {
    let checks = [
        (Field::Status, here.enabled != there.enabled),
        (
            Field::StatusReason,
            here.status_reason != there.status_reason,
        ),
        (
            Field::Authentication,
            here.authentication != there.authentication,
        ),
        (Field::Thumbprints, here.thumbprints != there.thumbprints),
        (Field::IotEdge, here.iot_edge != there.iot_edge),
        (Field::Parent, here.parent != there.parent),
        (Field::Tags, here.tags != there.tags),
        (Field::Desired, here.desired != there.desired),
    ];
    let differing = checks.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(field, _)| field).collect()
}

fn scope_change(key: &str, here: &Seen, there: Option<&Seen>) -> Option<ScopeChange> {
    let source = here.scope.clone().filter(|_| here.iot_edge)?;
    let target = there.and_then(|there| there.scope.clone());
    (target.as_ref() != Some(&source)).then(|| ScopeChange {
        key: key.to_owned(),
        source,
        target,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::seen::sample;

    fn side(rows: &[Value]) -> Side {
        rows.iter().cloned().map(sample).collect()
    }

    #[test]
    fn each_field_is_told_by_its_name() {
        let base = json!({"deviceId": "d", "status": "enabled", "authenticationType": "sas",
            "tags": {"a": 1}, "properties": {"desired": {"b": 1}}});
        let changed = |pointer: &str, value: Value| {
            let mut row = base.clone();
            *row.pointer_mut(pointer).unwrap() = value;
            compare(&side(&[base.clone()]), &side(&[row])).different
        };
        let only = |field| {
            vec![Difference {
                key: "d".into(),
                fields: vec![field],
            }]
        };
        assert_eq!(changed("/status", json!("disabled")), only(Field::Status));
        assert_eq!(
            changed("/authenticationType", json!("selfSigned")),
            only(Field::Authentication)
        );
        assert_eq!(changed("/tags/a", json!(2)), only(Field::Tags));
        assert_eq!(
            changed("/properties/desired/b", json!(2)),
            only(Field::Desired)
        );
        assert_eq!(changed("/tags/a", json!(1)), vec![]);
    }

    #[test]
    fn missing_and_extra_are_seen_from_the_source() {
        let found = compare(
            &side(&[json!({"deviceId": "a"}), json!({"deviceId": "b"})]),
            &side(&[json!({"deviceId": "b"}), json!({"deviceId": "c"})]),
        );
        assert_eq!(
            (found.missing, found.extra),
            (vec!["a".into()], vec!["c".into()])
        );
        assert_eq!(found.equal, 1);
    }

    #[test]
    fn scopes_are_no_difference_and_are_named() {
        let edge = |ticks: &str| {
            json!({"deviceId": "e", "capabilities": {"iotEdge": true},
                "deviceScope": format!("ms-azure-iot-edge://e-{ticks}")})
        };
        let found = compare(&side(&[edge("1")]), &side(&[edge("2")]));
        assert_eq!((found.equal, found.scopes.len()), (1, 1));
        assert!(
            compare(&side(&[edge("1")]), &side(&[edge("1")]))
                .scopes
                .is_empty()
        );
    }
}
