//! A world whose standby lacks many devices, and a look at its jobs.

use crate::common::hubs::Hub;
use crate::common::{PATIENCE, World, start_pass};
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_emulator::Options;
use hubshift_hub::{Hub as _, Job, JobKind, JobStatus};
use hubshift_testkit::blobs::Blobs;
use hubshift_testkit::eventually;
use std::fmt::Write as _;
use std::num::NonZeroU32;
use tempfile::NamedTempFile;

/// More than are made by calls where no limit is known.
pub(crate) const DEVICES: u64 = 1100;
/// How much faster the hubs' time runs where nothing is limited.
pub(crate) const FAST: f64 = 60.0;
/// The keys of one device.
pub(crate) const KEY: &str = "Y2FuYXJ5LWtleS1vZi1vbmUtZGV2aWNlISEhISEhISE=";

pub(crate) fn id(number: u64) -> String {
    format!("d-{number:04}")
}

/// An export file of so many devices, of which the first has keys that everybody knows.
pub(crate) fn export(count: u64) -> NamedTempFile {
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

pub(crate) fn seeded(file: &NamedTempFile) -> impl FnOnce(Options) -> Options + use<> {
    let path = file.path().to_owned();
    move |options| Options {
        seed: Some(path),
        ..options
    }
}

/// A hub whose jobs are so slow.
pub(crate) fn slow(lines_per_second: u32) -> impl FnOnce(Options) -> Options {
    move |mut options| {
        options.job.job_lines_per_second = NonZeroU32::new(lines_per_second);
        options
    }
}

pub(crate) fn same(options: Options) -> Options {
    options
}

/// West's connection, with a container for jobs.
pub(crate) fn with_jobs(
    world: &World,
    blobs: &Blobs,
    budget: Option<pb::Budget>,
) -> pb::Connection {
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
pub(crate) async fn world(blobs: &Blobs, west: impl FnOnce(Options) -> Options) -> World {
    let file = export(DEVICES);
    let world = World::start_with(FAST, seeded(&file), west).await;
    world.set_state("west", "syncing").await;
    let connection = with_jobs(&world, blobs, None);
    world.update_connection(connection).await.unwrap();
    world
}

/// The standby is whole after this pass, or after those that follow it: a call that a busy machine
/// let come to its deadline leaves its device to the next one, and a step that lost its database
/// counts what it makes the second time alone. The result of the last pass.
pub(crate) async fn whole(world: &World, mut done: pb::PassResult) -> pb::PassResult {
    for _ in 0..3 {
        if done.pending_count > 0 {
            done = world.pass(false).await;
        }
    }
    let made = world.base_count("west").await;
    assert_eq!((made, done.pending_count), (DEVICES as i64, 0), "{done:?}");
    done
}

pub(crate) async fn jobs(hub: &Hub) -> Vec<Job> {
    let hub = hub.direct();
    hub.bulk().unwrap().jobs().await.into_result().unwrap()
}

/// Ids of the jobs of a kind that run at a hub.
pub(crate) async fn running(hub: &Hub, kind: JobKind) -> Vec<String> {
    let jobs = jobs(hub).await.into_iter();
    let running = jobs.filter(|job| job.kind == kind && job.status == JobStatus::Running);
    running.map(|job| job.id).collect()
}

/// Waits until an import runs at west and has made something; its id.
pub(crate) async fn import_under_way(world: &World) -> String {
    let is_at_it = || async {
        !running(&world.west, JobKind::Import).await.is_empty()
            && world.west.get(&id(3)).await.is_some()
    };
    assert!(eventually(PATIENCE, is_at_it).await);
    running(&world.west, JobKind::Import).await.remove(0)
}

/// States of all jobs that were recorded, and whether blobs of them may be left.
pub(crate) async fn rows(world: &World) -> Vec<(String, bool)> {
    sqlx::query_as("select state, has_blobs from registry.import_job order by create_time")
        .fetch_all(&world.admin)
        .await
        .unwrap()
}

pub(crate) async fn begin_pass(world: &World) -> pb::Task {
    let mut replication = world.replication.clone();
    let task = replication.start_pass(start_pass("west")).await.unwrap();
    task.into_inner()
}

pub(crate) fn result(task: pb::Task) -> pb::PassResult {
    match task.result {
        Some(Outcome::Pass(result)) => result,
        _ => panic!("{task:?}"),
    }
}

/// Nothing of any job is left, at the hub, in the container or in the database.
pub(crate) async fn assert_tidy(world: &World, blobs: &Blobs) {
    assert_eq!(blobs.names(), Vec::<String>::new());
    let rows = rows(world).await;
    let is_over = |row: &(String, bool)| row.0 == "ended" && !row.1;
    assert!(!rows.is_empty() && rows.iter().all(is_over), "{rows:?}");
    let jobs = jobs(&world.west).await;
    let is_over = |job: &Job| job.status != JobStatus::Running;
    assert!(jobs.iter().all(is_over), "{jobs:?}");
}
