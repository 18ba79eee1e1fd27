//! A device or module as one line of an Azure export file, keys included.
//!
//! A line is what an export job of a hub would have written, so that a decrypted chunk can be
//! imported without us. What such a line has no place for stands in a member of our own,
//! `hubshift`, which importers pass over: a later life of an id, the parent (its scope is another one
//! at every hub), who manages a module. A configuration is a line without an id: importers say so
//! and go on.

use hubshift_azure::{
    AuthType, Authentication, Capabilities, ExportImportDevice, Properties, Status,
};
use hubshift_domain::identity::{Incarnation, Record};
use hubshift_hub::{Credentials, Key};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::seal::FleetKeys;

/// Why a line is not one of ours. Shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    /// It is not JSON, or a field is not what it must be.
    #[error("a line is no device")]
    Malformed,
    /// Keys or thumbprints are missing.
    #[error("a line lacks credentials")]
    NoCredentials,
}

/// What an export line has no place for.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Ours {
    /// Which life of the id, unless it is the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    incarnation: Option<Incarnation>,
    /// The id of the parent.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    /// Who manages a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<String>,
    /// The key, of what is neither a device nor a module.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// A device, module or configuration in a backup.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The key.
    pub(crate) device_id: String,
    /// Which life of the id.
    pub(crate) incarnation: Incarnation,
    /// The record as the hub showed it.
    pub(crate) record: Record,
    /// How the device proves who it is.
    pub(crate) credentials: Credentials,
}

impl Line {
    /// The line's text, without the line feed. Has the keys in it.
    pub(crate) fn to_text(&self) -> Result<String, serde_json::Error> {
        let record = &self.record;
        let (id, module_id, key) = match Key::parse(&self.device_id) {
            Ok(Key::Module(device, module)) => (device, Some(module.to_owned()), None),
            Ok(Key::Configuration(_)) => ("", None, Some(self.device_id.clone())),
            Ok(Key::Device(_)) | Err(_) => (self.device_id.as_str(), None, None),
        };
        let device = ExportImportDevice {
            id: id.to_owned(),
            module_id,
            status: Some(if record.enabled {
                Status::Enabled
            } else {
                Status::Disabled
            }),
            status_reason: record.status_reason.clone(),
            authentication: Some(authentication(&self.credentials)),
            tags: Some(record.tags.clone()),
            properties: Some(Properties {
                desired: Some(record.desired.clone()),
                reported: None,
            }),
            capabilities: Some(Capabilities {
                iot_edge: record.iot_edge,
            }),
            ..ExportImportDevice::default()
        };
        let ours = Ours {
            incarnation: Some(self.incarnation).filter(|life| *life != 1),
            parent: record.parent.clone(),
            managed_by: record.managed_by.clone(),
            key,
        };
        let mut value = serde_json::to_value(device)?;
        if let Value::Object(map) = &mut value {
            if id.is_empty() {
                map.remove("id");
            }
            if ours != Ours::default() {
                map.insert("hubshift".to_owned(), serde_json::to_value(ours)?);
            }
        }
        serde_json::to_string(&value)
    }

    /// Reads a line.
    pub(crate) fn parse(text: &str, keys: &FleetKeys) -> Result<Self, LineError> {
        let value: Value = serde_json::from_str(text).map_err(|_| LineError::Malformed)?;
        let ours = ours(&value)?;
        let device = ExportImportDevice::from_value(value).map_err(|_| LineError::Malformed)?;
        let key = match (ours.key, &device.module_id) {
            (Some(key), _) => key,
            (None, Some(module)) => Key::Module(&device.id, module).to_string(),
            (None, None) => device.id.clone(),
        };
        let found = device.authentication.as_ref().and_then(credentials);
        let credentials = found.ok_or(LineError::NoCredentials)?;
        let record = Record {
            enabled: device.status == Some(Status::Enabled),
            credential: keys.credential(&key, &credentials),
            iot_edge: device
                .capabilities
                .is_some_and(|capabilities| capabilities.iot_edge),
            desired: device.desired().cloned().unwrap_or_default(),
            tags: device.tags.unwrap_or_default(),
            status_reason: device.status_reason,
            parent: ours.parent,
            managed_by: ours.managed_by,
        };
        Ok(Self {
            device_id: key,
            incarnation: ours.incarnation.unwrap_or(1),
            record,
            credentials,
        })
    }
}

fn ours(value: &Value) -> Result<Ours, LineError> {
    match value.get("hubshift") {
        None => Ok(Ours::default()),
        Some(ours) => Ours::deserialize(ours).map_err(|_| LineError::Malformed),
    }
}

/// Credentials as Azure writes them.
pub(crate) fn authentication(credentials: &Credentials) -> Authentication {
    match credentials {
        Credentials::Sas { primary, secondary } => {
            Authentication::sas(primary.clone(), secondary.clone())
        }
        Credentials::SelfSigned {
            primary_thumbprint,
            secondary_thumbprint,
        } => Authentication::self_signed(primary_thumbprint.clone(), secondary_thumbprint.clone()),
        Credentials::Ca => Authentication::certificate_authority(),
        Credentials::None => Authentication {
            kind: AuthType::None,
            ..Authentication::certificate_authority()
        },
    }
}

fn credentials(authentication: &Authentication) -> Option<Credentials> {
    match authentication.kind {
        AuthType::Sas => {
            let (primary, secondary) = authentication.keys()?;
            Some(Credentials::Sas {
                primary: primary.clone(),
                secondary: secondary.clone(),
            })
        }
        AuthType::SelfSigned => {
            let prints = authentication.x509_thumbprint.as_ref()?;
            Some(Credentials::SelfSigned {
                primary_thumbprint: prints.primary_thumbprint.clone()?,
                secondary_thumbprint: prints.secondary_thumbprint.clone(),
            })
        }
        AuthType::CertificateAuthority => Some(Credentials::Ca),
        AuthType::None => Some(Credentials::None),
    }
}
