//! An approved plan is applied, each key under its condition, whatever happens meanwhile.

use std::collections::BTreeMap;

use hubshift_api::fault;
use hubshift_api::json::from_value;
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::{Choice, ConflictState, MergeState};
use hubshift_testkit::eventually;
use serde_json::json;

use crate::plans::diverged;
use crate::records::{absent, dead, live, tagged};
use crate::world::{EPOCH, PATIENCE, World};

#[tokio::test]
async fn an_applied_plan_closes_with_equal_hubs_and_undecided_devices_held() {
    let world = World::new().await;
    diverged(&world);
    let closed = world.close(&world.plan().await).await;
    assert_eq!(closed.counts.unwrap().applied_count, 3);
    assert!(!closed.primary_digest.is_empty());
    assert_eq!(closed.primary_digest, closed.secondary_digest);
    let status = world.status().await;
    assert_eq!((status.open_hold_count, status.closed_epoch), (1, EPOCH));
    assert_eq!(
        (status.active_merge.as_str(), status.closed_merge),
        ("", closed.name)
    );
    let script = world.hubs.script();
    let held = script.devices["d-3"].secondary.side.live().unwrap();
    assert!(held.record.enabled && !held.is_effectively_enabled());
    assert_eq!(
        script.devices["d-2"].secondary.credential,
        "sealed-canary-4711-1"
    );
    let context = &script.contexts[0];
    assert_eq!((context.epoch, context.step.as_str()), (EPOCH, "apply"));
}

#[tokio::test]
async fn a_service_that_is_stopped_between_batches_goes_on_and_writes_nothing_twice() {
    let mut world = World::new().await;
    for number in 0..250 {
        let made = tagged("east", "owner", "east");
        world
            .hubs
            .put(&format!("d-{number:03}"), absent(), made, absent());
    }
    world.hubs.script().batches_left = Some(1);
    let plan = world.plan().await;
    world.apply(&plan).await.unwrap();
    let begun = eventually(PATIENCE, || async {
        let applied = world.get(&plan.name).await.counts.unwrap().applied_count;
        applied > 0 && world.hubs.script().batches_left == Some(0)
    })
    .await;
    assert!(begun, "no batch was applied");
    world.replace_service().await;
    world.hubs.script().batches_left = None;
    let closed = world.until(&plan.name, MergeState::Closed).await;
    assert_eq!(closed.counts.unwrap().applied_count, 250);
    let mut written = BTreeMap::new();
    for (device, hub) in &world.hubs.script().writes {
        *written.entry((device.clone(), *hub)).or_insert(0) += 1;
    }
    assert_eq!(written.len(), 250);
    assert!(written.values().all(|times| *times == 1), "{written:?}");
}

#[tokio::test]
async fn an_outcome_that_is_not_known_is_asked_for_again() {
    let world = World::new().await;
    diverged(&world);
    world.hubs.script().batch_size = Some(1);
    let closed = world.close(&world.plan().await).await;
    assert_eq!(closed.counts.unwrap().applied_count, 3);
}

#[tokio::test]
async fn a_device_that_moved_meanwhile_is_planned_again_with_the_decisions_that_were_made() {
    let world = World::new().await;
    diverged(&world);
    let plan = world.plan().await;
    let conflicts = world.conflicts(&plan).await;
    let owner = conflicts
        .iter()
        .find(|conflict| conflict.path == "tags.owner")
        .unwrap();
    world.resolve(owner, Choice::Primary).await.unwrap();
    let moved = live("west", 1, |live| {
        live.record.tags.insert("owner".into(), json!("west"));
        live.record.tags.insert("floor".into(), json!(3));
    });
    world.hubs.script().surprise = Some(("d-1".to_owned(), moved));
    let reviewed = world.get(&plan.name).await;
    let closed = world.close(&reviewed).await;
    assert_eq!(closed.plan_id, reviewed.plan_id);
    {
        let script = world.hubs.script();
        let merged = script.devices["d-1"].secondary.side.live().unwrap();
        assert_eq!(merged.record.tags["owner"], json!("east"));
        assert_eq!(merged.record.tags["floor"], json!(3));
    }
    let decided = owners(&world, &closed).await;
    assert_eq!(decided.len(), 1);
    assert_eq!(
        (decided[0].state(), decided[0].resolver.as_str()),
        (ConflictState::Resolved, "ada")
    );
}

/// The conflicts about the owner of `d-1`.
async fn owners(world: &World, merge: &pb::Merge) -> Vec<pb::Conflict> {
    let mut conflicts = world.conflicts(merge).await;
    conflicts.retain(|conflict| conflict.path == "tags.owner");
    conflicts
}

