//! What a refusal means: certainly nothing happened, or nobody knows.

use std::time::Duration;

use hubshift_azure::{ErrorCode, HubAnswer};
use reqwest::StatusCode;

use crate::http;
use crate::outcome::{Cause, HubError, Rejection};

/// Azure's throttling answers say "Wait 10 seconds" and carry no `Retry-After`.
pub(super) const DEFAULT_RETRY: Duration = Duration::from_secs(10);
/// One import or export job runs at a hub at a time, and the next one has to wait for it.
const JOB_RETRY: Duration = Duration::from_secs(30);

/// A refusal that the hub answered with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused<'a> {
    pub(super) status: StatusCode,
    /// The header that names the error.
    pub(super) code: Option<&'a str>,
    pub(super) retry_after: Option<&'a str>,
    pub(super) body: &'a [u8],
}

impl Refused<'_> {
    /// What it means for the call.
    pub(super) fn error(self) -> HubError {
        let HubAnswer { code, text } = HubAnswer::read(self.code, self.body);
        let rejection = match (self.status, code) {
            _ if is_throttling(self.status, code) => {
                throttled(self.asked().unwrap_or(DEFAULT_RETRY))
            }
            // Neither our pace nor our right: somebody's job is running.
            (_, Some(ErrorCode::JobQuotaExceeded)) => throttled(self.asked().unwrap_or(JOB_RETRY)),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => Rejection::Unauthorized(text),
            (StatusCode::NOT_FOUND, _) => not_found(code, text),
            (StatusCode::CONFLICT, _) => conflict(code, text),
            (StatusCode::PRECONDITION_FAILED, _) => Rejection::PreconditionFailed,
            // Said by somebody else, it may be of a hub that did it and was cut off.
            (StatusCode::SERVICE_UNAVAILABLE, Some(_)) => Rejection::Unavailable(text),
            // Among them `BlobContainerValidationError`: for a container that is opened by a
            // SAS, as we open them, it means that the SAS lacks a right, and time does not help.
            _ if is_refusal(self.status) => Rejection::Invalid(text),
            _ => {
                let status = self.status.as_u16();
                return Cause::ServerError { status, text }.into();
            }
        };
        rejection.into()
    }

    /// How long the hub wants to be left alone, if it is us that it finds too many.
    pub(super) fn pause(self) -> Option<Duration> {
        let code = HubAnswer::read(self.code, self.body).code;
        is_throttling(self.status, code).then(|| self.asked().unwrap_or(DEFAULT_RETRY))
    }

    fn asked(self) -> Option<Duration> {
        http::seconds(self.retry_after)
    }
}

fn is_throttling(status: StatusCode, code: Option<ErrorCode>) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || code == Some(ErrorCode::IotHubQuotaExceeded)
}

/// Whether the request certainly was not carried out. 408 is no such word: who says it may have
/// passed the request on and waited in vain.
fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT
}

fn throttled(retry_after: Duration) -> Rejection {
    Rejection::Throttled { retry_after }
}

/// Only the hub itself can say that something is not there: a 404 of something in between, or
/// for a path that it does not know, must not look like a deleted device.
fn not_found(code: Option<ErrorCode>, text: String) -> Rejection {
    match code {
        Some(
            ErrorCode::DeviceNotFound
            | ErrorCode::ModuleNotFound
            | ErrorCode::ConfigurationNotFound
            | ErrorCode::JobNotFound,
        ) => Rejection::NotFound,
        Some(ErrorCode::IotHubFailingOver) => Rejection::Unavailable(text),
        _ => Rejection::Invalid(format!("not found: {text}")),
    }
}

