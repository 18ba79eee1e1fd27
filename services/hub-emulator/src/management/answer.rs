//! Answers and problems in the shape that Azure's resource manager gives them.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json as object};

/// Why a call is not carried out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    words: &'static str,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, words: &'static str) -> Self {
        Self {
            status,
            code,
            words,
        }
    }

    pub(super) fn bad_request(code: &'static str, words: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, words)
    }

    pub(super) fn unauthenticated() -> Self {
        let words = "the access token is missing, unknown, expired or for something else";
        Self::new(StatusCode::UNAUTHORIZED, "AuthenticationFailed", words)
    }

    pub(super) fn forbidden() -> Self {
        let words = "the client may not do this with the hub as a resource";
        Self::new(StatusCode::FORBIDDEN, "AuthorizationFailed", words)
    }

    pub(super) fn not_found() -> Self {
        let words = "there is no such resource";
        Self::new(StatusCode::NOT_FOUND, "ResourceNotFound", words)
    }

    pub(super) fn not_allowed() -> Self {
        let words = "the method is not allowed here";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", words)
    }

    pub(super) fn etag_mismatch() -> Self {
        let words = "the etag is not the resource's";
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", words)
    }

    pub(super) fn no_randomness() -> Self {
        let words = "no key can be made";
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalServerError",
            words,
        )
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let error = object!({"code": self.code, "message": self.words});
        let mut response = json(&object!({ "error": error }));
        *response.status_mut() = self.status;
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

/// 200 with a JSON body that no cache keeps: it may have keys and tokens in it.
pub(super) fn json(body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, json);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
