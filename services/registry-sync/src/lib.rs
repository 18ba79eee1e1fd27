//! registry-sync: the only process that holds hub credentials and the only one that talks to hubs.
//!
//! Durable: schema `registry` and this role's workflows in `flow`. Kept true: every hub write
//! passes `authority.assert_intent` and is recorded before it is made (I2); the merge base
//! advances only with both sides verified (I17); a hub that reigns is never shut out; a secret is in
//! memory or sealed, nowhere else.

mod app;
mod authority;
mod backup;
mod budget;
mod config;
mod deps;
mod feed;
mod hubs;
mod intent;
mod jobs;
mod observe;
mod pass;
mod reconcilers;
mod rpc;
mod scan;
mod seal;
mod secret;
mod start;
mod store;
#[cfg(test)]
mod testing;
mod workflows;
mod write;

pub use config::{BackupStore, Config, ENV_PREFIX};
pub use feed::{EventHubConfig, FeedConfig};
pub use secret::{NotARef, SecretError, SecretRef};
pub use start::{Running, run, start};
