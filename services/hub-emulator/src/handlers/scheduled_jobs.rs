//! Scheduled jobs.
//!
//! The API description has an object for the answer to a query, and Python's client can read
//! nothing else; C#'s reads a list, as for queries of devices. Which of them the real hub sends
//! is not settled, so the list can be ordered. Both come with the same headers.

use std::str::FromStr;
use std::sync::Arc;

use http::request::Parts;
use hubshift_azure::{ErrorCode, JobRequest, UnknownName, headers};
use serde_json::json;

use super::parse;
use super::query::page_size;
use crate::answer::{Answer, Refusal};
use crate::app::{self, App};
use crate::jobs::Filter;

/// What the rows of a query are.
const ITEM_TYPE: &str = "jobResponse";

pub(super) fn put(app: &Arc<App>, id: &str, body: &[u8]) -> Result<Answer, Refusal> {
    let request = parse(body, JobRequest::from_value)?;
    Answer::json(&app.jobs.put_scheduled(app, id, request)?)
}

pub(super) fn get(app: &App, id: &str) -> Result<Answer, Refusal> {
    Answer::json(&app.jobs.schedule.get(id)?)
}

pub(super) fn cancel(app: &App, id: &str) -> Result<Answer, Refusal> {
    Answer::json(&app.jobs.schedule.cancel(id)?)
}

pub(super) fn query(app: &App, head: &Parts) -> Result<Answer, Refusal> {
    let filter = Filter {
        kind: choice(head, "jobType")?,
        status: choice(head, "jobStatus")?,
    };
    let most = app.registry().queries().max_page;
    let size = page_size(app::text(head, headers::MAX_ITEM_COUNT), most)?;
    let after = start(app::text(head, headers::CONTINUATION))?;
    let (rows, next) = app.jobs.schedule.page(filter, after, size);
    let next = next.map(|number| number.to_string());
    let answer = if app.jobs.settings().job_query_as_list {
        Answer::json(&rows)?
    } else {
        let mut result = json!({ "type": ITEM_TYPE, "items": rows });
        if let Some(next) = &next {
            result["continuationToken"] = next.as_str().into();
        }
        Answer::json(&result)?
    };
    let answer = answer.with(headers::ITEM_TYPE, ITEM_TYPE);
    Ok(match next {
        Some(next) => answer.with(headers::CONTINUATION, &next),
        None => answer,
    })
}

/// A name in the query string. Some clients send an empty one where they mean none.
fn choice<T>(head: &Parts, name: &str) -> Result<Option<T>, Refusal>
where
    T: FromStr<Err = UnknownName>,
{
    let given = app::parameter(head, name).filter(|text| !text.is_empty());
    given
        .map(str::parse)
        .transpose()
        .map_err(|unknown: UnknownName| invalid(&format!("{name} {unknown}")))
}

/// The page starts after the job of this number.
fn start(header: Option<&str>) -> Result<u64, Refusal> {
    let Some(text) = header else { return Ok(0) };
    text.trim()
        .parse()
        .map_err(|_| invalid("the continuation is not of this hub"))
}

fn invalid(words: &str) -> Refusal {
    Refusal::new(ErrorCode::ArgumentInvalid, words)
}
