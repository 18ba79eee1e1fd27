//! The hard fence through the management plane, against a plane of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod fake;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use fake::{Fake, client_secret};
use hubshift_hub::management::{AzureManagement, ManagementSettings};
use hubshift_hub::{Cause, HubSetupError, Outcome, Rejection};
use serde_json::{Value, json};

const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/east";

/// A plane that knows one hub.
#[derive(Clone)]
struct Plane(Arc<Mutex<Known>>);

struct Known {
    /// The description, without the policies.
    body: Value,
    policies: Value,
    version: u64,
    /// How many looks a change takes until it is done.
    looks: u32,
    /// What a change comes to.
    end: &'static str,
    /// What a change is answered with instead.
    refusal: Option<StatusCode>,
    /// What was written.
    written: Vec<Value>,
    scope: String,
}

impl Plane {
    async fn start() -> (Self, Fake, AzureManagement) {
        let plane = Self(Arc::new(Mutex::new(known())));
        let router = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route(RESOURCE, get(describe).put(order))
            .route(&format!("{RESOURCE}/listkeys"), post(keys))
            .with_state(plane.clone());
        let fake = Fake::serve(router).await;
        let management = AzureManagement::new(settings(&fake)).unwrap();
        (plane, fake, management)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap());
    }

    fn access(&self) -> Value {
        self.0.lock().unwrap().body["properties"]["publicNetworkAccess"].clone()
    }

    fn policies(&self) -> Value {
        self.0.lock().unwrap().policies.clone()
    }

    fn written(&self) -> Vec<Value> {
        self.0.lock().unwrap().written.clone()
    }
}

fn known() -> Known {
    Known {
        body: json!({
            "id": RESOURCE, "name": "east", "type": "Microsoft.Devices/IotHubs",
            "location": "westeurope", "etag": "0",
            "sku": {"name": "S1", "tier": "Standard", "capacity": 2},
            "properties": {
                "state": "Active", "provisioningState": "Succeeded", "hostName": "east.example",
                "publicNetworkAccess": "Enabled", "minTlsVersion": "1.2",
            },
        }),
        policies: json!([
            {"keyName": "iothubowner", "primaryKey": "canary-a", "secondaryKey": "canary-b",
             "rights": "RegistryWrite, ServiceConnect, DeviceConnect"},
            {"keyName": "reader", "primaryKey": "canary-c", "secondaryKey": "canary-d",
             "rights": "RegistryRead"},
        ]),
        version: 0,
        looks: 2,
        end: "Succeeded",
        refusal: None,
        written: Vec::new(),
        scope: String::new(),
    }
}

async fn token(
    State(plane): State<Plane>,
    Form(form): Form<HashMap<String, String>>,
) -> Json<Value> {
    plane.change(|known| known.scope = form["scope"].clone());
    Json(json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "canary-token"}))
}

fn is_known(headers: &HeaderMap) -> bool {
    headers["authorization"] == "Bearer canary-token"
}

async fn describe(State(plane): State<Plane>, headers: HeaderMap) -> Response {
    assert!(is_known(&headers));
    let mut known = plane.0.lock().unwrap();
    let end = known.end;
    if known.body["properties"]["provisioningState"] == "Transitioning" {
        known.looks -= 1;
        if known.looks == 0 {
            known.body["properties"]["provisioningState"] = json!(end);
        }
    }
    Json(known.body.clone()).into_response()
}

async fn order(
    State(plane): State<Plane>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    assert!(is_known(&headers));
    let mut known = plane.0.lock().unwrap();
    if let Some(status) = known.refusal {
        return (status, Json(json!({"error": {"code": "Refused"}}))).into_response();
    }
    if headers["if-match"] != known.version.to_string().as_str() {
        return StatusCode::PRECONDITION_FAILED.into_response();
    }
    known.version += 1;
    let version = known.version.to_string();
    let properties = &body["properties"];
    known.policies = properties["authorizationPolicies"].clone();
    known.body["properties"]["publicNetworkAccess"] = properties["publicNetworkAccess"].clone();
    known.body["properties"]["provisioningState"] = json!("Transitioning");
    known.body["etag"] = json!(version);
    known.written.push(body);
    StatusCode::ACCEPTED.into_response()
}

async fn keys(State(plane): State<Plane>, headers: HeaderMap) -> Json<Value> {
    assert!(is_known(&headers));
    Json(json!({ "value": plane.policies() }))
}

fn settings(fake: &Fake) -> ManagementSettings {
    ManagementSettings {
        resource_id: RESOURCE.to_owned(),
        login: fake.login(client_secret()),
        endpoint: fake.origin(),
        ca_pem: Some(fake.ca_pem.clone()),
        deadline: Duration::from_secs(5),
        poll_interval: Duration::from_millis(10),
    }
}

