//! The listener for deliveries.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hubshift_domain::id::{FleetId, HubId};
use serde_json::json;

use super::event::{Delivery, DeviceEvent, read};
use super::key::DeliveryKey;
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::store::hint::{self, NewHints};

/// The largest delivery that Event Grid makes.
const MAX_DELIVERY: usize = 1024 * 1024;

#[derive(Clone)]
struct Feed {
    deps: Arc<Deps>,
    key: DeliveryKey,
}

/// The routes.
pub(crate) fn router(deps: Arc<Deps>, key: DeliveryKey) -> Router {
    Router::new()
        .route(
            "/v1/fleets/{fleet}/hubs/{hub}/events",
            post(deliver).options(handshake),
        )
        .layer(DefaultBodyLimit::max(MAX_DELIVERY))
        .with_state(Feed { deps, key })
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
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    if !feed.key.is_shown(&headers, &uri) {
        return Err(Refused::Key);
    }
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
async fn handshake(State(feed): State<Feed>, uri: Uri, headers: HeaderMap) -> Response {
    if !feed.key.is_shown(&headers, &uri) {
        return Refused::Key.into_response();
    }
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

/// Stores the news, then wakes the sync: an answer means that nothing of it is lost.
async fn keep(
    deps: &Deps,
    fleet: &FleetId,
    hub: &HubId,
    events: Vec<DeviceEvent>,
) -> Result<(), Refused> {
    let row = deps
        .hubs
        .row(fleet, hub)
        .await
        .map_err(|error| match error {
            HubsError::Store(_) => Refused::Later,
            _ => Refused::NoHub,
        })?;
    let name = row.host.split(['.', ':']).next().unwrap_or_default();
    let is_ours = |event: &DeviceEvent| event.hub_name.eq_ignore_ascii_case(name);
    if !events.iter().all(is_ours) {
        let text = format!("an event of another hub was sent to {hub}");
        return Err(Refused::Bad(text));
    }
    if events.is_empty() {
        return Ok(());
    }
    metrics::counter!("hubshift_registry_hints_total").increment(events.len() as u64);
    hint::put(&deps.pool, fleet.as_str(), hub.as_str(), &latest(events))
        .await
        .map_err(|_| Refused::Later)?;
    deps.sync.notify_one();
    Ok(())
}

/// One hint per device: the latest.
fn latest(events: Vec<DeviceEvent>) -> NewHints {
    let mut by_device: BTreeMap<String, DeviceEvent> = BTreeMap::new();
    for event in events {
        let is_newer = by_device
            .get(&event.device_id)
            .is_none_or(|known| known.time <= event.time);
        if is_newer {
            by_device.insert(event.device_id.clone(), event);
        }
    }
    let mut hints = NewHints::default();
    for (device, event) in by_device {
        hints.devices.push(device);
        hints.deleted.push(event.is_deleted);
        hints.times.push(event.time);
    }
    hints
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn of_two_events_of_a_device_the_later_one_counts() {
        let event = |is_deleted, minute: u8| DeviceEvent {
            hub_name: "acme".into(),
            device_id: "d".into(),
            is_deleted,
            time: datetime!(2026-11-27 12:00 UTC)
                .replace_minute(minute)
                .unwrap(),
        };
        let hints = latest(vec![event(true, 5), event(false, 4)]);
        assert_eq!((hints.devices.len(), hints.deleted), (1, vec![true]));
    }
}
