//! What the tests of every crate share: databases as the migrations make them, a host that
//! vanishes, a container for blobs, and waiting for a condition instead of for time to pass.

pub mod blobs;
pub mod pg;
mod proxy;
mod wait;

pub use proxy::Proxy;
pub use wait::eventually;
