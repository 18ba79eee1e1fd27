//! Hubshift's rules, with no I/O: nothing here reads a clock, a socket or a table.
//!
//! The same code runs in property tests, in a simulator and in production. Time, randomness and
//! keys are passed in. No name in here belongs to a vendor.

pub mod adoption;
pub mod epoch;
pub mod failover;
pub mod fence;
pub mod hub_state;
pub mod id;
pub mod identity;
pub mod inbox;
pub mod json_merge;
pub mod merge;
pub mod metadata;
pub mod pacing;
pub mod route;
pub mod seeding;
pub mod storm;
