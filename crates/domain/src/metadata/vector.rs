//! Version vectors: which writes, counted per hub of origin, a branch has seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::HubId;

/// How two version vectors stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dominance {
    /// Both have seen the same.
    Equal,
    /// The first has seen all that the second has, and more.
    Dominates,
    /// The second has seen all that the first has, and more.
    Dominated,
    /// Each has seen something that the other has not.
    Concurrent,
}

/// The number of writes seen of each hub; a hub that isn't named counts 0.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<HubId, u64>", into = "BTreeMap<HubId, u64>")]
pub struct VersionVector(BTreeMap<HubId, u64>);

impl VersionVector {
    /// A vector that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of writes seen of `hub`.
    pub fn get(&self, hub: &HubId) -> u64 {
        self.0.get(hub).copied().unwrap_or(0)
    }

    /// Sets the number of writes seen of `hub`.
    pub fn set(&mut self, hub: HubId, count: u64) {
        match count {
            0 => drop(self.0.remove(&hub)),
            count => drop(self.0.insert(hub, count)),
        }
    }

    /// All hubs of which a write was seen, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&HubId, u64)> {
        self.0.iter().map(|(hub, count)| (hub, *count))
    }

    /// The vector that has seen what either has.
    pub fn join(&self, other: &VersionVector) -> VersionVector {
        let mut joined = self.clone();
        for (hub, count) in other.iter() {
            if count > joined.get(hub) {
                joined.set(hub.clone(), count);
            }
        }
        joined
    }

    /// How `self` stands to `other`.
    pub fn compare(&self, other: &VersionVector) -> Dominance {
        let covers = |a: &Self, b: &Self| b.iter().all(|(hub, count)| a.get(hub) >= count);
        match (covers(self, other), covers(other, self)) {
            (true, true) => Dominance::Equal,
            (true, false) => Dominance::Dominates,
            (false, true) => Dominance::Dominated,
            (false, false) => Dominance::Concurrent,
        }
    }
}

impl From<BTreeMap<HubId, u64>> for VersionVector {
    fn from(mut counts: BTreeMap<HubId, u64>) -> Self {
        counts.retain(|_, count| *count > 0);
        Self(counts)
    }
}

impl From<VersionVector> for BTreeMap<HubId, u64> {
    fn from(vector: VersionVector) -> Self {
        vector.0
    }
}

impl FromIterator<(HubId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (HubId, u64)>>(counts: I) -> Self {
        Self::from(BTreeMap::from_iter(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(counts: &[(&str, u64)]) -> VersionVector {
        let named = counts
            .iter()
            .map(|(hub, n)| (HubId::new(*hub).unwrap(), *n));
        named.collect()
    }

    #[test]
    fn dominance_is_decided_entry_by_entry() {
        let base = vector(&[("east", 1)]);
        let east = vector(&[("east", 2)]);
        let west = vector(&[("east", 1), ("west", 1)]);
        assert_eq!(east.compare(&base), Dominance::Dominates);
        assert_eq!(base.compare(&west), Dominance::Dominated);
        assert_eq!(east.compare(&west), Dominance::Concurrent);
        assert_eq!(
            base.compare(&vector(&[("east", 1), ("west", 0)])),
            Dominance::Equal
        );
        assert_eq!(east.join(&west), vector(&[("east", 2), ("west", 1)]));
    }

    #[test]
    fn vectors_are_stored_as_plain_objects() {
        let text = serde_json::to_string(&vector(&[("west", 2), ("east", 1)])).unwrap();
        assert_eq!(text, r#"{"east":1,"west":2}"#);
        let read: VersionVector = serde_json::from_str(r#"{"east":0}"#).unwrap();
        assert_eq!(read, VersionVector::new());
    }
}
