//! Tokens of the emulator's stand-in for Entra ID, and its resource manager.
#![allow(dead_code, reason = "each test binary uses its own part")]

use hubshift_azure::Secret;
use hubshift_emulator::{EntraOptions, Options};
use reqwest::Method;
use serde_json::Value;

use crate::common::{self, Answer, Hub, VERSION, answer};

pub(crate) const HUB_SCOPE: &str = "https://iothubs.azure.net/.default";
pub(crate) const MANAGEMENT_SCOPE: &str = "https://management.azure.com/.default";
pub(crate) const RESOURCE: &str =
    "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/east";

/// A hub with an application for each role; their secret is `hush`.
pub(crate) fn options() -> Options {
    let client = |name: &str| Secret::new(format!("{name}:hush:{name}"));
    let roles = [
        "data-contributor",
        "data-reader",
        "registry-contributor",
        "twin-contributor",
        "contributor",
    ];
    Options {
        entra: EntraOptions {
            management: Some("127.0.0.1:0".parse().unwrap()),
            clients: roles.map(client).to_vec(),
            ..EntraOptions::default()
        },
        ..common::options()
    }
}

pub(crate) fn management(hub: &Hub, path: &str) -> String {
    format!("https://{}{path}", hub.running.management_addr.unwrap())
}

/// Asks for a token.
pub(crate) async fn ask(hub: &Hub, form: &[(&str, &str)]) -> Answer {
    let url = management(hub, "/tenant/oauth2/v2.0/token");
    answer(hub.http.post(url).form(form).send().await.unwrap()).await
}

/// A token for an application.
pub(crate) async fn token(hub: &Hub, client: &str, scope: &str) -> String {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_secret", "hush"),
        ("scope", scope),
    ];
    let issued = ask(hub, &form).await;
    assert_eq!(issued.code(), 200, "{}", issued.body);
    assert_eq!(issued.body["token_type"], "Bearer");
    issued.body["access_token"].as_str().unwrap().to_owned()
}

/// A call of the hub's data with a bearer token.
pub(crate) async fn call(
    hub: &Hub,
    token: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Answer {
    let url = format!("{}?{VERSION}", hub.url(path));
    let request = hub.http.request(method, url).bearer_auth(token);
    let request = request.header("if-match", "*");
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    answer(request.send().await.unwrap()).await
}

/// A call of the resource manager.
pub(crate) async fn manage(
    hub: &Hub,
    token: &str,
    method: Method,
    path: &str,
    if_match: Option<&str>,
    body: Option<&Value>,
) -> Answer {
    let url = management(hub, &format!("{path}?api-version=2023-06-30"));
    let mut request = hub.http.request(method, url).bearer_auth(token);
    if let Some(etag) = if_match {
        request = request.header("if-match", etag);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    answer(request.send().await.unwrap()).await
}
