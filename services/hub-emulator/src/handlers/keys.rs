//! New keys.
use super::not_there_yet;
use crate::answer::{Answer, Refusal};
use crate::app::App;

pub(super) fn regenerate(_app: &App, _body: &[u8]) -> Result<Answer, Refusal> {
    not_there_yet()
}
