//! A target that dies after the commit: another move takes over, and the first one goes on when
//! that comes to nothing.

use hubshift_api::fault;
use hubshift_api::pb::concierge::{FailoverKind, StartFailoverRequest};
use hubshift_api::pb::types::{HubState, RegistryMode, TaskState};
use hubshift_testkit::eventually;
use uuid::Uuid;

use crate::forced::forced;
use crate::world::{PATIENCE, World, order, succeeded};

/// A planned move to west that stands past its commit, at a west that is dead.
async fn west_dies() -> (World, String) {
    let world = World::new().await;
    world.below.script().held.insert("replay");
    let planned = order(FailoverKind::Planned);
    let name = world.start(planned).await.unwrap().name;
    world.until_step(&name, "replay").await;
    world.below.script().dead.insert("west".into());
    (world, name)
}

/// Back to east by force.
fn back(supersede: &str) -> StartFailoverRequest {
    StartFailoverRequest {
        expected_active_hub: "west".into(),
        target_hub: "east".into(),
        acknowledge_loss_bound: "any".into(),
        supersede: supersede.to_owned(),
        ..order(FailoverKind::Forced)
    }
}

async fn refusal(world: &World, request: StartFailoverRequest) -> String {
    fault::reason(&world.start(request).await.unwrap_err()).to_owned()
}

#[tokio::test]
async fn a_dead_target_is_left_for_the_hub_that_reigned_before() {
    let (world, first) = west_dies().await;
    let lost = world.fleet().await.epoch;
    assert_eq!(refusal(&world, back("")).await, "FAILOVER_ACTIVE");
    // East was never a standby; it is complete up to the moment at which its reign ended.
    world.below.script().staleness = -1.0;
    let mut plan = back(&first);
    plan.validate_only = true;
    let plan = world.start(plan).await.unwrap().plan.unwrap();
    assert!(!plan.blocked, "{:#?}", plan.checks);
    assert!(plan.loss_bound.starts_with("up to "), "{}", plan.loss_bound);

    let second = world.start(back(&first)).await.unwrap();
    assert_eq!(second.supersedes, first);
    world.below.script().held.clear();
    let second = world.done(&second.name).await;
    assert_eq!(second.state(), TaskState::Succeeded, "{second:#?}");
    assert_eq!(succeeded(&second), second.plan.as_ref().unwrap().steps);
    let first = world.get(&first).await;
    assert_eq!(first.state(), TaskState::Failed);
    assert_eq!(first.failure.unwrap().reason, "SUPERSEDED");
    let fleet = world.fleet().await;
    assert_eq!(fleet.active_hub, "east");
    assert_eq!(fleet.registry_mode(), RegistryMode::Open);
    assert!(fleet.epoch > lost);
    assert_eq!(world.hub_state("west").await, HubState::Quarantined);
    let report = second.report.unwrap();
    assert_eq!(report.debts, ["FENCE_REQUIRED west", "MERGE_REQUIRED west"]);
}

#[tokio::test]
async fn the_first_move_goes_on_when_the_takeover_comes_to_nothing() {
    let (world, first) = west_dies().await;
    world.below.script().held.insert("backup");
    let second = world.start(back(&first)).await.unwrap().name;
    world.until_step(&second, "snapshot").await;
    assert_eq!(world.get(&first).await.state(), TaskState::Failed);
    let refused = world.cancel(&first).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PAST_POINT_OF_NO_RETURN");
    world.cancel(&second).await.unwrap();
    assert_eq!(world.done(&second).await.state(), TaskState::Cancelled);
    let goes_on = || async { world.get(&first).await.state() == TaskState::Running };
    assert!(eventually(PATIENCE, goes_on).await);
    {
        let mut script = world.below.script();
        script.held.clear();
        script.dead.clear();
    }
    let first = world.done(&first).await;
    assert_eq!(first.state(), TaskState::Succeeded, "{:#?}", first.history);
    assert_eq!(first.failure, None);
    assert_eq!(world.fleet().await.active_hub, "west");
}

#[tokio::test]
async fn only_a_move_that_is_past_its_commit_can_be_taken_over_from() {
    let world = World::new().await;
    world.below.script().held.insert("drain");
    let planned = order(FailoverKind::Planned);
    let name = world.start(planned).await.unwrap().name;
    world.until_step(&name, "drain").await;
    let over = StartFailoverRequest {
        expected_active_hub: "east".into(),
        target_hub: "west".into(),
        ..back(&name)
    };
    assert_eq!(refusal(&world, over.clone()).await, "NOT_SUPERSEDABLE");
    world.below.script().held.clear();
    world.done(&name).await;
    assert_eq!(refusal(&world, back(&name)).await, "NOT_SUPERSEDABLE");
    let planned = StartFailoverRequest {
        kind: FailoverKind::Planned.into(),
        request_id: Uuid::new_v4().to_string(),
        acknowledge_loss_bound: String::new(),
        ..back(&name)
    };
    let refused = world.start(planned).await.unwrap_err();
    assert!(refused.message().contains("forced move only"), "{refused}");
}

#[tokio::test]
async fn a_registry_is_not_opened_at_a_hub_that_does_not_answer() {
    let (world, name) = west_dies().await;
    {
        let mut script = world.below.script();
        script.failing.insert("verify");
        script.held.clear();
    }
    let looked = || async {
        let script = world.below.script();
        let at_open = script.started.iter().filter(|(_, _, cx)| cx.step == "open");
        at_open.count() >= 4
    };
    assert!(eventually(PATIENCE, looked).await);
    assert_eq!(world.get(&name).await.step, "open");
    assert_eq!(world.hub_state("east").await, HubState::Fenced);
    {
        let mut script = world.below.script();
        script.failing.clear();
        script.dead.clear();
    }
    let done = world.done(&name).await;
    assert_eq!(done.state(), TaskState::Succeeded, "{:#?}", done.history);
    assert!(done.report.unwrap().debts.is_empty());
}

#[tokio::test]
async fn a_quarantined_hub_is_called_back_when_nothing_else_is_left() {
    let (world, _) = forced().await;
    {
        let mut script = world.below.script();
        script.dead = ["west".to_owned()].into();
    }
    assert_eq!(refusal(&world, back("")).await, "PRECHECK_BLOCKED");
    let overriding = StartFailoverRequest {
        override_checks: true,
        ..back("")
    };
    let name = world.start(overriding).await.unwrap().name;
    let done = world.done(&name).await;
    assert_eq!(done.state(), TaskState::Succeeded, "{:#?}", done.history);
    let fleet = world.fleet().await;
    assert_eq!(fleet.active_hub, "east");
    let owing: Vec<_> = fleet.debts.iter().map(|debt| debt.hub.as_str()).collect();
    assert_eq!(owing, ["west", "west"], "who reigns owes nothing");
    assert_eq!(world.hub_state("west").await, HubState::Quarantined);
}
