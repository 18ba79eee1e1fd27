//! What the tests of every crate share: databases as the migrations make them, and waiting for a
//! condition instead of for time to pass.

pub mod pg;
mod wait;

pub use wait::eventually;
