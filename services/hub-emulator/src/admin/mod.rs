//! The control interface: plain HTTP on a loopback address, for demos and tests.
//!
//! It orders faults, throttles and how queries and jobs behave, and shows what the hub knows, keys
//! included, also while the hub is down.

mod devices;
mod export;
mod jobs;
mod outage;
mod query;
mod requests;
mod throttle;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, put};

use crate::app::App;

/// The routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/outage", get(outage::get).post(outage::set))
        .route("/throttle", get(throttle::get).post(throttle::set))
        .route("/query", get(query::get).post(query::set))
        .route("/jobs/behaviour", get(jobs::get).post(jobs::set))
        .route("/requests", get(requests::counts))
        .route("/requests/log", get(requests::log))
        .route("/devices/{id}", get(devices::get))
        .route("/devices/{id}/connection", put(devices::connection))
        .route("/export", get(export::devices))
        .route("/export/configurations", get(export::configurations))
        .with_state(app)
}
