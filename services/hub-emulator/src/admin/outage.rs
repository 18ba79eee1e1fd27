//! Faults: the order in force, and another one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::outage::Fault;

/// An order and what it did.
#[derive(Serialize)]
pub(super) struct Ordered {
    #[serde(flatten)]
    fault: Fault,
    /// How many calls it has hit.
    hits: u64,
}

pub(super) async fn get(State(app): State<Arc<App>>) -> Json<Ordered> {
    Json(Ordered {
        fault: app.outage.get(),
        hits: app.outage.hits(),
    })
}

pub(super) async fn set(
    State(app): State<Arc<App>>,
    Json(order): Json<Value>,
) -> Result<Json<Fault>, (StatusCode, String)> {
    let wrong = |words| (StatusCode::UNPROCESSABLE_ENTITY, words);
    let fault = Fault::read(order).map_err(wrong)?;
    app.outage.set(fault.clone());
    Ok(Json(fault))
}
