//! Up to 100 devices in one call. Entries stand alone: one that fails does not stop the others.

use std::collections::HashSet;

use http::StatusCode;
use hubshift_azure::etag::IfMatch;
use hubshift_azure::{
    BulkError, BulkResult, ErrorCode, ExportImportDevice, FieldError, ImportMode,
};
use serde_json::Value;
use time::OffsetDateTime;

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::registry::{Record, Registry, TwinChange, TwinWrite};

const MAX_ENTRIES: usize = 100;

/// 200 if every entry was applied, 400 with the same body if one was not.
pub(super) fn run(app: &App, body: &[u8]) -> Result<Answer, Refusal> {
    let entries = parse(body, entries)?;
    check(&entries)?;
    let mut registry = app.registry();
    let errors: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            apply(&mut registry, entry)
                .err()
                .map(|refusal| error(entry, refusal))
        })
        .collect();
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let result = BulkResult {
        is_successful: errors.is_empty(),
        errors,
        warnings: Vec::new(),
    };
    Ok(Answer::json(&result)?.with_status(status))
}

fn entries(value: Value) -> Result<Vec<ExportImportDevice>, FieldError> {
    let Value::Array(items) = value else {
        let (path, problem) = ("the body".to_owned(), "must be a list".to_owned());
        return Err(FieldError { path, problem });
    };
    items
        .into_iter()
        .map(ExportImportDevice::from_value)
        .collect()
}

/// What is wrong with the call as a whole. Nothing of it is applied then.
fn check(entries: &[ExportImportDevice]) -> Result<(), Refusal> {
    if entries.len() > MAX_ENTRIES {
        let words = "a bulk call has at most 100 devices";
        return Err(Refusal::new(ErrorCode::TooManyDevices, words));
    }
    let mut seen = HashSet::new();
    match entries
        .iter()
        .find(|entry| !seen.insert((&entry.id, &entry.module_id)))
    {
        Some(twice) => Err(Refusal::new(
            ErrorCode::DeviceDefinedMultipleTimes,
            &twice.id,
        )),
        None => Ok(()),
    }
}

fn mode(entry: &ExportImportDevice) -> ImportMode {
    entry.import_mode.unwrap_or(ImportMode::CreateOrUpdate)
}

fn apply(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), Refusal> {
    if entry.module_id.is_some() {
        return Err(Refusal::new(
            ErrorCode::ArgumentInvalid,
            "modules are not supported",
        ));
    }
    match mode(entry) {
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

fn error(entry: &ExportImportDevice, refusal: Refusal) -> BulkError {
    BulkError {
        device_id: entry.id.clone(),
        module_id: entry.module_id.clone(),
        error_code: refusal.code.name().to_owned(),
        error_status: refusal.words,
        operation: Some(mode(entry).as_str().to_owned()),
    }
}
