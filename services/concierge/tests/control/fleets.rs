//! Fleets: created once, read, changed, acknowledged.

use hubshift_api::fault;
use hubshift_api::pb::concierge::{
    AcknowledgeEpochRequest, Fleet, ListFleetsRequest, UpdateFleetRequest, WatchFleetRequest,
};
use hubshift_api::pb::types::HubState;
use uuid::Uuid;

use crate::world::{World, new_fleet};

fn update(fleet: Fleet) -> UpdateFleetRequest {
    let request_id = Uuid::new_v4().to_string();
    UpdateFleetRequest {
        fleet: Some(fleet),
        update_mask: None,
        request_id,
    }
}

#[tokio::test]
async fn a_fleet_is_created_once_with_its_first_epoch() {
    let world = World::empty().await;
    let mut fleets = world.concierge.fleets.clone();
    let request = new_fleet("acme");
    let created = fleets
        .create_fleet(request.clone())
        .await
        .unwrap()
        .into_inner();
    assert_eq!((created.epoch, created.active_hub.as_str()), (1024, "east"));
    assert_eq!(created.hubs[0].state(), HubState::Active);
    let again = fleets.create_fleet(request).await.unwrap().into_inner();
    assert_eq!(again, created);

    let refused = fleets.create_fleet(new_fleet("acme")).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "FLEET_EXISTS");
    let mut thief = new_fleet("other");
    thief.fleet.as_mut().unwrap().hubs[1].host = "west.acme.test".into();
    let refused = fleets.create_fleet(thief).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "HUB_HOST_TAKEN");
    let listed = fleets
        .list_fleets(ListFleetsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        listed.fleets.len(),
        1,
        "a refused fleet left something behind"
    );
}

#[tokio::test]
async fn a_standby_becomes_ready_when_it_is_verified() {
    let world = World::empty().await;
    world
        .concierge
        .fleets
        .clone()
        .create_fleet(new_fleet("acme"))
        .await
        .unwrap();
    world.until_hub("west", HubState::Syncing).await;
    world.below.script().verify_epoch = 1024;
    world.until_hub("west", HubState::Ready).await;
}

#[tokio::test]
async fn pages_of_fleets_follow_each_other() {
    let world = World::empty().await;
    let mut fleets = world.concierge.fleets.clone();
    for fleet in ["a", "b", "c"] {
        fleets.create_fleet(new_fleet(fleet)).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut request = ListFleetsRequest {
        page_size: 2,
        ..Default::default()
    };
    loop {
        let page = fleets
            .list_fleets(request.clone())
            .await
            .unwrap()
            .into_inner();
        seen.extend(page.fleets.into_iter().map(|fleet| fleet.name));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, ["fleets/a", "fleets/b", "fleets/c"]);
    request.page_token = "nonsense".into();
    let refused = fleets.list_fleets(request).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "INVALID_REQUEST");
}

#[tokio::test]
async fn an_update_needs_the_etag_that_it_names() {
    let world = World::new().await;
    let mut fleets = world.concierge.fleets.clone();
    let before = world.fleet().await;
    let change = Fleet {
        name: "fleets/acme".into(),
        device_count: 5_000,
        etag: before.etag.clone(),
        ..Fleet::default()
    };
    let after = fleets
        .update_fleet(update(change.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((after.device_count, after.utilisation_percent), (5_000, 80));
    assert!(after.routing_version > before.routing_version && after.etag != before.etag);
    let refused = fleets.update_fleet(update(change)).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "ETAG_MISMATCH");
}

#[tokio::test]
async fn a_back_end_says_which_epoch_it_acts_on() {
    let world = World::new().await;
    let mut fleets = world.concierge.fleets.clone();
    let word = |epoch| AcknowledgeEpochRequest {
        name: "fleets/acme".into(),
        back_end: "orders".into(),
        epoch,
        request_id: Uuid::new_v4().to_string(),
    };
    fleets.acknowledge_epoch(word(1024)).await.unwrap();
    assert_eq!(world.fleet().await.back_ends[0].epoch, 1024);
    let refused = fleets.acknowledge_epoch(word(4711)).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "EPOCH_UNKNOWN");
}

#[tokio::test]
async fn a_watch_begins_with_the_fleet_and_tells_of_changes() {
    let world = World::new().await;
    let mut fleets = world.concierge.fleets.clone();
    let request = WatchFleetRequest {
        name: "fleets/acme".into(),
        back_end: "orders".into(),
        ..WatchFleetRequest::default()
    };
    let mut watch = fleets.watch_fleet(request).await.unwrap().into_inner();
    let first = watch.message().await.unwrap().unwrap();
    assert_eq!(first.fleet.unwrap().active_hub, "east");
    let change = Fleet {
        name: "fleets/acme".into(),
        display_name: "Acme".into(),
        ..Fleet::default()
    };
    fleets.update_fleet(update(change)).await.unwrap();
    loop {
        let next = watch.message().await.unwrap().unwrap();
        if next.fleet.is_some_and(|fleet| fleet.display_name == "Acme") {
            assert!(next.revision > first.revision);
            break;
        }
    }
}
