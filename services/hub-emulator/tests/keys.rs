//! New keys over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{Answer, Hub, hub};
use serde_json::{Value, json};

async fn rotate(hub: &Hub, version: &str, body: Value) -> Answer {
    let url = format!(
        "{}?api-version={version}",
        hub.url("/devices/keys/regenerate")
    );
    let token = hub.owner_token();
    let request = hub.http.post(url).header("authorization", token.expose());
    common::answer(request.json(&body).send().await.unwrap()).await
}

const VERSION: &str = "2024-03-31";

fn keys(answer: &Answer) -> &Value {
    &answer.body["authentication"]["symmetricKey"]
}

#[tokio::test]
async fn one_key_is_new_and_the_other_stays() {
    let hub = hub().await;
    let before = hub.create("d", 'B').await;
    let body = json!({"policyKey": "primaryKey", "devices": [{"id": "d"}]});
    let answer = rotate(&hub, VERSION, body).await;
    assert_eq!(answer.code(), 200, "{}", answer.body);
    assert_eq!(answer.body["policyKey"], "primaryKey");
    assert_eq!(answer.body["errors"], json!([]));
    let rotated = &answer.body["rotatedKeys"][0];
    assert_eq!(rotated["id"], "d");
    let after = hub.get("/devices/d").await;
    assert_eq!(rotated["primaryKey"], keys(&after)["primaryKey"]);
    assert_ne!(keys(&after)["primaryKey"], keys(&before)["primaryKey"]);
    assert_eq!(keys(&after)["secondaryKey"], keys(&before)["secondaryKey"]);
    assert_ne!(after.etag(), before.etag());
    assert_eq!(after.body["generationId"], before.body["generationId"]);
}

#[tokio::test]
async fn modules_have_keys_too() {
    let hub = hub().await;
    let device = hub.create("d", 'B').await;
    let path = "/devices/d/modules/m";
    let before = hub.put(path, None, json!({})).await;
    let body = json!({"policyKey": "both", "devices": [{"id": "d", "moduleId": "m"}]});
    let answer = rotate(&hub, VERSION, body).await;
    assert_eq!(answer.body["rotatedKeys"][0]["moduleId"], "m");
    let after = hub.get(path).await;
    assert_ne!(keys(&after)["secondaryKey"], keys(&before)["secondaryKey"]);
    assert_ne!(after.etag(), before.etag());
    assert_eq!(hub.get("/devices/d").await.body, device.body);
}

#[tokio::test]
async fn the_status_says_whether_all_some_or_none_have_new_keys() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let ca = json!({"deviceId": "ca", "authentication": {"type": "certificateAuthority"}});
    hub.put("/devices/ca", None, ca).await;
    let some = json!({"policyKey": "secondaryKey", "devices": [
        {"id": "d"}, {"id": "gone"}, {"id": "d", "moduleId": "m"}, {"id": "ca"}]});
    let answer = rotate(&hub, VERSION, some).await;
    assert_eq!(answer.code(), 207);
    assert_eq!(answer.body["rotatedKeys"].as_array().unwrap().len(), 1);
    let codes: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["errorCode"].as_str().unwrap())
        .collect();
    assert_eq!(
        codes,
        ["DeviceNotFound", "ModuleNotFound", "InvalidOperation"]
    );
    let none = json!({"policyKey": "both", "devices": [{"id": "gone"}]});
    let answer = rotate(&hub, VERSION, none).await;
    assert_eq!(
        (answer.code(), &answer.body["errors"][0]["id"]),
        (400, &json!("gone"))
    );
}

#[tokio::test]
async fn earlier_versions_do_not_know_it() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let body = json!({"policyKey": "both", "devices": [{"id": "d"}]});
    let refused = rotate(&hub, "2021-04-12", body).await;
    assert_eq!(
        (refused.code(), refused.error()),
        (400, "InvalidProtocolVersion")
    );
    let unknown = json!({"policyKey": "third", "devices": [{"id": "d"}]});
    let refused = rotate(&hub, VERSION, unknown).await;
    assert_eq!((refused.code(), refused.error()), (400, "InvalidPolicyKey"));
}
