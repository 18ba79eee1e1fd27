//! The lines of import and export files, between our words and the hub's.
//!
//! An import makes what it is told and mints the keys that it is not told: both keys always stand
//! in a line. Scopes are another hub's own, so that those of parents come from the caller, as the
//! target gave them.

use std::collections::HashMap;

use hubshift_azure::{Capabilities, ExportImportDevice, ImportMode, Properties, Status};
use serde_json::{Map, Value};

use super::convert;
use crate::credentials::Credentials;
use crate::device::{DeviceWrite, Identity};
use crate::key::{InvalidKey, Key};
use crate::scope;

/// How much of the hub's words about a line is kept.
const MAX_TEXT: usize = 300;
/// The etag of a twin that nobody wrote yet: a hub counts from 1, in eight bytes.
const FIRST_TWIN_ETAG: &str = "AAAAAAAAAAE=";

/// Why something is no line of a file. Shows nothing of its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Its key is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// Configurations go another way.
    #[error("a configuration is no line of an import")]
    Configuration,
    /// Keys or thumbprints are missing.
    #[error("it lacks credentials")]
    NoCredentials,
    /// Nobody said what scope the parent with this id has at the target.
    #[error("its parent {0} has no scope at the target")]
    ParentMissing(String),
    /// It is not JSON, or a field is not what it must be.
    #[error("it is no device and no module")]
    Malformed,
}

/// A record of an export. It has no generation: a job does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The identity. Who manages a module is not told.
    pub identity: Identity,
    /// All tags.
    pub tags: Map<String, Value>,
    /// All desired properties.
    pub desired: Map<String, Value>,
    /// The etag of the identity.
    pub identity_etag: Option<String>,
    /// The etag of the twin.
    pub twin_etag: Option<String>,
}

/// A line that an import did not carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedLine {
    /// The key, if the hub could read one.
    pub key: Option<String>,
    /// The hub's number or name of the error: `409001`.
    pub code: String,
    /// Its words, shortened to 300 characters.
    pub text: String,
}

/// The line that makes a device or module, without the line feed. Has the keys in it.
///
/// `scopes` are those of edge devices at the target, by their ids. Of a module of the hub's own the
/// line sets the twin: it comes with its device. It does so only if nobody has set it yet, so that
/// a device which was there before keeps its deployment.
///
/// # Errors
/// It cannot be made by an import, or not completely.
pub fn import_line(
    write: &DeviceWrite,
    scopes: &HashMap<String, String>,
) -> Result<String, BadLine> {
    let key = Key::parse(&write.identity.device_id)?;
    let properties = Properties {
        desired: Some(write.desired.clone()),
        reported: None,
    };
    let twin = ExportImportDevice {
        tags: Some(write.tags.clone()),
        properties: Some(properties),
        ..ExportImportDevice::default()
    };
    let line = match key {
        Key::Device(id) => device(id, &write.identity, scopes, twin)?,
        Key::Module(device, module) => ExportImportDevice {
            id: device.to_owned(),
            module_id: Some(module.to_owned()),
            // Every line has one, whatever it is of.
            status: Some(Status::Enabled),
            ..match key.is_system() {
                true => of_system(twin),
                false => with_credentials(ImportMode::Create, &write.identity, twin)?,
            }
        },
        Key::Configuration(_) => return Err(BadLine::Configuration),
    };
    hubshift_azure::export_line::write(&line).map_err(|_| BadLine::Malformed)
}

fn device(
    id: &str,
    identity: &Identity,
    scopes: &HashMap<String, String>,
    twin: ExportImportDevice,
) -> Result<ExportImportDevice, BadLine> {
    let scope = identity.parent.as_ref().map(|parent| {
        let found = scopes.get(parent).cloned();
        found.ok_or_else(|| BadLine::ParentMissing(parent.clone()))
    });
    let scope = scope.transpose()?;
    let (device_scope, parent_scopes) = match identity.iot_edge {
        true => (None, scope.map(|scope| vec![scope])),
        false => (scope, None),
    };
    Ok(ExportImportDevice {
        id: id.to_owned(),
        status: Some(match identity.enabled {
            true => Status::Enabled,
            false => Status::Disabled,
        }),
        status_reason: identity.status_reason.clone(),
        capabilities: Some(Capabilities {
            iot_edge: identity.iot_edge,
        }),
        device_scope,
        parent_scopes,
        ..with_credentials(ImportMode::Create, identity, twin)?
    })
}

