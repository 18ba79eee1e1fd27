//! The whole two-region world on one machine: a private PostgreSQL, two emulated hubs and the
//! three services, a process each.
//!
//! Durable is what stands in the world's folder; a throw-away world removes it. Kept true: no
//! process outlives the command, however it ends.

mod config;
mod database;
mod hub;
mod layout;
mod ports;
mod process;
pub(crate) mod service;
mod setup;
mod up;

pub(crate) use hub::EmulatedHub;
pub(crate) use layout::{Layout, Tuning, random_key};
pub(crate) use setup::{FLEET, World};
pub(crate) use up::{UpArgs, up};
