//! How jobs behave.

/// How jobs behave.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct JobOptions {}
