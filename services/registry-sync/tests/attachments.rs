//! Who is connected to a hub, by its own list.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::World;
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_emulator::{Options, OutageMode};
use serde_json::json;

fn with_admin(options: Options) -> Options {
    Options {
        admin: Some("127.0.0.1:0".parse().unwrap()),
        ..options
    }
}

/// Holds a device connected to east.
async fn connect(world: &World, device: &str) {
    let admin = world.east.running.admin_addr.unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{admin}/devices/{device}/connection");
    let sent = http.put(url).json(&json!({"connected": true})).send().await;
    assert_eq!(sent.unwrap().status().as_u16(), 200);
}

fn page_of(hub: &str, page_size: i32, page_token: String) -> pb::ListConnectedDevicesRequest {
    pb::ListConnectedDevicesRequest {
        fleet: "fleets/acme".into(),
        hub: hub.into(),
        page_size,
        page_token,
    }
}

#[tokio::test]
async fn the_devices_that_stayed_are_named_page_by_page() {
    let world = World::start_with(1.0, with_admin, |west| west).await;
    world.east.create_many(5).await;
    for device in ["d-001", "d-003", "d-004"] {
        connect(&world, device).await;
    }
    let (mut named, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let request = page_of("east", 2, token);
        let answer = world
            .attachments
            .clone()
            .list_connected_devices(request)
            .await;
        let page = answer.unwrap().into_inner();
        assert!(page.read_time.is_some() && page.devices.len() <= 2);
        for device in page.devices {
            assert!(device.last_activity_time.is_some(), "{device:?}");
            named.push(device.device_id);
        }
        (token, pages) = (page.next_page_token, pages + 1);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(named, ["d-001", "d-003", "d-004"]);
    assert!(pages >= 2);

    let request = page_of("west", 0, String::new());
    let answer = world
        .attachments
        .clone()
        .list_connected_devices(request)
        .await;
    assert!(answer.unwrap().into_inner().devices.is_empty());
}

#[tokio::test]
async fn of_a_hub_that_does_not_answer_nobody_can_say() {
    let world = World::start().await;
    world.east.running.set_outage(OutageMode::Refuse);
    let request = page_of("east", 0, String::new());
    let answer = world
        .attachments
        .clone()
        .list_connected_devices(request)
        .await;
    assert_eq!(reason(&answer.unwrap_err()), "HUB_UNREACHABLE");
    for (hub, wanted) in [("north", "HUB_NOT_FOUND"), ("North", "INVALID_REQUEST")] {
        let request = page_of(hub, 0, String::new());
        let answer = world
            .attachments
            .clone()
            .list_connected_devices(request)
            .await;
        assert_eq!(reason(&answer.unwrap_err()), wanted);
    }
    let request = page_of("west", 0, "bm9uc2Vuc2U".into());
    let answer = world
        .attachments
        .clone()
        .list_connected_devices(request)
        .await;
    assert_eq!(reason(&answer.unwrap_err()), "INVALID_REQUEST");
}
