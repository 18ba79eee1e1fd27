//! The public listener over a real connection, with no database anywhere.

mod evidence;

use hubshift_api::fault;
use hubshift_api::pb::concierge::endpoint_service_client::EndpointServiceClient;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::concierge::{GetEndpointRequest, GetFleetRequest, PresentRouteRequest};
use hubshift_domain::route::KeySet;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tonic::Code;

use crate::front::world::{World, header};
use crate::table::fixture::{entry, key};

#[tokio::test]
async fn devices_are_answered_from_disk_without_a_database() {
    let world = World::from_disk().await;
    let response = world.get("/v1/fleets/acme/endpoint").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "cache-control"), "public, max-age=30");
    assert_eq!(header(&response, "content-type"), "application/json");
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["stale"], true);
    assert_eq!(body["poll_after_ms"], 60_000);
    assert!(body.get("connect_after_ms").is_none());
    let keys = KeySet::new([key().public()]);
    let claims = keys.verify(body["route"].as_str().unwrap()).unwrap();
    assert_eq!(claims.active().unwrap().host, "east.example.net");
    world.finish().await;
}

#[tokio::test]
async fn a_device_gets_its_slot_and_is_counted() {
    let world = World::from_disk().await;
    world.state.adoption.make_room(&world.state.table.load());
    let path = "/v1/fleets/acme/endpoint?device=d-1&epoch=1024&hub=east&error=refused";
    let response = world.get(path).await;
    assert_eq!(header(&response, "cache-control"), "private, no-cache");
    let body: Value = response.json().await.unwrap();
    let expected = entry("acme", 1024, 1).claims.slot("d-1").as_millis();
    assert_eq!(
        body["connect_after_ms"].as_u64().map(u128::from),
        Some(expected)
    );
    let counts = world.state.adoption.counts(&entry("acme", 1024, 1));
    assert_eq!((counts.polling, counts.attached), (1, 1));
    world.finish().await;
}

#[tokio::test]
async fn an_answer_that_is_known_costs_no_body() {
    let world = World::from_disk().await;
    let etag = header(&world.get("/v1/fleets/acme/endpoint").await, "etag").to_owned();
    let ask = |tags: String| {
        let url = format!("{}/v1/fleets/acme/endpoint", world.url);
        world.http.get(url).header("if-none-match", tags).send()
    };
    for tags in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
        let response = ask(tags).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&response, "etag"), etag);
        assert!(response.bytes().await.unwrap().is_empty());
    }
    world.state.table.serve(vec![entry("acme", 2049, 2)]).await;
    assert_eq!(ask(etag).await.unwrap().status(), StatusCode::OK);
    world.finish().await;
}

#[tokio::test]
async fn every_malformed_part_is_named_at_once() {
    let world = World::from_disk().await;
    let path = "/v1/fleets/Acme/endpoint?device=a%20b&epoch=-1&hub=East";
    let response = world.get(path).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["reason"], "INVALID_REQUEST");
    let fields: Vec<_> = body["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["field"])
        .collect();
    assert_eq!(fields, ["fleet", "device", "hub", "epoch"]);
    world.finish().await;
}

#[tokio::test]
async fn an_unknown_fleet_is_told_from_a_concierge_that_has_not_heard_of_it_yet() {
    let world = World::from_disk().await;
    let response = world.get("/v1/fleets/other/endpoint").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, "retry-after"), "1");
    world.state.table.serve(vec![entry("acme", 1024, 1)]).await;
    let response = world.get("/v1/fleets/other/endpoint").await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        response.json::<Value>().await.unwrap()["reason"],
        "FLEET_NOT_FOUND"
    );
    assert_eq!(world.get("/healthz").await.status(), StatusCode::OK);
    world.finish().await;

    let world = World::start(tempfile::tempdir().unwrap());
    let response = world.get("/v1/fleets/acme/endpoint").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(header(&response, "retry-after"), "1");
    assert_eq!(
        response.json::<Value>().await.unwrap()["reason"],
        "NOT_READY"
    );
    assert_eq!(
        world.get("/readyz").await.status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    world.finish().await;
}

