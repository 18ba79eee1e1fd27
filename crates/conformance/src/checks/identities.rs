//! Device identities: what a create answers, which ids there are, what comes and goes.

use hubshift_azure::api_version;
use reqwest::Method;
use serde_json::{Value, json};

use super::ANY;
use crate::check::{Found, checks, held, must, noted, same};
use crate::room::{Room, sas};

checks! { "identity":
    Rule OwnDevices "§1.1 [SWG]" a_create_answers_200_with_the_identity;
    Rule OwnDevices "§1.3 [LIVE3P]" a_second_create_is_refused;
    Rule OwnDevices "§1.3 [LIVE3P]" the_current_etag_in_the_body_makes_no_update_of_a_create;
    Rule OwnDevices "§1.3" an_update_of_a_missing_device_is_404;
    Rule None "§1.7" the_words_for_a_missing_device_are_its_id;
    Rule OwnDevices "§1.3" a_delete_of_a_missing_device_is_404;
    Rule OwnDevices "§1.1 [SWG]" a_delete_answers_204_and_the_device_is_gone;
    Rule OwnDevices "§1.2" an_update_keeps_the_generation;
    Rule OwnDevices "§1.2" a_device_made_again_is_another_generation;
    Rule OwnDevices "§1.2 [SDK]" ids_have_every_legal_character;
    Rule OwnDevices "§1.2 [SDK]" other_characters_are_refused;
    Rule OwnDevices "§1.2" ids_have_at_most_128_characters;
    Rule OwnDevices "§1.2" ids_are_case_sensitive;
    Rule OwnDevices "§1.1" the_body_cannot_name_another_device;
    Rule OwnDevices "§1.2 [SWG]" a_reason_has_at_most_128_characters;
    Rule OwnDevices "§1.2" a_disabled_device_stays_disabled;
    Rule None "§1.1 [WIRE]" a_list_takes_a_trailing_slash;
    Rule None "§1.1 [SWG]" a_list_has_at_most_1000_devices;
    Rule None "§1.1 [SWG]" statistics_have_three_counts;
    Rule None "§0 [LIVE3P]" all_known_versions_are_taken;
}

async fn a_create_answers_200_with_the_identity(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let made = made.status(200)?;
    same("deviceId", &made.body["deviceId"], &json!(id))?;
    same("status", &made.body["status"], &json!("enabled"))?;
    let times = [
        "statusUpdatedTime",
        "connectionStateUpdatedTime",
        "lastActivityTime",
    ];
    let names = ["generationId", "etag", "connectionState"];
    for field in times.iter().chain(&names) {
        must(made.body[*field].is_string(), format!("{field} is no text"))?;
    }
    held()
}

async fn a_second_create_is_refused(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let again = room.put(&id, None, json!({})).await?;
    again.refused(409, "DeviceAlreadyExists")?;
    held()
}

async fn the_current_etag_in_the_body_makes_no_update_of_a_create(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let again = room.put(&id, None, json!({"etag": made.etag()})).await?;
    again.refused(409, "DeviceAlreadyExists")?;
    held()
}

async fn an_update_of_a_missing_device_is_404(room: &Room) -> Found {
    let update = room.put(&room.device(), Some(ANY), json!({})).await?;
    update.refused(404, "DeviceNotFound")?;
    held()
}

async fn the_words_for_a_missing_device_are_its_id(room: &Room) -> Found {
    let id = room.name();
    let answer = room.get(&id).await?.refused(404, "DeviceNotFound")?;
    let wanted = format!("ErrorCode:DeviceNotFound;{id}");
    same("Message", &answer.body["Message"], &json!(wanted))?;
    held()
}

async fn a_delete_of_a_missing_device_is_404(room: &Room) -> Found {
    room.delete(&room.name(), ANY)
        .await?
        .refused(404, "DeviceNotFound")?;
    held()
}

async fn a_delete_answers_204_and_the_device_is_gone(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    room.delete(&id, ANY).await?.status(204)?;
    room.get(&id).await?.refused(404, "DeviceNotFound")?;
    held()
}

async fn an_update_keeps_the_generation(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    let updated = room
        .put(&id, Some(ANY), json!({"statusReason": "seen"}))
        .await?;
    let updated = updated.good()?;
    same(
        "generationId",
        &updated.body["generationId"],
        &made.body["generationId"],
    )?;
    held()
}

