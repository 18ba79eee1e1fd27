//! An exchange without an answer: what that says of the request.

use std::error::Error;
use std::time::Duration;

use crate::outcome::{Cause, HubError, Rejection};

/// The longest that anybody who asks us to wait is believed.
const MAX_WAIT: Duration = Duration::from_secs(3600);

/// Why there was no answer. No text has a URL in it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The certificate is not one that we trust: nothing was sent.
    Untrusted(String),
    /// The request could not be written: nothing was sent.
    Unbuilt,
    /// No connection: nothing was sent.
    Unreachable(String),
    /// No answer in time.
    Timeout,
    /// The connection broke, perhaps after the request arrived.
    Broken(String),
}

impl From<&reqwest::Error> for Failure {
    fn from(error: &reqwest::Error) -> Self {
        if let Some(reason) = untrusted(error) {
            return Self::Untrusted(reason);
        }
        if error.is_builder() {
            return Self::Unbuilt;
        }
        if error.is_connect() {
            return Self::Unreachable(deepest(error));
        }
        if error.is_timeout() {
            return Self::Timeout;
        }
        Self::Broken(deepest(error))
    }
}

impl From<Failure> for HubError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Untrusted(reason) => Rejection::Untrusted(reason).into(),
            Failure::Unbuilt => Rejection::Invalid("the request cannot be built".to_owned()).into(),
            Failure::Unreachable(reason) => Rejection::Unreachable(reason).into(),
            Failure::Timeout => Cause::Timeout.into(),
            Failure::Broken(reason) => Cause::Connection(reason).into(),
        }
    }
}

/// The pause that a `Retry-After` asks for in seconds; a date is not read.
pub(crate) fn seconds(retry_after: Option<&str>) -> Option<Duration> {
    let seconds = retry_after?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// Why the other side's certificate was not accepted, if that is what went wrong.
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

    #[test]
    fn a_pause_is_read_in_seconds_and_has_an_end() {
        assert_eq!(seconds(Some(" 3 ")), Some(Duration::from_secs(3)));
        assert_eq!(seconds(Some("99999999999999")), Some(MAX_WAIT));
        assert_eq!(seconds(Some("Wed, 21 Oct 2015 07:28:00 GMT")), None);
        assert_eq!(seconds(None), None);
    }
}
