//! The one place where errors become gRPC statuses.
//!
//! Every status carries a stable reason in `google.rpc.ErrorInfo`; callers decide by it and never
//! by text. Sources of errors stay in logs.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of every reason.
pub const DOMAIN: &str = "hubshift";

/// An error that a caller can act on.
pub trait ApiError: std::error::Error {
    /// The canonical code.
    fn code(&self) -> Code;
    /// The stable reason, `FLEET_NOT_FOUND`.
    fn reason(&self) -> &'static str;
    /// What the reason is about.
    fn metadata(&self) -> HashMap<String, String> {
        HashMap::new()
    }
    /// When to try again.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// The status of an error.
pub fn to_status(error: &impl ApiError) -> Status {
    let mut details = ErrorDetails::with_error_info(error.reason(), DOMAIN, error.metadata());
    if let Some(after) = error.retry_after() {
        details.set_retry_info(Some(after));
    }
    Status::with_error_details(error.code(), error.to_string(), details)
}

/// The status of a bug: a fixed text, nothing of the source.
pub fn internal() -> Status {
    let details = ErrorDetails::with_error_info("INTERNAL", DOMAIN, HashMap::new());
    let text = "an internal error; the service's log has it under this request's trace id";
    Status::with_error_details(Code::Internal, text, details)
}

/// The status of a request with malformed fields: all of them at once.
pub fn invalid(violations: Vec<(String, String)>) -> Status {
    let text = violations
        .iter()
        .map(|(field, problem)| format!("{field}: {problem}"))
        .collect::<Vec<_>>()
        .join("; ");
    let fields = violations
        .into_iter()
        .map(|(field, problem)| FieldViolation::new(field, problem))
        .collect::<Vec<_>>();
    let mut details = ErrorDetails::with_bad_request(fields);
    details.set_error_info("INVALID_REQUEST", DOMAIN, HashMap::new());
    Status::with_error_details(Code::InvalidArgument, text, details)
}

/// A status made of its parts, for errors that have no type of their own.
pub fn status(code: Code, reason: &'static str, text: impl Into<String>) -> Status {
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    Status::with_error_details(code, text, details)
}

/// As [`status`], with a time to try again.
pub fn retry(code: Code, reason: &'static str, text: impl Into<String>, after: Duration) -> Status {
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
    details.set_retry_info(Some(after));
    Status::with_error_details(code, text, details)
}

/// The stable reason that a status carries; empty when it carries none.
pub fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_violations_travel_with_the_reason() {
        let status = invalid(vec![
            ("a".into(), "is empty".into()),
            ("b".into(), "too long".into()),
        ]);
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(reason(&status), "INVALID_REQUEST");
        let fields = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(fields.len(), 2);
    }
}
