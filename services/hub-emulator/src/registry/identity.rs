//! What an identity write makes of a record.
//!
//! A write replaces the identity as a whole. Where it says nothing of authentication, or leaves
//! the keys out, the hub makes new ones, on an update too: that is the real hub's trap.
//!
//! Keeps true: an Edge device has the Edge runtime's modules, another device has none of them.

use std::collections::BTreeMap;

use hubshift_azure::{Authentication, Device, ExportImportDevice, Status, Violation, wire_time};
use time::OffsetDateTime;

use super::authentication;
use super::marks::Marks;
use super::module::{self, ModuleRecord, SYSTEM_MODULES};
use super::record::Record;
use super::scope::Place;
use super::twin_state::{TwinChange, TwinState};
use crate::answer::Refusal;

/// What a client may set of an identity.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdentityBody {
    pub(super) status: Option<Status>,
    pub(super) status_reason: Option<String>,
    pub(super) authentication: Option<Authentication>,
    pub(super) iot_edge: bool,
    pub(super) device_scope: Option<String>,
    pub(super) parent_scopes: Vec<String>,
}

impl From<Device> for IdentityBody {
    fn from(device: Device) -> Self {
        Self {
            status: device.status,
            status_reason: device.status_reason,
            authentication: device.authentication,
            iot_edge: device.capabilities.unwrap_or_default().iot_edge,
            device_scope: device.device_scope,
            parent_scopes: device.parent_scopes.unwrap_or_default(),
        }
    }
}

impl From<&ExportImportDevice> for IdentityBody {
    fn from(entry: &ExportImportDevice) -> Self {
        Self {
            status: entry.status,
            status_reason: entry.status_reason.clone(),
            authentication: entry.authentication.clone(),
            iot_edge: entry.capabilities.unwrap_or_default().iot_edge,
            device_scope: entry.device_scope.clone(),
            parent_scopes: entry.parent_scopes.clone().unwrap_or_default(),
        }
    }
}

/// A new device at its place.
pub(super) fn created(
    id: &str,
    body: IdentityBody,
    place: Place,
    twin: TwinChange,
    marks: &mut Marks,
) -> Result<Record, Refusal> {
    Violation::check_id(id)?;
    Violation::check_reason(body.status_reason.as_deref())?;
    let twin = TwinState::new(twin, OffsetDateTime::now_utc())?;
    let record = Record {
        device_id: id.to_owned(),
        generation_id: marks.generation(),
        etag: marks.etag(),
        status: body.status.unwrap_or(Status::Enabled),
        status_reason: body.status_reason,
        status_updated: wire_time::NEVER.to_owned(),
        authentication: authentication::of_device(body.authentication)?,
        iot_edge: body.iot_edge,
        device_scope: place.device_scope,
        parent_scopes: place.parent_scopes,
        twin,
        modules: BTreeMap::new(),
    };
    with_system_modules(record, marks)
}

/// A device with another identity, at its new place.
pub(super) fn updated(
    old: &Record,
    body: IdentityBody,
    place: Place,
    marks: &mut Marks,
) -> Result<Record, Refusal> {
    Violation::check_reason(body.status_reason.as_deref())?;
    let status = body.status.unwrap_or(Status::Enabled);
    let status_updated = if status == old.status {
        old.status_updated.clone()
    } else {
        wire_time::write(OffsetDateTime::now_utc())
    };
    let record = Record {
        etag: marks.etag(),
        status,
        status_reason: body.status_reason,
        status_updated,
        authentication: authentication::of_device(body.authentication)?,
        iot_edge: body.iot_edge,
        device_scope: place.device_scope,
        parent_scopes: place.parent_scopes,
        ..old.clone()
    };
    with_system_modules(record, marks)
}

/// The Edge runtime's modules come and go with the device's being an Edge device.
fn with_system_modules(mut record: Record, marks: &mut Marks) -> Result<Record, Refusal> {
    if !record.iot_edge {
        record.modules.retain(|id, _| !module::is_system(id));
        return Ok(record);
    }
    for id in SYSTEM_MODULES {
        if !record.modules.contains_key(id) {
            let system = ModuleRecord::system(id, marks)?;
            record.modules.insert(id.to_owned(), system);
        }
    }
    Ok(record)
}

#[cfg(test)]
mod tests {
    use hubshift_azure::Secret;

    use super::super::record::sample;
    use super::*;

    fn marks() -> Marks {
        Marks::new().unwrap()
    }

    fn keys(record: &Record) -> (String, String) {
        let (primary, secondary) = record.authentication.keys().unwrap();
        (primary.expose().to_owned(), secondary.expose().to_owned())
    }

    fn update(old: &Record, body: IdentityBody) -> Record {
        updated(old, body, Place::default(), &mut marks()).unwrap()
    }

    #[test]
    fn an_update_without_authentication_makes_new_keys() {
        let (body, twin) = (IdentityBody::default(), TwinChange::default());
        let first = created("d", body, Place::default(), twin, &mut marks()).unwrap();
        let second = update(&first, IdentityBody::default());
        assert_ne!(keys(&first), keys(&second));
        assert_ne!(first.etag, second.etag);
        assert_eq!(first.generation_id, second.generation_id);
    }

    #[test]
    fn given_keys_are_kept_to_the_letter() {
        let key = Secret::new("Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5");
        let body = IdentityBody {
            authentication: Some(Authentication::sas(key.clone(), key.clone())),
            ..IdentityBody::default()
        };
        let record = update(&sample("d"), body);
        assert_eq!(
            keys(&record),
            (key.expose().to_owned(), key.expose().to_owned())
        );
    }

    #[test]
    fn the_time_of_a_status_moves_with_the_status_only() {
        let old = sample("d");
        let same = update(&old, IdentityBody::default());
        assert_eq!(same.status_updated, wire_time::NEVER);
        let body = IdentityBody {
            status: Some(Status::Disabled),
            ..IdentityBody::default()
        };
        assert_ne!(update(&old, body).status_updated, wire_time::NEVER);
    }

    #[test]
    fn the_modules_of_the_edge_runtime_come_and_go_and_others_stay() {
        let mut old = sample("d");
        let module = ModuleRecord::system("mine", &mut marks()).unwrap();
        old.modules.insert("mine".to_owned(), module);
        let edge = IdentityBody {
            iot_edge: true,
            ..IdentityBody::default()
        };
        let edge = update(&old, edge);
        let ids: Vec<_> = edge.modules.keys().collect();
        assert_eq!(ids, ["$edgeAgent", "$edgeHub", "mine"]);
        let leaf = update(&edge, IdentityBody::default());
        assert_eq!(leaf.modules.keys().collect::<Vec<_>>(), ["mine"]);
    }
}
