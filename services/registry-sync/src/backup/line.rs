//! A device as one line of an Azure export file, keys included.
//!
//! A line is what an export job of a hub would have written, so that a decrypted chunk can be
//! imported without us. A later life of an id says so in a member of our own, `hubshift`, which
//! importers pass over.

use hubshift_azure::{
    AuthType, Authentication, Capabilities, ExportImportDevice, Properties, Status,
};
use hubshift_domain::identity::{Incarnation, Record};
use hubshift_hub::Credentials;
use serde_json::{Value, json};

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

/// A device in a backup.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// The id.
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
        let device = ExportImportDevice {
            id: self.device_id.clone(),
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
            device_scope: record.parent.clone(),
            ..ExportImportDevice::default()
        };
        let mut value = serde_json::to_value(device)?;
        if let (Value::Object(map), true) = (&mut value, self.incarnation != 1) {
            map.insert(
                "hubshift".to_owned(),
                json!({ "incarnation": self.incarnation }),
            );
        }
        serde_json::to_string(&value)
    }

    /// Reads a line.
    pub(crate) fn parse(text: &str, keys: &FleetKeys) -> Result<Self, LineError> {
        let value: Value = serde_json::from_str(text).map_err(|_| LineError::Malformed)?;
        let incarnation = incarnation(&value)?;
        let device = ExportImportDevice::from_value(value).map_err(|_| LineError::Malformed)?;
        let found = device.authentication.as_ref().and_then(credentials);
        let credentials = found.ok_or(LineError::NoCredentials)?;
        let record = Record {
            enabled: device.status == Some(Status::Enabled),
            credential: keys.credential(&device.id, &credentials),
            iot_edge: device
                .capabilities
                .is_some_and(|capabilities| capabilities.iot_edge),
            desired: device.desired().cloned().unwrap_or_default(),
            tags: device.tags.unwrap_or_default(),
            status_reason: device.status_reason,
            parent: device.device_scope,
        };
        Ok(Self {
            device_id: device.id,
            incarnation,
            record,
            credentials,
        })
    }
}

fn incarnation(value: &Value) -> Result<Incarnation, LineError> {
    match value.get("hubshift") {
        None => Ok(1),
        Some(ours) => ours
            .get("incarnation")
            .and_then(Value::as_u64)
            .and_then(|number| Incarnation::try_from(number).ok())
            .ok_or(LineError::Malformed),
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
