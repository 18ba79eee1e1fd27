//! Finds merged documents that are legal JSON but more than a hub stores, before anything is
//! applied. What one of the hubs already stores is legal.

use serde_json::{Map, Value};

use super::conflict::{Chosen, Conflict, ConflictKind, ConflictState, Stamps};
use super::policy::{FieldClass, Policy, Rule};
use super::side::{Side, Triple};
use crate::identity::Record;
use crate::json_merge::same_map;

/// The sections of `merged` that no hub would take: one held row for each.
pub fn check_limits(triple: &Triple, merged: &Side, policy: &Policy) -> Vec<Conflict> {
    let Some(live) = merged.live() else {
        return vec![];
    };
    let limits = &policy.limits;
    let sections = [
        (FieldClass::Tags, limits.tags_bytes),
        (FieldClass::Desired, limits.desired_bytes),
    ];
    let over = sections.into_iter().filter(|(class, bytes)| {
        let section = section(*class, &live.record);
        let too_much = size(section) > *bytes || depth(section) > limits.depth;
        too_much && !is_stored(triple, *class, section)
    });
    over.map(|(class, _)| oversize(triple, class)).collect()
}

fn is_stored(triple: &Triple, class: FieldClass, wanted: &Map<String, Value>) -> bool {
    let hubs = [&triple.primary, &triple.secondary];
    let mut lives = hubs.into_iter().filter_map(Side::live);
    lives.any(|live| same_map(section(class, &live.record), wanted))
}

fn section(class: FieldClass, record: &Record) -> &Map<String, Value> {
    match class {
        FieldClass::Desired => &record.desired,
        _ => &record.tags,
    }
}

fn oversize(triple: &Triple, class: FieldClass) -> Conflict {
    let value = |side: &Side| side.live().map(|live| class.value(&live.record));
    Conflict {
        kind: ConflictKind::Oversize,
        path: class.as_str().to_owned(),
        base: value(&triple.base),
        primary: value(&triple.primary),
        secondary: value(&triple.secondary),
        stamps: Stamps::of(triple),
        chosen: Chosen::Neither,
        policy: Rule::Limits,
        state: ConflictState::Held,
    }
}

/// The size of a document as hubs count it, in bytes: names and strings without control
/// characters, 8 for a number, 4 for a boolean.
pub fn size(map: &Map<String, Value>) -> usize {
    map.iter()
        .map(|(name, value)| text_size(name) + value_size(value))
        .sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 4,
        Value::Number(_) => 8,
        Value::String(text) => text_size(text),
        Value::Array(items) => items.iter().map(value_size).sum(),
        Value::Object(map) => size(map),
    }
}

fn text_size(text: &str) -> usize {
    let counted = text.chars().filter(|c| !c.is_control());
    counted.map(char::len_utf8).sum()
}

/// How deep objects are nested; 1 for a document without any inside.
fn depth(map: &Map<String, Value>) -> usize {
    1 + map.values().map(value_depth).max().unwrap_or(0)
}

fn value_depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => depth(map),
        Value::Array(items) => items.iter().map(value_depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn sizes_count_names_and_values() {
        let document = map(json!({"ab": "c\n", "n": 1, "o": {"b": true}, "l": [1, "x"]}));
        assert_eq!(size(&document), 3 + 9 + 6 + 10);
    }

    #[test]
    fn depth_counts_nested_objects() {
        assert_eq!(depth(&map(json!({"a": 1}))), 1);
        assert_eq!(depth(&map(json!({"a": {"b": {}}, "c": [1]}))), 3);
    }
}
