//! What the registry has before the requests come.

use serde_json::{Value, json};

use crate::common::{Hub, key};

/// Makes a device of every kind, a module and a configuration; returns the Edge device's scope.
pub(crate) async fn seed(hub: &Hub) -> String {
    let edge = put(hub, "seed-edge", json!({"capabilities": {"iotEdge": true}})).await;
    let scope = edge["deviceScope"].as_str().expect("a scope").to_owned();
    let print = "aB".repeat(20);
    put(hub, "seed-sas", json!({})).await;
    put(
        hub,
        "seed-disabled",
        json!({"status": "disabled", "statusReason": "lost"}),
    )
    .await;
    let x509 = json!({"authentication": {"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": print}}});
    put(hub, "seed-x509", x509).await;
    let authority = json!({"authentication": {"type": "certificateAuthority"}});
    put(hub, "seed-ca", authority).await;
    put(hub, "seed-leaf", json!({"deviceScope": scope})).await;
    let module = json!({"deviceId": "seed-sas", "moduleId": "seed-module"});
    let made = hub.put("/devices/seed-sas/modules/seed-module", None, module);
    assert!(made.await.status.is_success());
    scope
}

async fn put(hub: &Hub, id: &str, more: Value) -> Value {
    let mut body = json!({"deviceId": id, "status": "enabled", "authentication": {"type": "sas",
        "symmetricKey": {"primaryKey": key('B').expose(), "secondaryKey": key('C').expose()}}});
    for (name, value) in more.as_object().unwrap() {
        body[name.as_str()] = value.clone();
    }
    let made = hub.put(&format!("/devices/{id}"), None, body).await;
    assert_eq!(made.code(), 200, "{}", made.body);
    made.body
}
