//! Hubs that are shut out through their management plane, and opened again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../common/mod.rs"]
mod common;
mod connections;
mod orders;
mod plane;
mod secrets;

use common::hubs::{device, sas};
use common::{EAST_REIGNS, WEST_REIGNS, World, step};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::FenceState;
use hubshift_hub::{Credentials, Hub as _, Outcome, Rejection, Secret};
use tonic::{Code, Status};
use uuid::Uuid;

use plane::{
    connect, connection, fence, is_fenced, managed, orders, shut, shutting, until, until_idle,
};

async fn world() -> World {
    let world = World::start_with(1.0, managed, |west| west).await;
    connect(&world).await;
    world
}

async fn scan(world: &World) -> pb::Task {
    let request = pb::StartScanRequest {
        fleet: "fleets/acme".into(),
        hub: "east".into(),
        request_id: Uuid::new_v4().to_string(),
        detect_rewind: false,
    };
    let task = world.replication.clone().start_scan(request).await.unwrap();
    world.finished(task.into_inner()).await
}

/// How many tasks worked on fences.
async fn tasks(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from flow.workflow where kind = 'fence'")
        .fetch_one(&world.admin)
        .await
        .unwrap()
}

async fn test_connection(world: &World) -> Result<(), Status> {
    let name = "fleets/acme/hubs/east/connection".to_owned();
    let request = pb::TestConnectionRequest { name };
    let mut connections = world.connections.clone();
    connections.test_connection(request).await.map(drop)
}

#[tokio::test]
async fn a_hub_that_was_left_is_shut_out_for_everybody_and_opened_by_a_person() {
    let world = world().await;
    let key = Secret::generate().unwrap();
    let keys = Credentials::Sas {
        primary: key.clone(),
        secondary: key.clone(),
    };
    world.east.create(&device("d", keys)).await;
    assert_eq!(plane::send_event(&world, "d", &key).await, 204);
    let past_us = world.east.direct();
    world.fail_over().await;

    let asked = shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    assert!(asked.can_fence && !asked.task.is_empty(), "{asked:?}");
    let done = until(&world, FenceState::Done).await;
    assert!(
        done.done_time.is_some() && done.error.is_empty(),
        "{done:?}"
    );
    assert_eq!(done.epoch, u64::try_from(WEST_REIGNS).unwrap());
    assert!(done.next.contains("hubshift hub unfence east"), "{done:?}");
    let refused = past_us.get("d").await;
    assert!(
        matches!(refused, Outcome::Rejected(Rejection::Unauthorized(_))),
        "{refused:?}"
    );
    assert_eq!(plane::send_event(&world, "d", &key).await, 403);

    // Whoever would read it is told what to do.
    let status = world.status_of("east").await;
    assert_eq!(status.fence(), FenceState::Done);
    assert!(status.hard_fence && !status.reachable, "{status:?}");
    assert!(status.last_error.contains("hubshift hub unfence east"));
    assert_eq!(
        reason(&test_connection(&world).await.unwrap_err()),
        "HUB_FENCED"
    );
    assert_eq!(scan(&world).await.failure.unwrap().reason, "HUB_FENCED");
    let again = world.update_connection(connection(&world)).await;
    assert_eq!(reason(&again.unwrap_err()), "HUB_FENCED");

    plane::lift(&world).await;
    let lifted = until(&world, FenceState::Lifted).await;
    assert!(
        lifted.next.contains("hubshift hub connect east"),
        "{lifted:?}"
    );
    assert_eq!(plane::send_event(&world, "d", &key).await, 204);
    let refused = past_us.get("d").await;
    assert!(
        matches!(refused, Outcome::Rejected(Rejection::Unauthorized(_))),
        "the old key is good again: {refused:?}"
    );
    connect(&world).await;
    test_connection(&world).await.unwrap();
    assert!(scan(&world).await.failure.is_none());
    world.stop().await;
}

