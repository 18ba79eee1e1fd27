//! Bearer tokens: who gets one, and what it allows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
#[path = "common/entra.rs"]
mod entra;

use common::start;
use entra::{HUB_SCOPE, MANAGEMENT_SCOPE, ask, call, token};
use hubshift_emulator::{EntraOptions, Options};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn roles_allow_what_azure_says_they_do() {
    let hub = start(entra::options()).await;
    hub.create("d", 'B').await;
    let calls = [
        (Method::GET, "/devices/d", None),
        (Method::PUT, "/devices/d", Some(json!({"deviceId": "d"}))),
        (Method::GET, "/twins/d", None),
        (Method::PATCH, "/twins/d", Some(json!({"tags": {"a": 1}}))),
        (Method::GET, "/statistics/devices", None),
    ];
    let expected = [
        ("data-contributor", [200, 200, 200, 200, 200]),
        ("data-reader", [200, 401, 200, 401, 200]),
        ("registry-contributor", [200, 200, 401, 401, 200]),
        ("twin-contributor", [401, 401, 200, 200, 401]),
        ("contributor", [401; 5]),
    ];
    for (client, statuses) in expected {
        let token = token(&hub, client, HUB_SCOPE).await;
        for ((method, path, body), status) in calls.iter().zip(statuses) {
            let found = call(&hub, &token, method.clone(), path, body.clone()).await;
            assert_eq!(found.code(), status, "{client} {method} {path}");
            if status == 401 {
                assert_eq!(found.error(), "IotHubUnauthorizedAccess");
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_for_hubs_in_time_and_known() {
    let hub = start(Options {
        entra: EntraOptions {
            token_lifetime: 0,
            ..entra::options().entra
        },
        ..entra::options()
    })
    .await;
    let get = async |token: &str| {
        call(&hub, token, Method::GET, "/devices", None)
            .await
            .code()
    };
    let expired = token(&hub, "data-contributor", HUB_SCOPE).await;
    assert_eq!(get(&expired).await, 401);
    assert_eq!(get("eyJ0eXAiOiJKV1QifQ.e30.x").await, 401);

    let hub = start(entra::options()).await;
    let get = async |token: &str| {
        call(&hub, token, Method::GET, "/devices", None)
            .await
            .code()
    };
    let elsewhere = token(&hub, "data-contributor", MANAGEMENT_SCOPE).await;
    assert_eq!(get(&elsewhere).await, 401);
    let good = token(&hub, "data-contributor", HUB_SCOPE).await;
    assert_eq!(get(&good).await, 200);
}

#[tokio::test]
async fn tokens_of_a_file_are_good_without_being_issued() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tokens");
    std::fs::write(&file, "IoT Hub Data Reader:abc.def\n").unwrap();
    let hub = start(Options {
        entra: EntraOptions {
            bearer_file: Some(file),
            ..EntraOptions::default()
        },
        ..common::options()
    })
    .await;
    let found = call(&hub, "abc.def", Method::GET, "/devices", None).await;
    assert_eq!(found.code(), 200);
    assert!(hub.running.management_addr.is_none());
}

#[tokio::test]
async fn who_proves_nothing_gets_no_token() {
    let hub = start(entra::options()).await;
    let form = |proof| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "data-reader"),
            ("scope", HUB_SCOPE),
            proof,
            (
                "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            ),
        ]
    };
    let guessed = ask(&hub, &form(("client_secret", "guess"))).await;
    assert_eq!(guessed.code(), 401);
    assert_eq!(guessed.body["error"], "invalid_client");
    let nothing = ask(&hub, &form(("client_assertion", ""))).await;
    assert_eq!(nothing.code(), 400);
    let asserted = ask(&hub, &form(("client_assertion", "e30.e30.sig"))).await;
    assert_eq!(asserted.code(), 200);
    assert_eq!(asserted.body["expires_in"], 3599);
}

#[tokio::test]
async fn devices_cannot_send_with_a_bearer_token() {
    let hub = start(entra::options()).await;
    hub.create("d", 'B').await;
    let token = token(&hub, "data-contributor", HUB_SCOPE).await;
    let path = "/devices/d/messages/events";
    let sent = call(&hub, &token, Method::POST, path, Some(json!({}))).await;
    assert_eq!(sent.code(), 401);
}
