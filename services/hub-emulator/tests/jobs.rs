//! Import and export jobs: what is taken on, the slot, cancels, and imports that fail in part.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::Instant;

use common::blob::{Blobs, CANARY};
use common::jobs::{
    PATIENCE, begin, completed, devices, ended, export, fill, import, log, slow_hub, until,
};
use common::{device_path, hub, options, start};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_exported_is_imported_elsewhere() {
    let (east, west, blobs) = (hub().await, hub().await, Blobs::start().await);
    east.create("d1", 'B').await;
    let twin = json!({"tags": {"site": "ü"}, "properties": {"desired": {"rate": 7}}});
    east.call(Method::PATCH, "/twins/d1", &[], Some(twin)).await;
    let print = "A1".repeat(20);
    let signed = json!({"deviceId": "d2", "status": "disabled", "statusReason": "stolen",
        "authentication": {"type": "selfSigned",
            "x509Thumbprint": {"primaryThumbprint": print, "secondaryThumbprint": print}}});
    assert_eq!(east.put("/devices/d2", None, signed).await.code(), 200);

    let record = completed(&east, export(&blobs)).await;
    assert_eq!(
        (&record["type"], &record["progress"]),
        (&json!("export"), &json!(100))
    );
    assert!(record["startTimeUtc"].is_string() && record["endTimeUtc"].is_string());
    assert_eq!(blobs.names(), ["devices.txt"]);
    completed(&west, import(&blobs)).await;
    assert_eq!(
        blobs.names(),
        ["devices.txt"],
        "there were no errors to log"
    );

    for id in ["d1", "d2"] {
        let (from, to) = (
            east.get(&device_path(id)).await.body,
            west.get(&device_path(id)).await.body,
        );
        for field in ["authentication", "status", "statusReason", "capabilities"] {
            assert_eq!(from[field], to[field], "{id} {field}");
        }
    }
    let twin = west.get("/twins/d1").await.body;
    assert_eq!(twin["tags"], json!({"site": "ü"}));
    assert_eq!(twin["properties"]["desired"]["rate"], 7);
}

#[tokio::test]
async fn lines_that_fail_are_in_the_log_and_the_job_is_completed() {
    let (hub, blobs) = (hub().await, Blobs::start().await);
    hub.create("there", 'B').await;
    let text = [
        r#"{"id":"there","importMode":"create","status":"enabled"}"#,
        r#"{"id":"gone","importMode":"delete","status":"enabled"}"#,
        r#"{"id":"there","importMode":"updateIfMatchETag","eTag":"MA==","status":"enabled"}"#,
        r#"{"id":"there","importMode":"delete"}"#,
        r#"{"id":"there","#,
        "",
        r#"{"id":"new","status":"disabled"}"#,
    ];
    blobs.put("mine.txt", &text.join("\r\n"));
    let mut body = import(&blobs);
    body["inputBlobName"] = "mine.txt".into();
    let record = completed(&hub, body).await;
    assert_eq!(record.get("failureReason"), None);
    let device = |id: &str| Some(id.to_owned());
    let expected: [(Option<String>, u64); 5] = [
        (device("there"), 409_001),
        (device("gone"), 404_001),
        (device("there"), 412_001),
        (None, 400_012),
        (None, 400_012),
    ];
    assert_eq!(log(&blobs), expected);
    assert_eq!(hub.get("/devices/new").await.body["status"], "disabled");
    assert_eq!(devices(&hub).await, 2);
}

#[tokio::test]
async fn a_blob_that_is_not_there_fails_the_job() {
    let (hub, blobs) = (hub().await, Blobs::start().await);
    let id = begin(&hub, import(&blobs)).await;
    let record = ended(&hub, &id).await;
    assert_eq!(record["status"], "failed");
    let reason = record["failureReason"].as_str().unwrap();
    assert!(reason.contains("devices.txt"), "{reason}");
}

#[tokio::test]
async fn a_hub_may_have_no_jobs() {
    let mut options = options();
    options.job.no_jobs = true;
    let (hub, blobs) = (start(options).await, Blobs::start().await);
    let calls = [
        hub.post("/jobs/create", export(&blobs)).await,
        hub.get("/jobs").await,
        hub.get("/jobs/v2/query").await,
    ];
    for refused in calls {
        assert_eq!((refused.code(), refused.error()), (400, "InvalidOperation"));
    }
    assert_eq!(blobs.calls(), Vec::<String>::new());
    assert_eq!(hub.get("/devices").await.code(), 200);
}

#[tokio::test]
async fn a_job_that_fails_tells_the_lines_that_failed_before() {
    let (hub, blobs) = (hub().await, Blobs::start().await);
    let line = r#"{"id":"gone","importMode":"delete","status":"enabled"}"#;
    blobs.put("devices.txt", line);
    let mut body = import(&blobs);
    // There is no blob with configurations.
    body["includeConfigurations"] = true.into();
    let id = begin(&hub, body).await;
    assert_eq!(ended(&hub, &id).await["status"], "failed");
    assert_eq!(log(&blobs), [(Some("gone".to_owned()), 404_001)]);
}

