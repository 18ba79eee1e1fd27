//! Module identities.

use std::sync::MutexGuard;

use http::request::Parts;
use hubshift_azure::etag::IfMatch;
use hubshift_azure::{ErrorCode, Module};

use super::parse;
use crate::access::{self, Caller};
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::registry::Registry;

pub(super) fn list(app: &App, head: &Parts, id: &str) -> Result<Answer, Refusal> {
    let registry = open(app, head, id)?;
    let modules = registry.get(id)?.modules.values();
    Answer::json(
        &modules
            .map(|module| module.identity(id))
            .collect::<Vec<_>>(),
    )
}

pub(super) fn get(app: &App, head: &Parts, key: (&str, &str)) -> Result<Answer, Refusal> {
    let registry = open(app, head, key.0)?;
    answer(&registry.module(key)?.identity(key.0))
}

pub(super) fn put(
    app: &App,
    head: &Parts,
    key: (&str, &str),
    if_match: Option<IfMatch>,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let mut registry = open(app, head, key.0)?;
    let module = parse(body, Module::from_value)?;
    check_name("deviceId", &module.device_id, key.0)?;
    check_name("moduleId", &module.module_id, key.1)?;
    answer(&registry.put_module(key, module.into(), if_match.as_ref())?)
}

pub(super) fn delete(
    app: &App,
    head: &Parts,
    key: (&str, &str),
    if_match: Option<IfMatch>,
) -> Result<Answer, Refusal> {
    let mut registry = open(app, head, key.0)?;
    let if_match =
        if_match.ok_or_else(|| Refusal::new(ErrorCode::PreconditionFailed, "Etag missing"))?;
    registry.delete_module(key, &if_match)?;
    Ok(Answer::no_content())
}

/// The registry, if the caller may look at modules of this device at all.
fn open<'a>(app: &'a App, head: &Parts, id: &str) -> Result<MutexGuard<'a, Registry>, Refusal> {
    let registry = app.registry();
    if registry.options().strict_module_access {
        access::check_modules(head.extensions.get::<Caller>(), registry.get(id).ok())?;
    }
    Ok(registry)
}

/// What a body says of a name must be what the path says.
fn check_name(field: &str, given: &str, wanted: &str) -> Result<(), Refusal> {
    if given.is_empty() || given == wanted {
        return Ok(());
    }
    let words = format!("{field} in the body is not the one in the path");
    Err(Refusal::new(ErrorCode::ArgumentInvalid, words))
}

fn answer(module: &Module) -> Result<Answer, Refusal> {
    Ok(Answer::json(module)?.with_etag(module.etag.as_deref().unwrap_or_default()))
}
