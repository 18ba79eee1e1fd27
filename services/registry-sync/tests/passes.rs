//! Passes from an active hub to its standby: what is copied, and what is not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::time::Duration;

use common::World;
use common::hubs::{device, object, sas};
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_api::pb::types::TaskState;
use hubshift_hub::{Credentials, HubDevice};
use serde_json::json;

/// What must be equal at both hubs.
fn copied(device: &HubDevice) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        device.identity.clone(),
        device.tags.clone(),
        device.desired.clone(),
    )
}

async fn create_a_mixed_registry(world: &World) -> Vec<String> {
    let east = &world.east;
    let prints = Credentials::SelfSigned {
        primary_thumbprint: "aB".repeat(20),
        secondary_thumbprint: Some("cD".repeat(20)),
    };
    let mut stolen = device("stolen", sas());
    stolen.identity.enabled = false;
    stolen.identity.status_reason = Some("stolen in Lyon".into());
    let mut edge = device("edge", Credentials::Ca);
    edge.identity.iot_edge = true;
    let mut bare = device("a%2F#?+", sas());
    (bare.tags, bare.desired) = (object(json!({})), object(json!({})));
    let mut deep = device("deep", sas());
    deep.desired =
        object(json!({"a": {"b": {"c": [1, 2.5, null, "x"]}}, "big": 4503599627370495i64}));
    let all = [
        device("sas", sas()),
        device("prints", prints),
        stolen,
        edge,
        bare,
        deep,
    ];
    for device in &all {
        east.create(device).await;
    }
    all.into_iter()
        .map(|device| device.identity.device_id)
        .collect()
}

