//! What goes wrong with jobs, and what is then left to calls.

use crate::common::{EAST_REIGNS, WEST_REIGNS, step};
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::pass_plan::Way;
use hubshift_hub::{Hub as _, JobStatus, Secret};
use hubshift_testkit::blobs::Blobs;
use uuid::Uuid;

use crate::setup::*;

#[tokio::test]
async fn a_job_that_somebody_cancels_leaves_the_rest_to_calls() {
    let blobs = Blobs::start().await;
    let world = world(&blobs, slow(40)).await;
    let task = begin_pass(&world).await;
    let import = import_under_way(&world).await;
    let hub = world.west.direct();
    let cancelled = hub.bulk().unwrap().cancel_job(&import).await;
    cancelled.into_result().unwrap();
    let done = result(world.finished(task).await);
    whole(&world, done).await;
    assert!(world.west.running.requests("put_device") > 500);
    assert!(world.verify().await.equal);
    assert_tidy(&world, &blobs).await;
    world.stop().await;
}

#[tokio::test]
async fn a_slot_that_another_job_has_is_waited_for() {
    let (blobs, others) = (Blobs::start().await, Blobs::start().await);
    let world = world(&blobs, slow(400)).await;
    world.scan("east").await;
    let hub = world.west.direct();
    let bulk = hub.bulk().unwrap();
    // It takes three seconds. The pass, which has nothing to read of east any more, comes sooner.
    let lines: String = (0..1200)
        .map(|number| format!("{{\"id\":\"other-{number}\",\"status\":\"enabled\"}}\n"))
        .collect();
    others.put("others.txt", &lines);
    let uri = Secret::new(others.uri());
    let foreign = bulk.start_import(&uri, "others.txt").await;
    let foreign = foreign.into_result().unwrap();
    let done = world.pass(false).await;
    whole(&world, done).await;
    let job = bulk.job(&foreign).await.into_result().unwrap().unwrap();
    assert_eq!(job.status, JobStatus::Completed, "it was left alone");
    assert!(
        world.west.running.requests("create_job") > 3,
        "it was asked for again"
    );
    assert!(world.west.running.requests("put_device") < 50);
    assert_tidy(&world, &blobs).await;
    world.stop().await;
}

#[tokio::test]
async fn a_hub_that_may_be_moved_to_at_any_time_gets_no_job() {
    let blobs = Blobs::start().await;
    let world = world(&blobs, same).await;
    world.set_state("west", "ready").await;
    world.scan("east").await;
    assert_eq!(world.plan("west").await.unwrap().way(), Way::Calls);
    let done = world.pass(false).await;
    let done = whole(&world, done).await;
    assert_eq!(world.west.running.requests("create_job"), 0);
    assert!(done.watermark.is_some());
    assert!(rows(&world).await.is_empty() && blobs.calls().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_container_that_cannot_be_used_leaves_everything_to_calls() {
    let blobs = Blobs::start().await;
    let world = world(&blobs, same).await;
    blobs.deny('d');
    let done = world.pass(false).await;
    whole(&world, done).await;
    assert_eq!(world.west.running.requests("create_job"), 0);
    assert!(rows(&world).await.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_drain_ends_the_job_that_runs_at_its_standby_and_calls_do_the_rest() {
    let blobs = Blobs::start().await;
    let world = world(&blobs, slow(40)).await;
    let pass = begin_pass(&world).await;
    let import = import_under_way(&world).await;
    let request = pb::StartDrainRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(1, EAST_REIGNS)),
    };
    let drain = world
        .replication
        .clone()
        .start_drain(request)
        .await
        .unwrap();
    let drained = result(world.finished(drain.into_inner()).await);
    assert_eq!(drained.pending_count, 0);
    assert!(drained.watermark.is_some());
    let hub = world.west.direct();
    let job = hub
        .bulk()
        .unwrap()
        .job(&import)
        .await
        .into_result()
        .unwrap();
    assert_eq!(job.unwrap().status, JobStatus::Cancelled);
    world.finished(pass).await;
    assert!(world.verify().await.equal);
    assert_tidy(&world, &blobs).await;
    world.stop().await;
}

#[tokio::test]
async fn a_forced_move_to_a_hub_ends_the_job_there_before_anything_is_repeated() {
    let blobs = Blobs::start().await;
    let world = world(&blobs, slow(40)).await;
    let pass = begin_pass(&world).await;
    let import = import_under_way(&world).await;
    world.fail_over().await;
    let request = pb::StartReplayRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(1, WEST_REIGNS)),
    };
    let replay = world
        .replication
        .clone()
        .start_replay(request)
        .await
        .unwrap();
    let replayed = result(world.finished(replay.into_inner()).await);
    assert_eq!((replayed.created_count, replayed.pending_count), (0, 0));
    let hub = world.west.direct();
    let job = hub
        .bulk()
        .unwrap()
        .job(&import)
        .await
        .into_result()
        .unwrap();
    assert_eq!(job.unwrap().status, JobStatus::Cancelled);
    let pass = world.finished(pass).await;
    assert!(pass.failure.is_some(), "its authority is over: {pass:?}");
    assert_tidy(&world, &blobs).await;
    let total = hub.statistics().await.into_result().unwrap().total;
    assert!(total < DEVICES, "{total}");
    world.stop().await;
}
