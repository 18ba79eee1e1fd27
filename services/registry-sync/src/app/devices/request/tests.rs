use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_api::json::to_struct;
use hubshift_api::pb::types;
use hubshift_hub::Credentials;
use serde_json::json;

use super::*;

fn key(byte: u8) -> String {
    STANDARD.encode([byte; 32])
}

fn new(device: pb::Device, credentials: Option<pb::DeviceCredentials>) -> pb::CreateDeviceRequest {
    pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: "d-1".into(),
        device: Some(device),
        credentials,
        request_id: Uuid::nil().to_string(),
    }
}

fn created(message: &pb::CreateDeviceRequest) -> New {
    match create("me", message).unwrap().change {
        Change::Create(new) => new,
        other => panic!("not a creation: {other:?}"),
    }
}

fn sas(primary: &str, secondary: &str) -> pb::DeviceCredentials {
    pb::DeviceCredentials {
        primary_key: primary.into(),
        secondary_key: secondary.into(),
        ..Default::default()
    }
}

#[test]
fn a_bare_creation_is_an_enabled_device_with_new_keys() {
    let device = created(&new(pb::Device::default(), None));
    assert!(device.enabled);
    assert_eq!(device.credentials, Wish::NewKeys);
}

#[test]
fn every_violation_is_named_at_once() {
    let message = pb::CreateDeviceRequest {
        parent: "acme".into(),
        device_id: "a b".into(),
        device: Some(pb::Device {
            status_reason: "x".repeat(129),
            tags: Some(to_struct(json!({"a.b": 1}).as_object().unwrap())),
            ..Default::default()
        }),
        credentials: Some(sas(&key(1), "")),
        request_id: "x".into(),
    };
    let text = create("me", &message).unwrap_err().message().to_owned();
    let fields = [
        "parent",
        "device_id",
        "request_id",
        "status_reason",
        "tags",
        "credentials",
    ];
    for field in fields {
        assert!(text.contains(field), "{field} is not in: {text}");
    }
}

#[test]
fn given_keys_come_in_pairs_and_are_never_shown() {
    let device = created(&new(pb::Device::default(), Some(sas(&key(1), &key(2)))));
    assert!(matches!(
        device.credentials,
        Wish::Given(Credentials::Sas { .. })
    ));
    assert!(!format!("{device:?}").contains(&key(1)));
    let refused = create(
        "me",
        &new(pb::Device::default(), Some(sas("canary!", &key(2)))),
    );
    assert!(!refused.unwrap_err().message().contains("canary"));
}

#[test]
fn a_self_signed_device_needs_a_thumbprint() {
    let device = pb::Device {
        credential_kind: types::CredentialKind::SelfSigned.into(),
        ..Default::default()
    };
    assert!(create("me", &new(device.clone(), None)).is_err());
    let prints = pb::DeviceCredentials {
        kind: types::CredentialKind::SelfSigned.into(),
        primary_thumbprint: "AB".repeat(20),
        ..Default::default()
    };
    let found = created(&new(device, Some(prints))).credentials;
    assert!(matches!(found, Wish::Given(Credentials::SelfSigned { .. })));
}

#[test]
fn a_change_replaces_what_it_names_and_nothing_else() {
    let message = |device| pb::UpdateDeviceRequest {
        device: Some(device),
        credentials: None,
        etag: String::new(),
        request_id: Uuid::nil().to_string(),
    };
    let name = "fleets/acme/devices/d-1".to_owned();
    let device = pb::Device {
        name: name.clone(),
        enabled: Some(false),
        ..Default::default()
    };
    let Change::Update(parts) = update("me", &message(device)).unwrap().change else {
        panic!()
    };
    assert_eq!(parts.status, Some((false, None)));
    assert!(parts.tags.is_none() && parts.desired.is_none() && parts.credentials.is_none());
    let nothing = pb::Device {
        name: name.clone(),
        ..Default::default()
    };
    assert!(update("me", &message(nothing)).is_err());
    let reason = pb::Device {
        name,
        status_reason: "lost".into(),
        ..Default::default()
    };
    assert!(update("me", &message(reason)).is_err());
}

#[test]
fn the_same_id_with_another_body_has_another_hash() {
    let one = create("me", &new(pb::Device::default(), None)).unwrap();
    let off = pb::Device {
        enabled: Some(false),
        ..Default::default()
    };
    let other = create("me", &new(off, None)).unwrap();
    assert_ne!(one.ticket.body_sha256, other.ticket.body_sha256);
}
