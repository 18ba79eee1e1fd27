//! The device's side of the concierge.
//!
//! [`Core`] decides and does no I/O: time and randomness are passed in, so that thousands of
//! devices run in one process and a simulator runs them in virtual time. [`DeviceClient`] is a thin
//! shell of HTTPS and a state file around it.
//!
//! Kept true: nothing is believed without our signature; an accepted epoch never goes down, not
//! across a restart either (I3); the slot's timer starts once per epoch, and once per canary, and no
//! poll restarts it; a device is never sent to a canary's hub after the canary's signed end.

mod client;
mod core;
mod files;
mod http;
mod trust;

pub use self::client::{DeviceClient, DeviceConfig, DeviceError, PollError};
pub use self::core::{Aim, Answer, Core, Decision, Outcome, Refused};
pub use self::http::{HttpError, fetch_keys, http_client};
pub use self::trust::{Trust, TrustError};

#[cfg(test)]
mod tests;
