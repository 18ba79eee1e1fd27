//! What hubs tell by Event Grid: a hint makes somebody look, and nothing more.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::time::Duration;

use common::hubs::{device, sas};
use common::{EVENTS_KEY, PATIENCE, World};
use hubshift_testkit::eventually;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The emulated hub's own name: the first label of its host.
const HUB_NAME: &str = "127";

fn event(kind: &str, device: &str) -> Value {
    json!({"id": "1", "subject": format!("devices/{device}"), "dataVersion": "1",
        "eventType": format!("Microsoft.Devices.{kind}"), "topic": "/SUBSCRIPTIONS/S",
        "eventTime": OffsetDateTime::now_utc().format(&Rfc3339).unwrap(),
        "data": {"hubName": HUB_NAME, "deviceId": device}})
}

fn cloud_event(kind: &str, device: &str) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/SUBSCRIPTIONS/S",
        "type": format!("Microsoft.Devices.{kind}"),
        "time": OffsetDateTime::now_utc().format(&Rfc3339).unwrap(),
        "data": {"hubName": HUB_NAME, "deviceId": device}})
}

async fn deliver(world: &World, key: &str, body: &Value) -> Response {
    Client::new()
        .post(world.events_url("east"))
        .header("x-hubshift-key", key)
        .json(body)
        .send()
        .await
        .unwrap()
}

async fn told(world: &World, body: &Value) {
    let answer = deliver(world, EVENTS_KEY, body).await;
    assert_eq!(answer.status().as_u16(), 200);
}

#[tokio::test]
async fn a_device_that_was_made_past_us_is_at_the_standby_long_before_the_next_pass() {
    let world = World::start().await;
    world.pass(true).await;
    world.east.create(&device("new", sas())).await;
    let queries = world.east.running.requests("query");
    told(&world, &json!([event("DeviceCreated", "new")])).await;
    let is_there = || async { world.west.get("new").await.is_some() };
    assert!(eventually(PATIENCE, is_there).await);
    // Nobody listed the hub for it: the interval is an hour.
    assert_eq!(world.east.running.requests("query"), queries);
    // And the same by the other schema.
    world.east.create(&device("newer", sas())).await;
    told(&world, &cloud_event("DeviceCreated", "newer")).await;
    let is_there = || async { world.west.get("newer").await.is_some() };
    assert!(eventually(PATIENCE, is_there).await);
}

#[tokio::test]
async fn a_deletion_is_believed_when_the_hub_says_so_twice_by_event_and_by_answer() {
    let world = World::start().await;
    world.east.create_many(20).await;
    world.pass(true).await;
    // A lie: the device is there.
    told(&world, &json!([event("DeviceDeleted", "d-001")])).await;
    world.east.delete("d-000").await;
    told(&world, &json!([event("DeviceDeleted", "d-000")])).await;
    let is_gone = || async { world.west.get("d-000").await.is_none() };
    assert!(eventually(PATIENCE, is_gone).await);
    assert!(world.west.get("d-001").await.is_some());
}

#[tokio::test]
async fn a_flood_of_deletions_is_stopped_like_any_other() {
    let world = World::start().await;
    world.east.create_many(20).await;
    world.pass(true).await;
    let mut events = Vec::new();
    for number in 0..10 {
        let id = format!("d-{number:03}");
        world.east.delete(&id).await;
        events.push(event("DeviceDeleted", &id));
    }
    told(&world, &Value::Array(events)).await;
    let is_followed = || async { hints(&world).await == 0 };
    assert!(eventually(PATIENCE, is_followed).await);
    let done = world.pass(false).await;
    assert_eq!(done.deleted_count, 0);
    assert!(world.west.get("d-000").await.is_some());
}

#[tokio::test]
async fn deletions_that_are_heard_of_one_by_one_are_stopped_as_well() {
    let world = World::start().await;
    world.east.create_many(20).await;
    world.pass(true).await;
    for number in 0..10 {
        let id = format!("d-{number:03}");
        world.east.delete(&id).await;
        told(&world, &json!([event("DeviceDeleted", &id)])).await;
        let is_followed = || async { hints(&world).await == 0 };
        assert!(eventually(PATIENCE, is_followed).await);
    }
    let is_blocked = || async { world.status_of("west").await.blocked == "MASS_DELETE" };
    assert!(eventually(PATIENCE, is_blocked).await);
    let mut left = 0;
    for number in 0..10 {
        let found = world.west.get(&format!("d-{number:03}")).await;
        left += usize::from(found.is_some());
    }
    assert!(left >= 5, "{left} are left");
}

/// Or whoever finds the listener could have it keep megabytes for as long as he likes.
#[tokio::test]
async fn nothing_is_read_of_who_does_not_know_the_key() {
    let world = World::start().await;
    let url = world.events_url("east");
    let (host, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    // A body is announced and never sent.
    let head = format!(
        "POST /{path} HTTP/1.1\r\nhost: {host}\r\nx-hubshift-key: wrong\r\n\
         content-type: application/json\r\ncontent-length: 1000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await;
    read.expect("no answer before the body").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
}

async fn hints(world: &World) -> i64 {
    sqlx::query_scalar("select count(*) from registry.hint")
        .fetch_one(&world.admin)
        .await
        .unwrap()
}

#[tokio::test]
async fn both_handshakes_are_answered_to_those_who_know_the_key() {
    let world = World::start().await;
    let asked = json!([{"id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "512d38b6", "validationUrl": "https://x"}}]);
    let answer = deliver(&world, EVENTS_KEY, &asked).await;
    assert_eq!(answer.status().as_u16(), 200);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer, json!({"validationResponse": "512d38b6"}));
    let url = format!("{}?key={EVENTS_KEY}", world.events_url("east"));
    let options = Client::new()
        .request(Method::OPTIONS, url)
        .header("webhook-request-origin", "eventgrid.azure.net");
    let answer = options.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let allowed = answer.headers().get("webhook-allowed-origin").unwrap();
    assert_eq!(allowed, "eventgrid.azure.net");
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_leaves_nothing() {
    let world = World::start().await;
    let good = json!([event("DeviceCreated", "d")]);
    let status = |key: &'static str, body: Value| {
        let world = &world;
        async move { deliver(world, key, &body).await.status().as_u16() }
    };
    assert_eq!(status("wrong", good.clone()).await, 401);
    let mut foreign = event("DeviceCreated", "d");
    foreign["data"]["hubName"] = json!("other");
    assert_eq!(status(EVENTS_KEY, json!([foreign])).await, 400);
    assert_eq!(status(EVENTS_KEY, json!({"no": "event"})).await, 400);
    let nowhere = world.events_url("north");
    let answer = Client::new()
        .post(nowhere)
        .header("x-hubshift-key", EVENTS_KEY)
        .json(&good)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 404);
    assert_eq!(hints(&world).await, 0);
}
