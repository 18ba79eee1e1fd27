//! Durable workflows of the concierge.

pub(crate) mod failover;
