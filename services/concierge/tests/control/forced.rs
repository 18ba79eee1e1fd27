//! Moves away from a hub that is gone: the acknowledged loss, the debts, and their payment.

use hubshift_api::fault;
use hubshift_api::pb::concierge::FailoverKind;
use hubshift_api::pb::merge::MergeState;
use hubshift_api::pb::types::{HubState, RegistryMode, TaskState};
use hubshift_testkit::eventually;

use crate::world::{PATIENCE, World, order, succeeded};

pub(crate) async fn dead_east() -> World {
    let world = World::new().await;
    world.below.script().dead.insert("east".into());
    world.below.script().staleness = 36.4;
    world
}

#[tokio::test]
async fn a_loss_must_be_acknowledged() {
    let world = dead_east().await;
    let mut request = order(FailoverKind::Forced);
    let refused = world.start(request.clone()).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "LOSS_NOT_ACKNOWLEDGED");
    let bound = "up to 37 s of registry changes made past Hubshift, plus 0 known pending writes";
    assert!(refused.message().contains(bound), "{}", refused.message());

    request.validate_only = true;
    let plan = world.start(request.clone()).await.unwrap().plan.unwrap();
    assert_eq!(plan.loss_bound, bound);
    request.validate_only = false;
    request.acknowledge_loss_bound = plan.loss_bound;
    let name = world.start(request).await.unwrap().name;
    assert_eq!(world.done(&name).await.state(), TaskState::Succeeded);
}

pub(crate) async fn forced() -> (World, String) {
    let world = dead_east().await;
    let mut request = order(FailoverKind::Forced);
    request.acknowledge_loss_bound = "any".into();
    let name = world.start(request).await.unwrap().name;
    world.done(&name).await;
    (world, name)
}

#[tokio::test]
async fn a_forced_move_leaves_the_source_quarantined_and_owing() {
    let (world, name) = forced().await;
    let failover = world.get(&name).await;
    assert_eq!(
        failover.state(),
        TaskState::Succeeded,
        "{:#?}",
        failover.history
    );
    assert_eq!(succeeded(&failover), failover.plan.as_ref().unwrap().steps);
    let report = failover.report.unwrap();
    assert!(report.rpo_window_open && report.rpo_bound_seconds > 0.0);
    assert_eq!(report.debts, ["FENCE_REQUIRED east", "MERGE_REQUIRED east"]);
    let fleet = world.fleet().await;
    assert_eq!((fleet.active_hub.as_str(), fleet.epoch % 1024), ("west", 1));
    assert_eq!(fleet.registry_mode(), RegistryMode::Open);
    assert_eq!(world.hub_state("east").await, HubState::Quarantined);

    let mut home = order(FailoverKind::Failback);
    (home.expected_active_hub, home.target_hub) = ("west".into(), "east".into());
    world.below.script().dead.clear();
    let refused = world.start(home).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED");
    assert!(
        refused.message().contains("MERGE_REQUIRED"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_dead_standby_is_no_target_unless_overridden() {
    let world = dead_east().await;
    world.below.script().dead.insert("west".into());
    let mut request = order(FailoverKind::Forced);
    request.acknowledge_loss_bound = "any".into();
    let refused = world.start(request.clone()).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED");
    request.override_checks = true;
    request.request_id = uuid::Uuid::new_v4().to_string();
    let name = world.start(request).await.unwrap().name;
    assert_eq!(world.done(&name).await.state(), TaskState::Succeeded);
}

#[tokio::test]
async fn a_closed_merge_pays_and_the_hub_becomes_a_standby_again() {
    let (world, _) = forced().await;
    let epoch = world.fleet().await.epoch;
    {
        let mut script = world.below.script();
        script.dead.clear();
        script.merge.active_merge = "fleets/acme/merges/1".into();
        script.merge.rewound = true;
        script.merge.active_state = MergeState::Planned.into();
    }
    world.until_hub("east", HubState::Rewound).await;
    world.below.script().merge.active_state = MergeState::Applying.into();
    world.until_hub("east", HubState::Merging).await;
    {
        let mut script = world.below.script();
        script.merge.active_merge.clear();
        script.merge.closed_merge = "fleets/acme/merges/1".into();
        script.merge.closed_epoch = epoch;
    }
    world.until_hub("east", HubState::Syncing).await;
    let paid = || async { world.fleet().await.debts.is_empty() };
    assert!(eventually(PATIENCE, paid).await);
    world.below.script().verify_epoch = epoch;
    world.until_hub("east", HubState::Ready).await;
}

#[tokio::test]
async fn a_merge_from_before_the_loss_pays_nothing() {
    let (world, _) = forced().await;
    let epoch = world.fleet().await.epoch;
    {
        let mut script = world.below.script();
        script.merge.closed_merge = "fleets/acme/merges/0".into();
        script.merge.closed_epoch = epoch - 1;
        script.merge.active_merge = "fleets/acme/merges/1".into();
        script.merge.active_state = MergeState::Applying.into();
    }
    // The reconcilers have looked when the hub follows the merge that is active.
    world.until_hub("east", HubState::Merging).await;
    assert_eq!(world.fleet().await.debts.len(), 2);
}
