//! Etags of identities and twins: which writes move which, and what a condition does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_azure::etag::quote;
use reqwest::Method;
use serde_json::json;

use super::ANY;
use crate::check::{Found, checks, held, must, noted, same};
use crate::room::Room;

/// An etag that no device has.
const STALE: &str = "\"c3RhbGU=\"";

checks! { "etags":
    Rule OwnDevices "§1.2" the_header_has_the_etag_of_the_body;
    Rule OwnDevices "§1.2 [LIVE3P]" an_identity_write_moves_the_etag;
    Rule OwnDevices "§1.2 [LIVE3P]" a_twin_write_does_not_move_the_identitys_etag;
    Rule OwnDevices "§1.6" an_identity_write_does_not_move_the_twins_etag;
    Rule OwnDevices "§1.6" a_twin_write_moves_the_twins_etag;
    Rule OwnDevices "§1.5, §1.6" a_twin_has_the_identitys_etag;
    Rule OwnDevices "§1.3 [WIRE]" wildcards_are_taken_quoted_and_bare;
    Rule OwnDevices "§1.3 [WIRE]" etags_are_taken_quoted_and_bare;
    Rule OwnDevices "§1.3" a_stale_etag_stops_an_update;
    Rule OwnDevices "§1.3" a_stale_etag_stops_a_delete;
    Rule OwnDevices "§1.3" a_stale_etag_stops_a_twin_write;
    Rule OwnDevices "§1.1 [LIVE3P]" a_delete_without_an_etag_is_refused;
    Observation OwnDevices "§1.2 [LIVE3P]" an_identitys_etag_is_a_decimal_number;
    Observation OwnDevices "§1.6" a_twins_etag_is_a_number_of_eight_bytes;
}

async fn the_header_has_the_etag_of_the_body(room: &Room) -> Found {
    let (_, made) = room.make(json!({})).await?;
    let wanted = quote(made.etag());
    same(
        "the ETag header",
        &json!(made.header("etag")),
        &json!(wanted),
    )?;
    held()
}

async fn an_identity_write_moves_the_etag(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let updated = room
        .put(&id, Some(ANY), json!({"statusReason": "seen"}))
        .await?;
    let updated = updated.good()?;
    must(updated.etag() != made.etag(), "the etag is the old one")?;
    held()
}

async fn a_twin_write_does_not_move_the_identitys_etag(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    room.patch(&id, &json!({"tags": {"a": 1}})).await?.good()?;
    let found = room.get(&id).await?.good()?;
    must(found.etag() == made.etag(), "the identity has another etag")?;
    held()
}

async fn an_identity_write_does_not_move_the_twins_etag(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let before = room.twin(&id).await?.good()?;
    let update = room.put(&id, Some(ANY), json!({"statusReason": "seen"}));
    update.await?.good()?;
    let after = room.twin(&id).await?.good()?;
    must(before.etag() == after.etag(), "the twin has another etag")?;
    held()
}

async fn a_twin_write_moves_the_twins_etag(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let before = room.twin(&id).await?.good()?;
    let after = room.patch(&id, &json!({"tags": {"a": 1}})).await?.good()?;
    must(before.etag() != after.etag(), "the etag is the old one")?;
    held()
}

async fn a_twin_has_the_identitys_etag(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let updated = room
        .put(&id, Some(ANY), json!({"statusReason": "seen"}))
        .await?;
    let updated = updated.good()?;
    let twin = room.twin(&id).await?.good()?;
    same(
        "deviceEtag",
        &twin.body["deviceEtag"],
        &json!(updated.etag()),
    )?;
    held()
}

async fn wildcards_are_taken_quoted_and_bare(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    for wildcard in [ANY, "*"] {
        room.put(&id, Some(wildcard), json!({})).await?.good()?;
    }
    held()
}

async fn etags_are_taken_quoted_and_bare(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let updated = room.put(&id, Some(&quote(made.etag())), json!({})).await?;
    let updated = updated.good()?;
    room.put(&id, Some(updated.etag()), json!({}))
        .await?
        .good()?;
    held()
}

async fn a_stale_etag_stops_an_update(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let update = room.put(&id, Some(STALE), json!({"status": "disabled"}));
    update.await?.refused(412, "PreconditionFailed")?;
    let found = room.get(&id).await?.good()?;
    same("status", &found.body["status"], &json!("enabled"))?;
    held()
}

async fn a_stale_etag_stops_a_delete(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    room.delete(&id, STALE)
        .await?
        .refused(412, "PreconditionFailed")?;
    room.get(&id).await?.good()?;
    held()
}

async fn a_stale_etag_stops_a_twin_write(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    for method in [Method::PATCH, Method::PUT] {
        let ask = room.hub.ask(method, &["twins", &id]).if_match(STALE);
        let answer = ask.json(&json!({"tags": {"a": 1}})).send().await?;
        answer.refused(412, "PreconditionFailed")?;
    }
    let twin = room.twin(&id).await?.good()?;
    must(twin.body["tags"]["a"].is_null(), "the tag was written")?;
    held()
}

async fn a_delete_without_an_etag_is_refused(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let ask = room.hub.ask(Method::DELETE, &["devices", &id]);
    ask.send().await?.status(412)?;
    room.get(&id).await?.good()?;
    held()
}

async fn an_identitys_etag_is_a_decimal_number(room: &Room) -> Found {
    let (_, made) = room.make(json!({})).await?;
    let bytes = STANDARD.decode(made.etag()).unwrap_or_default();
    let is_number = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    must(is_number, format!("it is {}", made.etag()))?;
    held()
}

async fn a_twins_etag_is_a_number_of_eight_bytes(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let twin = room.twin(&id).await?.good()?;
    let bytes = STANDARD.decode(twin.etag()).unwrap_or_default();
    must(bytes.len() == 8, format!("it is {}", twin.etag()))?;
    noted(format!("a new twin has {}", twin.etag()))
}
