//! What a device claims, and what it can prove: a number moves nothing, our signature does.

use hubshift_domain::route::{self, PrivateKey};

use super::*;

/// What is served, by either door.
async fn served(world: &World) -> (u64, String) {
    let body: Value = world
        .get("/v1/fleets/acme/endpoint")
        .await
        .json()
        .await
        .unwrap();
    let route = body["route"].as_str().unwrap().to_owned();
    let keys = KeySet::new([key().public()]);
    (keys.verify(&route).unwrap().epoch.0, route)
}

async fn over_http(world: &World, route: &str) -> Result<u64, String> {
    let answer = world
        .http
        .post(format!("{}/v1/fleets/acme/route", world.url))
        .header("content-type", "application/json")
        .body(json!({ "route": route }).to_string())
        .send()
        .await
        .unwrap();
    let is_taken = answer.status() == StatusCode::OK;
    let body: Value = answer.json().await.unwrap();
    if is_taken {
        Ok(body["epoch"].as_u64().unwrap())
    } else {
        Err(body["reason"].as_str().unwrap().to_owned())
    }
}

async fn over_grpc(world: &World, route: &str) -> Result<u64, String> {
    let mut client = EndpointServiceClient::new(world.channel());
    let request = PresentRouteRequest {
        fleet: "fleets/acme".into(),
        route: route.into(),
    };
    let answer = client.present_route(request).await;
    answer
        .map(|answer| answer.into_inner().epoch)
        .map_err(|status| fault::reason(&status))
}

#[tokio::test]
async fn an_epoch_that_is_merely_claimed_moves_nothing() {
    let world = World::from_disk().await;
    let (before, revision) = (served(&world).await, world.state.table.load().revision);
    let path = format!("/v1/fleets/acme/endpoint?device=d-1&epoch={}", u64::MAX);
    assert_eq!(world.get(&path).await.status(), StatusCode::OK);
    let mut client = EndpointServiceClient::new(world.channel());
    let request = GetEndpointRequest {
        fleet: "fleets/acme".into(),
        device: "d-1".into(),
        known_epoch: u64::MAX,
        attached_hub: "west".into(),
        ..GetEndpointRequest::default()
    };
    let answer = client.get_endpoint(request).await.unwrap().into_inner();
    assert_eq!(answer.route, before.1);
    assert_eq!(served(&world).await, before);
    assert_eq!(world.state.table.load().revision, revision);
    drop(client);
    world.finish().await;
}

/// Higher epochs all of them, and none with our signature over it.
fn forgeries() -> Vec<(&'static str, String)> {
    let newer = entry("acme", 2049, 2);
    let taken_out = PrivateKey::from_seed(&[3; 32]);
    let under = |claims, key: &PrivateKey| route::sign(claims, key).unwrap();
    let parts = |token: &str| -> Vec<String> { token.split('.').map(str::to_owned).collect() };
    let (ours, theirs) = (
        parts(&entry("acme", 1024, 1).jws),
        parts(&under(&newer.claims, &taken_out)),
    );
    vec![
        ("another key", under(&newer.claims, &taken_out)),
        (
            "our signature over something else",
            [&*ours[0], &theirs[1], &ours[2]].join("."),
        ),
        (
            "our key's name over another signature",
            [&*ours[0], &theirs[1], &theirs[2]].join("."),
        ),
        ("another fleet", entry("other", 2049, 2).jws.to_string()),
        (
            "a key set",
            KeySet::new([key().public()]).sign(&key()).unwrap(),
        ),
        ("nothing", String::new()),
        ("a number", "2049".to_owned()),
        ("too much", format!("{}{}", newer.jws, "A".repeat(8 * 1024))),
    ]
}

#[tokio::test]
async fn what_we_did_not_sign_moves_nothing_by_either_door() {
    let world = World::from_disk().await;
    let before = served(&world).await;
    for (what, token) in forgeries() {
        let refused = Err("ROUTE_INVALID".to_owned());
        assert_eq!(over_http(&world, &token).await, refused, "{what}");
        assert_eq!(over_grpc(&world, &token).await, refused, "{what}");
        assert_eq!(served(&world).await, before, "{what}");
    }
    world.finish().await;
}

/// `not_after` is advice to devices: a signature does not lose its force as evidence with it. All
/// routes of the fixtures ended in 1970.
#[tokio::test]
async fn a_route_that_is_over_proves_its_epoch_and_lowers_none() {
    let world = World::from_disk().await;
    let older = entry("acme", 1024, 1).jws;
    let newer = entry("acme", 2049, 2).jws;
    assert_eq!(over_grpc(&world, &newer).await, Ok(2049));
    assert_eq!(over_http(&world, &older).await, Ok(2049));
    assert_eq!(served(&world).await, (2049, newer.to_string()));
    world.finish().await;
}
