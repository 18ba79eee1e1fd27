//! `GET /v1/fleets/{fleet}/endpoint?device=&epoch=&hub=&error=`: which hub, and when.
//!
//! Without `device` the answer is the same for all devices of a fleet, and a cache may keep it for
//! half of the poll period.

use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hubshift_shell::Refusal;
use tonic::Status;

use super::body::FrontBody;
use super::meter::Outcome;
use super::poll::Local;
use super::query::{self, Params};
use crate::http::error_as_json;
use crate::table::{Answer, Door};

/// The fleet that a path asks about, as the path has it; `None` for another path.
pub(super) fn fleet_of(path: &str) -> Option<&str> {
    let fleet = path.strip_prefix("/v1/fleets/")?;
    let fleet = fleet.strip_suffix("/endpoint")?;
    (!fleet.is_empty() && !fleet.contains('/')).then_some(fleet)
}

/// Answers a device, or a cache in front of many.
pub(super) fn respond<B>(
    local: &Local,
    request: &Request<B>,
    fleet: &str,
    begun: Instant,
) -> Response<FrontBody> {
    let method = request.method();
    if method != Method::GET && method != Method::HEAD {
        return not_allowed();
    }
    let fleet = query::in_path(fleet);
    let params = Params::of(request.uri().query().unwrap_or_default());
    let answered = local.state.answer(begun, &params.asked(&fleet), |answer| {
        match is_known(request.headers(), answer.etag()) {
            true => (Outcome::Known, known(answer)),
            false => (Outcome::Answered, told(answer)),
        }
    });
    match answered {
        Ok((outcome, response)) => {
            local.meter.count(Door::Http, outcome, begun);
            as_asked(response, method)
        }
        Err(status) => refused(local, method, &status, begun),
    }
}

fn told(answer: &Answer<'_>) -> Response<FrontBody> {
    let mut response = Response::new(FrontBody::Whole(answer.json()));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, kind);
    mark(headers, answer);
    response
}

/// The client has it already.
fn known(answer: &Answer<'_>) -> Response<FrontBody> {
    let mut response = Response::new(FrontBody::Empty);
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    mark(response.headers_mut(), answer);
    response
}

fn mark(headers: &mut HeaderMap, answer: &Answer<'_>) {
    headers.insert(header::ETAG, answer.etag().clone());
    headers.insert(header::CACHE_CONTROL, answer.cache_control());
}

/// The response to a poll that is not looked at.
pub(super) fn shed(
    local: &Local,
    method: &Method,
    refusal: Refusal,
    begun: Instant,
) -> Response<FrontBody> {
    local.meter.count(Door::Http, Outcome::Overloaded, begun);
    as_asked(local.refusals.plain(refusal), method)
}

/// The response without an answer.
fn refused(local: &Local, method: &Method, status: &Status, begun: Instant) -> Response<FrontBody> {
    let outcome = Outcome::of(status.code());
    local.meter.count(Door::Http, outcome, begun);
    as_asked(error_as_json(status).map(FrontBody::Whole), method)
}

/// `HEAD` is answered like `GET`, with the length of a body instead of the body.
fn as_asked(mut response: Response<FrontBody>, method: &Method) -> Response<FrontBody> {
    if method == Method::HEAD
        && let FrontBody::Whole(body) = std::mem::take(response.body_mut())
    {
        let length = HeaderValue::from(body.len());
        response
            .headers_mut()
            .insert(header::CONTENT_LENGTH, length);
    }
    response
}

fn not_allowed() -> Response<FrontBody> {
    let mut response = Response::new(FrontBody::Empty);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    let methods = HeaderValue::from_static("GET,HEAD");
    response.headers_mut().insert(header::ALLOW, methods);
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_endpoint_of_a_fleet_is_ours() {
        assert_eq!(fleet_of("/v1/fleets/acme/endpoint"), Some("acme"));
        assert_eq!(fleet_of("/v1/fleets/a%62/endpoint"), Some("a%62"));
        for other in [
            "/v1/fleets//endpoint",
            "/v1/fleets/endpoint",
            "/v1/fleets/a/b/endpoint",
            "/v1/fleets/acme/endpoint/",
            "/v1/fleets/acme/route",
            "/v2/fleets/acme/endpoint",
            "/",
            "",
        ] {
            assert_eq!(fleet_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_tag_is_known_in_every_form_that_rfc_9110_has() {
        let etag = HeaderValue::from_static("\"1-2\"");
        let known = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            is_known(&headers, &etag)
        };
        for values in [
            &["\"1-2\""][..],
            &["W/\"1-2\""],
            &["*"],
            &["\"0\", \"1-2\""],
            &["\"0\",W/\"1-2\" , \"3\""],
            &["\"0\"", "\"1-2\""],
        ] {
            assert!(known(values), "{values:?}");
        }
        for values in [&["\"1-2-d\""][..], &["1-2"], &["\"0\", \"1\""], &[""], &[]] {
            assert!(!known(values), "{values:?}");
        }
    }
}
