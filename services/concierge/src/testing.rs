//! What benches and tests of other crates need. No part of the API.

use std::path::Path;

use crate::table::sample;

/// Writes into `dir` what a concierge with this many fleets leaves there: its signing key and its
/// table. Fleet `n` is `fleet-n`, with two hubs; a key that lies there is used.
///
/// # Errors
/// The folder can't be written, or holds a key that can't be used.
pub fn make_table(dir: &Path, fleets: usize) -> anyhow::Result<()> {
    sample::write(dir, fleets)
}
