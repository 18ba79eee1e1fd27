//! A standby that lacks many devices is filled by import jobs: what is made how, what is verified,
//! and that nothing of a job stays where it must not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::fmt::Write as _;
use std::io;
use std::num::NonZeroU32;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use common::hubs::{Hub, device, object, sas};
use common::{EAST_REIGNS, PATIENCE, WEST_REIGNS, World, start_pass, step};
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::pass_plan::Way;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_azure::quota::Tier;
use hubshift_emulator::{Options, ThrottleOptions};
use hubshift_hub::{Hub as _, Job, JobKind, JobStatus, Secret};
use hubshift_testkit::blobs::{Blobs, CANARY};
use hubshift_testkit::eventually;
use serde_json::json;
use tempfile::NamedTempFile;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

/// More than are made by calls where no limit is known.
const DEVICES: u64 = 1100;
/// How much faster the hubs' time runs where nothing is limited.
const FAST: f64 = 60.0;
/// The keys of one device.
const KEY: &str = "Y2FuYXJ5LWtleS1vZi1vbmUtZGV2aWNlISEhISEhISE=";

fn id(number: u64) -> String {
    format!("d-{number:04}")
}

/// An export file of so many devices, of which the first has keys that everybody knows.
fn export(count: u64) -> NamedTempFile {
    let mut lines = format!(
        r#"{{"id":"{}","status":"enabled","tags":{{"number":0}},"authentication":{{"type":"sas","symmetricKey":{{"primaryKey":"{KEY}","secondaryKey":"{KEY}"}}}}}}"#,
        id(0)
    );
    lines.push('\n');
    for number in 1..count {
        writeln!(
            lines,
            r#"{{"id":"{}","status":"enabled","tags":{{"number":{number}}},"properties":{{"desired":{{"rate":{number}}}}}}}"#,
            id(number)
        )
        .unwrap();
    }
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), lines).unwrap();
    file
}

fn seeded(file: &NamedTempFile) -> impl FnOnce(Options) -> Options + use<> {
    let path = file.path().to_owned();
    move |options| Options {
        seed: Some(path),
        ..options
    }
}

/// A hub whose jobs are so slow.
fn slow(lines_per_second: u32) -> impl FnOnce(Options) -> Options {
    move |mut options| {
        options.job.job_lines_per_second = NonZeroU32::new(lines_per_second);
        options
    }
}

fn same(options: Options) -> Options {
    options
}

/// West's connection, with a container for jobs.
fn with_jobs(world: &World, blobs: &Blobs, budget: Option<pb::Budget>) -> pb::Connection {
    let container = world.files.path().join("container");
    std::fs::write(&container, blobs.uri()).unwrap();
    pb::Connection {
        name: "fleets/acme/hubs/west/connection".into(),
        budget,
        job_container_ref: format!("file:{}", container.display()),
        ..world.secrets("west", &world.west.running)
    }
}

/// East with many devices, west without any and with a container.
async fn world(blobs: &Blobs, west: impl FnOnce(Options) -> Options) -> World {
    let file = export(DEVICES);
    let world = World::start_with(FAST, seeded(&file), west).await;
    world.set_state("west", "syncing").await;
    let connection = with_jobs(&world, blobs, None);
    world.update_connection(connection).await.unwrap();
    world
}

async fn jobs(hub: &Hub) -> Vec<Job> {
    let hub = hub.direct();
    hub.bulk().unwrap().jobs().await.into_result().unwrap()
}

/// Ids of the jobs of a kind that run at a hub.
async fn running(hub: &Hub, kind: JobKind) -> Vec<String> {
    let jobs = jobs(hub).await.into_iter();
    let running = jobs.filter(|job| job.kind == kind && job.status == JobStatus::Running);
    running.map(|job| job.id).collect()
}

/// Waits until an import runs at west and has made something; its id.
async fn import_under_way(world: &World) -> String {
    let is_at_it = || async {
        !running(&world.west, JobKind::Import).await.is_empty()
            && world.west.get(&id(3)).await.is_some()
    };
    assert!(eventually(PATIENCE, is_at_it).await);
    running(&world.west, JobKind::Import).await.remove(0)
}

/// States of all jobs that were recorded, and whether blobs of them may be left.
async fn rows(world: &World) -> Vec<(String, bool)> {
    sqlx::query_as("select state, has_blobs from registry.import_job order by create_time")
        .fetch_all(&world.admin)
        .await
        .unwrap()
}

async fn begin_pass(world: &World) -> pb::Task {
    let mut replication = world.replication.clone();
    let task = replication.start_pass(start_pass("west")).await.unwrap();
    task.into_inner()
}

fn result(task: pb::Task) -> pb::PassResult {
    match task.result {
        Some(Outcome::Pass(result)) => result,
        _ => panic!("{task:?}"),
    }
}

/// Nothing of any job is left, at the hub, in the container or in the database.
async fn assert_tidy(world: &World, blobs: &Blobs) {
    assert_eq!(blobs.names(), Vec::<String>::new());
    let rows = rows(world).await;
    let is_over = |row: &(String, bool)| row.0 == "ended" && !row.1;
    assert!(!rows.is_empty() && rows.iter().all(is_over), "{rows:?}");
    let jobs = jobs(&world.west).await;
    let is_over = |job: &Job| job.status != JobStatus::Running;
    assert!(jobs.iter().all(is_over), "{jobs:?}");
}

#[tokio::test]
async fn a_large_standby_is_filled_by_a_job_and_read_from_an_export() {
    let log = capture_logs();
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
    let logged = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
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
    assert_eq!(
        (done.created_count, done.pending_count),
        (DEVICES, 0),
        "{done:?}"
    );
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
    assert_eq!(
        (done.created_count, done.pending_count),
        (DEVICES, 0),
        "{done:?}"
    );
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
    assert_eq!(
        (done.created_count, done.pending_count),
        (DEVICES, 0),
        "{done:?}"
    );
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
    assert_eq!(
        (done.created_count, done.pending_count),
        (DEVICES, 0),
        "{done:?}"
    );
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

/// All that this process logs from now on.
fn capture_logs() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    let log = LOG.get_or_init(Mutex::default);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(Lines(log))
        .finish();
    // Another test of this process may have been faster; its log is this one.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
}

#[derive(Clone, Copy)]
struct Lines(&'static Mutex<Vec<u8>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}
