//! Outages to order, and the control interface.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Hub, VERSION, answer, key, options, start};
use hubshift_emulator::{Fault, Options, OutageMode, OutageScope};
use serde_json::json;
use tokio::net::TcpStream;

async fn hub() -> Hub {
    start(Options {
        admin: Some("127.0.0.1:0".parse().unwrap()),
        ..options()
    })
    .await
}

/// A call that may fail; a new connection every time.
async fn try_get(hub: &Hub) -> Result<u16, reqwest::Error> {
    let http = common::client(&hub.running.ca_pem);
    let url = format!("{}?{VERSION}", hub.url("/devices"));
    let token = hub.owner_token();
    let request = http.get(url).header("authorization", token.expose());
    request
        .timeout(Duration::from_millis(500))
        .send()
        .await
        .map(|sent| sent.status().as_u16())
}

#[tokio::test]
async fn each_outage_fails_in_its_own_way_and_ends() {
    let hub = hub().await;
    assert_eq!(try_get(&hub).await.unwrap(), 200);
    hub.running.set_outage(OutageMode::Unavailable);
    assert_eq!(try_get(&hub).await.unwrap(), 503);
    hub.running.set_outage(OutageMode::Hang);
    assert!(try_get(&hub).await.unwrap_err().is_timeout());
    hub.running.set_outage(OutageMode::Refuse);
    assert!(try_get(&hub).await.unwrap_err().is_connect());
    hub.running.set_outage(OutageMode::None);
    assert_eq!(try_get(&hub).await.unwrap(), 200);
}

#[tokio::test]
async fn a_hanging_request_is_never_carried_out_and_its_connection_ends_with_the_outage() {
    let hub = hub().await;
    hub.running.set_outage(OutageMode::Hang);
    let call = async {
        let url = format!("{}?{VERSION}", hub.url("/devices/d"));
        let token = hub.owner_token();
        let request = hub.http.put(url).header("authorization", token.expose());
        request.json(&json!({"deviceId": "d"})).send().await
    };
    let end = async {
        while hub.running.requests("put_device") == 0 {
            tokio::task::yield_now().await;
        }
        hub.running.set_outage(OutageMode::None);
    };
    let (result, ()) = tokio::join!(call, end);
    assert!(result.is_err());
    assert_eq!(hub.get("/devices/d").await.code(), 404);
}

#[tokio::test]
async fn refusing_closes_connections_that_are_there() {
    let hub = hub().await;
    hub.running.set_outage(OutageMode::Hang);
    let call = hub
        .http
        .get(format!("{}?{VERSION}", hub.url("/devices")))
        .send();
    let end = async {
        while hub.running.requests("list_devices") == 0 {
            tokio::task::yield_now().await;
        }
        hub.running.set_outage(OutageMode::Refuse);
    };
    let (result, ()) = tokio::join!(call, end);
    assert!(!result.unwrap_err().is_timeout());
}

#[tokio::test]
async fn a_service_outage_leaves_telemetry_alone() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    hub.running
        .set_outage_of(OutageMode::Unavailable, OutageScope::Service);
    assert_eq!(hub.get("/devices/d").await.code(), 503);
    assert_eq!(hub.send_event("d", &key('B')).await, 204);
    hub.running
        .set_outage_of(OutageMode::Refuse, OutageScope::Service);
    assert!(try_get(&hub).await.is_err());
    assert_eq!(hub.send_event("d", &key('B')).await, 204);
}

#[tokio::test]
async fn the_control_interface_orders_outages_and_answers_through_them() {
    let hub = hub().await;
    let admin = format!("http://{}", hub.running.admin_addr.unwrap());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let order = json!({"mode": "unavailable", "scope": "service"});
    let sent = http
        .post(format!("{admin}/outage"))
        .json(&order)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    assert_eq!(hub.get("/devices").await.code(), 503);
    assert_eq!(
        http.get(format!("{admin}/healthz"))
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    let counts = http.get(format!("{admin}/requests")).send().await.unwrap();
    let expected = json!([{"method": "GET", "operation": "list_devices", "count": 1}]);
    assert_eq!(answer(counts).await.body, expected);
    let wrong = json!({"mode": "sometimes"});
    let sent = http
        .post(format!("{admin}/outage"))
        .json(&wrong)
        .send()
        .await
        .unwrap();
    assert!(sent.status().is_client_error());
}

#[tokio::test]
async fn a_hub_can_start_in_an_outage() {
    let hub = start(Options {
        outage: OutageMode::Unavailable,
        ..options()
    })
    .await;
    assert_eq!(hub.get("/devices").await.code(), 503);
}

#[tokio::test]
async fn stopping_does_not_wait_for_requests_that_hang() {
    let hub = hub().await;
    hub.running.set_outage(OutageMode::Hang);
    let Hub { running, http } = hub;
    let call = http
        .get(format!("https://{}/devices?{VERSION}", running.host))
        .send();
    let stop = async {
        while running.requests("list_devices") == 0 {
            tokio::task::yield_now().await;
        }
        running.stop().await;
    };
    let both = async { tokio::join!(call, stop) };
    let (result, ()) = tokio::time::timeout(Duration::from_secs(5), both)
        .await
        .unwrap();
    assert!(result.is_err());
}

#[tokio::test]
async fn who_says_nothing_does_not_keep_the_data_of_a_hub_that_stopped() {
    let dir = tempfile::tempdir().unwrap();
    let with_data = || Options {
        data: Some(dir.path().join("hub.jsonl")),
        ..options()
    };
    let hub = start(with_data()).await;
    let silent = TcpStream::connect(hub.running.addr).await.unwrap();
    // Who came later is answered, so that it was let in.
    assert_eq!(hub.get("/devices").await.code(), 200);
    hub.running.stop().await;
    start(with_data()).await;
    drop(silent);
}

#[tokio::test]
async fn a_throttled_hub_reads_and_says_when_to_write_again_only_if_ordered() {
    let hub = hub().await;
    hub.running
        .set_outage_of(OutageMode::Throttled, OutageScope::Write);
    assert_eq!(try_get(&hub).await.unwrap(), 200);
    let body = json!({"deviceId": "d"});
    let refused = hub.put("/devices/d", None, body.clone()).await;
    let expected = (429, "ThrottlingBacklogTimeout");
    assert_eq!((refused.code(), refused.error()), expected);
    assert_eq!(refused.header("retry-after"), None);
    let words = "ErrorCode:ThrottlingBacklogTimeout;The request has been throttled. \
        Wait 10 seconds and try again. Operation type: CRUD";
    assert_eq!(refused.body["Message"], words);

    let fault = Fault::from(OutageMode::Throttled).retry_after(3);
    hub.running.order(fault);
    let refused = hub.put("/devices/d", None, body).await;
    assert_eq!(refused.header("retry-after"), Some("3"));
    hub.running.set_outage(OutageMode::None);
    assert_eq!(hub.get("/devices/d").await.code(), 404);
}
