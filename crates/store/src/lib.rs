//! What every service needs of PostgreSQL: a pool that only hands out a writable primary,
//! transactions whose outcome is known or said to be unknown, page tokens, request replay, and
//! the migrations.
//!
//! Durable here: `idem.request`. SQL of a service's own tables lives in that service's `store/`.

mod error;
pub mod idem;
pub mod migrate;
pub mod page;
mod pool;
mod tx;
mod within;

pub use error::StoreError;
pub use pool::{Database, PoolConfig};
pub use tx::{Tx, commit, in_tx};
pub use within::within;
