//! The listener for deliveries.
//!
//! Kept true: of who does not show the key nothing is read but the head of the request.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hubshift_domain::id::{FleetId, HubId};
use serde_json::json;

use super::event::{Delivery, read};
use super::hint::{self, News};
use super::key::DeliveryKey;
use super::name;
use crate::deps::Deps;
use crate::hubs::HubsError;

/// The largest delivery that Event Grid makes.
const MAX_DELIVERY: usize = 1024 * 1024;

#[derive(Clone)]
struct Feed {
    deps: Arc<Deps>,
    key: DeliveryKey,
}

/// The routes.
pub(crate) fn router(deps: Arc<Deps>, key: DeliveryKey) -> Router {
    let feed = Feed { deps, key };
    Router::new()
        .route(
            "/v1/fleets/{fleet}/hubs/{hub}/events",
            post(deliver).options(handshake),
        )
        .layer(DefaultBodyLimit::max(MAX_DELIVERY))
        .layer(from_fn_with_state(feed.clone(), keyed))
        .with_state(feed)
}

/// Lets nobody in who does not show the key, before a body is read.
async fn keyed(State(feed): State<Feed>, request: Request, next: Next) -> Response {
    if !feed.key.is_shown(request.headers(), request.uri()) {
        return Refused::Key.into_response();
    }
    next.run(request).await
}

/// Why a delivery was not taken. Event Grid repeats 5xx, and gives the others up.
enum Refused {
    /// The key is missing or wrong.
    Key,
    /// No such fleet or hub, or none that is connected.
    NoHub,
    /// It cannot be read, or is another hub's.
    Bad(String),
    /// The database is not there.
    Later,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Key => (
                StatusCode::UNAUTHORIZED,
                "the key is missing or wrong".into(),
            ),
            Self::NoHub => (StatusCode::NOT_FOUND, "no such hub is connected".into()),
            Self::Bad(text) => (StatusCode::BAD_REQUEST, text),
            Self::Later => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the database does not answer".to_owned(),
            ),
        };
        (status, text).into_response()
    }
}

async fn deliver(
    State(feed): State<Feed>,
    Path((fleet, hub)): Path<(String, String)>,
    body: Bytes,
) -> Result<Response, Refused> {
    match read(&body).map_err(|error| Refused::Bad(error.to_string()))? {
        Delivery::Validation(code) => {
            Ok(Json(json!({ "validationResponse": code })).into_response())
        }
        Delivery::Events(events) => {
            let (fleet, hub) = names(fleet, hub)?;
            keep(&feed.deps, &fleet, &hub, events).await?;
            Ok(StatusCode::OK.into_response())
        }
    }
}

/// The handshake of CloudEvents: whoever knows the key may deliver.
async fn handshake(headers: HeaderMap) -> Response {
    let Some(origin) = headers.get("webhook-request-origin") else {
        return Refused::Bad("WebHook-Request-Origin is missing".to_owned()).into_response();
    };
    let allowed = [
        ("webhook-allowed-origin", origin.clone()),
        ("webhook-allowed-rate", HeaderValue::from_static("*")),
    ];
    (allowed, StatusCode::OK).into_response()
}

fn names(fleet: String, hub: String) -> Result<(FleetId, HubId), Refused> {
    let fleet = FleetId::new(fleet).map_err(|_| Refused::NoHub)?;
    let hub = HubId::new(hub).map_err(|_| Refused::NoHub)?;
    Ok((fleet, hub))
}

/// Stores the news: an answer means that nothing of it is lost.
async fn keep(deps: &Deps, fleet: &FleetId, hub: &HubId, news: Vec<News>) -> Result<(), Refused> {
    let row = deps
        .hubs
        .row(fleet, hub)
        .await
        .map_err(|error| match error {
            HubsError::Store(_) => Refused::Later,
            _ => Refused::NoHub,
        })?;
    let is_ours = |news: &News| name::is_of(&news.hub_name, &row.host);
    if !news.iter().all(is_ours) {
        let text = format!("an event of another hub was sent to {hub}");
        return Err(Refused::Bad(text));
    }
    let hints = news.into_iter().map(|news| news.hint).collect();
    hint::keep(deps, fleet, hub, hints)
        .await
        .map_err(|_| Refused::Later)
}
