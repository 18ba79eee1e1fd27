//! `POST /devices/query`: a page of rows.
//!
//! Rows are made one by one, and few more than the page needs. A condition that few rows fulfil
//! can take long on a large registry, so a thread of its own looks for them, and the registry is
//! locked for a piece at a time. Keys are in no twin, so they are in no row.

use std::num::NonZeroU32;
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
/// How many rows of jobs are read at a time.
const PIECE: usize = 1000;
/// Stands between the ids in the key of a module's row: less than anything in an id, so that
/// keys are in the order of devices first.
const BETWEEN: char = '\0';

/// A page that is asked for.
struct Asked {
    query: Query,
    start: Continuation,
    size: usize,
    /// Its rows lack the etag of the identity.
    hides_etag: bool,
}

pub(super) async fn run(app: &Arc<App>, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let text = parse(body, query_text)?;
    let query = Query::parse(&text).map_err(|error| invalid(&error.to_string()))?;
    let settings = app.registry().queries();
    let size = page_size(app::text(head, headers::MAX_ITEM_COUNT), settings.max_page)?;
    let start = start(app::text(head, headers::CONTINUATION), &text)?;
    let item_type = query.item_type();
    let asked = Asked {
        hides_etag: settings.hide_device_etag && query.is_projection(),
        query,
        start,
        size,
    };
    let app = Arc::clone(app);
    let page = tokio::task::spawn_blocking(move || asked.page(&app))
        .await
        .map_err(|_| Refusal::new(ErrorCode::ServerError, "the query was broken off"))?;
    let answer = Answer::json(&page.rows)?.with(headers::ITEM_TYPE, item_type);
    Ok(match page.next {
        Some(next) => answer.with(headers::CONTINUATION, &next.write(&text)),
        None => answer,
    })
}

impl Asked {
    fn page(&self, app: &App) -> Page {
        match self.query.collection() {
            Collection::Devices => self.devices(app),
            Collection::Modules => self.modules(app),
            Collection::Jobs => self.jobs(app),
        }
    }

    /// Keys are device ids.
    fn devices(&self, app: &App) -> Page {
        let after = self.query.rows_after(&self.start).map(str::to_owned);
        let records = scan::seen(app, after.map_or(Bound::Unbounded, Bound::Excluded));
        self.cut(records.map(|seen| (seen.record.device_id.clone(), seen.twin())))
    }

    /// Keys are device ids and module ids: a page may end between two modules of a device.
    fn modules(&self, app: &App) -> Page {
        let after = self.query.rows_after(&self.start);
        let device = after.and_then(|key| key.split(BETWEEN).next());
        let device = device.map(str::to_owned);
        let rows = scan::seen(app, device.map_or(Bound::Unbounded, Bound::Included))
            .flat_map(|seen| module_rows(&seen.record))
            .skip_while(|(key, _)| after.is_some_and(|after| key.as_str() <= after));
        self.cut(rows)
    }

    /// Keys are how many rows there are up to this one: rows of jobs only ever become more.
    fn jobs(&self, app: &App) -> Page {
        let after = self.query.rows_after(&self.start);
        let given = after.and_then(|key| key.parse().ok()).unwrap_or(0);
        self.cut(job_rows(app, given))
    }

    fn cut(&self, rows: impl Iterator<Item = (String, Value)>) -> Page {
        let shown = rows.map(|(key, mut row)| {
            if let Some(row) = row.as_object_mut().filter(|_| self.hides_etag) {
                row.remove("deviceEtag");
            }
            (key, row)
        });
        self.query.page(shown, &self.start, self.size)
    }
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

/// How many rows a page has, by the header of the client and what the hub allows.
pub(super) fn page_size(header: Option<&str>, most: NonZeroU32) -> Result<usize, Refusal> {
    let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
    let Some(text) = header else {
        return Ok(most.min(DEFAULT_PAGE));
    };
    match text.trim().parse() {
        Ok(0) | Err(_) => Err(invalid("x-ms-max-item-count must be a number from 1")),
        Ok(size) => Ok(most.min(size)),
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
