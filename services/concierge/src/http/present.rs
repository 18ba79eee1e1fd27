//! `POST /v1/fleets/{fleet}/route` with `{"route": "…"}`: a device's evidence of a higher epoch.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use hubshift_api::fault;
use hubshift_domain::id::FleetId;
use serde::{Deserialize, Serialize};

use super::PublicState;
use super::error::Refusal;
use crate::table;

/// What a device sends.
#[derive(Deserialize)]
pub(super) struct Presented {
    route: String,
}

/// What it gets.
#[derive(Serialize)]
pub(super) struct Known {
    epoch: u64,
}

/// Takes the evidence.
pub(super) async fn post(
    State(state): State<PublicState>,
    Path(fleet): Path<String>,
    body: Result<Json<Presented>, JsonRejection>,
) -> Result<Json<Known>, Refusal> {
    let fleet = table::fleet(FleetId::new(fleet))?;
    let Json(Presented { route }) = body
        .map_err(|error| Refusal(fault::invalid(vec![("body".to_owned(), error.body_text())])))?;
    let epoch = table::present(&state.table, &state.signer, &fleet, &route).await?;
    Ok(Json(Known { epoch: epoch.0 }))
}
