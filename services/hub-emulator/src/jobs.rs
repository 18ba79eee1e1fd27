//! Import, export and scheduled jobs.

/// The hub's jobs.
#[derive(Default)]
pub(crate) struct Jobs {}
