//! `GET /v1/fleets/{fleet}/endpoint?device=&epoch=&hub=&error=`: which hub, and when.
//!
//! Without `device` the answer is the same for all devices of a fleet, and a cache may keep it for
//! half of the poll period.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hubshift_api::fault;
use hubshift_domain::id::FleetId;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::PublicState;
use super::error::Refusal;
use crate::table::{self, Answer, Asked, Question};

/// No cache keeps an answer longer.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The answer, as docs/route.md has it.
#[derive(Serialize)]
struct Body<'a> {
    route: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_after_ms: Option<u32>,
    poll_after_ms: u32,
    as_of: String,
    stale: bool,
}

/// Answers a device, or a cache in front of many.
pub(super) async fn get(
    State(state): State<PublicState>,
    Path(fleet): Path<String>,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let question = question(fleet, query)?;
    let answer = table::answer(&state.table, &state.adoption, &question)?;
    let is_private = question.device.is_some();
    let etag = etag(&answer, is_private)?;
    let mut response = match is_known(&headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => body(&answer)?.into_response(),
    };
    let out = response.headers_mut();
    out.insert(header::ETAG, etag);
    out.insert(header::CACHE_CONTROL, cache_control(&answer, is_private)?);
    Ok(response)
}

fn question(
    fleet: String,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Result<Question, Refusal> {
    let Query(query) = query.map_err(|error| {
        Refusal(fault::invalid(vec![(
            "query".to_owned(),
            error.body_text(),
        )]))
    })?;
    let part = |name: &str| query.get(name).map_or("", String::as_str);
    let epoch = match part("epoch") {
        "" => Ok(0),
        text => text
            .parse()
            .map_err(|_| format!("`{text}` is not a whole number")),
    };
    Ok(Question::new(Asked {
        fleet: FleetId::new(fleet),
        device: part("device"),
        known_epoch: epoch,
        attached_hub: part("hub"),
        last_connect_error: part("error"),
        names: ("epoch", "hub"),
    })?)
}

fn body(answer: &Answer) -> Result<impl IntoResponse + use<>, Refusal> {
    let body = Body {
        route: &answer.entry.jws,
        connect_after_ms: answer.connect_after_ms(),
        poll_after_ms: answer.poll_after_ms(),
        as_of: rfc3339(answer.as_of),
        stale: answer.stale,
    };
    let json = serde_json::to_vec(&body).map_err(|_| fault::internal())?;
    Ok((
        [(header::CONTENT_TYPE, "application/json")],
        Bytes::from(json),
    ))
}

/// Changes with everything that a device would act on.
fn etag(answer: &Answer, is_private: bool) -> Result<HeaderValue, Refusal> {
    let text = format!(
        "\"{}-{}-{}-{}{}\"",
        answer.entry.epoch,
        answer.entry.routing_version,
        answer.entry.issue_time().unix_timestamp(),
        answer.poll_after_ms(),
        if is_private { "-d" } else { "" },
    );
    HeaderValue::from_str(&text).map_err(|_| Refusal(fault::internal()))
}

fn cache_control(answer: &Answer, is_private: bool) -> Result<HeaderValue, Refusal> {
    if is_private {
        return Ok(HeaderValue::from_static("private, no-cache"));
    }
    let age = (answer.entry.poll_after / 2).min(MAX_AGE).as_secs();
    HeaderValue::from_str(&format!("public, max-age={age}")).map_err(|_| Refusal(fault::internal()))
}

/// `If-None-Match`, compared weakly as RFC 9110 asks.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let mut tags = value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii);
        tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
    })
}

/// The time as text; a time that no calendar has is left empty.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
