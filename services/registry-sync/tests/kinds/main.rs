//! What is no lone device: hierarchies of edge devices, modules and configurations follow to a
//! standby, stay where they are, and go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../common/mod.rs"]
mod common;
mod left_out;

use common::World;
use common::hubs::{configuration, edge, leaf, module, object};
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_hub::HubDevice;
use serde_json::json;
use uuid::Uuid;

/// Keys of everything that [`tree`] makes, beside the hub's own modules of the two edge devices.
const TREE: [&str; 6] = [
    "z-top",
    "m-mid",
    "a-leaf",
    "a-leaf/m",
    "m-mid/$edgeAgent",
    "/configurations/site-7",
];

/// At east: an edge device below another, a leaf below that, and all of it with modules. By their
/// names children come before their parents.
async fn tree(world: &World) {
    let east = &world.east;
    for device in [
        edge("z-top", None),
        edge("m-mid", Some("z-top")),
        leaf("a-leaf", Some("m-mid")),
        module("a-leaf/m"),
        configuration("site-7", 5),
    ] {
        east.create(&device).await;
    }
    let deployment = object(json!({"modules": {"filter": {"version": "1.2"}}}));
    east.change("m-mid/$edgeAgent", |agent| agent.desired = deployment)
        .await;
}

/// What must be equal at both hubs.
fn copied(found: Option<HubDevice>) -> impl PartialEq + std::fmt::Debug + use<> {
    found.map(|found| (found.identity, found.tags, found.desired))
}

async fn assert_copied(world: &World, keys: &[&str]) {
    for key in keys {
        let (east, west) = (world.east.get(key).await, world.west.get(key).await);
        assert_eq!(copied(east), copied(west), "{key}");
    }
    let verified = world.verify().await;
    assert!(verified.equal, "{verified:?}");
}

