//! Polls through real sockets: every transport, and what tonic would have said.

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use hubshift_api::fault;
use hubshift_api::pb::concierge::endpoint_service_client::EndpointServiceClient;
use hubshift_api::pb::concierge::{GetEndpointRequest, GetEndpointResponse};
use hubshift_shell::grpc::GrpcChannel;
use hubshift_shell::{Health, Limits};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::world::{Listener, World, front, header, state};
use super::*;
use crate::http::public_router;
use crate::table::fixture::entry;

const POLL: &str = "/hubshift.concierge.v1.EndpointService/GetEndpoint";

/// One client for each version.
fn clients() -> [Client; 2] {
    let builder = Client::builder;
    [
        builder().http1_only().build().unwrap(),
        builder().http2_prior_knowledge().build().unwrap(),
    ]
}

fn question(fleet: &str, device: &str) -> GetEndpointRequest {
    GetEndpointRequest {
        fleet: fleet.into(),
        device: device.into(),
        ..GetEndpointRequest::default()
    }
}

type Told = Result<GetEndpointResponse, (Code, String, Vec<u8>)>;

async fn ask(channel: GrpcChannel, request: GetEndpointRequest) -> Told {
    let mut client = EndpointServiceClient::new(channel);
    let told = client.get_endpoint(request).await;
    let parts = |status: Status| {
        let (text, details) = (status.message().to_owned(), status.details().to_vec());
        (status.code(), text, details)
    };
    told.map(tonic::Response::into_inner).map_err(parts)
}

#[tokio::test]
async fn a_grpc_client_cannot_tell_the_front_from_tonic() {
    let dir = World::folder().await;
    let state = state(dir.path());
    let router = public_router(state.clone(), Health::new());
    let tonics = Listener::start(RouterFront::new(router, Handle::current()), None);
    let ours = Listener::start(front(state.clone()), None);
    let questions = || {
        let worst = GetEndpointRequest {
            attached_hub: "East".into(),
            ..question("acme", "a b")
        };
        let fullest = GetEndpointRequest {
            known_epoch: u64::MAX,
            attached_hub: "east".into(),
            last_connect_error: "refused, übel".into(),
            ..question("fleets/acme", "py:dev+1#$'")
        };
        [
            question("fleets/acme", ""),
            question("fleets/acme", "d-1"),
            question("fleets/other", "d-1"),
            question("", ""),
            question("fleets/acme", &"d".repeat(17 * 1024)),
            fullest,
            worst,
        ]
    };
    let mut codes = Vec::new();
    for loaded in [false, true] {
        if loaded {
            state.table.serve(vec![entry("acme", 1024, 1)]).await;
        }
        for question in questions() {
            let expected = ask(tonics.channel(), question.clone()).await;
            let told = ask(ours.channel(), question.clone()).await;
            assert_eq!(told, expected, "{question:?}");
            codes.push(told.map_or_else(|(code, ..)| code, |_| Code::Ok));
        }
    }
    for code in [
        Code::Ok,
        Code::NotFound,
        Code::Unavailable,
        Code::InvalidArgument,
        Code::OutOfRange,
    ] {
        assert!(codes.contains(&code), "{code:?} never came");
    }
    ours.finish().await;
    tonics.finish().await;
}

#[tokio::test]
async fn both_versions_of_http_give_the_same_and_head_gives_the_length() {
    let world = World::from_disk().await;
    for path in [
        "/v1/fleets/acme/endpoint",
        "/v1/fleets/acme/endpoint?device=d-1",
        "/v1/fleets/Acme/endpoint",
        "/v1/fleets/other/endpoint",
    ] {
        let url = format!("{}{path}", world.url);
        let mut bodies = Vec::new();
        for client in clients() {
            let full = client.get(&url).send().await.unwrap();
            let empty = client.head(&url).send().await.unwrap();
            assert_eq!(empty.status(), full.status());
            for name in ["content-type", "content-length", "etag", "cache-control"] {
                assert_eq!(header(&empty, name), header(&full, name), "{name}");
            }
            let length = header(&full, "content-length").to_owned();
            let body = full.bytes().await.unwrap();
            assert_eq!(body.len().to_string(), length);
            assert!(empty.bytes().await.unwrap().is_empty());
            bodies.push(body);
        }
        assert_eq!(bodies[0], bodies[1]);
        assert!(
            serde_json::from_slice::<Value>(&bodies[0])
                .unwrap()
                .is_object()
        );
    }
    world.finish().await;
}

#[tokio::test]
async fn an_answer_to_one_device_is_not_another_devices() {
    let world = World::from_disk().await;
    let path = "/v1/fleets/acme/endpoint";
    let of_all = header(&world.get(path).await, "etag").to_owned();
    let of_one = format!("{path}?device=d-1");
    let of_one = header(&world.get(&of_one).await, "etag").to_owned();
    for client in clients() {
        let ask = |query: &str, tag: &str| {
            let url = format!("{}{path}{query}", world.url);
            client.get(url).header("if-none-match", tag).send()
        };
        let known = ask("?device=d-1", &of_one).await.unwrap();
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(header(&known, "cache-control"), "private, no-cache");
        assert_eq!(header(&known, "etag"), of_one);
        let other = ask("?device=d-1", &of_all).await.unwrap();
        assert_eq!(other.status(), StatusCode::OK);
    }
    world.finish().await;
}

