//! The engine on a real PostgreSQL: steps, waits, unwinding, takeovers, fences.
#![allow(clippy::unwrap_used, reason = "tests")]

mod supersede;
mod vanished;
mod world;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hubshift_flow::{Engine, EngineConfig, Status, StepCx, StepError, Workflow, WorkflowState};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use world::{Move, Probe, State, World};

pub(crate) fn phases(status: &Status) -> Vec<String> {
    status
        .events
        .iter()
        .map(|event| format!("{} {}", event.step, event.phase))
        .collect()
}

#[tokio::test]
async fn steps_run_in_order_and_a_wait_is_stored() {
    let world = World::new().await;
    let stop = world.engine("a", Duration::from_secs(5));
    let id = world
        .start(&State {
            waits_left: 2,
            ..State::default()
        })
        .await;
    let status = world.ends(id, WorkflowState::Succeeded).await;
    let expected = ["Prepare", "Prepare", "Prepare", "Act", "Commit", "Close"];
    assert_eq!(world.probe.log(), expected);
    let first = [
        "prepare started",
        "prepare waiting",
        "prepare succeeded",
        "act started",
    ];
    assert_eq!(phases(&status)[..4], first);
    stop.cancel();
}

#[tokio::test]
async fn a_rejection_is_unwound_in_reverse() {
    let world = World::new().await;
    let stop = world.engine("a", Duration::from_secs(5));
    let id = world
        .start(&State {
            reject_at_act: true,
            ..State::default()
        })
        .await;
    let status = world.ends(id, WorkflowState::Failed).await;
    assert_eq!(status.failure.unwrap().0, "NO_WAY");
    assert_eq!(
        world.probe.log(),
        ["Prepare", "Act", "undo Act", "undo Prepare"]
    );
    stop.cancel();
}

#[tokio::test]
async fn past_the_point_of_no_return_there_is_only_forward() {
    let world = World::new().await;
    let stop = world.engine("a", Duration::from_secs(5));
    let id = world
        .start(&State {
            fail_first_commit: true,
            ..State::default()
        })
        .await;
    world.ends(id, WorkflowState::Succeeded).await;
    assert_eq!(world.probe.commits.load(Ordering::SeqCst), 2);
    assert!(
        !world
            .probe
            .log()
            .iter()
            .any(|line| line.starts_with("undo"))
    );
    stop.cancel();
}

#[tokio::test]
async fn cancelled_before_it_commits_it_leaves_nothing() {
    let world = World::new().await;
    let id = world
        .start(&State {
            waits_left: 1_000,
            ..State::default()
        })
        .await;
    let stop = world.engine("a", Duration::from_secs(5));
    let begun = eventually(Duration::from_secs(5), || async {
        !world.probe.log().is_empty()
    });
    assert!(begun.await);
    let mut connection = world.pool.acquire().await.unwrap();
    hubshift_flow::request_cancel(&mut connection, id)
        .await
        .unwrap();
    let status = world.ends(id, WorkflowState::Cancelled).await;
    assert_eq!(phases(&status).last().unwrap(), "prepare undone");
    stop.cancel();
}

#[tokio::test]
async fn another_replica_goes_on_where_a_dead_one_stopped() {
    let world = World::new().await;
    let lease = Duration::from_millis(300);
    let id = world
        .start(&State {
            hang_at_act: true,
            ..State::default()
        })
        .await;
    // This one hangs in its second step; its runtime, with its lease's renewal, ends like a process.
    let process = tokio::runtime::Runtime::new().unwrap();
    let (database, probe) = (world.database.clone(), world.probe.clone());
    process.spawn(async move {
        let mut config = EngineConfig::new("dies");
        (config.lease, config.poll) = (lease, Duration::from_millis(10));
        let pool = database.connect(Role::Concierge).await.unwrap();
        Engine::new(pool, config)
            .with(Move(probe))
            .run(CancellationToken::new())
            .await;
    });
    let hung = eventually(Duration::from_secs(5), || async {
        world.probe.log().contains(&"Act".into())
    });
    assert!(hung.await);
    process.shutdown_background();
    let stop = world.engine("lives", lease);
    world.ends(id, WorkflowState::Succeeded).await;
    assert_eq!(
        world
            .probe
            .log()
            .iter()
            .filter(|line| *line == "Act")
            .count(),
        2
    );
    assert_eq!(world.probe.commits.load(Ordering::SeqCst), 1);
    stop.cancel();
}

#[tokio::test]
async fn a_stale_executor_can_commit_nothing() {
    let world = World::new().await;
    let id = world.start(&State::default()).await;
    let cx = StepCx {
        workflow_id: id,
        fleet_id: "acme".into(),
        step: "commit".into(),
        fence: 0,
        attempt: 0,
        traceparent: None,
        create_time: time::OffsetDateTime::now_utc(),
        pool: world.pool.clone(),
    };
    let mut connection = world.pool.acquire().await.unwrap();
    cx.guard(&mut connection).await.unwrap();
    sqlx::query("update flow.workflow set fence = fence + 1")
        .execute(&world.pool)
        .await
        .unwrap();
    assert!(matches!(
        cx.guard(&mut connection).await,
        Err(StepError::Fenced)
    ));
}

#[tokio::test]
async fn one_unfinished_workflow_per_subject() {
    let world = World::new().await;
    let first = world
        .start(&State {
            waits_left: 1_000,
            ..State::default()
        })
        .await;
    assert!(!world.try_start(Uuid::now_v7(), &State::default()).await);
    let mut connection = world.pool.acquire().await.unwrap();
    let active = hubshift_flow::find_active(&mut connection, Move::KIND, "acme")
        .await
        .unwrap();
    assert_eq!(active, Some(first));
}

#[tokio::test]
async fn a_role_sees_its_own_workflows_alone() {
    let database = Database::fresh().await.unwrap();
    let (ours, theirs) = (
        database.connect(Role::Concierge).await.unwrap(),
        database.connect(Role::Merge).await.unwrap(),
    );
    let world = World {
        database: Arc::new(database),
        pool: ours,
        probe: Probe::default(),
    };
    let id = world.start(&State::default()).await;
    let mut connection = theirs.acquire().await.unwrap();
    assert!(
        hubshift_flow::get(&mut connection, id)
            .await
            .unwrap()
            .is_none()
    );
}
