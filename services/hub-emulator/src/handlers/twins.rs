//! Twins.

use hubshift_azure::Twin;
use hubshift_azure::etag::IfMatch;

use super::{not_there_yet, parse};
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::registry::TwinWrite;

pub(super) fn get(app: &App, id: &str) -> Result<Answer, Refusal> {
    let registry = app.registry();
    let record = registry.get(id)?;
    Ok(Answer::json(&registry.twin(record))?.with_etag(&record.twin.etag()))
}

/// `If-Match` is optional here: without it the write is unconditional.
pub(super) fn write(
    app: &App,
    id: &str,
    how: TwinWrite,
    if_match: Option<IfMatch>,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let twin = parse(body, Twin::from_value)?;
    let if_match = if_match.unwrap_or(IfMatch::Any);
    let (twin, etag) = app.registry().write_twin(id, twin.into(), how, &if_match)?;
    Ok(Answer::json(&twin)?.with_etag(&etag))
}

pub(super) fn get_module(_app: &App, _id: &str, _module: &str) -> Result<Answer, Refusal> {
    not_there_yet()
}

pub(super) fn write_module(
    _app: &App,
    _key: (&str, &str),
    _how: TwinWrite,
    _if_match: Option<IfMatch>,
    _body: &[u8],
) -> Result<Answer, Refusal> {
    not_there_yet()
}
