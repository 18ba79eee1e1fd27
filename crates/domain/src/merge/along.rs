//! What is no device.
//!
//! A hold keeps nothing but a device from connecting: what it would let a hub have of anything else
//! is not written before somebody decides. And a module goes along with its device, which is the only
//! way to it: while that is disabled, as a held one is, a hub shows and takes nothing of the module.
//!
//! Kept true: nothing but a device is written under a hold (I8); a value of a module that is dropped
//! has a row (I13).

use super::conflict::{Chosen, Conflict, ConflictKind, ConflictState, MergedKey};
use super::lifecycle::take_whole;
use super::policy::Rule;
use super::side::{Choice, Side, Triple};
use crate::id::is_device;

/// How a module goes along with its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Its device is held: what is decided of that is decided of it.
    Waits,
    /// An operator took the whole device from this hub.
    Follows(Choice),
}

impl Along {
    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Follows(choice) => choice.as_str(),
        }
    }

    /// The value with this stored name.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "waits" => Some(Self::Waits),
            other => Choice::parse(other).map(Self::Follows),
        }
    }
}

/// What becomes of a module that goes along with its device.
pub fn go_along(triple: &Triple, along: Along) -> MergedKey {
    match along {
        Along::Waits => left_alone(triple, vec![]),
        Along::Follows(choice) => {
            let mut key = take_whole(triple, choice);
            for row in &mut key.conflicts {
                row.state = ConflictState::Auto;
            }
            key
        }
    }
}

/// What becomes of a module that a hub neither shows nor takes: nothing. Once it can be written, the
/// active hub's is copied over the recovered one's, so that this one's changes are logged now.
pub fn out_of_reach(triple: &Triple) -> MergedKey {
    let is_lost = match &triple.primary {
        Side::Live(live) => !triple.is_unchanged(live) && !triple.primary.same(&triple.secondary),
        Side::Absent | Side::Dead(_) => false,
    };
    let row = || {
        let kind = ConflictKind::LateChange;
        Conflict::whole(triple, kind, Chosen::Secondary, Rule::OutOfReach)
    };
    left_alone(triple, is_lost.then(row).into_iter().collect())
}

fn left_alone(triple: &Triple, conflicts: Vec<Conflict>) -> MergedKey {
    MergedKey::new(triple, triple.secondary.clone(), conflicts).withhold(vec![])
}

/// A hold on what is no device has no effect at a hub: nothing is written instead.
pub fn withhold_held(key: MergedKey, device: &str) -> MergedKey {
    match key.merged.is_held() && !key.withheld && !is_device(device) {
        true => key.withhold(vec![]),
        false => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::epoch::Epoch;
    use crate::id::HubId;
    use crate::identity::{Credential, CredentialKind, Fingerprint, Record, Stamp};
    use crate::merge::{Action, Live, Policy, Tombstone, TombstoneReason, merge_key};
    use serde_json::{Map, json};

    fn stamp(hub: &str) -> Stamp {
        Stamp {
            epoch: Epoch(1024),
            sequence: 1,
            origin: HubId::new(hub).unwrap(),
        }
    }

    fn live(hub: &str, room: i64) -> Side {
        let record = Record {
            enabled: true,
            status_reason: None,
            credential: Credential {
                kind: CredentialKind::Ca,
                fingerprint: Fingerprint::default(),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: Map::from_iter([("room".to_owned(), json!(room))]),
            desired: Map::new(),
        };
        Side::Live(Live {
            incarnation: 1,
            record,
            stamp: stamp(hub),
            hold: None,
        })
    }

    fn dead(hub: &str) -> Side {
        Side::Dead(Tombstone {
            incarnation: 1,
            stamp: stamp(hub),
            reason: TombstoneReason::Deleted,
        })
    }

    fn triple(base: Side, primary: Side, secondary: Side) -> Triple {
        Triple {
            base,
            primary,
            secondary,
        }
    }

    #[test]
    fn what_one_hub_deleted_does_not_come_back_under_a_hold_that_no_hub_knows() {
        let disputed = triple(live("east", 1), live("east", 2), dead("west"));
        let key = || merge_key(&disputed, &Policy::default(), &[]);
        let device = withhold_held(key(), "d");
        assert_eq!(device.on_secondary, Action::Create, "it is made disabled");
        for other in ["d/m", "/configurations/a"] {
            let held = withhold_held(key(), other);
            assert!(held.withheld && held.is_held(), "{other}");
            let actions = (held.on_primary, held.on_secondary);
            assert_eq!(actions, (Action::Keep, Action::Keep), "{other}");
        }
    }

    #[test]
    fn a_module_of_a_held_device_waits_and_then_shares_its_fate() {
        // It went with its device at west, and nobody changed it at east.
        let module = triple(live("east", 1), live("east", 1), dead("west"));
        let waiting = go_along(&module, Along::Waits);
        assert!(waiting.withheld && waiting.conflicts.is_empty());
        let revived = go_along(&module, Along::Follows(Choice::Primary));
        assert_eq!(revived.on_secondary, Action::Create);
        assert!(!revived.is_held());
        let buried = go_along(&module, Along::Follows(Choice::Secondary));
        assert_eq!(buried.on_primary, Action::Delete);
    }

    #[test]
    fn what_cannot_be_written_is_left_alone_and_logged_if_it_is_lost() {
        let changed = triple(live("east", 1), live("east", 2), live("east", 1));
        let key = out_of_reach(&changed);
        assert!(key.withheld && !key.is_held());
        assert_eq!(key.conflicts.len(), 1);
        assert_eq!(key.conflicts[0].chosen, Chosen::Secondary);
        let unchanged = triple(live("east", 1), live("east", 1), live("west", 2));
        assert!(out_of_reach(&unchanged).conflicts.is_empty());
    }

    #[test]
    fn stored_names_read_back() {
        let all = [
            Along::Waits,
            Along::Follows(Choice::Primary),
            Along::Follows(Choice::Secondary),
        ];
        for along in all {
            assert_eq!(Along::parse(along.as_str()), Some(along));
        }
        assert_eq!(Along::parse("else"), None);
    }
}
