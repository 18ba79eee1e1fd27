//! Between the wire's devices and modules and ours.
//!
//! What is missing in an answer leaves it open what the hub holds: unknown, never a default.

use hubshift_azure::{AuthType, Authentication, Capabilities, Device, Module, Status, Twin};
use serde_json::{Value, json};

use crate::credentials::Credentials;
use crate::device::{DeviceWrite, HubDevice, Identity};
use crate::key::Key;
use crate::outcome::{Cause, HubError, Rejection};
use crate::scope;

/// The body of an identity write, without the device's place in the hierarchy. Always has both
/// keys: a hub makes new ones where they lack.
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

/// The body of a module's identity write. Always has its credentials: a hub makes some where they
/// lack.
pub(super) fn module_body(
    device: &str,
    module: &str,
    identity: &Identity,
) -> Result<Module, HubError> {
    Ok(Module {
        device_id: device.to_owned(),
        module_id: module.to_owned(),
        managed_by: identity.managed_by.clone(),
        authentication: Some(authentication(&identity.credentials)?),
        ..Module::default()
    })
}

/// The body of a twin write: all tags and desired, empty ones too, because it replaces.
pub(super) fn twin_body(device: &DeviceWrite) -> Value {
    let mut body = json!({
        "tags": device.tags,
        "properties": { "desired": device.desired },
    });
    match Key::parse(&device.identity.device_id) {
        Ok(Key::Module(device, module)) => {
            body["deviceId"] = device.into();
            body["moduleId"] = module.into();
        }
        _ => body["deviceId"] = device.identity.device_id.as_str().into(),
    }
    body
}

/// A device of its identity and its twin.
pub(super) fn device(wire: Device, twin: Twin) -> Result<HubDevice, HubError> {
    let identity = Identity {
        enabled: there(wire.status, "status")? == Status::Enabled,
        parent: parent(&wire),
        status_reason: wire.status_reason,
        credentials: credentials(there(wire.authentication, "authentication")?)?,
        iot_edge: wire.capabilities.unwrap_or_default().iot_edge,
        managed_by: None,
        device_id: wire.device_id,
    };
    joined(identity, wire.generation_id, wire.etag, twin)
}

/// A module of its identity and its twin; `key` is its key.
pub(super) fn module(key: Key<'_>, wire: Module, twin: Twin) -> Result<HubDevice, HubError> {
    let identity = Identity {
        device_id: key.to_string(),
        enabled: true,
        status_reason: None,
        credentials: credentials(there(wire.authentication, "authentication")?)?,
        iot_edge: false,
        parent: None,
        managed_by: wire.managed_by,
    };
    joined(identity, wire.generation_id, wire.etag, twin)
}

fn joined(
    identity: Identity,
    generation_id: Option<String>,
    etag: Option<String>,
    twin: Twin,
) -> Result<HubDevice, HubError> {
    let desired = twin.plain_desired();
    let desired_version = twin.desired_version();
    Ok(HubDevice {
        generation_id: there(generation_id, "generationId")?,
        identity_etag: there(etag, "etag")?,
        twin_etag: there(twin.etag, "twin etag")?,
        twin_version: there(twin.version, "twin version")?,
        desired_version: there(desired_version, "$version of desired")?,
        tags: twin.tags.unwrap_or_default(),
        desired,
        identity,
    })
}

/// The id of the device above one.
pub(super) fn parent(device: &Device) -> Option<String> {
    scope_above(device).map(|scope| scope::device_of(scope).to_owned())
}

/// The scope of the device above one. An edge device's own says nothing of it.
pub(super) fn scope_above(device: &Device) -> Option<&str> {
    let is_edge = device.capabilities.unwrap_or_default().iot_edge;
    let above = match is_edge {
        true => device.parent_scopes.as_ref()?.first()?,
        false => device.device_scope.as_ref()?,
    };
    Some(above.as_str())
}

/// What a write sends. Never a key that is empty: a hub makes one where none is sent.
pub(super) fn authentication(credentials: &Credentials) -> Result<Authentication, HubError> {
    let lacking = || HubError::from(Rejection::Invalid("it needs credentials".to_owned()));
    match credentials {
        Credentials::Sas { primary, secondary } => {
            let is_whole = [primary, secondary]
                .iter()
                .all(|key| !key.expose().trim().is_empty());
            let both = || Authentication::sas(primary.clone(), secondary.clone());
            is_whole.then(both).ok_or_else(lacking)
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
        Credentials::None => Err(lacking()),
    }
}

pub(super) fn credentials(authentication: Authentication) -> Result<Credentials, HubError> {
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

/// What the hub must have said.
pub(super) fn there<T>(value: Option<T>, name: &str) -> Result<T, HubError> {
    value.ok_or_else(|| Cause::Unreadable(format!("it has no {name}")).into())
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
            managed_by: None,
        }
    }

    fn wire(json: Value) -> Device {
        Device::from_value(json).unwrap()
    }

    #[test]
    fn a_parent_is_read_from_the_scope_that_speaks_of_it() {
        let (own, above) = (
            "ms-azure-iot-edge://gw-1-63",
            "ms-azure-iot-edge://top-7-64",
        );
        let leaf = wire(json!({"deviceId": "d", "deviceScope": above, "parentScopes": [above]}));
        assert_eq!(parent(&leaf).as_deref(), Some("top-7"));
        let edge = |parents: Value| {
            wire(json!({
                "deviceId": "gw-1", "capabilities": {"iotEdge": true}, "deviceScope": own,
                "parentScopes": parents,
            }))
        };
        assert_eq!(parent(&edge(json!([above]))).as_deref(), Some("top-7"));
        assert_eq!(parent(&edge(json!([]))), None);
        assert_eq!(parent(&edge(Value::Null)), None);
        assert_eq!(parent(&wire(json!({"deviceId": "d"}))), None);
    }

    #[test]
    fn a_twin_of_a_module_names_both() {
        let mut write = DeviceWrite {
            identity: identity(Credentials::Ca),
            tags: serde_json::Map::new(),
            desired: serde_json::Map::new(),
        };
        assert_eq!(twin_body(&write)["deviceId"], "d");
        write.identity.device_id = "d/m".to_owned();
        let body = twin_body(&write);
        assert_eq!(
            (&body["deviceId"], &body["moduleId"]),
            (&json!("d"), &json!("m"))
        );
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
    fn a_device_without_credentials_or_with_one_key_is_not_sent() {
        let keys = |primary, secondary| Credentials::Sas {
            primary: Secret::new(primary),
            secondary: Secret::new(secondary),
        };
        for lacking in [
            Credentials::None,
            keys("", ""),
            keys("YQ==", ""),
            keys(" ", "Yg=="),
        ] {
            let found = identity_body(&identity(lacking)).unwrap_err();
            assert!(matches!(found, HubError::Rejected(Rejection::Invalid(_))));
        }
    }

    #[test]
    fn an_answer_without_keys_is_not_taken_for_a_device() {
        let wire = wire(json!({
            "deviceId": "d", "generationId": "1", "etag": "MA==", "status": "enabled",
            "authentication": {"type": "sas"},
        }));
        let twin = Twin::from_value(json!({
            "etag": "AAAAAAAAAAE=", "version": 2, "properties": {"desired": {"$version": 1}},
        }));
        let found = device(wire, twin.unwrap()).unwrap_err();
        assert!(matches!(found, HubError::Unknown(Cause::Unreadable(_))));
    }
}
