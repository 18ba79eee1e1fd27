//! Import and export jobs over the wire: asking for them and waiting for them.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::blob::Blobs;
use super::{Hub, options, start};

/// What does not come in this time never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn slow_hub(lines_per_second: u32) -> Hub {
    let mut options = options();
    options.job.job_lines_per_second = NonZeroU32::new(lines_per_second);
    start(options).await
}

pub(crate) fn export(blobs: &Blobs) -> Value {
    json!({"type": "export", "outputBlobContainerUri": blobs.uri()})
}

pub(crate) fn import(blobs: &Blobs) -> Value {
    json!({"type": "import", "inputBlobContainerUri": blobs.uri(),
        "outputBlobContainerUri": blobs.uri()})
}

pub(crate) async fn begin(hub: &Hub, body: Value) -> String {
    let answer = hub.post("/jobs/create", body).await;
    assert_eq!(answer.code(), 200, "{}", answer.body);
    answer.body["jobId"].as_str().unwrap().to_owned()
}

/// The job's record as soon as it fulfils this.
pub(crate) async fn until(hub: &Hub, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let record = hub.get(&format!("/jobs/{id}")).await.body;
        if is_so(&record) {
            return record;
        }
        assert!(begun.elapsed() < PATIENCE, "{record}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn ended(hub: &Hub, id: &str) -> Value {
    let states = ["completed", "failed", "cancelled"].map(Value::from);
    until(hub, id, |record| states.contains(&record["status"])).await
}

/// Carries a job out to its end.
pub(crate) async fn completed(hub: &Hub, body: Value) -> Value {
    let id = begin(hub, body).await;
    let record = ended(hub, &id).await;
    assert_eq!(record["status"], "completed", "{record}");
    record
}

pub(crate) async fn devices(hub: &Hub) -> i64 {
    let statistics = hub.get("/statistics/devices").await.body;
    statistics["totalDeviceCount"].as_i64().unwrap()
}

pub(crate) async fn fill(hub: &Hub, count: usize) {
    let all: Vec<Value> = (0..count)
        .map(|n| json!({"id": format!("d{n:03}"), "importMode": "create", "status": "enabled"}))
        .collect();
    for hundred in all.chunks(100) {
        let answer = hub.post("/devices", json!(hundred)).await;
        assert_eq!(answer.code(), 200, "{}", answer.body);
    }
}

pub(crate) fn lines(blobs: &Blobs, name: &str) -> Vec<Value> {
    let text = blobs.text(name).unwrap();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The log as device and error number of each line.
pub(crate) fn log(blobs: &Blobs) -> Vec<(Option<String>, u64)> {
    let device = |line: &Value| line["deviceId"].as_str().map(str::to_owned);
    lines(blobs, "importErrors.log")
        .iter()
        .map(|line| (device(line), line["errorCode"].as_u64().unwrap()))
        .collect()
}
