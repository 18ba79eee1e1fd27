//! The wire: one file per service. Messages are checked here and errors get their reason.

pub(crate) mod inbox;
pub(crate) mod merge;
pub(crate) mod metadata;
