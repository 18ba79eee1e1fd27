//! One device: merged, or reseeded when its hub was rewound. Pure.

use hubshift_domain::id::is_device;
use hubshift_domain::merge::{
    Action, Along, ConflictKind, ConflictState, MergedKey, Policy, Reseed, Resolution, Side,
    Tombstone, TombstoneReason, Triple, go_along, hold_scope, merge_key, out_of_reach, reseed,
    withhold_held,
};

use super::Subject;
use crate::store::item::Item;

/// All that a device is merged from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) device: &'a str,
    pub(crate) triple: &'a Triple,
    /// What operators decided of it.
    pub(crate) decided: &'a [Resolution],
    /// What is wrong with its place in the hierarchy.
    pub(crate) fault: Option<ConflictKind>,
    /// How it goes along with its device, if it is a module.
    pub(crate) along: Option<Along>,
    /// Whether it can be neither read nor written at one of the hubs.
    pub(crate) is_out_of_reach: bool,
}

impl<'a> Facts<'a> {
    /// Those of an item, with the decisions about it.
    pub(crate) fn of(item: &'a Item, decided: &'a [Resolution]) -> Self {
        Self {
            device: item.device.as_str(),
            triple: &item.triple,
            decided,
            fault: item.scope_fault,
            along: item.along,
            is_out_of_reach: item.is_out_of_reach,
        }
    }

    /// Its own decision of the whole goes before that of its device.
    fn goes_along(&self) -> Option<Along> {
        let is_decided = self.decided.iter().any(|found| found.path.is_empty());
        self.along
            .filter(|along| *along == Along::Waits || !is_decided)
    }

    /// Whether nothing of it is to be decided here: it is left alone until its device is enabled.
    fn is_left_alone(&self) -> bool {
        self.is_out_of_reach || self.goes_along() == Some(Along::Waits)
    }
}

/// What the merge makes of a device.
pub(crate) fn merge_device(subject: &Subject<'_>, facts: &Facts<'_>) -> MergedKey {
    if facts.is_out_of_reach {
        return out_of_reach(facts.triple);
    }
    match subject.is_rewound {
        true => reseeded(facts.triple, reseed(facts.triple)),
        false => merged(facts, subject.policy),
    }
}

/// Whether the hubs stay different, or an operator is not asked, because nothing is written.
pub(crate) fn is_apart(facts: &Facts<'_>, key: &MergedKey) -> bool {
    if !key.withheld || facts.is_left_alone() {
        return false;
    }
    let is_open = |state| state == ConflictState::Held;
    let is_asked = || key.conflicts.iter().any(|found| is_open(found.state));
    let are_different = !facts.triple.primary.same(&facts.triple.secondary);
    are_different || !is_device(facts.device) && is_asked()
}

fn merged(facts: &Facts<'_>, policy: &Policy) -> MergedKey {
    if let Some(along) = facts.goes_along() {
        return go_along(facts.triple, along);
    }
    let key = merge_key(facts.triple, policy, facts.decided);
    match facts.fault {
        Some(kind) => hold_scope(key, facts.triple, kind),
        None => withhold_held(key, facts.device),
    }
}

/// Nothing is ever written at the active hub because of a rewound one: where that would be
/// needed, nothing is written at all and the hubs stay different.
fn reseeded(triple: &Triple, reseed: Reseed) -> MergedKey {
    let target = match (reseed.target, triple.primary.live()) {
        // Deleting what only the rewound hub has is our own deletion, and leaves its tombstone.
        (Side::Absent, Some(live)) => Side::Dead(Tombstone {
            incarnation: live.incarnation,
            stamp: live.stamp.clone(),
            reason: TombstoneReason::Deleted,
        }),
        (target, _) => target,
    };
    let key = MergedKey::new(triple, target, vec![]);
    match key.on_secondary {
        Action::Keep => key,
        Action::Create | Action::Update | Action::Delete => key.withhold(vec![]),
    }
}

#[cfg(test)]
mod tests {
    use hubshift_domain::epoch::Epoch;
    use hubshift_domain::id::HubId;
    use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint, Record, Stamp};
    use hubshift_domain::merge::Live;
    use serde_json::Map;

    use super::*;

    fn live(hub: &str) -> Side {
        let record = Record {
            enabled: true,
            status_reason: Some(hub.to_owned()),
            credential: Credential {
                kind: CredentialKind::Ca,
                fingerprint: Fingerprint::default(),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: Map::new(),
            desired: Map::new(),
        };
        let origin = HubId::new(hub).unwrap();
        let stamp = Stamp {
            epoch: Epoch(1024),
            sequence: 1,
            origin,
        };
        Side::Live(Live {
            incarnation: 1,
            record,
            stamp,
            hold: None,
        })
    }

    fn reseed_of(base: Side, primary: Side, secondary: Side) -> MergedKey {
        let triple = Triple {
            base,
            primary,
            secondary,
        };
        reseeded(&triple, reseed(&triple))
    }

    #[test]
    fn a_rewound_hub_takes_the_active_hubs_record() {
        let key = reseed_of(live("east"), live("east"), live("west"));
        assert_eq!(
            (key.on_primary, key.on_secondary),
            (Action::Update, Action::Keep)
        );
        assert!(!key.withheld);
    }

    #[test]
    fn what_only_a_rewound_hub_has_is_deleted_there_under_a_tombstone() {
        let key = reseed_of(Side::Absent, live("east"), Side::Absent);
        assert_eq!(key.on_primary, Action::Delete);
        assert_eq!(
            key.merged
                .tombstone()
                .map(|tombstone| tombstone.incarnation),
            Some(1)
        );
    }

    #[test]
    fn the_active_hub_is_never_written_because_of_a_rewound_one() {
        let missing_there = reseed_of(live("east"), live("east"), Side::Absent);
        assert!(missing_there.withheld);
        assert_eq!(missing_there.on_secondary, Action::Keep);
    }
}
