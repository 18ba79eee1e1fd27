//! Twins of devices and modules. What services send of reported properties is left out.

use hubshift_azure::Twin;
use hubshift_azure::etag::IfMatch;

use super::parse;
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

pub(super) fn get_module(app: &App, key: (&str, &str)) -> Result<Answer, Refusal> {
    let registry = app.registry();
    let module = registry.module(key)?;
    Ok(Answer::json(&module.shown_twin(key.0))?.with_etag(&module.twin.etag()))
}

pub(super) fn write_module(
    app: &App,
    key: (&str, &str),
    how: TwinWrite,
    if_match: Option<IfMatch>,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let twin = parse(body, Twin::from_value)?;
    let if_match = if_match.unwrap_or(IfMatch::Any);
    let mut registry = app.registry();
    let (twin, etag) = registry.write_module_twin(key, twin.into(), how, &if_match)?;
    Ok(Answer::json(&twin)?.with_etag(&etag))
}
