//! Twins over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{VERSION, answer, hub};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::json;

#[tokio::test]
async fn a_twin_is_there_as_soon_as_its_device() {
    let hub = hub().await;
    let device = hub.create("d", 'B').await;
    let twin = hub.get("/twins/d").await;
    assert_eq!(twin.body["etag"], "AAAAAAAAAAE=");
    assert_eq!(twin.header("etag"), Some("\"AAAAAAAAAAE=\""));
    assert_eq!(twin.body["deviceEtag"], device.body["etag"]);
    assert_eq!(twin.body["version"], 2);
    assert_eq!(twin.body["properties"]["desired"]["$version"], 1);
    assert_eq!(twin.body["authenticationType"], "sas");
    assert_eq!(hub.get("/twins/gone").await.error(), "DeviceNotFound");
}

#[tokio::test]
async fn a_patch_merges_and_leaves_the_identity_alone() {
    let hub = hub().await;
    let device = hub.create("d", 'B').await;
    let first = json!({"tags": {"a": {"b": 1, "c": 2}}, "properties": {"desired": {"x": [1]}}});
    assert_eq!(
        hub.call(Method::PATCH, "/twins/d", &[], Some(first))
            .await
            .code(),
        200
    );
    let second = json!({"tags": {"a": {"b": null}}});
    let patched = hub.call(Method::PATCH, "/twins/d", &[], Some(second)).await;
    assert_eq!(patched.body["tags"], json!({"a": {"c": 2}}));
    assert_eq!(patched.body["properties"]["desired"]["x"], json!([1]));
    assert_eq!(patched.body["properties"]["desired"]["$version"], 2);
    assert_eq!(hub.get("/devices/d").await.etag(), device.etag());
}

#[tokio::test]
async fn a_put_replaces_under_the_etag() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let old = hub.get("/twins/d").await.etag();
    let body = json!({"tags": {"a": 1}, "properties": {"desired": {"x": 1}}});
    let put = hub.put("/twins/d", Some(&format!("\"{old}\"")), body).await;
    assert_eq!((put.code(), put.etag().as_str()), (200, "AAAAAAAAAAI="));
    let stale = hub
        .put("/twins/d", Some(&format!("\"{old}\"")), json!({}))
        .await;
    assert_eq!((stale.code(), stale.error()), (412, "PreconditionFailed"));
    let wiped = hub
        .put("/twins/d", Some("\"*\""), json!({"tags": {"b": 2}}))
        .await;
    assert_eq!(wiped.body["tags"], json!({"b": 2}));
    assert!(wiped.body["properties"]["desired"].get("x").is_none());
}

#[tokio::test]
async fn what_is_too_large_or_misnamed_changes_nothing() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let before = hub.get("/twins/d").await.body;
    let large =
        json!({"tags": {"a": "x".repeat(4000), "b": "x".repeat(4000), "c": "x".repeat(200)}});
    let desired = vec!["x".repeat(4000); 9];
    for body in [
        large,
        json!({"tags": {"a.b": 1}}),
        json!({"properties": {"desired": {"a": desired}}}),
    ] {
        let refused = hub.call(Method::PATCH, "/twins/d", &[], Some(body)).await;
        assert_eq!((refused.code(), refused.error()), (400, "ArgumentInvalid"));
    }
    assert_eq!(hub.get("/twins/d").await.body, before);
}

#[tokio::test]
async fn a_condition_that_is_no_text_is_not_fulfilled() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let url = format!("{}?{VERSION}", hub.url("/twins/d"));
    let odd = HeaderValue::from_bytes(b"\"\xff\"").unwrap();
    let request = hub
        .http
        .patch(url)
        .header("authorization", hub.owner_token().expose())
        .header("if-match", odd);
    let sent = request.json(&json!({"tags": {"a": 1}})).send().await;
    let refused = answer(sent.unwrap()).await;
    let expected = (412, "PreconditionFailed");
    assert_eq!((refused.code(), refused.error()), expected);
    assert_eq!(hub.get("/twins/d").await.body["tags"], json!({}));
}
