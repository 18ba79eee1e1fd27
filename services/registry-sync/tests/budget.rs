//! Hubs with quotas: what a connection says of them, what a plan makes of it, and that a pass keeps
//! to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::World;
use common::hubs::{device, sas};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::pass_plan::Way;
use hubshift_azure::quota::{OperationClass, Tier};
use hubshift_emulator::{Options, ThrottleOptions};

/// Devices to seed.
const DEVICES: u64 = 2000;
/// An S1 unit's 100 calls a minute are 100 a second then.
const SPEED: f64 = 60.0;
/// How much of them is ours.
const SHARE_PERCENT: u32 = 80;
/// Calls that a pass has under way at once.
const CONCURRENCY: i64 = 16;

fn s1(share_percent: u32) -> pb::Budget {
    pb::Budget {
        tier: "S1".into(),
        units: 1,
        share_percent,
        ..pb::Budget::default()
    }
}

/// The connection of a hub that is there, with this budget.
fn connection(world: &World, name: &str, budget: pb::Budget) -> pb::Connection {
    let hub = match name {
        "east" => &world.east,
        _ => &world.west,
    };
    pb::Connection {
        name: format!("fleets/acme/hubs/{name}/connection"),
        budget: Some(budget),
        ..world.secrets(name, &hub.running)
    }
}

/// The connection of west as it is stored.
async fn stored(world: &World) -> pb::Connection {
    let request = pb::GetConnectionRequest {
        name: "fleets/acme/hubs/west/connection".into(),
    };
    let mut connections = world.connections.clone();
    let answer = connections.get_connection(request).await.unwrap();
    answer.into_inner()
}