#[tokio::test]
async fn a_full_pass_copies_every_kind_of_device_and_verify_says_equal() {
    let world = World::start().await;
    let devices = create_a_mixed_registry(&world).await;
    // The edge device has two modules of the hub's own.
    let records = devices.len() as u64 + 2;
    let done = world.pass(true).await;
    assert_eq!((done.created_count, done.pending_count), (records, 0));
    assert!(done.watermark.is_some());
    for id in &devices {
        let (east, west) = (
            world.east.get(id).await.unwrap(),
            world.west.get(id).await.unwrap(),
        );
        assert_eq!(copied(&east), copied(&west), "{id}");
    }
    let verified = world.verify().await;
    assert!(verified.equal, "{verified:?}");
    assert_eq!(verified.source_digest, verified.target_digest);
    assert_eq!(verified.source_count, records);
    for hub in ["east", "west"] {
        assert_eq!(world.base_count(hub).await, records as i64);
    }
    let west = world.status_of("west").await;
    assert_eq!(
        (west.device_count, west.pending_count),
        (devices.len() as u64, 0)
    );
    assert_eq!(west.verify_epoch, common::EAST_REIGNS as u64);
    assert!(
        west.watermark.is_some() && west.staleness_seconds >= 0.0,
        "{west:?}"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_incremental_pass_finds_one_change_and_one_device_that_was_made_again() {
    let world = World::start().await;
    world.east.create_many(12).await;
    world.pass(false).await;
    let reads = world.east.running.requests("get_device");
    let quiet = world.pass(false).await;
    assert_eq!(
        (quiet.created_count, quiet.updated_count, quiet.equal_count),
        (0, 0, 12)
    );
    assert_eq!(
        world.east.running.requests("get_device"),
        reads,
        "listings are enough"
    );

    world
        .east
        .change("d-003", |device| device.identity.enabled = false)
        .await;
    let old_key = world.east.get("d-007").await.unwrap().identity.credentials;
    world.east.delete("d-007").await;
    let made_again = device("d-007", sas());
    world.east.create(&made_again).await;
    let done = world.pass(false).await;
    assert_eq!(
        (done.created_count, done.updated_count, done.pending_count),
        (0, 2, 0)
    );
    assert!(!world.west.get("d-003").await.unwrap().identity.enabled);
    let west = world.west.get("d-007").await.unwrap();
    assert_eq!(west.identity.credentials, made_again.identity.credentials);
    assert_ne!(
        west.identity.credentials, old_key,
        "the old key does not return"
    );
    for hub in ["east", "west"] {
        assert_eq!(world.incarnation(hub, "d-007").await, 2);
        assert_eq!(world.incarnation(hub, "d-003").await, 1);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_deletion_is_followed_when_two_scans_in_a_row_did_not_find_the_device() {
    let world = World::start().await;
    world.east.create_many(8).await;
    world.pass(false).await;
    world.east.delete("d-002").await;
    let first = world.pass(false).await;
    assert_eq!((first.deleted_count, first.pending_count), (0, 1));
    assert!(
        first.watermark.is_none(),
        "a pending deletion holds the watermark back"
    );
    assert!(world.west.get("d-002").await.is_some());
    let second = world.pass(false).await;
    assert_eq!((second.deleted_count, second.pending_count), (1, 0));
    assert!(world.west.get("d-002").await.is_none());
    assert_eq!(world.base_count("west").await, 7);
    assert!(world.verify().await.equal);
    world.stop().await;
}

#[tokio::test]
async fn a_mass_deletion_stops_the_pass_and_a_device_that_returns_lets_it_go_on() {
    let world = World::start().await;
    world.east.create_many(20).await;
    world.pass(false).await;
    let gone: Vec<String> = (0..8).map(|number| format!("d-{number:03}")).collect();
    let mut kept = Vec::new();
    for id in &gone {
        kept.push(world.east.get(id).await.unwrap());
        world.east.delete(id).await;
    }
    world.pass(false).await;
    let blocked = world.pass(false).await;
    assert_eq!((blocked.deleted_count, blocked.pending_count), (0, 8));
    assert_eq!(world.status_of("west").await.blocked, "MASS_DELETE");
    for id in &gone {
        assert!(world.west.get(id).await.is_some(), "{id}");
    }
    for device in &kept[..4] {
        let again = hubshift_hub::DeviceWrite {
            identity: device.identity.clone(),
            tags: device.tags.clone(),
            desired: device.desired.clone(),
        };
        world.east.create(&again).await;
    }
    let done = world.pass(false).await;
    assert_eq!((done.deleted_count, done.pending_count), (4, 0));
    assert_eq!(world.status_of("west").await.blocked, "");
    assert!(world.verify().await.equal);
    world.stop().await;
}

#[tokio::test]
async fn what_only_the_standby_has_is_kept_and_differs() {
    let world = World::start().await;
    world.east.create_many(3).await;
    world.west.create(&device("extra", sas())).await;
    for _ in 0..3 {
        let done = world.pass(false).await;
        assert_eq!((done.deleted_count, done.pending_count), (0, 0));
    }
    assert!(world.west.get("extra").await.is_some());
    let verified = world.verify().await;
    assert!(!verified.equal);
    assert_eq!(verified.differing_devices, ["extra"]);
    assert_eq!(
        world.status_of("west").await.verify_epoch,
        0,
        "never verified equal"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_quarantined_hub_is_not_followed_up() {
    let world = World::start().await;
    world.east.create_many(2).await;
    world.set_state("west", "quarantined").await;
    let task = world.run_pass(false).await;
    assert_eq!(task.state(), TaskState::Failed);
    assert_eq!(task.failure.unwrap().reason, "HUB_NOT_STANDBY");
    assert_eq!(world.west.writes(), 0);
    world.stop().await;
}

#[tokio::test]
async fn a_held_device_stays_disabled_at_the_standby() {
    let world = World::start().await;
    world.east.create_many(2).await;
    world.pass(false).await;
    sqlx::query("update registry.base set hold = 'conflict-1' where device_id = 'd-000'")
        .execute(&world.admin)
        .await
        .unwrap();
    world
        .east
        .change("d-000", |device| {
            device.tags.insert("x".into(), json!(1)).map_or((), drop)
        })
        .await;
    let done = world.pass(false).await;
    assert_eq!((done.updated_count, done.pending_count), (1, 0));
    let west = world.west.get("d-000").await.unwrap();
    assert!(!west.identity.enabled);
    assert_eq!(west.tags["x"], json!(1));
    assert!(world.verify().await.equal, "equal in effect");
    world.stop().await;
}

#[tokio::test]
async fn a_deletion_that_nobody_confirmed_keeps_no_device_from_a_new_standby() {
    let world = World::start().await;
    world.east.create_many(2).await;
    world.pass(true).await;
    let hour = Duration::from_secs(3600);
    world.leave_deletion_open("d-001", hour).await;
    world.fail_over().await;
    world.open_registry().await;
    let north = world.new_standby().await;
    let task = world.run_pass_to("north", true).await;
    let Some(Outcome::Pass(pass)) = task.result else {
        panic!("{task:?}")
    };
    assert_eq!((pass.created_count, pass.pending_count), (2, 0));
    assert!(north.get("d-001").await.is_some());
    world.stop().await;
}
