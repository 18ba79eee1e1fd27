//! Clients of Hubshift.
//!
//! [`device`]: what runs in a device or a gateway: asks the concierge, verifies, decides when to
//! connect where. [`backend`]: typed clients for back ends and operators, and a retry that is safe
//! to use with request ids.

pub mod backend;
pub mod device;