/// East takes the merged record, and then west is found to have moved.
fn half_apply(world: &World) {
    let moved = live("west", 1, |live| {
        live.record.tags.insert("owner".into(), json!("west"));
        live.record.tags.insert("floor".into(), json!(3));
    });
    world.hubs.script().overtaken = Some(("d-1".to_owned(), moved));
}

#[tokio::test]
async fn what_was_written_over_before_a_device_moved_stays_in_the_log() {
    let world = World::new().await;
    diverged(&world);
    half_apply(&world);
    let closed = world.close(&world.plan().await).await;
    let kept = owners(&world, &closed).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(from_value(kept[0].primary.as_ref().unwrap()), json!("east"));
    let refused = world.resolve(&kept[0], Choice::Primary).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "CONFLICT_STALE");
}

#[tokio::test]
async fn what_was_written_over_stays_in_the_log_of_a_merge_that_failed() {
    let world = World::new().await;
    diverged(&world);
    half_apply(&world);
    world.hubs.script().refused.insert("d-2".to_owned());
    let plan = world.plan().await;
    world.apply(&plan).await.unwrap();
    let failed = world.until(&plan.name, MergeState::Failed).await;
    let kept = owners(&world, &failed).await;
    assert_eq!(from_value(kept[0].primary.as_ref().unwrap()), json!("east"));
}

#[tokio::test]
async fn a_decision_falls_when_what_it_was_about_changes() {
    let world = World::new().await;
    diverged(&world);
    let plan = world.plan().await;
    let conflicts = world.conflicts(&plan).await;
    let owner = conflicts
        .iter()
        .find(|conflict| conflict.path == "tags.owner")
        .unwrap();
    world.resolve(owner, Choice::Primary).await.unwrap();
    let moved = tagged("west", "owner", "somebody new");
    world.hubs.script().surprise = Some(("d-1".to_owned(), moved));
    let closed = world.close(&world.get(&plan.name).await).await;
    {
        let script = world.hubs.script();
        let merged = script.devices["d-1"].primary.side.live().unwrap();
        assert_eq!(merged.record.tags["owner"], json!("somebody new"));
    }
    let conflicts = world.conflicts(&closed).await;
    let owner = conflicts
        .iter()
        .find(|conflict| conflict.path == "tags.owner" && conflict.state() == ConflictState::Auto)
        .unwrap();
    assert_eq!(
        (owner.chosen(), owner.resolver.as_str()),
        (Choice::Secondary, "")
    );
}

#[tokio::test]
async fn a_held_device_that_is_deleted_after_its_decision_waits_again() {
    let world = World::new().await;
    let held = |hub: &str, owner: &str| {
        live(hub, 1, |live| {
            live.hold = Some("record@1".to_owned());
            live.record.tags.insert("owner".into(), json!(owner));
        })
    };
    let nobody = || held("west", "nobody");
    world
        .hubs
        .put("d-1", nobody(), held("east", "east"), nobody());
    let plan = world.plan().await;
    let conflicts = world.conflicts(&plan).await;
    assert_eq!(conflicts[0].kind, "late_change");
    world.resolve(&conflicts[0], Choice::Primary).await.unwrap();
    world.hubs.script().surprise = Some(("d-1".to_owned(), dead("west")));
    let reviewed = world.get(&plan.name).await;
    world.apply(&reviewed).await.unwrap();
    let again = world.until(&plan.name, MergeState::Planned).await;
    assert_ne!(again.plan_id, reviewed.plan_id);
    assert!(world.hubs.script().writes.is_empty());
    let conflicts = world.conflicts(&again).await;
    let open = conflicts
        .iter()
        .find(|conflict| conflict.state() == ConflictState::Held)
        .unwrap();
    world.resolve(open, Choice::Secondary).await.unwrap();
    world.close(&world.get(&plan.name).await).await;
    let script = world.hubs.script();
    assert!(script.devices["d-1"].primary.side.tombstone().is_some());
}

#[tokio::test]
async fn a_refused_device_fails_the_merge_and_the_next_plan_starts_from_there() {
    let world = World::new().await;
    diverged(&world);
    world.hubs.script().refused.insert("d-2".to_owned());
    let plan = world.plan().await;
    world.apply(&plan).await.unwrap();
    let failed = world.until(&plan.name, MergeState::Failed).await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.reason, "ITEM_REJECTED");
    assert!(
        failure.message.contains("d-2 (the hub said no)"),
        "{}",
        failure.message
    );
    world.hubs.script().refused.clear();
    let plan = world.plan().await;
    // What was applied is equal; the held device stays in the comparison.
    assert_eq!(plan.counts.unwrap().differing_count, 2);
    world.close(&plan).await;
}

