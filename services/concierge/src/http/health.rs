//! `GET /healthz` and `/readyz`, for the probes of DNS redirection and of orchestrators.
//!
//! `/healthz`: 200 as long as devices can be answered, which takes a table and not a database; 503
//! before. `/readyz`: the same, but 503 as soon as the process is told to stop, while devices are
//! still answered for as long as `drain` says: a probe sends them elsewhere meanwhile. The body is
//! short and for people; HEAD leaves it out, and no cache keeps either. Which probe to set up how:
//! docs/front-door.md.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use super::PublicState;
use crate::table::rfc3339;

#[derive(Serialize)]
struct Body {
    serving: bool,
    /// Whether this process is about to stop.
    leaving: bool,
    fleets: usize,
    /// When the database was last heard of; empty when it never was.
    as_of: String,
    stale: bool,
}

/// Says whether devices can be answered.
pub(super) async fn live(State(state): State<PublicState>) -> Response {
    response(&state, state.table.is_loaded())
}

/// Says whether devices are to be sent here.
pub(super) async fn ready(State(state): State<PublicState>) -> Response {
    response(&state, state.table.is_offered())
}

fn response(state: &PublicState, is_well: bool) -> Response {
    let snapshot = state.table.load();
    let body = Body {
        serving: snapshot.is_loaded,
        leaving: snapshot.is_loaded && !state.table.is_offered(),
        fleets: snapshot.fleets.len(),
        as_of: if snapshot.is_loaded {
            rfc3339(snapshot.as_of)
        } else {
            String::new()
        },
        stale: snapshot.is_stale(state.table.stale_after()),
    };
    let status = match is_well {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (status, [no_store], Json(body)).into_response()
}
