//! Import, export and scheduled jobs.

mod device_rows;

/// The hub's jobs.
#[derive(Default)]
pub(crate) struct Jobs {}
