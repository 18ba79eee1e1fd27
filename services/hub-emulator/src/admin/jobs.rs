//! Jobs: how those behave that start from now on, and another order.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::jobs::JobSettings;

pub(super) async fn get(State(app): State<Arc<App>>) -> Json<JobSettings> {
    Json(app.jobs.settings())
}

/// What is left out is as the command line has it when it says nothing.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    Json(settings): Json<JobSettings>,
) -> Json<JobSettings> {
    app.jobs.set(settings);
    Json(settings)
}
