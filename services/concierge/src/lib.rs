//! The concierge: tells devices which hub is theirs right now, and moves fleets between hubs.
//!
//! Durable: schemas `authority` and `concierge`, the failover workflows in `flow`, and on disk the
//! table of routes. Kept true: a fleet's epoch strictly rises and changes only in the commit step
//! of a failover; devices are answered from memory, database or not; the process never exits for
//! a database.

mod adoption;
mod app;
mod config;
mod front;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzz;
mod gauges;
mod health;
mod http;
mod migrate;
mod observers;
mod peers;
mod reconcilers;
mod rpc;
mod signing;
mod start;
mod store;
mod table;
#[doc(hidden)]
pub mod testing;
mod workflows;

pub use config::Config;
pub use hubshift_store::migrate::MigrateError;
pub use migrate::migrate;
pub use observers::WebhookConfig;
pub use start::{Running, StartError, run, start};