#[tokio::test]
async fn a_connection_says_how_much_of_the_quota_is_ours() {
    let world = World::start().await;
    let first = stored(&world).await.budget.unwrap();
    assert_eq!(
        (first.tier.as_str(), first.units, first.share_percent),
        ("", 1, 50)
    );
    let mut said = connection(&world, "west", s1(30));
    let container = world.files.path().join("container");
    said.job_container_ref = format!("file:{}", container.display());
    let unreadable = world.update_connection(said.clone()).await.unwrap_err();
    assert_eq!(reason(&unreadable), "SECRET_UNREADABLE");
    let uri = "https://store.example/jobs?sig=c2VjcmV0";
    std::fs::write(&container, uri).unwrap();
    world.update_connection(said.clone()).await.unwrap();
    let kept = stored(&world).await;
    let expected = pb::Budget {
        daily_message_percent: 5,
        ..s1(30)
    };
    assert_eq!(kept.budget, Some(expected));
    assert_eq!(kept.job_container_ref, said.job_container_ref);
    assert!(!format!("{kept:?}").contains("c2VjcmV0"));
    let wrong = pb::Budget {
        tier: "S9".into(),
        units: 1000,
        share_percent: 200,
        daily_message_percent: 0,
    };
    let wrong = connection(&world, "west", wrong);
    let refused = world.update_connection(wrong).await.unwrap_err();
    assert_eq!(reason(&refused), "INVALID_REQUEST");
    for field in ["budget.tier", "budget.units", "budget.share_percent"] {
        assert!(refused.message().contains(field), "{refused}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_plan_says_what_was_seen_and_what_it_had_to_assume() {
    let world = World::start().await;
    world.east.create_many(12).await;
    let blind = world.plan("west").await.unwrap();
    assert_eq!((blind.create_count, blind.unchanged_count), (12, 0));
    assert!(blind.as_of.is_none() && blind.by_calls_seconds.is_none());
    assert!(
        blind.unknowns[0].contains("east was not read yet"),
        "{blind:?}"
    );
    world.pass(false).await;
    let writes = world.west.writes();
    world
        .east
        .change("d-003", |device| device.identity.enabled = false)
        .await;
    world.east.create(&device("d-new", sas())).await;
    world.scan("east").await;
    let mut budgeted = connection(&world, "west", s1(50));
    let container = world.files.path().join("container");
    std::fs::write(&container, "https://store.example/jobs?sig=x").unwrap();
    budgeted.job_container_ref = format!("file:{}", container.display());
    world.update_connection(budgeted).await.unwrap();
    let ready = world.plan("west").await.unwrap();
    assert_eq!(ready.by_job_seconds, None, "no job is begun at a ready hub");
    world.set_state("west", "syncing").await;
    let plan = world.plan("west").await.unwrap();
    assert_eq!(
        (plan.create_count, plan.update_count, plan.delete_count),
        (1, 1, 0)
    );
    assert_eq!((plan.unchanged_count, plan.extra_count), (11, 0));
    assert!(plan.unknowns.is_empty() && plan.as_of.is_some(), "{plan:?}");
    // Two calls at fifty a minute.
    let by_calls = plan.by_calls_seconds.unwrap();
    assert!((by_calls - 2.4).abs() < 0.01, "{by_calls}");
    assert!(plan.by_job_seconds.unwrap() > by_calls);
    assert_eq!(plan.way(), Way::Calls);
    assert_eq!(
        plan.text,
        "by calls 3 s, by job 3 min: by calls; 6 s of reading come first"
    );
    let allowed = plan
        .limits
        .iter()
        .find(|limit| (limit.hub.as_str(), limit.class.as_str()) == ("west", "registry"));
    let rate = allowed.unwrap().calls_per_second.unwrap();
    assert!((rate * 60.0 - 50.0).abs() < 0.01, "{rate}");
    assert_eq!(world.west.writes(), writes, "a plan writes nothing");
    let active = world.plan("east").await.unwrap_err();
    assert_eq!(reason(&active), "HUB_NOT_STANDBY");
    let nowhere = world.plan("north").await.unwrap_err();
    assert_eq!(reason(&nowhere), "HUB_NOT_FOUND");
    world.stop().await;
}

/// An export file of devices with a tag each.
fn export() -> tempfile::NamedTempFile {
    let mut lines = String::new();
    for number in 0..DEVICES {
        let id = format!("d-{number:04}");
        writeln!(
            lines,
            r#"{{"id":"{id}","status":"enabled","tags":{{"number":{number}}}}}"#
        )
        .unwrap();
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    file
}

fn throttled(options: Options) -> Options {
    let throttle = ThrottleOptions {
        tier: Some(Tier::S1),
        units: 1,
        throttle_speed: SPEED,
        ..ThrottleOptions::default()
    };
    Options {
        throttle,
        ..options
    }
}

/// The most writes whose calls are under way at once, until `done`.
async fn most_at_once(world: &World, done: &AtomicBool) -> i64 {
    let mut most = 0;
    let mut look = tokio::time::interval(Duration::from_millis(100));
    while !done.load(Ordering::SeqCst) {
        look.tick().await;
        let open: i64 =
            sqlx::query_scalar("select count(*) from registry.intent where outcome is null")
                .fetch_one(&world.admin)
                .await
                .unwrap();
        most = most.max(open);
    }
    most
}

/// The standby is one S1 unit whose quota clock is sped up.
#[tokio::test]
async fn seeding_by_calls_takes_the_time_that_the_budget_allows_and_is_hardly_ever_refused() {
    let file = export();
    let seeded = |options: Options| Options {
        seed: Some(file.path().to_owned()),
        ..options
    };
    let world = World::start_with(SPEED, seeded, throttled).await;
    let budgeted = connection(&world, "west", s1(SHARE_PERCENT));
    world.update_connection(budgeted).await.unwrap();
    world.scan("east").await;
    let rate = f64::from(SHARE_PERCENT) / 100.0 * 100.0 / 60.0 * SPEED;
    let allowed = DEVICES as f64 / rate;
    let plan = world.plan("west").await.unwrap();
    assert_eq!(plan.create_count, DEVICES);
    assert!(
        (plan.by_calls_seconds.unwrap() - allowed).abs() < 0.1,
        "{plan:?}"
    );

    let (begun, done) = (Instant::now(), AtomicBool::new(false));
    let pass = async {
        let result = world.pass(false).await;
        done.store(true, Ordering::SeqCst);
        (result, begun.elapsed().as_secs_f64())
    };
    let ((result, elapsed), most) = tokio::join!(pass, most_at_once(&world, &done));
    assert_eq!((result.created_count, result.pending_count), (DEVICES, 0));
    assert!(elapsed >= allowed * 0.95, "{elapsed} s of {allowed}");
    assert!(elapsed <= allowed * 1.1, "{elapsed} s of {allowed}");
    let refused = world.west.running.throttled(OperationClass::Registry);
    println!(
        "{elapsed:.1} s of {allowed:.1} s, {refused} refused, {most} at once, {}",
        plan.text
    );
    assert!(refused * 100 <= DEVICES, "{refused} were refused");
    assert!((1..=CONCURRENCY).contains(&most), "{most} at once");
    assert_eq!(world.base_count("west").await, DEVICES as i64);
    world.stop().await;
}
