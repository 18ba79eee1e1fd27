//! The SQL of schema `merge`, and what is read of the fence.
//!
//! Every function takes the connection of the caller's transaction and knows nothing of gRPC.

pub(crate) mod authority;
pub(crate) mod conflict;
pub(crate) mod document;
pub(crate) mod event;
pub(crate) mod item;
pub(crate) mod merge;
pub(crate) mod rescued;

use hubshift_store::StoreError;

/// A stored value that this binary can't read: a bug, or a newer binary wrote it.
pub(crate) fn damaged(column: &str, why: impl std::fmt::Display) -> StoreError {
    StoreError::Bug(sqlx::Error::Decode(format!("{column}: {why}").into()))
}

/// A number that PostgreSQL keeps signed and that is never negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
