//! Edge devices over the wire: scopes, parents, the runtime's modules, seeds and dumps.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{Answer, Hub, hub, options};
use hubshift_azure::export_line;
use hubshift_emulator::{Emulator, Options, run};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Makes an Edge device and returns its identity.
async fn edge(hub: &Hub, id: &str, parents: &[&Value]) -> Answer {
    let body = json!({"deviceId": id, "capabilities": {"iotEdge": true}, "parentScopes": parents});
    let made = hub.put(&format!("/devices/{id}"), None, body).await;
    assert_eq!(made.code(), 200, "{}", made.body);
    made
}

/// Replaces a device with what a read gave, changed.
async fn update(hub: &Hub, id: &str, change: impl FnOnce(&mut Value)) -> Answer {
    let path = format!("/devices/{id}");
    let mut body = hub.get(&path).await.body;
    change(&mut body);
    hub.put(&path, Some("*"), body).await
}

fn ids(list: &Answer) -> Vec<&str> {
    let modules = list.body.as_array().unwrap();
    modules
        .iter()
        .map(|module| module["moduleId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_edge_device_gets_a_scope_and_the_runtimes_modules() {
    let hub = hub().await;
    let given = json!({"deviceId": "e", "capabilities": {"iotEdge": true},
        "deviceScope": "ms-azure-iot-edge://other-1"});
    let made = hub.put("/devices/e", None, given).await;
    let scope = made.body["deviceScope"].as_str().unwrap();
    assert!(scope.starts_with("ms-azure-iot-edge://e-"), "{scope}");
    assert_eq!(made.body.get("parentScopes"), None);
    assert_eq!(hub.get("/twins/e").await.body["deviceScope"], scope);

    let modules = hub.get("/devices/e/modules").await;
    assert_eq!(ids(&modules), ["$edgeAgent", "$edgeHub"]);
    assert_eq!(modules.body[0]["managedBy"], "iotEdge");
    assert_eq!(modules.body[0]["authentication"]["type"], "none");
    let agent = "/devices/e/modules/$edgeAgent";
    let headers = [("if-match", "*")];
    let deleted = hub.call(Method::DELETE, agent, &headers, None).await;
    assert_eq!((deleted.code(), deleted.error()), (400, "ArgumentInvalid"));

    let leaf = hub.create("leaf", 'B').await;
    assert_eq!(leaf.body.get("deviceScope"), None);
    assert_eq!(hub.get("/devices/leaf/modules").await.body, json!([]));
}

#[tokio::test]
async fn leaves_hang_by_their_scope() {
    let hub = hub().await;
    let scope = edge(&hub, "e", &[]).await.body["deviceScope"].clone();
    hub.create("leaf", 'B').await;
    let ignored = update(&hub, "leaf", |body| body["parentScopes"] = json!([scope])).await;
    assert_eq!(ignored.body.get("parentScopes"), None);
    let attached = update(&hub, "leaf", |body| body["deviceScope"] = scope.clone()).await;
    assert_eq!(attached.body["parentScopes"], json!([scope]));
    assert_eq!(
        hub.get("/twins/leaf").await.body["parentScopes"],
        json!([scope])
    );
    let echoed = update(&hub, "leaf", |body| body["status"] = json!("disabled")).await;
    assert_eq!(echoed.body["deviceScope"], scope);
    let detached = update(&hub, "leaf", |body| body["deviceScope"] = json!("")).await;
    assert_eq!(detached.body.get("deviceScope"), None);
    assert_eq!(detached.body.get("parentScopes"), None);

    let nowhere = json!("ms-azure-iot-edge://e-1");
    let refused = update(&hub, "leaf", |body| body["deviceScope"] = nowhere).await;
    assert_eq!(
        (refused.code(), refused.error()),
        (400, "InvalidDeviceScope")
    );
}

#[tokio::test]
async fn edge_devices_hang_by_their_parents_and_say_their_own_scope() {
    let hub = hub().await;
    let top = edge(&hub, "top", &[]).await.body["deviceScope"].clone();
    let made = edge(&hub, "low", &[&top]).await;
    assert_eq!(made.body["parentScopes"], json!([top]));
    let blank = update(&hub, "low", |body| body["deviceScope"] = json!("")).await;
    assert_eq!((blank.code(), blank.error()), (400, "InvalidDeviceScope"));
    let message = blank.body["Message"].as_str().unwrap();
    assert_eq!(
        message,
        "ErrorCode:InvalidDeviceScope;Device scope is immutable"
    );
    let echoed = update(&hub, "low", |body| body["status"] = json!("disabled")).await;
    assert_eq!(echoed.body["parentScopes"], json!([top]));
    let detached = update(&hub, "low", |body| body["parentScopes"] = json!([])).await;
    assert_eq!(detached.body.get("parentScopes"), None);
    assert_eq!(detached.body["deviceScope"], made.body["deviceScope"]);
}

#[tokio::test]
async fn a_device_becomes_an_edge_device_and_back() {
    let hub = hub().await;
    let top = edge(&hub, "top", &[]).await.body["deviceScope"].clone();
    hub.create("d", 'B').await;
    hub.put("/devices/d/modules/mine", None, json!({})).await;
    let grown = update(&hub, "d", |body| {
        body["capabilities"]["iotEdge"] = json!(true);
        body["deviceScope"] = json!("");
        body["parentScopes"] = json!([top]);
    });
    let grown = grown.await;
    assert_eq!(grown.body["parentScopes"], json!([top]));
    let modules = hub.get("/devices/d/modules").await;
    assert_eq!(ids(&modules), ["$edgeAgent", "$edgeHub", "mine"]);
    let shrunk = update(&hub, "d", |body| {
        body["capabilities"]["iotEdge"] = json!(false)
    })
    .await;
    assert_eq!(shrunk.body.get("deviceScope"), None);
    assert_eq!(shrunk.body.get("parentScopes"), None);
    assert_eq!(ids(&hub.get("/devices/d/modules").await), ["mine"]);
}

#[tokio::test]
async fn content_is_applied_to_the_modules_it_names() {
    let hub = hub().await;
    edge(&hub, "e", &[]).await;
    let path = "/devices/e/applyConfigurationContent";
    let tags = json!({"tags": {"a": 1}});
    let agent = "/twins/e/modules/$edgeAgent";
    hub.call(Method::PATCH, agent, &[], Some(tags)).await;
    let content = json!({"modulesContent": {
        "$edgeAgent": {"properties.desired": {"schemaVersion": "1.1"}},
        "mine": {"properties.desired": {"rate": 5}, "properties.desired.deep.er": 1},
    }});
    assert_eq!(hub.post(path, content).await.code(), 204);
    let twin = hub.get(agent).await.body;
    assert_eq!(twin["properties"]["desired"]["schemaVersion"], "1.1");
    assert_eq!(twin["tags"], json!({"a": 1}));
    let mine = hub.get("/twins/e/modules/mine").await.body;
    assert_eq!(mine["properties"]["desired"]["rate"], 5);
    assert_eq!(mine["properties"]["desired"]["deep"], json!({"er": 1}));
    let identity = hub.get("/devices/e/modules/mine").await.body;
    assert_eq!(identity["managedBy"], "iotEdge");

    let agent_only = json!({"modulesContent": {"$edgeAgent": {}}});
    hub.create("leaf", 'B').await;
    let leaf = hub.post(
        "/devices/leaf/applyConfigurationContent",
        agent_only.clone(),
    );
    assert_eq!(leaf.await.code(), 400);
    let gone = hub.post("/devices/gone/applyConfigurationContent", agent_only);
    assert_eq!(gone.await.error(), "DeviceNotFound");
    let device_content = json!({"deviceContent": {"properties.desired.a": 1}});
    let refused = hub.post(path, device_content).await;
    assert_eq!(refused.error(), "InvalidConfigurationContent");
}

#[tokio::test]
async fn what_a_hub_dumps_seeds_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let (seed, dump) = (dir.path().join("seed.txt"), dir.path().join("dump.txt"));
    let lines = [
        json!({"id": "leaf", "status": "disabled", "deviceScope": "theirs"}),
        json!({"id": "e", "moduleId": "$edgeHub", "tags": {"a": 1}}),
        json!({"id": "e", "status": "enabled", "capabilities": {"iotEdge": true},
            "deviceScope": "theirs"}),
    ];
    std::fs::write(&seed, lines.map(|line| line.to_string()).join("\n")).unwrap();
    let mut files = Vec::new();
    for source in [&seed, &dump] {
        let data = dir.path().join(format!("{}.jsonl", files.len()));
        let seeded = Options {
            seed: Some(source.clone()),
            data: Some(data.clone()),
            ..options()
        };
        Emulator::start(seeded).await.unwrap().stop().await;
        let dumped = Options {
            dump: Some(dump.clone()),
            data: Some(data),
            ..options()
        };
        run(dumped, CancellationToken::new()).await.unwrap();
        let text = std::fs::read_to_string(&dump).unwrap();
        files.push(export_line::parse_file(&text).unwrap().devices);
    }
    let [first, second] = files.as_slice() else {
        panic!("two dumps");
    };
    let ids: Vec<_> = first
        .iter()
        .map(|entry| (entry.id.as_str(), entry.module_id.as_deref()))
        .collect();
    let edge_modules = [("e", Some("$edgeAgent")), ("e", Some("$edgeHub"))];
    assert_eq!(
        ids,
        [
            ("e", None),
            edge_modules[0],
            edge_modules[1],
            ("leaf", None)
        ]
    );
    assert_eq!(first[2].tags, json!({"a": 1}).as_object().cloned());
    assert_eq!(first[3].device_scope, first[0].device_scope);
    assert_eq!(second[3].device_scope, second[0].device_scope);
    assert_ne!(second[0].device_scope, first[0].device_scope);
    assert_eq!(second[3].authentication, first[3].authentication);
}
