//! The [`Hub`] trait, which keeps the rest ignorant of Azure, and the connector to Azure IoT Hub.
//!
//! Owns the words in which hubs are spoken of: keys, identities, twins, etags, and the three
//! outcomes of a call: done, certainly not done, unknown; also how a hub is entered, what may be
//! asked of it in how much time, and how it is fenced through the management plane. Nothing here is
//! durable.
//!
//! Keeps true: no call outlives its deadline, no write is sent without both keys, and no key is
//! in a log, an error or a `Debug` output.

pub mod auth;
mod azure;
pub mod budget;
mod bulk;
mod credentials;
mod device;
mod http;
mod hub;
mod key;
pub mod management;
mod outcome;
mod scope;
mod setup;

pub use auth::Login;
pub use azure::{
    AzureHub, AzureSettings, BadLine, Exported, FailedLine, HubSetupError, Kinds, Rows,
    export_line, import_errors, import_line,
};
pub use bulk::{BulkHub, Job, JobKind, JobStatus};
pub use credentials::{Credentials, DamagedCredentials};
pub use device::{DeviceWrite, EtagPair, HubDevice, Identity, Page, Statistics, Summary};
pub use hub::{Capabilities, Hub};
pub use hubshift_azure::{NoRandomness, Secret};
pub use key::{InvalidKey, Key};
pub use outcome::{Cause, HubError, Outcome, Rejection};
