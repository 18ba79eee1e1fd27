//! Faults to order, over HTTP/1.1 and HTTP/2: what the client sees and what was carried out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::{Duration, Instant};

use common::{Hub, VERSION, answer, hub, options, start};
use hubshift_emulator::{Fault, Options, OutageMode, OutageScope};
use reqwest::{Certificate, Client, Version};
use serde_json::{Value, json};

/// A client for one of the two protocols; its connections are its own.
fn client(hub: &Hub, version: Version) -> Client {
    let ca = Certificate::from_pem(hub.running.ca_pem.as_bytes()).unwrap();
    let builder = Client::builder().add_root_certificate(ca).no_proxy();
    let builder = builder.timeout(Duration::from_secs(10));
    match version {
        Version::HTTP_11 => builder.http1_only().build().unwrap(),
        _ => builder.build().unwrap(),
    }
}

/// Makes a device, and reads the answer to its end.
async fn put(hub: &Hub, http: &Client, id: &str) -> Result<(u16, Version), reqwest::Error> {
    let url = format!("{}?{VERSION}", hub.url(&format!("/devices/{id}")));
    let request = http
        .put(url)
        .header("authorization", hub.owner_token().expose());
    let sent = request.json(&json!({"deviceId": id})).send().await?;
    let (status, version) = (sent.status().as_u16(), sent.version());
    sent.bytes().await?;
    Ok((status, version))
}

async fn is_there(hub: &Hub, id: &str) -> bool {
    hub.get(&format!("/devices/{id}")).await.code() == 200
}

#[tokio::test]
async fn each_fault_hits_one_call_over_both_protocols() {
    let hub = hub().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let http = client(&hub, version);
        assert_eq!(put(&hub, &http, "first").await.unwrap().1, version);
        for (mode, status, is_carried_out) in [
            (OutageMode::Error, Some(500), false),
            (OutageMode::Unavailable, Some(503), false),
            (OutageMode::Throttled, Some(429), false),
            (OutageMode::Slow, Some(200), true),
            (OutageMode::Reset, None, true),
            (OutageMode::ResetEarly, None, false),
            (OutageMode::Refuse, None, false),
        ] {
            let case = format!("{mode:?}-{version:?}").replace('/', "-");
            let latency = Duration::from_millis(50);
            let fault = Fault::from(mode).on("put_device").times(1);
            hub.running.order(fault.late_by(latency));
            let before = Instant::now();
            let result = put(&hub, &http, &case).await;
            let seen = result.as_ref().ok().map(|(status, _)| *status);
            assert_eq!(seen, status, "{case}: {result:?}");
            assert!(!result.is_err_and(|error| error.is_timeout()), "{case}");
            if mode == OutageMode::Slow {
                assert!(before.elapsed() >= latency, "{case}");
            }
            assert_eq!(hub.running.fault_hits(), 1, "{case}");
            assert_eq!(is_there(&hub, &case).await, is_carried_out, "{case}");
            // It is over, and the client can go on.
            let next = put(&hub, &http, &format!("{case}-2")).await.unwrap();
            assert_eq!(next.0, 200, "{case}");
        }
    }
}

#[tokio::test]
async fn a_lost_call_is_carried_out_and_never_answered() {
    let hub = hub().await;
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let http = client(&hub, version);
        let id = format!("{version:?}").replace('/', "-");
        let fault = Fault::from(OutageMode::Lost).on("put_device").times(1);
        hub.running.order(fault);
        let end = async {
            while !is_there(&hub, &id).await {}
            // The fault is over; what it took stays lost.
            assert_eq!(put(&hub, &http, &format!("{id}-2")).await.unwrap().0, 200);
            hub.running.set_outage(OutageMode::None);
        };
        let both = async { tokio::join!(put(&hub, &http, &id), end) };
        let (result, ()) = tokio::time::timeout(Duration::from_secs(10), both)
            .await
            .unwrap();
        assert!(!result.unwrap_err().is_timeout());
    }
}

