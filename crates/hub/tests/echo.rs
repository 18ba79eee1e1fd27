//! A hub that repeats what it was sent shows no key by it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
mod fake;

use axum::http::{HeaderMap, StatusCode};
use axum::{Json, Router};
use common::{key, sas, write};
use fake::{Fake, policy};
use hubshift_hub::{AzureHub, EtagPair, Hub as _, Outcome, Rejection};
use serde_json::{Value, json};

/// Refuses everything, in these words.
async fn start(refuse: fn(String, HeaderMap) -> String) -> AzureHub {
    let answer = move |headers: HeaderMap, body: String| async move {
        let message = format!("ErrorCode:ArgumentInvalid;{}", refuse(body, headers));
        let envelope: Json<Value> = Json(json!({"Message": message, "ExceptionMessage": ""}));
        (StatusCode::BAD_REQUEST, envelope)
    };
    let fake = Fake::serve(Router::new().fallback(answer)).await;
    AzureHub::new(fake.settings(policy())).unwrap()
}

#[tokio::test]
async fn a_hub_that_repeats_the_body_or_the_token_is_not_quoted() {
    let keys = ['B', 'Z'].map(|letter| key(letter).expose()[..8].to_owned());
    let body = |body: String, _: HeaderMap| format!("cannot read {body}");
    let token = |_: String, headers: HeaderMap| format!("{:?}", headers["authorization"]);
    for refuse in [body as fn(String, HeaderMap) -> String, token] {
        let hub = start(refuse).await;
        let pair = EtagPair {
            identity: Some("MA==".to_owned()),
            twin: None,
        };
        let outcomes = [
            hub.create(&write("d", sas('B'))).await,
            hub.create(&write("d/m", sas('B'))).await,
            hub.update(&write("d", sas('B')), &pair).await,
        ];
        for outcome in outcomes {
            let shown = format!("{outcome:?}");
            assert!(
                matches!(outcome, Outcome::Rejected(Rejection::Invalid(_))),
                "{shown}"
            );
            assert!(!keys.iter().any(|key| shown.contains(key)), "{shown}");
            assert!(!shown.contains("sig="), "{shown}");
        }
    }
}

#[tokio::test]
async fn other_words_are_passed_on() {
    let hub = start(|_, _| "the reason is too long".to_owned()).await;
    let outcome = hub.create(&write("d", sas('B'))).await;
    let shown = format!("{outcome:?}");
    assert!(shown.contains("the reason is too long"), "{shown}");
}
