//! A back end's write of a document: applied in place, kept aside for the merge, or refused.

use serde_json::Value;

use super::document::{Branch, joined_version};
use super::vector::VersionVector;
use crate::epoch::Epoch;
use crate::id::HubId;
use crate::identity::{Incarnation, Stamp};

/// Who may write in place now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The active hub.
    pub hub: HubId,
    /// Its epoch.
    pub epoch: Epoch,
}

/// What a back end wants to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The version that the back end had read.
    pub seen: VersionVector,
    /// The new value; `None` deletes the document.
    pub value: Option<Value>,
    /// The hub and epoch that the back end lives by, and our sequence number.
    pub stamp: Stamp,
    /// The life of the device that it is meant for; 0 for a document of no device.
    pub incarnation: Incarnation,
}

/// What becomes of a write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It takes the place of all stored branches.
    InPlace(Branch),
    /// It comes from another hub or epoch than the authority's: stored beside the others, and
    /// brought together with them by the merge.
    Aside(Branch),
    /// The document was written since: read again.
    Refused {
        /// The version that stands now.
        current: VersionVector,
    },
}

/// Decides what becomes of a write on the branches that are stored.
pub fn write(stored: &[Branch], write: Write, authority: &Authority) -> Written {
    let current = joined_version(stored);
    let in_place = write.stamp.origin == authority.hub && write.stamp.epoch == authority.epoch;
    if in_place && write.seen != current {
        return Written::Refused { current };
    }
    let origin = write.stamp.origin.clone();
    let mut version = write.seen;
    // A write's number at its hub is never used twice, also when the back end that was cut off
    // did not see its own earlier write come back.
    let number = current.get(&origin).max(version.get(&origin)) + 1;
    version.set(origin, number);
    let branch = Branch {
        deleted: write.value.is_none(),
        value: write.value.unwrap_or(Value::Null),
        version,
        stamp: write.stamp,
        incarnation: write.incarnation,
    };
    match in_place {
        true => Written::InPlace(branch),
        false => Written::Aside(branch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{NamespacePolicy, merge_branches};
    use serde_json::json;

    fn hub(name: &str) -> HubId {
        HubId::new(name).unwrap()
    }

    fn wish(seen: VersionVector, value: Value, origin: &str, epoch: u64) -> Write {
        Write {
            seen,
            value: Some(value),
            stamp: Stamp {
                epoch: Epoch(epoch),
                sequence: 1,
                origin: hub(origin),
            },
            incarnation: 1,
        }
    }

    fn west() -> Authority {
        Authority {
            hub: hub("west"),
            epoch: Epoch(2),
        }
    }

    #[test]
    fn the_authority_writes_in_place_if_it_has_seen_all() {
        let first = wish(VersionVector::new(), json!({"a": 1}), "west", 2);
        let Written::InPlace(branch) = write(&[], first.clone(), &west()) else {
            panic!("refused")
        };
        assert_eq!(branch.version.get(&hub("west")), 1);
        let stale = write(std::slice::from_ref(&branch), first, &west());
        assert_eq!(
            stale,
            Written::Refused {
                current: branch.version
            }
        );
    }

    #[test]
    fn a_late_write_from_a_lost_region_meets_the_others_in_the_merge() {
        let base = wish(VersionVector::new(), json!({"a": 1, "b": 1}), "west", 2);
        let Written::InPlace(base) = write(&[], base, &west()) else {
            panic!("refused")
        };
        let here = wish(base.version.clone(), json!({"a": 2, "b": 1}), "west", 2);
        let there = wish(base.version.clone(), json!({"a": 1, "b": 2}), "east", 1);
        let stored = [base.clone()];
        let Written::InPlace(here) = write(&stored, here, &west()) else {
            panic!("refused")
        };
        let Written::Aside(there) = write(std::slice::from_ref(&here), there, &west()) else {
            panic!("applied in place")
        };
        let policy = NamespacePolicy::JsonLeaf;
        let merged = merge_branches(Some(&base), &[here, there], policy, None);
        assert_eq!(merged.shown().unwrap().value, json!({"a": 2, "b": 2}));
        assert!(!merged.has_conflicts);
    }
}
