//! The control side, whole: a concierge on a real database, with registry-sync and merge played by
//! in-process servers, driven through its operator listener.

mod bad_input;
mod failovers;
mod fakes;
mod fleets;
mod forced;
mod takeover;
mod world;