#[tokio::test]
async fn a_container_that_cannot_be_used_makes_no_job() {
    let hub = hub().await;
    let (whole, stingy) = (Blobs::start().await, Blobs::start().await);
    stingy.deny('d');
    let wrong_key = whole.uri().replace(CANARY, "x");
    let no_container = whole.uri().replace("/box", "/other");
    for (uri, word) in [
        (whole.uri_with("racwl"), "delete"),
        (stingy.uri(), "delete"),
        (wrong_key, "write"),
        (no_container, "write"),
        (whole.uri_without_sas(), "write"),
        (
            "http://127.0.0.1:1/account/box?sig=".to_owned() + CANARY,
            "write",
        ),
        (CANARY.to_owned(), "URL"),
    ] {
        let body = json!({"type": "export", "outputBlobContainerUri": uri,
            "storageAuthenticationType": "keyBased"});
        let refused = hub.post("/jobs/create", body).await;
        let got = (refused.code(), refused.error());
        assert_eq!(got, (400, "BlobContainerValidationError"), "{word}");
        let words = refused.body.to_string();
        assert!(words.contains(word) && !words.contains(CANARY), "{words}");
    }
    assert_eq!(hub.get("/jobs").await.body, json!([]));
}

#[tokio::test]
async fn what_is_not_a_job_is_refused() {
    let (hub, blobs) = (hub().await, Blobs::start().await);
    for body in [
        json!({"type": "backup", "outputBlobContainerUri": blobs.uri()}),
        json!({"outputBlobContainerUri": blobs.uri()}),
        json!({"type": "export"}),
        json!({"type": "import", "inputBlobContainerUri": blobs.uri()}),
        json!({"type": "export", "outputBlobContainerUri": 7}),
    ] {
        let refused = hub.post("/jobs/create", body.clone()).await;
        assert_eq!(refused.code(), 400, "{body}");
    }
    let unknown = hub.get("/jobs/none").await;
    assert_eq!((unknown.code(), unknown.error()), (404, "JobNotFound"));
    let unknown = hub.call(Method::DELETE, "/jobs/none", &[], None).await;
    assert_eq!((unknown.code(), unknown.error()), (404, "JobNotFound"));
}

#[tokio::test]
async fn there_is_one_slot_and_a_cancel_frees_it_at_once() {
    let (hub, blobs) = (slow_hub(1).await, Blobs::start().await);
    fill(&hub, 100).await;
    let id = begin(&hub, export(&blobs)).await;
    until(&hub, &id, |record| record["status"] == "running").await;
    blobs.put("devices.txt", "");
    let refused = hub.post("/jobs/create", import(&blobs)).await;
    assert_eq!((refused.code(), refused.error()), (403, "JobQuotaExceeded"));

    // C# sends the job's id as an etag.
    let headers = [("if-match", id.as_str())];
    let cancelled = hub
        .call(Method::DELETE, &format!("/jobs/{id}"), &headers, None)
        .await;
    let got = (cancelled.code(), &cancelled.body["status"]);
    assert_eq!(got, (200, &json!("cancelled")));
    completed(&hub, import(&blobs)).await;
    let all = hub.get("/jobs").await.body;
    let states: Vec<&Value> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|job| &job["status"])
        .collect();
    assert_eq!(states, [&json!("cancelled"), &json!("completed")]);
    assert_eq!(
        blobs.text("devices.txt").unwrap(),
        "",
        "the export was never finished"
    );
}

#[tokio::test]
async fn a_cancelled_import_applies_nothing_more() {
    let (hub, blobs) = (slow_hub(20).await, Blobs::start().await);
    let line = |n: usize| format!("{{\"id\":\"d{n}\",\"status\":\"enabled\"}}\n");
    blobs.put("devices.txt", &(0..1000).map(line).collect::<String>());
    let id = begin(&hub, import(&blobs)).await;
    let begun = Instant::now();
    while devices(&hub).await == 0 {
        assert!(begun.elapsed() < PATIENCE);
    }
    hub.call(Method::DELETE, &format!("/jobs/{id}"), &[], None)
        .await;
    let count = devices(&hub).await;
    assert!(count < 1000, "{count}");
    // Long enough for the import to go on, if it did.
    completed(&hub, export(&blobs)).await;
    assert_eq!(devices(&hub).await, count);
    assert_eq!(
        hub.get(&format!("/jobs/{id}")).await.body["status"],
        "cancelled"
    );
}

#[tokio::test]
async fn records_and_answers_do_not_show_the_container() {
    let (hub, blobs) = (hub().await, Blobs::start().await);
    let created = hub.post("/jobs/create", export(&blobs)).await;
    let id = created.body["jobId"].as_str().unwrap();
    let record = ended(&hub, id).await;
    let all = hub.get("/jobs").await.body;
    for body in [&created.body, &record, &all] {
        let text = body.to_string();
        assert!(!text.contains(CANARY) && !text.contains("Uri"), "{text}");
    }
}
