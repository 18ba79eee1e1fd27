//! `POST /devices/query`: a page of rows.
//!
//! Rows are made one by one while the registry is locked, and no more than the page needs. Keys
//! are in no twin, so they are in no row.

use std::ops::Bound;

use http::request::Parts;
use hubshift_azure::{ErrorCode, FieldError, headers};
use serde_json::Value;

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::{self, App};
use crate::query::{Collection, Continuation, Page, Query};
use crate::registry::{Record, Registry};

/// Rows of a page when the client does not say.
const DEFAULT_PAGE: usize = 100;
/// The most rows of a page.
const MAX_PAGE: usize = 1000;
/// Stands between the ids in the key of a module's row: less than anything in an id, so that
/// keys are in the order of devices first.
const BETWEEN: char = '\0';

pub(super) fn run(app: &App, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let text = parse(body, query_text)?;
    let query = Query::parse(&text).map_err(|error| invalid(&error.to_string()))?;
    let size = page_size(app::text(head, headers::MAX_ITEM_COUNT))?;
    let start = start(app::text(head, headers::CONTINUATION), &text)?;
    let page = match query.collection() {
        Collection::Devices => devices(app, &query, &start, size),
        Collection::Modules => modules(app, &query, &start, size),
        Collection::Jobs => jobs(app, &query, &start, size),
    };
    let answer = Answer::json(&page.rows)?.with(headers::ITEM_TYPE, query.item_type());
    Ok(match page.next {
        Some(next) => answer.with(headers::CONTINUATION, &next.write(&text)),
        None => answer,
    })
}

/// Keys are device ids.
fn devices(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    let registry = app.registry();
    let after = query.rows_after(start);
    let records = registry.seen(after.map_or(Bound::Unbounded, Bound::Excluded));
    let rows = records.map(|record| (record.device_id.as_str(), registry.twin(record)));
    query.page(rows, start, size)
}

/// Keys are device ids and module ids: a page may end between two modules of a device.
fn modules(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    let registry = app.registry();
    let after = query.rows_after(start);
    let device = after.and_then(|key| key.split(BETWEEN).next());
    let records = registry.seen(device.map_or(Bound::Unbounded, Bound::Included));
    let rows = records
        .flat_map(|record| module_rows(&registry, record))
        .skip_while(|(key, _)| after.is_some_and(|after| key.as_str() <= after));
    query.page(rows, start, size)
}

fn module_rows(registry: &Registry, record: &Record) -> impl Iterator<Item = (String, Value)> {
    let twins = registry.module_twins(record).into_iter();
    twins.map(move |twin| {
        let module = twin["moduleId"].as_str().unwrap_or_default();
        (format!("{}{BETWEEN}{module}", record.device_id), twin)
    })
}

/// Keys are how many rows there are up to this one: rows of jobs only ever become more.
fn jobs(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    let after = query.rows_after(start);
    let given = after.and_then(|key| key.parse().ok()).unwrap_or(0);
    let keys = (1_usize..).map(|count| count.to_string());
    let rows = keys.zip(app.jobs.device_rows()).skip(given);
    query.page(rows, start, size)
}

fn start(token: Option<&str>, text: &str) -> Result<Continuation, Refusal> {
    let Some(token) = token else {
        return Ok(Continuation::default());
    };
    Continuation::read(token, text).ok_or_else(|| invalid("the continuation is of another query"))
}

fn page_size(header: Option<&str>) -> Result<usize, Refusal> {
    let Some(text) = header else {
        return Ok(DEFAULT_PAGE);
    };
    match text.trim().parse() {
        Ok(0) | Err(_) => Err(invalid("x-ms-max-item-count must be a number from 1")),
        Ok(size) => Ok(MAX_PAGE.min(size)),
    }
}

fn query_text(value: Value) -> Result<String, FieldError> {
    value
        .get("query")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| FieldError {
            path: "query".to_owned(),
            problem: "must be a string".to_owned(),
        })
}

fn invalid(words: &str) -> Refusal {
    Refusal::new(ErrorCode::ArgumentInvalid, words)
}
