//! Equality and rank of JSON values, as hubs and the canonical form see them.
//!
//! A hub never stores a null member, so a null member and an absent one are the same. Numbers
//! are equal when their values are: `1` is `1.0`. Inside an array nothing is left out.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::identity::canonical_json;

/// Whether two values are the same to a hub.
pub fn same_value(a: &Value, b: &Value) -> bool {
    equal(a, b, true)
}

/// Whether two values, either of which may be absent, are the same to a hub.
pub fn same_member(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (present(a), present(b)) {
        (Some(a), Some(b)) => same_value(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Whether two objects are the same to a hub.
pub fn same_map(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    equal_maps(a, b, true)
}

/// An object without its null members, at any depth outside arrays.
pub fn without_nulls(map: &Map<String, Value>) -> Map<String, Value> {
    let kept = map.iter().filter(|(_, value)| !value.is_null());
    kept.map(|(name, value)| (name.clone(), stripped(value)))
        .collect()
}

/// The order among values that nothing else tells apart: an absent value ranks lowest, others by
/// the SHA-256 of their canonical text. The same at every place and in any order of arguments.
pub fn rank(value: Option<&Value>) -> Option<[u8; 32]> {
    present(value).map(|value| Sha256::digest(canonical_json(&stripped(value))).into())
}

/// As [`rank`], where null members count: an absent value ranks lowest, then others by the SHA-256
/// of their canonical text.
pub fn exact_rank(value: Option<&Value>) -> Option<[u8; 32]> {
    value.map(|value| Sha256::digest(canonical_json(value)).into())
}

pub(super) fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

pub(super) fn same_exactly(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => equal(a, b, false),
        (a, b) => a.is_none() && b.is_none(),
    }
}

pub(super) fn stripped(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(without_nulls(map)),
        other => other.clone(),
    }
}

fn equal(a: &Value, b: &Value, nulls_are_absent: bool) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, false))
        }
        (Value::Object(a), Value::Object(b)) => equal_maps(a, b, nulls_are_absent),
        (a, b) => a == b,
    }
}

fn equal_maps(a: &Map<String, Value>, b: &Map<String, Value>, nulls_are_absent: bool) -> bool {
    let counts = |value: &Value| !(nulls_are_absent && value.is_null());
    let size = |map: &Map<String, Value>| map.values().filter(|value| counts(value)).count();
    let in_b = |name: &String, value: &Value| {
        b.get(name)
            .is_some_and(|other| equal(value, other, nulls_are_absent))
    };
    size(a) == size(b)
        && a.iter()
            .filter(|(_, value)| counts(value))
            .all(|(name, value)| in_b(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_members_and_number_forms_make_no_difference() {
        let a = json!({"x": 1, "y": {"z": null}, "gone": null});
        assert!(same_value(&a, &json!({"x": 1.0, "y": {}})));
        assert!(!same_value(&a, &json!({"x": 1})));
        assert!(!same_value(&json!([null]), &json!([])));
        assert!(!same_value(&json!([{"a": null}]), &json!([{}])));
        assert!(same_member(Some(&Value::Null), None));
        assert!(!same_value(
            &json!({"a": null, "b": 1}),
            &json!({"a": 1, "b": null})
        ));
    }

    #[test]
    fn nulls_are_stripped_outside_arrays_only() {
        let Value::Object(map) = json!({"a": {"b": null, "c": [null]}, "d": null}) else {
            unreachable!()
        };
        let expected = json!({"a": {"c": [null]}});
        assert_eq!(Value::Object(without_nulls(&map)), expected);
    }

    #[test]
    fn absence_ranks_below_every_value() {
        assert!(rank(None) < rank(Some(&json!(0))));
        assert_eq!(rank(Some(&json!(1))), rank(Some(&json!(1.0))));
    }
}
