//! Configurations as a part of exports and imports: one a line, in a blob of their own.
//!
//! An import makes one that is not there, and replaces one whose etag the line has. There is no
//! other mode for them.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{CONFIGURATIONS_BLOB, Configuration, ErrorCode, ImportError, JobProperties};
use hubshift_blob::Container;

use super::error_log::ErrorLog;
use super::{JobFailure, import_line};
use crate::answer::Refusal;
use crate::app::App;
use crate::registry::Registry;

/// The blob, if configurations are asked for.
pub(super) fn blob(asked: &JobProperties) -> Option<String> {
    let name = asked.configurations_blob_name.as_deref();
    let is_included = asked.include_configurations.unwrap_or(false);
    is_included.then(|| name.unwrap_or(CONFIGURATIONS_BLOB).to_owned())
}

pub(super) async fn export(app: &App, container: &Container, blob: &str) -> Result<(), JobFailure> {
    let mut out = container.writer(blob).await;
    for line in lines(app)? {
        out.line(&line).await?;
    }
    out.finish().await?;
    Ok(())
}

/// A hub has at most a hundred, so they are read at once.
fn lines(app: &App) -> Result<Vec<String>, serde_json::Error> {
    let registry = app.registry();
    registry
        .configurations()
        .map(serde_json::to_string)
        .collect()
}

pub(super) async fn import(
    app: &App,
    container: &Container,
    blob: &str,
    log: &mut ErrorLog<'_>,
) -> Result<(), JobFailure> {
    let Some(mut lines) = container.lines(blob).await? else {
        return Err(JobFailure::NoInput(blob.to_owned()));
    };
    let most = app.throttle.settings().configurations();
    let mut number = 0;
    while let Some(line) = lines.next().await {
        let line = line?;
        number += 1;
        let result = apply(&mut app.registry(), &line, number, most);
        if let Err(error) = result {
            log.write(&error).await?;
        }
    }
    Ok(())
}

fn apply(
    registry: &mut Registry,
    text: &str,
    number: usize,
    most: usize,
) -> Result<(), ImportError> {
    if text.trim().is_empty() {
        return Ok(());
    }
    let configuration = Configuration::from_value(import_line::json(text, number)?)
        .map_err(|found| import_line::malformed(number, &format!("cannot be read: {found}")))?;
    let id = configuration.id.clone();
    put(registry, &id, configuration, most)
        .map_err(|refusal| import_line::refused(&id, None, refusal))
}

fn put(
    registry: &mut Registry,
    id: &str,
    configuration: Configuration,
    most: usize,
) -> Result<(), Refusal> {
    let is_there = registry.configuration(id).is_ok();
    let if_match = match &configuration.etag {
        _ if !is_there => None,
        Some(etag) => Some(IfMatch::parse(etag)),
        None => return Err(Refusal::new(ErrorCode::ArgumentNull, "etag is missing")),
    };
    registry
        .put_configuration(id, configuration, if_match.as_ref(), most)
        .map(|_| ())
}
