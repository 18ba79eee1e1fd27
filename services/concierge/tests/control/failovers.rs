//! Moves that must lose nothing: to the end, given up, stopped.

use hubshift_api::fault;
use hubshift_api::pb::concierge::{
    FailoverKind, ListFailoversRequest, RetryFailoverRequest, WatchFailoverRequest,
};
use hubshift_api::pb::types::{HubState, RegistryMode, TaskState};

use crate::world::{World, order, succeeded};

#[tokio::test]
async fn a_planned_move_runs_every_step_to_the_end() {
    let world = World::new().await;
    let before = world.fleet().await;
    let started = world.start(order(FailoverKind::Planned)).await.unwrap();
    assert_eq!(started.state(), TaskState::Running);
    let failover = world.done(&started.name).await;
    assert_eq!(
        failover.state(),
        TaskState::Succeeded,
        "{:#?}",
        failover.history
    );
    let plan = started.plan.unwrap();
    assert_eq!(succeeded(&failover), plan.steps);

    let fleet = world.fleet().await;
    assert_eq!(fleet.active_hub, "west");
    assert!(fleet.epoch > before.epoch && fleet.epoch % 1024 == 1);
    assert_eq!(fleet.epoch, plan.next_epoch);
    assert!(fleet.routing_version > before.routing_version);
    assert_eq!(fleet.registry_mode(), RegistryMode::Open);
    assert!(fleet.debts.is_empty());
    assert_eq!(world.hub_state("east").await, HubState::Ready);

    let report = failover.report.unwrap();
    assert_eq!((report.epoch, report.verified_count), (fleet.epoch, 7));
    assert_eq!((report.published_replicas, report.live_replicas), (1, 1));
    assert_eq!(
        (report.rpo_bound_seconds, report.rpo_window_open),
        (0.0, false)
    );
    assert!(report.control_plane.is_some() && report.registry_closed.is_some());
}

#[tokio::test]
async fn every_call_says_for_which_step_and_epoch_it_is() {
    let world = World::new().await;
    let from = world.fleet().await.epoch;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.done(&name).await;
    let to = world.fleet().await.epoch;
    let started = world.below.script().started.clone();
    assert!(!started.is_empty());
    let mut lease = 0;
    for (kind, _, context) in &started {
        assert_eq!(context.operation, name);
        let past = ["replay", "open", "reverse_sync"].contains(&context.step.as_str());
        assert_eq!(
            context.epoch,
            if past { to } else { from },
            "{kind} in {}",
            context.step
        );
        assert!(context.lease_gen >= lease, "the lease of {kind} went back");
        lease = context.lease_gen;
    }
}

#[tokio::test]
async fn the_move_back_goes_home() {
    let world = World::new().await;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.done(&name).await;
    let mut back = order(FailoverKind::Failback);
    (back.expected_active_hub, back.target_hub) = ("west".into(), "east".into());
    let name = world.start(back).await.unwrap().name;
    assert_eq!(world.done(&name).await.state(), TaskState::Succeeded);
    let fleet = world.fleet().await;
    assert_eq!((fleet.active_hub.as_str(), fleet.epoch % 1024), ("east", 0));
}

#[tokio::test]
async fn hubs_that_differ_end_the_move_and_nothing_has_changed() {
    let world = World::new().await;
    world.below.script().differing.insert("verify");
    let before = world.fleet().await;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    let failover = world.done(&name).await;
    let failure = failover.failure.unwrap();
    assert_eq!(
        (failover.state, failure.reason.as_str()),
        (4, "DIGEST_MISMATCH")
    );
    assert!(failure.message.contains("d-1"), "{}", failure.message);
    let after = world.fleet().await;
    assert_eq!(
        (after.epoch, after.active_hub.as_str()),
        (before.epoch, "east")
    );
    assert_eq!(after.registry_mode(), RegistryMode::Open);
    assert_eq!(world.hub_state("west").await, HubState::Ready);
    // The next one may start at once.
    world.below.script().differing.clear();
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    assert_eq!(world.done(&name).await.state(), TaskState::Succeeded);
}

#[tokio::test]
async fn a_task_that_gives_up_before_the_commit_ends_the_move() {
    let world = World::new().await;
    world.below.script().failing.insert("drain");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    let failure = world.done(&name).await.failure.unwrap();
    assert_eq!(failure.reason, "TASK_FAILED");
    assert!(failure.message.contains("HUB_GONE"), "{}", failure.message);
    assert_eq!(world.fleet().await.registry_mode(), RegistryMode::Open);
}

#[tokio::test]
async fn a_move_is_stopped_before_its_commit_and_the_registry_thaws() {
    let world = World::new().await;
    world.below.script().held.insert("drain");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.until_step(&name, "drain").await;
    assert_eq!(world.fleet().await.registry_mode(), RegistryMode::Frozen);
    world.cancel(&name).await.unwrap();
    let failover = world.done(&name).await;
    assert_eq!(failover.state(), TaskState::Cancelled);
    let fleet = world.fleet().await;
    assert_eq!(fleet.registry_mode(), RegistryMode::Open);
    assert_eq!(fleet.active_hub, "east");
}

#[tokio::test]
async fn past_the_commit_there_is_only_forward() {
    let world = World::new().await;
    world.below.script().held.insert("replay");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.until_step(&name, "replay").await;
    assert_eq!(world.fleet().await.registry_mode(), RegistryMode::Settling);
    let refused = world.cancel(&name).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PAST_POINT_OF_NO_RETURN");
    // A task that gives up is started anew.
    world.below.script().failing.insert("replay");
    world.below.script().held.clear();
    let twice = || async {
        let script = world.below.script();
        script
            .started
            .iter()
            .filter(|(kind, ..)| *kind == "replay")
            .count()
            > 1
    };
    assert!(hubshift_testkit::eventually(crate::world::PATIENCE, twice).await);
    world.below.script().failing.clear();
    assert_eq!(world.done(&name).await.state(), TaskState::Succeeded);
}

