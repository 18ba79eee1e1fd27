//! Refusals: their form, tokens, versions, bodies, devices that are not there to be called.

use hubshift_azure::{Secret, headers};
use reqwest::Method;
use serde_json::json;

use crate::check::{Found, checks, held, must, noted, same};
use crate::room::{Room, key};

checks! { "errors":
    Rule None "§1.7 [LIVE3P]" header_and_body_name_the_same_error;
    Rule None "§1.7 [LIVE3P]" every_answer_has_a_request_id;
    Rule None "§1.7" refusals_are_json;
    Rule None "§0" a_version_is_needed;
    Rule None "§0" an_unknown_version_is_refused;
    Rule None "§2" a_wrong_key_is_401;
    Rule None "§2" an_old_token_is_401;
    Rule None "§2" no_token_is_401;
    Rule OwnDevices "§1.7" a_body_that_is_no_json_is_400;
    Rule OwnDevices "§1.7" no_body_is_400;
    Rule OwnDevices "§1.7" a_device_that_is_not_connected_cannot_be_called;
    Rule OwnDevices "§1.1 [SWG]" a_purge_counts_messages;
    Observation None "§1.7 [LIVE3P]" throttling_so_far;
}

async fn header_and_body_name_the_same_error(room: &Room) -> Found {
    let answer = room.get(&room.name()).await?.status(404)?;
    let start = format!("ErrorCode:{};", answer.error());
    must(
        answer.at("/Message").starts_with(&start),
        "the body names another",
    )?;
    must(
        !answer.at("/ExceptionMessage").is_empty(),
        "there is no ExceptionMessage",
    )?;
    held()
}

async fn every_answer_has_a_request_id(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["statistics", "service"]);
    for answer in [room.get(&room.name()).await?, ask.send().await?] {
        must(
            !answer.header(headers::REQUEST_ID).is_empty(),
            "there is none",
        )?;
    }
    held()
}

async fn refusals_are_json(room: &Room) -> Found {
    let answer = room.get(&room.name()).await?.status(404)?;
    let kind = answer.header("content-type");
    must(
        kind.starts_with("application/json"),
        format!("it is {kind:?}"),
    )?;
    held()
}

async fn a_version_is_needed(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["devices", &room.name()]);
    ask.without_version().send().await?.status(400)?;
    held()
}

async fn an_unknown_version_is_refused(room: &Room) -> Found {
    let ask = room.hub.ask(Method::GET, &["devices", &room.name()]);
    ask.query("api-version", "2001-01-01")
        .send()
        .await?
        .status(400)?;
    held()
}

/// Asks for a device that is not there with another token.
async fn unauthorized(room: &Room, token: Secret) -> Found {
    let ask = room.hub.ask(Method::GET, &["devices", &room.name()]);
    let answer = ask.authorization(token).send().await?;
    answer.refused(401, "IotHubUnauthorizedAccess")?;
    held()
}

async fn a_wrong_key_is_401(room: &Room) -> Found {
    let other = Secret::new(key(9, 32));
    let token = room.hub.token(&other, time::Duration::minutes(5))?;
    unauthorized(room, token).await
}

async fn an_old_token_is_401(room: &Room) -> Found {
    // A token that is a little late is still taken: clocks differ.
    let token = room
        .hub
        .token(room.hub.key(), time::Duration::minutes(-30))?;
    unauthorized(room, token).await
}

async fn no_token_is_401(room: &Room) -> Found {
    unauthorized(room, Secret::new("none")).await
}

async fn a_body_that_is_no_json_is_400(room: &Room) -> Found {
    let id = room.device();
    for text in ["{", "<xml/>", "[]", "1"] {
        let ask = room.hub.ask(Method::PUT, &["devices", &id]).text(text);
        let answer = ask.send().await?;
        must(
            answer.status == 400,
            format!("{text}: answered {}", answer.shown()),
        )?;
    }
    held()
}

async fn no_body_is_400(room: &Room) -> Found {
    let id = room.device();
    let ask = room.hub.ask(Method::PUT, &["devices", &id]).text("");
    ask.send().await?.status(400)?;
    held()
}

async fn a_device_that_is_not_connected_cannot_be_called(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let call = json!({"methodName": "reboot", "payload": {}, "responseTimeoutInSeconds": 5,
        "connectTimeoutInSeconds": 0});
    let ask = room
        .hub
        .ask(Method::POST, &["twins", &id, "methods"])
        .json(&call);
    ask.send().await?.refused(404, "DeviceNotOnline")?;
    held()
}

async fn a_purge_counts_messages(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    let ask = room.hub.ask(Method::DELETE, &["devices", &id, "commands"]);
    let answer = ask.send().await?.status(200)?;
    same("deviceId", &answer.body["deviceId"], &json!(id))?;
    same(
        "totalMessagesPurged",
        &answer.body["totalMessagesPurged"],
        &json!(0),
    )?;
    held()
}

async fn throttling_so_far(room: &Room) -> Found {
    let (times, told) = room.hub.throttled();
    noted(format!(
        "429 came {times} times, {told} of them with Retry-After"
    ))
}
