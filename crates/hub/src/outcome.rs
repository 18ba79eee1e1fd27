//! The three outcomes of a call to a hub.
//!
//! *Rejected* means that the hub certainly did nothing. Whatever cannot be told for certain is
//! *unknown*: the caller looks at the hub again before it does anything else.

use std::time::Duration;

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// The hub did it and said so.
    Done(T),
    /// The hub did nothing.
    Rejected(Rejection),
    /// The hub may or may not have done it.
    Unknown(Cause),
}

/// Why the hub did nothing. No text has a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The device is there already.
    #[error("the device already exists")]
    AlreadyExists,
    /// There is no such device.
    #[error("there is no such device")]
    NotFound,
    /// The parent with this id is not at the hub, or is not one that can have children.
    #[error("its parent {0} is not at the hub, or cannot have children")]
    ParentMissing(String),
    /// It is a module, and its device is disabled: until that is enabled again, nobody with a shared
    /// access policy reads or writes it.
    #[error(
        "modules of a disabled device can be neither read nor written under a shared access policy"
    )]
    DeviceDisabled,
    /// The etag is no longer the current one.
    #[error("the etag is no longer current")]
    PreconditionFailed,
    /// The hub does not accept our key, or the policy does not allow this.
    #[error("the hub refuses our credentials: {0}")]
    Unauthorized(String),
    /// Too many calls; try again after this long.
    #[error("the hub asks to slow down")]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The hub does not take the request as it is; trying again will not help.
    #[error("the hub does not accept the request: {0}")]
    Invalid(String),
    /// The hub shows a certificate that nobody vouches for.
    #[error("the hub's certificate is not trusted: {0}")]
    Untrusted(String),
    /// No connection: the request was certainly never sent.
    #[error("the hub cannot be reached: {0}")]
    Unreachable(String),
    /// The hub itself answered that it is not available: 503 with the error's name.
    #[error("the hub is not available: {0}")]
    Unavailable(String),
}

/// Why it is not known what the hub did. No text has a key in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No answer within the call's deadline.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke after the request may have been sent.
    #[error("the connection broke: {0}")]
    Connection(String),
    /// The hub reports an error of its own.
    #[error("the hub failed with status {status}: {text}")]
    ServerError {
        /// The HTTP status: 5xx, or another one that does not say that nothing happened.
        status: u16,
        /// The hub's words.
        text: String,
    },
    /// The answer cannot be read.
    #[error("the hub's answer cannot be read: {0}")]
    Unreadable(String),
    /// One part of the call was done and another was not.
    #[error("done in part: {0}")]
    Partial(String),
}

/// An outcome that is not done, for callers that want a `Result`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// The hub did nothing.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The hub may or may not have done it.
    #[error(transparent)]
    Unknown(#[from] Cause),
}

impl<T> Outcome<T> {
    /// The value, if the call was done.
    pub fn done(self) -> Option<T> {
        self.into_result().ok()
    }

    /// Changes the value of a call that was done.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        self.into_result().map(change).into()
    }

    /// The value, or why there is none.
    pub fn into_result(self) -> Result<T, HubError> {
        match self {
            Self::Done(value) => Ok(value),
            Self::Rejected(rejection) => Err(HubError::Rejected(rejection)),
            Self::Unknown(cause) => Err(HubError::Unknown(cause)),
        }
    }

    /// `done`, `rejected` or `unknown`, for metrics and logs.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Rejected(_) => "rejected",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl<T> From<Result<T, HubError>> for Outcome<T> {
    fn from(result: Result<T, HubError>) -> Self {
        match result {
            Ok(value) => Self::Done(value),
            Err(HubError::Rejected(rejection)) => Self::Rejected(rejection),
            Err(HubError::Unknown(cause)) => Self::Unknown(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapping_touches_only_what_is_done() {
        assert_eq!(Outcome::Done(1).map(|n| n + 1), Outcome::Done(2));
        let rejected: Outcome<i32> = Outcome::Rejected(Rejection::NotFound);
        assert_eq!(
            rejected.map(|n| n + 1),
            Outcome::Rejected(Rejection::NotFound)
        );
    }

    #[test]
    fn only_done_has_a_value() {
        assert_eq!(Outcome::Done(1).done(), Some(1));
        assert_eq!(Outcome::<i32>::Unknown(Cause::Timeout).done(), None);
    }
}
