//! Import, export and scheduled jobs, as far as they go without a storage account.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::check::{Found, checks, held, must, noted, same};
use crate::room::Room;

/// How long a job for one device may take.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_secs(1);

checks! { "jobs":
    Rule None "§3" a_missing_job_is_404;
    Rule None "§1.1 [SWG]" jobs_are_listed;
    Rule None "§1.1 [SWG]" scheduled_jobs_are_listed;
    Rule None "§1.1" a_missing_scheduled_job_is_404;
    Rule Jobs "§3 [LIVE3P]" a_container_that_is_none_is_refused_at_once;
    Observation None "§3" a_cancellation_of_a_missing_job_is;
    Rule Jobs "§1.1 [SWG]" a_scheduled_job_changes_twins;
    Rule Jobs "§1.1 [SWG]" a_scheduled_job_is_cancelled;
}

async fn a_missing_job_is_404(room: &Room) -> Found {
    let answer = room.hub.ask(Method::GET, &["jobs", &room.name()]);
    answer.send().await?.status(404)?;
    held()
}

async fn jobs_are_listed(room: &Room) -> Found {
    let list = room
        .hub
        .ask(Method::GET, &["jobs"])
        .send()
        .await?
        .status(200)?;
    must(list.body.is_array(), "the answer is no list")?;
    held()
}

async fn scheduled_jobs_are_listed(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["jobs", "v2", "query"]);
    let ask = ask.query("jobType", "scheduleUpdateTwin");
    let answer = ask
        .query("jobStatus", "completed")
        .send()
        .await?
        .status(200)?;
    // The description has an object, and the real hub's answer was not seen.
    if answer.body.is_array() {
        return noted("a bare list");
    }
    must(answer.body["items"].is_array(), "there are no items")?;
    held()
}

async fn a_missing_scheduled_job_is_404(room: &Room) -> Found {
    let answer = room.hub.ask(Method::GET, &["jobs", "v2", &room.name()]);
    answer.send().await?.status(404)?;
    held()
}

async fn a_container_that_is_none_is_refused_at_once(room: &Room) -> Found {
    let order = json!({"type": "export", "excludeKeysInExport": true,
        "outputBlobContainerUri": "http://127.0.0.1:9/none?sv=2019-12-12&sig=eA%3D%3D"});
    let ask = room.hub.ask(Method::POST, &["jobs", "create"]).json(&order);
    ask.send().await?.status(400)?;
    held()
}

async fn a_cancellation_of_a_missing_job_is(room: &Room) -> Found {
    let ask = room.hub.ask(Method::DELETE, &["jobs", &room.name()]);
    noted(ask.send().await?.shown())
}

fn order(id: &str, device: &str, start: &str) -> Value {
    json!({"jobId": id, "type": "scheduleUpdateTwin",
        "updateTwin": {"deviceId": null, "etag": "*", "tags": {"scheduled": true}},
        "queryCondition": format!("deviceId IN ['{device}']"), "startTime": start,
        "maxExecutionTimeInSeconds": 100})
}

async fn a_scheduled_job_changes_twins(room: &Room) -> Found {
    let (device, _) = room.make(json!({})).await?;
    let id = room.name();
    let job = room.hub.ask(Method::PUT, &["jobs", "v2", &id]);
    let job = job.json(&order(&id, &device, "2020-01-01T00:00:00Z"));
    job.send().await?.status(200)?;
    let start = Instant::now();
    loop {
        let job = room.hub.ask(Method::GET, &["jobs", "v2", &id]);
        let job = job.send().await?.good()?;
        match job.at("/status") {
            "completed" => break,
            "failed" | "cancelled" => must(false, format!("the job is {}", job.at("/status")))?,
            status if start.elapsed() > PATIENCE => must(false, format!("still {status}"))?,
            _ => tokio::time::sleep(LOOK).await,
        }
    }
    let twin = room.twin(&device).await?.good()?;
    // Its query lags: the job may not have seen a device that was just made.
    if twin.body["tags"].get("scheduled").is_none() {
        return noted("completed, and did not see the new device");
    }
    same("the tag", &twin.body["tags"]["scheduled"], &json!(true))?;
    held()
}

async fn a_scheduled_job_is_cancelled(room: &Room) -> Found {
    let id = room.name();
    let job = room.hub.ask(Method::PUT, &["jobs", "v2", &id]);
    let job = job.json(&order(&id, &room.name(), "2090-01-01T00:00:00Z"));
    job.send().await?.status(200)?;
    let cancel = room.hub.ask(Method::POST, &["jobs", "v2", &id, "cancel"]);
    cancel.send().await?.status(200)?;
    held()
}
