//! A device against concierges over real HTTP: 304, several of them, keys, the state file.

mod forged;
mod gateway;
mod keys;
mod pace;
mod steps;

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{DeviceId, FleetId, HubId};
use hubshift_domain::route::{
    Canary, CanaryClaim, Cohort, DeviceHash, KeySet, OnUnreachable, PrivateKey, RouteClaims,
    RouteEndpoint, RouteHub, RouteInputs, claims, sign,
};
use reqwest::Url;
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::*;

/// What a concierge of these tests knows and was told.
#[derive(Default)]
struct Known {
    route: String,
    keys: String,
    presented: Vec<String>,
    queries: Vec<String>,
    not_modified: u32,
    key_requests: u32,
    /// What every question is refused with: status and `Retry-After`.
    refusal: Option<(StatusCode, &'static str)>,
    /// A question waits for a permit of it.
    gate: Option<Arc<Semaphore>>,
    /// 200 ms, if it is not set.
    poll_after_ms: Option<u32>,
}

type Shared = Arc<Mutex<Known>>;

async fn endpoint(
    State(known): State<Shared>,
    Query(query): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let query: Vec<_> = query
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    known.lock().unwrap().queries.push(query.join("&"));
    let gate = known.lock().unwrap().gate.clone();
    if let Some(gate) = gate {
        gate.acquire().await.unwrap().forget();
    }
    let mut known = known.lock().unwrap();
    if let Some((status, after)) = known.refusal {
        return (status, [("retry-after", after)]).into_response();
    }
    if known.route.is_empty() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let tag = format!("\"{}\"", known.route.rsplit('.').next().unwrap());
    if headers
        .get("if-none-match")
        .is_some_and(|value| value.as_bytes() == tag.as_bytes())
    {
        known.not_modified += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let body = serde_json::json!({
        "route": known.route, "connect_after_ms": 1,
        "poll_after_ms": known.poll_after_ms.unwrap_or(200),
        "as_of": "2027-01-01T00:00:00Z", "stale": false,
    });
    ([("etag", tag)], axum::Json(body)).into_response()
}

async fn present(State(known): State<Shared>, body: String) -> &'static str {
    known.lock().unwrap().presented.push(body);
    "{\"epoch\":1}"
}

async fn key_set(State(known): State<Shared>) -> String {
    let mut known = known.lock().unwrap();
    known.key_requests += 1;
    known.keys.clone()
}

/// Starts a concierge that lives as long as the test.
async fn concierge(route: &str) -> (Url, Shared) {
    let known = Shared::default();
    known.lock().unwrap().route = route.to_owned();
    let app = Router::new()
        .route("/v1/fleets/acme/endpoint", get(endpoint))
        .route("/v1/fleets/acme/route", post(present))
        .route("/.well-known/hubshift/keys", get(key_set))
        .with_state(known.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, known)
}

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[1; 32])
}

fn route(epoch: u64) -> String {
    sign(&claims_of(epoch, 1000), &key()).unwrap()
}

/// One that has `d-1` in a canary at west until then.
fn with_canary(mut route: RouteClaims, until: OffsetDateTime) -> String {
    route.canary = Some(CanaryClaim::Known(Canary {
        id: "c-1".to_owned(),
        endpoint: RouteEndpoint {
            hub: HubId::new("west").unwrap(),
            host: "west.example.net".to_owned(),
            region: "elsewhere".to_owned(),
        },
        cohort: Cohort::Devices(vec![DeviceHash::of("d-1")]),
        window_ms: 0,
        started_at: until - time::Duration::MINUTE,
        until,
    }));
    sign(&route, &key()).unwrap()
}

/// In whole seconds, as routes have it.
fn in_seconds(count: i64) -> OffsetDateTime {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    OffsetDateTime::from_unix_timestamp(now + count).unwrap()
}

/// Devices that move at 80 a second; `east` is active.
fn claims_of(epoch: u64, device_count: u64) -> RouteClaims {
    let (fleet, hub) = (FleetId::new("acme").unwrap(), HubId::new("east").unwrap());
    let inputs = RouteInputs {
        fleet: &fleet,
        epoch: Epoch(epoch),
        routing_version: 1,
        active_hub: &hub,
        hubs: vec![RouteHub {
            hub: &hub,
            index: 0,
            state: HubState::Active,
            host: "east.example.net",
            region: "somewhere",
            admission_per_second: 100,
        }],
        device_count,
        utilisation_percent: 80,
        on_unreachable: OnUnreachable::Ask,
        epoch_opened: OffsetDateTime::UNIX_EPOCH,
        waves: &[],
        canary: None,
    };
    claims(&inputs, OffsetDateTime::UNIX_EPOCH).unwrap()
}

fn config(concierges: Vec<Url>) -> DeviceConfig {
    DeviceConfig {
        concierges,
        fleet: FleetId::new("acme").unwrap(),
        device: DeviceId::new("d-1").unwrap(),
        trust: Trust::keys(KeySet::new([key().public()])),
        state_file: None,
    }
}

fn open(config: DeviceConfig) -> Result<DeviceClient, DeviceError> {
    DeviceClient::open(config, http_client(None).unwrap())
}

/// A port that nobody listens on.
async fn nobody() -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
        .parse()
        .unwrap()
}

