//! What hubs tell by an event hub: a hint makes somebody look, as by Event Grid, and the reader
//! comes back when its connection breaks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

#[path = "../common/mod.rs"]
mod common;
mod fake;

use common::log;
use std::time::Duration;
use tracing::Level;

use common::hubs::{device, sas};
use common::{PATIENCE, World};
use fake::{EventHub, Stored};
use hubshift_testkit::eventually;
use time::OffsetDateTime;

const KEY: &str = "canary-of-the-event-hub";

#[tokio::test]
async fn a_device_that_was_made_past_us_is_at_the_standby_long_before_the_next_pass() {
    let events = EventHub::start(KEY).await;
    let world = World::start_with_config(&events.config()).await;
    world.pass(true).await;
    let queries = world.east.running.requests("query");
    for (id, partition) in [("new", "0"), ("newer", "1")] {
        world.east.create(&device(id, sas())).await;
        let told = Stored::lifecycle("createDeviceIdentity", id);
        events.store(told.in_partition(partition));
        assert!(arrives(&world, id).await, "{id}");
    }
    // Nobody listed the hub for it: the interval is an hour.
    assert_eq!(world.east.running.requests("query"), queries);
    world.stop().await;
}

#[tokio::test]
async fn a_deletion_is_believed_when_the_hub_says_so_twice_by_event_and_by_answer() {
    let events = EventHub::start(KEY).await;
    let world = World::start_with_config(&events.config()).await;
    world.east.create_many(20).await;
    world.pass(true).await;
    // A lie: the device is there.
    events.store(Stored::lifecycle("deleteDeviceIdentity", "d-001"));
    world.east.delete("d-000").await;
    events.store(Stored::lifecycle("deleteDeviceIdentity", "d-000"));
    let is_gone = || async { world.west.get("d-000").await.is_none() };
    assert!(eventually(PATIENCE, is_gone).await);
    assert!(world.west.get("d-001").await.is_some());
    world.stop().await;
}

#[tokio::test]
async fn telemetry_old_news_and_news_of_another_hub_make_nobody_look() {
    let events = EventHub::start(KEY).await;
    let world = World::start_with_config(&events.config()).await;
    world.east.create_many(3).await;
    world.pass(true).await;
    let before = read_times(&world).await;
    events.store(Stored::telemetry("deleteDeviceIdentity", "d-000"));
    let old = OffsetDateTime::now_utc() - Duration::from_secs(3600);
    events.store(Stored::lifecycle("deleteDeviceIdentity", "d-001").enqueued(old));
    events.store(Stored::lifecycle("deleteDeviceIdentity", "d-002").of_hub("other"));
    // What is behind them in the same partition is followed.
    world.east.create(&device("new", sas())).await;
    events.store(Stored::lifecycle("createDeviceIdentity", "new"));
    assert!(arrives(&world, "new").await);
    assert_eq!(read_times(&world).await, before);
    world.stop().await;
}

#[tokio::test]
async fn a_connection_that_broke_is_taken_up_again() {
    let events = EventHub::start(KEY).await;
    let world = World::start_with_config(&events.config()).await;
    world.pass(true).await;
    world.east.create(&device("first", sas())).await;
    events.store(Stored::lifecycle("createDeviceIdentity", "first"));
    assert!(arrives(&world, "first").await);
    let logins = events.logins();
    events.cut();
    // It is told while nobody listens, and read all the same.
    world.east.create(&device("second", sas())).await;
    events.store(Stored::lifecycle("createDeviceIdentity", "second"));
    assert!(arrives(&world, "second").await);
    assert!(events.logins() > logins);
    world.stop().await;
}

#[tokio::test]
async fn a_wrong_key_is_reported_and_not_shown() {
    let log = log::capture(Level::DEBUG);
    let events = EventHub::start(KEY).await;
    let world = World::start_with_config(&events.config_with_key("canary-of-nobody")).await;
    let is_told = || async { log::text(log).contains("refuses the policy or its key") };
    assert!(eventually(PATIENCE, is_told).await);
    assert_eq!(events.logins(), 0);
    assert!(!log::text(log).contains("canary-of-nobody"));
    // The rest of the service does not mind.
    world.pass(true).await;
    world.stop().await;
}

async fn arrives(world: &World, id: &str) -> bool {
    eventually(PATIENCE, || async { world.west.get(id).await.is_some() }).await
}

/// When the devices `d-…` were last read at east.
async fn read_times(world: &World) -> Vec<(String, OffsetDateTime)> {
    sqlx::query_as(
        "select device_id, read_time from registry.observed
          where hub_id = 'east' and device_id like 'd-%' order by device_id",
    )
    .fetch_all(&world.admin)
    .await
    .unwrap()
}
