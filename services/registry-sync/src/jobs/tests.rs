//! Rows of jobs against a real database and emulated hubs.

use hubshift_store::StoreError;
use hubshift_testkit::blobs::Blobs;
use sqlx::PgPool;

use super::*;
use crate::store;
use crate::store::import_job::{self, ENDED, JobRow, NewJob, ONE_OPEN, RUNNING, STARTING};
use crate::store::replication::{Reign, advance};
use crate::store::tombstone::{NewTombstone, acknowledge_scanned};
use crate::testing::{EAST_REIGNS, World};
use uuid::Uuid;

/// Where the container's URI is not.
const NOWHERE: &str = "file:/nowhere";

async fn insert(world: &World, job: Uuid, container_ref: &str) -> Result<bool, StoreError> {
    let new = NewJob {
        job_id: job,
        fleet: "acme",
        hub: "west",
        epoch: EAST_REIGNS,
        container_ref,
    };
    import_job::insert(&world.deps.pool, &new).await
}

/// An open job at west, which lacks something.
async fn opened(world: &World, container_ref: &str) -> Uuid {
    world.set_state("west", "syncing").await;
    let job = Uuid::now_v7();
    assert!(insert(world, job, container_ref).await.unwrap());
    job
}

async fn row(world: &World, job: Uuid) -> JobRow {
    let row = import_job::get(&world.deps.pool, job).await.unwrap();
    row.unwrap()
}

/// Until nothing more may be there, as far as one look says it.
async fn closed(world: &World, job: Uuid) -> Option<Duration> {
    let hub = HubId::new("west").unwrap();
    let cx = JobCx::new(&world.deps, &world.fleet, &hub).await.unwrap();
    close(&cx, &row(world, job).await, true).await.unwrap()
}

async fn starting(world: &World, job: Uuid, deadline_seconds: f64) {
    let blob = import_blob(job, 1);
    let pool = &world.deps.pool;
    let started = import_job::starting(pool, job, &blob, deadline_seconds).await;
    assert!(started.unwrap());
}

async fn now(pool: &PgPool) -> time::OffsetDateTime {
    store::authority::now(pool).await.unwrap()
}

#[tokio::test]
async fn a_standby_that_lacks_something_gets_one_job_and_another_hub_none() {
    let world = World::new().await;
    let none = insert(&world, Uuid::now_v7(), NOWHERE).await;
    assert!(!none.unwrap(), "west is ready");
    let job = opened(&world, NOWHERE).await;
    let second = insert(&world, Uuid::now_v7(), NOWHERE).await.unwrap_err();
    assert!(second.is_constraint(ONE_OPEN), "{second}");
    assert_eq!(closed(&world, job).await, None);
    opened(&world, NOWHERE).await;
}

#[tokio::test]
async fn of_two_who_work_with_a_job_one_comes_too_late() {
    let world = World::new().await;
    let pool = &world.deps.pool;
    let job = opened(&world, NOWHERE).await;
    let idle = row(&world, job).await;
    starting(&world, job, 60.0).await;
    assert!(!import_job::starting(pool, job, "b", 60.0).await.unwrap());
    assert!(!import_job::end(pool, &idle).await.unwrap());
    assert!(import_job::running(pool, job, "j").await.unwrap());
    assert!(!import_job::running(pool, job, "k").await.unwrap());
    assert!(!import_job::rest(pool, job, STARTING, None).await.unwrap());
    let is_over = import_job::rest(pool, job, RUNNING, Some("j")).await;
    assert!(is_over.unwrap());
    assert!(
        import_job::end(pool, &row(&world, job).await)
            .await
            .unwrap()
    );
    assert!(!import_job::note_file(pool, job, 1).await.unwrap());
}

#[tokio::test]
async fn what_may_still_land_is_waited_for_and_then_looked_for() {
    let world = World::new().await;
    let job = opened(&world, NOWHERE).await;
    starting(&world, job, 60.0).await;
    assert!(closed(&world, job).await.is_some());
    assert_eq!(world.west.requests("list_jobs"), 0);
    sqlx::query("update registry.import_job set deadline = clock_timestamp()")
        .execute(&world.admin)
        .await
        .unwrap();
    assert_eq!(closed(&world, job).await, None);
    assert_eq!(world.west.requests("list_jobs"), 1);
    assert_eq!(row(&world, job).await.state, ENDED);
}

