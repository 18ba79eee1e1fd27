//! Direct methods and messages to devices.
use super::not_there_yet;
use crate::answer::{Answer, Refusal};
use crate::app::App;

pub(super) fn invoke(_app: &App, _id: &str, _module: Option<&str>) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn purge(_app: &App, _id: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}
