//! merge: brings a recovered hub and the active hub together, and keeps what back ends know of
//! devices: documents and events, each with exactly one effect.
//!
//! Durable: schema `merge` and the merge workflows in `flow`. Kept true: nothing is written to a
//! hub before a person approved the plan by its id; no value that lost is dropped without a row
//! that can restore it; no secret is in a plan, a conflict or a log. Hubs are written by
//! registry-sync alone.

mod app;
mod config;
mod plan;
mod reconcilers;
mod remote;
mod rpc;
mod source;
mod start;
mod store;
mod workflows;

pub use config::{Config, ENV_PREFIX};
pub use start::{Running, run, start};
