//! The merge service, whole: on a real database, with registry-sync and a back end's own store
//! played by in-process servers, driven through its listener.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod ahead_events;
mod applies;
mod bad_input;
mod documents;
mod events;
mod hubs;
mod late_events;
mod modules;
mod own_store;
mod plans;
mod records;
mod reseeds;
mod world;
