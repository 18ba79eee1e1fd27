//! How queries lie: lag and ghosts.

/// How queries lie: lag and ghosts.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct QueryOptions {}
