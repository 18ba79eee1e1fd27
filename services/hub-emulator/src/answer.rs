//! Answers and refusals, in the shapes and with the headers that Azure's clients read.

use axum::body::Body;
use http::{HeaderValue, Response, StatusCode, header};
use hubshift_azure::limits::LimitError;
use hubshift_azure::{
    ErrorBody, ErrorCode, FieldError, NoRandomness, NumberedErrorBody, Violation, etag, headers,
};
use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// A refusal: a name of the hub's and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) words: String,
    envelope: Envelope,
}

/// The shapes that the real hub's errors come in. The header names the error in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Envelope {
    /// The first: name and words in one text.
    Named,
    /// The second: number and words.
    Numbered,
    /// The second as text inside the first.
    Nested,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, words: impl Into<String>) -> Self {
        Self {
            code,
            words: words.into(),
            envelope: Envelope::Named,
        }
    }

    /// The same in the second envelope.
    pub(crate) fn numbered(self) -> Self {
        Self {
            envelope: Envelope::Numbered,
            ..self
        }
    }

    /// The same in the second envelope inside the first.
    pub(crate) fn nested(self) -> Self {
        Self {
            envelope: Envelope::Nested,
            ..self
        }
    }

    /// The real hub's words for a missing device are its id.
    pub(crate) fn device_not_found(id: &str) -> Self {
        Self::new(ErrorCode::DeviceNotFound, id)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(ErrorCode::IotHubUnauthorizedAccess, "Unauthorized")
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self.body() {
            Ok(answer) => Answer { status, ..answer }
                .with(headers::ERROR_CODE, self.code.name())
                .into_response(),
            Err(_) => Answer {
                status,
                headers: Vec::new(),
                body: None,
            }
            .into_response(),
        }
    }

    fn body(&self) -> Result<Answer, Self> {
        let tracking = Uuid::new_v4().simple().to_string();
        let now = OffsetDateTime::now_utc();
        let numbered = NumberedErrorBody::new(self.code, &self.words, &tracking, now);
        match self.envelope {
            Envelope::Named => {
                Answer::json(&ErrorBody::new(self.code, &self.words, &tracking, now))
            }
            Envelope::Numbered => Answer::json(&numbered),
            Envelope::Nested => Answer::json(&numbered.nested()),
        }
    }
}

impl From<Violation> for Refusal {
    fn from(violation: Violation) -> Self {
        Self::new(violation.code, violation.text)
    }
}

impl From<LimitError> for Refusal {
    fn from(error: LimitError) -> Self {
        Self::new(ErrorCode::ArgumentInvalid, error.to_string())
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::new(ErrorCode::IotHubFormatError, error.to_string())
    }
}

impl From<NoRandomness> for Refusal {
    fn from(error: NoRandomness) -> Self {
        Self::new(ErrorCode::ServerError, error.to_string())
    }
}

impl Answer {
    /// 200 with a JSON body.
    pub(crate) fn json(body: &impl Serialize) -> Result<Self, Refusal> {
        let body = serde_json::to_vec(body)
            .map_err(|_| Refusal::new(ErrorCode::ServerError, "the answer cannot be written"))?;
        Ok(Self {
            status: StatusCode::OK,
            headers: Vec::new(),
            body: Some(body),
        })
    }

    /// 204 without a body.
    pub(crate) fn no_content() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds the `ETag` header, quoted.
    pub(crate) fn with_etag(self, tag: &str) -> Self {
        self.with("etag", &etag::quote(tag))
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(self.body.map_or_else(Body::empty, Body::from));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status != StatusCode::NO_CONTENT {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let id = Uuid::new_v4().to_string();
        for (name, value) in self.headers.into_iter().chain([(headers::REQUEST_ID, id)]) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
