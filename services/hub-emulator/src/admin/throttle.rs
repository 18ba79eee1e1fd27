//! Throttling: how the hub throttles, what became of calls, and another order.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use crate::app::App;
use crate::throttle::{Counts, Settings};

/// How the hub throttles and what it did.
#[derive(Serialize)]
pub(super) struct Throttling {
    #[serde(flatten)]
    settings: Settings,
    classes: BTreeMap<&'static str, Counts>,
}

pub(super) async fn get(State(app): State<Arc<App>>) -> Json<Throttling> {
    Json(throttling(&app))
}

/// What is left out is as the command line has it when it says nothing.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    Json(settings): Json<Settings>,
) -> Result<Json<Throttling>, (StatusCode, &'static str)> {
    let wrong = |words| (StatusCode::UNPROCESSABLE_ENTITY, words);
    settings.check().map_err(wrong)?;
    app.throttle.set(settings);
    Ok(Json(throttling(&app)))
}

fn throttling(app: &App) -> Throttling {
    Throttling {
        settings: app.throttle.settings(),
        classes: app.throttle.counts(),
    }
}
