//! The connector enters a hub with tokens of Entra ID, or does not enter it at all.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod fake;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Version};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use fake::{Fake, Log, client_secret, policy};
use hubshift_azure::{EntraCredential, HubConnection};
use hubshift_hub::auth::{AuthError, TokenProvider, TokenRequest};
use hubshift_hub::{AzureHub, AzureSettings, Hub as _, Login, Outcome, Rejection, Secret};
use serde_json::{Value, json};

/// A hub and who gives tokens for it, in one.
#[derive(Clone, Default)]
struct Cloud {
    /// The forms with which tokens were asked for.
    asked: Log<HashMap<String, String>>,
    /// What authorised the calls to the hub, and how they came.
    calls: Log<(String, Version)>,
    /// What the authority answers instead of a token.
    answer: Arc<Mutex<Option<(StatusCode, Value)>>>,
    /// How long a token is good.
    seconds: Arc<Mutex<u64>>,
    /// Whether the authority answers at all.
    hangs: Arc<Mutex<bool>>,
}

impl Cloud {
    async fn start() -> (Self, Fake) {
        let cloud = Self::default();
        *cloud.seconds.lock().unwrap() = 3600;
        let router = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/statistics/devices", get(statistics))
            .with_state(cloud.clone());
        (cloud, Fake::serve(router).await)
    }

    fn asked(&self) -> Vec<HashMap<String, String>> {
        self.asked.lock().unwrap().clone()
    }

    fn tokens(&self) -> Vec<String> {
        let calls = self.calls.lock().unwrap();
        calls.iter().map(|(token, _)| token.clone()).collect()
    }
}

async fn token(
    State(cloud): State<Cloud>,
    Path(tenant): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    assert_eq!(tenant, "tenant");
    let number = {
        let mut asked = cloud.asked.lock().unwrap();
        asked.push(form);
        asked.len()
    };
    // Long enough for all who want a token at the same time to be waiting.
    tokio::time::sleep(Duration::from_millis(50)).await;
    if *cloud.hangs.lock().unwrap() {
        return std::future::pending().await;
    }
    if let Some((status, body)) = cloud.answer.lock().unwrap().clone() {
        return (status, Json(body)).into_response();
    }
    let seconds = *cloud.seconds.lock().unwrap();
    Json(json!({
        "token_type": "Bearer",
        "expires_in": seconds,
        "access_token": format!("canary-token-{number}"),
    }))
    .into_response()
}

async fn statistics(
    State(cloud): State<Cloud>,
    version: Version,
    headers: HeaderMap,
) -> Json<Value> {
    let token = headers["authorization"].to_str().unwrap().to_owned();
    cloud.calls.lock().unwrap().push((token, version));
    Json(json!({"totalDeviceCount": 1, "enabledDeviceCount": 1, "disabledDeviceCount": 0}))
}

fn hub(fake: &Fake, credential: EntraCredential) -> AzureHub {
    let login = Login::Entra(fake.login(credential));
    AzureHub::new(fake.settings(login)).unwrap()
}

#[tokio::test]
async fn one_token_is_asked_for_and_serves_all_calls() {
    let (cloud, fake) = Cloud::start().await;
    let hub = Arc::new(hub(&fake, client_secret()));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let hub = Arc::clone(&hub);
        calls.spawn(async move { hub.statistics().await });
    }
    for outcome in calls.join_all().await {
        assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    }
    assert_eq!(cloud.asked().len(), 1);
    assert_eq!(cloud.tokens(), vec!["Bearer canary-token-1"; 20]);
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "app"),
        ("client_secret", "canary~secret"),
        ("scope", "https://iothubs.azure.net/.default"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(cloud.asked()[0], HashMap::from(expected));
    assert!(hub.authority_outlives_call());
}

#[tokio::test]
async fn a_workloads_token_is_read_anew_for_each_exchange() {
    let (cloud, fake) = Cloud::start().await;
    *cloud.seconds.lock().unwrap() = 0;
    let dir = tempfile::tempdir().unwrap();
    let token_file = dir.path().join("token");
    let hub = hub(
        &fake,
        EntraCredential::WorkloadIdentity {
            token_file: token_file.clone(),
        },
    );
    for text in ["first\n", "second\n"] {
        std::fs::write(&token_file, text).unwrap();
        assert!(hub.statistics().await.done().is_some());
    }
    let shown: Vec<String> = cloud
        .asked()
        .iter()
        .map(|form| form["client_assertion"].clone())
        .collect();
    assert_eq!(shown, ["first", "second"]);
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    assert_eq!(cloud.asked()[0]["client_assertion_type"], kind);
    assert_eq!(
        cloud.tokens(),
        ["Bearer canary-token-1", "Bearer canary-token-2"]
    );

    std::fs::remove_file(&token_file).unwrap();
    let outcome = hub.statistics().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unauthorized(_))),
        "{outcome:?}"
    );
    assert_eq!(cloud.tokens().len(), 2);
}

