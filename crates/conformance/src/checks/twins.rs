//! Device twins: merge, replace, versions, what is in them and what is not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::check::{Found, checks, held, must, noted, same};
use crate::room::Room;

checks! { "twins":
    Rule OwnDevices "§1.6" a_twin_is_there_as_soon_as_the_device;
    Rule OwnDevices "§1.5, §1.6" a_twin_has_no_keys;
    Rule None "§1.7" a_missing_twin_is_404;
    Rule OwnDevices "§1.6" a_patch_merges;
    Rule OwnDevices "§1.6" a_patch_needs_no_etag;
    Rule OwnDevices "§1.6" null_removes_in_a_patch;
    Rule OwnDevices "§1.6" arrays_are_replaced_whole;
    Rule OwnDevices "§1.6" a_put_wipes_what_it_does_not_have;
    Rule OwnDevices "§1.6" desired_versions_rise;
    Rule OwnDevices "§1.6" text_of_every_sort_is_kept;
    Rule OwnDevices "§1.6" numbers_are_kept;
    Rule OwnDevices "§1.2" a_twin_spells_the_time_of_its_status_in_its_own_way;
    Rule OwnDevices "§5.2, §6" a_device_made_again_has_an_empty_twin;
    Observation OwnDevices "§6" a_patch_of_reported_is;
    Observation OwnDevices "§1.6 [LIVE3P]" thumbprints_in_a_twin_are_spelt;
}

/// A device with these tags and desired properties.
async fn with_twin(room: &Room, body: &Value) -> Result<String, crate::check::Failure> {
    let (id, _) = room.make(json!({})).await?;
    room.patch(&id, body).await?.good()?;
    Ok(id)
}

async fn a_twin_is_there_as_soon_as_the_device(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let twin = room.twin(&id).await?.status(200)?;
    same("deviceId", &twin.body["deviceId"], &json!(id))?;
    same("status", &twin.body["status"], &json!("enabled"))?;
    held()
}

async fn a_twin_has_no_keys(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let twin = room.twin(&id).await?.good()?;
    let has_keys = twin.body.get("authentication").is_some();
    must(!has_keys, "the twin has an authentication")?;
    same(
        "authenticationType",
        &twin.body["authenticationType"],
        &json!("sas"),
    )?;
    held()
}

async fn a_missing_twin_is_404(room: &Room) -> Found {
    room.twin(&room.name())
        .await?
        .refused(404, "DeviceNotFound")?;
    held()
}

async fn a_patch_merges(room: &Room) -> Found {
    let id = with_twin(room, &json!({"tags": {"a": {"b": 1}}})).await?;
    room.patch(&id, &json!({"tags": {"a": {"c": 2}}}))
        .await?
        .good()?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &json!({"a": {"b": 1, "c": 2}}))?;
    held()
}

async fn a_patch_needs_no_etag(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    room.patch(&id, &json!({"tags": {"a": 1}}))
        .await?
        .status(200)?;
    held()
}

async fn null_removes_in_a_patch(room: &Room) -> Found {
    let body = json!({"tags": {"a": 1, "b": 2}, "properties": {"desired": {"c": 3}}});
    let id = with_twin(room, &body).await?;
    let nulls = json!({"tags": {"a": null}, "properties": {"desired": {"c": null}}});
    room.patch(&id, &nulls).await?.good()?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &json!({"b": 2}))?;
    let is_gone = twin.body["properties"]["desired"].get("c").is_none();
    must(is_gone, "the desired property is still there")?;
    held()
}

async fn arrays_are_replaced_whole(room: &Room) -> Found {
    let id = with_twin(room, &json!({"tags": {"a": [1, 2, 3]}})).await?;
    room.patch(&id, &json!({"tags": {"a": [4]}}))
        .await?
        .good()?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &json!({"a": [4]}))?;
    held()
}

async fn a_put_wipes_what_it_does_not_have(room: &Room) -> Found {
    let body = json!({"tags": {"a": 1}, "properties": {"desired": {"b": 2}}});
    let id = with_twin(room, &body).await?;
    let ask = room.hub.ask(Method::PUT, &["twins", &id]);
    ask.json(&json!({"tags": {"c": 3}})).send().await?.good()?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &json!({"c": 3}))?;
    let is_gone = twin.body["properties"]["desired"].get("b").is_none();
    must(is_gone, "the desired property is still there")?;
    held()
}

async fn desired_versions_rise(room: &Room) -> Found {
    let version = "/properties/desired/$version";
    let id = with_twin(room, &json!({"properties": {"desired": {"a": 1}}})).await?;
    let before = room.twin(&id).await?.good()?.body;
    room.patch(&id, &json!({"properties": {"desired": {"a": 2}}}))
        .await?
        .good()?;
    let after = room.twin(&id).await?.good()?.body;
    let of = |twin: &Value| twin.pointer(version).and_then(Value::as_i64);
    must(of(&after) > of(&before), "the version did not rise")?;
    held()
}

async fn text_of_every_sort_is_kept(room: &Room) -> Found {
    let tags = json!({"text": "ä€𝄞\n\t\"\\", "ключ": "值", "empty": ""});
    let id = with_twin(room, &json!({ "tags": tags })).await?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &tags)?;
    held()
}

async fn numbers_are_kept(room: &Room) -> Found {
    let tags = json!({"large": 4_503_599_627_370_495_i64, "small": -4_503_599_627_370_495_i64,
        "half": 0.5, "is": true});
    let id = with_twin(room, &json!({ "tags": tags })).await?;
    let twin = room.twin(&id).await?.good()?;
    same("tags", &twin.body["tags"], &tags)?;
    held()
}

async fn a_twin_spells_the_time_of_its_status_in_its_own_way(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let twin = room.twin(&id).await?.good()?;
    must(
        made.body["statusUpdatedTime"].is_string(),
        "the identity has no statusUpdatedTime",
    )?;
    must(
        twin.body["statusUpdateTime"].is_string(),
        "the twin has no statusUpdateTime",
    )?;
    held()
}

async fn a_device_made_again_has_an_empty_twin(room: &Room) -> Found {
    let id = with_twin(room, &json!({"tags": {"a": 1}})).await?;
    room.delete(&id, super::ANY).await?.good()?;
    room.put(&id, None, json!({})).await?.good()?;
    let twin = room.twin(&id).await?.good()?;
    must(
        twin.body["tags"].get("a").is_none(),
        "the old tags are there",
    )?;
    held()
}

async fn a_patch_of_reported_is(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let body = json!({"properties": {"reported": {"a": 1}}});
    let answer = room.patch(&id, &body).await?;
    if answer.status != 200 {
        return noted(format!("refused: {}", answer.shown()));
    }
    let twin = room.twin(&id).await?.good()?;
    let is_stored = twin.body["properties"]["reported"].get("a").is_some();
    noted(if is_stored { "stored" } else { "passed over" })
}

async fn thumbprints_in_a_twin_are_spelt(room: &Room) -> Found {
    let prints = json!({"primaryThumbprint": "aB".repeat(20)});
    let authentication = json!({"type": "selfSigned", "x509Thumbprint": prints});
    let (id, _) = room
        .make(json!({ "authentication": authentication }))
        .await?;
    let twin = room.twin(&id).await?.good()?;
    let names = twin.body["x509Thumbprint"].as_object();
    let names = names.map(|names| names.keys().cloned().collect::<Vec<_>>());
    noted(names.unwrap_or_default().join(", "))
}
