//! Brings back what a merge dropped: the merged record with one hub's values from the conflict
//! log put in the place of those that were chosen.

use serde_json::Value;

use super::conflict::Conflict;
use super::policy::FieldClass;
use super::side::{Choice, Side};
use super::value::{
    BadValue, access_from_value, capability_from_value, credential_from_value, side_from_value,
};
use crate::identity::Record;
use crate::json_merge::{JsonPath, set_member};

/// The side that `hub` would have if each of `conflicts` had been decided its way. With all
/// conflicts of a device that is what the hub had, but for what the other hub alone changed.
pub fn restore(merged: &Side, conflicts: &[Conflict], hub: Choice) -> Result<Side, BadValue> {
    let mut side = merged.clone();
    for conflict in conflicts {
        let value = match hub {
            Choice::Primary => &conflict.primary,
            Choice::Secondary => &conflict.secondary,
        };
        if conflict.path.is_empty() {
            side = side_from_value(value.as_ref())?;
        } else if let Side::Live(live) = &mut side {
            put(&mut live.record, &conflict.path, value.clone())?;
        }
    }
    Ok(side)
}

fn put(record: &mut Record, path: &str, value: Option<Value>) -> Result<(), BadValue> {
    let path = JsonPath::parse(path);
    let Some((section, names)) = path.names().split_first() else {
        return Ok(());
    };
    match (FieldClass::parse(section), value) {
        (Some(FieldClass::Tags), value) => put_member(&mut record.tags, names, value),
        (Some(FieldClass::Desired), value) => put_member(&mut record.desired, names, value),
        (Some(FieldClass::Access), Some(value)) => {
            (record.enabled, record.status_reason) = access_from_value(&value)?;
        }
        (Some(FieldClass::Credential), Some(value)) => {
            record.credential = credential_from_value(&value)?;
        }
        (Some(FieldClass::Capability), Some(value)) => {
            (record.iot_edge, record.managed_by) = capability_from_value(&value)?;
        }
        (Some(FieldClass::Hierarchy), value) => {
            record.parent = value.and_then(|value| value.as_str().map(str::to_owned));
        }
        (Some(FieldClass::Access | FieldClass::Credential | FieldClass::Capability), None)
        | (None, _) => {}
    }
    Ok(())
}

fn put_member(
    section: &mut serde_json::Map<String, Value>,
    names: &[String],
    value: Option<Value>,
) {
    if !names.is_empty() {
        return set_member(section, names, value);
    }
    *section = match value {
        Some(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
}
