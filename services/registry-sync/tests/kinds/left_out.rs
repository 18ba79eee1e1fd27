//! What a standby cannot or may not have, and how much may be gone: it is told apart by kind, named,
//! and stops nothing else.

use hubshift_api::pb::registry as pb;
use hubshift_hub::DeviceWrite;
use serde_json::json;
use uuid::Uuid;

use crate::common::hubs::{configuration, device, module, object, sas};
use crate::common::{EAST_REIGNS, World, step};
use crate::{assert_copied, copied, tree};

#[tokio::test]
async fn modules_of_a_disabled_device_stay_as_they_were_and_stop_nothing() {
    let world = World::start().await;
    world.east.create(&device("d", sas())).await;
    world.east.create(&module("d/m")).await;
    world.east.create(&device("e", sas())).await;
    world.pass(true).await;
    world
        .east
        .change("d", |device| device.identity.enabled = false)
        .await;
    world
        .east
        .change("e", |device| device.tags = object(json!({"room": "9"})))
        .await;
    let done = world.pass(true).await;
    assert_eq!((done.updated_count, done.pending_count), (2, 0), "{done:?}");
    assert!(done.watermark.is_some());
    assert_copied(&world, &["d", "e"]).await;
    world
        .east
        .change("d", |device| device.identity.enabled = true)
        .await;
    world.pass(true).await;
    assert_copied(&world, &["d", "d/m"]).await;
    world.stop().await;
}

/// A module that was read before its device was disabled, and did not reach the standby before.
async fn with_a_module_out_of_reach() -> World {
    let world = World::start().await;
    world.east.create(&device("d", sas())).await;
    world.east.create(&module("d/m")).await;
    world.scan("east").await;
    let disable = |device: &mut DeviceWrite| device.identity.enabled = false;
    world.east.change("d", disable).await;
    world
}

#[tokio::test]
async fn a_module_of_a_disabled_device_is_named_and_keeps_no_fleet_from_moving() {
    let world = with_a_module_out_of_reach().await;
    let done = world.pass(false).await;
    assert_eq!((done.created_count, done.pending_count), (1, 0), "{done:?}");
    assert_eq!(done.left_out, ["d/m (DEVICE_DISABLED)"]);
    assert!(done.watermark.is_some());
    let verified = world.verify().await;
    assert!(
        verified.equal && verified.left_out_count == 1,
        "{verified:?}"
    );
    assert_eq!(verified.source_digest, verified.target_digest);
    assert_eq!(world.status_of("west").await.left_out_count, 1);
    let request = pb::StartDrainRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(1, EAST_REIGNS)),
    };
    let task = world.replication.clone().start_drain(request).await;
    let task = world.finished(task.unwrap().into_inner()).await;
    assert!(task.failure.is_none(), "{task:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_module_follows_as_soon_as_its_device_is_enabled_again() {
    let world = with_a_module_out_of_reach().await;
    world.pass(false).await;
    world
        .east
        .change("d", |device| device.identity.enabled = true)
        .await;
    let done = world.pass(false).await;
    assert_eq!(
        (done.pending_count, done.left_out_count),
        (0, 0),
        "{done:?}"
    );
    assert_copied(&world, &["d", "d/m"]).await;
    world.stop().await;
}

#[tokio::test]
async fn what_a_hub_refused_is_not_asked_for_before_its_device_is_enabled() {
    let world = World::start().await;
    let (east, west) = (&world.east, &world.west);
    for id in ["d", "e"] {
        east.create(&device(id, sas())).await;
        east.create(&module(&format!("{id}/m"))).await;
    }
    let disable = |device: &mut DeviceWrite| device.identity.enabled = false;
    // One module could never be read; the other one was, and the standby does not take it.
    east.change("d", disable).await;
    world.scan("east").await;
    east.change("e", disable).await;
    let asked = || {
        let (read, written) = ("get_module", "put_module");
        (east.running.requests(read), west.running.requests(written))
    };
    assert_eq!(world.pass(false).await.left_out, ["e/m (DEVICE_DISABLED)"]);
    let (read, written) = asked();
    assert!(read > 0 && written > 0);
    let done = world.pass(false).await;
    assert_eq!((done.pending_count, done.left_out_count), (0, 1));
    assert_eq!(asked(), (read, written));
    for id in ["d", "e"] {
        let enable = |device: &mut DeviceWrite| device.identity.enabled = true;
        east.change(id, enable).await;
    }
    world.pass(false).await;
    assert_copied(&world, &["d", "d/m", "e/m"]).await;
    world.stop().await;
}

