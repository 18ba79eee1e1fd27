//! Configurations: what of them can change, and what becomes of an Edge device.

use hubshift_azure::etag::quote;
use reqwest::Method;
use serde_json::{Value, json};

use super::ANY;
use crate::ask::{Answer, Ask};
use crate::check::{Failure, Found, checks, held, must, noted, same};
use crate::room::Room;

checks! { "configurations":
    Rule OwnDevices "§1.1 [SWG]" a_configuration_is_made_and_read_back;
    Rule OwnDevices "§1.7" a_configuration_made_twice_is_refused;
    Rule None "§1.7" a_missing_configuration_is_404;
    Rule OwnDevices "§1.1" an_update_takes_a_quoted_etag;
    Rule OwnDevices "§1.3" a_stale_etag_stops_an_update_of_a_configuration;
    Rule OwnDevices "§6" content_does_not_change;
    Rule OwnDevices "§1.1" a_configuration_is_deleted_without_an_etag;
    Rule None "§1.1 [SWG]" configurations_are_listed;
    Rule None "§1.1 [SWG]" queries_are_tested;
    Rule OwnDevices "§6" content_goes_to_the_system_modules_of_an_edge_device;
    Observation OwnDevices "§1.3 [LIVE3P]" a_bare_etag_of_a_configuration_is;
}

fn ask<'a>(room: &'a Room, method: Method, id: &str) -> Ask<'a> {
    room.hub.ask(method, &["configurations", id])
}

fn draft(id: &str, priority: u32) -> Value {
    json!({
        "id": id, "schemaVersion": "1.0", "priority": priority, "labels": {"made": "conformance"},
        // No device has this tag.
        "targetCondition": format!("tags.conformance = '{id}'"),
        "content": {"deviceContent": {"properties.desired.conformance": 1}},
    })
}

async fn made(room: &Room) -> Result<(String, Answer), Failure> {
    let id = room.configuration();
    let answer = ask(room, Method::PUT, &id)
        .json(&draft(&id, 1))
        .send()
        .await?;
    Ok((id, answer.good()?))
}

async fn a_configuration_is_made_and_read_back(room: &Room) -> Found {
    let (id, _) = made(room).await?;
    let found = ask(room, Method::GET, &id).send().await?.status(200)?;
    let wanted = draft(&id, 1);
    for field in ["id", "priority", "labels", "targetCondition"] {
        same(field, &found.body[field], &wanted[field])?;
    }
    let content = &found.body["content"]["deviceContent"];
    same(
        "deviceContent",
        content,
        &wanted["content"]["deviceContent"],
    )?;
    must(!found.etag().is_empty(), "there is no etag")?;
    held()
}

async fn a_configuration_made_twice_is_refused(room: &Room) -> Found {
    let (id, _) = made(room).await?;
    let again = ask(room, Method::PUT, &id).json(&draft(&id, 2));
    again
        .send()
        .await?
        .refused(409, "ConfigurationAlreadyExists")?;
    held()
}

async fn a_missing_configuration_is_404(room: &Room) -> Found {
    let answer = ask(room, Method::GET, &room.name()).send().await?;
    answer.refused(404, "ConfigurationNotFound")?;
    held()
}

async fn an_update_takes_a_quoted_etag(room: &Room) -> Found {
    let (id, first) = made(room).await?;
    let update = ask(room, Method::PUT, &id).json(&draft(&id, 2));
    let updated = update.if_match(&quote(first.etag())).send().await?.good()?;
    same("priority", &updated.body["priority"], &json!(2))?;
    must(updated.etag() != first.etag(), "the etag is the old one")?;
    held()
}

async fn a_stale_etag_stops_an_update_of_a_configuration(room: &Room) -> Found {
    let (id, _) = made(room).await?;
    let update = ask(room, Method::PUT, &id).json(&draft(&id, 2));
    let answer = update.if_match("\"c3RhbGU=\"").send().await?;
    answer.refused(412, "PreconditionFailed")?;
    held()
}

async fn content_does_not_change(room: &Room) -> Found {
    let (id, first) = made(room).await?;
    let mut body = draft(&id, 1);
    body["content"] = json!({"deviceContent": {"properties.desired.conformance": 2}});
    let update = ask(room, Method::PUT, &id).json(&body);
    update
        .if_match(&quote(first.etag()))
        .send()
        .await?
        .status(200)?;
    let found = ask(room, Method::GET, &id).send().await?.good()?;
    let content = &found.body["content"]["deviceContent"];
    same(
        "deviceContent",
        content,
        &json!({"properties.desired.conformance": 1}),
    )?;
    held()
}

async fn a_configuration_is_deleted_without_an_etag(room: &Room) -> Found {
    let (id, _) = made(room).await?;
    ask(room, Method::DELETE, &id).send().await?.status(204)?;
    let found = ask(room, Method::GET, &id).send().await?;
    found.refused(404, "ConfigurationNotFound")?;
    held()
}

async fn configurations_are_listed(room: &Room) -> Found {
    let list = room.hub.ask(Method::GET, &["configurations"]);
    let list = list.query("top", "1").send().await?.status(200)?;
    let count = list.body.as_array().map(Vec::len);
    must(
        count.is_some_and(|count| count <= 1),
        "the answer is no list of one",
    )?;
    held()
}

async fn queries_are_tested(room: &Room) -> Found {
    let test = |condition: &str| {
        let queries = json!({"all": "SELECT deviceId FROM devices"});
        let body = json!({"targetCondition": condition, "customMetricQueries": queries});
        let ask = room
            .hub
            .ask(Method::POST, &["configurations", "testQueries"]);
        ask.json(&body).send()
    };
    let good = test("tags.conformance = 'x'").await?.status(200)?;
    must(
        good.at("/targetConditionError").is_empty(),
        "a good condition is wrong",
    )?;
    let bad = test("tags.conformance ===").await?.status(200)?;
    must(
        !bad.at("/targetConditionError").is_empty(),
        "a wrong condition is good",
    )?;
    held()
}

async fn content_goes_to_the_system_modules_of_an_edge_device(room: &Room) -> Found {
    let (id, _) = room
        .make(json!({"capabilities": {"iotEdge": true}}))
        .await?;
    let content = json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1", "modules": {},
            "runtime": {"type": "docker", "settings": {}}, "systemModules": {}}},
        "$edgeHub": {"properties.desired": {"schemaVersion": "1.1", "routes": {},
            "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}}}}});
    let apply = room
        .hub
        .ask(Method::POST, &["devices", &id, "applyConfigurationContent"]);
    apply.json(&content).send().await?.status(204)?;
    let twin = room
        .hub
        .ask(Method::GET, &["twins", &id, "modules", "$edgeHub"]);
    let twin = twin.send().await?.good()?;
    let version = &twin.body["properties"]["desired"]["schemaVersion"];
    same("schemaVersion", version, &json!("1.1"))?;
    held()
}

async fn a_bare_etag_of_a_configuration_is(room: &Room) -> Found {
    let (id, first) = made(room).await?;
    let update = ask(room, Method::PUT, &id).json(&draft(&id, 2));
    let answer = update.if_match(first.etag()).send().await?;
    let delete = ask(room, Method::DELETE, &id).if_match(ANY);
    delete.send().await?.good()?;
    noted(answer.shown())
}