#[tokio::test]
async fn a_job_that_the_hub_does_not_know_is_over() {
    let world = World::new().await;
    let job = opened(&world, NOWHERE).await;
    starting(&world, job, 60.0).await;
    let pool = &world.deps.pool;
    assert!(import_job::running(pool, job, "nobody").await.unwrap());
    assert_eq!(closed(&world, job).await, None);
    assert_eq!(row(&world, job).await.state, ENDED);
}

#[tokio::test]
async fn a_hub_is_only_said_to_hold_everything_of_a_time_after_its_last_job() {
    let world = World::new().await;
    let pool = &world.deps.pool;
    let reign = Reign {
        fleet: "acme",
        source: "east",
        target: "west",
        epoch: EAST_REIGNS,
    };
    let before = now(pool).await;
    let job = opened(&world, NOWHERE).await;
    assert!(!advance(pool, reign, now(pool).await).await.unwrap());
    assert_eq!(closed(&world, job).await, None);
    assert!(!advance(pool, reign, before).await.unwrap());
    assert!(advance(pool, reign, now(pool).await).await.unwrap());
}

#[tokio::test]
async fn no_scan_from_before_the_end_of_a_job_confirms_a_deletion() {
    let world = World::new().await;
    let pool = &world.deps.pool;
    let tombstone = NewTombstone {
        device: "d",
        incarnation: 1,
        is_revoked: false,
        epoch: EAST_REIGNS,
        sequence: 0,
        origin: "east",
    };
    store::tombstone::put(pool, "acme", &tombstone)
        .await
        .unwrap();
    let before = now(pool).await;
    let job = opened(&world, NOWHERE).await;
    let confirmed = async |since| {
        acknowledge_scanned(pool, "acme", "west", since)
            .await
            .unwrap()
    };
    assert_eq!(confirmed(now(pool).await).await, 0);
    assert_eq!(closed(&world, job).await, None);
    assert_eq!(confirmed(before).await, 0);
    assert_eq!(confirmed(now(pool).await).await, 1);
}

#[tokio::test]
async fn what_a_pass_left_behind_is_closed_and_its_keys_are_removed() {
    let (world, blobs) = (World::new().await, Blobs::start().await);
    let files = tempfile::tempdir().unwrap();
    let uri = files.path().join("container");
    std::fs::write(&uri, blobs.uri()).unwrap();
    let job = opened(&world, &format!("file:{}", uri.display())).await;
    let pool = &world.deps.pool;
    assert!(import_job::note_file(pool, job, 1).await.unwrap());
    for blob in [import_blob(job, 1), export_blob(job), LOG.to_owned()] {
        blobs.put(&blob, "keys");
    }
    blobs.put("another's", "kept");
    assert_eq!(
        tidy(&world.deps).await.unwrap(),
        0,
        "somebody works with it"
    );
    sqlx::query("update registry.import_job set update_time = update_time - interval '1 hour'")
        .execute(&world.admin)
        .await
        .unwrap();
    assert_eq!(tidy(&world.deps).await.unwrap(), 1);
    assert_eq!(blobs.names(), ["another's"]);
    assert_eq!(row(&world, job).await.state, ENDED);
    assert_eq!(tidy(&world.deps).await.unwrap(), 0, "nothing is left");
}

#[tokio::test]
async fn blobs_that_cannot_be_removed_now_are_removed_later() {
    let (world, blobs) = (World::new().await, Blobs::start().await);
    let files = tempfile::tempdir().unwrap();
    let uri = files.path().join("container");
    let job = opened(&world, &format!("file:{}", uri.display())).await;
    blobs.put(&export_blob(job), "keys");
    assert_eq!(
        closed(&world, job).await,
        None,
        "the hub is free all the same"
    );
    assert_eq!(tidy(&world.deps).await.unwrap(), 0);
    std::fs::write(&uri, blobs.uri()).unwrap();
    assert_eq!(tidy(&world.deps).await.unwrap(), 1);
    assert_eq!(blobs.names(), Vec::<String>::new());
}
