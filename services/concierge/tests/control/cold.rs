//! A start without a database: devices are answered from the disk at once; and a stop that gives
//! them time to go elsewhere.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use hubshift_concierge::{Running, start, testing};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::world::config;

const NOWHERE: &str = "http://127.0.0.1:1";
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/nothing";
/// Longer than any test.
const DRAIN: Duration = Duration::from_secs(3600);

async fn started(data: &Path, cancel: &CancellationToken) -> Running {
    let mut config = config(NO_DATABASE, NOWHERE, data);
    config.drain = DRAIN;
    start(config, cancel.clone()).await.unwrap()
}

async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("http://{address}{path}"))
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn the_first_question_after_a_start_without_a_database_is_answered() {
    let data = tempfile::tempdir().unwrap();
    testing::make_table(data.path(), 100).unwrap();
    let cancel = CancellationToken::new();
    let running = started(data.path(), &cancel).await;
    let address = running.public_addr;
    let (status, answer) = get(address, "/v1/fleets/fleet-99/endpoint?device=d-1").await;
    assert_eq!((status, &answer["stale"]), (200, &true.into()));
    assert!(answer["route"].is_string());
    let (status, answer) = get(address, "/v1/fleets/fleet-100/endpoint?device=d-1").await;
    assert_eq!((status, &answer["reason"]), (503, &"NOT_READY".into()));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(address, path).await.0, 200, "{path}");
    }
    running.task.abort();
}

#[tokio::test]
async fn a_stop_sends_devices_elsewhere_before_it_stops_answering() {
    let data = tempfile::tempdir().unwrap();
    testing::make_table(data.path(), 1).unwrap();
    let cancel = CancellationToken::new();
    let running = started(data.path(), &cancel).await;
    let address = running.public_addr;
    cancel.cancel();
    let leaves = || async { get(address, "/readyz").await.0 == 503 };
    assert!(hubshift_testkit::eventually(Duration::from_secs(20), leaves).await);
    assert_eq!(get(address, "/healthz").await.0, 200);
    let (status, _) = get(address, "/v1/fleets/fleet-0/endpoint").await;
    assert_eq!(status, 200);
    assert!(!running.task.is_finished());
    running.task.abort();
}

#[tokio::test]
async fn a_start_without_a_table_says_that_it_serves_nothing() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("table"), "hubshift-table 2\n").unwrap();
    let cancel = CancellationToken::new();
    let running = started(data.path(), &cancel).await;
    for path in ["/healthz", "/readyz", "/v1/fleets/fleet-0/endpoint"] {
        assert_eq!(get(running.public_addr, path).await.0, 503, "{path}");
    }
    running.task.abort();
}
