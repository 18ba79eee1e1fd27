//! The epoch: the number of one reign of one hub over a fleet's registry.
//!
//! An epoch is `k * 1024 + index of the active hub`, so its owner can be read from the number and
//! authorities at different hubs never mint the same one. Epochs of a fleet strictly rise (I1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many hubs a fleet can ever have: the owner is the epoch modulo this number.
pub const HUBS_PER_FLEET: u64 = 1024;

/// One reign of one hub. Never zero for a fleet that exists.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The first epoch of a fleet whose active hub has this index.
    pub fn first(hub_index: u16) -> Self {
        Self(HUBS_PER_FLEET + u64::from(hub_index) % HUBS_PER_FLEET)
    }

    /// The index of the hub that reigns in this epoch.
    pub fn hub_index(self) -> u16 {
        (self.0 % HUBS_PER_FLEET) as u16
    }

    /// The smallest epoch of the hub with this index that is above `self` and above every other
    /// epoch that anybody has shown (`witnessed`).
    pub fn next(self, hub_index: u16, witnessed: Epoch) -> Self {
        let floor = self.0.max(witnessed.0);
        let base = floor - floor % HUBS_PER_FLEET;
        let candidate = base + u64::from(hub_index) % HUBS_PER_FLEET;
        if candidate > floor {
            Self(candidate)
        } else {
            Self(candidate + HUBS_PER_FLEET)
        }
    }

    /// As PostgreSQL's bigint. Epochs stay far below 2^63.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// From PostgreSQL's bigint; negative numbers do not occur and read as zero.
    pub fn from_i64(value: i64) -> Self {
        Self(u64::try_from(value).unwrap_or(0))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn next_rises_above_all_and_names_its_owner(
            now in 1u64..1 << 40, seen in 1u64..1 << 40, hub in 0u16..1024
        ) {
            let next = Epoch(now).next(hub, Epoch(seen));
            prop_assert!(next > Epoch(now) && next > Epoch(seen));
            prop_assert_eq!(next.hub_index(), hub);
            prop_assert!(next.0 <= now.max(seen) + HUBS_PER_FLEET);
        }
    }

    #[test]
    fn hubs_never_share_an_epoch() {
        let (a, b) = (Epoch(5000).next(1, Epoch(0)), Epoch(5000).next(2, Epoch(0)));
        assert_ne!(a, b);
    }
}
