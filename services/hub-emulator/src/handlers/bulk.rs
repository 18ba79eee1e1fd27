//! Up to 100 devices and modules in one call. Entries stand alone: one that fails does not stop
//! the others.

use std::collections::HashSet;

use http::StatusCode;
use hubshift_azure::{
    BulkError, BulkResult, ErrorCode, ExportImportDevice, FieldError, ImportMode,
};
use serde_json::Value;

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::registry::Registry;

const MAX_ENTRIES: usize = 100;

/// 200 if every entry was applied, 400 with the same body if one was not.
pub(super) fn run(app: &App, body: &[u8]) -> Result<Answer, Refusal> {
    let entries = parse(body, entries)?;
    check(&entries)?;
    let mut registry = app.registry();
    let by_number = registry.options().bulk_error_numbers;
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
    let answer = if by_number {
        Answer::json(&numbered(&result))?
    } else {
        Answer::json(&result)?
    };
    Ok(answer.with_status(status))
}

/// Carries an entry out. Whether the real hub takes those modes here that are documented for
/// import jobs is not settled.
fn apply(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), Refusal> {
    let is_for_jobs = matches!(
        entry.mode(),
        ImportMode::CreateOrUpdate | ImportMode::CreateOrUpdateIfMatchETag
    );
    if is_for_jobs && registry.options().strict_bulk_modes {
        let words = "importMode must be one that bulk calls have";
        return Err(Refusal::new(ErrorCode::ArgumentInvalid, words));
    }
    registry.apply(entry)
}

/// The same with the numbers of errors in place of their names.
fn numbered(result: &BulkResult) -> Value {
    // Texts and lists of them can always be written.
    let mut value = serde_json::to_value(result).unwrap_or_default();
    let errors = value["errors"].as_array_mut();
    for error in errors.into_iter().flatten() {
        if let Some(code) = error["errorCode"].as_str().and_then(ErrorCode::find) {
            error["errorCode"] = code.any_number().into();
        }
    }
    value
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

fn error(entry: &ExportImportDevice, refusal: Refusal) -> BulkError {
    BulkError {
        device_id: entry.id.clone(),
        module_id: entry.module_id.clone(),
        error_code: listed(refusal.code).name().to_owned(),
        error_status: refusal.words,
        operation: Some(entry.mode().as_str().to_owned()),
    }
}

/// The API's list of what stands in such a result has no name for thumbprints.
fn listed(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::StringIsNotThumbprint => ErrorCode::ArgumentInvalid,
        other => other,
    }
}
