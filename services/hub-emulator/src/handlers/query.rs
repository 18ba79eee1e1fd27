//! `POST /devices/query`: a page of rows.
//!
//! Rows are made one by one, and few more than the page needs. A condition that few rows fulfil
//! can take long on a large registry, so a thread of its own looks for them, and the registry is
//! locked for a piece at a time. Keys are in no twin, so they are in no row.

use std::ops::Bound;
use std::sync::Arc;

use http::request::Parts;
use hubshift_azure::{ErrorCode, FieldError, headers};
use serde_json::Value;

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::{self, App};
use crate::query::{Collection, Continuation, Page, Query};
use crate::registry::Record;
use crate::scan;

/// Rows of a page when the client does not say.
const DEFAULT_PAGE: usize = 100;
/// The most rows of a page.
const MAX_PAGE: usize = 1000;
/// How many rows of jobs are read at a time.
const PIECE: usize = 1000;
/// Stands between the ids in the key of a module's row: less than anything in an id, so that
/// keys are in the order of devices first.
const BETWEEN: char = '\0';

pub(super) async fn run(app: &Arc<App>, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let text = parse(body, query_text)?;
    let query = Query::parse(&text).map_err(|error| invalid(&error.to_string()))?;
    let size = page_size(app::text(head, headers::MAX_ITEM_COUNT))?;
    let start = start(app::text(head, headers::CONTINUATION), &text)?;
    let item_type = query.item_type();
    let app = Arc::clone(app);
    let page = tokio::task::spawn_blocking(move || page(&app, &query, &start, size))
        .await
        .map_err(|_| Refusal::new(ErrorCode::ServerError, "the query was broken off"))?;
    let answer = Answer::json(&page.rows)?.with(headers::ITEM_TYPE, item_type);
    Ok(match page.next {
        Some(next) => answer.with(headers::CONTINUATION, &next.write(&text)),
        None => answer,
    })
}

fn page(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    match query.collection() {
        Collection::Devices => devices(app, query, start, size),
        Collection::Modules => modules(app, query, start, size),
        Collection::Jobs => jobs(app, query, start, size),
    }
}

/// Keys are device ids.
fn devices(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    let after = query.rows_after(start).map(str::to_owned);
    let records = scan::seen(app, after.map_or(Bound::Unbounded, Bound::Excluded));
    let rows = records.map(|seen| (seen.record.device_id.clone(), seen.twin()));
    query.page(rows, start, size)
}

/// Keys are device ids and module ids: a page may end between two modules of a device.
fn modules(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    let after = query.rows_after(start);
    let device = after.and_then(|key| key.split(BETWEEN).next());
    let device = device.map(str::to_owned);
    let rows = scan::seen(app, device.map_or(Bound::Unbounded, Bound::Included))
        .flat_map(|seen| module_rows(&seen.record))
        .skip_while(|(key, _)| after.is_some_and(|after| key.as_str() <= after));
    query.page(rows, start, size)
}

/// The twins of a device's modules, in the order of their ids.
fn module_rows(record: &Record) -> Vec<(String, Value)> {
    let device = &record.device_id;
    let modules = record.modules.values();
    let rows = modules.map(|module| {
        let key = format!("{device}{BETWEEN}{}", module.module_id);
        (key, module.shown_twin(device))
    });
    rows.collect()
}

/// Keys are how many rows there are up to this one: rows of jobs only ever become more.
fn jobs(app: &App, query: &Query, start: &Continuation, size: usize) -> Page {
    let after = query.rows_after(start);
    let given = after.and_then(|key| key.parse().ok()).unwrap_or(0);
    query.page(job_rows(app, given), start, size)
}

/// The rows of jobs after so many, piece by piece.
fn job_rows(app: &App, given: usize) -> impl Iterator<Item = (String, Value)> {
    let mut count = given;
    let mut piece = Vec::new().into_iter();
    std::iter::from_fn(move || {
        let mut next = piece.next();
        if next.is_none() {
            piece = app.jobs.device_rows(count, PIECE).into_iter();
            next = piece.next();
        }
        let row = next?;
        count += 1;
        Some((count.to_string(), row))
    })
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