#[tokio::test]
async fn every_character_of_a_device_id_arrives_escaped() {
    let world = World::from_disk().await;
    let query = "device=py%3Adev%2B1%23%24'&device=%64-%2b.:*!(),;@";
    let told = world
        .get(&format!("/v1/fleets/%61cme/endpoint?{query}"))
        .await;
    let told: Value = told.json().await.unwrap();
    let slot = entry("acme", 1024, 1).claims.slot("d-+.:*!(),;@");
    assert_eq!(
        told["connect_after_ms"].as_u64().map(u128::from),
        Some(slot.as_millis())
    );
    let refused = world.get("/v1/fleets/acme/endpoint?device=a+b").await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    world.finish().await;
}

#[tokio::test]
async fn other_methods_and_paths_are_told_so() {
    let world = World::from_disk().await;
    for client in clients() {
        let url = format!("{}/v1/fleets/acme/endpoint", world.url);
        let refused = client.post(url).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(header(&refused, "allow"), "GET,HEAD");
        for path in ["/v1/fleets//endpoint", "/v1/fleets/acme/endpoint/", "/"] {
            let url = format!("{}{path}", world.url);
            let unknown = client.get(url).send().await.unwrap();
            assert_eq!(unknown.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }
    world.finish().await;
}

/// A poll by hand, over HTTP/2.
fn post(world: &World) -> RequestBuilder {
    let [_, client] = clients();
    client
        .request(Method::POST, format!("{}{POLL}", world.url))
        .header("content-type", "application/grpc")
}

async fn grpc_status(request: RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(header(&response, "content-type"), "application/grpc");
    header(&response, "grpc-status").to_owned()
}

#[tokio::test]
async fn what_is_no_poll_is_refused_as_grpc_has_it() {
    let world = World::from_disk().await;
    let code = |code: Code| (code as i32).to_string();
    let compressed: Vec<u8> = vec![1, 0, 0, 0, 0];
    for (body, expected) in [
        (Vec::new(), Code::Internal),
        (vec![0, 0, 0], Code::Internal),
        (compressed.clone(), Code::Internal),
        (vec![0, 0, 0, 0, 2, 0x0a, 0x09], Code::Internal),
        (vec![0, 0, 1, 0, 0], Code::OutOfRange),
    ] {
        let shown = format!("{body:?}");
        let status = grpc_status(post(&world).body(body)).await;
        assert_eq!(status, code(expected), "{shown}");
    }
    let encoded = post(&world).header("grpc-encoding", "gzip");
    let status = grpc_status(encoded.body(compressed)).await;
    assert_eq!(status, code(Code::Unimplemented));
    world.finish().await;
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_and_nobody_waits_for_it() {
    let dir = World::folder().await;
    let state = state(dir.path());
    let front = front(state.clone()).with_body_deadline(Duration::from_millis(200));
    let world = World::of(dir, state, front);
    let first = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(&[0, 0, 0]))]);
    let trickle = first.chain(stream::pending());
    let slow = post(&world).body(reqwest::Body::wrap_stream(trickle));
    let slow = tokio::spawn(grpc_status(slow));
    let prompt = ask(world.channel(), question("fleets/acme", "d-1")).await;
    assert!(prompt.is_ok(), "{prompt:?}");
    let late = (Code::DeadlineExceeded as i32).to_string();
    assert_eq!(slow.await.unwrap(), late);
    world.finish().await;
}

#[tokio::test]
async fn a_client_that_asks_too_fast_is_told_when_to_come_back() {
    let dir = World::folder().await;
    let limits = Limits {
        trusted: Vec::new(),
        requests_per_second_per_client: 1,
        burst_per_client: 1,
        ..Limits::default()
    };
    let listener = Listener::within(limits, front(state(dir.path())), None);
    let url = format!("http://{}/v1/fleets/acme/endpoint", listener.addr);
    let [client, _] = clients();
    let mut refused = None;
    for _ in 0..20 {
        let response = client.get(&url).send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("everything was answered");
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() >= 1);
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["reason"], "CLIENT_TOO_FAST");
    let mut client = EndpointServiceClient::new(listener.channel());
    let mut refused = None;
    for _ in 0..20 {
        if let Err(status) = client.get_endpoint(question("fleets/acme", "")).await {
            refused = Some(status);
            break;
        }
    }
    let refused = refused.expect("every call was answered");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(fault::reason(&refused), "CLIENT_TOO_FAST");
    let retry = refused.get_details_retry_info().unwrap();
    assert!(retry.retry_delay.is_some());
    drop(client);
    listener.finish().await;
}
