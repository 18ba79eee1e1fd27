//! `POST /devices/query`: a page of twins, or a count.

use http::request::Parts;
use hubshift_azure::{ErrorCode, FieldError, headers};
use serde_json::{Value, json};

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::{self, App};
use crate::query::{Continuation, Query, Selection};

/// Rows of a page when the client does not say.
const DEFAULT_PAGE: usize = 100;
/// The most rows of a page.
const MAX_PAGE: usize = 1000;

pub(super) fn run(app: &App, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    let text = parse(body, query_text)?;
    let query = Query::parse(&text).map_err(|error| invalid(&error.to_string()))?;
    match &query.selection {
        Selection::Everything => page(app, head, &text, &query),
        Selection::Count(name) => count(app, &query, name),
    }
}

fn page(app: &App, head: &Parts, text: &str, query: &Query) -> Result<Answer, Refusal> {
    let size = page_size(app::text(head, headers::MAX_ITEM_COUNT))?;
    let start = app::text(head, headers::CONTINUATION)
        .map(|token| {
            Continuation::read(token, text)
                .ok_or_else(|| invalid("the continuation is of another query"))
        })
        .transpose()?;
    let registry = app.registry();
    let mut rows = registry
        .after(start.as_ref().map(|start| start.after.as_str()))
        .map(|record| (&record.device_id, registry.twin(record)))
        .filter(|(_, twin)| query.matches(twin))
        .take(size + 1)
        .collect::<Vec<_>>();
    let has_more = rows.len() > size;
    rows.truncate(size);
    let next = rows
        .last()
        .filter(|_| has_more)
        .map(|(id, _)| Continuation::after(id));
    let twins: Vec<Value> = rows.into_iter().map(|(_, twin)| twin).collect();
    let answer = Answer::json(&twins)?.with(headers::ITEM_TYPE, "Twin");
    Ok(match next {
        Some(next) => answer.with(headers::CONTINUATION, &next.write(text)),
        None => answer,
    })
}

fn count(app: &App, query: &Query, name: &str) -> Result<Answer, Refusal> {
    let registry = app.registry();
    let count = registry
        .after(None)
        .filter(|record| query.matches(&registry.twin(record)))
        .count();
    Ok(Answer::json(&json!([{ name: count }]))?.with(headers::ITEM_TYPE, "Raw"))
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
