//! What a hub dumps fills another one: nothing is lost that can be in a file.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};

use common::{Hub, options, start};
use hubshift_emulator::{Options, run};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

fn with_data(path: &Path) -> Options {
    Options {
        data: Some(path.to_owned()),
        ..options()
    }
}

async fn put(hub: &Hub, path: &str, body: Value) -> Value {
    let made = hub.put(path, None, body).await;
    assert_eq!(made.code(), 200, "{}", made.body);
    made.body
}

/// A registry of every kind: gateways below each other, a leaf, devices that outlived their
/// parents, modules, a configuration.
async fn fill(hub: &Hub) {
    let edge = |parents: Value| json!({"capabilities": {"iotEdge": true}, "parentScopes": parents});
    let top = put(hub, "/devices/top", edge(json!([]))).await["deviceScope"].clone();
    let low = put(hub, "/devices/low", edge(json!([top]))).await["deviceScope"].clone();
    put(hub, "/devices/leaf", json!({"deviceScope": low})).await;
    let gone = put(hub, "/devices/gone", edge(json!([]))).await["deviceScope"].clone();
    put(hub, "/devices/orphan", json!({"deviceScope": gone})).await;
    put(hub, "/devices/orphan-edge", edge(json!([gone]))).await;
    let any = [("if-match", "*")];
    let deleted = hub.call(Method::DELETE, "/devices/gone", &any, None).await;
    assert_eq!(deleted.code(), 204);
    let module = json!({"managedBy": "me"});
    put(hub, "/devices/leaf/modules/mine", module).await;
    put(hub, "/devices/leaf/modules/nobodys", json!({})).await;
    let content = json!({"deviceContent": {"properties.desired.rate": 1}});
    let configuration = json!({"content": content, "priority": 7, "labels": {"by": "me"},
        "targetCondition": "tags.site = 'a'", "schemaVersion": "1.0",
        "metrics": {"queries": {"all": "select deviceId from devices"}}});
    put(hub, "/configurations/c", configuration).await;
    let twin = json!({"tags": {"site": "ü"}, "properties": {"desired": {"rate": 7}}});
    for path in [
        "/twins/leaf",
        "/twins/leaf/modules/mine",
        "/twins/top/modules/$edgeHub",
    ] {
        let patched = hub.call(Method::PATCH, path, &[], Some(twin.clone())).await;
        assert_eq!(patched.code(), 200);
    }
}

/// All that a hub shows, but for what every hub makes anew.
async fn shown(hub: &Hub) -> Value {
    let mut shown = json!({});
    for id in ["top", "low", "leaf", "orphan", "orphan-edge"] {
        let mut device = hub.get(&format!("/devices/{id}")).await.body;
        let twin = hub.get(&format!("/twins/{id}")).await.body;
        let modules = hub.get(&format!("/devices/{id}/modules")).await.body;
        device["parent"] = parent(&device).into();
        let list = modules.as_array().unwrap();
        let managed: Value = list
            .iter()
            .map(|module| {
                json!([
                    module["moduleId"],
                    module["managedBy"],
                    module["authentication"]
                ])
            })
            .collect();
        for field in ["etag", "generationId", "deviceScope", "parentScopes"] {
            device.as_object_mut().unwrap().remove(field);
        }
        shown[id] = json!({"device": device, "tags": twin["tags"], "modules": managed,
            "rate": twin["properties"]["desired"]["rate"]});
    }
    for path in ["/twins/leaf/modules/mine", "/twins/top/modules/$edgeHub"] {
        shown[path] = hub.get(path).await.body["tags"].clone();
    }
    let mut configuration = hub.get("/configurations/c").await.body;
    for field in ["etag", "createdTimeUtc", "lastUpdatedTimeUtc"] {
        configuration.as_object_mut().unwrap().remove(field);
    }
    shown["configuration"] = configuration;
    shown
}

/// The id of the parent. The scope itself, if the parent is gone: that one is the same everywhere.
fn parent(device: &Value) -> Option<String> {
    let scope = device["parentScopes"][0].as_str()?;
    let id = scope.strip_prefix("ms-azure-iot-edge://").unwrap();
    let (id, _) = id.rsplit_once('-').unwrap();
    Some(if id == "gone" { scope } else { id }.to_owned())
}

#[tokio::test]
async fn what_a_hub_dumps_fills_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    let hub = start(with_data(&file("one.jsonl"))).await;
    fill(&hub).await;
    let before = shown(&hub).await;
    assert_eq!(before["low"]["device"]["parent"], "top");
    assert!(before["orphan"]["device"]["parent"].as_str().unwrap().len() > 20);
    hub.running.stop().await;

    let dumped = Options {
        dump: Some(file("devices.txt")),
        dump_configurations: Some(file("configurations.txt")),
        ..with_data(&file("one.jsonl"))
    };
    run(dumped, CancellationToken::new()).await.unwrap();
    let seeded = Options {
        seed: Some(file("devices.txt")),
        seed_configurations: Some(file("configurations.txt")),
        ..with_data(&file("two.jsonl"))
    };
    let hub = start(seeded.clone()).await;
    assert_eq!(shown(&hub).await, before);

    // What was changed since is not seeded over.
    let any = [("if-match", "*")];
    hub.call(Method::DELETE, "/configurations/c", &any, None)
        .await;
    put(
        &hub,
        "/configurations/d",
        json!({"content": {"deviceContent": {}}}),
    )
    .await;
    hub.running.stop().await;
    let hub = start(seeded).await;
    assert_eq!(hub.get("/configurations/c").await.code(), 404);
}
