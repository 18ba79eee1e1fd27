//! What a failover asks for: a drain before the epoch moves, a replay after it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use common::{EAST_REIGNS, PATIENCE, WEST_REIGNS, World, step};
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_emulator::OutageMode;
use hubshift_testkit::eventually;
use uuid::Uuid;

async fn create(world: &World, id: &str) {
    let request = pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: id.into(),
        request_id: Uuid::new_v4().to_string(),
        ..pb::CreateDeviceRequest::default()
    };
    world.devices.clone().create_device(request).await.unwrap();
}

async fn delete(world: &World, id: &str) {
    let request = pb::DeleteDeviceRequest {
        name: format!("fleets/acme/devices/{id}"),
        request_id: Uuid::new_v4().to_string(),
        ..pb::DeleteDeviceRequest::default()
    };
    world.devices.clone().delete_device(request).await.unwrap();
}

async fn replay(world: &World, epoch: i64) -> pb::Task {
    let request = pb::StartReplayRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(1, epoch)),
    };
    let task = world
        .replication
        .clone()
        .start_replay(request)
        .await
        .unwrap();
    world.finished(task.into_inner()).await
}

#[tokio::test]
async fn a_drain_ends_when_the_standby_holds_every_journaled_write() {
    let world = World::start().await;
    for number in 0..5 {
        create(&world, &format!("j-{number}")).await;
    }
    delete(&world, "j-0").await;
    let request = pb::StartDrainRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(1, EAST_REIGNS)),
    };
    let task = world
        .replication
        .clone()
        .start_drain(request)
        .await
        .unwrap();
    let task = world.finished(task.into_inner()).await;
    let Some(Outcome::Pass(done)) = task.result else {
        panic!("{task:?}")
    };
    assert_eq!(done.pending_count, 0);
    assert!(done.watermark.is_some());
    let status = world.status().await;
    assert_eq!(status.unknown_count, 0);
    assert_eq!(world.status_of("west").await.pending_count, 0);
    assert!(world.west.get("j-0").await.is_none());
    assert!(world.verify().await.equal);
    world.stop().await;
}

#[tokio::test]
async fn news_of_the_journal_reach_the_standby_without_being_asked_for() {
    let world = World::start().await;
    create(&world, "j-1").await;
    let arrived = || async { world.west.get("j-1").await.is_some() };
    assert!(eventually(PATIENCE, arrived).await);
    delete(&world, "j-1").await;
    let left = || async { world.west.get("j-1").await.is_none() };
    assert!(eventually(PATIENCE, left).await);
    world.stop().await;
}

#[tokio::test]
async fn a_replay_brings_what_the_standby_missed_and_nothing_else() {
    let world = World::start().await;
    create(&world, "held").await;
    create(&world, "gone").await;
    assert_eq!(world.pass(false).await.pending_count, 0);
    world.west.running.set_outage(OutageMode::Unavailable);
    create(&world, "missed").await;
    delete(&world, "gone").await;
    assert!(world.status_of("west").await.pending_count >= 2);

    world.east.running.set_outage(OutageMode::Refuse);
    world.fail_over().await;
    world.west.running.set_outage(OutageMode::None);
    let old = replay(&world, EAST_REIGNS).await;
    assert_eq!(old.failure.unwrap().reason, "EPOCH_MOVED");
    let task = replay(&world, WEST_REIGNS).await;
    let Some(Outcome::Pass(done)) = task.result else {
        panic!("{task:?}")
    };
    assert_eq!(
        (done.created_count, done.deleted_count, done.pending_count),
        (1, 1, 0)
    );
    assert!(world.west.get("missed").await.is_some());
    assert!(world.west.get("gone").await.is_none());
    assert!(world.west.get("held").await.is_some());
    let again = replay(&world, WEST_REIGNS).await;
    let Some(Outcome::Pass(done)) = again.result else {
        panic!("{again:?}")
    };
    assert_eq!(
        (done.created_count, done.deleted_count, done.pending_count),
        (0, 0, 0)
    );
    world.stop().await;
}
