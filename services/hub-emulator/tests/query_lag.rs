//! Queries that lag behind, and ghosts in them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use common::{Hub, options, start};
use reqwest::Method;
use serde_json::{Value, json};

const HOUR: Duration = Duration::from_secs(3600);

async fn query(hub: &Hub, text: &str) -> Value {
    let answer = hub.post("/devices/query", json!({ "query": text })).await;
    assert_eq!(answer.code(), 200, "{text}: {}", answer.body);
    answer.body
}

/// A hub with the seeded devices `kept` and `deleted`, of the site `old`, that lies so.
async fn liar(lag: Duration, ghosts: Duration) -> Hub {
    let seed = tempfile::NamedTempFile::new().unwrap();
    let line =
        |id: &str| json!({"id": id, "status": "enabled", "tags": {"site": "old"}}).to_string();
    std::fs::write(
        seed.path(),
        format!("{}\n{}\n", line("deleted"), line("kept")),
    )
    .unwrap();
    let mut options = options();
    options.seed = Some(seed.path().to_owned());
    (options.query.lag, options.query.ghosts) = (lag, ghosts);
    start(options).await
}

/// Changes `kept`, deletes `deleted` and makes `made`.
async fn change(hub: &Hub) {
    let tags = json!({"tags": {"site": "new"}});
    let patched = hub
        .call(Method::PATCH, "/twins/kept", &[], Some(tags))
        .await;
    assert_eq!(patched.code(), 200, "{}", patched.body);
    let any = [("if-match", "*")];
    let deleted = hub
        .call(Method::DELETE, "/devices/deleted", &any, None)
        .await;
    assert_eq!(deleted.code(), 204);
    hub.create("made", 'B').await;
}

/// What a query sees of ids and sites.
async fn sites(hub: &Hub) -> Value {
    query(hub, "select deviceId, tags.site from devices").await
}

#[tokio::test]
async fn lagging_queries_see_what_was_and_reads_see_what_is() {
    let hub = liar(HOUR, Duration::ZERO).await;
    change(&hub).await;
    assert_eq!(
        sites(&hub).await,
        json!([{"deviceId": "deleted", "site": "old"}, {"deviceId": "kept", "site": "old"}])
    );
    let found = query(&hub, "select deviceId from devices where tags.site = 'old'").await;
    assert_eq!(
        found,
        json!([{"deviceId": "deleted"}, {"deviceId": "kept"}])
    );
    assert_eq!(hub.get("/twins/kept").await.body["tags"]["site"], "new");
    assert_eq!(hub.get("/twins/deleted").await.code(), 404);
    assert_eq!(hub.get("/devices/made").await.code(), 200);
    hub.create("more", 'B').await;
    let counts = hub.get("/statistics/devices").await.body;
    assert_eq!(counts["totalDeviceCount"], 2, "three are there");
}

#[tokio::test]
async fn ghosts_are_listed_and_all_else_is_current() {
    let hub = liar(Duration::ZERO, HOUR).await;
    change(&hub).await;
    assert_eq!(
        sites(&hub).await,
        json!([
            {"deviceId": "deleted", "site": "old"},
            {"deviceId": "kept", "site": "new"},
            {"deviceId": "made"},
        ])
    );
    let count = query(&hub, "select count() as n from devices").await;
    assert_eq!(count, json!([{"n": 3}]));
    assert_eq!(hub.get("/devices/deleted").await.code(), 404);
    assert_eq!(hub.get("/devices").await.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_lies_queries_are_current() {
    let hub = liar(Duration::ZERO, Duration::ZERO).await;
    change(&hub).await;
    assert_eq!(
        sites(&hub).await,
        json!([{"deviceId": "kept", "site": "new"}, {"deviceId": "made"}])
    );
}