/// Every key of a list of policies.
fn key_texts(policies: &Value) -> Vec<String> {
    let policies = policies.as_array().unwrap();
    policies
        .iter()
        .flat_map(|policy| [&policy["primaryKey"], &policy["secondaryKey"]])
        .map(|key| key.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_fence_takes_access_and_keys_and_nothing_else() {
    let (plane, fake, management) = Plane::start().await;
    let before = plane.policies();
    let fenced = management.fence().await.into_result().unwrap();
    assert!(!fenced.resource.public_network_access);
    assert_eq!(fenced.policies, ["iothubowner", "reader"]);
    assert_eq!(plane.access(), "Disabled");
    let (old, new) = (key_texts(&before), key_texts(&plane.policies()));
    assert_eq!(new.len(), 4);
    assert!(new.iter().all(|key| key.len() == 44 && !old.contains(key)));
    assert_eq!(plane.policies()[1]["rights"], "RegistryRead");

    let written = plane.written();
    assert_eq!(written.len(), 1);
    assert_eq!(written[0]["properties"]["minTlsVersion"], "1.2");
    assert_eq!(written[0]["location"], "westeurope");
    assert_eq!(written[0]["sku"]["capacity"], 2);
    assert_eq!(written[0]["properties"].get("hostName"), None);
    let scope = plane.0.lock().unwrap().scope.clone();
    assert_eq!(scope, format!("{}/.default", fake.origin()));
}

#[tokio::test]
async fn a_fence_may_be_repeated_and_its_end_gives_the_keys() {
    let (plane, _fake, management) = Plane::start().await;
    management.fence().await.into_result().unwrap();
    let first = key_texts(&plane.policies());
    plane.change(|known| known.looks = 1);
    management.fence().await.into_result().unwrap();
    let second = key_texts(&plane.policies());
    assert!(second.iter().all(|key| !first.contains(key)));

    plane.change(|known| known.looks = 1);
    let unfenced = management.unfence().await.into_result().unwrap();
    assert!(unfenced.resource.public_network_access);
    assert_eq!(plane.access(), "Enabled");
    assert_eq!(key_texts(&plane.policies()), second, "the keys stay");
    assert_eq!(unfenced.policies[0].primary_key.expose(), second[0]);

    // What is open already is left as it is.
    let writes = plane.written().len();
    let again = management.unfence().await.into_result().unwrap();
    assert_eq!(again, unfenced);
    assert_eq!(plane.written().len(), writes);
}

#[tokio::test]
async fn a_refusal_leaves_the_hub_as_it_was() {
    let (plane, _fake, management) = Plane::start().await;
    let before = plane.policies();
    plane.change(|known| known.refusal = Some(StatusCode::FORBIDDEN));
    let outcome = management.fence().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unauthorized(_))),
        "{outcome:?}"
    );
    plane.change(|known| known.refusal = Some(StatusCode::CONFLICT));
    let outcome = management.fence().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Throttled { .. })),
        "{outcome:?}"
    );
    // Somebody changed the hub after it was read.
    plane.change(|known| {
        known.refusal = None;
        known.version = 7;
    });
    let outcome = management.fence().await;
    assert_eq!(outcome, Outcome::Rejected(Rejection::PreconditionFailed));
    assert_eq!(plane.policies(), before);
    assert_eq!(plane.access(), "Enabled");
}

#[tokio::test]
async fn a_change_that_is_not_seen_to_end_is_unknown() {
    let (plane, fake, management) = Plane::start().await;
    plane.change(|known| known.end = "Failed");
    let outcome = management.fence().await;
    assert!(
        matches!(outcome, Outcome::Unknown(Cause::Partial(_))),
        "{outcome:?}"
    );

    plane.change(|known| (known.end, known.looks) = ("Succeeded", 1000));
    let slow = AzureManagement::new(ManagementSettings {
        deadline: Duration::from_millis(700),
        ..settings(&fake)
    })
    .unwrap();
    let outcome = slow.fence().await;
    assert!(
        matches!(outcome, Outcome::Unknown(Cause::Partial(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_plane_that_is_away_has_changed_nothing() {
    let (plane, fake, _) = Plane::start().await;
    let away = AzureManagement::new(ManagementSettings {
        endpoint: "https://127.0.0.1:1".to_owned(),
        ..settings(&fake)
    })
    .unwrap();
    for outcome in [
        away.fence().await.map(|_| ()),
        away.state().await.map(|_| ()),
    ] {
        assert!(
            matches!(outcome, Outcome::Rejected(Rejection::Unreachable(_))),
            "{outcome:?}"
        );
    }
    assert!(plane.written().is_empty());
}

#[tokio::test]
async fn the_state_tells_tier_units_and_access() {
    let (_plane, _fake, management) = Plane::start().await;
    let state = management.state().await.into_result().unwrap();
    assert_eq!((state.sku.as_str(), state.units), ("S1", 2));
    assert_eq!(state.state, "Active");
    assert!(state.public_network_access);
    assert_eq!(state.host.as_deref(), Some("east.example"));
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_before_any_call() {
    let (_plane, fake, _) = Plane::start().await;
    let with = |change: fn(&mut ManagementSettings)| {
        let mut settings = settings(&fake);
        change(&mut settings);
        AzureManagement::new(settings).unwrap_err()
    };
    let resource = with(|settings| settings.resource_id = "/subscriptions/s".to_owned());
    assert!(matches!(resource, HubSetupError::Resource));
    let endpoint = with(|settings| settings.endpoint = "http://127.0.0.1".to_owned());
    assert!(matches!(endpoint, HubSetupError::Management));
    let authority = with(|settings| settings.login.authority = "login.example".to_owned());
    assert!(matches!(authority, HubSetupError::Authority));
    let deadline = with(|settings| settings.deadline = Duration::ZERO);
    assert!(matches!(deadline, HubSetupError::Deadline));
}

#[tokio::test]
async fn nothing_shows_a_key_or_a_token() {
    let (plane, fake, management) = Plane::start().await;
    let mut shown = vec![format!("{management:?}"), format!("{:?}", settings(&fake))];
    plane.change(|known| known.refusal = Some(StatusCode::BAD_REQUEST));
    shown.push(format!("{:?}", management.fence().await));
    plane.change(|known| known.refusal = None);
    shown.push(format!("{:?}", management.fence().await));
    plane.change(|known| known.looks = 1);
    shown.push(format!("{:?}", management.unfence().await));
    let keys = key_texts(&plane.policies());
    for text in shown {
        assert!(!text.contains("canary"), "{text}");
        assert!(
            !keys.iter().any(|key| text.contains(key.as_str())),
            "{text}"
        );
    }
}
