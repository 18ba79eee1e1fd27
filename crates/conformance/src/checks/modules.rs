//! Module identities and their twins.

use reqwest::Method;
use serde_json::{Value, json};

use super::ANY;
use crate::ask::{Answer, Ask, CallError};
use crate::check::{Failure, Found, checks, held, must, noted, same};
use crate::room::{Room, key, sas};

checks! { "modules":
    Rule OwnDevices "§1.2 [SWG]" a_module_is_made_and_listed;
    Rule OwnDevices "§1.2" a_modules_keys_are_kept_to_the_letter;
    Rule OwnDevices "§1.7" a_module_made_twice_is_refused;
    Rule OwnDevices "§1.7" a_missing_module_is_404;
    Rule OwnDevices "§1.3" a_stale_etag_stops_a_module_write;
    Rule OwnDevices "§1.3" a_module_update_moves_its_etag_and_not_the_devices;
    Rule OwnDevices "§1.2" a_system_module_cannot_be_made;
    Rule OwnDevices "§7 [WIRE az]" a_module_twin_names_its_module;
    Rule OwnDevices "§1.6" a_module_twin_is_its_own;
    Rule OwnDevices "§1.1" modules_go_with_their_device;
    Rule OwnDevices "§1.1" a_deleted_module_leaves_its_device;
    Observation OwnDevices "§1.6 [LIVE3P]" modules_of_a_missing_device_answer;
    Observation OwnDevices "§1.6 [LIVE3P]" modules_of_a_disabled_device_answer;
}

fn ask<'a>(room: &'a Room, method: Method, device: &str, module: &str) -> Ask<'a> {
    room.hub
        .ask(method, &["devices", device, "modules", module])
}

async fn get(room: &Room, device: &str, module: &str) -> Result<Answer, CallError> {
    ask(room, Method::GET, device, module).send().await
}

async fn put(
    room: &Room,
    (device, module): (&str, &str),
    if_match: Option<&str>,
    managed_by: &str,
) -> Result<Answer, CallError> {
    let body = json!({"deviceId": device, "moduleId": module, "managedBy": managed_by,
        "authentication": sas()});
    let ask = ask(room, Method::PUT, device, module).json(&body);
    match if_match {
        Some(tag) => ask.if_match(tag).send().await,
        None => ask.send().await,
    }
}

/// A device with a module `m`.
async fn with_module(room: &Room) -> Result<(String, Answer), Failure> {
    let (id, _) = room.make(json!({})).await?;
    let made = put(room, (&id, "m"), None, "conformance").await?.good()?;
    Ok((id, made))
}

async fn a_module_is_made_and_listed(room: &Room) -> Found {
    let (id, made) = with_module(room).await?;
    same("deviceId", &made.body["deviceId"], &json!(id))?;
    same("moduleId", &made.body["moduleId"], &json!("m"))?;
    same("managedBy", &made.body["managedBy"], &json!("conformance"))?;
    must(
        made.body["generationId"].is_string(),
        "there is no generation",
    )?;
    let list = room.hub.ask(Method::GET, &["devices", &id, "modules"]);
    let list = list.send().await?.status(200)?;
    let names = list.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let names: Vec<&Value> = names.iter().map(|module| &module["moduleId"]).collect();
    same("the list", &json!(names), &json!(["m"]))?;
    held()
}

async fn a_modules_keys_are_kept_to_the_letter(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let found = get(room, &id, "m").await?.good()?;
    let primary = found.at("/authentication/symmetricKey/primaryKey");
    let secondary = found.at("/authentication/symmetricKey/secondaryKey");
    let is_same = primary == key(1, 32) && secondary == key(2, 32);
    must(is_same, "the keys are not those that were sent")?;
    held()
}

async fn a_module_made_twice_is_refused(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let again = put(room, (&id, "m"), None, "conformance").await?;
    again.refused(409, "ModuleAlreadyExistsOnDevice")?;
    held()
}

async fn a_missing_module_is_404(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    get(room, &id, "none")
        .await?
        .refused(404, "ModuleNotFound")?;
    held()
}

async fn a_stale_etag_stops_a_module_write(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let stale = Some("\"c3RhbGU=\"");
    let update = put(room, (&id, "m"), stale, "another").await?;
    update.refused(412, "PreconditionFailed")?;
    let delete = ask(room, Method::DELETE, &id, "m").if_match("\"c3RhbGU=\"");
    delete.send().await?.refused(412, "PreconditionFailed")?;
    let found = get(room, &id, "m").await?.good()?;
    same("managedBy", &found.body["managedBy"], &json!("conformance"))?;
    held()
}

async fn a_module_update_moves_its_etag_and_not_the_devices(room: &Room) -> Found {
    let (id, made) = with_module(room).await?;
    let before = room.get(&id).await?.good()?;
    let updated = put(room, (&id, "m"), Some(ANY), "another").await?.good()?;
    must(
        updated.etag() != made.etag(),
        "the module's etag is the old one",
    )?;
    let after = room.get(&id).await?.good()?;
    must(before.etag() == after.etag(), "the device has another etag")?;
    held()
}

async fn a_system_module_cannot_be_made(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    put(room, (&id, "$edgeAgent"), None, "me")
        .await?
        .status(400)?;
    held()
}

async fn a_module_twin_names_its_module(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let twin = room.hub.ask(Method::GET, &["twins", &id, "modules", "m"]);
    let twin = twin.send().await?.status(200)?;
    same("deviceId", &twin.body["deviceId"], &json!(id))?;
    same("moduleId", &twin.body["moduleId"], &json!("m"))?;
    held()
}

async fn a_module_twin_is_its_own(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let patch = room.hub.ask(Method::PATCH, &["twins", &id, "modules", "m"]);
    let patched = patch
        .json(&json!({"tags": {"a": 1}}))
        .send()
        .await?
        .status(200)?;
    same("the module's tags", &patched.body["tags"], &json!({"a": 1}))?;
    let twin = room.twin(&id).await?.good()?;
    must(
        twin.body["tags"].get("a").is_none(),
        "the device has the tag too",
    )?;
    held()
}

async fn modules_go_with_their_device(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    room.delete(&id, ANY).await?.good()?;
    room.put(&id, None, json!({})).await?.good()?;
    get(room, &id, "m").await?.refused(404, "ModuleNotFound")?;
    held()
}

async fn a_deleted_module_leaves_its_device(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let delete = ask(room, Method::DELETE, &id, "m").if_match(ANY);
    delete.send().await?.status(204)?;
    get(room, &id, "m").await?.refused(404, "ModuleNotFound")?;
    room.get(&id).await?.good()?;
    held()
}

async fn modules_of_a_missing_device_answer(room: &Room) -> Found {
    let answer = get(room, &room.name(), "m").await?;
    noted(answer.shown())
}

async fn modules_of_a_disabled_device_answer(room: &Room) -> Found {
    let (id, _) = with_module(room).await?;
    let disabled = json!({"status": "disabled"});
    room.put(&id, Some(ANY), disabled).await?.good()?;
    let answer = get(room, &id, "m").await?;
    noted(answer.shown())
}
