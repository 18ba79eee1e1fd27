//! Which of two routes a device keeps.

use super::RouteClaims;

/// How a route relates to the one that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// A higher epoch, or the same epoch and a higher routing version: take it.
    Newer,
    /// The same epoch and routing version, perhaps signed anew: nothing changed.
    Same,
    /// A lower epoch, or a lower routing version of the same epoch: refuse it (I3).
    Older,
}

/// Compares by epoch, then by routing version. Both routes must be of one fleet and verified.
pub fn accept(held: Option<&RouteClaims>, new: &RouteClaims) -> Accept {
    let Some(held) = held else {
        return Accept::Newer;
    };
    match new.order().cmp(&held.order()) {
        std::cmp::Ordering::Greater => Accept::Newer,
        std::cmp::Ordering::Equal => Accept::Same,
        std::cmp::Ordering::Less => Accept::Older,
    }
}
