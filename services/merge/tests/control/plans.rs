//! A plan changes nothing, says everything but secrets, and is named by what it depends on.

use hubshift_api::fault;
use hubshift_api::json::from_value;
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::{Choice, ConflictState, MergeState};
use serde_json::json;

use crate::records::{CANARY, absent, dead, live, tagged};
use crate::world::World;

/// Both hubs changed the tag of `d-1`; east alone made `d-2`; west deleted `d-3`, east changed it.
pub(crate) fn diverged(world: &World) {
    let hubs = &world.hubs;
    let base = || tagged("east", "owner", "nobody");
    hubs.put(
        "d-1",
        base(),
        tagged("east", "owner", "east"),
        tagged("west", "owner", "west"),
    );
    hubs.put("d-2", absent(), tagged("east", "owner", "east"), absent());
    hubs.put("d-3", base(), tagged("east", "owner", "east"), dead("west"));
}

#[tokio::test]
async fn a_plan_lists_conflicts_with_both_values_and_no_secret() {
    let world = World::new().await;
    diverged(&world);
    let key = |hub: &str, number| live(hub, number, |_| {});
    world
        .hubs
        .put("d-4", key("east", 1), key("east", 2), key("west", 3));
    let merge = world.plan().await;
    let counts = merge.counts.unwrap();
    assert_eq!(
        (counts.differing_count, counts.auto_count, counts.held_count),
        (4, 2, 1)
    );
    assert_eq!(
        (counts.secondary_create_count, counts.primary_update_count),
        (2, 3)
    );
    let conflicts = world.conflicts(&merge).await;
    let owner = conflicts
        .iter()
        .find(|conflict| conflict.path == "tags.owner")
        .unwrap();
    assert_eq!(
        (owner.key.as_str(), owner.kind.as_str()),
        ("d-1", "field_conflict")
    );
    let values = [&owner.base, &owner.primary, &owner.secondary];
    let values = values.map(|value| from_value(value.as_ref().unwrap()));
    assert_eq!(values, [json!("nobody"), json!("east"), json!("west")]);
    assert_eq!(
        (owner.chosen(), owner.state()),
        (Choice::Secondary, ConflictState::Auto)
    );
    let auth = conflicts
        .iter()
        .find(|conflict| conflict.key == "d-4")
        .unwrap();
    let fingerprint = from_value(auth.primary.as_ref().unwrap());
    assert_eq!(fingerprint["fingerprint"], json!("02".repeat(16)));
    assert!(!format!("{merge:?}{conflicts:?}").contains(CANARY));
    assert!(world.hubs.script().writes.is_empty());
}

#[tokio::test]
async fn the_same_facts_give_the_same_plan_and_a_new_plan_takes_its_place() {
    let world = World::new().await;
    diverged(&world);
    let first = world.plan().await;
    let second = world.plan().await;
    assert_eq!(first.plan_id, second.plan_id);
    assert_ne!(first.name, second.name);
    let first = world.until(&first.name, MergeState::Failed).await;
    assert_eq!(first.failure.unwrap().reason, "SUPERSEDED");
    world
        .hubs
        .put("d-9", absent(), tagged("east", "owner", "east"), absent());
    assert_ne!(world.plan().await.plan_id, second.plan_id);
}

#[tokio::test]
async fn a_decision_changes_the_plan_and_only_the_reviewed_plan_is_applied() {
    let world = World::new().await;
    diverged(&world);
    let plan = world.plan().await;
    let conflicts = world.conflicts(&plan).await;
    let held = conflicts
        .iter()
        .find(|conflict| conflict.state() == ConflictState::Held)
        .unwrap();
    assert_eq!(
        (held.key.as_str(), held.kind.as_str()),
        ("d-3", "delete_modify")
    );
    let resolved = world.resolve(held, Choice::Secondary).await.unwrap();
    assert_eq!(
        (resolved.state(), resolved.resolver.as_str()),
        (ConflictState::Resolved, "ada")
    );
    assert_eq!(resolved.name, held.name);
    let reviewed = world.get(&plan.name).await;
    assert_ne!(reviewed.plan_id, plan.plan_id);
    assert_eq!(reviewed.counts.unwrap().held_count, 0);
    let refused = world.apply(&plan).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PLAN_CHANGED");
    let closed = world.close(&reviewed).await;
    assert_eq!(closed.primary_digest, closed.secondary_digest);
    assert!(
        world.hubs.script().devices["d-3"]
            .primary
            .side
            .tombstone()
            .is_some()
    );
}

