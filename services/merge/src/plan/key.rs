//! One device: merged, or reseeded when its hub was rewound. Pure.

use hubshift_domain::merge::{
    Action, ConflictKind, MergedKey, Policy, Reseed, Resolution, Side, Tombstone, TombstoneReason,
    Triple, hold_scope, merge_key, reseed,
};

use super::Subject;

/// What the merge makes of a device. `fault` is what is wrong with its place in the hierarchy.
pub(crate) fn merge_device(
    subject: &Subject<'_>,
    triple: &Triple,
    decided: &[Resolution],
    fault: Option<ConflictKind>,
) -> MergedKey {
    match subject.is_rewound {
        true => reseeded(triple, reseed(triple)),
        false => merged(triple, subject.policy, decided, fault),
    }
}

fn merged(
    triple: &Triple,
    policy: &Policy,
    decided: &[Resolution],
    fault: Option<ConflictKind>,
) -> MergedKey {
    let key = merge_key(triple, policy, decided);
    match fault {
        Some(kind) => hold_scope(key, triple, kind),
        None => key,
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
