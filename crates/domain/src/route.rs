//! The route: what a fleet's devices are told about their hub, signed once for all of them.
//!
//! Owns the claims, who may stand in them (I22), the compact JWS around them (Ed25519), the key
//! set that verifies it, and the rule which of two routes a device keeps (I3). A route's order is
//! its epoch, then its routing version; nothing else makes one newer.

mod accept;
mod claims;
mod inputs;
mod jws;
mod key;
mod key_set;
mod on_unreachable;
mod seal;
#[cfg(test)]
mod tests;

pub use accept::{Accept, accept};
pub use claims::{Admission, RouteClaims, RouteEndpoint, VERSION};
pub use inputs::{NotRoutable, ROUTE_LIFE, RouteHub, RouteInputs, claims};
pub use jws::{MAX_ROUTE_LEN, RouteError, sign};
pub use key::{KeyError, PrivateKey, PublicKey};
pub use key_set::{KeySet, KeySetError};
pub use on_unreachable::{OnUnreachable, OnUnreachableError};
pub use seal::SealKey;