#[tokio::test]
async fn a_fleet_that_is_gone_is_stopped_however_many_modules_it_had() {
    let world = World::start().await;
    world.east.create_many(6).await;
    for device in 0..6 {
        for number in 0..10 {
            let key = format!("d-{device:03}/m{number}");
            world.east.create(&module(&key)).await;
        }
    }
    world.pass(true).await;
    for device in 0..6 {
        world.east.delete(&format!("d-{device:03}")).await;
    }
    for _ in 0..3 {
        let done = world.pass(false).await;
        assert_eq!(done.deleted_count, 0, "{done:?}");
    }
    assert_eq!(world.status_of("west").await.blocked, "MASS_DELETE");
    assert!(world.west.get("d-000").await.is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_plan_takes_no_module_for_a_device_and_no_hold_of_one_for_a_change() {
    let world = World::start().await;
    tree(&world).await;
    world.pass(true).await;
    world.east.create_many(4).await;
    sqlx::query("update registry.base set hold = 'conflict-1' where device_id = 'a-leaf/m'")
        .execute(&world.admin)
        .await
        .unwrap();
    let plan = world.plan("west").await.unwrap();
    assert_eq!((plan.create_count, plan.update_count), (4, 0), "{plan:?}");
    let unread = "east counts 7 devices, of which 4 were not read yet";
    assert!(plan.unknowns.iter().any(|text| text == unread), "{plan:?}");
    world.stop().await;
}

#[tokio::test]
async fn what_is_gone_from_both_hubs_is_asked_for_no_more() {
    let world = World::start().await;
    world.east.create_many(3).await;
    world.east.create(&module("d-000/m")).await;
    world.pass(true).await;
    world.east.delete("d-000").await;
    world.west.delete("d-000").await;
    for _ in 0..4 {
        world.pass(false).await;
    }
    let left: i64 = sqlx::query_scalar(
        "select count(*) from registry.observed where device_id in ('d-000', 'd-000/m')",
    )
    .fetch_one(&world.admin)
    .await
    .unwrap();
    assert_eq!(left, 0);
    let reads = world.west.running.requests("get_module");
    world.pass(false).await;
    assert_eq!(world.west.running.requests("get_module"), reads);
    world.stop().await;
}

#[tokio::test]
async fn a_kind_that_one_hub_is_not_asked_for_is_carried_nowhere_and_nothing_counts_as_gone() {
    let world = World::start().await;
    tree(&world).await;
    world.pass(true).await;
    let name = || "fleets/acme/hubs/west/connection".to_owned();
    let without = pb::Connection {
        name: name(),
        without_configurations: true,
        ..world.secrets("west", &world.west.running)
    };
    let taken = world.update_connection(without).await.unwrap();
    assert!(taken.without_configurations && !taken.without_modules);
    let (east, west, key) = (&world.east, &world.west, "/configurations/site-7");
    east.delete(key).await;
    east.create(&configuration("site-8", 1)).await;
    east.create(&module("z-top/m")).await;
    for _ in 0..3 {
        let done = world.pass(false).await;
        assert_eq!(done.pending_count, 0, "{done:?}");
    }
    assert!(west.get(key).await.is_some());
    assert!(west.get("/configurations/site-8").await.is_none());
    assert!(world.tombstones(key).await.is_empty());
    assert_copied(&world, &["z-top", "z-top/m", "a-leaf/m"]).await;
    let with = pb::Connection {
        name: name(),
        ..world.secrets("west", &west.running)
    };
    world.update_connection(with).await.unwrap();
    world.pass(true).await;
    let eight = "/configurations/site-8";
    assert_eq!(copied(east.get(eight).await), copied(west.get(eight).await));
    world.stop().await;
}
