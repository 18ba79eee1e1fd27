//! One device with all that the hub knows of it, and whether it counts as connected.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use hubshift_azure::wire_time;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;

pub(super) async fn get(
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connection {
    connected: bool,
}

/// Holds a device connected, or not, until another order or the end of the process.
pub(super) async fn connection(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Json(Connection { connected }): Json<Connection>,
) -> Result<(), StatusCode> {
    let ordered = app.registry().order_connection(&id, connected);
    ordered.map_err(|_| StatusCode::NOT_FOUND)
}
