//! Requests: how many there were, and the last of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::request_log::LoggedRequest;

#[derive(Serialize)]
pub(super) struct Count {
    method: String,
    operation: &'static str,
    count: u64,
}

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: u64,
}

/// All requests that arrived, those that a fault swallowed too.
pub(super) async fn counts(State(app): State<Arc<App>>) -> Json<Vec<Count>> {
    let kinds = app.requests.counts().into_iter();
    Json(
        kinds
            .map(|((method, operation), count)| Count {
                method,
                operation,
                count,
            })
            .collect(),
    )
}

/// Those after this number, oldest first. A gap in the numbers was there once and is forgotten.
pub(super) async fn log(
    State(app): State<Arc<App>>,
    Query(After { after }): Query<After>,
) -> Json<Vec<LoggedRequest>> {
    Json(app.requests.after(after))
}
