//! Quotas and how they are kept.

/// Quotas and how they are kept.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ThrottleOptions {}
