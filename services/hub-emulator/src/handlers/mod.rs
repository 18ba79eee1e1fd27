//! What each operation does: reads the body, changes or reads the registry, answers.

mod bulk;
mod devices;
mod events;
mod query;
mod twins;

use http::request::Parts;
use hubshift_azure::etag::IfMatch;
use hubshift_azure::{ErrorCode, FieldError};
use serde_json::Value;

use crate::answer::{Answer, Refusal};
use crate::app::{self, App};
use crate::registry::TwinWrite;
use crate::route::Operation;

/// Carries an operation out.
pub(crate) fn run(
    app: &App,
    operation: Operation,
    head: &Parts,
    body: &[u8],
) -> Result<Answer, Refusal> {
    match operation {
        Operation::GetDevice(id) => devices::get(app, &id),
        Operation::PutDevice(id) => devices::put(app, &id, if_match(head), body),
        Operation::DeleteDevice(id) => devices::delete(app, &id, if_match(head)),
        Operation::ListDevices => devices::list(app, app::parameter(head, "top")),
        Operation::BulkDevices => bulk::run(app, body),
        Operation::Query => query::run(app, head, body),
        Operation::GetTwin(id) => twins::get(app, &id),
        Operation::PatchTwin(id) => twins::write(app, &id, TwinWrite::Patch, if_match(head), body),
        Operation::PutTwin(id) => twins::write(app, &id, TwinWrite::Replace, if_match(head), body),
        Operation::DeviceStatistics => Answer::json(&app.registry().statistics()),
        Operation::ServiceStatistics => Answer::json(&app.registry().service_statistics()),
        Operation::SendEvent(id) => events::send(app, &id, head, body),
    }
}

fn if_match(head: &Parts) -> Option<IfMatch> {
    app::text(head, "if-match").map(IfMatch::parse)
}

/// Reads a body. Errors name the field and never its value.
fn parse<T>(body: &[u8], read: impl FnOnce(Value) -> Result<T, FieldError>) -> Result<T, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(ErrorCode::ArgumentNull, "the body is empty"));
    }
    let value = serde_json::from_slice(body)
        .map_err(|_| Refusal::new(ErrorCode::IotHubFormatError, "the body is not JSON"))?;
    Ok(read(value)?)
}
