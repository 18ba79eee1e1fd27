//! A database that forgot an epoch: nobody knows who reigns, and nothing is written to any hub.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use common::{WEST_REIGNS, World};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use tonic::{Code, Status};
use uuid::Uuid;

/// The next epoch of east that is above west's.
const EAST_RECOVERS: i64 = 3072;

async fn create(world: &World, request: &pb::CreateDeviceRequest) -> Result<pb::Device, Status> {
    let answer = world.devices.clone().create_device(request.clone()).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn while_a_higher_epoch_is_known_nothing_is_written_and_both_sides_say_so() {
    let world = World::start().await;
    world.east.create_many(3).await;
    let before = world.east.writes();
    sqlx::query(
        "insert into concierge.epoch_witness (replica_id, fleet_id, epoch, routing_version)
         values ('r', 'acme', $1, 2)",
    )
    .bind(WEST_REIGNS)
    .execute(&world.admin)
    .await
    .unwrap();
    let request = pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: "new".into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    let refused = create(&world, &request).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(reason(&refused), "EPOCH_FORGOTTEN");
    assert!(refused.message().contains("runbook"), "{refused}");
    let pass = world.run_pass(true).await;
    assert_eq!(pass.failure.unwrap().reason, "EPOCH_FORGOTTEN");
    assert_eq!((world.east.writes(), world.west.writes()), (before, 0));
    assert_eq!(world.status_of("west").await.blocked, "EPOCH_FORGOTTEN");

    sqlx::query("update authority.fleet set epoch = $1 where fleet_id = 'acme'")
        .bind(EAST_RECOVERS)
        .execute(&world.admin)
        .await
        .unwrap();
    assert_eq!(world.pass(true).await.created_count, 3);
    assert_eq!(world.status_of("west").await.blocked, "");
    create(&world, &request).await.unwrap();
    world.stop().await;
}
