//! How large tags and desired properties may be, and what may stand in them.
//!
//! Sizes count as the hub counts: names and strings by their UTF-8 bytes, a number 8, a boolean
//! 4. Two legal twins merged can be an illegal one, so a merge asks here too.

use serde_json::{Map, Value};

/// Most bytes of tags.
pub const MAX_TAGS: usize = 8 * 1024;
/// Most bytes of desired properties.
pub const MAX_DESIRED: usize = 32 * 1024;
/// Most bytes of reported properties.
pub const MAX_REPORTED: usize = 32 * 1024;
/// Most bytes of one string.
pub const MAX_STRING: usize = 4 * 1024;
/// Most bytes of one name.
pub const MAX_NAME: usize = 1024;
/// Most levels of objects.
pub const MAX_DEPTH: usize = 10;
/// Largest whole number, and smallest with the sign changed.
pub const MAX_INTEGER: i64 = (1 << 52) - 1;

/// What a hub would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Too many bytes in all.
    #[error("{what} has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// `tags`, `properties.desired` or `properties.reported`.
        what: &'static str,
        /// The size as the hub counts it.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A name that is too long, or has `.`, `$`, `#`, a space or a control character.
    #[error(
        "{0} has a name that is empty, longer than 1 KB, or has . $ # space or a control character"
    )]
    Name(&'static str),
    /// A string of more than 4 KB.
    #[error("{0} has a string longer than 4 KB")]
    String(&'static str),
    /// A whole number beyond 2^52 - 1.
    #[error("{0} has a whole number beyond 2^52 - 1")]
    Integer(&'static str),
    /// More than 10 levels.
    #[error("{0} is nested deeper than 10 levels")]
    Depth(&'static str),
}

/// Checks tags.
pub fn check_tags(tags: &Map<String, Value>) -> Result<(), LimitError> {
    check("tags", tags, MAX_TAGS)
}

/// Checks desired properties, given without `$metadata` and `$version`.
pub fn check_desired(desired: &Map<String, Value>) -> Result<(), LimitError> {
    check("properties.desired", desired, MAX_DESIRED)
}

/// Checks reported properties, given without `$metadata` and `$version`.
pub fn check_reported(reported: &Map<String, Value>) -> Result<(), LimitError> {
    check("properties.reported", reported, MAX_REPORTED)
}

fn check(what: &'static str, map: &Map<String, Value>, limit: usize) -> Result<(), LimitError> {
    let size = size_of_map(what, map, 1)?;
    if size > limit {
        Err(LimitError::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}

fn size_of_map(
    what: &'static str,
    map: &Map<String, Value>,
    depth: usize,
) -> Result<usize, LimitError> {
    if depth > MAX_DEPTH {
        return Err(LimitError::Depth(what));
    }
    let mut size = 0;
    for (name, value) in map {
        if !is_name(name) {
            return Err(LimitError::Name(what));
        }
        size += name.len() + size_of(what, value, depth)?;
    }
    Ok(size)
}

fn size_of(what: &'static str, value: &Value, depth: usize) -> Result<usize, LimitError> {
    match value {
        Value::Null => Ok(0),
        Value::Bool(_) => Ok(4),
        Value::Number(number) => match number.as_i64() {
            Some(whole) if (-MAX_INTEGER..=MAX_INTEGER).contains(&whole) => Ok(8),
            None if number.is_f64() => Ok(8),
            _ => Err(LimitError::Integer(what)),
        },
        Value::String(text) if text.len() > MAX_STRING => Err(LimitError::String(what)),
        Value::String(text) => Ok(text.len()),
        Value::Array(items) => items
            .iter()
            .map(|item| size_of(what, item, depth + 1))
            .sum(),
        Value::Object(map) => size_of_map(what, map, depth + 1),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name
            .chars()
            .any(|c| matches!(c, '.' | '$' | '#' | ' ') || c.is_control())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tags(value: Value) -> Result<(), LimitError> {
        check_tags(value.as_object().unwrap())
    }

    fn nested(levels: usize) -> Value {
        (1..levels).fold(json!({"leaf": 1}), |inner, _| json!({ "a": inner }))
    }

    #[test]
    fn size_counts_names_and_values() {
        let half = "x".repeat(4096 - 1);
        assert_eq!(tags(json!({"a": half, "b": half})), Ok(()));
        let over = json!({"a": half, "b": half, "c": true});
        assert_eq!(
            tags(over),
            Err(LimitError::TooLarge {
                what: "tags",
                size: 8197,
                limit: 8192
            })
        );
    }

    #[test]
    fn ten_levels_are_allowed_and_eleven_are_not() {
        assert_eq!(tags(nested(10)), Ok(()));
        assert_eq!(tags(nested(11)), Err(LimitError::Depth("tags")));
    }

    #[test]
    fn names_numbers_and_strings_have_limits() {
        for name in ["a.b", "$a", "a#", "a b", "a\n", ""] {
            assert_eq!(
                tags(json!({ name: 1 })),
                Err(LimitError::Name("tags")),
                "{name:?}"
            );
        }
        assert_eq!(tags(json!({"a": 4_503_599_627_370_495_i64})), Ok(()));
        assert_eq!(
            tags(json!({"a": 4_503_599_627_370_496_i64})),
            Err(LimitError::Integer("tags"))
        );
        assert_eq!(
            tags(json!({"a": u64::MAX})),
            Err(LimitError::Integer("tags"))
        );
        assert_eq!(tags(json!({"a": 1.5})), Ok(()));
        assert_eq!(
            tags(json!({"a": "x".repeat(4097)})),
            Err(LimitError::String("tags"))
        );
    }
}
