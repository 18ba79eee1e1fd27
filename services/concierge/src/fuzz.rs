//! What `fuzz/` throws bytes at. No part of the API; only in builds that are made for fuzzing.

use crate::{front, table};

/// What stands in the place of a table file, made of fuzzed content.
pub use crate::table::fuzz::Content;

/// Serves one connection of the public front on which these bytes come; returns what the front has
/// written when it is over.
///
/// # Panics
/// The connection does not end though its client is gone.
pub fn connection(bytes: &[u8]) -> Vec<u8> {
    front::fuzz::connection(bytes)
}

/// Reads a poll both ways, as the front does and as everybody else would: a message of gRPC by prost,
/// a query by serde_urlencoded.
///
/// # Panics
/// They read different questions.
pub fn poll(bytes: &[u8]) {
    front::fuzz::message(bytes);
    if let Ok(query) = std::str::from_utf8(bytes) {
        front::fuzz::query(query);
    }
}

/// Reads a table file, answers from it, and writes it again.
///
/// # Panics
/// What was read can't be written, or reads back as something else, or answers contradict each other.
pub fn table_file(content: Content, bytes: &[u8]) {
    table::fuzz::read_back(content, bytes);
}
