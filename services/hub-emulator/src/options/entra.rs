//! Bearer tokens and the stand-in for the management plane.

/// Bearer tokens and the stand-in for the management plane.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct EntraOptions {}
