//! Device identities, one at a time, and the short list.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{Device, ErrorCode};

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;

/// The most devices that a list has; there are no further pages.
const MAX_LIST: usize = 1000;

pub(super) fn get(app: &App, id: &str) -> Result<Answer, Refusal> {
    let registry = app.registry();
    answer(&registry.device(registry.get(id)?))
}

pub(super) fn put(
    app: &App,
    id: &str,
    if_match: Option<IfMatch>,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let device = parse(body, Device::from_value)?;
    if !device.device_id.is_empty() && device.device_id != id {
        let words = "deviceId in the body is not the one in the path";
        return Err(Refusal::new(ErrorCode::ArgumentInvalid, words));
    }
    answer(
        &app.registry()
            .put_device(id, device.into(), if_match.as_ref())?,
    )
}

pub(super) fn delete(app: &App, id: &str, if_match: Option<IfMatch>) -> Result<Answer, Refusal> {
    let if_match =
        if_match.ok_or_else(|| Refusal::new(ErrorCode::PreconditionFailed, "Etag missing"))?;
    app.registry().delete_device(id, &if_match)?;
    Ok(Answer::no_content())
}

/// `top` outside 1..1000 means 1000.
pub(super) fn list(app: &App, top: Option<&str>) -> Result<Answer, Refusal> {
    let top = top
        .and_then(|text| text.parse().ok())
        .filter(|top| (1..=MAX_LIST).contains(top));
    let registry = app.registry();
    let records = registry.records_after(None, top.unwrap_or(MAX_LIST));
    Answer::json(
        &records
            .iter()
            .map(|record| registry.device(record))
            .collect::<Vec<_>>(),
    )
}

fn answer(device: &Device) -> Result<Answer, Refusal> {
    Ok(Answer::json(device)?.with_etag(device.etag.as_deref().unwrap_or_default()))
}
