//! A local Azure IoT Hub: the registry REST API over TLS, with faults and throttles to order.
//!
//! Owns a registry of devices, their modules and twins, and of configurations, in memory or in a
//! journal on disk (`--data`). An acknowledged write is in the journal before its answer goes out,
//! so that a killed process loses none. How many messages a device sent is counted in memory only,
//! and jobs with their history are known in memory only.
//!
//! Keeps true: every rule about ETags, keys and names that the real hub has and that a
//! replicator depends on. It is a development tool: nothing of Hubshift needs it to run.

mod access;
mod admin;
mod answer;
mod app;
mod dump;
mod handlers;
mod jobs;
mod journal;
mod management;
mod operation;
mod options;
mod outage;
mod private_file;
mod query;
mod registry;
mod request_log;
mod route;
mod running;
mod scan;
mod seed;
mod server;
mod start;
mod start_error;
mod throttle;
mod tls;

pub use options::{
    EntraOptions, JobOptions, Options, QueryOptions, RegistryOptions, ThrottleOptions,
};
pub use outage::{Fault, Outage, OutageMode, OutageScope};
pub use request_log::LoggedRequest;
pub use running::Running;
pub use start::{Emulator, run};
pub use start_error::{StartError, exit_code};
