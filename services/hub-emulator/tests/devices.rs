//! Device identities over the wire: etags, keys, names, errors.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{VERSION, answer, device_path, hub, key};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn a_device_is_created_once_and_updated_under_its_etag() {
    let hub = hub().await;
    let created = hub.create("d1", 'B').await;
    assert_eq!(
        created.header("etag"),
        Some(format!("\"{}\"", created.etag()).as_str())
    );
    assert_eq!(created.body["connectionState"], "Disconnected");
    assert_eq!(created.body["lastActivityTime"], "0001-01-01T00:00:00Z");

    let again = hub
        .put("/devices/d1", None, json!({"deviceId": "d1"}))
        .await;
    assert_eq!((again.code(), again.error()), (409, "DeviceAlreadyExists"));

    let mut body = created.body.clone();
    body["status"] = json!("disabled");
    let quoted = format!("\"{}\"", created.etag());
    let updated = hub.put("/devices/d1", Some(&quoted), body.clone()).await;
    assert_eq!(updated.code(), 200);
    assert_eq!(updated.body["status"], "disabled");
    assert_eq!(updated.body["generationId"], created.body["generationId"]);
    assert_eq!(
        updated.body["authentication"],
        created.body["authentication"]
    );

    let stale = hub.put("/devices/d1", Some(&quoted), body).await;
    assert_eq!((stale.code(), stale.error()), (412, "PreconditionFailed"));
    let message = stale.body["Message"].as_str().unwrap();
    assert!(
        message.starts_with("ErrorCode:PreconditionFailed;"),
        "{message}"
    );
}

#[tokio::test]
async fn an_update_of_a_missing_device_is_404_and_its_words_are_the_id() {
    let hub = hub().await;
    let missing = hub
        .put("/devices/gone", Some("\"*\""), json!({"deviceId": "gone"}))
        .await;
    assert_eq!((missing.code(), missing.error()), (404, "DeviceNotFound"));
    assert_eq!(missing.body["Message"], "ErrorCode:DeviceNotFound;gone");
    assert!(missing.header("x-ms-request-id").is_some());
    assert_eq!(hub.get("/devices/gone").await.code(), 404);
}

#[tokio::test]
async fn wildcards_are_taken_quoted_and_bare() {
    let hub = hub().await;
    let created = hub.create("d1", 'B').await;
    for wildcard in ["*", "\"*\""] {
        let updated = hub
            .put("/devices/d1", Some(wildcard), created.body.clone())
            .await;
        assert_eq!(updated.code(), 200, "{wildcard}");
    }
}

#[tokio::test]
async fn a_delete_needs_an_etag_and_a_new_device_is_another_one() {
    let hub = hub().await;
    let first = hub.create("d1", 'B').await;
    let bare = hub.call(Method::DELETE, "/devices/d1", &[], None).await;
    assert_eq!(bare.code(), 412);
    assert!(
        bare.body["Message"]
            .as_str()
            .unwrap()
            .contains("Etag missing")
    );
    let stale = hub
        .call(
            Method::DELETE,
            "/devices/d1",
            &[("if-match", "\"MA==\"")],
            None,
        )
        .await;
    assert_eq!(stale.code(), 412);
    let etag = first.etag();
    let deleted = hub
        .call(Method::DELETE, "/devices/d1", &[("if-match", &etag)], None)
        .await;
    assert_eq!(deleted.code(), 204);
    let second = hub.create("d1", 'B').await;
    assert_ne!(second.body["generationId"], first.body["generationId"]);
    assert_ne!(second.etag(), first.etag());
}

