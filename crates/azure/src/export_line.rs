//! The lines of an export file: one JSON object a line, as an export job writes them.
//!
//! Nothing of a bad line gets into its error but the field's name, so that an error can be
//! printed. An export without keys begins with a plain-text notice, which is not a device.

use std::collections::HashMap;

use serde_json::Value;

use crate::export::ExportImportDevice;
use crate::limits;
use crate::rules::Violation;

/// A line that is no device, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// The line's number, from 1.
    pub line: usize,
    /// Why, without anything of the line's values.
    pub reason: String,
}

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportFile {
    /// The plain-text first line, where there is one: it says that the keys were left out.
    pub notice: Option<String>,
    /// The devices and modules, in the file's order.
    pub devices: Vec<ExportImportDevice>,
}

/// Reads line number `line` (from 1): a device or module that a hub would accept.
pub fn parse(text: &str, line: usize) -> Result<ExportImportDevice, LineError> {
    let fail = |reason: String| LineError { line, reason };
    let text = text.trim_start_matches('\u{feff}').trim();
    let value: Value = serde_json::from_str(text)
        .map_err(|error| fail(format!("not a JSON object (column {})", error.column())))?;
    let device = ExportImportDevice::from_value(value).map_err(|found| fail(found.to_string()))?;
    check(&device).map_err(fail)?;
    Ok(device)
}

/// Writes a line, without the line feed. Has the keys in it.
pub fn write(device: &ExportImportDevice) -> Result<String, serde_json::Error> {
    serde_json::to_string(device)
}

/// Whether the file's first line is the notice that the keys were left out: plain text.
///
/// A line with a brace or a quote is a damaged device, and is not passed over.
pub fn is_notice(first_line: &str) -> bool {
    let text = first_line.trim_start_matches('\u{feff}').trim();
    !text.is_empty() && !text.contains(['{', '}', '"'])
}

/// Reads a whole file. Either every line is good or nothing is returned but the bad lines.
pub fn parse_file(text: &str) -> Result<ExportFile, Vec<LineError>> {
    let mut file = ExportFile::default();
    let mut errors = Vec::new();
    let mut seen = HashMap::new();
    for (line, text) in (1..).zip(text.lines()) {
        if line == 1 && is_notice(text) {
            file.notice = Some(text.trim().to_owned());
        } else if !text.trim().is_empty() {
            match parse(text, line).and_then(|device| only_once(device, line, &mut seen)) {
                Ok(device) => file.devices.push(device),
                Err(error) => errors.push(error),
            }
        }
    }
    if errors.is_empty() {
        Ok(file)
    } else {
        Err(errors)
    }
}

fn only_once(
    device: ExportImportDevice,
    line: usize,
    seen: &mut HashMap<(String, Option<String>), usize>,
) -> Result<ExportImportDevice, LineError> {
    match seen.insert((device.id.clone(), device.module_id.clone()), line) {
        Some(first) => Err(LineError {
            line,
            reason: format!("the same device as on line {first}"),
        }),
        None => Ok(device),
    }
}

fn check(device: &ExportImportDevice) -> Result<(), String> {
    if device.id.is_empty() {
        return Err("id is missing".to_owned());
    }
    Violation::check_id(&device.id).map_err(|found| found.to_string())?;
    match &device.module_id {
        None => check_device(device)?,
        Some(id) => Violation::check_module_id(id).map_err(|found| found.to_string())?,
    }
    if let Some(tags) = &device.tags {
        limits::check_tags(tags).map_err(|found| found.to_string())?;
    }
    if let Some(desired) = device.desired() {
        limits::check_desired(desired).map_err(|found| found.to_string())?;
    }
    Ok(())
}

/// What holds for devices only: a module has no status and may have no keys.
fn check_device(device: &ExportImportDevice) -> Result<(), String> {
    if device.status.is_none() {
        return Err("status is missing".to_owned());
    }
    Violation::check_reason(device.status_reason.as_deref()).map_err(|found| found.to_string())?;
    device
        .authentication
        .as_ref()
        .map_or(Ok(()), Violation::check_authentication)
        .map_err(|found| found.to_string())
}

#[cfg(test)]
mod tests;
