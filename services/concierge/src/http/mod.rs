//! The public listener's slower half: presented routes, the key set, health. Nothing else answers
//! here: no operator's method, no reflection. Polls are answered by [`crate::front`].

mod error;
mod health;
mod keys;
mod present;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use hubshift_shell::{GrpcServer, Health};
use tower_http::catch_panic::CatchPanicLayer;

pub(crate) use error::json as error_as_json;

use crate::adoption::Adoption;
use crate::rpc;
use crate::signing::Signer;
use crate::table::Table;

/// No body is longer, bytes.
const MAX_BODY: usize = 16 * 1024;

/// What the public listener answers from; clones share it.
#[derive(Clone)]
pub(crate) struct PublicState {
    /// The routes.
    pub(crate) table: Table,
    /// The keys.
    pub(crate) signer: Arc<Signer>,
    /// What devices tell.
    pub(crate) adoption: Adoption,
}

/// Everything that the public listener knows but polls. `health` is the public side's own: it is
/// about serving, not about the database.
pub(crate) fn public_router(state: PublicState, health: Health) -> Router {
    let http = Router::new()
        .route("/v1/fleets/{fleet}/route", post(present::post))
        .route("/.well-known/hubshift/keys", get(keys::get))
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(error::panicked))
        .with_state(state.clone());
    GrpcServer::new(health)
        .add(rpc::endpoint::server(state))
        .into_router()
        .merge(http)
}
