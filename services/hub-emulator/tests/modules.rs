//! Modules over the wire: identities, twins, bulk entries.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{Answer, Hub, hub, key, options, start};
use hubshift_emulator::{Options, RegistryOptions};
use reqwest::Method;
use serde_json::json;

const PATH: &str = "/devices/d/modules/m";

async fn delete(hub: &Hub, path: &str, if_match: Option<&str>) -> Answer {
    let headers: Vec<_> = if_match
        .map(|etag| ("if-match", etag))
        .into_iter()
        .collect();
    hub.call(Method::DELETE, path, &headers, None).await
}

/// A hub with device `d` and its module `m`.
async fn with_module() -> (Hub, Answer) {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let made = hub.put(PATH, None, json!({"moduleId": "m"})).await;
    assert_eq!(made.code(), 200, "{}", made.body);
    (hub, made)
}

#[tokio::test]
async fn a_module_has_keys_and_an_etag_and_no_status() {
    let (hub, made) = with_module().await;
    assert_eq!(
        (&made.body["deviceId"], &made.body["moduleId"]),
        (&json!("d"), &json!("m"))
    );
    assert_eq!(
        made.header("etag"),
        Some(format!("\"{}\"", made.etag()).as_str())
    );
    assert_eq!(made.body["connectionState"], "Disconnected");
    assert_eq!(made.body["lastActivityTime"], "0001-01-01T00:00:00Z");
    assert_eq!(made.body["authentication"]["type"], "sas");
    let primary = &made.body["authentication"]["symmetricKey"]["primaryKey"];
    assert_eq!(primary.as_str().unwrap().len(), 44);
    assert_eq!(made.body.get("status"), None);
    assert_eq!(hub.get(PATH).await.body, made.body);
    assert_eq!(hub.get("/devices/d/modules").await.body, json!([made.body]));
}

#[tokio::test]
async fn a_second_create_is_refused_in_the_second_envelope() {
    let (hub, _) = with_module().await;
    let again = hub.put(PATH, None, json!({})).await;
    assert_eq!(
        (again.code(), again.error()),
        (409, "ModuleAlreadyExistsOnDevice")
    );
    assert_eq!(again.body["errorCode"], 409_301);
    assert!(
        again.body["message"]
            .as_str()
            .unwrap()
            .contains("already contains Module m")
    );
    assert!(again.body["trackingId"].is_string() && again.body["timestampUtc"].is_string());
}

#[tokio::test]
async fn an_update_is_conditional_and_replaces_everything() {
    let (hub, made) = with_module().await;
    let mut body = made.body.clone();
    body["managedBy"] = json!("me");
    let quoted = format!("\"{}\"", made.etag());
    let updated = hub.put(PATH, Some(&quoted), body.clone()).await;
    assert_eq!(
        (updated.code(), &updated.body["managedBy"]),
        (200, &json!("me"))
    );
    assert_eq!(updated.body["authentication"], made.body["authentication"]);
    assert_eq!(updated.body["generationId"], made.body["generationId"]);
    let stale = hub.put(PATH, Some(&quoted), body).await;
    assert_eq!((stale.code(), stale.error()), (412, "PreconditionFailed"));
    let bare = hub.put(PATH, Some("\"*\""), json!({})).await;
    assert_eq!(bare.body.get("managedBy"), None);
    assert_ne!(bare.body["authentication"], made.body["authentication"]);
    let missing = hub.put("/devices/d/modules/x", Some("*"), json!({})).await;
    assert_eq!((missing.code(), missing.error()), (404, "ModuleNotFound"));
    let no_device = hub.put("/devices/x/modules/m", None, json!({})).await;
    assert_eq!(
        (no_device.code(), no_device.error()),
        (404, "DeviceNotFound")
    );
}

#[tokio::test]
async fn names_and_authentication_have_rules() {
    let (hub, _) = with_module().await;
    let other = hub
        .put("/devices/d/modules/n", None, json!({"moduleId": "o"}))
        .await;
    assert_eq!((other.code(), other.error()), (400, "ArgumentInvalid"));
    let bad = hub.put("/devices/d/modules/a%20b", None, json!({})).await;
    assert_eq!(bad.error(), "ArgumentInvalid");
    let system = hub
        .put("/devices/d/modules/$edgeAgent", None, json!({}))
        .await;
    assert_eq!((system.code(), system.error()), (400, "ArgumentInvalid"));
    let none = json!({"authentication": {"type": "none"}});
    let coerced = hub.put("/devices/d/modules/none", None, none).await;
    assert_eq!(coerced.body["authentication"]["type"], "sas");
    let key = key('C');
    let given = json!({"authentication": {"type": "sas", "symmetricKey":
        {"primaryKey": key.expose(), "secondaryKey": key.expose()}}});
    let kept = hub
        .put("/devices/d/modules/keys", None, given.clone())
        .await;
    assert_eq!(
        kept.body["authentication"]["symmetricKey"],
        given["authentication"]["symmetricKey"]
    );
}

