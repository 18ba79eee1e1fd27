//! The device's side of the concierge.
//!
//! [`Core`] decides and does no I/O: time and randomness are passed in, so that thousands of
//! devices run in one process and a simulator runs them in virtual time. [`DeviceClient`] is a thin
//! shell of HTTPS and a state file around it. It is polled by the application, or runs as
//! [`Steps`] and polls by itself:
//!
//! ```no_run
//! # async fn example(config: hubshift_client::device::DeviceConfig) -> Result<(), Box<dyn std::error::Error>> {
//! use hubshift_client::device::{DeviceClient, Step, http_client};
//!
//! let ca = std::fs::read("concierge-ca.pem")?;
//! let mut steps = DeviceClient::open(config, http_client(Some(&ca))?)?.run();
//! loop {
//!     // In `select!` with the connection to the hub; report `connected`, `disconnected`, `failed`.
//!     match steps.next().await {
//!         Step::Connect { endpoint, .. } => steps.connected(&endpoint),
//!         Step::Stay { .. } => {}
//!     }
//! }
//! # }
//! ```
//!
//! A [`Gateway`] does the same for many devices with one poll.
//!
//! Kept true: nothing is believed without our signature; an accepted epoch never goes down, not
//! across a restart either (I3); the slot's timer starts once per epoch, and once per canary, and no
//! poll restarts it; a device is never sent to a canary's hub after the canary's signed end; no
//! concierge is asked before the time that it named.

mod client;
mod concierges;
mod core;
mod error;
mod files;
mod gateway;
mod http;
mod poller;
mod steps;
mod trust;

pub use self::client::{DeviceClient, DeviceConfig};
pub use self::core::{Aim, Answer, Core, Decision, Outcome, Refused};
pub use self::error::{DeviceError, PollError};
pub use self::gateway::{Due, Gateway, GatewayConfig};
pub use self::http::{HttpError, fetch_keys, http_client};
pub use self::steps::{Step, Steps};
pub use self::trust::{Trust, TrustError};

#[cfg(test)]
mod tests;
