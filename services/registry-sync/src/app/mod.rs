//! Use cases: what a request means, above SQL and below the wire.

pub(crate) mod adoption;
pub(crate) mod apply;
pub(crate) mod devices;
pub(crate) mod divergence;
pub(crate) mod pass_plan;
pub(crate) mod sides;
