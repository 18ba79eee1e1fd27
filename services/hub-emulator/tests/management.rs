//! The stand-in for Azure's resource manager: a hub that is fenced, and opened again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
#[path = "common/entra.rs"]
mod entra;

use common::{Hub, VERSION, answer, key, start};
use entra::{HUB_SCOPE, MANAGEMENT_SCOPE, RESOURCE, call, manage, token};
use hubshift_azure::Secret;
use hubshift_azure::quota::Tier;
use hubshift_emulator::{EntraOptions, Options, ThrottleOptions};
use reqwest::Method;
use serde_json::{Value, json};

async fn read(hub: &Hub, token: &str) -> Value {
    let found = manage(hub, token, Method::GET, RESOURCE, None, None).await;
    assert_eq!(found.code(), 200, "{}", found.body);
    found.body
}

/// Puts back what was read with other properties.
async fn put(hub: &Hub, token: &str, properties: &[(&str, Value)]) -> Value {
    let mut body = read(hub, token).await;
    for (name, value) in properties {
        body["properties"][*name] = value.clone();
    }
    let etag = body["etag"].as_str().unwrap().to_owned();
    let etag = Some(etag.as_str());
    let found = manage(hub, token, Method::PUT, RESOURCE, etag, Some(&body)).await;
    assert_eq!(found.code(), 200, "{}", found.body);
    found.body
}

