//! Import and export jobs.
use std::sync::Arc;

use super::not_there_yet;
use crate::answer::{Answer, Refusal};
use crate::app::App;

pub(super) fn create(_app: &Arc<App>, _body: &[u8]) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn list(_app: &App) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn get(_app: &App, _id: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn cancel(_app: &App, _id: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}
