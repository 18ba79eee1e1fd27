//! Every law over every triple of a small domain, and every mutant caught in it.
//!
//! The domain has two incarnations, records that differ in each field class, held ones, both
//! kinds of tombstones and absence, in three orders of the two hubs' stamps.
#![allow(clippy::unwrap_used)]

mod laws;
#[path = "laws/mutants.rs"]
mod mutants;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint, Record, Stamp};
use hubshift_domain::merge::{
    Action, Live, Policy, Side, Tombstone, TombstoneReason, Triple, merge_key, reseed,
};
use laws::{LAWS, check_all, text};
use mutants::MUTANTS;
use serde_json::{Map, Value, json};

fn stamp(epoch: u64, sequence: i64, origin: &str) -> Stamp {
    Stamp {
        epoch: Epoch(epoch),
        sequence,
        origin: HubId::new(origin).unwrap(),
    }
}

fn record(enabled: bool, key: u8, edge: bool, parent: Option<&str>, tags: Value) -> Record {
    Record {
        enabled,
        status_reason: None,
        credential: Credential {
            kind: CredentialKind::Sas,
            fingerprint: Fingerprint([key; 16]),
        },
        iot_edge: edge,
        parent: parent.map(str::to_owned),
        managed_by: None,
        tags: tags.as_object().unwrap().clone(),
        desired: Map::new(),
    }
}

fn records() -> Vec<Record> {
    vec![
        record(true, 1, false, None, json!({})),
        record(false, 1, false, None, json!({})),
        record(true, 2, false, None, json!({"a": 1})),
        record(true, 1, true, Some("g"), json!({"a": 2, "b": {"c": 1}})),
        record(false, 3, false, None, json!({"b": 5})),
    ]
}

/// Everything that may be known of a device at one place whose last writer is `stamp`.
fn states(stamp: &Stamp) -> Vec<Side> {
    let mut states = vec![Side::Absent];
    for incarnation in [1, 2] {
        for (i, record) in records().into_iter().enumerate() {
            let live = Live {
                incarnation,
                record,
                stamp: stamp.clone(),
                hold: None,
            };
            if i % 3 == 0 {
                states.push(Side::Live(Live {
                    hold: Some(format!("earlier@{incarnation}")),
                    ..live.clone()
                }));
            }
            states.push(Side::Live(live));
        }
        for reason in TombstoneReason::ALL {
            states.push(Side::Dead(Tombstone {
                incarnation,
                stamp: stamp.clone(),
                reason: *reason,
            }));
        }
    }
    states
}

fn each_triple(primary: &Stamp, secondary: &Stamp, mut visit: impl FnMut(&Triple)) -> usize {
    let mut count = 0;
    for base in states(&stamp(1024, 1, "east")) {
        for primary in states(primary) {
            for secondary in states(secondary) {
                count += 1;
                visit(&Triple {
                    base: base.clone(),
                    primary: primary.clone(),
                    secondary,
                });
            }
        }
    }
    count
}

fn all_laws_hold(primary: Stamp, secondary: Stamp) {
    let policy = Policy::default();
    let count = each_triple(&primary, &secondary, |triple| {
        if let Err(broken) = check_all(&|triple: &Triple| merge_key(triple, &policy, &[]), triple) {
            panic!("{broken}");
        }
    });
    assert_eq!(count, 19 * 19 * 19);
}

#[test]
fn all_laws_hold_when_the_active_hub_wrote_in_a_later_epoch() {
    all_laws_hold(stamp(1024, 7, "east"), stamp(2049, 3, "west"));
}

#[test]
fn all_laws_hold_when_the_recovered_hub_wrote_in_a_later_epoch() {
    all_laws_hold(stamp(3072, 2, "east"), stamp(2049, 9, "west"));
}

#[test]
fn all_laws_hold_when_both_wrote_in_one_epoch() {
    all_laws_hold(stamp(2049, 0, "east"), stamp(2049, 8, "west"));
}

#[test]
fn every_mutant_is_caught_by_its_law() {
    let (primary, secondary) = (stamp(1024, 7, "east"), stamp(2049, 3, "west"));
    for mutant in MUTANTS {
        let (_, law) = LAWS
            .iter()
            .find(|(name, _)| *name == mutant.breaks)
            .unwrap();
        let mut caught = 0;
        each_triple(&primary, &secondary, |triple| {
            if caught == 0 && law(&mutant.merge, triple).is_err() {
                caught += 1;
            }
        });
        assert!(
            caught > 0,
            "{} is not caught by {}",
            mutant.name,
            mutant.breaks
        );
    }
}

#[test]
fn every_law_has_a_mutant_that_breaks_it() {
    for (name, _) in LAWS {
        let broken = MUTANTS.iter().any(|mutant| mutant.breaks == *name);
        assert!(broken, "nothing shows that {name} can fail");
    }
}

#[test]
fn an_open_hold_is_left_alone_until_both_hubs_agree() {
    let policy = Policy::default();
    let (primary, secondary) = (stamp(1024, 7, "east"), stamp(2049, 3, "west"));
    let mut left_alone = 0;
    each_triple(&primary, &secondary, |triple| {
        let agree = triple.primary.same(&triple.secondary) && !triple.primary.is_absent();
        if !triple.base.is_held() || agree {
            return;
        }
        let key = merge_key(triple, &policy, &[]);
        assert!(key.withheld && key.is_held(), "{triple:#?}");
        assert_eq!(
            (key.on_primary, key.on_secondary),
            (Action::Keep, Action::Keep)
        );
        left_alone += 1;
    });
    assert!(left_alone > 0);
}

/// A rewound hub takes the active hub's state; what only it has is rescued, what was deleted
/// doesn't come back, and nothing that both once had goes because it is absent.
#[test]
fn reseeding_loses_and_resurrects_nothing() {
    let (primary, secondary) = (stamp(1024, 7, "east"), stamp(2049, 3, "west"));
    each_triple(&primary, &secondary, |triple| {
        let outcome = reseed(triple);
        let buried = triple
            .tombstone()
            .map_or(0, |tombstone| tombstone.incarnation);
        if let Some(live) = outcome.target.live() {
            let back = live.incarnation <= buried && live.hold.is_none();
            assert!(!back, "{triple:#?} {outcome:#?}");
        }
        if outcome.rescue.is_none() {
            let known = |side: &Side| side.same(&triple.primary);
            let only_here = triple.primary.live().is_some()
                && !known(&triple.base)
                && !known(&triple.secondary);
            assert!(!only_here, "not rescued: {triple:#?} {outcome:#?}");
            if !triple.secondary.is_absent() {
                let taken = outcome.target.same(&triple.secondary);
                let buried = outcome.target.tombstone().is_some();
                assert!(taken || buried, "{triple:#?} {outcome:#?}");
            }
        }
        let base_lives = triple
            .base
            .live()
            .is_some_and(|base| base.incarnation > buried);
        if base_lives && triple.secondary.is_absent() {
            assert_eq!(outcome.on_primary, Action::Keep, "{triple:#?} {outcome:#?}");
        }
    });
}

#[test]
fn the_domain_has_no_two_equal_states() {
    let states = states(&stamp(1024, 1, "east"));
    let mut texts: Vec<String> = states.iter().map(text).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), states.len());
}
