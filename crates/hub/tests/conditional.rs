//! No write of the connector goes out whatever is there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
mod fake;

use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::{Json, Router};
use common::{key, object, sas, write};
use fake::{Fake, Log, policy};
use hubshift_hub::{AzureHub, Cause, EtagPair, Hub as _, Outcome, Rejection};
use serde_json::{Map, Value, json};

/// A write, and the etag under which it came.
type Write = (String, Option<String>);

/// A hub on which others write too: what is new has these tags when it is first looked at.
#[derive(Clone, Default)]
struct Hub {
    tags: Map<String, Value>,
    writes: Log<Write>,
}

impl Hub {
    async fn start(tags: Value) -> (Self, AzureHub) {
        let hub = Self {
            tags: object(tags),
            ..Self::default()
        };
        let router = Router::new().fallback(answer).with_state(hub.clone());
        let fake = Fake::serve(router).await;
        (hub, AzureHub::new(fake.settings(policy())).unwrap())
    }

    fn writes(&self) -> Vec<Write> {
        self.writes.lock().unwrap().clone()
    }
}

async fn answer(
    State(hub): State<Hub>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Json<Value> {
    if method != Method::GET {
        let etag = headers.get("if-match");
        let etag = etag.map(|etag| etag.to_str().unwrap().to_owned());
        let call = format!("{method} {}", uri.path());
        hub.writes.lock().unwrap().push((call, etag));
    }
    Json(match uri.path().starts_with("/twins/") {
        true => json!({
            "deviceId": "d", "etag": "AAAAAAAAAAE=", "version": 2, "tags": hub.tags,
            "properties": {"desired": {"$version": 1, "$metadata": {}}},
        }),
        false => json!({
            "deviceId": "d", "moduleId": "m", "etag": "MA==", "generationId": "1",
            "status": "enabled", "authentication": {
                "type": "sas",
                "symmetricKey": {"primaryKey": key('B'), "secondaryKey": key('Z')},
            },
        }),
    })
}

#[tokio::test]
async fn the_twin_of_what_was_made_is_written_under_its_first_etag() {
    for (id, identity, twin) in [
        ("d", "PUT /devices/d", "PUT /twins/d"),
        ("d/m", "PUT /devices/d/modules/m", "PUT /twins/d/modules/m"),
    ] {
        let (hub, azure) = Hub::start(json!({})).await;
        assert!(azure.create(&write(id, sas('B'))).await.done().is_some());
        let etag = Some("\"AAAAAAAAAAE=\"".to_owned());
        let expected = [(identity.to_owned(), None), (twin.to_owned(), etag)];
        assert_eq!(hub.writes(), expected);
    }
}

#[tokio::test]
async fn words_that_somebody_else_wrote_first_are_kept() {
    for id in ["d", "d/m"] {
        let (hub, azure) = Hub::start(json!({"theirs": true})).await;
        let outcome = azure.create(&write(id, sas('B'))).await;
        assert!(
            matches!(outcome, Outcome::Unknown(Cause::Partial(_))),
            "{outcome:?}"
        );
        assert_eq!(hub.writes().len(), 1, "the identity alone");
    }
}

#[tokio::test]
async fn an_etag_that_stands_for_anything_is_not_sent() {
    let (hub, azure) = Hub::start(json!({})).await;
    for etag in ["", "*", "\"*\"", "\"\""] {
        let pair = EtagPair {
            identity: Some(etag.to_owned()),
            twin: None,
        };
        let updated = azure.update(&write("d", sas('B')), &pair).await;
        let invalid = |why: &Rejection| matches!(why, Rejection::Invalid(_));
        assert!(
            matches!(&updated, Outcome::Rejected(why) if invalid(why)),
            "{updated:?}"
        );
        let deleted = azure.delete("d", etag).await;
        assert!(
            matches!(&deleted, Outcome::Rejected(why) if invalid(why)),
            "{deleted:?}"
        );
    }
    assert!(hub.writes().is_empty());
}
