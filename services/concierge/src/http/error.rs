//! Errors as JSON: `{reason, message, violations}`, made of the same statuses as gRPC's.

use std::any::Any;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use hubshift_api::fault;
use serde::Serialize;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// What a device reads when it gets no answer.
#[derive(Debug, Serialize)]
struct Body {
    /// Stable: decide by it.
    reason: String,
    /// For people.
    message: String,
    /// Every malformed part of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<Violation>,
}

#[derive(Debug, Serialize)]
struct Violation {
    field: String,
    problem: String,
}

/// A status on its way to a device.
pub(super) struct Refusal(pub(super) Status);

impl<E: Into<Status>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(&self.0).map(axum::body::Body::from)
    }
}

/// The status as a device reads it.
pub(crate) fn json(status: &Status) -> http::Response<Bytes> {
    let json = serde_json::to_vec(&body(status)).unwrap_or_default();
    let mut response = http::Response::new(Bytes::from(json));
    *response.status_mut() = http_status(status.code());
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let after = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    if let Some(after) = after {
        // Whole seconds is all that the header knows; sooner would be too soon.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

fn body(status: &Status) -> Body {
    let fields = status
        .get_details_bad_request()
        .map(|bad| bad.field_violations);
    let violations = fields.unwrap_or_default().into_iter();
    Body {
        reason: fault::reason(status),
        message: status.message().to_owned(),
        violations: violations
            .map(|field| Violation {
                field: field.field,
                problem: field.description,
            })
            .collect(),
    }
}

fn http_status(code: Code) -> StatusCode {
    match code {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A handler that panicked: logged by its text, answered without it.
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .unwrap_or("not a plain text");
    tracing::error!(panic = text, "a handler panicked");
    Refusal(fault::internal()).into_response()
}
