//! Queries: pages, kinds of rows, what is in a row, and how late they are.
//!
//! A query lags behind the registry, on the real hub by seconds or minutes. What needs devices to
//! be seen waits for them, for a minute; then it says that they were not, and fails nothing.

use std::time::Duration;

use hubshift_azure::headers::{CONTINUATION, ITEM_TYPE, MAX_ITEM_COUNT};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::ask::{Answer, CallError};
use crate::check::{Failure, Found, checks, held, must, noted, same};
use crate::room::Room;

/// How long to wait for a query to see what is there.
const PATIENCE: Duration = Duration::from_secs(60);
/// The first pause between two looks; each is twice as long as the one before, up to the last. The
/// smallest hub answers 20 queries a minute.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(10);

const NOT_SEEN: &str = "not seen by queries within a minute";

checks! { "query":
    Rule None "§1.5 [WIRE]" rows_of_a_star_are_twins;
    Rule None "§1.5 [WIRE]" the_last_page_has_no_continuation;
    Rule None "§1.5" a_count_is_raw;
    Rule None "§1.5 [WIRE az]" conditions_of_az_are_taken;
    Rule None "§1.5" conditions_join_negate_and_compare;
    Rule None "§1.5" modules_have_a_collection;
    Rule None "§1.5" a_wrong_query_is_400;
    Rule OwnDevices "§1.5" pages_follow_each_other;
    Rule OwnDevices "§1.5" rows_have_the_identitys_etag_and_no_keys;
    Observation None "§10" a_projection_of_device_etag_is;
    Observation None "§10" the_largest_page_is;
    Observation None "§1.5" rows_of_jobs_are;
    Observation OwnDevices "§1.5 [LIVE3P]" new_devices_are_seen_after;
    Observation OwnDevices "§1.5 [LIVE3P]" deleted_devices_are_seen_for;
}

async fn page(room: &Room, query: &str, size: &str, from: &str) -> Result<Answer, CallError> {
    let ask = room.hub.ask(Method::POST, &["devices", "query"]);
    let ask = ask
        .json(&json!({ "query": query }))
        .header(MAX_ITEM_COUNT, size);
    if from.is_empty() {
        ask.send().await
    } else {
        ask.header(CONTINUATION, from).send().await
    }
}

