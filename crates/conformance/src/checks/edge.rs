//! Edge devices: scopes that the hub makes, parents, children, system modules.

use reqwest::Method;
use serde_json::{Value, json};

use super::ANY;
use crate::ask::Answer;
use crate::check::{Failure, Found, checks, held, must, noted, same};
use crate::room::Room;

checks! { "edge":
    Rule OwnDevices "§6" the_hub_makes_the_scope;
    Rule OwnDevices "§6" a_scope_that_is_sent_is_passed_over;
    Rule OwnDevices "§6" an_edge_device_made_again_has_another_scope;
    Rule OwnDevices "§6" a_leaf_takes_its_parents_scope;
    Rule OwnDevices "§6" a_leaf_with_parent_scopes_alone_has_no_parent;
    Rule OwnDevices "§6" a_leaf_loses_its_parent_when_the_scope_is_left_out;
    Rule OwnDevices "§6" an_edge_child_names_its_parent;
    Rule OwnDevices "§6" an_edge_child_is_detached_by_no_parents;
    Rule OwnDevices "§6" an_edge_device_cannot_lose_its_scope;
    Rule OwnDevices "§1.2" an_edge_device_has_its_system_modules;
    Rule OwnDevices "§1.6" a_twin_has_scope_and_parents;
    Observation OwnDevices "§1.7" a_parent_that_is_not_there_is;
}

/// An Edge device and its scope.
async fn edge(room: &Room, more: Value) -> Result<(String, Answer), Failure> {
    let mut body = json!({"capabilities": {"iotEdge": true}});
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    room.make(body).await
}

fn has_own_scope(id: &str, answer: &Answer) -> Result<(), Failure> {
    let scope = answer.at("/deviceScope");
    let start = format!("ms-azure-iot-edge://{id}-");
    let number = scope.strip_prefix(&start).unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    must(is_number, format!("the scope is {scope:?}"))
}

fn has_no_parent(answer: &Answer) -> Result<(), Failure> {
    let parents = &answer.body["parentScopes"];
    let is_none = parents.as_array().is_none_or(Vec::is_empty);
    must(is_none, format!("the parents are {parents}"))
}

async fn the_hub_makes_the_scope(room: &Room) -> Found {
    let (id, made) = edge(room, json!({})).await?;
    has_own_scope(&id, &made)?;
    held()
}

async fn a_scope_that_is_sent_is_passed_over(room: &Room) -> Found {
    let scope = json!({"deviceScope": "ms-azure-iot-edge://another-1"});
    let (id, made) = edge(room, scope).await?;
    has_own_scope(&id, &made)?;
    held()
}

async fn an_edge_device_made_again_has_another_scope(room: &Room) -> Found {
    let (id, made) = edge(room, json!({})).await?;
    room.delete(&id, ANY).await?.good()?;
    let again = room
        .put(&id, None, json!({"capabilities": {"iotEdge": true}}))
        .await?;
    let again = again.good()?;
    let is_other = again.at("/deviceScope") != made.at("/deviceScope");
    must(is_other, "the scope is the old one")?;
    held()
}

async fn a_leaf_takes_its_parents_scope(room: &Room) -> Found {
    let (_, parent) = edge(room, json!({})).await?;
    let scope = parent.at("/deviceScope");
    let (_, leaf) = room.make(json!({ "deviceScope": scope })).await?;
    same("deviceScope", &leaf.body["deviceScope"], &json!(scope))?;
    same("parentScopes", &leaf.body["parentScopes"], &json!([scope]))?;
    held()
}

async fn a_leaf_with_parent_scopes_alone_has_no_parent(room: &Room) -> Found {
    let (_, parent) = edge(room, json!({})).await?;
    let scopes = json!({"parentScopes": [parent.at("/deviceScope")]});
    let (_, leaf) = room.make(scopes).await?;
    must(leaf.at("/deviceScope").is_empty(), "the leaf has a scope")?;
    has_no_parent(&leaf)?;
    held()
}

async fn a_leaf_loses_its_parent_when_the_scope_is_left_out(room: &Room) -> Found {
    let (_, parent) = edge(room, json!({})).await?;
    let scope = json!({"deviceScope": parent.at("/deviceScope")});
    let (id, _) = room.make(scope).await?;
    let leaf = room.put(&id, Some(ANY), json!({})).await?.good()?;
    must(
        leaf.at("/deviceScope").is_empty(),
        "the leaf has its scope still",
    )?;
    has_no_parent(&leaf)?;
    held()
}

/// An Edge device below another.
async fn child(room: &Room) -> Result<(String, Answer, String), Failure> {
    let (_, parent) = edge(room, json!({})).await?;
    let scope = parent.at("/deviceScope").to_owned();
    let (id, made) = edge(room, json!({"parentScopes": [scope]})).await?;
    Ok((id, made, scope))
}

async fn an_edge_child_names_its_parent(room: &Room) -> Found {
    let (id, made, parent) = child(room).await?;
    has_own_scope(&id, &made)?;
    same("parentScopes", &made.body["parentScopes"], &json!([parent]))?;
    held()
}

async fn an_edge_child_is_detached_by_no_parents(room: &Room) -> Found {
    let (id, made, _) = child(room).await?;
    let body = json!({"capabilities": {"iotEdge": true}, "parentScopes": [],
        "deviceScope": made.at("/deviceScope")});
    let updated = room.put(&id, Some(ANY), body).await?.good()?;
    has_no_parent(&updated)?;
    same(
        "deviceScope",
        &updated.body["deviceScope"],
        &made.body["deviceScope"],
    )?;
    held()
}

async fn an_edge_device_cannot_lose_its_scope(room: &Room) -> Found {
    let (id, made) = edge(room, json!({})).await?;
    let body = json!({"capabilities": {"iotEdge": true}, "statusReason": "seen"});
    room.put(&id, Some(ANY), body).await?.status(400)?;
    let found = room.get(&id).await?.good()?;
    must(found.etag() == made.etag(), "the device was written")?;
    held()
}

async fn an_edge_device_has_its_system_modules(room: &Room) -> Found {
    let (id, _) = edge(room, json!({})).await?;
    let list = room.hub.ask(Method::GET, &["devices", &id, "modules"]);
    let list = list.send().await?.status(200)?;
    let modules = list.body.as_array().map(Vec::as_slice).unwrap_or_default();
    let names = modules
        .iter()
        .filter_map(|module| module["moduleId"].as_str());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    same(
        "the modules",
        &json!(names),
        &json!(["$edgeAgent", "$edgeHub"]),
    )?;
    held()
}

async fn a_twin_has_scope_and_parents(room: &Room) -> Found {
    let (id, made, parent) = child(room).await?;
    let twin = room.twin(&id).await?.good()?;
    same(
        "deviceScope",
        &twin.body["deviceScope"],
        &made.body["deviceScope"],
    )?;
    same("parentScopes", &twin.body["parentScopes"], &json!([parent]))?;
    held()
}

async fn a_parent_that_is_not_there_is(room: &Room) -> Found {
    let scope = "ms-azure-iot-edge://none-638000000000000000";
    let answer = room
        .put(&room.device(), None, json!({ "deviceScope": scope }))
        .await?;
    noted(match answer.status {
        200 => "taken".to_owned(),
        _ => format!("refused: {}", answer.shown()),
    })
}
