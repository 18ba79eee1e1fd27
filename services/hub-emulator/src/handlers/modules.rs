//! Module identities.
use hubshift_azure::etag::IfMatch;

use super::not_there_yet;
use crate::answer::{Answer, Refusal};
use crate::app::App;

pub(super) fn list(_app: &App, _id: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn get(_app: &App, _id: &str, _module: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn put(
    _app: &App,
    _id: &str,
    _module: &str,
    _if_match: Option<IfMatch>,
    _body: &[u8],
) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn delete(
    _app: &App,
    _id: &str,
    _module: &str,
    _if_match: Option<IfMatch>,
) -> Result<Answer, Refusal> {
    not_there_yet()
}