/// The status that a policy's key gets for reading a device.
async fn signed(hub: &Hub, policy: &str, key: &Secret) -> u16 {
    let url = format!("{}?{VERSION}", hub.url("/devices/d"));
    let request = hub.http.get(url);
    let request = request.header("authorization", hub.token(policy, key).expose());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_fenced_hub_takes_nobody_and_its_old_keys_are_gone_for_good() {
    let hub = start(entra::options()).await;
    hub.create("d", 'B').await;
    let fence = token(&hub, "contributor", MANAGEMENT_SCOPE).await;
    let data = token(&hub, "data-reader", HUB_SCOPE).await;
    assert_eq!(signed(&hub, "iothubowner", &key('A')).await, 200);

    let policies = json!([{"keyName": "iothubowner", "rights":
        "RegistryWrite, ServiceConnect, DeviceConnect"}]);
    let closed = put(
        &hub,
        &fence,
        &[
            ("publicNetworkAccess", json!("Disabled")),
            ("authorizationPolicies", policies),
        ],
    )
    .await;
    assert_eq!(closed["properties"]["publicNetworkAccess"], "Disabled");
    assert_eq!(closed["properties"]["state"], "Active");
    assert!(closed["properties"].get("authorizationPolicies").is_none());
    assert_eq!(signed(&hub, "iothubowner", &key('A')).await, 403);
    assert_eq!(hub.send_event("d", &key('B')).await, 403);
    let read = call(&hub, &data, Method::GET, "/devices/d", None).await;
    assert_eq!(
        (read.code(), read.error()),
        (403, "IotHubUnauthorizedAccess")
    );

    put(&hub, &fence, &[("publicNetworkAccess", json!("Enabled"))]).await;
    assert_eq!(signed(&hub, "iothubowner", &key('A')).await, 401);
    assert_eq!(hub.send_event("d", &key('B')).await, 204);
    let read = call(&hub, &data, Method::GET, "/devices/d", None).await;
    assert_eq!(read.code(), 200);
    let path = format!("{RESOURCE}/listkeys");
    let keys = manage(&hub, &fence, Method::POST, &path, None, None).await;
    let policies = keys.body["value"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    for name in ["primaryKey", "secondaryKey"] {
        let new = Secret::new(policies[0][name].as_str().unwrap());
        assert_eq!(signed(&hub, "iothubowner", &new).await, 200, "{name}");
    }
    assert_eq!(
        policies[0]["rights"],
        "RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect"
    );
}

#[tokio::test]
async fn a_call_that_waits_while_the_hub_is_closed_is_not_carried_out() {
    let hub = start(Options {
        throttle: ThrottleOptions {
            tier: Some(Tier::S1),
            ..ThrottleOptions::default()
        },
        ..entra::options()
    })
    .await;
    let fence = token(&hub, "contributor", MANAGEMENT_SCOPE).await;
    // One more than may come at once: the next call waits for more than a second.
    let entry = |n| json!({"id": format!("d{n}"), "status": "enabled", "importMode": "create"});
    let entries: Vec<_> = (0..11).map(entry).collect();
    assert_eq!(hub.post("/devices", json!(entries)).await.code(), 200);
    let late = hub.put("/devices/late", None, json!({"deviceId": "late"}));
    let close = async {
        while hub.running.requests("put_device") == 0 {
            tokio::task::yield_now().await;
        }
        put(&hub, &fence, &[("publicNetworkAccess", json!("Disabled"))]).await;
    };
    let (late, ()) = tokio::join!(late, close);
    assert!([401, 403].contains(&late.code()), "{}", late.body);
    put(&hub, &fence, &[("publicNetworkAccess", json!("Enabled"))]).await;
    assert_eq!(hub.get("/devices/late").await.code(), 404);
}

#[tokio::test]
async fn a_change_needs_the_current_etag_and_a_contributor() {
    let hub = start(entra::options()).await;
    let fence = token(&hub, "contributor", MANAGEMENT_SCOPE).await;
    let mut body = read(&hub, &fence).await;
    body["properties"]["publicNetworkAccess"] = json!("Disabled");
    let change = async |token: &str, etag| {
        let body = Some(&body);
        let found = manage(&hub, token, Method::PUT, RESOURCE, etag, body).await;
        found.code()
    };
    assert_eq!(change(&fence, Some("\"AAAAAAAAAAA=\"")).await, 412);
    let reader = token(&hub, "data-contributor", MANAGEMENT_SCOPE).await;
    assert_eq!(change(&reader, None).await, 403);
    let elsewhere = token(&hub, "contributor", HUB_SCOPE).await;
    assert_eq!(change(&elsewhere, None).await, 401);
    assert_eq!(change("unknown", None).await, 401);
    assert_eq!(hub.get("/devices").await.code(), 200, "nothing changed");
    assert_eq!(change(&fence, None).await, 200);
    assert_eq!(hub.get("/devices").await.code(), 403);
}

#[tokio::test]
async fn only_the_named_hub_is_known_and_versions_are_asked_for() {
    let hub = start(Options {
        entra: EntraOptions {
            resource_id: Some(RESOURCE.to_owned()),
            ..entra::options().entra
        },
        ..entra::options()
    })
    .await;
    // The endpoint's own name is a scope too: some clients derive one from the other.
    let scope = entra::management(&hub, "/.default");
    let fence = token(&hub, "contributor", &scope).await;
    let found = read(&hub, &fence).await;
    assert_eq!(found["id"], RESOURCE);
    assert_eq!(found["name"], "east");
    assert_eq!(found["sku"]["name"], "S1");
    assert_eq!(found["properties"]["hostName"], hub.running.host.as_str());
    let other = RESOURCE.replace("east", "west");
    let missing = manage(&hub, &fence, Method::GET, &other, None, None).await;
    assert_eq!(missing.code(), 404);
    assert_eq!(missing.body["error"]["code"], "ResourceNotFound");
    let url = entra::management(&hub, RESOURCE);
    let bare = hub.http.get(url).bearer_auth(&fence);
    assert_eq!(answer(bare.send().await.unwrap()).await.code(), 400);
}

#[tokio::test]
async fn a_container_that_does_not_answer_does_not_keep_a_fence_waiting() {
    let hub = start(entra::options()).await;
    let fence = token(&hub, "contributor", MANAGEMENT_SCOPE).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = silent.local_addr().unwrap();
    let uri = format!("http://{addr}/account/box?sp=racwdl&sig=x");
    let job = hub.post(
        "/jobs/create",
        json!({"type": "export", "outputBlobContainerUri": uri}),
    );
    let fenced = async {
        // The hub tries the container, and waits for it from now on.
        let _asked = silent.accept().await.unwrap();
        put(&hub, &fence, &[("publicNetworkAccess", json!("Disabled"))]).await
    };
    tokio::select! {
        _ = job => panic!("the container has not answered"),
        closed = fenced => assert_eq!(closed["properties"]["publicNetworkAccess"], "Disabled"),
    }
}
