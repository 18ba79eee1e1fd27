//! Up to 100 devices and modules in one call. Entries stand alone: one that fails does not stop
//! the others.

use std::collections::HashSet;

use http::StatusCode;
use hubshift_azure::{BulkError, BulkResult, ErrorCode, ExportImportDevice, FieldError};
use serde_json::Value;

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;

const MAX_ENTRIES: usize = 100;

/// 200 if every entry was applied, 400 with the same body if one was not.
pub(super) fn run(app: &App, body: &[u8]) -> Result<Answer, Refusal> {
    let entries = parse(body, entries)?;
    check(&entries)?;
    let mut registry = app.registry();
    let errors: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            registry
                .apply(entry)
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
