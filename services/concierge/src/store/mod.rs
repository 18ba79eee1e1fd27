//! The SQL of the control side: fleets, the authority, failovers, debts, witnesses, audit.
//!
//! Every function takes the connection of the caller's transaction and knows nothing of gRPC.
//! Durable: schemas `authority` and `concierge`. The answer side reads the same tables by its own
//! statement (`table`).

pub(crate) mod audit;
pub(crate) mod authority;
pub(crate) mod back_end;
pub(crate) mod canary;
pub(crate) mod clock;
pub(crate) mod coverage;
pub(crate) mod debt;
pub(crate) mod durability;
pub(crate) mod epoch;
pub(crate) mod failover;
pub(crate) mod fleet;
pub(crate) mod hub;
pub(crate) mod observer;
pub(crate) mod route;
pub(crate) mod table;
pub(crate) mod witness;

#[cfg(test)]
mod tests;

use hubshift_store::StoreError;

/// A stored name that this binary does not know: a bug, or a newer binary wrote it.
pub(crate) fn unknown_name(column: &str, text: &str) -> StoreError {
    StoreError::Bug(sqlx::Error::Decode(
        format!("`{text}` is no {column}").into(),
    ))
}

/// A number that PostgreSQL keeps signed and that is never negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// A number for a `bigint` column.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