fn with_credentials(
    mode: ImportMode,
    identity: &Identity,
    line: ExportImportDevice,
) -> Result<ExportImportDevice, BadLine> {
    let authentication = convert::authentication(&identity.credentials);
    Ok(ExportImportDevice {
        import_mode: Some(mode),
        authentication: Some(authentication.map_err(|_| BadLine::NoCredentials)?),
        ..line
    })
}

fn of_system(line: ExportImportDevice) -> ExportImportDevice {
    ExportImportDevice {
        import_mode: Some(ImportMode::UpdateTwinIfMatchETag),
        twin_etag: Some(FIRST_TWIN_ETAG.to_owned()),
        ..line
    }
}

/// Reads a line of an export; nothing for an empty one, and for the notice at the top of an export
/// that keys were left out.
///
/// # Errors
/// The line is no device and no module, or has no credentials.
pub fn export_line(text: &str) -> Result<Option<Exported>, BadLine> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() || hubshift_azure::export_line::is_notice(text) {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(text).map_err(|_| BadLine::Malformed)?;
    let line = ExportImportDevice::from_value(value).map_err(|_| BadLine::Malformed)?;
    let desired = line.desired().cloned().unwrap_or_default();
    let (identity_etag, twin_etag) = (line.etag.clone(), line.twin_etag.clone());
    let tags = line.tags.clone().unwrap_or_default();
    Ok(Some(Exported {
        identity: identity(line)?,
        tags,
        desired,
        identity_etag,
        twin_etag,
    }))
}

fn identity(line: ExportImportDevice) -> Result<Identity, BadLine> {
    let iot_edge = line.capabilities.unwrap_or_default().iot_edge;
    let above = match iot_edge {
        true => line
            .parent_scopes
            .as_ref()
            .and_then(|scopes| scopes.first()),
        false => line.device_scope.as_ref(),
    };
    let parent = above.map(|scope| scope::device_of(scope).to_owned());
    let key = match &line.module_id {
        Some(module) => Key::Module(&line.id, module).to_string(),
        None => line.id.clone(),
    };
    Key::parse(&key)?;
    let credentials = match line.authentication {
        Some(authentication) => {
            convert::credentials(authentication).map_err(|_| BadLine::NoCredentials)?
        }
        None if line.module_id.is_some() => Credentials::None,
        None => return Err(BadLine::NoCredentials),
    };
    Ok(Identity {
        device_id: key,
        // A module has no status.
        enabled: line.module_id.is_some() || line.status == Some(Status::Enabled),
        status_reason: line.status_reason.filter(|_| line.module_id.is_none()),
        credentials,
        iot_edge,
        parent: parent.filter(|_| line.module_id.is_none()),
        managed_by: None,
    })
}

/// Reads `importErrors.log`: what an import did not carry out, though its job completed. Lines that
/// are no JSON object are passed over.
pub fn import_errors(log: &str) -> Vec<FailedLine> {
    log.lines().filter_map(failed_line).collect()
}

fn failed_line(text: &str) -> Option<FailedLine> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let Ok(Value::Object(line)) = serde_json::from_str(text) else {
        return None;
    };
    let of = |name: &str| line.get(name).and_then(Value::as_str);
    let filled = |name: &str| of(name).filter(|text| !text.is_empty());
    let key = filled("deviceId").map(|device| match filled("moduleId") {
        Some(module) => Key::Module(device, module).to_string(),
        None => device.to_owned(),
    });
    let code = match line.get("errorCode") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let words = of("errorStatus").unwrap_or_default();
    Some(FailedLine {
        key,
        code,
        text: words.chars().take(MAX_TEXT).collect(),
    })
}

#[cfg(test)]
mod tests;
