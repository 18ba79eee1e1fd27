//! Device-to-cloud messages over HTTPS. They are counted, not kept.

use http::request::Parts;
use hubshift_azure::ErrorCode;
use time::OffsetDateTime;

use crate::answer::{Answer, Refusal};
use crate::app::{App, authorization};

/// The most bytes of one message.
const MAX_MESSAGE: usize = 256 * 1024;

pub(super) fn send(app: &App, id: &str, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let mut registry = app.registry();
    let record = registry.get(id).ok();
    let now = OffsetDateTime::now_utc();
    app.access
        .check_device(authorization(head), record, id, now)?;
    if body.len() > MAX_MESSAGE {
        let words = "a message has at most 256 KB";
        return Err(Refusal::new(ErrorCode::MessageTooLarge, words));
    }
    registry.note_message(id);
    Ok(Answer::no_content())
}
