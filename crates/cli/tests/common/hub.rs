//! A hub of the world, reached past Hubshift: what a portal or a script does to it.

use std::str::FromStr as _;

use hubshift_azure::{ConnectionString, api_version, sas};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::{Folder, wait_for};

/// Sets a device's tag at a hub, as a script with the hub's own key does.
pub(crate) fn tag_past_us(folder: &Folder, hub: &str, device: &str, key: &str, value: &str) {
    let read = |path: String| std::fs::read_to_string(folder.world().join(path)).unwrap();
    let text = read(format!("secrets/{hub}-connection-string"));
    let ConnectionString {
        host,
        policy,
        key: secret,
        ..
    } = ConnectionString::from_str(text.trim()).unwrap();
    let expiry = OffsetDateTime::now_utc() + Duration::minutes(5);
    let token = sas::token(&host, &secret, Some(&policy), expiry).unwrap();
    let ca = read(format!("tls/{hub}/ca.pem"));
    let ca = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
    let version = api_version::SENT;
    wait_for(async {
        let client = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(ca)
            .build();
        let answer = client
            .unwrap()
            .patch(format!(
                "https://{host}/twins/{device}?api-version={version}"
            ))
            .header("Authorization", token.expose())
            .header("If-Match", "*")
            .json(&json!({"tags": {key: value}}))
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
    });
}
