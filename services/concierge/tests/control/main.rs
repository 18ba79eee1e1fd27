//! The control side, whole: a concierge on a real database, with registry-sync and merge played by
//! in-process servers, driven through its operator listener.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod bad_input;
mod canary;
mod cold;
mod devices;
mod failovers;
mod fakes;
mod fenced;
mod fleets;
mod forced;
mod forgotten;
mod plane;
mod superseded;
mod takeover;
mod world;
