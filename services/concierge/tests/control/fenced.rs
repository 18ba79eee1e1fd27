//! Hubs that are shut out hard: by the move that left them, later, or never; and nobody takes over at
//! one.

use hubshift_api::fault;
use hubshift_api::pb::concierge::{Debt, Failover, FailoverKind, StartFailoverRequest};
use hubshift_api::pb::types::TaskState;
use hubshift_testkit::eventually;
use hubshift_testkit::pg::Role;
use uuid::Uuid;

use crate::forced::dead_east;
use crate::plane::Plane;
use crate::world::{PATIENCE, World, order, succeeded};

fn forced() -> StartFailoverRequest {
    StartFailoverRequest {
        acknowledge_loss_bound: "any".into(),
        ..order(FailoverKind::Forced)
    }
}

/// A forced move away from east, under way.
async fn leave_east(plane: Plane) -> (World, String) {
    let world = dead_east().await;
    world.below.script().plane = plane;
    let name = world.start(forced()).await.unwrap().name;
    (world, name)
}

/// What the history says of the fence.
fn word(failover: &Failover) -> &str {
    let mut events = failover.history.iter();
    let fence = events.find(|event| event.step == "fence" && event.phase == "succeeded");
    &fence.unwrap().detail
}

async fn fence_debt(world: &World) -> Option<Debt> {
    let debts = world.fleet().await.debts;
    debts.into_iter().find(|debt| debt.kind == "FENCE_REQUIRED")
}

async fn plan(world: &World, request: StartFailoverRequest) -> String {
    let request = StartFailoverRequest {
        validate_only: true,
        ..request
    };
    world.start(request).await.unwrap().plan.unwrap().fence
}

#[tokio::test]
async fn a_hub_that_can_be_shut_out_is_and_the_window_ends() {
    let world = dead_east().await;
    assert_eq!(plan(&world, forced()).await, "none, loss window stays open");
    world.below.script().plane = Plane::Works;
    assert_eq!(
        plan(&world, forced()).await,
        "hard, by the management plane"
    );
    assert_eq!(plan(&world, order(FailoverKind::Planned)).await, "none");

    let name = world.start(forced()).await.unwrap().name;
    let failover = world.done(&name).await;
    assert_eq!(succeeded(&failover), failover.plan.as_ref().unwrap().steps);
    assert_eq!(
        word(&failover),
        "hard fence: public access off, keys regenerated"
    );
    let report = failover.report.unwrap();
    assert_eq!(report.debts, ["MERGE_REQUIRED east"]);
    assert!(!report.rpo_window_open && report.rpo_bound_seconds > 0.0);
    assert_eq!(fence_debt(&world).await, None);

    let script = world.below.script();
    let [asked] = script.fenced.as_slice() else {
        panic!("{:?}", script.fenced)
    };
    assert_eq!((asked.hub.as_str(), asked.again), ("east", false));
    assert_eq!(asked.epoch, report.epoch);
    assert_eq!(asked.context.as_ref().unwrap().step, "fence");
}

#[tokio::test]
async fn without_a_management_plane_the_debt_stays() {
    let (world, name) = leave_east(Plane::None).await;
    let failover = world.done(&name).await;
    assert_eq!(
        word(&failover),
        "fence: none, loss window stays open: FENCE_REQUIRED"
    );
    let report = failover.report.unwrap();
    assert_eq!(report.debts, ["FENCE_REQUIRED east", "MERGE_REQUIRED east"]);
    assert!(report.rpo_window_open);
    assert_eq!(fence_debt(&world).await.unwrap().error, "");
}

#[tokio::test]
async fn a_plane_that_takes_its_time_is_waited_for_a_little() {
    let (world, name) = leave_east(Plane::Slow).await;
    world.until_step(&name, "fence").await;
    world.below.script().plane = Plane::Works;
    let report = world.done(&name).await.report.unwrap();
    assert_eq!(report.debts, ["MERGE_REQUIRED east"]);
    let script = world.below.script();
    let ids = script.fenced.iter().map(|asked| &asked.request_id);
    let mut ids: Vec<_> = ids.collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "one request, looked at again");
}

#[tokio::test]
async fn a_plane_that_refuses_holds_nothing_up_and_is_asked_until_the_hub_is_shut_out() {
    let (world, name) = leave_east(Plane::Refuses).await;
    let failover = world.done(&name).await;
    assert_eq!(
        failover.state(),
        TaskState::Succeeded,
        "{:#?}",
        failover.history
    );
    assert!(
        word(&failover).contains("the plane refuses"),
        "{}",
        word(&failover)
    );
    let report = failover.report.unwrap();
    assert_eq!(report.debts, ["FENCE_REQUIRED east", "MERGE_REQUIRED east"]);
    assert_eq!(fence_debt(&world).await.unwrap().error, "the plane refuses");
    let asked_again = || async {
        let script = world.below.script();
        script.fenced.iter().any(|asked| asked.context.is_none())
    };
    assert!(eventually(PATIENCE, asked_again).await);
    world.below.script().plane = Plane::Works;
    let paid = || async { fence_debt(&world).await.is_none() };
    assert!(eventually(PATIENCE, paid).await);
    assert_eq!(
        world.fleet().await.debts.len(),
        1,
        "the merge is still owed"
    );
}

#[tokio::test]
async fn what_a_person_opened_is_left_open_and_still_owed() {
    let (world, name) = leave_east(Plane::Opened).await;
    world.done(&name).await;
    let is_told = || async {
        let debt = fence_debt(&world).await;
        debt.is_some_and(|debt| debt.error.contains("opened the hub again"))
    };
    assert!(eventually(PATIENCE, is_told).await);
}

#[tokio::test]
async fn nobody_takes_over_at_a_hub_that_is_shut_out() {
    let world = World::new().await;
    world.below.script().shut.insert("west".into());
    let overriding = StartFailoverRequest {
        override_checks: true,
        ..forced()
    };
    let refused = world.start(overriding.clone()).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED");
    assert!(refused.message().contains("target_open"), "{refused}");

    // It is shut out after nobody saw it so.
    world.below.script().shut.clear();
    world.below.script().held.insert("backup");
    let request = StartFailoverRequest {
        request_id: Uuid::new_v4().to_string(),
        ..overriding
    };
    let before = world.fleet().await.epoch;
    let name = world.start(request).await.unwrap().name;
    world.until_step(&name, "snapshot").await;
    let admin = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query(
        "insert into registry.fence (fleet_id, hub_id, epoch, state, task_id)
         values ('acme', 'west', 1, 'unknown', gen_random_uuid())",
    )
    .execute(&admin)
    .await
    .unwrap();
    world.below.script().held.clear();
    let failure = world.done(&name).await.failure.unwrap();
    assert_eq!(failure.reason, "TARGET_FENCED");
    let fleet = world.fleet().await;
    assert_eq!((fleet.epoch, fleet.active_hub.as_str()), (before, "east"));
}
