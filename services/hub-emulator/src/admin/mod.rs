//! The control interface: plain HTTP on a loopback address, for demos and tests.
//!
//! It orders faults and throttles and shows what the hub knows, keys included, also while the hub
//! is down.

mod devices;
mod outage;
mod requests;
mod throttle;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::app::App;

/// The routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/outage", get(outage::get).post(outage::set))
        .route("/throttle", get(throttle::get).post(throttle::set))
        .route("/requests", get(requests::counts))
        .route("/requests/log", get(requests::log))
        .route("/devices/{id}", get(devices::get))
        .with_state(app)
}
