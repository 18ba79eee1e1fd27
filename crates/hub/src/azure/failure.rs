//! What a failed exchange means: certainly nothing happened, or nobody knows.

use std::error::Error;
use std::time::Duration;

use hubshift_azure::{ErrorCode, HubAnswer};
use reqwest::StatusCode;

use crate::outcome::{Cause, HubError, Rejection};

/// Azure's throttling answers say "Wait 10 seconds" and carry no `Retry-After`.
const DEFAULT_RETRY: Duration = Duration::from_secs(10);

/// A refusal that the hub answered with.
pub(super) fn of_answer(
    status: StatusCode,
    error_code: Option<&str>,
    retry_after: Option<&str>,
    body: &[u8],
) -> HubError {
    let HubAnswer { code, text } = HubAnswer::read(error_code, body);
    let throttled = || {
        let seconds = retry_after.and_then(|text| text.trim().parse().ok());
        Rejection::Throttled {
            retry_after: seconds.map_or(DEFAULT_RETRY, Duration::from_secs),
        }
    };
    let rejection = match (status, code) {
        (_, Some(ErrorCode::IotHubQuotaExceeded | ErrorCode::JobQuotaExceeded))
        | (StatusCode::TOO_MANY_REQUESTS, _) => throttled(),
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Rejection::Unauthorized(text),
        (StatusCode::NOT_FOUND, _) => not_found(code, text),
        (StatusCode::CONFLICT, _) => conflict(code, text),
        (StatusCode::PRECONDITION_FAILED, _) => Rejection::PreconditionFailed,
        (StatusCode::SERVICE_UNAVAILABLE, _) => Rejection::Unavailable(text),
        _ if status.is_client_error() => Rejection::Invalid(text),
        _ => {
            return Cause::ServerError {
                status: status.as_u16(),
                text,
            }
            .into();
        }
    };
    rejection.into()
}

/// Only the hub itself can say that a device is not there: a 404 of something in between, or
/// for a path that it does not know, must not look like a deleted device.
fn not_found(code: Option<ErrorCode>, text: String) -> Rejection {
    match code {
        Some(ErrorCode::DeviceNotFound) => Rejection::NotFound,
        _ => Rejection::Invalid(format!("not found: {text}")),
    }
}

fn conflict(code: Option<ErrorCode>, text: String) -> Rejection {
    match code {
        Some(ErrorCode::DeviceAlreadyExists) => Rejection::AlreadyExists,
        _ => Rejection::Invalid(text),
    }
}

/// An exchange without an answer.
pub(super) fn of_exchange(error: &reqwest::Error) -> HubError {
    if let Some(reason) = untrusted(error) {
        return Rejection::Untrusted(reason).into();
    }
    if error.is_builder() {
        return Rejection::Invalid("the request cannot be built".to_owned()).into();
    }
    if error.is_connect() {
        return Rejection::Unreachable(deepest(error)).into();
    }
    if error.is_timeout() {
        return Cause::Timeout.into();
    }
    Cause::Connection(deepest(error)).into()
}

/// Why the hub's certificate was not accepted, if that is what went wrong.
fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
        return Some(reason.to_string());
    }
    // An I/O error's `source` passes over the error that it wraps.
    let wrapped = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    wrapped
        .and_then(|inner| untrusted(inner))
        .or_else(|| error.source().and_then(untrusted))
}

/// The words of the innermost cause; those of the outer ones hold URLs.
fn deepest(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: Option<&str>) -> HubError {
        of_answer(StatusCode::from_u16(status).unwrap(), code, None, b"")
    }

    #[test]
    fn a_missing_device_is_said_by_the_hub_and_by_nobody_else() {
        let found = answer(404, Some("DeviceNotFound"));
        assert_eq!(found, Rejection::NotFound.into());
        assert!(matches!(
            answer(404, None),
            HubError::Rejected(Rejection::Invalid(_))
        ));
        assert!(matches!(
            answer(404, Some("GenericNotFound")),
            HubError::Rejected(Rejection::Invalid(_))
        ));
    }

    #[test]
    fn throttling_waits_ten_seconds_or_what_the_hub_says() {
        let wait = |retry_after| of_answer(StatusCode::TOO_MANY_REQUESTS, None, retry_after, b"");
        let throttled = |seconds| {
            let retry_after = Duration::from_secs(seconds);
            HubError::from(Rejection::Throttled { retry_after })
        };
        assert_eq!(wait(None), throttled(10));
        assert_eq!(wait(Some("3")), throttled(3));
        assert_eq!(answer(403, Some("IotHubQuotaExceeded")), throttled(10));
    }

    #[test]
    fn errors_of_the_hub_are_unknown_and_503_is_not() {
        assert!(matches!(answer(500, None), HubError::Unknown(_)));
        assert!(matches!(answer(504, None), HubError::Unknown(_)));
        assert!(matches!(
            answer(503, None),
            HubError::Rejected(Rejection::Unavailable(_))
        ));
    }

    #[test]
    fn refusals_keep_their_meaning() {
        assert!(matches!(
            answer(401, None),
            HubError::Rejected(Rejection::Unauthorized(_))
        ));
        assert_eq!(answer(412, None), Rejection::PreconditionFailed.into());
        assert_eq!(
            answer(409, Some("DeviceAlreadyExists")),
            Rejection::AlreadyExists.into()
        );
        assert!(matches!(
            answer(400, None),
            HubError::Rejected(Rejection::Invalid(_))
        ));
        assert!(matches!(answer(301, None), HubError::Unknown(_)));
    }
}
