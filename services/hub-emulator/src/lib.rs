//! A local Azure IoT Hub: the registry REST API over TLS, with outages to order.
//!
//! Owns a registry of devices and their twins, in memory or in a journal on disk (`--data`). An
//! acknowledged write is in the journal before its answer goes out, so that a killed process
//! loses none. How many messages a device sent is counted in memory only, and jobs with their
//! history are known in memory only.
//!
//! Keeps true: every rule about ETags, keys and names that the real hub has and that a
//! replicator depends on. It is a development tool: nothing of Hubshift needs it to run.

mod access;
mod admin;
mod answer;
mod app;
mod handlers;
mod jobs;
mod journal;
mod operation;
mod options;
mod outage;
mod private_file;
mod query;
mod registry;
mod route;
mod seed;
mod server;
mod start;
mod start_error;
mod tls;

pub use options::{EntraOptions, JobOptions, Options, QueryOptions, ThrottleOptions};
pub use outage::{Outage, OutageMode, OutageScope};
pub use start::{Emulator, Running, run};
pub use start_error::{StartError, exit_code};
