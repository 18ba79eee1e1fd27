//! Queries: how they behave, and another order.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use crate::app::App;
use crate::registry::QuerySettings;

pub(super) async fn get(State(app): State<Arc<App>>) -> Json<QuerySettings> {
    Json(app.registry().queries())
}

/// What is left out is as the command line has it when it says nothing.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    Json(settings): Json<QuerySettings>,
) -> Json<QuerySettings> {
    app.registry().set_queries(settings);
    Json(settings)
}
