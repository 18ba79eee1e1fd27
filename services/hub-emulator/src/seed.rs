//! Filling an empty registry from an export file: all of it or nothing.

use std::path::Path;

use hubshift_azure::export_line::{self, ExportFile, LineError};
use hubshift_azure::{ExportImportDevice, ImportMode};
use tracing::warn;

use crate::journal::Records;
use crate::registry::{Marks, Record, created};
use crate::start_error::StartError;

/// The records that an export file makes.
pub(crate) fn load(path: &Path, marks: &mut Marks) -> Result<Records, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        what: "the seed file cannot be read",
        source,
    })?;
    let wrong = |errors| StartError::Seed {
        path: path.to_owned(),
        errors,
    };
    let file = export_line::parse_file(&text).map_err(wrong)?;
    if file.notice.is_some() {
        warn!("the seed file was exported without keys: devices get new ones");
    }
    let mut records = Records::new();
    let mut errors = Vec::new();
    for (line, device) in device_lines(&text, &file) {
        match record(device, marks) {
            Ok(Some(record)) => {
                records.insert(record.device_id.clone(), record);
            }
            Ok(None) => warn!(
                device = device.id,
                "left a module out: modules are not supported"
            ),
            Err(reason) => errors.push(LineError { line, reason }),
        }
    }
    if errors.is_empty() {
        Ok(records)
    } else {
        Err(wrong(errors))
    }
}

/// The devices with the numbers of their lines.
fn device_lines<'a>(
    text: &'a str,
    file: &'a ExportFile,
) -> impl Iterator<Item = (usize, &'a ExportImportDevice)> {
    let notices = usize::from(file.notice.is_some());
    let is_device = move |(line, text): &(usize, &str)| *line > notices && !text.trim().is_empty();
    (1..)
        .zip(text.lines())
        .filter(is_device)
        .map(|(line, _)| line)
        .zip(&file.devices)
}

/// Nothing for a module.
fn record(device: &ExportImportDevice, marks: &mut Marks) -> Result<Option<Record>, String> {
    if device.module_id.is_some() {
        return Ok(None);
    }
    match device.import_mode {
        None
        | Some(
            ImportMode::Create | ImportMode::CreateOrUpdate | ImportMode::CreateOrUpdateIfMatchETag,
        ) => {}
        Some(other) => return Err(format!("importMode {other} has no place in a seed file")),
    }
    created(&device.id, device.into(), device.into(), marks)
        .map(Some)
        .map_err(|refusal| refusal.words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(text: &str) -> Result<Records, StartError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        load(file.path(), &mut Marks::new().unwrap())
    }

    #[test]
    fn devices_are_loaded_and_modules_left_out() {
        let text = "{\"id\":\"a\",\"status\":\"disabled\",\"tags\":{\"x\":1}}\n\
            {\"id\":\"a\",\"moduleId\":\"m\"}\n";
        let records = seed(text).unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!(records["a"].twin.tags["x"], 1);
    }

    #[test]
    fn one_bad_line_keeps_everything_out_and_is_named() {
        let text = "{\"id\":\"a\",\"status\":\"enabled\"}\n\n{\"id\":\"b\"}\n";
        let error = seed(text).err().unwrap();
        assert!(
            error.to_string().contains("line 3: status is missing"),
            "{error}"
        );
        assert_eq!(error.exit_code(), 64);
    }

    #[test]
    fn a_mode_that_is_no_seed_is_named_with_its_line() {
        let text = "{\"id\":\"a\",\"status\":\"enabled\",\"importMode\":\"delete\"}";
        let error = seed(&format!("Keys were left out\n{text}")).err().unwrap();
        assert!(
            error.to_string().contains("line 2: importMode delete"),
            "{error}"
        );
    }
}
