//! `GET /.well-known/hubshift/keys`: what verifies routes.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use super::PublicState;

/// The JWKS. A device asks again when it meets a key that it doesn't know.
pub(super) async fn get(State(state): State<PublicState>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, state.signer.key_set_document()).into_response()
}