#[tokio::test]
async fn a_delete_needs_an_etag_and_a_device_takes_its_modules_along() {
    let (hub, made) = with_module().await;
    let bare = delete(&hub, PATH, None).await;
    assert_eq!((bare.code(), bare.error()), (412, "PreconditionFailed"));
    assert_eq!(delete(&hub, PATH, Some("\"MA==\"")).await.code(), 412);
    assert_eq!(delete(&hub, PATH, Some(&made.etag())).await.code(), 204);
    assert_eq!(
        delete(&hub, PATH, Some("*")).await.error(),
        "ModuleNotFound"
    );

    hub.put(PATH, None, json!({})).await;
    assert_eq!(delete(&hub, "/devices/d", Some("*")).await.code(), 204);
    assert_eq!(hub.get("/twins/d/modules/m").await.code(), 404);
    hub.create("d", 'B').await;
    assert_eq!(hub.get("/devices/d/modules").await.body, json!([]));
}

#[tokio::test]
async fn a_module_twin_is_written_as_a_devices_is() {
    let (hub, made) = with_module().await;
    let path = "/twins/d/modules/m";
    let twin = hub.get(path).await;
    assert_eq!(
        (&twin.body["deviceId"], &twin.body["moduleId"]),
        (&json!("d"), &json!("m"))
    );
    assert_eq!(twin.body["deviceEtag"], made.body["etag"]);
    assert_eq!(twin.header("etag"), Some("\"AAAAAAAAAAE=\""));
    let patch =
        json!({"tags": {"a": 1}, "properties": {"desired": {"x": 1}, "reported": {"y": 1}}});
    let patched = hub.call(Method::PATCH, path, &[], Some(patch)).await;
    assert_eq!(patched.body["tags"], json!({"a": 1}));
    assert!(patched.body["properties"]["reported"].get("y").is_none());
    let stale = hub.put(path, Some("\"AAAAAAAAAAE=\""), json!({})).await;
    assert_eq!(stale.code(), 412);
    let replaced = hub
        .put(path, Some("\"*\""), json!({"tags": {"b": 2}}))
        .await;
    assert_eq!(replaced.body["tags"], json!({"b": 2}));
    assert_eq!(hub.get(PATH).await.body, made.body, "the identity stays");
    assert_eq!(hub.get("/twins/d").await.body["tags"], json!({}));
    assert_eq!(
        hub.get("/twins/d/modules/x").await.error(),
        "ModuleNotFound"
    );
}

#[tokio::test]
async fn bulk_entries_reach_modules_and_errors_name_them() {
    let (hub, _) = with_module().await;
    let entries = json!([
        {"id": "d", "moduleId": "n", "importMode": "create", "tags": {"a": 1}},
        {"id": "d", "moduleId": "m", "importMode": "create"},
        {"id": "d", "moduleId": "x", "importMode": "delete"},
    ]);
    let answer = hub.post("/devices", entries).await;
    assert_eq!(answer.code(), 400);
    let errors: Vec<_> = answer.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            let text = |name: &str| error[name].as_str().unwrap().to_owned();
            (text("deviceId"), text("moduleId"), text("errorCode"))
        })
        .collect();
    let expected = [
        ("m", "ModuleAlreadyExistsOnDevice"),
        ("x", "ModuleNotFound"),
    ]
    .map(|(module, code)| ("d".to_owned(), module.to_owned(), code.to_owned()));
    assert_eq!(errors, expected);
    assert_eq!(
        hub.get("/twins/d/modules/n").await.body["tags"],
        json!({"a": 1})
    );
}

#[tokio::test]
async fn by_signature_modules_of_a_device_that_cannot_connect_are_out_of_reach() {
    let hub = start(Options {
        registry: RegistryOptions {
            strict_module_access: true,
            ..RegistryOptions::default()
        },
        ..options()
    })
    .await;
    let mut device = hub.create("d", 'B').await.body;
    hub.put(PATH, None, json!({})).await;
    device["status"] = json!("disabled");
    hub.put("/devices/d", Some("*"), device).await;
    let calls = [
        hub.get("/devices/d/modules").await,
        hub.get(PATH).await,
        hub.put(PATH, Some("*"), json!({})).await,
        delete(&hub, PATH, Some("*")).await,
        hub.get("/devices/gone/modules").await,
    ];
    for refused in calls {
        assert_eq!(
            (refused.code(), refused.error()),
            (401, "IotHubUnauthorizedAccess")
        );
    }
    assert_eq!(hub.get("/twins/d/modules/m").await.code(), 200);
    assert_eq!(hub.get("/twins/gone/modules/m").await.code(), 404);
}

#[tokio::test]
async fn modules_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let with_data = || Options {
        data: Some(dir.path().join("hub.jsonl")),
        ..options()
    };
    let hub = start(with_data()).await;
    hub.create("d", 'B').await;
    let made = hub.put(PATH, None, json!({"managedBy": "me"})).await;
    hub.running.stop().await;
    let hub = start(with_data()).await;
    assert_eq!(hub.get(PATH).await.body, made.body);
}
