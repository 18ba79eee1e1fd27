//! Keys, thumbprints and authorities: kept to the letter, or made by the hub.

use reqwest::Method;
use serde_json::{Value, json};

use super::ANY;
use crate::ask::Answer;
use crate::check::{Found, checks, held, must, same};
use crate::room::{Room, key, pair, sas};

checks! { "keys":
    Rule OwnDevices "§1.2 [WIRE, LIVE3P]" keys_are_kept_to_the_letter;
    Rule OwnDevices "§1.2 [WIRE, LIVE3P]" no_authentication_makes_keys;
    Rule OwnDevices "§1.2 [WIRE]" empty_keys_make_keys;
    Rule OwnDevices "§1.2 [LIVE3P]" an_update_without_authentication_makes_new_keys;
    Rule OwnDevices "§1.2" one_key_alone_is_refused;
    Rule OwnDevices "§1.2" keys_have_16_to_64_bytes;
    Rule OwnDevices "§1.2" a_key_that_is_no_base64_is_refused;
    Rule OwnDevices "§1.2" keys_change_places_in_one_write;
    Rule OwnDevices "§1.2" thumbprints_keep_their_case;
    Rule OwnDevices "§1.2" a_thumbprint_with_separators_is_refused;
    Rule OwnDevices "§1.2 [SWG]" an_authority_is_kept;
    Rule OwnDevices "§1.2" a_device_cannot_have_no_proof;
    Rule OwnDevices "§1.1 [WIRE az]" a_regeneration_changes_the_named_key_only;
}

/// What the hub says of the keys; never printed.
fn keys(answer: &Answer) -> (&str, &str) {
    let at = |name: &str| answer.at(&format!("/authentication/symmetricKey/{name}"));
    (at("primaryKey"), at("secondaryKey"))
}

fn has_keys(answer: &Answer) -> bool {
    let (primary, secondary) = keys(answer);
    !primary.is_empty() && !secondary.is_empty() && primary != secondary
}

async fn keys_are_kept_to_the_letter(room: &Room) -> Found {
    // The last character has stray bits, which a decoder would lose.
    let (primary, secondary) = (format!("{}B=", "A".repeat(42)), key(3, 64));
    let (id, made) = room
        .make(json!({"authentication": pair(&primary, &secondary)}))
        .await?;
    let found = room.get(&id).await?.good()?;
    for answer in [&made, &found] {
        let is_same = keys(answer) == (primary.as_str(), secondary.as_str());
        must(is_same, "the keys are not those that were sent")?;
    }
    held()
}

async fn no_authentication_makes_keys(room: &Room) -> Found {
    let id = room.device();
    let body = json!({"deviceId": id, "status": "enabled"});
    let made = room.put_body(&id, None, &body).await?.good()?;
    must(has_keys(&made), "the hub made no keys")?;
    held()
}

async fn empty_keys_make_keys(room: &Room) -> Found {
    for authentication in [pair("", ""), json!({"type": "sas", "symmetricKey": {}})] {
        let (_, made) = room
            .make(json!({ "authentication": authentication }))
            .await?;
        must(has_keys(&made), "the hub made no keys")?;
    }
    held()
}

async fn an_update_without_authentication_makes_new_keys(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let body = json!({"deviceId": id, "status": "enabled"});
    let updated = room.put_body(&id, Some(ANY), &body).await?.good()?;
    must(has_keys(&updated), "the device has no keys")?;
    must(keys(&updated) != keys(&made), "the keys are the old ones")?;
    held()
}

async fn refused(
    room: &Room,
    authentication: Value,
    what: &str,
) -> Result<(), crate::check::Failure> {
    let body = json!({ "authentication": authentication });
    let answer = room.put(&room.device(), None, body).await?;
    must(answer.status == 400, format!("{what}: {}", answer.shown()))
}

async fn one_key_alone_is_refused(room: &Room) -> Found {
    let one = json!({"type": "sas", "symmetricKey": {"primaryKey": key(1, 32)}});
    refused(room, one, "one key").await?;
    held()
}

async fn keys_have_16_to_64_bytes(room: &Room) -> Found {
    room.make(json!({"authentication": pair(&key(1, 16), &key(2, 64))}))
        .await?;
    refused(room, pair(&key(1, 15), &key(2, 32)), "15 bytes").await?;
    refused(room, pair(&key(1, 32), &key(2, 65)), "65 bytes").await?;
    held()
}

async fn a_key_that_is_no_base64_is_refused(room: &Room) -> Found {
    refused(room, pair("not base64, is it?", &key(2, 32)), "no base64").await?;
    held()
}

async fn keys_change_places_in_one_write(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let (primary, secondary) = keys(&made);
    let swapped = json!({"authentication": pair(secondary, primary)});
    room.put(&id, Some(ANY), swapped).await?.good()?;
    let found = room.get(&id).await?.good()?;
    must(
        keys(&found) == (secondary, primary),
        "the keys did not change places",
    )?;
    held()
}

async fn thumbprints_keep_their_case(room: &Room) -> Found {
    let prints =
        json!({"primaryThumbprint": "aB".repeat(20), "secondaryThumbprint": "Cd".repeat(32)});
    let authentication = json!({"type": "selfSigned", "x509Thumbprint": prints});
    let (id, _) = room
        .make(json!({ "authentication": authentication }))
        .await?;
    let found = room.get(&id).await?.good()?;
    same(
        "type",
        &found.body["authentication"]["type"],
        &json!("selfSigned"),
    )?;
    same(
        "x509Thumbprint",
        &found.body["authentication"]["x509Thumbprint"],
        &prints,
    )?;
    must(keys(&found) == ("", ""), "the device has keys too")?;
    held()
}

async fn a_thumbprint_with_separators_is_refused(room: &Room) -> Found {
    let print = vec!["AB"; 20].join(":");
    let authentication = json!({"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": print, "secondaryThumbprint": print}});
    let body = json!({ "authentication": authentication });
    let answer = room.put(&room.device(), None, body).await?;
    answer.refused(400, "StringIsNotThumbprint")?;
    held()
}

async fn an_authority_is_kept(room: &Room) -> Found {
    let authentication = json!({"type": "certificateAuthority"});
    let (id, _) = room
        .make(json!({ "authentication": authentication }))
        .await?;
    let found = room.get(&id).await?.good()?;
    let kind = &found.body["authentication"]["type"];
    same("type", kind, &json!("certificateAuthority"))?;
    held()
}

async fn a_device_cannot_have_no_proof(room: &Room) -> Found {
    refused(room, json!({"type": "none"}), "type none").await?;
    held()
}

async fn a_regeneration_changes_the_named_key_only(room: &Room) -> Found {
    let (id, _) = room.make(json!({"authentication": sas()})).await?;
    let order = json!({"policyKey": "primaryKey", "devices": [{ "id": id }]});
    let ask = room
        .hub
        .ask(Method::POST, &["devices", "keys", "regenerate"]);
    let ask = ask.query("api-version", "2024-03-31").json(&order);
    let answer = ask.send().await?.status(200)?;
    same(
        "rotatedKeys/0/id",
        &answer.body["rotatedKeys"][0]["id"],
        &json!(id),
    )?;
    let found = room.get(&id).await?.good()?;
    let (primary, secondary) = keys(&found);
    must(
        primary != key(1, 32) && !primary.is_empty(),
        "the primary key is the old one",
    )?;
    must(secondary == key(2, 32), "the secondary key is another one")?;
    held()
}
