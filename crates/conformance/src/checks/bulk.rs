//! Bulk calls: what is applied when a part fails, and what is refused as a whole.

use hubshift_azure::ErrorCode;
use serde_json::{Value, json};

use crate::ask::Answer;
use crate::check::{Failure, Found, checks, held, must, noted, same};
use crate::room::{Room, sas};

checks! { "bulk":
    Rule OwnDevices "§1.4 [SWG]" a_bulk_call_makes_devices_with_their_twins;
    Rule OwnDevices "§1.4 [SWG]" a_part_that_fails_is_400_and_the_rest_is_applied;
    Rule OwnDevices "§1.4" a_stale_etag_in_a_bulk_call_stops_its_entry;
    Rule OwnDevices "§1.4 [WIRE npm]" modes_and_names_are_read_in_any_case;
    Rule OwnDevices "§1.4 [WIRE npm]" unknown_fields_are_passed_over;
    Rule OwnDevices "§1.4" a_bulk_update_of_a_twin_replaces;
    Rule OwnDevices "§1.4" a_bulk_call_deletes;
    Rule OwnDevices "§1.4" a_device_that_is_there_twice_is_refused;
    Rule OwnDevices "§1.4" more_than_100_devices_are_refused;
    Observation OwnDevices "§10" create_or_update_in_a_bulk_call_is;
    Observation OwnDevices "§10" an_error_code_in_a_bulk_call_is;
}

fn entry(id: &str, mode: &str, more: Value) -> Value {
    let mut entry = json!({"id": id, "importMode": mode, "status": "enabled",
        "authentication": sas()});
    if let (Some(entry), Value::Object(more)) = (entry.as_object_mut(), more) {
        entry.extend(more);
    }
    entry
}

/// Every entry was applied, and the answer says so.
fn all_applied(answer: &Answer) -> Result<(), Failure> {
    must(answer.status == 200, format!("answered {}", answer.shown()))?;
    same("isSuccessful", &answer.body["isSuccessful"], &json!(true))
}

/// Exactly this entry was not, for this reason.
fn only_failed(answer: &Answer, id: &str, code: ErrorCode) -> Result<(), Failure> {
    must(answer.status == 400, format!("answered {}", answer.shown()))?;
    same("isSuccessful", &answer.body["isSuccessful"], &json!(false))?;
    let errors = answer.body["errors"].as_array();
    let errors = errors.map(Vec::as_slice).unwrap_or_default();
    must(errors.len() == 1, format!("{} errors, not 1", errors.len()))?;
    same(
        "deviceId",
        &answer.body["errors"][0]["deviceId"],
        &json!(id),
    )?;
    let found = named(&answer.body["errors"][0]["errorCode"]);
    must(
        found == Some(code),
        format!("the error is not {}", code.name()),
    )
}

/// A code by name or by number: the hub's kind is not settled.
fn named(code: &Value) -> Option<ErrorCode> {
    let text = code
        .as_str()
        .map_or_else(|| code.to_string(), str::to_owned);
    ErrorCode::find(&text)
}

async fn a_bulk_call_makes_devices_with_their_twins(room: &Room) -> Found {
    let (one, two) = (room.device(), room.device());
    let more = json!({"tags": {"a": 1}, "properties": {"desired": {"b": 2}}});
    let entries = json!([
        entry(&one, "create", more),
        entry(&two, "create", json!({}))
    ]);
    all_applied(&room.bulk(&entries).await?)?;
    room.get(&two).await?.good()?;
    let twin = room.twin(&one).await?.good()?;
    same("tags", &twin.body["tags"], &json!({"a": 1}))?;
    same(
        "desired b",
        &twin.body["properties"]["desired"]["b"],
        &json!(2),
    )?;
    held()
}

async fn a_part_that_fails_is_400_and_the_rest_is_applied(room: &Room) -> Found {
    let (old, _) = room.make(json!({})).await?;
    let new = room.device();
    let entries = json!([
        entry(&old, "create", json!({})),
        entry(&new, "create", json!({}))
    ]);
    let answer = room.bulk(&entries).await?;
    only_failed(&answer, &old, ErrorCode::DeviceAlreadyExists)?;
    room.get(&new).await?.good()?;
    held()
}

async fn a_stale_etag_in_a_bulk_call_stops_its_entry(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let more = json!({"eTag": "c3RhbGU=", "status": "disabled"});
    let entries = json!([entry(&id, "updateIfMatchETag", more)]);
    only_failed(
        &room.bulk(&entries).await?,
        &id,
        ErrorCode::PreconditionFailed,
    )?;
    let found = room.get(&id).await?.good()?;
    same("status", &found.body["status"], &json!("enabled"))?;
    held()
}

async fn modes_and_names_are_read_in_any_case(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let more = json!({"etag": made.etag(), "status": "disabled"});
    let entries = json!([entry(&id, "UpdateIfMatchETag", more)]);
    all_applied(&room.bulk(&entries).await?)?;
    let found = room.get(&id).await?.good()?;
    same("status", &found.body["status"], &json!("disabled"))?;
    held()
}

async fn unknown_fields_are_passed_over(room: &Room) -> Found {
    let more = json!({"generationId": "1", "connectionState": "Disconnected", "unknown": {"a": 1}});
    let entries = json!([entry(&room.device(), "create", more)]);
    all_applied(&room.bulk(&entries).await?)?;
    held()
}

async fn a_bulk_update_of_a_twin_replaces(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    room.patch(&id, &json!({"tags": {"a": 1}})).await?.good()?;
    let entries = json!([{"id": id, "importMode": "updateTwin", "status": "enabled",
        "tags": {"b": 2}}]);
    all_applied(&room.bulk(&entries).await?)?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &json!({"b": 2}))?;
    let found = room.get(&id).await?.good()?;
    must(found.etag() == made.etag(), "the identity was written too")?;
    held()
}

async fn a_bulk_call_deletes(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let entries = json!([{"id": id, "importMode": "delete", "status": "enabled"}]);
    all_applied(&room.bulk(&entries).await?)?;
    room.get(&id).await?.refused(404, "DeviceNotFound")?;
    held()
}

async fn a_device_that_is_there_twice_is_refused(room: &Room) -> Found {
    let (id, other) = (room.device(), room.device());
    let entries = json!([
        entry(&id, "create", json!({})),
        entry(&other, "create", json!({})),
        entry(&id, "create", json!({})),
    ]);
    let answer = room.bulk(&entries).await?;
    answer.refused(400, "DeviceDefinedMultipleTimes")?;
    room.get(&other).await?.refused(404, "DeviceNotFound")?;
    held()
}

async fn more_than_100_devices_are_refused(room: &Room) -> Found {
    let ids: Vec<String> = (0..101).map(|_| room.device()).collect();
    let entries = ids.iter().map(|id| entry(id, "create", json!({})));
    let answer = room.bulk(&entries.collect()).await?;
    answer.refused(413, "TooManyDevices")?;
    for id in ids {
        room.forget(&id);
    }
    held()
}

async fn create_or_update_in_a_bulk_call_is(room: &Room) -> Found {
    let entries = json!([entry(&room.device(), "createOrUpdate", json!({}))]);
    let answer = room.bulk(&entries).await?;
    noted(if answer.status == 200 {
        "taken"
    } else {
        "refused"
    })
}

async fn an_error_code_in_a_bulk_call_is(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let answer = room.bulk(&json!([entry(&id, "create", json!({}))])).await?;
    let code = &answer.body["errors"][0]["errorCode"];
    noted(if code.is_string() {
        "a name"
    } else {
        "a number"
    })
}
