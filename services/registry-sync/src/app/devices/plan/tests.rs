use hubshift_api::pb::registry as pb;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::Stamp;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::request;
use super::*;
use crate::seal::tests::keys;
use crate::store::journal::{Operation, State};

fn creation() -> Request {
    let message = pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: "d-1".into(),
        request_id: Uuid::nil().to_string(),
        ..Default::default()
    };
    request::create("me", &message).unwrap()
}

fn change(etag: &str, device: pb::Device) -> Request {
    let message = pb::UpdateDeviceRequest {
        device: Some(pb::Device {
            name: "fleets/acme/devices/d-1".into(),
            ..device
        }),
        etag: etag.into(),
        request_id: Uuid::nil().to_string(),
        ..Default::default()
    };
    request::update("me", &message).unwrap()
}

fn deletion() -> Request {
    let message = pb::DeleteDeviceRequest {
        name: "fleets/acme/devices/d-1".into(),
        request_id: Uuid::nil().to_string(),
        ..Default::default()
    };
    request::delete("me", &message).unwrap()
}

fn off() -> pb::Device {
    pb::Device {
        enabled: Some(false),
        status_reason: "lost".into(),
        ..Default::default()
    }
}

const NOTHING: Before<'static> = Before {
    seen: None,
    base: None,
    prior: None,
    is_superseded: false,
    next_life: 3,
};

/// What a hub shows after a creation.
fn shown(keys: &FleetKeys, wanted: &Wanted) -> Observed {
    Observed {
        device_id: wanted.device_id.clone(),
        generation_id: "g".into(),
        incarnation: wanted.incarnation,
        identity_etag: "i".into(),
        twin_etag: "t".into(),
        twin_version: 1,
        desired_version: 1,
        fingerprint: effect(wanted).fingerprint(&keys.fingerprint, &wanted.device_id),
        record: effect(wanted),
        sealed: wanted.sealed.clone(),
        read_time: OffsetDateTime::UNIX_EPOCH,
    }
}

fn entry(image: Option<Image>) -> Entry {
    Entry {
        sequence: 7,
        epoch: Epoch(1024),
        hub_id: "east".into(),
        operation: Operation::Create,
        device_id: "d-1".into(),
        incarnation: 3,
        caller: "me".into(),
        request_id: Uuid::nil(),
        body_sha256: Vec::new(),
        image,
        state: State::Unknown,
        reason: String::new(),
        detail: String::new(),
        response: None,
        deadline: OffsetDateTime::UNIX_EPOCH,
        is_overdue: true,
    }
}

fn create(keys: &FleetKeys) -> Wanted {
    let Plan::Write(Planned::Create(wanted)) = plan(&creation(), keys, NOTHING).unwrap() else {
        panic!("a new device is made")
    };
    *wanted
}

#[test]
fn a_new_device_has_keys_of_its_own_and_the_next_life() {
    let keys = keys(4);
    let (one, other) = (create(&keys), create(&keys));
    assert_eq!(one.incarnation, 3);
    assert_ne!(one.record.credential, other.record.credential);
    let Credentials::Sas { primary, secondary } = keys.open("d-1", &one.sealed).unwrap() else {
        panic!("sas by default")
    };
    assert_ne!(primary, secondary);
    assert_eq!(primary.decode().unwrap().len(), 32);
}

#[test]
fn a_creation_that_is_repeated_has_the_keys_of_its_first_try() {
    let keys = keys(4);
    let first = Planned::Create(Box::new(create(&keys)));
    let prior = entry(first.image(&keys));
    let before = Before {
        prior: Some(&prior),
        ..NOTHING
    };
    let Plan::Write(again) = plan(&creation(), &keys, before).unwrap() else {
        panic!()
    };
    let (first, again) = (first.image(&keys).unwrap(), again.image(&keys).unwrap());
    assert_eq!(again.fingerprint, first.fingerprint);
    assert_eq!(again.record.credential, first.record.credential);
}

