//! Configurations.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{Configuration, ConfigurationContent, ErrorCode, QueriesTest};

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;
use crate::registry::test_queries;

/// `top` that is no number from 1 means all.
pub(super) fn list(app: &App, top: Option<&str>) -> Result<Answer, Refusal> {
    let top = top
        .and_then(|text| text.parse::<usize>().ok())
        .filter(|top| *top > 0)
        .unwrap_or(usize::MAX);
    let registry = app.registry();
    Answer::json(&registry.configurations().take(top).collect::<Vec<_>>())
}

pub(super) fn get(app: &App, id: &str) -> Result<Answer, Refusal> {
    answer(app.registry().configuration(id)?)
}

/// 200 for a new one too.
pub(super) fn put(
    app: &App,
    id: &str,
    if_match: Option<&str>,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let configuration = parse(body, Configuration::from_value)?;
    if !configuration.id.is_empty() && configuration.id != id {
        let words = "id in the body is not the one in the path";
        return Err(Refusal::new(ErrorCode::ArgumentInvalid, words));
    }
    let if_match = if_match.and_then(quoted);
    let most = app.throttle.settings().configurations();
    let mut registry = app.registry();
    answer(registry.put_configuration(id, configuration, if_match.as_ref(), most)?)
}

/// Unlike identities, a configuration can be deleted without `If-Match`.
pub(super) fn delete(app: &App, id: &str, if_match: Option<IfMatch>) -> Result<Answer, Refusal> {
    let if_match = if_match.unwrap_or(IfMatch::Any);
    app.registry().delete_configuration(id, &if_match)?;
    Ok(Answer::no_content())
}

pub(super) fn test_conditions(body: &[u8]) -> Result<Answer, Refusal> {
    Answer::json(&test_queries(&parse(body, QueriesTest::from_value)?))
}

pub(super) fn apply(app: &App, id: &str, body: &[u8]) -> Result<Answer, Refusal> {
    let content = parse(body, ConfigurationContent::from_value)?;
    app.registry().apply_content(id, &content)?;
    Ok(Answer::no_content())
}

/// The real hub does not see an etag without quotes, takes the write for the first one and so
/// answers 409.
fn quoted(header: &str) -> Option<IfMatch> {
    let text = header.trim();
    (text == "*" || text.starts_with('"')).then(|| IfMatch::parse(text))
}

fn answer(configuration: &Configuration) -> Result<Answer, Refusal> {
    let etag = configuration.etag.as_deref().unwrap_or_default();
    Ok(Answer::json(configuration)?.with_etag(etag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_quoted_etag_is_seen() {
        assert_eq!(quoted("\"MA==\""), Some(IfMatch::Etag("MA==".to_owned())));
        assert_eq!(quoted("\"*\""), Some(IfMatch::Any));
        assert_eq!(quoted("*"), Some(IfMatch::Any));
        assert_eq!(quoted("MA=="), None);
    }
}
