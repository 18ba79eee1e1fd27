//! Setting a workflow aside for another one, and taking it up again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hubshift_flow::{SUPERSEDED, Workflow, WorkflowState};
use hubshift_testkit::eventually;
use uuid::Uuid;

use crate::phases;
use crate::world::{Move, State, Step, World};

const PAST: [Step; 2] = [Step::Commit, Step::Close];

async fn supersede(world: &World, id: Uuid, steps: &[Step]) -> bool {
    let mut connection = world.pool.acquire().await.unwrap();
    let done = hubshift_flow::supersede(&mut connection, id, steps, "another one").await;
    done.unwrap()
}

/// A workflow whose last step waits.
async fn waiting_at_close(world: &World) -> Uuid {
    let gated = State {
        gated: true,
        ..State::default()
    };
    let id = world.start(&gated).await;
    let there = eventually(Duration::from_secs(10), || async {
        world.status(id).await.step == "close"
    });
    assert!(there.await);
    id
}

#[tokio::test]
async fn one_that_was_set_aside_makes_room_and_goes_on_later() {
    let world = World::new().await;
    let stop = world.engine("a", Duration::from_secs(5));
    let first = waiting_at_close(&world).await;
    assert!(!supersede(&world, first, &[Step::Act]).await);
    assert!(supersede(&world, first, &PAST).await);
    let status = world.status(first).await;
    assert_eq!(status.state, WorkflowState::Failed);
    assert_eq!(status.failure.clone().unwrap().0, SUPERSEDED);
    assert_eq!(phases(&status).last().unwrap(), "close superseded");
    assert!(!supersede(&world, first, &PAST).await, "set aside twice");

    let second = world.start(&State::default()).await;
    world.ends(second, WorkflowState::Succeeded).await;
    world.probe.gate.store(true, Ordering::SeqCst);
    let mut connection = world.pool.acquire().await.unwrap();
    let resumed = hubshift_flow::resume(&mut connection, first).await;
    assert!(resumed.unwrap());
    let status = world.ends(first, WorkflowState::Succeeded).await;
    assert_eq!(status.failure, None);
    let again = hubshift_flow::resume(&mut connection, first).await;
    assert!(!again.unwrap(), "one that is over was taken up");
    stop.cancel();
}

#[tokio::test]
async fn it_is_not_taken_up_beside_its_successor() {
    let world = World::new().await;
    let stop = world.engine("a", Duration::from_secs(5));
    let first = waiting_at_close(&world).await;
    assert!(supersede(&world, first, &PAST).await);
    let second = waiting_at_close(&world).await;
    let mut connection = world.pool.acquire().await.unwrap();
    let resumed = hubshift_flow::resume(&mut connection, first).await;
    assert!(resumed.is_err(), "two of one subject: {resumed:?}");
    let active = hubshift_flow::find_active(&mut connection, Move::KIND, "acme").await;
    assert_eq!(active.unwrap(), Some(second));
    stop.cancel();
}

#[tokio::test]
async fn the_executor_of_one_that_was_set_aside_writes_nothing() {
    let world = World::new().await;
    let id = world.start(&State::default()).await;
    sqlx::query(
        "update flow.workflow set step = 'close', fence = 7, lease_owner = 'a',
                lease_until = now() + interval '1 hour'",
    )
    .execute(&world.pool)
    .await
    .unwrap();
    assert!(supersede(&world, id, &PAST).await);
    let fence: i64 = sqlx::query_scalar("select fence from flow.workflow")
        .fetch_one(&world.pool)
        .await
        .unwrap();
    assert_eq!(fence, 8);
}
