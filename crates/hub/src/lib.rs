//! The [`Hub`] trait, which keeps the rest ignorant of Azure, and the connector to Azure IoT Hub.
//!
//! Owns the words in which hubs are spoken of: identities, twins, etags, and the three outcomes
//! of a call: done, certainly not done, unknown. Nothing here is durable.
//!
//! Keeps true: no call outlives its deadline, no write is sent without both keys, and no key is
//! in a log, an error or a `Debug` output.

mod azure;
mod credentials;
mod device;
mod hub;
mod outcome;

pub use azure::{AzureHub, AzureSettings, HubSetupError, Rows};
pub use credentials::{Credentials, DamagedCredentials};
pub use device::{DeviceWrite, EtagPair, HubDevice, Identity, Page, Statistics, Summary};
pub use hub::{Capabilities, Hub};
pub use hubshift_azure::{NoRandomness, Secret};
pub use outcome::{Cause, HubError, Outcome, Rejection};