fn rows(answer: &Answer) -> &[Value] {
    answer
        .body
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// Devices with a tag that no others have, and the query for them.
async fn tagged(room: &Room, count: usize) -> Result<(Vec<String>, String), Failure> {
    let word = room.name();
    let mut ids = Vec::new();
    for _ in 0..count {
        let (id, _) = room.make(json!({})).await?;
        room.patch(&id, &json!({"tags": {"conformance": word}}))
            .await?
            .good()?;
        ids.push(id);
    }
    Ok((
        ids,
        format!("SELECT * FROM devices WHERE tags.conformance = '{word}'"),
    ))
}

/// Asks until there are so many rows, and says how long that took; nothing if they never were.
async fn seen(room: &Room, query: &str, count: usize) -> Result<Option<Duration>, Failure> {
    let start = Instant::now();
    let mut pause = FIRST;
    loop {
        let answer = room.select(query).await?.good()?;
        if rows(&answer).len() == count {
            return Ok(Some(start.elapsed()));
        }
        if start.elapsed() > PATIENCE {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST);
    }
}

async fn rows_of_a_star_are_twins(room: &Room) -> Found {
    let answer = page(room, "select * from devices", "1", "")
        .await?
        .status(200)?;
    same(
        "the item type",
        &json!(answer.header(ITEM_TYPE)),
        &json!("Twin"),
    )?;
    must(
        rows(&answer).len() <= 1,
        "the page is longer than was asked for",
    )?;
    held()
}

async fn the_last_page_has_no_continuation(room: &Room) -> Found {
    let query = format!(
        "SELECT * FROM devices WHERE tags.conformance = '{}'",
        room.name()
    );
    let answer = room.select(&query).await?.status(200)?;
    same("the page", &answer.body, &json!([]))?;
    must(
        answer.headers.get(CONTINUATION).is_none(),
        "there is a continuation",
    )?;
    held()
}

async fn a_count_is_raw(room: &Room) -> Found {
    let query = "SELECT COUNT() AS n FROM devices WHERE status = 'enabled'";
    let answer = room.select(query).await?.status(200)?;
    same(
        "the item type",
        &json!(answer.header(ITEM_TYPE)),
        &json!("Raw"),
    )?;
    let row = rows(&answer).first().unwrap_or(&Value::Null);
    must(row["n"].is_u64(), "the row has no count")?;
    held()
}

async fn taken(room: &Room, query: &str) -> Result<(), Failure> {
    let answer = page(room, query, "1", "").await?;
    let words = format!("{query}: answered {}", answer.shown());
    must(answer.status == 200, words)
}

async fn conditions_of_az_are_taken(room: &Room) -> Found {
    taken(
        room,
        "select * from devices where capabilities.iotEdge=true",
    )
    .await?;
    let scope = "ms-azure-iot-edge://none-1";
    let query = format!("select * from devices where array_contains(parentScopes,'{scope}')");
    taken(room, &query).await?;
    held()
}

async fn conditions_join_negate_and_compare(room: &Room) -> Found {
    for condition in [
        "status = 'enabled' AND (tags.a = 1 OR tags.b > 2)",
        "NOT tags.a = 'x'",
        "tags.a != 1 AND tags.b <= 2.5",
        "deviceId IN ['a', 'b']",
        "is_defined(tags.a)",
        "properties.desired.a.b = true",
    ] {
        taken(room, &format!("SELECT * FROM devices WHERE {condition}")).await?;
    }
    held()
}

async fn modules_have_a_collection(room: &Room) -> Found {
    let answer = page(room, "SELECT * FROM devices.modules", "1", "")
        .await?
        .status(200)?;
    let has_names = |row: &Value| row["deviceId"].is_string() && row["moduleId"].is_string();
    must(
        rows(&answer).iter().all(has_names),
        "a row does not name its module",
    )?;
    held()
}

async fn a_wrong_query_is_400(room: &Room) -> Found {
    for query in [
        "",
        "nonsense",
        "select * from devices where",
        "select * from nowhere",
    ] {
        let answer = room.select(query).await?;
        must(
            answer.status == 400,
            format!("{query:?}: answered {}", answer.shown()),
        )?;
    }
    held()
}

async fn pages_follow_each_other(room: &Room) -> Found {
    let (mut ids, query) = tagged(room, 3).await?;
    if seen(room, &query, ids.len()).await?.is_none() {
        return noted(NOT_SEEN);
    }
    let mut found = Vec::new();
    let mut from = String::new();
    // A page may be empty, and there is one device a page at least.
    for _ in 0..ids.len() * 2 {
        let answer = page(room, &query, "2", &from).await?.good()?;
        must(
            rows(&answer).len() <= 2,
            "a page is longer than was asked for",
        )?;
        let names = rows(&answer)
            .iter()
            .filter_map(|row| row["deviceId"].as_str());
        found.extend(names.map(str::to_owned));
        from = answer.header(CONTINUATION).to_owned();
        if from.is_empty() {
            break;
        }
    }
    must(from.is_empty(), "the pages do not end")?;
    ids.sort();
    found.sort();
    same("all pages together", &json!(found), &json!(ids))?;
    held()
}

async fn rows_have_the_identitys_etag_and_no_keys(room: &Room) -> Found {
    let (ids, query) = tagged(room, 1).await?;
    if seen(room, &query, 1).await?.is_none() {
        return noted(NOT_SEEN);
    }
    let answer = room.select(&query).await?.good()?;
    let row = rows(&answer).first().unwrap_or(&Value::Null);
    must(
        row.get("authentication").is_none(),
        "the row has an authentication",
    )?;
    for id in &ids {
        let device = room.get(id).await?.good()?;
        same("deviceEtag", &row["deviceEtag"], &json!(device.etag()))?;
    }
    held()
}

async fn a_projection_of_device_etag_is(room: &Room) -> Found {
    let answer = page(room, "SELECT deviceId, deviceEtag FROM devices", "1", "").await?;
    if answer.status != 200 {
        return noted(format!("refused: {}", answer.shown()));
    }
    let fields = rows(&answer).first().and_then(Value::as_object);
    let fields = fields.map(|row| row.keys().cloned().collect::<Vec<_>>().join(", "));
    let (kind, fields) = (answer.header(ITEM_TYPE), fields.unwrap_or_default());
    noted(format!("{kind} rows with: {fields}"))
}

async fn the_largest_page_is(room: &Room) -> Found {
    let answer = page(room, "select * from devices", "5000", "").await?;
    if answer.status != 200 {
        return noted(format!("5000 is refused: {}", answer.shown()));
    }
    noted(format!("{} rows of 5000", rows(&answer).len()))
}

async fn rows_of_jobs_are(room: &Room) -> Found {
    let answer = page(room, "SELECT * FROM devices.jobs", "1", "").await?;
    if answer.status != 200 {
        return noted(format!("refused: {}", answer.shown()));
    }
    noted(answer.header(ITEM_TYPE))
}

async fn new_devices_are_seen_after(room: &Room) -> Found {
    let (_, query) = tagged(room, 1).await?;
    match seen(room, &query, 1).await? {
        Some(lag) => noted(format!("{:.1} s", lag.as_secs_f64())),
        None => noted(NOT_SEEN),
    }
}

async fn deleted_devices_are_seen_for(room: &Room) -> Found {
    let (ids, query) = tagged(room, 1).await?;
    if seen(room, &query, 1).await?.is_none() {
        return noted(NOT_SEEN);
    }
    for id in &ids {
        room.delete(id, super::ANY).await?.good()?;
    }
    match seen(room, &query, 0).await? {
        Some(lag) => noted(format!("{:.1} s", lag.as_secs_f64())),
        None => noted("more than a minute"),
    }
}