#[tokio::test]
async fn the_second_poll_costs_no_body_and_echoes_what_is_held() {
    let (url, known) = concierge(&route(1024)).await;
    let mut device = open(config(vec![url])).unwrap();
    let first = device.poll().await.unwrap();
    device.on_connected(&first.endpoint);
    let second = device.poll().await.unwrap();
    assert_eq!(second.connect_at, first.connect_at);
    let known = known.lock().unwrap();
    assert_eq!(known.not_modified, 1);
    assert_eq!(
        known.queries,
        ["device=d-1", "device=d-1&epoch=1024&hub=east"]
    );
}

#[tokio::test]
async fn the_next_concierge_is_asked_when_one_is_gone_or_lies() {
    let (empty, _) = concierge("").await;
    let mut forged = route(2048);
    forged.replace_range(60..61, "~");
    let (liar, _) = concierge(&forged).await;
    let (good, known) = concierge(&route(1024)).await;
    let mut device = open(config(vec![nobody().await, empty, liar, good])).unwrap();
    assert_eq!(device.poll().await.unwrap().route.epoch, Epoch(1024));
    assert!(device.poll().await.unwrap().is_answered);
    assert_eq!(known.lock().unwrap().queries.len(), 2);
}

#[tokio::test]
async fn without_any_answer_the_held_route_stands() {
    let (url, known) = concierge(&route(1024)).await;
    let mut device = open(config(vec![url])).unwrap();
    let first = device.poll().await.unwrap();
    known.lock().unwrap().route.clear();
    let second = device.poll().await.unwrap();
    assert_eq!(second.route, first.route);
    assert!(!second.is_answered);
    let mut ignorant = open(config(vec![nobody().await])).unwrap();
    assert!(matches!(
        ignorant.poll().await,
        Err(DeviceError::NoRoute(_))
    ));
}

#[tokio::test]
async fn a_concierge_that_forgot_is_shown_the_held_route() {
    let (url, known) = concierge(&route(2048)).await;
    let mut device = open(config(vec![url])).unwrap();
    device.poll().await.unwrap();
    known.lock().unwrap().route = route(1024);
    let decision = device.poll().await.unwrap();
    assert_eq!(decision.route.epoch, Epoch(2048));
    let presented = &known.lock().unwrap().presented;
    assert!(presented[0].contains(&route(2048)), "{presented:?}");
}

#[tokio::test]
async fn the_epoch_survives_a_restart_and_a_broken_file_is_no_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    let (url, known) = concierge(&route(2048)).await;
    let with_file = || {
        let mut config = config(vec![url.clone()]);
        config.state_file = Some(path.clone());
        open(config)
    };
    with_file().unwrap().poll().await.unwrap();
    known.lock().unwrap().route = route(1024);
    let mut again = with_file().unwrap();
    assert_eq!(again.decision().unwrap().route.epoch, Epoch(2048));
    assert_eq!(again.poll().await.unwrap().route.epoch, Epoch(2048));
    std::fs::write(&path, "{").unwrap();
    assert!(matches!(with_file(), Err(DeviceError::State { .. })));
}

#[tokio::test]
async fn a_device_that_nobody_can_go_to_may_start_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.1");
    let mut config = config(vec![nobody().await]);
    config.state_file = Some(path.clone());
    let start = || DeviceClient::open_or_forget(config.clone(), http_client(None).unwrap());
    assert!(start().unwrap().decision().is_none());
    std::fs::write(&path, "{").unwrap();
    assert!(start().unwrap().decision().is_none());
    assert!(!path.exists());
    assert_eq!(std::fs::read(dir.path().join("d.1.refused")).unwrap(), b"{");
}

#[tokio::test]
async fn a_pinned_recovery_key_fetches_the_keys_it_signed_and_no_others() {
    let recovery = PrivateKey::from_seed(&[9; 32]);
    let (url, known) = concierge(&route(1024)).await;
    let dir = tempfile::tempdir().unwrap();
    let pinned = || {
        let mut config = config(vec![url.clone()]);
        config.trust = Trust::recovery(recovery.public());
        config.state_file = Some(dir.path().join("state.json"));
        open(config).unwrap()
    };
    let set = KeySet::new([key().public()]);
    for unsigned in [
        "{\"keys\":[]}".to_owned(),
        document(&set.sign(&key()).unwrap()),
    ] {
        known.lock().unwrap().keys = unsigned;
        assert!(pinned().poll().await.is_err());
    }
    known.lock().unwrap().keys = document(&set.sign(&recovery).unwrap());
    assert_eq!(pinned().poll().await.unwrap().route.epoch, Epoch(1024));
    known.lock().unwrap().keys.clear();
    assert!(
        pinned().decision().is_some(),
        "keys and route come from the state file"
    );
}

fn document(signed: &str) -> String {
    serde_json::json!({ "keys": [], "signed": signed }).to_string()
}

#[tokio::test]
async fn keys_can_be_fetched_for_a_first_installation() {
    let (url, known) = concierge("").await;
    let set = KeySet::new([key().public()]);
    known.lock().unwrap().keys = set.to_json().unwrap().to_string();
    let fetched = fetch_keys(&http_client(None).unwrap(), &url).await.unwrap();
    assert_eq!(fetched, set);
}

#[tokio::test]
async fn a_device_without_a_concierge_is_a_mistake() {
    assert!(matches!(
        open(config(vec![])),
        Err(DeviceError::NoConcierge)
    ));
}
