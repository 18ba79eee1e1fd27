//! Where a device stands in the tree of Edge gateways, as the real hub makes it.
//!
//! An Edge device has a scope of its own, made by the hub and never changed; what a client gives
//! when it makes the device is ignored. A leaf hangs on a parent by carrying the parent's scope
//! as its own. An Edge device hangs on a parent by `parentScopes` and must say its own scope on
//! every update. A write says all of it: what is left out is detached.
//!
//! Where the facts about the real hub end, this hub does what keeps the tree a tree: one parent,
//! no circle. A parent that goes leaves its children with a scope that nobody has any more: they
//! may keep it, and nobody may take it.

use hubshift_azure::ErrorCode;

use super::identity::IdentityBody;
use super::marks::Marks;
use super::record::Record;
use crate::answer::Refusal;
use crate::journal::Records;

const PREFIX: &str = "ms-azure-iot-edge://";

/// What a device's identity says of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// An Edge device's own scope, a leaf's parent's.
    pub(crate) device_scope: Option<String>,
    /// The parent's scope, if there is a parent.
    pub(crate) parent_scopes: Vec<String>,
}

/// The place of a device after a write; `old` is what it was, if it was there.
pub(super) fn place(
    records: &Records,
    id: &str,
    old: Option<&Record>,
    body: &IdentityBody,
    marks: &mut Marks,
) -> Result<Place, Refusal> {
    match (old, body.iot_edge) {
        // The parent is lost with the change; another write can give one.
        (Some(old), false) if old.iot_edge => Ok(Place::default()),
        (old, false) => leaf(records, old, body.device_scope.as_deref()),
        (Some(old), true) if old.iot_edge => {
            if body.device_scope != old.device_scope {
                return Err(invalid("Device scope is immutable"));
            }
            Ok(Place {
                parent_scopes: parents(records, id, Some(old), &body.parent_scopes)?,
                // The data file of an earlier version may have none.
                device_scope: Some(old.device_scope.clone().unwrap_or_else(|| made(id, marks))),
            })
        }
        // The real hub cannot answer this (503). It is the client's mistake, so say so.
        (Some(_), true) if body.device_scope.is_some() => Err(invalid(
            "a device that becomes an Edge device has no scope yet",
        )),
        (_, true) => Ok(Place {
            parent_scopes: parents(records, id, None, &body.parent_scopes)?,
            device_scope: Some(made(id, marks)),
        }),
    }
}

/// The place of a device that is put under a parent with nothing else changed.
pub(super) fn under(
    records: &Records,
    record: &Record,
    parent_scope: &str,
    marks: &mut Marks,
) -> Result<Place, Refusal> {
    let own = record.device_scope.clone();
    let body = IdentityBody {
        iot_edge: record.iot_edge,
        device_scope: own
            .filter(|_| record.iot_edge)
            .or_else(|| Some(parent_scope.to_owned())),
        parent_scopes: vec![parent_scope.to_owned()],
        ..IdentityBody::default()
    };
    place(records, &record.device_id, Some(record), &body, marks)
}

/// The place of a device that has outlived its parent: the scope that the parent had is nobody's.
/// Only what a hub made is taken for one.
pub(super) fn orphaned(record: &Record, parent_scope: &str) -> Result<Place, Refusal> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let parts = parent_scope.strip_prefix(PREFIX);
    let parts = parts.and_then(|parts| parts.rsplit_once('-'));
    let is_made = parts.is_some_and(|(id, ticks)| !id.is_empty() && is_number(ticks));
    if !is_made {
        return Err(unknown());
    }
    let own = record.device_scope.clone().filter(|_| record.iot_edge);
    Ok(Place {
        device_scope: own.or_else(|| Some(parent_scope.to_owned())),
        parent_scopes: vec![parent_scope.to_owned()],
    })
}

fn made(id: &str, marks: &mut Marks) -> String {
    format!("{PREFIX}{id}-{}", marks.generation())
}

/// A leaf names its parent by `deviceScope`; `parentScopes` alone are ignored.
fn leaf(records: &Records, old: Option<&Record>, scope: Option<&str>) -> Result<Place, Refusal> {
    let Some(scope) = scope else {
        return Ok(Place::default());
    };
    let is_kept = old.is_some_and(|old| old.device_scope.as_deref() == Some(scope));
    if !is_kept {
        owner(records, scope).ok_or_else(unknown)?;
    }
    Ok(Place {
        device_scope: Some(scope.to_owned()),
        parent_scopes: vec![scope.to_owned()],
    })
}

fn parents(
    records: &Records,
    id: &str,
    old: Option<&Record>,
    wanted: &[String],
) -> Result<Vec<String>, Refusal> {
    let scope = match wanted {
        [] => return Ok(Vec::new()),
        [scope] => scope,
        _ => return Err(invalid("a device has one parent")),
    };
    let is_kept = old.is_some_and(|old| old.parent_scopes.contains(scope));
    if !is_kept {
        let parent = owner(records, scope).ok_or_else(unknown)?;
        if has_above(records, parent, id) {
            return Err(invalid("a device cannot stand above itself"));
        }
    }
    Ok(vec![scope.clone()])
}

/// The Edge device that has this scope now.
fn owner<'a>(records: &'a Records, scope: &str) -> Option<&'a Record> {
    let (id, _) = scope.strip_prefix(PREFIX)?.rsplit_once('-')?;
    let record: &Record = records.get(id)?;
    let is_owner = record.iot_edge && record.device_scope.as_deref() == Some(scope);
    is_owner.then_some(record)
}

/// Whether the record or one above it has this id.
fn has_above<'a>(records: &'a Records, record: &'a Record, id: &str) -> bool {
    let parent = |record: &&Record| owner(records, record.parent_scopes.first()?);
    std::iter::successors(Some(record), parent)
        .take(records.len())
        .any(|record| record.device_id == id)
}

fn unknown() -> Refusal {
    invalid("there is no Edge device with this scope")
}

fn invalid(words: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidDeviceScope, words)
}

#[cfg(test)]
mod tests;
