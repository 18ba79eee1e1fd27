//! An epoch that the database does not know: no move commits below it but the one that recovers.

use hubshift_api::fault;
use hubshift_api::pb::concierge::FailoverKind;
use hubshift_api::pb::types::{HubState, RegistryMode, TaskState};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::Role;
use uuid::Uuid;

use crate::world::{PATIENCE, World, order};

/// A replica that is gone has served this epoch of the fleet.
async fn witness(world: &World, epoch: u64) {
    let admin = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query(
        "insert into concierge.epoch_witness
             (replica_id, fleet_id, epoch, routing_version, seen_time)
         values ('gone', 'acme', $1, 1, now() - interval '1 hour')",
    )
    .bind(i64::try_from(epoch).unwrap())
    .execute(&admin)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_move_that_stands_below_a_served_epoch_does_not_commit_but_the_recovery_does() {
    let world = World::new().await;
    world.below.script().held.insert("drain");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.until_step(&name, "drain").await;
    let before = world.fleet().await;
    let served = before.epoch + 4_096;
    witness(&world, served).await;
    world.below.script().held.clear();
    let failure = world.done(&name).await.failure.unwrap();
    assert_eq!(failure.reason, "EPOCH_FORGOTTEN");
    assert!(failure.message.contains("runbook"), "{}", failure.message);
    let after = world.fleet().await;
    assert_eq!(
        (after.epoch, after.active_hub.as_str()),
        (before.epoch, "east")
    );
    assert_eq!(after.registry_mode(), RegistryMode::Open);

    let is_told = || async { world.fleet().await.alerts == ["EPOCH_FORGOTTEN"] };
    assert!(eventually(PATIENCE, is_told).await);
    let mut recovery = order(FailoverKind::Forced);
    recovery.acknowledge_loss_bound = "any".into();
    let refused = world.start(recovery.clone()).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED");
    recovery.override_checks = true;
    recovery.request_id = Uuid::new_v4().to_string();
    let name = world.start(recovery).await.unwrap().name;
    let recovered = world.done(&name).await;
    assert_eq!(recovered.state(), TaskState::Succeeded, "{recovered:#?}");
    let fleet = world.fleet().await;
    assert!(fleet.epoch > served && fleet.epoch % 1024 == 1);
    let is_over = || async { world.fleet().await.alerts.is_empty() };
    assert!(eventually(PATIENCE, is_over).await);
}

#[tokio::test]
async fn a_forgotten_epoch_is_recovered_at_the_hub_where_the_devices_are() {
    let world = World::new().await;
    let mut stay = order(FailoverKind::Forced);
    stay.target_hub = "east".into();
    stay.acknowledge_loss_bound = "any".into();
    let refused = world.start(stay.clone()).await.unwrap_err();
    assert!(refused.message().contains("target_hub"), "{refused}");
    stay.override_checks = true;
    let refused = world.start(stay.clone()).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PRECHECK_BLOCKED", "{refused}");

    let served = world.fleet().await.epoch + 4_096;
    witness(&world, served).await;
    let is_told = || async { world.fleet().await.alerts == ["EPOCH_FORGOTTEN"] };
    assert!(eventually(PATIENCE, is_told).await);
    stay.request_id = Uuid::new_v4().to_string();
    let name = world.start(stay).await.unwrap().name;
    let recovered = world.done(&name).await;
    assert_eq!(recovered.state(), TaskState::Succeeded, "{recovered:#?}");
    let fleet = world.fleet().await;
    assert!(fleet.epoch > served && fleet.epoch % 1024 == 0);
    assert_eq!(fleet.active_hub, "east");
    // West may have reigned in what was forgotten.
    assert_eq!(world.hub_state("west").await, HubState::Quarantined);
    let owing: Vec<_> = fleet.debts.iter().map(|debt| debt.hub.as_str()).collect();
    assert_eq!(owing, ["west"]);
}
