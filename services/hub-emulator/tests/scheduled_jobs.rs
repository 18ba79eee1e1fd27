//! Scheduled jobs over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use common::{Hub, hub, options, start};
use hubshift_azure::wire_time;
use reqwest::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// A job that does not end in this time never will.
const PATIENCE: Duration = Duration::from_secs(30);

async fn slow_hub() -> Hub {
    let mut options = options();
    options.job.job_lines_per_second = NonZeroU32::new(1);
    start(options).await
}

/// Devices of two sites.
async fn fill(hub: &Hub) {
    let device =
        |id: &str, site: &str| json!({"id": id, "status": "enabled", "tags": {"site": site}});
    let all = json!([device("a1", "a"), device("a2", "a"), device("b1", "b")]);
    assert_eq!(hub.post("/devices", all).await.code(), 200);
}

fn twin_job(condition: &str) -> Value {
    json!({"type": "scheduleUpdateTwin", "queryCondition": condition,
        "updateTwin": {"etag": "*", "tags": {"new": 1}}, "maxExecutionTimeInSeconds": 60})
}

async fn put(hub: &Hub, id: &str, body: Value) -> common::Answer {
    hub.put(&format!("/jobs/v2/{id}"), None, body).await
}

async fn until(hub: &Hub, id: &str, status: &str) -> Value {
    let begun = Instant::now();
    loop {
        let record = hub.get(&format!("/jobs/v2/{id}")).await.body;
        if record["status"] == status {
            return record;
        }
        assert!(begun.elapsed() < PATIENCE, "{record}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn tag(hub: &Hub, id: &str) -> Value {
    hub.get(&format!("/twins/{id}")).await.body["tags"]["new"].clone()
}

/// A page of ids, and where the next one starts.
async fn page(hub: &Hub, filter: &str, headers: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
    let url = format!("{}?{}{filter}", hub.url("/jobs/v2/query"), common::VERSION);
    let mut request = hub
        .http
        .get(url)
        .header("authorization", hub.owner_token().expose());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = common::answer(request.send().await.unwrap()).await;
    assert_eq!(answer.code(), 200, "{}", answer.body);
    assert_eq!(answer.header("x-ms-item-type"), Some("jobResponse"));
    assert_eq!(answer.body["type"], "jobResponse");
    let rows = answer.body["items"].as_array().unwrap().iter();
    let ids = rows
        .map(|row| row["jobId"].as_str().unwrap().to_owned())
        .collect();
    (ids, answer.header("x-ms-continuation").map(str::to_owned))
}

#[tokio::test]
async fn a_twin_job_changes_the_devices_of_its_condition() {
    let hub = hub().await;
    fill(&hub).await;
    let created = put(&hub, "j", twin_job("tags.site = 'a'")).await;
    assert_eq!((created.code(), &created.body["jobId"]), (200, &json!("j")));
    let record = until(&hub, "j", "completed").await;
    assert_eq!(record["type"], "scheduleUpdateTwin");
    assert_eq!(record["updateTwin"]["tags"], json!({"new": 1}));
    assert!(record["createdTime"].is_string() && record["endTime"].is_string());
    let expected = json!({"deviceCount": 2, "succeededCount": 2, "failedCount": 0,
        "runningCount": 0, "pendingCount": 0});
    assert_eq!(record["deviceJobStatistics"], expected);
    for (id, new) in [("a1", json!(1)), ("a2", json!(1)), ("b1", Value::Null)] {
        assert_eq!(tag(&hub, id).await, new, "{id}");
    }
}

#[tokio::test]
async fn a_star_means_all_and_a_stale_etag_fails_the_device_and_not_the_job() {
    let hub = hub().await;
    fill(&hub).await;
    let mut body = twin_job("*");
    body["updateTwin"]["etag"] = hub.get("/twins/b1").await.etag().into();
    hub.call(
        Method::PATCH,
        "/twins/b1",
        &[],
        Some(json!({"tags": {"x": 1}})),
    )
    .await;
    put(&hub, "j", body).await;
    let record = until(&hub, "j", "completed").await;
    let counts = &record["deviceJobStatistics"];
    assert_eq!(
        (&counts["deviceCount"], &counts["failedCount"]),
        (&json!(3), &json!(1))
    );
    assert_eq!(tag(&hub, "b1").await, Value::Null);
}

#[tokio::test]
async fn no_device_is_online_for_a_method() {
    let hub = hub().await;
    fill(&hub).await;
    let body = json!({"jobId": "j", "type": "scheduleDeviceMethod", "queryCondition": "*",
        "cloudToDeviceMethod": {"methodName": "reboot", "payload": {"a": 1}}, "startTime": null});
    assert_eq!(put(&hub, "j", body).await.code(), 200);
    let record = until(&hub, "j", "completed").await;
    assert_eq!(record["deviceJobStatistics"]["failedCount"], 3);
    assert_eq!(record["cloudToDeviceMethod"]["methodName"], "reboot");
}

#[tokio::test]
async fn what_is_wrong_with_a_job_is_told_at_once_and_with_its_condition_later() {
    let hub = hub().await;
    let unknown = hub.get("/jobs/v2/none").await;
    assert_eq!((unknown.code(), unknown.error()), (404, "JobNotFound"));
    let unknown = hub.post("/jobs/v2/none/cancel", json!({})).await;
    assert_eq!((unknown.code(), unknown.error()), (404, "JobNotFound"));
    let refused = put(&hub, "j", json!({"type": "scheduleUpdateTwin"})).await;
    assert_eq!((refused.code(), refused.error()), (400, "ArgumentNull"));

    assert_eq!(
        put(&hub, "j", twin_job("this is = no condition"))
            .await
            .code(),
        200
    );
    let record = until(&hub, "j", "failed").await;
    let reason = record["failureReason"].as_str().unwrap();
    assert!(reason.starts_with("SQL query parse failed"), "{reason}");
    let twice = put(&hub, "j", twin_job("*")).await;
    assert_eq!((twice.code(), twice.error()), (409, "JobAlreadyExists"));
}

#[tokio::test]
async fn one_job_runs_at_a_time_and_a_cancel_leaves_the_rest_undone() {
    let hub = slow_hub().await;
    fill(&hub).await;
    assert_eq!(put(&hub, "first", twin_job("*")).await.code(), 200);
    let second = put(&hub, "second", twin_job("*")).await;
    let expected = (429, "ThrottlingMaxActiveJobCountExceeded");
    assert_eq!((second.code(), second.error()), expected);
    let begun = Instant::now();
    while tag(&hub, "a1").await.is_null() {
        assert!(begun.elapsed() < PATIENCE);
    }
    let cancelled = hub.post("/jobs/v2/first/cancel", json!({})).await;
    assert_eq!(
        (cancelled.code(), &cancelled.body["status"]),
        (200, &json!("cancelled"))
    );
    assert_eq!(tag(&hub, "b1").await, Value::Null);
    assert_eq!(put(&hub, "second", twin_job("*")).await.code(), 200);
    until(&hub, "second", "running").await;
}

#[tokio::test]
async fn a_job_waits_for_its_time_and_can_be_cancelled_before() {
    let hub = hub().await;
    fill(&hub).await;
    let at = |delay: Duration| wire_time::write(OffsetDateTime::now_utc() + delay);
    let mut body = twin_job("*");
    body["startTime"] = at(Duration::from_secs(3600)).into();
    let later = put(&hub, "later", body.clone()).await;
    assert_eq!(later.body["status"], "scheduled");
    body["startTime"] = at(Duration::from_millis(300)).into();
    assert_eq!(put(&hub, "soon", body).await.body["status"], "scheduled");
    until(&hub, "soon", "completed").await;

    let cancelled = hub.post("/jobs/v2/later/cancel", json!({})).await;
    assert_eq!(cancelled.body["status"], "cancelled");
    let over = hub.post("/jobs/v2/soon/cancel", json!({})).await;
    assert_eq!(over.body["status"], "completed");
}

#[tokio::test]
async fn queries_filter_and_page() {
    let hub = hub().await;
    let method = json!({"type": "scheduleDeviceMethod", "queryCondition": "*",
        "cloudToDeviceMethod": {"methodName": "m"}});
    for (id, body) in [("a", twin_job("*")), ("b", method), ("c", twin_job("*"))] {
        put(&hub, id, body).await;
        until(&hub, id, "completed").await;
    }
    let none = "&jobType=&jobStatus=";
    assert_eq!(page(&hub, none, &[]).await.0, ["a", "b", "c"]);
    let twins = page(&hub, "&jobType=scheduleUpdateTwin&jobStatus=completed", &[]).await;
    assert_eq!(twins, (vec!["a".to_owned(), "c".to_owned()], None));
    assert!(page(&hub, "&jobStatus=running", &[]).await.0.is_empty());

    let (first, next) = page(&hub, "", &[("x-ms-max-item-count", "2")]).await;
    assert_eq!(first, ["a", "b"]);
    let headers = [
        ("x-ms-max-item-count", "2"),
        ("x-ms-continuation", next.as_deref().unwrap()),
    ];
    assert_eq!(page(&hub, "", &headers).await, (vec!["c".to_owned()], None));
}

#[tokio::test]
async fn a_query_is_answered_with_a_list_and_small_pages_if_that_is_ordered() {
    let mut options = options();
    options.job.job_query_as_list = true;
    options.query.max_page = NonZeroU32::MIN;
    let hub = start(options).await;
    for id in ["j", "k"] {
        put(&hub, id, twin_job("*")).await;
        until(&hub, id, "completed").await;
    }
    let answer = hub.get("/jobs/v2/query").await;
    assert_eq!(answer.header("x-ms-item-type"), Some("jobResponse"));
    assert_eq!(answer.body[0]["jobId"], "j");
    assert_eq!(answer.body.as_array().unwrap().len(), 1);
    assert!(answer.header("x-ms-continuation").is_some());
}
