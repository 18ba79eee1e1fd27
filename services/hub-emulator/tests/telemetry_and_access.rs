//! Devices that send, and who is let in.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{VERSION, answer, hub, key, options, start};
use hubshift_azure::{Secret, sas};
use reqwest::Method;
use serde_json::json;
use time::OffsetDateTime;

#[tokio::test]
async fn a_device_sends_with_either_key_and_counts_as_connected() {
    let hub = start(with_admin()).await;
    let (primary, secondary) = (key('B'), key('C'));
    let body = json!({"deviceId": "d", "authentication": {"type": "sas", "symmetricKey":
        {"primaryKey": primary.expose(), "secondaryKey": secondary.expose()}}});
    let created = hub.put("/devices/d", None, body).await;
    assert_eq!(hub.send_event("d", &primary).await, 204);
    assert_eq!(hub.send_event("d", &secondary).await, 204);
    assert_eq!(hub.send_event("d", &key('D')).await, 401);

    let device = hub.get("/devices/d").await;
    assert_eq!(device.body["connectionState"], "Connected");
    assert_ne!(device.body["lastActivityTime"], "0001-01-01T00:00:00Z");
    assert_eq!(device.etag(), created.etag(), "telemetry moves no etag");
    assert_eq!(
        hub.get("/statistics/service").await.body["connectedDeviceCount"],
        1
    );
    let url = format!("http://{}/devices/d", hub.running.admin_addr.unwrap());
    let raw = answer(hub.http.get(url).send().await.unwrap()).await.body;
    assert_eq!(raw["telemetry"]["count"], 2);
    assert_eq!(
        raw["identity"]["authentication"]["symmetricKey"]["primaryKey"],
        primary.expose()
    );
}

fn with_admin() -> hubshift_emulator::Options {
    let admin = Some("127.0.0.1:0".parse().unwrap());
    hubshift_emulator::Options { admin, ..options() }
}

#[tokio::test]
async fn disabled_missing_and_certificate_devices_cannot_send_with_a_key() {
    let hub = hub().await;
    let mut body = hub.create("d", 'B').await.body;
    body["status"] = json!("disabled");
    hub.put("/devices/d", Some("*"), body).await;
    assert_eq!(hub.send_event("d", &key('B')).await, 401);
    assert_eq!(hub.send_event("gone", &key('B')).await, 401);
    let ca = json!({"deviceId": "ca", "authentication": {"type": "certificateAuthority"}});
    hub.put("/devices/ca", None, ca).await;
    assert_eq!(hub.send_event("ca", &key('B')).await, 401);
}

#[tokio::test]
async fn a_token_of_one_device_is_no_good_for_another() {
    let hub = hub().await;
    hub.create("d1", 'B').await;
    hub.create("d12", 'B').await;
    let resource = sas::device_resource(&hub.running.host, "d1");
    let expiry = OffsetDateTime::now_utc() + time::Duration::MINUTE;
    let token = sas::token(&resource, &key('B'), None, expiry).unwrap();
    let url = format!("{}?{VERSION}", hub.url("/devices/d12/messages/events"));
    let sent = hub
        .http
        .post(url)
        .header("authorization", token.expose())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 401);
}

#[tokio::test]
async fn policies_allow_what_they_say_and_refusals_look_alike() {
    let named = |name: &str, letter| Secret::new(format!("{name}:{}", key(letter).expose()));
    let policies = vec![
        named("iothubowner", 'A'),
        named("registryRead", 'B'),
        named("registryReadWrite", 'C'),
        named("service", 'D'),
    ];
    let hub = start(hubshift_emulator::Options {
        policies,
        ..options()
    })
    .await;
    hub.create("d", 'E').await;
    let calls = [
        (Method::GET, "/devices/d"),
        (Method::PUT, "/devices/d"),
        (Method::GET, "/twins/d"),
    ];
    let expected = [
        ("registryRead", 'B', [200, 401, 401]),
        ("registryReadWrite", 'C', [200, 200, 401]),
        ("service", 'D', [401, 401, 200]),
        ("iothubowner", 'B', [401, 401, 401]),
        ("unheard", 'A', [401, 401, 401]),
    ];
    for (policy, letter, statuses) in expected {
        for ((method, path), status) in calls.iter().zip(statuses) {
            let token = hub.token(policy, &key(letter));
            let url = format!("{}?{VERSION}", hub.url(path));
            let request = hub
                .http
                .request(method.clone(), url)
                .header("if-match", "*");
            let request = request.header("authorization", token.expose());
            let sent = request
                .json(&json!({"deviceId": "d"}))
                .send()
                .await
                .unwrap();
            let found = answer(sent).await;
            assert_eq!(found.code(), status, "{policy} {method} {path}");
            if status == 401 {
                assert_eq!(found.error(), "IotHubUnauthorizedAccess");
                assert_eq!(
                    found.body["Message"],
                    "ErrorCode:IotHubUnauthorizedAccess;Unauthorized"
                );
            }
        }
    }
}

#[tokio::test]
async fn both_names_of_the_host_are_good_and_expired_tokens_are_not() {
    let hub = hub().await;
    let now = OffsetDateTime::now_utc();
    let try_token = async |host: &str, expiry| {
        let token = sas::token(host, &key('A'), Some("iothubowner"), expiry).unwrap();
        let url = format!("{}?{VERSION}", hub.url("/devices"));
        let request = hub.http.get(url).header("authorization", token.expose());
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(try_token("127.0.0.1", now).await, 200);
    assert_eq!(try_token(&hub.running.host, now).await, 200);
    assert_eq!(try_token("elsewhere", now).await, 401);
    assert_eq!(
        try_token("127.0.0.1", now - time::Duration::minutes(4)).await,
        200
    );
    assert_eq!(
        try_token("127.0.0.1", now - time::Duration::minutes(6)).await,
        401
    );
    let bare = hub
        .http
        .get(format!("{}?{VERSION}", hub.url("/devices")))
        .send()
        .await
        .unwrap();
    assert_eq!(bare.status().as_u16(), 401);
}