#[tokio::test]
async fn a_decision_can_be_taken_back_before_the_plan_is_applied() {
    let world = World::new().await;
    diverged(&world);
    let plan = world.plan().await;
    let conflicts = world.conflicts(&plan).await;
    let owner = conflicts
        .iter()
        .find(|conflict| conflict.path == "tags.owner")
        .unwrap();
    world.resolve(owner, Choice::Primary).await.unwrap();
    let with_east = world.get(&plan.name).await.plan_id;
    world.resolve(owner, Choice::Secondary).await.unwrap();
    let with_west = world.get(&plan.name).await;
    assert_ne!(with_east, with_west.plan_id);
    world.close(&with_west).await;
    let script = world.hubs.script();
    let merged = script.devices["d-1"].primary.side.live().unwrap();
    assert_eq!(merged.record.tags["owner"], json!("west"));
}

#[tokio::test]
async fn too_many_deletions_need_a_second_look() {
    let world = World::new().await;
    for number in 0..8 {
        let base = || tagged("east", "owner", "nobody");
        world
            .hubs
            .put(&format!("d-{number}"), base(), base(), dead("west"));
    }
    let plan = world.plan().await;
    assert!(
        plan.blockers[0].contains("mass_delete at east: 8 devices"),
        "{:?}",
        plan.blockers
    );
    let refused = world.apply(&plan).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "BREAKER_TRIPPED");
    override_breakers(&world, &plan).await;
    world.until(&plan.name, MergeState::Closed).await;
}

#[tokio::test]
async fn deletions_of_devices_do_not_hide_behind_the_number_of_modules() {
    let world = World::new().await;
    let base = || tagged("east", "owner", "nobody");
    for number in 0..8 {
        let device = format!("d-{number}");
        world.hubs.put(&device, base(), base(), dead("west"));
    }
    world.hubs.put("e", base(), base(), base());
    for number in 0..100 {
        let module = format!("e/m{number:02}");
        world.hubs.put(&module, base(), base(), base());
    }
    let plan = world.plan().await;
    let blocker = "mass_delete at east: 8 devices";
    assert!(plan.blockers[0].contains(blocker), "{:?}", plan.blockers);
}

async fn override_breakers(world: &World, plan: &pb::Merge) {
    let request = pb::ApplyMergeRequest {
        name: plan.name.clone(),
        plan_id: plan.plan_id.clone(),
        override_breakers: true,
        request_id: crate::world::request_id(),
    };
    let mut merges = world.service.merges.clone();
    merges.apply_merge(request).await.unwrap();
}

#[tokio::test]
async fn an_override_covers_no_more_deletions_than_were_seen() {
    let world = World::new().await;
    for number in 0..48 {
        let base = || tagged("east", "owner", "nobody");
        let secondary = if number < 8 { dead("west") } else { base() };
        world
            .hubs
            .put(&format!("d-{number:02}"), base(), base(), secondary);
    }
    let plan = world.plan().await;
    world.hubs.script().scans_held = true;
    override_breakers(&world, &plan).await;
    world.until(&plan.name, MergeState::Verifying).await;
    {
        let mut script = world.hubs.script();
        for known in script.devices.values_mut() {
            known.secondary = dead("west");
        }
        script.scans_held = false;
    }
    let again = world.until(&plan.name, MergeState::Planned).await;
    assert_ne!(again.plan_id, plan.plan_id);
    assert!(
        again.blockers[0].contains("mass_delete at east: 48 devices"),
        "{:?}",
        again.blockers
    );
    override_breakers(&world, &again).await;
    world.until(&plan.name, MergeState::Closed).await;
    let script = world.hubs.script();
    let mut devices = script.devices.values();
    assert!(devices.all(|known| known.primary.side.tombstone().is_some()));
}

#[tokio::test]
async fn conflicts_come_in_pages() {
    let world = World::new().await;
    for number in 0..5 {
        let east = tagged("east", "owner", "east");
        let base = tagged("east", "owner", "nobody");
        world.hubs.put(
            &format!("d-{number}"),
            base,
            east,
            tagged("west", "owner", "west"),
        );
    }
    world.plan().await;
    let mut keys = Vec::new();
    let mut page_token = String::new();
    loop {
        let parent = "fleets/acme".to_owned();
        let request = pb::ListConflictsRequest {
            parent,
            page_size: 2,
            page_token,
            ..Default::default()
        };
        let page = world
            .service
            .merges
            .clone()
            .list_conflicts(request)
            .await
            .unwrap();
        let page = page.into_inner();
        keys.extend(page.conflicts.into_iter().map(|conflict| conflict.key));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(keys, ["d-0", "d-1", "d-2", "d-3", "d-4"]);
}