async fn a_device_made_again_is_another_generation(room: &Room) -> Found {
    let (id, made) = room.make(json!({})).await?;
    room.delete(&id, ANY).await?.good()?;
    let again = room.put(&id, None, json!({})).await?.good()?;
    let is_other = again.body["generationId"] != made.body["generationId"];
    must(is_other, "the generation is the old one")?;
    held()
}

async fn ids_have_every_legal_character(room: &Room) -> Found {
    let id = format!("{}-:.+%_#*?!(),=@;$'Az09", room.name());
    room.will_make(&id);
    room.put(&id, None, json!({})).await?.good()?;
    let found = room.get(&id).await?.good()?;
    same("deviceId", &found.body["deviceId"], &json!(id))?;
    held()
}

async fn other_characters_are_refused(room: &Room) -> Found {
    for odd in [" ", "/", "\\", "ä", "&", "\""] {
        let id = format!("{}{odd}x", room.name());
        room.will_make(&id);
        room.put(&id, None, json!({})).await?.status(400)?;
    }
    held()
}

async fn ids_have_at_most_128_characters(room: &Room) -> Found {
    let longest = format!("{:x<128}", room.name());
    let longer = format!("{longest}x");
    for (id, status) in [(longest, 200), (longer, 400)] {
        room.will_make(&id);
        room.put(&id, None, json!({})).await?.status(status)?;
    }
    held()
}

async fn ids_are_case_sensitive(room: &Room) -> Found {
    let name = room.name();
    for end in ["a", "A"] {
        let id = format!("{name}{end}");
        room.will_make(&id);
        room.put(&id, None, json!({})).await?.status(200)?;
    }
    held()
}

async fn the_body_cannot_name_another_device(room: &Room) -> Found {
    let (id, other) = (room.device(), room.device());
    let body = json!({"deviceId": other, "status": "enabled", "authentication": sas()});
    room.put_body(&id, None, &body).await?.status(400)?;
    held()
}

async fn a_reason_has_at_most_128_characters(room: &Room) -> Found {
    let reason = "r".repeat(128);
    let (_, made) = room.make(json!({ "statusReason": reason })).await?;
    same("statusReason", &made.body["statusReason"], &json!(reason))?;
    let longer = json!({"statusReason": format!("{reason}r")});
    room.put(&room.device(), None, longer).await?.status(400)?;
    held()
}

async fn a_disabled_device_stays_disabled(room: &Room) -> Found {
    let (id, _) = room
        .make(json!({"status": "disabled", "statusReason": "lost"}))
        .await?;
    let found = room.get(&id).await?.good()?;
    same("status", &found.body["status"], &json!("disabled"))?;
    same("statusReason", &found.body["statusReason"], &json!("lost"))?;
    held()
}

async fn a_list_takes_a_trailing_slash(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["devices"]).trailing_slash();
    let list = ask.query("top", "1").send().await?.status(200)?;
    must(list.body.is_array(), "the answer is no list")?;
    held()
}

async fn a_list_has_at_most_1000_devices(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["devices"]).query("top", "5000");
    let list = ask.send().await?.status(200)?;
    let count = list.body.as_array().map_or(0, Vec::len);
    must(count <= 1000, format!("{count} devices in one list"))?;
    held()
}

async fn statistics_have_three_counts(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["statistics", "devices"]);
    let counts = ask.send().await?.status(200)?;
    for field in [
        "totalDeviceCount",
        "enabledDeviceCount",
        "disabledDeviceCount",
    ] {
        let is_count = counts.body.get(field).is_some_and(Value::is_u64);
        must(is_count, format!("{field} is no count"))?;
    }
    held()
}

async fn all_known_versions_are_taken(room: &Room) -> Found {
    let mut refused = Vec::new();
    for version in api_version::SERVICE {
        let ask = room.hub.ask(Method::GET, &["statistics", "service"]);
        if ask.query("api-version", version).send().await?.status != 200 {
            refused.push(version);
        }
    }
    let is_ours_taken = !refused.contains(&api_version::SENT);
    must(
        is_ours_taken,
        "the version that the connector speaks is refused",
    )?;
    if refused.is_empty() {
        held()
    } else {
        noted(format!("refused: {}", refused.join(", ")))
    }
}
