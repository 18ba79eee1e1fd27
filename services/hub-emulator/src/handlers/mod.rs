//! What each operation does: reads the body, changes or reads the registry, answers.

mod bulk;
mod configurations;
mod devices;
mod events;
mod jobs;
mod keys;
mod methods;
mod modules;
mod query;
mod scheduled_jobs;
mod twins;

use std::sync::Arc;

use http::header;
use http::request::Parts;
use hubshift_azure::etag::IfMatch;
use hubshift_azure::{ErrorCode, FieldError};
use serde_json::Value;

use crate::answer::{Answer, Refusal};
use crate::app::{self, App};
use crate::operation::{Class, Operation};
use crate::registry::TwinWrite;

pub(crate) use jobs::OpenJob;

/// What a call needs from elsewhere, got before it is carried out: that can take long. A hub that
/// has no jobs says so first.
pub(crate) async fn open(
    app: &App,
    operation: &Operation,
    body: &[u8],
) -> Result<Option<OpenJob>, Refusal> {
    if operation.class() == Class::Job && app.jobs.settings().no_jobs {
        let words = "this hub has no jobs";
        return Err(Refusal::new(ErrorCode::InvalidOperation, words));
    }
    match operation {
        Operation::CreateJob => jobs::open(app, body).await.map(Some),
        _ => Ok(None),
    }
}

/// Carries an operation out.
pub(crate) async fn run(
    app: &Arc<App>,
    operation: Operation,
    head: &Parts,
    body: &[u8],
    opened: Option<OpenJob>,
) -> Result<Answer, Refusal> {
    match operation {
        Operation::GetDevice(id) => devices::get(app, &id),
        Operation::PutDevice(id) => devices::put(app, &id, if_match(head), body),
        Operation::DeleteDevice(id) => devices::delete(app, &id, if_match(head)),
        Operation::ListDevices => devices::list(app, app::parameter(head, "top")),
        Operation::BulkDevices => bulk::run(app, body),
        Operation::Query => query::run(app, head, body).await,
        Operation::GetTwin(id) => twins::get(app, &id),
        Operation::PatchTwin(id) => twins::write(app, &id, TwinWrite::Patch, if_match(head), body),
        Operation::PutTwin(id) => twins::write(app, &id, TwinWrite::Replace, if_match(head), body),
        Operation::RegenerateKeys => keys::regenerate(app, head, body),
        Operation::InvokeMethod(id) => methods::invoke(app, &id, None, body),
        Operation::InvokeModuleMethod(id, module) => methods::invoke(app, &id, Some(&module), body),
        Operation::PurgeCommands(id) => methods::purge(app, &id),
        Operation::ListModules(id) => modules::list(app, head, &id),
        Operation::GetModule(id, module) => modules::get(app, head, (&id, &module)),
        Operation::PutModule(id, module) => {
            modules::put(app, head, (&id, &module), if_match(head), body)
        }
        Operation::DeleteModule(id, module) => {
            modules::delete(app, head, (&id, &module), if_match(head))
        }
        Operation::GetModuleTwin(id, module) => twins::get_module(app, (&id, &module)),
        Operation::PatchModuleTwin(id, module) => {
            twins::write_module(app, (&id, &module), TwinWrite::Patch, if_match(head), body)
        }
        Operation::PutModuleTwin(id, module) => twins::write_module(
            app,
            (&id, &module),
            TwinWrite::Replace,
            if_match(head),
            body,
        ),
        Operation::ListConfigurations => configurations::list(app, app::parameter(head, "top")),
        Operation::GetConfiguration(id) => configurations::get(app, &id),
        Operation::PutConfiguration(id) => {
            configurations::put(app, &id, app::text(head, "if-match"), body)
        }
        Operation::DeleteConfiguration(id) => configurations::delete(app, &id, if_match(head)),
        Operation::TestQueries => configurations::test_conditions(body),
        Operation::ApplyConfiguration(id) => configurations::apply(app, &id, body),
        Operation::CreateJob => jobs::create(app, opened),
        Operation::ListJobs => jobs::list(app),
        Operation::GetJob(id) => jobs::get(app, &id),
        Operation::CancelJob(id) => jobs::cancel(app, &id),
        Operation::PutScheduledJob(id) => scheduled_jobs::put(app, &id, body),
        Operation::GetScheduledJob(id) => scheduled_jobs::get(app, &id),
        Operation::CancelScheduledJob(id) => scheduled_jobs::cancel(app, &id),
        Operation::QueryScheduledJobs => scheduled_jobs::query(app, head),
        Operation::DeviceStatistics => Answer::json(&app.registry().statistics()),
        Operation::ServiceStatistics => Answer::json(&app.registry().service_statistics()),
        Operation::SendEvent(id) => events::send(app, &id, head, body),
    }
}

/// A condition that is no text is still one, and nothing fulfils it.
fn if_match(head: &Parts) -> Option<IfMatch> {
    let header = head.headers.get(header::IF_MATCH)?;
    Some(IfMatch::parse(&String::from_utf8_lossy(header.as_bytes())))
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
