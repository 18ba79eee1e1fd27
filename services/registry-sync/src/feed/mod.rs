//! News from hubs: who changed, told by the hubs themselves. A hint, never the truth.
//!
//! ```text
//! Event Grid ─POST /v1/fleets/{fleet}/hubs/{hub}/events─▶ hint ─▶ a light pass reads the device
//! ```
//!
//! Owns the listener for deliveries and the reading of both schemas. Durable: `registry.hint`.
//! Kept true: whatever is delivered only makes somebody look at the hub; nothing is copied from
//! an event, a lost one costs an interval, and a forged one costs a call. Azure tells of devices
//! that were created and deleted and of nothing else: not of new keys, not of a new status.

mod config;
mod event;
mod http;
mod key;

pub use config::FeedConfig;
pub(crate) use http::router;
pub(crate) use key::DeliveryKey;
