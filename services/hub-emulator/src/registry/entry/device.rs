//! Entries of devices.

use hubshift_azure::ExportImportDevice;
use hubshift_azure::etag::IfMatch;
use time::OffsetDateTime;

use super::{Action, missing};
use crate::answer::Refusal;
use crate::registry::{Record, Registry, TwinWrite};

pub(super) fn apply(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), Refusal> {
    let is_there = registry.get(&entry.id).is_ok();
    match Action::of(entry, is_there)? {
        Action::Create => create(registry, entry),
        Action::Update { identity, twin } => update(registry, entry, &identity, &twin),
        Action::Delete(if_match) => registry.delete_device(&entry.id, &if_match),
        Action::UpdateTwin(if_match) => {
            let change = registry.change(entry);
            registry
                .write_twin(&entry.id, change, TwinWrite::Replace, &if_match)
                .map(|_| ())
        }
    }
}

fn create(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), Refusal> {
    check_status(entry)?;
    let change = registry.change(entry);
    let record = registry.created(&entry.id, entry.into(), change)?;
    registry.commit(record)
}

fn update(
    registry: &mut Registry,
    entry: &ExportImportDevice,
    identity: &IfMatch,
    twin: &IfMatch,
) -> Result<(), Refusal> {
    check_status(entry)?;
    let record = registry.updated(&entry.id, entry.into(), identity)?;
    let change = registry.change(entry);
    if change.is_empty() {
        return registry.commit(record);
    }
    record.check_twin_etag(twin)?;
    let twin = record.twin.replaced(change, OffsetDateTime::now_utc())?;
    registry.commit(Record { twin, ..record })
}

/// An entry that writes an identity says its status, unlike a single PUT.
fn check_status(entry: &ExportImportDevice) -> Result<(), Refusal> {
    match entry.status {
        Some(_) => Ok(()),
        None => Err(missing("status")),
    }
}
