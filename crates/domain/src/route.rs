//! The route: what a fleet's devices are told about their hub, signed once for all of them.
//!
//! Owns the claims, who may stand in them (I22), the compact JWS around them (Ed25519), the key
//! set that verifies it, and the rule which of two routes a device keeps (I3). A route's order is
//! its epoch, then its routing version; nothing else makes one newer. Two claims say who does
//! something else than the rest: waves go first ([`Waves`]), a canary's cohort is attached to a
//! standby for a limited time ([`Canary`]).

mod accept;
mod canary;
mod claims;
mod inputs;
mod jws;
mod key;
mod key_set;
mod on_unreachable;
#[cfg(test)]
mod tests;
mod waves;

pub use accept::{Accept, accept};
pub use canary::{Canary, CanaryClaim, Cohort, DeviceHash, MAX_CANARY_DEVICES, MAX_CANARY_PERCENT};
pub use claims::{Admission, RouteClaims, RouteEndpoint, VERSION};
pub use inputs::{CanaryInputs, NotRoutable, ROUTE_LIFE, RouteHub, RouteInputs, claims};
pub use jws::{MAX_ROUTE_LEN, RouteError, sign};
pub use key::{KeyError, PrivateKey, PublicKey};
pub use key_set::{KeySet, KeySetError};
pub use on_unreachable::{OnUnreachable, OnUnreachableError};
pub use waves::{
    MAX_PREFIX_LETTERS, MAX_PREFIXES, MAX_WAVES, Members, Wave, WavePlan, Waves, schedule,
};
