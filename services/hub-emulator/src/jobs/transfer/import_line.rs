//! The lines of an import, and what the log says of those that failed. Nothing of a line's values
//! but its ids gets into the log.

use hubshift_azure::{ErrorCode, ExportImportDevice, ImportError};
use serde_json::Value;

use crate::answer::Refusal;

/// Reads a line. One that cannot be read is nobody's: its error has no device.
pub(super) fn read(text: &str, number: usize) -> Result<ExportImportDevice, ImportError> {
    let entry = ExportImportDevice::from_value(json(text, number)?)
        .map_err(|found| malformed(number, &format!("cannot be read: {found}")))?;
    if entry.id.is_empty() {
        return Err(malformed(number, "has no id"));
    }
    // Deletes and changes of twins need it too, and so do modules, which have none otherwise.
    if entry.status.is_none() {
        return Err(malformed(number, "has no status"));
    }
    Ok(entry)
}

/// The JSON of a line.
pub(super) fn json(text: &str, number: usize) -> Result<Value, ImportError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    serde_json::from_str(text).map_err(|error| {
        let column = error.column();
        malformed(number, &format!("is not a JSON object (column {column})"))
    })
}

/// What the log says of what the registry refused.
pub(super) fn refused(id: &str, module_id: Option<&str>, refusal: Refusal) -> ImportError {
    ImportError {
        device_id: Some(id.to_owned()),
        module_id: module_id.map(str::to_owned),
        error_code: refusal.code.any_number(),
        error_status: refusal.words,
    }
}

/// What the log says of a line that cannot be read.
pub(super) fn malformed(number: usize, what: &str) -> ImportError {
    ImportError {
        device_id: None,
        module_id: None,
        error_code: ErrorCode::DeserializationError.any_number(),
        error_status: format!("line {number} {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_read_is_nobodys_and_not_shown() {
        for text in [
            "Warning: authorization keys are not part of this export",
            "{\"id\":\"canary\"",
            "[\"canary\"]",
            "{\"status\":\"enabled\"}",
            "{\"id\":\"canary\",\"status\":\"canary\"}",
            "{\"id\":\"canary\",\"importMode\":\"delete\"}",
        ] {
            let error = read(text, 7).unwrap_err();
            assert_eq!(
                (error.device_id, error.error_code),
                (None, 400_012),
                "{text}"
            );
            let words = error.error_status;
            assert!(
                words.starts_with("line 7 ") && !words.contains("canary"),
                "{words}"
            );
        }
    }

    #[test]
    fn a_mark_at_the_start_of_the_file_is_passed_over() {
        assert!(read("\u{feff}{\"id\":\"d\",\"status\":\"enabled\"}\r", 1).is_ok());
    }

    #[test]
    fn what_the_registry_refused_is_the_devices() {
        let error = refused("d", None, Refusal::device_not_found("d"));
        let line = serde_json::to_string(&error).unwrap();
        let expected = r#"{"deviceId":"d","errorCode":404001,"errorStatus":"d"}"#;
        assert_eq!(line, expected);
        let unnumbered = Refusal::new(ErrorCode::StringIsNotThumbprint, "no");
        assert_eq!(refused("d", Some("m"), unnumbered).error_code, 400_000);
    }
}
