//! The control interface: plain HTTP on a loopback address, for demos and tests.
//!
//! It orders outages and shows what the hub knows, keys included, also while the hub is down.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use hubshift_azure::wire_time;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::outage::Outage;

/// The routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/outage", post(set_outage).get(outage))
        .route("/requests", get(requests))
        .route("/devices/{id}", get(device))
        .with_state(app)
}

async fn outage(State(app): State<Arc<App>>) -> Json<Outage> {
    Json(app.outage.get())
}

async fn set_outage(State(app): State<Arc<App>>, Json(outage): Json<Outage>) -> Json<Outage> {
    app.outage.set(outage);
    Json(outage)
}

#[derive(Serialize)]
struct Requests {
    method: String,
    operation: &'static str,
    count: u64,
}

/// All requests that arrived, those that an outage swallowed too.
async fn requests(State(app): State<Arc<App>>) -> Json<Vec<Requests>> {
    let kinds = app.requests().into_iter();
    Json(
        kinds
            .map(|((method, operation), count)| Requests {
                method,
                operation,
                count,
            })
            .collect(),
    )
}

async fn device(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, StatusCode> {
    let registry = app.registry();
    let record = registry.get(&id).map_err(|_| StatusCode::NOT_FOUND)?;
    let activity = registry.activity(&id);
    Ok(Json(json!({
        "identity": registry.device(record),
        "twin": registry.twin(record),
        "telemetry": {
            "count": activity.map_or(0, |seen| seen.count),
            "lastMessageTime": activity.map(|seen| wire_time::write(seen.last)),
        },
    })))
}