fn conflict(code: Option<ErrorCode>, text: String) -> Rejection {
    match code {
        Some(
            ErrorCode::DeviceAlreadyExists
            | ErrorCode::ModuleAlreadyExistsOnDevice
            | ErrorCode::ConfigurationAlreadyExists
            | ErrorCode::JobAlreadyExists,
        ) => Rejection::AlreadyExists,
        _ => Rejection::Invalid(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<'a>(
        status: u16,
        code: Option<&'a str>,
        retry_after: Option<&'a str>,
    ) -> Refused<'a> {
        Refused {
            status: StatusCode::from_u16(status).unwrap(),
            code,
            retry_after,
            body: b"",
        }
    }

    fn answer(status: u16, code: Option<&str>) -> HubError {
        refused(status, code, None).error()
    }

    fn wait(seconds: u64) -> HubError {
        throttled(Duration::from_secs(seconds)).into()
    }

    #[test]
    fn what_is_missing_is_said_by_the_hub_and_by_nobody_else() {
        for name in [
            "DeviceNotFound",
            "ModuleNotFound",
            "ConfigurationNotFound",
            "JobNotFound",
        ] {
            assert_eq!(
                answer(404, Some(name)),
                Rejection::NotFound.into(),
                "{name}"
            );
        }
        for code in [None, Some("GenericNotFound"), Some("DeviceNotOnline")] {
            let error = answer(404, code);
            assert!(
                matches!(error, HubError::Rejected(Rejection::Invalid(_))),
                "{error:?}"
            );
        }
        assert!(matches!(
            answer(404, Some("IotHubFailingOver")),
            HubError::Rejected(Rejection::Unavailable(_))
        ));
    }

    #[test]
    fn throttling_waits_ten_seconds_or_what_the_hub_says() {
        assert_eq!(answer(429, None), wait(10));
        assert_eq!(refused(429, None, Some("3")).error(), wait(3));
        assert_eq!(answer(403, Some("IotHubQuotaExceeded")), wait(10));
        let pause = refused(429, Some("ThrottlingBacklogTimeout"), Some("3")).pause();
        assert_eq!(pause, Some(Duration::from_secs(3)));
    }

    #[test]
    fn another_job_is_waited_for_and_slows_nothing_down() {
        let busy = refused(403, Some("JobQuotaExceeded"), None);
        assert_eq!(busy.error(), wait(30));
        assert_eq!(busy.pause(), None);
    }

    #[test]
    fn a_container_that_cannot_be_used_is_not_waited_for() {
        assert!(matches!(
            answer(400, Some("BlobContainerValidationError")),
            HubError::Rejected(Rejection::Invalid(_))
        ));
    }

    #[test]
    fn errors_of_the_hub_are_unknown_and_its_own_503_is_not() {
        for status in [408, 500, 502, 503, 504] {
            let error = answer(status, None);
            assert!(matches!(error, HubError::Unknown(_)), "{status}: {error:?}");
        }
        for name in ["ServiceUnavailable", "IotHubRestoring"] {
            assert!(matches!(
                answer(503, Some(name)),
                HubError::Rejected(Rejection::Unavailable(_))
            ));
        }
    }

    #[test]
    fn what_is_there_already_is_told_from_other_conflicts() {
        for name in [
            "DeviceAlreadyExists",
            "ModuleAlreadyExistsOnDevice",
            "ConfigurationAlreadyExists",
            "JobAlreadyExists",
        ] {
            let error = answer(409, Some(name));
            assert_eq!(error, Rejection::AlreadyExists.into(), "{name}");
        }
        assert!(matches!(
            answer(409, None),
            HubError::Rejected(Rejection::Invalid(_))
        ));
    }

    #[test]
    fn refusals_keep_their_meaning() {
        for status in [401, 403] {
            assert!(matches!(
                answer(status, None),
                HubError::Rejected(Rejection::Unauthorized(_))
            ));
        }
        assert_eq!(answer(412, None), Rejection::PreconditionFailed.into());
        for (status, code) in [(400, None), (413, Some("TooManyDevices")), (405, None)] {
            assert!(matches!(
                answer(status, code),
                HubError::Rejected(Rejection::Invalid(_))
            ));
        }
        assert!(matches!(answer(301, None), HubError::Unknown(_)));
    }
}
