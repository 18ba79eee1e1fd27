//! The public listener under abuse: whatever one client does to it, another one gets every answer
//! in time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod connections;
mod frames;
mod http1;
mod world;
