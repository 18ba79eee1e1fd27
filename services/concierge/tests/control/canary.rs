//! A few devices are told to be at the standby: while it is good for them, and no longer.

use hubshift_api::fault;
use hubshift_api::pb::concierge::{
    Canary, CanaryState, FailoverKind, Fleet, StartCanaryRequest, StopCanaryRequest,
    UpdateFleetRequest, Wave,
};
use hubshift_api::pb::types::{HubState, TaskState};
use hubshift_domain::route::{KeySet, RouteClaims};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::Role;
use tonic::Status;
use uuid::Uuid;

use crate::world::{PATIENCE, World, order};

/// A canary of the device `d-1` at west, for an hour.
fn canary(world_epoch: u64) -> StartCanaryRequest {
    StartCanaryRequest {
        name: "fleets/acme".into(),
        request_id: Uuid::new_v4().to_string(),
        expected_epoch: world_epoch,
        hub: "west".into(),
        devices: vec!["d-1".into()],
        ttl: Some(prost_types::Duration {
            seconds: 3_600,
            nanos: 0,
        }),
        ..StartCanaryRequest::default()
    }
}

async fn start(world: &World, request: StartCanaryRequest) -> Result<Fleet, Status> {
    let started = world.concierge.fleets.clone().start_canary(request).await;
    started.map(tonic::Response::into_inner)
}

async fn stop(world: &World, id: &str) -> Result<Fleet, Status> {
    let request = StopCanaryRequest {
        name: "fleets/acme".into(),
        request_id: Uuid::new_v4().to_string(),
        canary: id.to_owned(),
    };
    let stopped = world.concierge.fleets.clone().stop_canary(request).await;
    stopped.map(tonic::Response::into_inner)
}

/// What devices are told, verified as a device does.
async fn told(world: &World) -> RouteClaims {
    let url = format!("http://{}", world.concierge.running.public_addr);
    let keys = format!("{url}/.well-known/hubshift/keys");
    let keys = reqwest::get(keys).await.unwrap().bytes().await.unwrap();
    let keys = KeySet::from_json(&keys).unwrap();
    let answer = format!("{url}/v1/fleets/acme/endpoint");
    let answer = reqwest::get(answer).await.unwrap().bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    keys.verify(answer["route"].as_str().unwrap()).unwrap()
}

/// Waits until devices are told this hub for `d-1`; none: the active one.
async fn until_told(world: &World, hub: Option<&str>) {
    let is_told = || async {
        let route = told(world).await;
        let canary = route.canary_of("d-1");
        canary.map(|canary| canary.endpoint.hub.as_str()) == hub
    };
    assert!(
        eventually(PATIENCE, is_told).await,
        "{:?}",
        told(world).await
    );
}

async fn shown(world: &World) -> Canary {
    world.fleet().await.canary.unwrap()
}

/// Waits until the canary ended, and devices were told.
async fn until_ended(world: &World, cause: &str) {
    let has_ended = || async { shown(world).await.state() == CanaryState::Ended };
    assert!(
        eventually(PATIENCE, has_ended).await,
        "{:?}",
        shown(world).await
    );
    let canary = shown(world).await;
    assert_eq!(canary.end_cause, cause);
    assert!(canary.end_time.is_some());
    until_told(world, None).await;
}

#[tokio::test]
async fn devices_of_the_cohort_are_told_until_an_operator_stops_it() {
    let world = World::new().await;
    let before = world.fleet().await;
    let request = canary(before.epoch);
    let fleet = start(&world, request.clone()).await.unwrap();
    let running = fleet.canary.clone().unwrap();
    assert_eq!(
        (running.state(), running.hub.as_str(), running.device_count),
        (CanaryState::Running, "west", 1)
    );
    assert!(fleet.routing_version > before.routing_version);
    until_told(&world, Some("west")).await;
    let route = told(&world).await;
    assert!(route.canary_of("d-2").is_none());
    assert_eq!(route.active().unwrap().hub.as_str(), "east");
    assert_eq!(route.canary().unwrap().life().as_secs(), 3_600);
    assert_eq!(route.epoch.0, before.epoch, "attachment, never authority");

    let again = start(&world, request).await.unwrap();
    assert_eq!(again, fleet, "a repeated request has no second effect");
    let refused = start(&world, canary(before.epoch)).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "CANARY_RUNNING");

    let other = stop(&world, &Uuid::nil().to_string()).await.unwrap_err();
    assert_eq!(fault::reason(&other), "CANARY_NOT_RUNNING");
    let fleet = stop(&world, &running.canary).await.unwrap();
    assert_eq!(fleet.canary.unwrap().end_cause, "STOPPED");
    until_told(&world, None).await;
    let refused = stop(&world, "").await.unwrap_err();
    assert_eq!(fault::reason(&refused), "CANARY_NOT_RUNNING");
    assert_eq!(world.hub_state("west").await, HubState::Ready);
}