#[tokio::test]
async fn who_is_refused_a_token_has_asked_no_hub() {
    let (cloud, fake) = Cloud::start().await;
    let body = json!({
        "error": "invalid_client",
        "error_description": "AADSTS7000215: the secret canary~secret is wrong",
    });
    *cloud.answer.lock().unwrap() = Some((StatusCode::UNAUTHORIZED, body));
    let hub = hub(&fake, client_secret());
    let outcome = hub.statistics().await;
    let Outcome::Rejected(Rejection::Unauthorized(text)) = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(text.contains("invalid_client (AADSTS7000215)"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    // A refusal is not asked for again by every call.
    assert_eq!(hub.statistics().await, outcome);
    assert_eq!(cloud.asked().len(), 1);
    assert!(cloud.tokens().is_empty());
}

#[tokio::test]
async fn an_authority_that_is_not_there_or_fails_is_unreachable() {
    let (cloud, fake) = Cloud::start().await;
    *cloud.answer.lock().unwrap() = Some((StatusCode::SERVICE_UNAVAILABLE, json!({})));
    let mut away = fake.login(client_secret());
    away.authority = "https://127.0.0.1:1".to_owned();
    let there = fake.login(client_secret());
    for login in [away, there] {
        let hub = AzureHub::new(fake.settings(Login::Entra(login))).unwrap();
        let outcome = hub.statistics().await;
        assert!(
            matches!(outcome, Outcome::Rejected(Rejection::Unreachable(_))),
            "{outcome:?}"
        );
    }
    assert!(cloud.tokens().is_empty());
}

#[tokio::test]
async fn an_authority_that_hangs_takes_no_longer_than_the_call_may() {
    let (cloud, fake) = Cloud::start().await;
    *cloud.hangs.lock().unwrap() = true;
    let hub = AzureHub::new(AzureSettings {
        call_deadline: Duration::from_millis(1000),
        ..fake.settings(Login::Entra(fake.login(client_secret())))
    })
    .unwrap();
    let start = Instant::now();
    let outcome = hub.statistics().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unreachable(_))),
        "{outcome:?}"
    );
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_millis(3000), "{elapsed:?}");
    assert!(cloud.tokens().is_empty());
}

#[tokio::test]
async fn an_authority_whose_certificate_is_a_strangers_is_not_shown_the_secret() {
    let (_, fake) = Cloud::start().await;
    let (stranger, other) = Cloud::start().await;
    let hub = AzureHub::new(fake.settings(Login::Entra(other.login(client_secret())))).unwrap();
    let outcome = hub.statistics().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Untrusted(_))),
        "{outcome:?}"
    );
    assert!(stranger.asked().is_empty());
}

#[tokio::test]
async fn a_connection_string_says_it_all() {
    let (cloud, fake) = Cloud::start().await;
    let text = format!(
        "HostName={};Authentication=ClientSecret;TenantId=tenant;ClientId=app;\
         ClientSecret=canary~secret;AuthorityHost={}/",
        fake.host,
        fake.origin()
    );
    let connection: HubConnection = text.parse().unwrap();
    let hub = AzureHub::new(AzureSettings {
        ca_pem: Some(fake.ca_pem.clone()),
        ..AzureSettings::of(&connection)
    })
    .unwrap();
    assert!(hub.statistics().await.done().is_some());
    assert_eq!(cloud.asked().len(), 1);
}

#[tokio::test]
async fn http2_is_spoken_with_who_offers_it_unless_it_must_not() {
    let (cloud, fake) = Cloud::start().await;
    for http1_only in [false, true] {
        let hub = AzureHub::new(AzureSettings {
            http1_only,
            ..fake.settings(policy())
        })
        .unwrap();
        assert!(hub.statistics().await.done().is_some());
        assert!(hub.statistics().await.done().is_some());
    }
    let calls = cloud.calls.lock().unwrap();
    let versions: Vec<Version> = calls.iter().map(|(_, version)| *version).collect();
    let (two, one) = (Version::HTTP_2, Version::HTTP_11);
    assert_eq!(versions, [two, two, one, one]);
}

#[tokio::test]
async fn nothing_shows_a_secret_or_a_token() {
    let (_, fake) = Cloud::start().await;
    let login = Login::Entra(fake.login(client_secret()));
    let settings = fake.settings(login);
    let hub = AzureHub::new(settings.clone()).unwrap();
    let mut shown = vec![format!("{settings:?}"), format!("{hub:?}")];
    shown.push(format!("{:?}", hub.statistics().await));
    shown.push(format!("{hub:?}"));
    for text in shown {
        assert!(!text.contains("canary"), "{text}");
    }
}

/// Counts what it is asked and told.
#[derive(Debug, Default)]
struct Counting {
    refused: AtomicUsize,
}

#[async_trait]
impl TokenProvider for Counting {
    async fn authorization(&self, request: TokenRequest<'_>) -> Result<Secret, AuthError> {
        assert!(request.expiry > std::time::SystemTime::now());
        Ok(Secret::new("Bearer own"))
    }

    fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn outlives_call(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_provider_of_ones_own_is_told_when_its_token_is_refused() {
    let router = Router::new().fallback(|| async { StatusCode::UNAUTHORIZED });
    let fake = Fake::serve(router).await;
    let provider = Arc::new(Counting::default());
    let login = Login::Provider(provider.clone());
    let hub = AzureHub::new(fake.settings(login)).unwrap();
    assert!(!hub.authority_outlives_call());
    let outcome = hub.statistics().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unauthorized(_))),
        "{outcome:?}"
    );
    assert_eq!(provider.refused.load(Ordering::Relaxed), 1);
}

/// Never has a token.
#[derive(Debug)]
struct Hanging;

#[async_trait]
impl TokenProvider for Hanging {
    async fn authorization(&self, _: TokenRequest<'_>) -> Result<Secret, AuthError> {
        std::future::pending().await
    }

    fn outlives_call(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn a_provider_that_hangs_holds_no_call() {
    let (_, fake) = Cloud::start().await;
    let hub = AzureHub::new(AzureSettings {
        call_deadline: Duration::from_millis(200),
        ..fake.settings(Login::Provider(Arc::new(Hanging)))
    })
    .unwrap();
    let outcome = hub.statistics().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unreachable(_))),
        "{outcome:?}"
    );
}
