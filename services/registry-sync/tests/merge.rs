//! What a merge compares and applies: differing keys, each written under the condition that it is
//! still as planned.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::hubs::{device, sas};
use common::{WEST_REIGNS, World, step};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::apply_result::Outcome;
use hubshift_hub::HubDevice;
use tonic::{Code, Status};
use uuid::Uuid;

/// East lost its reign to west, and what differs since then is known.
async fn world_after_failover() -> World {
    let world = World::start().await;
    world.east.create_many(6).await;
    world.pass(true).await;
    world.fail_over().await;
    world.open_registry().await;
    world
}

/// Scans both hubs afresh and streams what differs.
async fn divergence(world: &World) -> BTreeMap<String, pb::StreamDivergenceResponse> {
    let request = pb::StreamDivergenceRequest {
        fleet: "fleets/acme".into(),
        primary_hub: "east".into(),
        secondary_hub: "west".into(),
        primary_snapshot: world.scan("east").await.snapshot,
        secondary_snapshot: world.scan("west").await.snapshot,
    };
    let answer = world
        .replication
        .clone()
        .stream_divergence(request)
        .await
        .unwrap();
    let mut stream = answer.into_inner();
    let mut found = BTreeMap::new();
    while let Some(triple) = stream.message().await.unwrap() {
        found.insert(triple.device.clone(), triple);
    }
    found
}

/// The item that makes both hubs as one of the sides.
fn item(triple: &pb::StreamDivergenceResponse, merged: &Option<pb::SideState>) -> pb::ApplyItem {
    let print = |side: &Option<pb::SideState>| side.clone().unwrap_or_default().fingerprint;
    pb::ApplyItem {
        device: triple.device.clone(),
        merged: merged.clone(),
        primary_before: print(&triple.primary),
        secondary_before: print(&triple.secondary),
        item_id: Uuid::new_v4().to_string(),
    }
}

async fn apply(world: &World, items: Vec<pb::ApplyItem>) -> Result<Vec<pb::ApplyResult>, Status> {
    apply_as(world, items, 1).await
}

async fn apply_as(
    world: &World,
    items: Vec<pb::ApplyItem>,
    lease_gen: i64,
) -> Result<Vec<pb::ApplyResult>, Status> {
    let request = pb::ApplyBatchRequest {
        fleet: "fleets/acme".into(),
        primary_hub: "east".into(),
        secondary_hub: "west".into(),
        items,
        context: Some(step(lease_gen, WEST_REIGNS)),
    };
    let answer = world.replication.clone().apply_batch(request).await?;
    Ok(answer.into_inner().results)
}

fn outcomes(results: &[pb::ApplyResult]) -> Vec<Outcome> {
    results.iter().map(pb::ApplyResult::outcome).collect()
}

/// The fingerprint of a device as the hub was last seen to hold it.
async fn observed_print(world: &World, hub: &str, device: &str) -> Option<Vec<u8>> {
    sqlx::query_scalar(
        "select fingerprint from registry.observed
          where hub_id = $1 and device_id = $2 and missing_count = 0",
    )
    .bind(hub)
    .bind(device)
    .fetch_optional(&world.admin)
    .await
    .unwrap()
}

/// Deletes through the authority, at the hub that is active.
async fn delete(world: &World, id: &str) {
    let request = pb::DeleteDeviceRequest {
        name: format!("fleets/acme/devices/{id}"),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    world.devices.clone().delete_device(request).await.unwrap();
}

async fn create_at_west(world: &World, id: &str) -> pb::Device {
    let request = pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: id.into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    world
        .devices
        .clone()
        .create_device(request)
        .await
        .unwrap()
        .into_inner()
}

fn same(a: Option<HubDevice>, b: Option<HubDevice>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            a.identity == b.identity && a.tags == b.tags && a.desired == b.desired
        }
        _ => false,
    }
}

