//! Between the wire's devices and ours.
//!
//! What is missing in an answer leaves it open what the hub holds: unknown, never a default.

use hubshift_azure::{AuthType, Authentication, Capabilities, Device, Status, Twin};
use serde_json::{Value, json};

use crate::credentials::Credentials;
use crate::device::{DeviceWrite, HubDevice, Identity};
use crate::outcome::{Cause, HubError, Rejection};

/// The body of an identity write. Always has both keys: a hub makes new ones where they lack.
pub(super) fn identity_body(identity: &Identity) -> Result<Device, HubError> {
    Ok(Device {
        device_id: identity.device_id.clone(),
        status: Some(if identity.enabled {
            Status::Enabled
        } else {
            Status::Disabled
        }),
        status_reason: identity.status_reason.clone(),
        authentication: Some(authentication(&identity.credentials)?),
        capabilities: Some(Capabilities {
            iot_edge: identity.iot_edge,
        }),
        ..Device::default()
    })
}

/// The body of a twin write: all tags and desired, empty ones too, because it replaces.
pub(super) fn twin_body(device: &DeviceWrite) -> Value {
    json!({
        "deviceId": device.identity.device_id,
        "tags": device.tags,
        "properties": { "desired": device.desired },
    })
}

/// A device of its identity and its twin.
pub(super) fn device(identity: Device, twin: Twin) -> Result<HubDevice, HubError> {
    let desired = twin.plain_desired();
    let desired_version = twin.desired_version();
    Ok(HubDevice {
        generation_id: there(identity.generation_id, "generationId")?,
        identity_etag: there(identity.etag, "etag")?,
        twin_etag: there(twin.etag, "twin etag")?,
        twin_version: there(twin.version, "twin version")?,
        desired_version: there(desired_version, "$version of desired")?,
        tags: twin.tags.unwrap_or_default(),
        desired,
        identity: Identity {
            enabled: there(identity.status, "status")? == Status::Enabled,
            status_reason: identity.status_reason,
            credentials: credentials(there(identity.authentication, "authentication")?)?,
            iot_edge: identity.capabilities.unwrap_or_default().iot_edge,
            parent: None,
            device_id: identity.device_id,
        },
    })
}

fn authentication(credentials: &Credentials) -> Result<Authentication, HubError> {
    match credentials {
        Credentials::Sas { primary, secondary } => {
            Ok(Authentication::sas(primary.clone(), secondary.clone()))
        }
        Credentials::SelfSigned {
            primary_thumbprint,
            secondary_thumbprint,
        } => {
            let (primary, secondary) = (primary_thumbprint, secondary_thumbprint);
            Ok(Authentication::self_signed(
                primary.clone(),
                secondary.clone(),
            ))
        }
        Credentials::Ca => Ok(Authentication::certificate_authority()),
        Credentials::None => {
            Err(Rejection::Invalid("a device needs credentials".to_owned()).into())
        }
    }
}

fn credentials(authentication: Authentication) -> Result<Credentials, HubError> {
    match authentication.kind {
        AuthType::Sas => {
            let (primary, secondary) = there(authentication.keys(), "keys")?;
            Ok(Credentials::Sas {
                primary: primary.clone(),
                secondary: secondary.clone(),
            })
        }
        AuthType::SelfSigned => {
            let prints = authentication.x509_thumbprint.unwrap_or_default();
            Ok(Credentials::SelfSigned {
                primary_thumbprint: there(prints.primary_thumbprint, "primaryThumbprint")?,
                secondary_thumbprint: prints.secondary_thumbprint,
            })
        }
        AuthType::CertificateAuthority => Ok(Credentials::Ca),
        AuthType::None => Ok(Credentials::None),
    }
}

fn there<T>(value: Option<T>, name: &str) -> Result<T, HubError> {
    value.ok_or_else(|| Cause::Unreadable(format!("the device has no {name}")).into())
}

#[cfg(test)]
mod tests {
    use hubshift_azure::Secret;

    use super::*;

    fn identity(credentials: Credentials) -> Identity {
        Identity {
            device_id: "d".to_owned(),
            enabled: true,
            status_reason: None,
            credentials,
            iot_edge: false,
            parent: None,
        }
    }

    #[test]
    fn a_write_always_has_both_keys() {
        let (primary, secondary) = (Secret::new("YQ=="), Secret::new("Yg=="));
        let body = identity_body(&identity(Credentials::Sas { primary, secondary })).unwrap();
        let json = serde_json::to_value(body).unwrap();
        assert_eq!(json["authentication"]["symmetricKey"]["primaryKey"], "YQ==");
        assert_eq!(
            json["authentication"]["symmetricKey"]["secondaryKey"],
            "Yg=="
        );
    }

    #[test]
    fn a_device_without_credentials_is_not_sent() {
        let found = identity_body(&identity(Credentials::None)).unwrap_err();
        assert!(matches!(found, HubError::Rejected(Rejection::Invalid(_))));
    }

    #[test]
    fn an_answer_without_keys_is_not_taken_for_a_device() {
        let wire = Device::from_value(json!({
            "deviceId": "d", "generationId": "1", "etag": "MA==", "status": "enabled",
            "authentication": {"type": "sas"},
        }));
        let twin = Twin::from_value(json!({
            "etag": "AAAAAAAAAAE=", "version": 2, "properties": {"desired": {"$version": 1}},
        }));
        let found = device(wire.unwrap(), twin.unwrap()).unwrap_err();
        assert!(matches!(found, HubError::Unknown(Cause::Unreadable(_))));
    }
}
