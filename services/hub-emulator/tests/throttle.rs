//! A tier's quotas: what passes, what waits, and what is told to come back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::{Duration, Instant};

use common::{Hub, answer, options, start};
use hubshift_azure::quota::{OperationClass, Tier};
use hubshift_emulator::{Options, ThrottleOptions};
use reqwest::Client;
use serde_json::{Value, json};

async fn throttled(throttle: ThrottleOptions) -> Hub {
    let throttle = ThrottleOptions {
        tier: Some(Tier::S1),
        ..throttle
    };
    start(Options {
        admin: Some("127.0.0.1:0".parse().unwrap()),
        throttle,
        ..options()
    })
    .await
}

/// Nobody waits: who is over the rate is refused at once.
fn impatient() -> ThrottleOptions {
    ThrottleOptions {
        shaping: 0.0,
        ..ThrottleOptions::default()
    }
}

#[tokio::test]
async fn calls_over_the_rate_wait_their_turn() {
    let hub = throttled(ThrottleOptions {
        throttle_speed: 60.0,
        ..ThrottleOptions::default()
    })
    .await;
    let before = Instant::now();
    for _ in 0..60 {
        assert_eq!(hub.get("/devices").await.code(), 200);
    }
    // Ten pass at once, fifty at a hundred a second.
    assert!(before.elapsed() >= Duration::from_millis(490));
    assert_eq!(hub.running.throttled(OperationClass::Registry), 0);
}

#[tokio::test]
async fn a_refusal_looks_like_the_real_hubs() {
    let hub = throttled(impatient()).await;
    let mut refused = None;
    for _ in 0..40 {
        let found = hub.get("/devices").await;
        if found.code() == 429 {
            refused = Some(found);
            break;
        }
    }
    let refused = refused.expect("forty calls are more than one unit of S1 takes at once");
    assert_eq!(refused.error(), "ThrottlingBacklogTimeout");
    assert_eq!(refused.header("retry-after"), None);
    let words = "ErrorCode:ThrottlingBacklogTimeout;The request has been throttled. \
        Wait 10 seconds and try again. Operation type: CRUD";
    assert_eq!(refused.body["Message"], words);
    assert_eq!(hub.running.throttled(OperationClass::Registry), 1);
    // Twins have a quota of their own.
    assert_eq!(hub.get("/twins/none").await.code(), 404);
}

#[tokio::test]
async fn over_http1_the_connection_ends_and_when_to_come_back_is_told_if_ordered() {
    let hub = throttled(ThrottleOptions {
        retry_after: Some(3),
        ..impatient()
    })
    .await;
    let ca = reqwest::Certificate::from_pem(hub.running.ca_pem.as_bytes()).unwrap();
    let builder = Client::builder().add_root_certificate(ca).no_proxy();
    let http = builder.http1_only().build().unwrap();
    let hub = Hub { http, ..hub };
    let mut last = hub.get("/devices").await;
    for _ in 0..40 {
        if last.code() == 429 {
            break;
        }
        last = hub.get("/devices").await;
    }
    assert_eq!(last.code(), 429);
    assert_eq!(last.header("connection"), Some("close"));
    assert_eq!(last.header("retry-after"), Some("3"));
}

#[tokio::test]
async fn a_bulk_call_counts_its_devices() {
    let hub = throttled(impatient()).await;
    let entry = |n| json!({"id": format!("d{n}"), "status": "enabled", "importMode": "create"});
    let entries: Vec<_> = (0..50).map(entry).collect();
    assert_eq!(hub.post("/devices", json!(entries)).await.code(), 200);
    // Fifty devices are half a minute's quota.
    let refused = hub.put("/devices/x", None, json!({"deviceId": "x"})).await;
    assert_eq!(refused.code(), 429);
    let admin = format!("http://{}", hub.running.admin_addr.unwrap());
    let http = Client::builder().no_proxy().build().unwrap();
    let order = http.post(format!("{admin}/throttle"));
    let sent = order.json(&json!({})).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let gone = hub.get("/devices/x").await;
    assert_eq!(gone.code(), 404, "a refused call is not carried out");
}

#[tokio::test]
async fn a_full_queue_refuses_by_another_name() {
    let hub = throttled(ThrottleOptions {
        backlog: 0,
        ..ThrottleOptions::default()
    })
    .await;
    let mut names = Vec::new();
    for _ in 0..40 {
        let found = hub.get("/devices").await;
        if found.code() == 429 {
            names.push(found.error().to_owned());
        }
    }
    assert!(!names.is_empty());
    let is_full = |name: &String| name == "ThrottleBacklogLimitExceeded";
    assert!(names.iter().all(is_full), "{names:?}");
}

#[tokio::test]
async fn the_control_interface_shows_and_changes_how_the_hub_throttles() {
    let hub = throttled(impatient()).await;
    let admin = format!("http://{}/throttle", hub.running.admin_addr.unwrap());
    let http = Client::builder().no_proxy().build().unwrap();
    for _ in 0..40 {
        hub.get("/devices").await;
    }
    let shown = answer(http.get(&admin).send().await.unwrap()).await.body;
    assert_eq!(shown["tier"], "S1");
    let registry = &shown["classes"]["registry"];
    let (admitted, refused) = (&registry["admitted"], &registry["refused"]);
    assert_eq!(admitted.as_u64().unwrap() + refused.as_u64().unwrap(), 40);
    assert_eq!(
        refused.as_u64(),
        Some(hub.running.throttled(OperationClass::Registry))
    );
    let order = async |body: Value| {
        let sent = http.post(&admin).json(&body).send().await.unwrap();
        sent.status().as_u16()
    };
    assert_eq!(order(json!({"tier": "s3", "units": 2})).await, 200);
    for _ in 0..40 {
        assert_eq!(hub.get("/devices").await.code(), 200);
    }
    assert_eq!(order(json!({"tier": "s3", "speed": 0})).await, 422);
    assert_eq!(order(json!({"tire": "s3"})).await, 422);
}