#[tokio::test]
async fn keys_are_made_when_absent_and_come_in_pairs() {
    let hub = hub().await;
    let empty = json!({"deviceId": "d1", "authentication":
        {"type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}});
    let made = hub.put("/devices/d1", None, empty).await;
    let keys = &made.body["authentication"]["symmetricKey"];
    assert_ne!(keys["primaryKey"], keys["secondaryKey"]);
    assert_eq!(keys["primaryKey"].as_str().unwrap().len(), 44);

    let one = json!({"deviceId": "d2", "authentication":
        {"type": "sas", "symmetricKey": {"primaryKey": key('B').expose()}}});
    let refused = hub.put("/devices/d2", None, one).await;
    assert_eq!((refused.code(), refused.error()), (400, "ArgumentInvalid"));

    let replaced = hub
        .put("/devices/d1", Some("*"), json!({"deviceId": "d1"}))
        .await;
    assert_ne!(replaced.body["authentication"], made.body["authentication"]);
}

#[tokio::test]
async fn thumbprints_and_authorities_are_kept() {
    let hub = hub().await;
    let print = "aB".repeat(20);
    let body = json!({"deviceId": "x", "authentication": {"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": print, "secondaryThumbprint": null}}});
    let made = hub.put("/devices/x", None, body).await;
    assert_eq!(
        made.body["authentication"]["x509Thumbprint"]["primaryThumbprint"],
        print
    );
    assert!(made.body["authentication"]["symmetricKey"]["primaryKey"].is_null());

    let body = json!({"deviceId": "y", "authentication": {"type": "certificateAuthority"}});
    let made = hub.put("/devices/y", None, body).await;
    assert_eq!(made.body["authentication"]["type"], "certificateAuthority");

    let body = json!({"deviceId": "z", "authentication": {"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": "AA:BB"}}});
    assert_eq!(
        hub.put("/devices/z", None, body).await.error(),
        "StringIsNotThumbprint"
    );
    let body = json!({"deviceId": "z", "authentication": {"type": "none"}});
    assert_eq!(hub.put("/devices/z", None, body).await.code(), 400);
}

#[tokio::test]
async fn ids_may_hold_what_paths_encode() {
    let hub = hub().await;
    for id in ["a%2Fb", "q?#x", "plus+one", "$it's", "query"] {
        hub.create(id, 'B').await;
        assert_eq!(hub.get(&device_path(id)).await.body["deviceId"], id);
    }
    let bad = hub
        .put("/devices/a%20b", None, json!({"deviceId": "a b"}))
        .await;
    assert_eq!((bad.code(), bad.error()), (400, "ArgumentInvalid"));
    let other = hub
        .put("/devices/one", None, json!({"deviceId": "two"}))
        .await;
    assert_eq!(other.code(), 400);
}

#[tokio::test]
async fn the_list_ends_at_top_and_takes_a_trailing_slash() {
    let hub = hub().await;
    for id in ["c", "a", "b"] {
        hub.create(id, 'B').await;
    }
    let all = hub.get("/devices/").await;
    let ids: Vec<_> = all
        .body
        .as_array()
        .unwrap()
        .iter()
        .map(|d| &d["deviceId"])
        .collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let url = format!("{}?top=2&{VERSION}", hub.url("/devices"));
    let token = hub.owner_token();
    let two = hub
        .http
        .get(url)
        .header("authorization", token.expose())
        .send()
        .await
        .unwrap();
    assert_eq!(answer(two).await.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_method_finds_nobody_online_and_no_message_waits() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    let method = json!({"methodName": "reboot", "payload": {}});
    let away = hub.post("/twins/d/methods", method.clone()).await;
    assert_eq!((away.code(), away.error()), (404, "DeviceNotOnline"));
    let inner = away.body["Message"].as_str().unwrap();
    let inner: Value = serde_json::from_str(inner).unwrap();
    assert_eq!(inner["errorCode"], 404_103);
    assert!(inner["message"].as_str().unwrap().contains("isn't online"));
    let gone = hub.post("/twins/gone/methods", method.clone()).await;
    assert_eq!(gone.error(), "DeviceNotFound");
    let module = hub.post("/twins/d/modules/m/methods", method).await;
    assert_eq!(module.error(), "ModuleNotFound");
    let nameless = hub.post("/twins/d/methods", json!({})).await;
    assert_eq!(nameless.code(), 400);

    let commands = "/devices/d/commands";
    let purged = hub.call(Method::DELETE, commands, &[], None).await;
    let expected = json!({"deviceId": "d", "totalMessagesPurged": 0, "moduleId": null});
    assert_eq!((purged.code(), purged.body), (200, expected));
}

#[tokio::test]
async fn a_thumbprint_that_is_none_has_a_listed_name_in_bulk() {
    let hub = hub().await;
    let entry = json!([{"id": "d", "status": "enabled", "authentication": {"type": "selfSigned",
        "x509Thumbprint": {"primaryThumbprint": "AA:BB"}}}]);
    let refused = hub.post("/devices", entry).await;
    assert_eq!(refused.code(), 400);
    assert_eq!(refused.body["errors"][0]["errorCode"], "ArgumentInvalid");
}

#[tokio::test]
async fn statistics_count_by_status() {
    let hub = hub().await;
    hub.create("a", 'B').await;
    hub.put(
        "/devices/b",
        None,
        json!({"deviceId": "b", "status": "disabled"}),
    )
    .await;
    let counts = hub.get("/statistics/devices").await.body;
    let expected =
        json!({"totalDeviceCount": 2, "enabledDeviceCount": 1, "disabledDeviceCount": 1});
    assert_eq!(counts, expected);
    assert_eq!(
        hub.get("/statistics/service").await.body["connectedDeviceCount"],
        0
    );
}

#[tokio::test]
async fn versions_paths_methods_and_bodies_that_are_wrong_are_named() {
    let hub = hub().await;
    for query in ["", "?api-version=2001-01-01"] {
        let url = format!("{}{query}", hub.url("/devices/d"));
        let token = hub.owner_token();
        let sent = hub
            .http
            .get(url)
            .header("authorization", token.expose())
            .send()
            .await;
        let refused = answer(sent.unwrap()).await;
        assert_eq!(
            (refused.code(), refused.error()),
            (400, "InvalidProtocolVersion")
        );
    }
    assert_eq!(hub.get("/nothing/here").await.code(), 404);
    assert_eq!(
        hub.call(Method::PATCH, "/devices/d", &[], Some(json!({})))
            .await
            .code(),
        405
    );
    assert_eq!(
        hub.put("/devices/d", None, json!([])).await.error(),
        "IotHubFormatError"
    );
    let empty = hub.call(Method::PUT, "/devices/d", &[], None).await;
    assert_eq!(empty.error(), "ArgumentNull");
}