#[tokio::test]
async fn a_refused_call_takes_its_http2_connection_along() {
    let hub = hub().await;
    let http = client(&hub, Version::HTTP_2);
    let first = put(&hub, &http, "first").await.unwrap();
    assert_eq!(first, (200, Version::HTTP_2));
    let slow = Fault::from(OutageMode::Slow).on("put_device").times(1);
    hub.running.order(slow.late_by(Duration::from_secs(5)));
    let refused = async {
        while !is_there(&hub, "slow").await {}
        let refuse = Fault::from(OutageMode::Refuse).on("put_device").times(1);
        hub.running.order(refuse);
        put(&hub, &http, "refused").await
    };
    let (slow, refused) = tokio::join!(put(&hub, &http, "slow"), refused);
    assert!(!refused.unwrap_err().is_timeout());
    assert!(!slow.unwrap_err().is_timeout());
    assert!(!is_there(&hub, "refused").await);
}

#[tokio::test]
async fn exactly_the_second_call_of_an_operation_is_hit() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let fault = Fault::from(OutageMode::Error).on("put_twin").after(1);
    hub.running.order(fault.times(1));
    let mut seen = Vec::new();
    for number in 0..3 {
        let body = json!({"tags": {"number": number}});
        seen.push(hub.put("/twins/d", Some("*"), body).await.code());
        assert_eq!(hub.get("/twins/d").await.code(), 200);
    }
    assert_eq!(seen, [200, 500, 200]);
    assert_eq!(hub.get("/twins/d").await.body["tags"]["number"], 2);
}

#[tokio::test]
async fn a_fault_of_writes_lets_others_pass() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    hub.running
        .set_outage_of(OutageMode::ResetEarly, OutageScope::Write);
    let http = client(&hub, Version::HTTP_11);
    assert!(put(&hub, &http, "e").await.is_err());
    assert_eq!(hub.get("/devices/d").await.code(), 200);
    assert_eq!(hub.send_event("d", &common::key('B')).await, 204);
    assert!(!is_there(&hub, "e").await);
}

#[tokio::test]
async fn the_control_interface_orders_one_call_and_logs_it_without_its_secrets() {
    let hub = start(Options {
        admin: Some("127.0.0.1:0".parse().unwrap()),
        ..options()
    })
    .await;
    let admin = format!("http://{}", hub.running.admin_addr.unwrap());
    let http = Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| {
        let sent = http.get(format!("{admin}{path}")).send().await.unwrap();
        answer(sent).await.body
    };
    let order = json!({"mode": "error", "operation": "put_device", "count": 1, "latencyMs": 5});
    let request = http.post(format!("{admin}/outage")).json(&order);
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    let body = json!({"deviceId": "d", "authentication": {"type": "sas", "symmetricKey":
        {"primaryKey": common::key('Q').expose(), "secondaryKey": common::key('R').expose()}}});
    assert_eq!(hub.put("/devices/d", None, body.clone()).await.code(), 500);
    assert_eq!(hub.put("/devices/d", None, body).await.code(), 200);
    assert_eq!(hub.get("/twins/d").await.code(), 200);

    let ordered = get("/outage").await;
    assert_eq!(ordered["hits"], 1);
    assert_eq!(ordered["mode"], "error");
    assert_eq!(ordered["latencyMs"], 5);

    let log = get("/requests/log").await;
    let part = |entry: &Value| {
        (
            entry["operation"].as_str().unwrap().to_owned(),
            entry["status"].as_u64(),
            entry["fault"].as_str().map(str::to_owned),
        )
    };
    let parts: Vec<_> = log.as_array().unwrap().iter().map(part).collect();
    let expected = [
        ("put_device".to_owned(), Some(500), Some("error".to_owned())),
        ("put_device".to_owned(), Some(200), None),
        ("get_twin".to_owned(), Some(200), None),
    ];
    assert_eq!(parts, expected);
    assert_eq!(log[2]["device"], "d");
    let text = log.to_string();
    for secret in ["SharedAccess", "sig=", "QQQQ", "RRRR"] {
        assert!(!text.contains(secret), "{text}");
    }
    let later = get("/requests/log?after=2").await;
    assert_eq!(later.as_array().unwrap().len(), 1);
    assert_eq!(hub.running.writes(), 2);
    assert_eq!(hub.running.request_log().len(), 3);
}
