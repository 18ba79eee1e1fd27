//! What is refused, each with its stable reason.

use hubshift_api::fault;
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::{Choice, MergeState};
use tonic::Code;
use uuid::Uuid;

use crate::world::{Service, World, request_id};

fn order(fleet: &str, hub: &str) -> pb::PlanMergeRequest {
    pb::PlanMergeRequest {
        fleet: format!("fleets/{fleet}"),
        recovered_hub: hub.to_owned(),
        request_id: request_id(),
        metadata_sources: vec![],
    }
}

#[tokio::test]
async fn a_merge_of_what_cannot_be_merged_is_refused() {
    let world = World::new().await;
    let mut merges = world.service.merges.clone();
    for (fleet, hub, reason) in [
        ("nobody", "east", "FLEET_NOT_FOUND"),
        ("acme", "north", "HUB_NOT_FOUND"),
        ("acme", "west", "HUB_NOT_QUARANTINED"),
        ("Acme", "east", "INVALID_REQUEST"),
    ] {
        let refused = merges.plan_merge(order(fleet, hub)).await.unwrap_err();
        assert_eq!(fault::reason(&refused), reason);
    }
    let mut bad = order("acme", "east");
    bad.metadata_sources = vec!["ftp://store".into()];
    let refused = merges.plan_merge(bad).await.unwrap_err();
    assert!(
        refused.message().contains("metadata_sources[0]"),
        "{}",
        refused.message()
    );
}

#[tokio::test]
async fn a_second_merge_is_refused_and_a_repeated_request_is_the_same_merge() {
    let world = World::new().await;
    world.hubs.script().scans_held = true;
    let mut merges = world.service.merges.clone();
    let first = order("acme", "east");
    let merge = merges.plan_merge(first.clone()).await.unwrap().into_inner();
    assert_eq!(
        merges
            .plan_merge(first.clone())
            .await
            .unwrap()
            .into_inner()
            .name,
        merge.name
    );
    let refused = merges.plan_merge(order("acme", "east")).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "MERGE_ACTIVE");
    let reused = pb::PlanMergeRequest {
        recovered_hub: "west".into(),
        ..first
    };
    let refused = merges.plan_merge(reused).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "REQUEST_ID_REUSED");
    let early = pb::Merge {
        plan_id: "00".into(),
        ..merge
    };
    let refused = world.apply(&early).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "PLAN_NOT_READY");
}

#[tokio::test]
async fn a_hub_that_does_not_answer_fails_the_merge_with_its_reason() {
    let world = World::new().await;
    world.hubs.script().scan_failure = Some("HUB_UNREACHABLE");
    let merge = world.start_plan().await.unwrap();
    let failed = world.until(&merge.name, MergeState::Failed).await;
    assert_eq!(failed.failure.unwrap().reason, "HUB_UNREACHABLE");
    assert_eq!(world.status().await.active_merge, "");
}

#[tokio::test]
async fn a_fleet_that_moved_ends_the_merge() {
    let world = World::new().await;
    let plan = world.plan().await;
    world
        .as_concierge(&["update authority.fleet set epoch = 3072"])
        .await;
    world.apply(&plan).await.unwrap();
    let failed = world.until(&plan.name, MergeState::Failed).await;
    assert_eq!(failed.failure.unwrap().reason, "EPOCH_MOVED");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::new().await;
    let name = format!("fleets/acme/merges/{}", Uuid::nil());
    let mut merges = world.service.merges.clone();
    let refused = merges
        .get_merge(pb::GetMergeRequest { name })
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "MERGE_NOT_FOUND");
    let name = format!("fleets/acme/conflicts/{}", Uuid::nil());
    let conflict = pb::Conflict {
        name,
        ..Default::default()
    };
    let refused = world.resolve(&conflict, Choice::Primary).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "CONFLICT_NOT_FOUND");
}

#[tokio::test]
async fn without_a_database_calls_say_so_and_the_service_lives() {
    let service = Service::start("postgres://merge@127.0.0.1:1/none", "http://127.0.0.1:1").await;
    let mut merges = service.merges.clone();
    let refused = merges.plan_merge(order("acme", "east")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(fault::reason(&refused), "DATABASE_UNAVAILABLE");
    service.stop().await;
}