#[tokio::test]
async fn a_presented_route_is_served_from_then_on() {
    let world = World::from_disk().await;
    let url = format!("{}/v1/fleets/acme/route", world.url);
    let newer = entry("acme", 2049, 2).jws;
    let body = json!({"route": &*newer}).to_string();
    let post = |body: String| {
        world
            .http
            .post(&url)
            .header("content-type", "application/json")
            .body(body)
            .send()
    };
    let refused = post(json!({"route": "a.b.c"}).to_string()).await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(
        refused.json::<Value>().await.unwrap()["reason"],
        "ROUTE_INVALID"
    );
    let refused = post("{}".to_owned()).await.unwrap();
    assert_eq!(
        refused.json::<Value>().await.unwrap()["reason"],
        "INVALID_REQUEST"
    );
    let taken: Value = post(body).await.unwrap().json().await.unwrap();
    assert_eq!(taken["epoch"], 2049);
    let answer: Value = world
        .get("/v1/fleets/acme/endpoint")
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(answer["route"], *newer);
    world.finish().await;
}

#[tokio::test]
async fn a_number_alone_moves_nothing() {
    let world = World::from_disk().await;
    let path = "/v1/fleets/acme/endpoint?device=d-1&epoch=999999999";
    let body: Value = world.get(path).await.json().await.unwrap();
    assert_eq!(body["route"], *entry("acme", 1024, 1).jws);
    world.finish().await;
}

#[tokio::test]
async fn the_key_set_verifies_what_is_served() {
    let world = World::from_disk().await;
    let response = world.get("/.well-known/hubshift/keys").await;
    assert_eq!(
        header(&response, "content-type"),
        "application/jwk-set+json"
    );
    let keys = KeySet::from_json(&response.bytes().await.unwrap()).unwrap();
    assert!(keys.verify(&entry("acme", 1024, 1).jws).is_ok());
    world.finish().await;
}

#[tokio::test]
async fn grpc_gives_the_same_answer() {
    let world = World::from_disk().await;
    let mut client = EndpointServiceClient::new(world.channel());
    let request = GetEndpointRequest {
        fleet: "fleets/acme".into(),
        device: "d-1".into(),
        ..GetEndpointRequest::default()
    };
    let answer = client.get_endpoint(request).await.unwrap().into_inner();
    let expected = entry("acme", 1024, 1);
    assert_eq!(answer.route, *expected.jws);
    let slot = expected.claims.slot("d-1").as_millis();
    assert_eq!(answer.connect_after_ms.map(u128::from), Some(slot));
    assert!(answer.stale);
    let newer = entry("acme", 2049, 2).jws.to_string();
    let request = PresentRouteRequest {
        fleet: "fleets/acme".into(),
        route: newer,
    };
    assert_eq!(
        client
            .present_route(request)
            .await
            .unwrap()
            .into_inner()
            .epoch,
        2049
    );
    let request = GetEndpointRequest {
        fleet: "acme".into(),
        ..GetEndpointRequest::default()
    };
    let refused = client.get_endpoint(request).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "INVALID_REQUEST");
    drop(client);
    world.finish().await;
}

#[tokio::test]
async fn no_operators_method_is_known_here() {
    let world = World::from_disk().await;
    let mut client = FleetServiceClient::new(world.channel());
    let refused = client
        .get_fleet(GetFleetRequest {
            name: "fleets/acme".into(),
        })
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::Unimplemented);
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_eq!(world.get(path).await.status(), StatusCode::NOT_FOUND);
    drop(client);
    world.finish().await;
}

#[tokio::test]
async fn a_probe_costs_a_few_bytes_and_is_never_cached() {
    let world = World::from_disk().await;
    for path in ["/healthz", "/readyz"] {
        let url = format!("{}{path}", world.url);
        let head = world.http.head(url).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(header(&head, "cache-control"), "no-store");
        let length: usize = header(&head, "content-length").parse().unwrap();
        assert!(head.bytes().await.unwrap().is_empty());
        let body = world.get(path).await.bytes().await.unwrap();
        assert!(body.len() == length && length < 256, "{body:?}");
    }
    world.finish().await;
}
