//! Entries of bulk calls and import jobs: one device or module and what to do with it.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{ErrorCode, ExportImportDevice, ImportMode};
use time::OffsetDateTime;

use super::{Record, Registry, TwinChange, TwinWrite};
use crate::answer::Refusal;

impl Registry {
    /// Carries one entry out, whole or not at all.
    pub(crate) fn apply(&mut self, entry: &ExportImportDevice) -> Result<(), Refusal> {
        apply(self, entry)
    }

    /// Everything as an export job writes it: devices in the order of their ids, each followed by
    /// its modules.
    pub(crate) fn entries(&self) -> impl Iterator<Item = ExportImportDevice> {
        self.records.values().map(Record::entry)
    }
}

fn apply(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), Refusal> {
    if entry.module_id.is_some() {
        return Err(Refusal::new(
            ErrorCode::ArgumentInvalid,
            "modules are not supported",
        ));
    }
    match entry.mode() {
        ImportMode::Create => create(registry, entry),
        ImportMode::Update => update(registry, entry, &IfMatch::Any),
        ImportMode::UpdateIfMatchETag => update(registry, entry, &etag(entry)?),
        ImportMode::CreateOrUpdate => match registry.get(&entry.id) {
            Ok(_) => update(registry, entry, &IfMatch::Any),
            Err(_) => create(registry, entry),
        },
        ImportMode::CreateOrUpdateIfMatchETag => match registry.get(&entry.id) {
            Ok(_) => update(registry, entry, &etag(entry)?),
            Err(_) => create(registry, entry),
        },
        ImportMode::Delete => registry.delete_device(&entry.id, &IfMatch::Any),
        ImportMode::DeleteIfMatchETag => registry.delete_device(&entry.id, &etag(entry)?),
        ImportMode::UpdateTwin => update_twin(registry, entry, &IfMatch::Any),
        ImportMode::UpdateTwinIfMatchETag => {
            let twin_etag = entry
                .twin_etag
                .as_deref()
                .ok_or_else(|| missing("twinETag"))?;
            update_twin(registry, entry, &IfMatch::parse(twin_etag))
        }
    }
}

fn create(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), Refusal> {
    let record = registry.created(&entry.id, entry.into(), entry.into())?;
    registry.commit(record)
}

/// Identity and, where the entry has any, tags and desired: one change.
fn update(
    registry: &mut Registry,
    entry: &ExportImportDevice,
    if_match: &IfMatch,
) -> Result<(), Refusal> {
    let record = registry.updated(&entry.id, entry.into(), if_match)?;
    let change = TwinChange::from(entry);
    let record = if change.is_empty() {
        record
    } else {
        let twin = record.twin.replaced(change, OffsetDateTime::now_utc())?;
        Record { twin, ..record }
    };
    registry.commit(record)
}

fn update_twin(
    registry: &mut Registry,
    entry: &ExportImportDevice,
    if_match: &IfMatch,
) -> Result<(), Refusal> {
    registry
        .write_twin(&entry.id, entry.into(), TwinWrite::Replace, if_match)
        .map(|_| ())
}

fn etag(entry: &ExportImportDevice) -> Result<IfMatch, Refusal> {
    entry
        .etag
        .as_deref()
        .map(IfMatch::parse)
        .ok_or_else(|| missing("eTag"))
}

fn missing(field: &str) -> Refusal {
    Refusal::new(ErrorCode::ArgumentNull, format!("{field} is missing"))
}
