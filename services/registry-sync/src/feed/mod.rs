//! News from hubs: who changed, told by the hubs themselves. A hint, never the truth.
//!
//! ```text
//! Event Grid ─POST /v1/fleets/{fleet}/hubs/{hub}/events─▶ ┐
//!                                                         ├▶ hint ─▶ a light pass reads the device
//! event hub ◀─AMQP 1.0─ a reader per configured endpoint ─┘
//! ```
//!
//! Owns the listener for deliveries, the reading of both of its schemas, and the readers of event
//! hubs. Durable: `registry.hint`. Kept true: whatever is told only makes somebody look at the hub;
//! nothing is copied from an event, a lost one costs an interval, and a forged one costs a call.
//! Azure tells of devices and modules that were created and deleted, and by event hubs of twins
//! that changed; of nothing else: not of new keys, not of a new status.

mod config;
mod event;
pub(crate) mod event_hub;
mod hint;
mod http;
mod key;
mod name;

pub use config::{EventHubConfig, FeedConfig};
pub(crate) use http::router;
pub(crate) use key::DeliveryKey;
