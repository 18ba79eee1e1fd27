//! The input is what a client sends on one connection of the public front, HTTP/1.1 or HTTP/2.
//!
//! Checked: the connection ends when its client is gone; what comes back is whole responses, or whole
//! frames; it stays in proportion to what was sent; the query of the first request is read as
//! serde_urlencoded reads it.

use hubshift_concierge::fuzz;

use crate::{frames, responses, stays_in_proportion};

/// One input.
pub fn run(bytes: &[u8]) {
    if let Some(query) = query(bytes) {
        fuzz::poll(query);
    }
    let written = fuzz::connection(bytes);
    stays_in_proportion(bytes, &written);
    if bytes.starts_with(frames::PREFACE) {
        frames::read(&written);
    } else {
        responses::check(&written);
    }
}

/// What stands behind the first `?`, up to a space.
fn query(bytes: &[u8]) -> Option<&[u8]> {
    let begin = bytes.iter().position(|byte| *byte == b'?')? + 1;
    let rest = bytes.get(begin..)?;
    rest.split(|byte| *byte == b' ').next()
}
