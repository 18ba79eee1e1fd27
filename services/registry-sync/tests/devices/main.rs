//! Devices through the authority: once per request, at the hub that reigns, keys shown to nobody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod calls;
#[path = "../common/mod.rs"]
mod common;
mod deposed;
mod lossy;
mod lost;
mod secrets;

use hubshift_api::fault::reason;
use hubshift_api::json::to_struct;
use hubshift_api::pb::registry as pb;
use hubshift_emulator::OutageMode;
use serde_json::json;
use tonic::Code;
use tonic_types::StatusExt as _;

use calls::{
    create, creation, delete, deletion, disabling, get, journal_rows, set_deadline, set_mode,
    tagged, update,
};
use common::World;
use common::hubs::device;

#[tokio::test]
async fn a_closed_registry_refuses_and_says_why_and_until_when() {
    let world = World::start().await;
    set_mode(&world, "frozen", 3600.0).await;
    let frozen = create(&world, &creation("x")).await.unwrap_err();
    assert_eq!(frozen.code(), Code::FailedPrecondition);
    assert_eq!(reason(&frozen), "REGISTRY_FROZEN");
    assert!(frozen.get_details_retry_info().is_some());
    set_mode(&world, "settling", 0.0).await;
    let settling = delete(&world, &deletion("x", "")).await.unwrap_err();
    assert_eq!(reason(&settling), "REGISTRY_SETTLING");
    // A freeze that ran out thaws by itself.
    set_mode(&world, "frozen", -1.0).await;
    create(&world, &creation("x")).await.unwrap();
    assert_eq!(journal_rows(&world).await.len(), 1, "refusals leave no row");
    world.stop().await;
}

#[tokio::test]
async fn a_change_and_a_deletion_need_the_etag_that_was_read() {
    let world = World::start().await;
    let made = create(&world, &tagged("d-1")).await.unwrap();
    let changed = update(&world, &disabling("d-1", &made.etag)).await.unwrap();
    assert_eq!(
        (changed.enabled, changed.status_reason.as_str()),
        (Some(false), "lost")
    );
    assert_eq!(changed.tags, made.tags, "what is not named stays");
    assert_ne!(changed.etag, made.etag);
    for stale in [
        update(&world, &disabling("d-1", &made.etag))
            .await
            .unwrap_err(),
        delete(&world, &deletion("d-1", &made.etag))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(stale.code(), Code::Aborted);
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
    }
    // Somebody changes it at the hub itself: the etag moves, and a read shows it.
    world
        .east
        .change("d-1", |device| device.identity.enabled = true)
        .await;
    let read = get(&world, "d-1").await.unwrap();
    assert_eq!(read.enabled, Some(true));
    assert_ne!(read.etag, changed.etag);
    let request = deletion("d-1", &read.etag);
    delete(&world, &request).await.unwrap();
    delete(&world, &request).await.unwrap();
    assert!(world.east.get("d-1").await.is_none());
    let missing = get(&world, "d-1").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(reason(&missing), "DEVICE_NOT_FOUND");
    world.stop().await;
}

#[tokio::test]
async fn the_journal_keeps_what_the_hub_shows_and_not_what_was_asked_for() {
    let world = World::start().await;
    let desired = json!({"gone": null, "rate": 1});
    let request = pb::CreateDeviceRequest {
        device: Some(pb::Device {
            desired: Some(to_struct(desired.as_object().unwrap())),
            ..Default::default()
        }),
        ..creation("d-1")
    };
    create(&world, &request).await.unwrap();
    let (journaled, observed, desired): (Vec<u8>, Vec<u8>, serde_json::Value) = sqlx::query_as(
        "select j.fingerprint, o.fingerprint, j.record -> 'desired'
           from registry.journal j
           join registry.observed o using (fleet_id, hub_id, device_id)",
    )
    .fetch_one(&world.admin)
    .await
    .unwrap();
    assert_eq!(journaled, observed);
    assert_eq!(desired.as_object().unwrap().len(), 1, "{desired}");
    world.stop().await;
}

#[tokio::test]
async fn the_next_device_of_the_same_id_is_a_later_life() {
    let world = World::start().await;
    let first = create(&world, &creation("again")).await.unwrap();
    delete(&world, &deletion("again", "")).await.unwrap();
    let second = create(&world, &creation("again")).await.unwrap();
    assert_eq!((first.incarnation, second.incarnation), (1, 2));
    assert!(second.sequence > first.sequence);
    world.stop().await;
}

#[tokio::test]
async fn what_can_not_be_is_refused_by_name() {
    let world = World::start().await;
    let made = creation("taken");
    create(&world, &made).await.unwrap();
    let exists = create(&world, &creation("taken")).await.unwrap_err();
    assert_eq!(reason(&exists), "DEVICE_EXISTS");
    let other_body = pb::CreateDeviceRequest {
        request_id: made.request_id.clone(),
        ..tagged("taken")
    };
    let reused = create(&world, &other_body).await.unwrap_err();
    assert_eq!(reused.code(), Code::AlreadyExists);
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let other_method = pb::DeleteDeviceRequest {
        request_id: made.request_id.clone(),
        ..deletion("taken", "")
    };
    let reused = delete(&world, &other_method).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let missing = update(&world, &disabling("nobody", "")).await.unwrap_err();
    assert_eq!(reason(&missing), "DEVICE_NOT_FOUND");
    let elsewhere = pb::CreateDeviceRequest {
        parent: "fleets/nobody".into(),
        ..creation("x")
    };
    let missing = create(&world, &elsewhere).await.unwrap_err();
    assert_eq!(reason(&missing), "FLEET_NOT_FOUND");
    world.stop().await;
}

#[tokio::test]
async fn devices_are_listed_page_by_page_as_the_hub_was_last_seen() {
    let world = World::start().await;
    for id in ["b", "a", "c"] {
        create(&world, &creation(id)).await.unwrap();
    }
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListDevicesRequest {
            parent: "fleets/acme".into(),
            page_size: 2,
            page_token,
        };
        let page = world
            .devices
            .clone()
            .list_devices(request)
            .await
            .unwrap()
            .into_inner();
        assert!(page.devices.len() <= 2);
        ids.extend(page.devices.into_iter().map(|device| device.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected = ["a", "b", "c"].map(|id| format!("fleets/acme/devices/{id}"));
    assert_eq!(ids, expected);
    // A device that nobody told us of is found as soon as it is asked for.
    world
        .east
        .create(&device("direct", common::hubs::sas()))
        .await;
    assert_eq!(get(&world, "direct").await.unwrap().sequence, 0);
    // And is shown as it was last seen while the hub is silent.
    set_deadline(&world, 1500).await;
    world.east.running.set_outage(OutageMode::Hang);
    let last = get(&world, "direct").await.unwrap();
    assert_eq!(last.enabled, Some(true));
    world.east.running.set_outage(OutageMode::None);
    world.stop().await;
}
