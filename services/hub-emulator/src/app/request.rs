//! What is read from the head of a request.

use http::header;
use http::request::Parts;
use hubshift_azure::{ErrorCode, api_version};

use crate::answer::Refusal;
use crate::operation::Operation;
use crate::outage::CallKind;
use crate::route::NoRoute;

/// The `Authorization` header.
pub(crate) fn authorization(head: &Parts) -> Option<&str> {
    text(head, header::AUTHORIZATION.as_str())
}

/// A header as text.
pub(crate) fn text<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

/// A query parameter, as it came.
pub(crate) fn parameter<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let pairs = head
        .uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .next()
}

pub(super) fn check_version(head: &Parts, operation: &Operation) -> Result<(), Refusal> {
    let is_accepted = if operation.kind() != CallKind::Device {
        api_version::is_accepted
    } else {
        api_version::is_accepted_from_device
    };
    match parameter(head, "api-version") {
        Some(version) if is_accepted(version) => Ok(()),
        _ => Err(Refusal::new(
            ErrorCode::InvalidProtocolVersion,
            "api-version is missing or not supported",
        )),
    }
}

impl From<NoRoute> for Refusal {
    fn from(no_route: NoRoute) -> Self {
        match no_route {
            NoRoute::Path => Self::new(ErrorCode::GenericNotFound, "there is no such path"),
            NoRoute::Method => Self::new(
                ErrorCode::GenericMethodNotAllowed,
                "the method is not allowed here",
            ),
            NoRoute::Malformed => Self::new(ErrorCode::ArgumentInvalid, "the path is not UTF-8"),
        }
    }
}