#[test]
fn a_device_that_is_there_is_refused_unless_this_request_made_it() {
    let keys = keys(4);
    let made = create(&keys);
    let there = shown(&keys, &made);
    let before = Before {
        seen: Some(&there),
        ..NOTHING
    };
    let refused = plan(&creation(), &keys, before).unwrap();
    assert!(matches!(refused, Plan::Refuse(Refusal::Exists, _)));

    let prior = entry(Planned::Create(Box::new(made.clone())).image(&keys));
    let ours = Before {
        prior: Some(&prior),
        ..before
    };
    assert!(matches!(
        plan(&creation(), &keys, ours).unwrap(),
        Plan::Happened
    ));

    // Made without the rest: the rest is written over it.
    let mut half = there.clone();
    half.record.tags = json!({"half": true}).as_object().unwrap().clone();
    half.fingerprint = half.record.fingerprint(&keys.fingerprint, "d-1");
    let ours = Before {
        seen: Some(&half),
        ..ours
    };
    let Plan::Write(Planned::Update(to, _)) = plan(&creation(), &keys, ours).unwrap() else {
        panic!("it is completed")
    };
    assert_eq!(to.record, made.record);
}

#[test]
fn a_change_of_what_was_not_read_is_refused() {
    let keys = keys(4);
    let there = shown(&keys, &create(&keys));
    let before = Before {
        seen: Some(&there),
        ..NOTHING
    };
    let stale = plan(&change("old", off()), &keys, before).unwrap();
    assert!(matches!(stale, Plan::Refuse(Refusal::EtagMismatch, _)));
    let current = plan(&change(&view::etag(&there), off()), &keys, before).unwrap();
    let Plan::Write(Planned::Update(to, _)) = current else {
        panic!()
    };
    assert!(!to.record.enabled);
    assert_eq!(to.record.status_reason.as_deref(), Some("lost"));
    assert_eq!(to.record.credential, there.record.credential);
    let gone = plan(&change("", off()), &keys, NOTHING).unwrap();
    assert!(matches!(gone, Plan::Refuse(Refusal::NotFound, _)));
}

#[test]
fn a_held_device_is_changed_beneath_its_hold() {
    let keys = keys(4);
    let made = create(&keys);
    let held = Wanted {
        hold: Some("record@3".into()),
        ..made.clone()
    };
    let there = shown(&keys, &held);
    assert!(!there.record.enabled);
    let stamp = Stamp {
        epoch: Epoch(1024),
        sequence: 1,
        origin: HubId::new("east").unwrap(),
    };
    let base = Base {
        device_id: "d-1".into(),
        incarnation: made.incarnation,
        record: made.record,
        sealed: made.sealed,
        fingerprint: there.fingerprint,
        stamp,
        hold: held.hold,
        verify_time: OffsetDateTime::UNIX_EPOCH,
    };
    let before = Before {
        seen: Some(&there),
        base: Some(&base),
        ..NOTHING
    };
    let tags = hubshift_api::json::to_struct(json!({"a": 1}).as_object().unwrap());
    let tagged = change(
        "",
        pb::Device {
            tags: Some(tags),
            ..Default::default()
        },
    );
    let Plan::Write(Planned::Update(to, _)) = plan(&tagged, &keys, before).unwrap() else {
        panic!()
    };
    assert!(to.record.enabled && !effect(&to).enabled);
}

#[test]
fn what_happened_is_journaled_as_the_hub_shows_it_and_beneath_its_hold() {
    let keys = keys(4);
    let held = Wanted {
        hold: Some("record@3".into()),
        ..create(&keys)
    };
    let mut there = shown(&keys, &held);
    there.record.tags = json!({"by": "else"}).as_object().unwrap().clone();
    there.fingerprint = there.record.fingerprint(&keys.fingerprint, "d-1");
    let image = Planned::Create(Box::new(held)).shown(&there).unwrap();
    assert_eq!(image.record.tags, there.record.tags);
    assert!(image.record.enabled && !there.record.enabled);
    assert_eq!(image.fingerprint, there.fingerprint);
}

#[test]
fn a_deletion_that_was_begun_happened_when_nothing_is_there() {
    let keys = keys(4);
    let nothing = plan(&deletion(), &keys, NOTHING).unwrap();
    assert!(matches!(nothing, Plan::Refuse(Refusal::NotFound, _)));
    let prior = entry(None);
    let begun = Before {
        prior: Some(&prior),
        ..NOTHING
    };
    assert!(matches!(
        plan(&deletion(), &keys, begun).unwrap(),
        Plan::Happened
    ));
}

#[test]
fn an_old_request_never_overtakes_a_later_one() {
    let keys = keys(4);
    let before = Before {
        is_superseded: true,
        ..NOTHING
    };
    let refused = plan(&creation(), &keys, before).unwrap();
    assert!(matches!(refused, Plan::Refuse(Refusal::EtagMismatch, _)));
}
