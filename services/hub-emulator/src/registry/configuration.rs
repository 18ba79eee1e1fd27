//! What a configuration write makes of a configuration.
//!
//! The hub keeps a configuration as it shows it. Content never changes after the first write: a
//! later one that brings another content succeeds and leaves the old one, as on the real hub.
//! This hub applies none by itself, so it counts nothing: results stay empty, as they are on the
//! real hub until it has looked.

use std::collections::BTreeMap;

use hubshift_azure::{
    Configuration, ConfigurationMetrics, ErrorCode, QueriesTest, QueriesTestResult, wire_time,
};
use time::OffsetDateTime;

use super::content;
use super::marks::Marks;
use crate::answer::Refusal;
use crate::query::Query;

/// The condition that every device fulfils. It stands for itself: no query has it.
const EVERYTHING: &str = "*";
/// The most characters of an id.
const MAX_ID: usize = 128;

/// A configuration that is new.
pub(super) fn created(
    id: &str,
    body: Configuration,
    marks: &mut Marks,
) -> Result<Configuration, Refusal> {
    check_id(id)?;
    let now = wire_time::write(OffsetDateTime::now_utc());
    let first = Configuration {
        id: id.to_owned(),
        content: body.content.clone(),
        created_time_utc: Some(now),
        ..Configuration::default()
    };
    updated(&first, body, marks)
}

/// The configuration after a write. What is left out is cleared; content cannot be left out.
pub(super) fn updated(
    old: &Configuration,
    body: Configuration,
    marks: &mut Marks,
) -> Result<Configuration, Refusal> {
    let given = body.content.as_ref().ok_or_else(|| {
        Refusal::new(ErrorCode::InvalidConfigurationContent, "content is missing")
    })?;
    content::check(given)?;
    let condition = body.target_condition.unwrap_or_default();
    check_condition(&condition)?;
    let queries = body.metrics.unwrap_or_default().queries;
    check_metrics(&queries)?;
    Ok(Configuration {
        schema_version: body.schema_version,
        labels: body.labels,
        system_metrics: Some(system_metrics(&old.id, &condition)),
        target_condition: Some(condition),
        last_updated_time_utc: Some(wire_time::write(OffsetDateTime::now_utc())),
        priority: Some(body.priority.unwrap_or_default()),
        metrics: Some(metrics(queries)),
        etag: Some(marks.etag()),
        ..old.clone()
    })
}

/// What is wrong with a condition and with queries of metrics. The real hub, too, takes `*` in a
/// configuration and not here.
pub(crate) fn test_queries(asked: &QueriesTest) -> QueriesTestResult {
    let wrong = |text: &str| Query::parse(text).err().map(|error| error.to_string());
    let condition = asked.target_condition.as_deref();
    QueriesTestResult {
        target_condition_error: condition.and_then(|condition| wrong(&as_query(condition))),
        custom_metric_query_errors: asked
            .custom_metric_queries
            .iter()
            .filter_map(|(name, query)| Some((name.clone(), wrong(query.as_str())?)))
            .collect(),
    }
}

/// 1 to 128 lower-case letters, digits and `-:+%_*!'`.
fn check_id(id: &str) -> Result<(), Refusal> {
    let is_allowed =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-:+%_*!'".contains(c);
    if (1..=MAX_ID).contains(&id.len()) && id.chars().all(is_allowed) {
        return Ok(());
    }
    let words = "a configuration id has 1 to 128 of a-z 0-9 - : + % _ * ! '";
    Err(Refusal::new(ErrorCode::ArgumentInvalid, words))
}

fn check_condition(condition: &str) -> Result<(), Refusal> {
    if [EVERYTHING, ""].contains(&condition.trim()) {
        return Ok(());
    }
    Query::parse(&as_query(condition))
        .map(|_| ())
        .map_err(|error| {
            let code = ErrorCode::InvalidConfigurationTargetCondition;
            Refusal::new(code, error.to_string())
        })
}

fn check_metrics(queries: &BTreeMap<String, String>) -> Result<(), Refusal> {
    queries.iter().try_for_each(|(name, query)| {
        Query::parse(query).map(|_| ()).map_err(|error| {
            let code = ErrorCode::InvalidConfigurationCustomMetricsQuery;
            Refusal::new(code, format!("{name}: {error}"))
        })
    })
}

/// The query of all that fulfil a condition. One for modules begins with `from` itself.
fn as_query(condition: &str) -> String {
    let condition = condition.trim();
    match condition.get(..5) {
        Some(from) if from.eq_ignore_ascii_case("from ") => format!("select * {condition}"),
        _ => format!("select * from devices where {condition}"),
    }
}

fn metrics(queries: BTreeMap<String, String>) -> ConfigurationMetrics {
    ConfigurationMetrics {
        results: BTreeMap::new(),
        queries,
    }
}

/// What the hub would count by itself.
fn system_metrics(id: &str, condition: &str) -> ConfigurationMetrics {
    let targeted = match condition.trim() {
        "" | EVERYTHING => "select deviceId from devices".to_owned(),
        condition => as_query(condition).replacen("select *", "select deviceId", 1),
    };
    let applied =
        format!("select deviceId from devices where configurations.[[{id}]].status = 'Applied'");
    metrics(BTreeMap::from([
        ("targetedCount".to_owned(), targeted),
        ("appliedCount".to_owned(), applied),
    ]))
}

#[cfg(test)]
mod tests;