#[tokio::test]
async fn only_what_differs_is_streamed_with_who_wrote_it() {
    let world = world_after_failover().await;
    world
        .east
        .change("d-000", |device| device.tags.clear())
        .await;
    world.east.create(&device("east-only", sas())).await;
    delete(&world, "d-001").await;
    let made = create_at_west(&world, "west-only").await;
    let found = divergence(&world).await;
    let ids: Vec<&str> = found.keys().map(String::as_str).collect();
    assert_eq!(ids, ["d-000", "d-001", "east-only", "west-only"]);

    let stamp = |side: &Option<pb::SideState>| {
        let stamp = side.clone().unwrap().stamp.unwrap();
        (stamp.epoch, stamp.sequence, stamp.origin)
    };
    let changed = &found["d-000"];
    assert_eq!(stamp(&changed.primary), (1024, 0, "east".into()));
    assert_eq!(stamp(&changed.secondary), stamp(&changed.base));
    let deleted = &found["d-001"];
    let dead = deleted.secondary.clone().unwrap();
    assert!(dead.is_dead && dead.record.is_none());
    assert!(deleted.primary.clone().unwrap().record.is_some());
    let new = &found["west-only"];
    assert_eq!(
        stamp(&new.secondary),
        (made.epoch, made.sequence, "west".into())
    );
    assert_eq!(new.primary.clone().unwrap(), pb::SideState::default());
    let record = new.secondary.clone().unwrap().record.unwrap();
    assert!(!record.sealed_credential.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_deletion_that_was_lost_with_the_hub_is_known_to_be_its() {
    let world = World::start().await;
    world.east.create_many(2).await;
    world.pass(true).await;
    // Nothing gets to west any more.
    world.set_state("west", "provisioning").await;
    delete(&world, "d-001").await;
    assert!(world.west.get("d-001").await.is_some());
    world.fail_over().await;
    let found = divergence(&world).await;
    let triple = &found["d-001"];
    assert!(triple.primary.clone().unwrap().is_dead);
    assert!(triple.base.clone().unwrap().record.is_some());
    assert!(triple.secondary.clone().unwrap().record.is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_batch_makes_both_hubs_as_merged_and_the_base_says_so() {
    let world = world_after_failover().await;
    world
        .east
        .change("d-000", |device| device.tags.clear())
        .await;
    world
        .west
        .change("d-001", |device| device.identity.enabled = false)
        .await;
    delete(&world, "d-002").await;
    create_at_west(&world, "west-only").await;
    let found = divergence(&world).await;
    let items = vec![
        item(&found["d-000"], &found["d-000"].primary),
        item(&found["d-001"], &found["d-001"].secondary),
        item(&found["d-002"], &found["d-002"].secondary),
        item(&found["west-only"], &found["west-only"].secondary),
    ];
    let first = apply(&world, items.clone()).await.unwrap();
    assert_eq!(outcomes(&first), [Outcome::Applied; 4], "{first:?}");
    for result in &first {
        let device = &result.device;
        let print = (!result.print.is_empty()).then(|| result.print.to_vec());
        for hub in ["east", "west"] {
            assert_eq!(
                observed_print(&world, hub, device).await,
                print,
                "{hub} {device}"
            );
        }
    }
    for id in ["d-000", "d-001", "d-002", "west-only"] {
        assert!(
            same(world.east.get(id).await, world.west.get(id).await),
            "{id}"
        );
    }
    assert!(world.east.get("d-002").await.is_none());
    assert!(world.west.get("d-000").await.unwrap().tags.is_empty());
    let writes = world.east.writes() + world.west.writes();
    let second = apply(&world, items).await.unwrap();
    assert_eq!(outcomes(&second), [Outcome::Already; 4], "{second:?}");
    assert_eq!(world.east.writes() + world.west.writes(), writes);
    let left = divergence(&world).await;
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(world.base_count("east").await, 6);
    world.stop().await;
}

#[tokio::test]
async fn what_changed_since_the_plan_is_stale_and_not_touched() {
    let world = world_after_failover().await;
    for id in ["d-000", "d-001"] {
        world.east.change(id, |device| device.tags.clear()).await;
    }
    let found = divergence(&world).await;
    world
        .west
        .change("d-000", |device| device.identity.enabled = false)
        .await;
    let items = vec![
        item(&found["d-000"], &found["d-000"].primary),
        item(&found["d-001"], &found["d-001"].primary),
    ];
    let results = apply(&world, items).await.unwrap();
    assert_eq!(outcomes(&results), [Outcome::Stale, Outcome::Applied]);
    assert!(results[0].detail.contains("west"), "{results:?}");
    let untouched = world.west.get("d-000").await.unwrap();
    assert!(!untouched.identity.enabled && !untouched.tags.is_empty());
    world.stop().await;
}

#[tokio::test]
async fn a_device_whose_deletion_may_have_happened_is_stale_and_its_tombstone_stays() {
    let world = world_after_failover().await;
    let hour = Duration::from_secs(3600);
    world.leave_deletion_open("d-000", hour).await;
    let found = divergence(&world).await;
    let living = item(&found["d-000"], &found["d-000"].secondary);
    let results = apply(&world, vec![living]).await.unwrap();
    assert_eq!(outcomes(&results), [Outcome::Stale], "{results:?}");
    assert_eq!(world.tombstones("d-000").await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_hold_disables_the_device_at_both_hubs_and_stays_beside_the_record() {
    let world = world_after_failover().await;
    world
        .east
        .change("d-000", |device| device.tags.clear())
        .await;
    let found = divergence(&world).await;
    let mut held = found["d-000"].primary.clone().unwrap();
    held.hold = "record@1".into();
    let results = apply(&world, vec![item(&found["d-000"], &Some(held))])
        .await
        .unwrap();
    assert_eq!(outcomes(&results), [Outcome::Applied], "{results:?}");
    assert!(!world.east.get("d-000").await.unwrap().identity.enabled);
    assert!(!world.west.get("d-000").await.unwrap().identity.enabled);
    let name = "fleets/acme/devices/d-000".to_owned();
    let shown = world
        .devices
        .clone()
        .get_device(pb::GetDeviceRequest { name })
        .await
        .unwrap();
    assert!(shown.into_inner().has_conflicts);
    let again = divergence(&world).await;
    let triple = &again["d-000"];
    let sides = [&triple.base, &triple.primary, &triple.secondary];
    for side in sides.map(|side| side.clone().unwrap()) {
        assert_eq!(side.hold, "record@1");
        assert!(
            side.record.unwrap().enabled,
            "the record beneath is as it was"
        );
    }
    world.stop().await;
}

#[tokio::test]
async fn an_overtaken_executor_and_an_unknown_snapshot_are_refused() {
    let world = world_after_failover().await;
    apply_as(&world, vec![], 2).await.unwrap();
    let overtaken = apply_as(&world, vec![], 1).await.unwrap_err();
    assert_eq!(overtaken.code(), Code::Aborted);
    assert_eq!(reason(&overtaken), "STALE_FENCE");
    let snapshot = world.scan("west").await.snapshot;
    let request = pb::StreamDivergenceRequest {
        fleet: "fleets/acme".into(),
        primary_hub: "east".into(),
        secondary_hub: "west".into(),
        primary_snapshot: snapshot.clone(),
        secondary_snapshot: snapshot,
    };
    let other = world
        .replication
        .clone()
        .stream_divergence(request)
        .await
        .unwrap_err();
    assert_eq!(other.code(), Code::NotFound);
    assert_eq!(reason(&other), "SNAPSHOT_NOT_FOUND");
    world.stop().await;
}
