//! Bulk calls and queries over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::num::NonZeroU32;

use common::{Hub, hub, options, start};
use reqwest::Method;
use serde_json::{Value, json};

async fn query(hub: &Hub, text: &str, headers: &[(&str, &str)]) -> common::Answer {
    hub.call(
        Method::POST,
        "/devices/query",
        headers,
        Some(json!({ "query": text })),
    )
    .await
}

#[tokio::test]
async fn a_bulk_call_applies_good_entries_and_names_bad_ones() {
    let hub = hub().await;
    hub.create("there", 'B').await;
    let entries = json!([
        {"id": "new", "importMode": "create", "status": "disabled", "tags": {"a": 1},
            "properties": {"desired": {"b": 2}}},
        {"id": "there", "importMode": "Create", "status": "enabled"},
        {"id": "gone", "importMode": "Delete"},
        {"id": "there2", "importMode": "updateIfMatchETag", "etag": "MA==", "status": "enabled"},
    ]);
    let answer = hub.post("/devices/", entries).await;
    assert_eq!(answer.code(), 400);
    assert_eq!(answer.body["isSuccessful"], false);
    let errors: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            (
                e["deviceId"].as_str().unwrap(),
                e["errorCode"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("there", "DeviceAlreadyExists"),
        ("gone", "DeviceNotFound"),
        ("there2", "DeviceNotFound"),
    ];
    assert_eq!(errors, expected);
    let twin = hub.get("/twins/new").await.body;
    assert_eq!(
        (&twin["tags"]["a"], &twin["properties"]["desired"]["b"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(twin["status"], "disabled");
}

#[tokio::test]
async fn bulk_updates_and_deletes_check_the_etag_of_the_entry() {
    let hub = hub().await;
    let device = hub.create("d", 'B').await;
    let authentication = device.body["authentication"].clone();
    let update = |etag: &str| {
        json!([{"id": "d", "importMode": "UpdateIfMatchETag", "eTag": etag,
        "status": "disabled", "authentication": authentication}])
    };
    let stale = hub.post("/devices", update("MA==")).await;
    assert_eq!(stale.body["errors"][0]["errorCode"], "PreconditionFailed");
    let done = hub.post("/devices", update(&device.etag())).await;
    assert_eq!(
        (done.code(), &done.body["isSuccessful"]),
        (200, &json!(true))
    );
    assert_eq!(
        hub.get("/devices/d").await.body["authentication"],
        authentication
    );

    let delete = |etag: &str| json!([{"id": "d", "importMode": "deleteIfMatchETag", "eTag": etag}]);
    assert_eq!(
        hub.post("/devices", delete(&device.etag())).await.code(),
        400
    );
    let etag = hub.get("/devices/d").await.etag();
    assert_eq!(hub.post("/devices", delete(&etag)).await.code(), 200);
    assert_eq!(hub.get("/devices/d").await.code(), 404);
}

#[tokio::test]
async fn a_bulk_twin_update_replaces_tags_and_desired() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let twin_etag = hub.get("/twins/d").await.etag();
    let entry = json!([{"id": "d", "importMode": "updateTwinIfMatchETag", "twinETag": twin_etag,
        "status": "enabled", "tags": {"a": 1}, "properties": {"desired": {"b": 2}}}]);
    assert_eq!(hub.post("/devices", entry.clone()).await.code(), 200);
    assert_eq!(hub.get("/twins/d").await.body["tags"], json!({"a": 1}));
    assert_eq!(hub.post("/devices", entry).await.code(), 400);
}

#[tokio::test]
async fn a_bulk_call_is_as_strict_as_ordered() {
    let mut options = options();
    options.registry.strict_bulk_modes = true;
    options.registry.bulk_error_numbers = true;
    let hub = start(options).await;
    let entry = |id: &str, mode: &str| json!({"id": id, "importMode": mode, "status": "enabled"});
    let entries = json!([
        entry("made", "create"),
        entry("either", "createOrUpdate"),
        {"id": "silent", "status": "enabled"},
        entry("gone", "delete"),
    ]);
    let answer = hub.post("/devices", entries).await;
    assert_eq!(answer.code(), 400);
    let codes: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["deviceId"].as_str().unwrap(),
                error["errorCode"].as_u64(),
            )
        })
        .collect();
    let expected = [
        ("either", Some(400_004)),
        ("silent", Some(400_004)),
        ("gone", Some(404_001)),
    ];
    assert_eq!(codes, expected);
    assert_eq!(hub.get("/devices").await.body.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn pages_and_projections_are_as_ordered() {
    let mut options = options();
    options.query.max_page = NonZeroU32::new(2).unwrap();
    options.query.hide_device_etag = true;
    let hub = start(options).await;
    for id in ["a", "b", "c"] {
        hub.create(id, 'B').await;
    }
    let asked = [("x-ms-max-item-count", "1000")];
    let page = query(&hub, "select * from devices", &asked).await;
    assert_eq!(page.body.as_array().unwrap().len(), 2);
    assert!(page.header("x-ms-continuation").is_some());
    assert!(page.body[0]["deviceEtag"].is_string());
    let projection = "select deviceId, deviceEtag from devices where deviceId = 'a'";
    let page = query(&hub, projection, &[]).await;
    assert_eq!(page.body, json!([{"deviceId": "a"}]));
}

#[tokio::test]
async fn too_many_and_repeated_devices_are_refused_as_a_whole() {
    let hub = hub().await;
    let many: Vec<Value> = (0..101).map(|n| json!({"id": format!("d{n}")})).collect();
    let refused = hub.post("/devices", json!(many)).await;
    assert_eq!((refused.code(), refused.error()), (413, "TooManyDevices"));
    let twice = hub
        .post("/devices", json!([{"id": "a"}, {"id": "b"}, {"id": "a"}]))
        .await;
    assert_eq!(
        (twice.code(), twice.error()),
        (400, "DeviceDefinedMultipleTimes")
    );
    assert_eq!(hub.get("/devices").await.body, json!([]));
    let hundred: Vec<Value> = (0..100)
        .map(|n| json!({"id": format!("d{n}"), "status": "enabled"}))
        .collect();
    assert_eq!(hub.post("/devices", json!(hundred)).await.code(), 200);
}

#[tokio::test]
async fn pages_follow_the_ids_and_the_last_has_no_continuation() {
    let hub = hub().await;
    let many: Vec<Value> = (0..25)
        .map(|n| json!({"id": format!("d{n:02}"), "status": "enabled"}))
        .collect();
    hub.post("/devices", json!(many)).await;
    let text = "select * from devices";
    let mut ids = Vec::new();
    let mut continuation = None::<String>;
    let mut pages = 0;
    loop {
        let mut headers = vec![("x-ms-max-item-count", "10")];
        if let Some(token) = &continuation {
            headers.push(("x-ms-continuation", token));
        }
        let page = query(&hub, text, &headers).await;
        assert_eq!(page.header("x-ms-item-type"), Some("Twin"));
        for row in page.body.as_array().unwrap() {
            assert!(row["deviceEtag"].is_string() && row.get("authentication").is_none());
            ids.push(row["deviceId"].as_str().unwrap().to_owned());
        }
        pages += 1;
        continuation = page.header("x-ms-continuation").map(str::to_owned);
        if continuation.is_none() {
            break;
        }
        // What comes and goes between pages shifts nothing.
        hub.call(Method::DELETE, "/devices/d00", &[("if-match", "*")], None)
            .await;
    }
    assert_eq!(pages, 3);
    assert_eq!(ids, (0..25).map(|n| format!("d{n:02}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_last_page_has_no_continuation_either() {
    let hub = hub().await;
    let two = json!([{"id": "a", "status": "enabled"}, {"id": "b", "status": "enabled"}]);
    hub.post("/devices", two).await;
    let page = query(
        &hub,
        "select * from devices",
        &[("x-ms-max-item-count", "2")],
    )
    .await;
    assert_eq!(page.body.as_array().unwrap().len(), 2);
    assert_eq!(page.header("x-ms-continuation"), None);
}

#[tokio::test]
async fn conditions_counts_and_mistakes() {
    let hub = hub().await;
    hub.post(
        "/devices",
        json!([
            {"id": "a", "status": "enabled", "tags": {"site": {"floor": 1}}},
            {"id": "b", "status": "disabled", "tags": {"site": {"floor": 2}}},
        ]),
    )
    .await;
    let found = query(&hub, "SELECT * FROM devices WHERE tags.site.floor = 2", &[]).await;
    assert_eq!(found.body[0]["deviceId"], "b");
    let count = "select count() as n from devices where status = 'enabled'";
    let counted = query(&hub, count, &[]).await;
    assert_eq!(
        (
            counted.body,
            counted.headers["x-ms-item-type"]
                .to_str()
                .unwrap()
                .to_owned()
        ),
        (json!([{"n": 1}]), "Raw".to_owned())
    );

    let wrong = query(&hub, "select * from devices where status ~ 'a'", &[]).await;
    assert_eq!((wrong.code(), wrong.error()), (400, "ArgumentInvalid"));
    let foreign = [("x-ms-continuation", "bm9uZQ")];
    assert_eq!(
        query(&hub, "select * from devices", &foreign).await.code(),
        400
    );
    let size = [("x-ms-max-item-count", "0")];
    assert_eq!(
        query(&hub, "select * from devices", &size).await.code(),
        400
    );
}