#[tokio::test]
async fn its_time_is_over_without_a_word_from_anybody() {
    let world = World::new().await;
    let mut short = canary(world.fleet().await.epoch);
    short.ttl = Some(prost_types::Duration {
        seconds: 1,
        nanos: 0,
    });
    start(&world, short).await.unwrap();
    until_ended(&world, "EXPIRED").await;
    start(&world, canary(world.fleet().await.epoch))
        .await
        .unwrap();
    until_told(&world, Some("west")).await;
}

#[tokio::test]
async fn a_hub_that_is_not_ready_any_more_ends_it() {
    let world = World::new().await;
    start(&world, canary(world.fleet().await.epoch))
        .await
        .unwrap();
    until_told(&world, Some("west")).await;
    // West is not verified in this epoch any more, and stays so.
    world.below.script().verify_epoch = 0;
    let admin = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query("update authority.hub set state = 'syncing' where hub_id = 'west'")
        .execute(&admin)
        .await
        .unwrap();
    until_ended(&world, "HUB_NOT_READY").await;
    let refused = start(&world, canary(world.fleet().await.epoch)).await;
    assert_eq!(fault::reason(&refused.unwrap_err()), "HUB_NOT_READY");
}

#[tokio::test]
async fn a_failover_that_begins_ends_it_and_lets_none_begin() {
    let world = World::new().await;
    start(&world, canary(world.fleet().await.epoch))
        .await
        .unwrap();
    until_told(&world, Some("west")).await;
    world.below.script().held.insert("drain");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    until_ended(&world, "OPERATION_RUNNING").await;
    world.until_step(&name, "drain").await;
    let refused = start(&world, canary(world.fleet().await.epoch)).await;
    assert_eq!(fault::reason(&refused.unwrap_err()), "OPERATION_RUNNING");
    world.below.script().held.clear();
    assert_eq!(world.done(&name).await.state(), TaskState::Succeeded);
    assert!(told(&world).await.canary.is_none());
}

#[tokio::test]
async fn what_can_not_be_is_refused_and_changes_nothing() {
    let world = World::new().await;
    let before = world.fleet().await;
    let with = |change: &dyn Fn(&mut StartCanaryRequest)| {
        let mut request = canary(before.epoch);
        change(&mut request);
        request
    };
    for (request, reason) in [
        (
            with(&|request| request.expected_epoch += 1),
            "EPOCH_CHANGED",
        ),
        (
            with(&|request| request.hub = "east".into()),
            "HUB_NOT_READY",
        ),
        (
            with(&|request| request.hub = "north".into()),
            "HUB_NOT_FOUND",
        ),
        (with(&|request| request.percent = 5), "INVALID_REQUEST"),
        (
            with(&|request| request.name = "fleets/nobody".into()),
            "FLEET_NOT_FOUND",
        ),
    ] {
        let refused = start(&world, request).await.unwrap_err();
        assert_eq!(fault::reason(&refused), reason, "{refused}");
    }
    let after = world.fleet().await;
    assert_eq!(after.canary, None);
    assert_eq!(after.routing_version, before.routing_version);
}

#[tokio::test]
async fn waves_are_in_the_route_and_what_is_too_long_for_one_is_refused() {
    let world = World::new().await;
    let update = |waves: Vec<Wave>| UpdateFleetRequest {
        fleet: Some(Fleet {
            name: "fleets/acme".into(),
            waves,
            ..Fleet::default()
        }),
        update_mask: Some(prost_types::FieldMask {
            paths: vec!["waves".into()],
        }),
        request_id: Uuid::new_v4().to_string(),
    };
    let pumps = Wave {
        name: "pumps".into(),
        prefixes: vec!["pump-".into()],
        device_count: 100,
        ..Wave::default()
    };
    let mut fleets = world.concierge.fleets.clone();
    let changed = fleets.update_fleet(update(vec![pumps.clone()])).await;
    assert_eq!(changed.unwrap().into_inner().waves, [pumps]);
    let are_told = || async {
        let route = told(&world).await;
        let wave = route.admission.waves.of_device("pump-1");
        wave.is_some_and(|wave| wave.name.as_str() == "pumps")
    };
    assert!(eventually(PATIENCE, are_told).await);
    assert!(told(&world).await.slot("pump-1").as_millis() < 125);

    // Two hundred devices fit beside one wave, and not beside the largest ones.
    let mut listed = canary(world.fleet().await.epoch);
    listed.devices = (0..200).map(|at| format!("d-{at}")).collect();
    start(&world, listed).await.unwrap();
    let wave = |at: usize| Wave {
        name: format!("w{at}-{}", "x".repeat(60)),
        prefixes: (0..16).map(|number| format!("p{at}{number:02}")).collect(),
        device_count: 1,
        ..Wave::default()
    };
    let refused = fleets
        .update_fleet(update((0..8).map(wave).collect()))
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "ROUTE_TOO_LONG");
    assert_eq!(world.fleet().await.waves.len(), 1, "nothing has changed");
}
