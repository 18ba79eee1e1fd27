//! Import and export jobs through a real Azurite: what comes out, goes into an empty hub and comes
//! out again is the same.
//!
//! `HUBSHIFT_AZURITE_DEVICES` makes it a campaign: so many plain devices (`cargo xtask azurite`).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod blobs;
mod common;

use std::time::{Duration, Instant};

use blobs::{Azurite, Container};
use common::{Hub, hub, key};
use serde_json::{Value, json};

/// Devices of the test, of all kinds.
const DEVICES: usize = 2_000;
/// The most entries of a bulk call.
const BULK: usize = 100;
/// How long a job may take for every thousand devices, and at least.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_goes_out_in_and_out_again_unchanged() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let campaign = std::env::var("HUBSHIFT_AZURITE_DEVICES");
    let campaign = campaign.ok().and_then(|text| text.parse::<usize>().ok());
    let count = campaign.unwrap_or(DEVICES);
    let (source, target) = (hub().await, hub().await);
    let kind = if campaign.is_some() { plain } else { any_kind };
    let started = Instant::now();
    fill(&source, count, kind).await;
    if campaign.is_none() {
        add_modules(&source).await;
    }
    println!("{count} devices made in {:.1?}", started.elapsed());

    let first = azurite.container("first", blobs::ALL).await;
    let second = azurite.container("second", blobs::ALL).await;
    let exported = export(&source, &first, count).await;
    import(&target, &first, count).await;
    let again = export(&target, &second, count).await;
    assert!(exported.len() >= count, "{} lines", exported.len());
    assert_eq!(exported.len(), again.len());
    for (before, after) in exported.iter().zip(&again) {
        assert_eq!(before, after);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_may_not_be_cleaned_is_refused_at_once() {
    let Some(azurite) = Azurite::start() else {
        return;
    };
    let hub = hub().await;
    hub.create("d", 'B').await;
    let container = azurite.container("narrow", "racwl").await;
    let order = json!({"type": "export", "outputBlobContainerUri": container.uri(),
        "excludeKeysInExport": false});
    let refused = hub.post("/jobs/create", order).await;
    assert_eq!(
        (refused.code(), refused.error()),
        (400, "BlobContainerValidationError")
    );
    assert_eq!(container.read("devices.txt").await, None);
}

/// Makes devices by bulk calls.
async fn fill(hub: &Hub, count: usize, kind: fn(usize) -> Value) {
    let numbers: Vec<usize> = (0..count).collect();
    for part in numbers.chunks(BULK) {
        let entries: Vec<Value> = part.iter().map(|number| kind(*number)).collect();
        let made = hub.post("/devices", json!(entries)).await;
        assert_eq!(made.code(), 200, "{}", made.body);
    }
}

/// Enabled, with keys of its own and a tag.
fn plain(number: usize) -> Value {
    json!({
        "id": format!("device-{number:06}"), "importMode": "create", "status": "enabled",
        "authentication": sas(), "tags": {"number": number},
    })
}

/// Every kind in turn; ids with every legal character, text of every sort.
fn any_kind(number: usize) -> Value {
    let mut device = plain(number);
    device["properties"] =
        json!({"desired": {"rate": number, "deep": {"text": "ä€𝄞", "half": 0.5}}});
    match number % 5 {
        1 => {
            device["status"] = json!("disabled");
            device["statusReason"] = json!("lost in the \"field\", ä€𝄞");
        }
        2 => {
            let print = format!("{number:040X}");
            device["authentication"] = json!({"type": "selfSigned", "x509Thumbprint":
                {"primaryThumbprint": print, "secondaryThumbprint": print.to_lowercase()}});
        }
        3 => device["authentication"] = json!({"type": "certificateAuthority"}),
        4 => {
            device["id"] = json!(format!("odd-{number}-:.+%_#*?!(),=@;$'"));
            device["tags"] = json!({"list": [1, "two", true, [3]], "text": "line\nfeed"});
        }
        _ if number.is_multiple_of(50) => device["capabilities"] = json!({"iotEdge": true}),
        _ => {}
    }
    device
}

fn sas() -> Value {
    json!({"type": "sas", "symmetricKey":
        {"primaryKey": key('B').expose(), "secondaryKey": key('C').expose()}})
}

/// Modules of the first devices, one with a twin that says something.
async fn add_modules(hub: &Hub) {
    for number in [0, 5, 10] {
        let device = format!("device-{number:06}");
        for module in ["first", "second"] {
            let body = json!({"deviceId": device, "moduleId": module, "managedBy": "test",
                "authentication": sas()});
            let path = format!("/devices/{device}/modules/{module}");
            let made = hub.put(&path, None, body).await;
            assert!(made.status.is_success(), "{}", made.body);
        }
        let twin = json!({"tags": {"role": "probe"}, "properties": {"desired": {"rate": 5}}});
        let path = format!("/twins/{device}/modules/first");
        let made = hub.call(reqwest::Method::PATCH, &path, &[], Some(twin));
        assert_eq!(made.await.code(), 200);
    }
}

/// Exports, and reads the lines without what two hubs never have in common.
async fn export(hub: &Hub, container: &Container, count: usize) -> Vec<Value> {
    let order = json!({"type": "export", "outputBlobContainerUri": container.uri(),
        "excludeKeysInExport": false});
    run(hub, order, count).await;
    let text = container.read("devices.txt").await.expect("the export");
    text.lines()
        .map(|line| comparable(serde_json::from_str(line).expect("a line is JSON")))
        .collect()
}

/// Imports; no line may fail.
async fn import(hub: &Hub, container: &Container, count: usize) {
    let order = json!({"type": "import", "inputBlobContainerUri": container.uri(),
        "outputBlobContainerUri": container.uri()});
    run(hub, order, count).await;
    let errors = container.read("importErrors.log").await.unwrap_or_default();
    assert_eq!(errors.trim(), "", "lines that failed");
}

/// Orders a job and waits until it is completed.
async fn run(hub: &Hub, order: Value, count: usize) {
    let started = Instant::now();
    let job = hub.post("/jobs/create", order).await;
    assert_eq!(job.code(), 200, "{}", job.body);
    let path = format!("/jobs/{}", job.body["jobId"].as_str().unwrap());
    let patience = PATIENCE * u32::try_from(count / 1_000 + 1).unwrap();
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let job = hub.get(&path).await.body;
        match job["status"].as_str().unwrap() {
            "completed" => break,
            "failed" | "cancelled" => panic!("{job}"),
            _ => assert!(started.elapsed() < patience, "{job}"),
        }
    }
    println!("{} in {:.1?}", job.body["type"], started.elapsed());
}

/// Without the etags, and without the time in an Edge scope: every hub makes its own.
fn comparable(mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    fields.remove("eTag");
    fields.remove("twinETag");
    if let Some(Value::String(scope)) = fields.get_mut("deviceScope")
        && let Some((start, _)) = scope.rsplit_once('-')
    {
        *scope = start.to_owned();
    }
    line
}
