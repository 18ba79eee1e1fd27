//! What export jobs write.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::num::NonZeroU32;

use common::blob::Blobs;
use common::jobs::{begin, completed, devices, ended, export, fill, import, lines, log, until};
use common::{hub, key, options, start};
use hubshift_azure::export_line;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn an_export_without_keys_begins_with_a_notice() {
    let (east, west, blobs) = (hub().await, hub().await, Blobs::start().await);
    east.create("d", 'B').await;
    let mut body = export(&blobs);
    body["excludeKeysInExport"] = true.into();
    assert_eq!(completed(&east, body).await["excludeKeysInExport"], true);
    let text = blobs.text("devices.txt").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(export_line::is_notice(lines[0]), "{}", lines[0]);
    let device: Value = serde_json::from_str(lines[1]).unwrap();
    let nothing = json!({"primaryKey": null, "secondaryKey": null});
    assert_eq!(device["authentication"]["symmetricKey"], nothing);

    // The notice is a line that cannot be read, and the device gets keys of its own.
    completed(&west, import(&blobs)).await;
    assert_eq!(log(&blobs), [(None, 400_012)]);
    let device = west.get("/devices/d").await.body;
    let keys = &device["authentication"]["symmetricKey"];
    assert!(keys["primaryKey"].is_string());
    assert_ne!(keys["primaryKey"], key('B').expose());
}

/// Exports 60 devices, deletes the last while the first are written, and tells how many came out.
async fn exported_while_written(in_pieces: bool) -> usize {
    let mut options = options();
    options.job.job_lines_per_second = NonZeroU32::new(50);
    options.job.export_while_written = in_pieces;
    let (hub, blobs) = (start(options).await, Blobs::start().await);
    fill(&hub, 60).await;
    let id = begin(&hub, export(&blobs)).await;
    until(&hub, &id, |record| record["progress"].as_i64() > Some(0)).await;
    let any = [("if-match", "*")];
    let deleted = hub.call(Method::DELETE, "/devices/d059", &any, None).await;
    assert_eq!(deleted.code(), 204);
    assert_eq!(ended(&hub, &id).await["status"], "completed");
    lines(&blobs, "devices.txt").len()
}

#[tokio::test]
async fn an_export_is_of_one_moment_unless_the_other_is_ordered() {
    assert_eq!(exported_while_written(false).await, 60);
    assert_eq!(exported_while_written(true).await, 59);
}

#[tokio::test]
async fn large_exports_go_in_blocks_and_come_back_in_ranges() {
    let (east, west, blobs) = (hub().await, hub().await, Blobs::start().await);
    let text = "x".repeat(4000);
    let desired: Value = (0..7).map(|n| (format!("p{n}"), json!(text))).collect();
    let all: Vec<Value> = (0..320)
        .map(|n| {
            json!({"id": format!("d{n:03}"), "status": "enabled",
                "properties": {"desired": desired}})
        })
        .collect();
    for hundred in all.chunks(100) {
        assert_eq!(east.post("/devices", json!(hundred)).await.code(), 200);
    }
    completed(&east, export(&blobs)).await;
    let calls = blobs.calls();
    assert!(
        calls.contains(&"PUT devices.txt blocklist".to_owned()),
        "{calls:?}"
    );
    completed(&west, import(&blobs)).await;
    assert_eq!(devices(&west).await, 320);
    let (from, to) = (
        east.get("/twins/d319").await.body,
        west.get("/twins/d319").await.body,
    );
    assert_eq!(
        to["properties"]["desired"]["p6"],
        from["properties"]["desired"]["p6"]
    );
    let ranges = blobs
        .calls()
        .iter()
        .filter(|call| *call == "GET devices.txt ")
        .count();
    assert!(ranges >= 3, "{ranges}");
}

#[tokio::test]
async fn configurations_are_part_of_a_job_that_asks_for_them() {
    let (east, west, blobs) = (hub().await, hub().await, Blobs::start().await);
    let body = json!({"id": "c", "targetCondition": "tags.site = 'a'", "priority": 7,
        "content": {"deviceContent": {"properties.desired.rate": 1}}});
    let made = east.put("/configurations/c", None, body).await;
    assert!(made.status.is_success(), "{}", made.body);
    let with_configurations = |mut order: Value| {
        order["includeConfigurations"] = true.into();
        order
    };
    completed(&east, with_configurations(export(&blobs))).await;
    assert_eq!(blobs.names(), ["configurations.txt", "devices.txt"]);
    completed(&west, with_configurations(import(&blobs))).await;
    let (from, to) = (
        east.get("/configurations/c").await.body,
        west.get("/configurations/c").await.body,
    );
    for field in ["content", "priority", "targetCondition"] {
        assert_eq!(from[field], to[field], "{field}");
    }

    // There it is now, with another etag.
    completed(&west, with_configurations(import(&blobs))).await;
    assert_eq!(log(&blobs), [(Some("c".to_owned()), 412_001)]);
}