#[tokio::test]
async fn a_value_that_lost_is_restored_after_the_merge() {
    let world = World::new().await;
    diverged(&world);
    let plan = world.plan().await;
    world.close(&plan).await;
    let conflicts = world.conflicts(&plan).await;
    let owner = conflicts
        .iter()
        .find(|conflict| conflict.path == "tags.owner")
        .unwrap();
    let resolved = world.resolve(owner, Choice::Primary).await.unwrap();
    assert_eq!(
        (resolved.chosen(), resolved.state()),
        (Choice::Primary, ConflictState::Resolved)
    );
    {
        let script = world.hubs.script();
        let restored = script.devices["d-1"].secondary.side.live().unwrap();
        assert_eq!(restored.record.tags["owner"], json!("east"));
    }
    world
        .hubs
        .script()
        .devices
        .get_mut("d-1")
        .unwrap()
        .secondary = tagged("west", "owner", "somebody new");
    let refused = world.resolve(owner, Choice::Secondary).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "CONFLICT_STALE");
}

#[tokio::test]
async fn a_value_that_lost_in_a_record_of_both_sides_is_restored_too() {
    let world = World::new().await;
    let owned = |hub: &str, owner: &str, room: Option<u32>| {
        live(hub, 1, |live| {
            live.record.tags.insert("owner".into(), json!(owner));
            live.record
                .tags
                .extend(room.map(|room| ("room".into(), json!(room))));
        })
    };
    let base = owned("east", "nobody", None);
    let (east, west) = (owned("east", "east", Some(7)), owned("west", "west", None));
    world.hubs.put("d-1", base, east, west);
    let plan = world.plan().await;
    world.close(&plan).await;
    let tags = || {
        let script = world.hubs.script();
        let live = script.devices["d-1"].secondary.side.live().unwrap().clone();
        live.record.tags
    };
    // Neither hub's record: the one has the owner, the other the room.
    assert_eq!(
        (&tags()["owner"], &tags()["room"]),
        (&json!("west"), &json!(7))
    );
    let conflicts = world.conflicts(&plan).await;
    let [owner] = conflicts.as_slice() else {
        panic!("one conflict, and not {conflicts:?}");
    };
    world.resolve(owner, Choice::Primary).await.unwrap();
    assert_eq!(
        (&tags()["owner"], &tags()["room"]),
        (&json!("east"), &json!(7))
    );
    world.resolve(owner, Choice::Secondary).await.unwrap();
    assert_eq!(tags()["owner"], "west");
}

#[tokio::test]
async fn a_held_device_can_be_decided_after_the_merge() {
    let world = World::new().await;
    diverged(&world);
    let plan = world.plan().await;
    world.close(&plan).await;
    let conflicts = world.conflicts(&plan).await;
    let held = conflicts
        .iter()
        .find(|conflict| conflict.key == "d-3")
        .unwrap();
    assert_eq!(held.state(), ConflictState::Held);
    world.resolve(held, Choice::Primary).await.unwrap();
    {
        let script = world.hubs.script();
        let kept = script.devices["d-3"].secondary.side.live().unwrap();
        assert!(kept.is_effectively_enabled());
        assert_eq!(kept.record.tags["owner"], json!("east"));
    }
    assert_eq!(world.status().await.open_hold_count, 0);
    world.resolve(held, Choice::Secondary).await.unwrap();
    let script = world.hubs.script();
    assert!(script.devices["d-3"].primary.side.tombstone().is_some());
}

#[tokio::test]
async fn parents_are_applied_before_children_and_deleted_after_them() {
    let world = World::new().await;
    let child =
        |hub: &str, parent: &str| live(hub, 1, |live| live.record.parent = Some(parent.to_owned()));
    let edge = |hub: &str| live(hub, 1, |live| live.record.iot_edge = true);
    world
        .hubs
        .put("a-leaf", absent(), child("east", "b-edge"), absent());
    world.hubs.put("b-edge", absent(), edge("east"), absent());
    world
        .hubs
        .put("c-edge", edge("east"), edge("east"), dead("west"));
    world.hubs.put(
        "d-leaf",
        child("east", "c-edge"),
        child("east", "c-edge"),
        dead("west"),
    );
    world.close(&world.plan().await).await;
    let script = world.hubs.script();
    let order: Vec<&str> = script
        .writes
        .iter()
        .map(|(device, _)| device.as_str())
        .collect();
    assert_eq!(order, ["b-edge", "a-leaf", "d-leaf", "c-edge"]);
}
