//! The gRPC services: read a request, call the application, answer.

pub(crate) mod endpoint;
pub(crate) mod failover;
pub(crate) mod fleet;
mod page;
pub(crate) mod watch;
