//! Scheduled jobs.
use std::sync::Arc;

use http::request::Parts;

use super::not_there_yet;
use crate::answer::{Answer, Refusal};
use crate::app::App;

pub(super) fn put(_app: &Arc<App>, _id: &str, _body: &[u8]) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn get(_app: &App, _id: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn cancel(_app: &App, _id: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn query(_app: &App, _head: &Parts) -> Result<Answer, Refusal> {
    not_there_yet()
}
