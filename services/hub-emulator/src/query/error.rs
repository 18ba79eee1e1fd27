//! Why a query is refused.

use std::borrow::Cow;

/// A query that is not understood, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the query is not understood at character {at}: {reason}")]
pub(crate) struct QueryError {
    at: usize,
    reason: Cow<'static, str>,
}

impl QueryError {
    /// `at` counts characters from 0; people count them from 1. The reason says nothing of what
    /// the query holds but keywords.
    pub(super) fn new(at: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            at: at + 1,
            reason: reason.into(),
        }
    }
}