#[tokio::test]
async fn a_registry_does_not_open_before_every_acknowledged_write_is_repeated() {
    let world = World::new().await;
    world.below.script().pending = 1;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    let tried = || async {
        let script = world.below.script();
        let replays = script.started.iter().filter(|(kind, ..)| *kind == "replay");
        replays.count() >= 4
    };
    assert!(hubshift_testkit::eventually(crate::world::PATIENCE, tried).await);
    assert_eq!(world.get(&name).await.step, "replay");
    assert_eq!(world.fleet().await.registry_mode(), RegistryMode::Settling);
    world.below.script().pending = 0;
    let failover = world.done(&name).await;
    assert_eq!(failover.state(), TaskState::Succeeded);
    assert!(failover.report.unwrap().debts.is_empty());
}

#[tokio::test]
async fn writes_that_the_target_refuses_are_left_to_the_merge() {
    let world = World::new().await;
    world.below.script().refused = 1;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    let failover = world.done(&name).await;
    assert_eq!(failover.state(), TaskState::Succeeded);
    assert!(!succeeded(&failover).contains(&"reverse_sync"));
    assert_eq!(failover.report.unwrap().debts, ["MERGE_REQUIRED east"]);
    assert_eq!(world.hub_state("east").await, HubState::Quarantined);
    assert_eq!(world.fleet().await.registry_mode(), RegistryMode::Open);
}

#[tokio::test]
async fn what_changed_past_the_freeze_must_be_merged() {
    let world = World::new().await;
    world.below.script().differing.insert("open");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    let failover = world.done(&name).await;
    assert_eq!(failover.state(), TaskState::Succeeded);
    assert!(!succeeded(&failover).contains(&"reverse_sync"));
    let report = failover.report.unwrap();
    assert_eq!(report.late_change_count, 1);
    assert_eq!(report.debts, ["MERGE_REQUIRED east"]);
    assert_eq!(world.hub_state("east").await, HubState::Quarantined);
}

#[tokio::test]
async fn one_move_at_a_time_and_the_same_request_is_the_same_move() {
    let world = World::new().await;
    world.below.script().held.insert("drain");
    let first = order(FailoverKind::Planned);
    let name = world.start(first.clone()).await.unwrap().name;
    assert_eq!(world.start(first.clone()).await.unwrap().name, name);
    let refused = world.start(order(FailoverKind::Planned)).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "FAILOVER_ACTIVE");
    assert!(refused.message().contains(&name));
    let mut other_body = first;
    other_body.kind = FailoverKind::Failback.into();
    let refused = world.start(other_body).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn two_starts_at_once_give_one_move() {
    let world = World::new().await;
    world.below.script().held.insert("drain");
    let (one, other) = tokio::join!(
        world.start(order(FailoverKind::Planned)),
        world.start(order(FailoverKind::Planned))
    );
    let refused = [one.as_ref().err(), other.as_ref().err()];
    let refused: Vec<_> = refused.into_iter().flatten().map(fault::reason).collect();
    assert_eq!(refused, ["FAILOVER_ACTIVE"], "{one:?} {other:?}");
}

#[tokio::test]
async fn a_plan_says_what_will_happen_and_changes_nothing() {
    let world = World::new().await;
    let before = world.fleet().await;
    let mut request = order(FailoverKind::Planned);
    request.validate_only = true;
    let plan = world.start(request.clone()).await.unwrap().plan.unwrap();
    assert!(!plan.blocked && plan.fence == "none" && plan.loss_bound.is_empty());
    assert_eq!(plan.steps.len(), 14);
    world.below.script().dead.insert("east".into());
    let plan = world.start(request).await.unwrap().plan.unwrap();
    let blocks = plan
        .checks
        .iter()
        .filter(|check| check.verdict() as i32 == 3);
    assert_eq!(
        blocks.map(|check| check.check.as_str()).collect::<Vec<_>>(),
        ["source_answers"]
    );
    assert_eq!(world.fleet().await, before);
    let request = ListFailoversRequest {
        parent: "fleets/acme".into(),
        ..Default::default()
    };
    let listed = world
        .concierge
        .failovers
        .clone()
        .list_failovers(request)
        .await
        .unwrap();
    assert!(listed.into_inner().failovers.is_empty());
}

#[tokio::test]
async fn a_blocked_move_does_not_start() {
    let world = World::new().await;
    world.below.script().dead.insert("east".into());
    let refused = world.start(order(FailoverKind::Planned)).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED");
    assert!(
        refused.message().contains("source_answers"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_watch_ends_with_the_finished_move() {
    let world = World::new().await;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    let request = WatchFailoverRequest { name };
    let mut watch = world
        .concierge
        .failovers
        .clone()
        .watch_failover(request)
        .await
        .unwrap()
        .into_inner();
    let mut last = None;
    while let Some(seen) = watch.message().await.unwrap() {
        last = seen.failover;
    }
    let last = last.unwrap();
    assert!(last.done && last.state() == TaskState::Succeeded);
}

#[tokio::test]
async fn what_is_over_can_be_neither_hurried_nor_stopped() {
    let world = World::new().await;
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.done(&name).await;
    let request = RetryFailoverRequest {
        name: name.clone(),
        request_id: uuid::Uuid::new_v4().to_string(),
    };
    let refused = world
        .concierge
        .failovers
        .clone()
        .retry_failover(request)
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "FAILOVER_DONE");
    let refused = world.cancel(&name).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PAST_POINT_OF_NO_RETURN");
}