#[tokio::test]
async fn the_hub_that_reigns_is_never_shut_out() {
    let world = world().await;
    let reigning = shut(&world, &shutting(EAST_REIGNS)).await.unwrap_err();
    assert_eq!(reigning.code(), Code::FailedPrecondition);
    assert_eq!(reason(&reigning), "HUB_NOT_DEPOSED");
    world.set_state("east", "syncing").await;
    let standby = shut(&world, &shutting(0)).await.unwrap_err();
    assert_eq!(reason(&standby), "HUB_NOT_DEPOSED");

    world.fail_over().await;
    let old = shut(&world, &shutting(EAST_REIGNS)).await.unwrap_err();
    assert_eq!(
        (old.code(), reason(&old).as_str()),
        (Code::Aborted, "EPOCH_MOVED")
    );
    let overtaken = |lease_gen| pb::FenceHubRequest {
        context: Some(step(lease_gen, WEST_REIGNS)),
        ..shutting(WEST_REIGNS)
    };
    let west = pb::FenceHubRequest {
        hub: "west".into(),
        ..overtaken(7)
    };
    // Nobody said how to shut west out.
    let refused = shut(&world, &west).await.unwrap_err();
    assert_eq!(reason(&refused), "FENCE_UNAVAILABLE");
    let stale = shut(&world, &overtaken(6)).await.unwrap_err();
    assert_eq!(reason(&stale), "STALE_FENCE");
    assert_eq!(fence(&world).await.state(), FenceState::Unspecified);
    assert!(!is_fenced(&world).await);
    test_connection(&world).await.unwrap();
    world.stop().await;
}

#[tokio::test]
async fn a_fence_that_is_asked_for_again_is_one() {
    let world = world().await;
    world.fail_over().await;
    let request = shutting(WEST_REIGNS);
    shut(&world, &request).await.unwrap();
    shut(&world, &request).await.unwrap();
    shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    until_idle(&world).await;
    assert!(is_fenced(&world).await);
    let repeated = shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    assert_eq!(repeated.state(), FenceState::Done);
    assert_eq!(tasks(&world).await, 1, "nothing is left to do");
    // A person who asks has the hub looked at, and it is shut already.
    let again = pb::FenceHubRequest {
        again: true,
        ..shutting(0)
    };
    shut(&world, &again).await.unwrap();
    until_idle(&world).await;
    assert_eq!(tasks(&world).await, 2);
    assert_eq!(orders(&world).await, ("done".to_owned(), 1));
    let other = pb::FenceHubRequest {
        again: true,
        ..request
    };
    let reused = shut(&world, &other).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    world.stop().await;
}

#[tokio::test]
async fn what_a_person_opened_stays_open_until_a_person_shuts_it_or_it_is_lost_anew() {
    let world = world().await;
    world.east.create(&device("d", sas())).await;
    world.fail_over().await;
    shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    until(&world, FenceState::Done).await;
    plane::lift(&world).await;
    until(&world, FenceState::Lifted).await;
    let before = tasks(&world).await;
    let left = shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    assert_eq!(left.state(), FenceState::Lifted);
    assert_eq!(tasks(&world).await, before);
    assert!(world.east.get("d").await.is_some());

    // East reigned after that, and is lost again.
    let later = WEST_REIGNS + 3 * 1024;
    sqlx::query("update authority.fleet set epoch = $1")
        .bind(later)
        .execute(&world.admin)
        .await
        .unwrap();
    sqlx::query("update authority.hub set last_active_epoch = $1 where hub_id = 'east'")
        .bind(later - 1024)
        .execute(&world.admin)
        .await
        .unwrap();
    shut(&world, &shutting(later)).await.unwrap();
    until(&world, FenceState::Done).await;
    plane::lift(&world).await;
    until(&world, FenceState::Lifted).await;
    let again = pb::FenceHubRequest {
        again: true,
        ..shutting(0)
    };
    shut(&world, &again).await.unwrap();
    until(&world, FenceState::Done).await;
    assert_eq!(orders(&world).await, ("done".to_owned(), 5));
    world.stop().await;
}
