//! A standby that lacks many devices is filled by import jobs: what is made how, what is verified,
//! and that nothing of a job stays where it must not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod broken;
#[path = "../common/mod.rs"]
mod common;
mod setup;

use common::World;
use common::hubs::{device, object, sas};
use common::log;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::pass_plan::Way;
use hubshift_azure::quota::Tier;
use hubshift_emulator::{Options, ThrottleOptions};
use hubshift_testkit::blobs::{Blobs, CANARY};
use serde_json::json;
use std::time::Duration;
use tracing::Level;

use setup::*;

#[tokio::test]
async fn a_large_standby_is_filled_by_a_job_and_read_from_an_export() {
    let log = log::capture(Level::DEBUG);
    let (blobs, file) = (Blobs::start().await, export(DEVICES));
    // The hub's clock is sped up and ours is not: by calls it would take 22 minutes.
    let throttled = |options: Options| Options {
        throttle: ThrottleOptions {
            tier: Some(Tier::S1),
            throttle_speed: 600.0,
            ..ThrottleOptions::default()
        },
        ..options
    };
    let world = World::start_with(1.0, seeded(&file), throttled).await;
    world.set_state("west", "syncing").await;
    let s1 = pb::Budget {
        tier: "S1".into(),
        units: 1,
        share_percent: 50,
        ..pb::Budget::default()
    };
    let limited = with_jobs(&world, &blobs, Some(s1));
    world.update_connection(limited).await.unwrap();
    world.scan("east").await;
    let plan = world.plan("west").await.unwrap();
    assert_eq!(plan.way(), Way::Job, "{plan:?}");
    assert!(
        plan.text
            .starts_with("by calls 22 min, by job 3 min: by job"),
        "{}",
        plan.text
    );

    let done = world.pass(false).await;
    assert_eq!(
        (done.created_count, done.pending_count),
        (DEVICES, 0),
        "{done:?}"
    );
    assert!(
        done.watermark.is_none(),
        "only what is listed after the job counts"
    );
    let west = &world.west.running;
    assert_eq!(west.requests("create_job"), 2);
    assert!(west.requests("put_device") < 50 && west.requests("get_device") < 50);
    assert_eq!(world.base_count("west").await, DEVICES as i64);
    assert_tidy(&world, &blobs).await;

    let (writes, reads) = (world.west.writes(), west.requests("get_device"));
    let unlimited = with_jobs(&world, &blobs, None);
    world.update_connection(unlimited).await.unwrap();
    let quiet = world.pass(false).await;
    assert_eq!(
        (quiet.equal_count, quiet.pending_count),
        (DEVICES, 0),
        "{quiet:?}"
    );
    assert!(quiet.watermark.is_some());
    let now = (world.west.writes(), west.requests("get_device"));
    assert_eq!(now, (writes, reads), "a listing is enough");
    assert_eq!(west.requests("create_job"), 2);

    let verified = world.verify().await;
    assert!(verified.equal, "{verified:?}");
    // Now every device was read, and has a generation: it is the life that was seeded.
    for number in [0, 7, DEVICES - 1] {
        assert_eq!(world.incarnation("west", &id(number)).await, 1);
    }
    let first = world.west.get(&id(0)).await.unwrap();
    assert_eq!(
        first.identity,
        world.east.get(&id(0)).await.unwrap().identity
    );
    world.stop().await;
    let logged = log::text(log);
    assert!(logged.contains("the standby is filled by an import job"));
    for secret in [KEY, CANARY] {
        assert!(!logged.contains(secret), "the log shows {secret}");
    }
}

#[tokio::test]
async fn a_line_that_fails_is_no_loss_and_is_followed_up_by_calls() {
    let blobs = Blobs::start().await;
    // West's listings show nothing that is new.
    let lagging = |mut options: Options| {
        options.query.lag = Duration::from_secs(3600);
        options
    };
    let world = world(&blobs, lagging).await;
    let mut other = device(&id(5), sas());
    other.tags = object(json!({"number": "another"}));
    world.west.create(&other).await;
    let done = world.pass(false).await;
    assert_eq!(
        (done.created_count, done.updated_count),
        (DEVICES - 1, 1),
        "{done:?}"
    );
    assert_eq!(done.pending_count, 0);
    for number in [4, 5, 6] {
        let (east, west) = (
            world.east.get(&id(number)).await.unwrap(),
            world.west.get(&id(number)).await.unwrap(),
        );
        assert_eq!((east.identity, east.tags), (west.identity, west.tags));
    }
    let log = blobs.calls();
    assert!(
        log.iter().any(|call| call == "GET importErrors.log "),
        "{log:?}"
    );
    assert_tidy(&world, &blobs).await;
    // What a listing need not show yet is not asked for one by one.
    sqlx::query("update authority.hub set read_lag_ms = 7200000 where hub_id = 'west'")
        .execute(&world.admin)
        .await
        .unwrap();
    let reads = world.west.running.requests("get_device");
    let quiet = world.pass(false).await;
    assert_eq!((quiet.equal_count, quiet.pending_count), (DEVICES, 0));
    assert_eq!(world.west.running.requests("get_device"), reads);
    world.stop().await;
}

#[tokio::test]
async fn what_no_job_makes_follows_by_calls_in_the_same_pass() {
    let blobs = Blobs::start().await;
    let world = world(&blobs, same).await;
    let mut edge = device("a-gateway", sas());
    edge.identity.iot_edge = true;
    let mut leaf = device("b-leaf", sas());
    leaf.identity.parent = Some("a-gateway".into());
    let module = common::hubs::module("b-leaf/m");
    let configuration = common::hubs::configuration("site", 5);
    for record in [&edge, &leaf, &module, &configuration] {
        world.east.create(record).await;
    }
    let done = world.pass(false).await;
    // With the two modules of the gateway that are the hub's own.
    assert_eq!(
        (done.created_count, done.pending_count),
        (DEVICES + 6, 0),
        "{done:?}"
    );
    assert!(world.west.running.requests("put_device") < 50);
    assert!(world.verify().await.equal);
    let leaf = world.west.get("b-leaf").await.unwrap();
    assert_eq!(leaf.identity.parent.as_deref(), Some("a-gateway"));
    world.stop().await;
}