async fn delete(world: &World, id: &str) {
    let request = pb::DeleteDeviceRequest {
        name: format!("fleets/acme/devices/{id}"),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    world.devices.clone().delete_device(request).await.unwrap();
}

#[tokio::test]
async fn a_hierarchy_with_modules_and_a_configuration_follow_in_one_pass() {
    let world = World::start().await;
    tree(&world).await;
    let done = world.pass(true).await;
    // Three devices, their five modules, one configuration.
    assert_eq!((done.created_count, done.pending_count), (9, 0), "{done:?}");
    assert!(done.watermark.is_some());
    assert_copied(&world, &TREE).await;
    let leaf = world.west.get("a-leaf").await.unwrap();
    assert_eq!(leaf.identity.parent.as_deref(), Some("m-mid"));
    assert_eq!(world.status_of("west").await.device_count, 3);
    let scan = world.scan("west").await;
    assert_eq!((scan.device_count, scan.scanned_count), (3, 9));
    let writes = world.west.writes();
    let quiet = world.pass(false).await;
    assert_eq!((quiet.equal_count, quiet.pending_count), (9, 0));
    assert_eq!(world.west.writes(), writes);
    world.stop().await;
}

#[tokio::test]
async fn every_change_of_them_follows() {
    let world = World::start().await;
    tree(&world).await;
    world.pass(true).await;
    let east = &world.east;
    east.change("a-leaf", |leaf| {
        leaf.identity.parent = Some("z-top".into());
    })
    .await;
    east.change("a-leaf/m", |module| {
        module.identity.managed_by = None;
        module.tags = object(json!({"room": "5"}));
    })
    .await;
    east.change("m-mid/$edgeAgent", |agent| {
        agent.desired = object(json!({"modules": {}}));
    })
    .await;
    let other = configuration("site-7", 6).desired;
    east.change("/configurations/site-7", |found| found.desired = other)
        .await;
    let done = world.pass(false).await;
    assert_eq!((done.updated_count, done.pending_count), (4, 0), "{done:?}");
    assert_copied(&world, &TREE).await;
    let leaf = world.west.get("a-leaf").await.unwrap();
    assert_eq!(leaf.identity.parent.as_deref(), Some("z-top"));
    world.stop().await;
}

#[tokio::test]
async fn a_deleted_device_takes_its_modules_along_and_proves_no_loss() {
    let world = World::start().await;
    tree(&world).await;
    for number in 0..8 {
        world
            .east
            .create(&module(&format!("a-leaf/n{number}")))
            .await;
    }
    world.pass(true).await;
    delete(&world, "a-leaf").await;
    for _ in 0..2 {
        world.pass(false).await;
    }
    assert_eq!(world.status_of("west").await.blocked, "");
    for key in ["a-leaf", "a-leaf/m", "a-leaf/n7"] {
        assert!(world.west.get(key).await.is_none(), "{key}");
        assert_eq!(world.tombstones(key).await.len(), 1, "{key}");
    }
    assert!(!world.scan("west").await.rewound);
    assert_copied(&world, &["z-top", "m-mid"]).await;
    world.stop().await;
}

#[tokio::test]
async fn devices_that_were_deleted_past_us_count_once_with_all_their_modules() {
    let world = World::start().await;
    world.east.create_many(10).await;
    for device in ["d-000", "d-001", "d-002"] {
        for number in 0..3 {
            let key = format!("{device}/m{number}");
            world.east.create(&module(&key)).await;
        }
    }
    world.pass(true).await;
    for device in ["d-000", "d-001", "d-002"] {
        world.east.delete(device).await;
    }
    for _ in 0..3 {
        world.pass(false).await;
    }
    assert_eq!(world.status_of("west").await.blocked, "");
    assert!(world.west.get("d-000").await.is_none());
    assert_copied(&world, &["d-003"]).await;
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_device_is_not_listed_as_one() {
    let world = World::start().await;
    tree(&world).await;
    world.pass(true).await;
    let request = pb::ListDevicesRequest {
        parent: "fleets/acme".into(),
        ..Default::default()
    };
    let answer = world.devices.clone().list_devices(request).await.unwrap();
    let mut names: Vec<_> = answer
        .into_inner()
        .devices
        .into_iter()
        .map(|device| device.name)
        .collect();
    names.sort_unstable();
    let expected = ["a-leaf", "m-mid", "z-top"].map(|id| format!("fleets/acme/devices/{id}"));
    assert_eq!(names, expected);
    let name = "fleets/acme/devices/a-leaf/m".to_owned();
    let request = pb::GetDeviceRequest { name };
    let refused = world.devices.clone().get_device(request).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::InvalidArgument);
    world.stop().await;
}

#[tokio::test]
async fn a_child_whose_parent_the_hub_lost_is_refused_and_not_guessed() {
    let world = World::start().await;
    tree(&world).await;
    // Nobody deleted it through us, and its child keeps hanging on it.
    world.east.delete("m-mid").await;
    let request = pb::UpdateDeviceRequest {
        device: Some(pb::Device {
            name: "fleets/acme/devices/a-leaf".into(),
            enabled: Some(false),
            ..Default::default()
        }),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    // What stays below it can be changed.
    world.devices.clone().update_device(request).await.unwrap();
    assert!(!world.east.get("a-leaf").await.unwrap().identity.enabled);
    let done = world.pass(true).await;
    // The leaf waits for a parent that west will never have: it is named, and nobody waits for it.
    // Nobody ever saw its module: a hub shows none of a device that is disabled.
    assert_eq!(
        (done.pending_count, done.left_out_count),
        (0, 1),
        "{done:?}"
    );
    assert_eq!(done.left_out, ["a-leaf (PARENT_MISSING)"]);
    assert!(done.watermark.is_some());
    assert!(world.west.get("z-top").await.is_some());
    assert!(world.west.get("a-leaf").await.is_none());
    world.stop().await;
}

#[tokio::test]
async fn a_restore_brings_parents_before_their_children() {
    let world = World::start().await;
    tree(&world).await;
    let request = pb::CreateBackupRequest {
        parent: "fleets/acme".into(),
        hub: "east".into(),
        request_id: Uuid::new_v4().to_string(),
        context: None,
    };
    let task = world.backups.clone().create_backup(request).await.unwrap();
    let task = world.finished(task.into_inner()).await;
    let Some(Outcome::Backup(backup)) = task.result else {
        panic!("{task:?}")
    };
    assert_eq!(backup.record_count, 9);
    let request = pb::RestoreBackupRequest {
        name: backup.backup,
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
    };
    let task = world.backups.clone().restore_backup(request).await;
    let task = world.finished(task.unwrap().into_inner()).await;
    let Some(Outcome::Backup(restored)) = task.result else {
        panic!("{task:?}")
    };
    assert_eq!((restored.record_count, restored.digest), (9, backup.digest));
    assert_copied(&world, &TREE).await;
    world.stop().await;
}

#[tokio::test]
async fn a_merge_compares_modules_and_configurations_by_their_keys() {
    let world = World::start().await;
    tree(&world).await;
    world.pass(true).await;
    world.fail_over().await;
    world.open_registry().await;
    world
        .west
        .change("a-leaf/m", |module| {
            module.tags = object(json!({"room": "6"}))
        })
        .await;
    let request = pb::StreamDivergenceRequest {
        fleet: "fleets/acme".into(),
        primary_hub: "east".into(),
        secondary_hub: "west".into(),
        primary_snapshot: world.scan("east").await.snapshot,
        secondary_snapshot: world.scan("west").await.snapshot,
    };
    let answer = world.replication.clone().stream_divergence(request).await;
    let mut stream = answer.unwrap().into_inner();
    let triple = stream.message().await.unwrap().unwrap();
    assert_eq!(triple.device, "a-leaf/m");
    let record = triple.secondary.clone().unwrap().record.unwrap();
    assert_eq!(record.managed_by, "us");
    assert!(stream.message().await.unwrap().is_none());
    let print = |side: &Option<pb::SideState>| side.clone().unwrap().fingerprint;
    let item = pb::ApplyItem {
        device: triple.device.clone(),
        primary_before: print(&triple.primary),
        secondary_before: print(&triple.secondary),
        merged: triple.secondary,
        item_id: Uuid::new_v4().to_string(),
    };
    let request = |device: &str| pb::ApplyBatchRequest {
        fleet: "fleets/acme".into(),
        primary_hub: "east".into(),
        secondary_hub: "west".into(),
        items: vec![pb::ApplyItem {
            device: device.to_owned(),
            ..item.clone()
        }],
        context: Some(common::step(1, common::WEST_REIGNS)),
    };
    let mut replication = world.replication.clone();
    let applied = replication.apply_batch(request("a-leaf/m")).await;
    let results = applied.unwrap().into_inner().results;
    assert_eq!(
        results[0].outcome(),
        pb::apply_result::Outcome::Applied,
        "{results:?}"
    );
    assert_copied(&world, &["a-leaf/m"]).await;
    let refused = replication.apply_batch(request("a/b/c")).await;
    assert_eq!(refused.unwrap_err().code(), tonic::Code::InvalidArgument);
    world.stop().await;
}
