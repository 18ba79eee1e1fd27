//! What every service needs of PostgreSQL: a pool that only hands out a writable primary,
//! transactions whose outcome is known or said to be unknown, page tokens, request replay, the
//! migrations, and whether their schema fits.
//!
//! Durable here: `idem.request`. SQL of a service's own tables lives in that service's `store/`.

mod error;
pub mod fit;
pub mod idem;
pub mod migrate;
pub mod page;
mod pool;
mod tx;
mod within;

pub use error::StoreError;
pub use fit::{Fit, Fitting};
pub use pool::{Database, PoolConfig};
pub use tx::{Tx, commit, in_tx};
pub use within::within;
