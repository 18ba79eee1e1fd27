//! What is no device: modules go along with their device, and nothing but a device is held at a hub.

use hubshift_api::pb::merge::{Choice, ConflictState};
use serde_json::json;

use crate::plans::diverged;
use crate::records::{absent, dead, live, tagged};
use crate::world::World;

/// As [`diverged`]: east changed `d-3`, which west deleted, and with it a module that nobody changed.
async fn with_a_held_device() -> World {
    let world = World::new().await;
    diverged(&world);
    let module = || tagged("east", "slot", 1);
    world.hubs.put("d-3/m", module(), module(), dead("west"));
    world
}

fn is_live_at_west(world: &World, key: &str) -> bool {
    let script = world.hubs.script();
    script.devices[key].secondary.side.live().is_some()
}

#[tokio::test]
async fn a_module_of_a_held_device_waits_and_comes_back_with_it() {
    let world = with_a_held_device().await;
    let plan = world.plan().await;
    world.close(&plan).await;
    {
        let script = world.hubs.script();
        let touched = script.writes.iter().any(|(key, _)| key == "d-3/m");
        assert!(!touched, "{:?}", script.writes);
        assert!(script.devices["d-3/m"].primary.side.live().is_some());
    }
    let conflicts = world.conflicts(&plan).await;
    assert!(conflicts.iter().all(|conflict| conflict.key != "d-3/m"));
    let held = conflicts.iter().find(|conflict| conflict.key == "d-3");
    world.resolve(held.unwrap(), Choice::Primary).await.unwrap();
    assert!(is_live_at_west(&world, "d-3") && is_live_at_west(&world, "d-3/m"));
    world
        .resolve(held.unwrap(), Choice::Secondary)
        .await
        .unwrap();
    assert!(!is_live_at_west(&world, "d-3/m"));
}

#[tokio::test]
async fn what_is_decided_of_a_device_before_the_merge_is_decided_of_its_modules() {
    let world = with_a_held_device().await;
    let plan = world.plan().await;
    let conflicts = world.conflicts(&plan).await;
    let held = conflicts
        .iter()
        .find(|conflict| conflict.state() == ConflictState::Held);
    world.resolve(held.unwrap(), Choice::Primary).await.unwrap();
    let reviewed = world.get(&plan.name).await;
    world.close(&reviewed).await;
    assert!(is_live_at_west(&world, "d-3") && is_live_at_west(&world, "d-3/m"));
}

#[tokio::test]
async fn a_module_of_a_disabled_device_stops_no_merge_and_what_it_loses_is_logged() {
    let world = World::new().await;
    let disabled = |hub: &str| live(hub, 1, |live| live.record.enabled = false);
    world
        .hubs
        .put("d-5", disabled("east"), disabled("east"), disabled("east"));
    world.hubs.put(
        "d-5/m",
        tagged("east", "slot", 1),
        tagged("east", "slot", 2),
        tagged("east", "slot", 1),
    );
    let plan = world.plan().await;
    world.close(&plan).await;
    assert!(world.hubs.script().writes.is_empty());
    let conflicts = world.conflicts(&plan).await;
    let [lost] = conflicts.as_slice() else {
        panic!("one row, and not {conflicts:?}")
    };
    assert_eq!(
        (lost.key.as_str(), lost.kind.as_str(), lost.state()),
        ("d-5/m", "late_change", ConflictState::Auto)
    );
    assert_eq!(world.status().await.open_hold_count, 0);
}

#[tokio::test]
async fn a_configuration_that_a_hub_deleted_is_not_made_there_again_before_somebody_decides() {
    let world = World::new().await;
    let key = "/configurations/site-7";
    world.hubs.put(
        key,
        tagged("east", "priority", 1),
        tagged("east", "priority", 2),
        dead("west"),
    );
    world
        .hubs
        .put("d-2", absent(), tagged("east", "owner", "east"), absent());
    let plan = world.plan().await;
    let blocker = format!("{key} stays different until its conflicts are decided");
    assert!(plan.blockers.contains(&blocker), "{:?}", plan.blockers);
    let conflicts = world.conflicts(&plan).await;
    let held = conflicts.iter().find(|conflict| conflict.key == key);
    world
        .resolve(held.unwrap(), Choice::Secondary)
        .await
        .unwrap();
    let closed = world.close(&world.get(&plan.name).await).await;
    assert_eq!(closed.primary_digest, closed.secondary_digest);
    let script = world.hubs.script();
    let made = script.writes.contains(&(key.to_owned(), "west"));
    assert!(!made, "{:?}", script.writes);
    assert!(script.devices[key].primary.side.tombstone().is_some());
    let owner = &script.devices["d-2"].secondary.side.live().unwrap().record;
    assert_eq!(owner.tags["owner"], json!("east"));
}
