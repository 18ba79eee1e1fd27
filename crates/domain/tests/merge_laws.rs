//! The laws over random devices with deep documents, and the plan's determinism.
//!
//! `PROPTEST_CASES` raises the number of cases.
#![allow(clippy::unwrap_used)]

mod laws;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{HubId, RecordKey};
use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint, Record, Stamp};
use hubshift_domain::merge::{
    Choice, ConflictKind, ConflictState, Live, Plan, PlanError, PlanItem, Policy, Resolution, Side,
    Tombstone, TombstoneReason, Triple, merge_key, same_record,
};
use laws::{check_all, text};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

fn cases(at_least: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let asked = asked.and_then(|text| text.parse().ok()).unwrap_or(0);
    ProptestConfig {
        cases: at_least.max(asked),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    (1024u64..1027, 0i64..3, select(vec!["east", "west"])).prop_map(|(epoch, sequence, origin)| {
        Stamp {
            epoch: Epoch(epoch),
            sequence,
            origin: HubId::new(origin).unwrap(),
        }
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0i64..3).prop_map(Value::from),
        Just(json!(1.0)),
        Just(Value::Null),
        select(vec!["x", "y"]).prop_map(Value::from),
        prop::collection::vec(0i64..2, 0..3).prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let names = select(vec!["a", "b", "c.d"]).prop_map(str::to_owned);
        prop::collection::btree_map(names, inner, 0..3)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    })
}

fn any_document() -> impl Strategy<Value = Map<String, Value>> {
    let name = select(vec!["a", "b", "site"]).prop_map(str::to_owned);
    prop::collection::btree_map(name, any_value(), 0..3)
        .prop_map(|map| map.into_iter().collect::<Map<String, Value>>())
}

fn any_record() -> impl Strategy<Value = Record> {
    let reason = prop::option::of(select(vec!["lost", "sold"]).prop_map(str::to_owned));
    let parent = prop::option::of(select(vec!["g1", "g2"]).prop_map(str::to_owned));
    let kind = select(vec![CredentialKind::Sas, CredentialKind::Ca]);
    let managed_by = prop::option::of(select(vec!["m1", "m2"]).prop_map(str::to_owned));
    let capability = (any::<bool>(), managed_by);
    let scalars = (any::<bool>(), reason, kind, 0u8..3, capability, parent);
    (scalars, any_document(), any_document()).prop_map(|(scalars, tags, desired)| {
        let (enabled, status_reason, kind, key, (iot_edge, managed_by), parent) = scalars;
        let fingerprint = Fingerprint([key; 16]);
        Record {
            enabled,
            status_reason,
            credential: Credential { kind, fingerprint },
            iot_edge,
            parent,
            managed_by,
            tags,
            desired,
        }
    })
}

fn any_side() -> impl Strategy<Value = Side> {
    let hold = prop_oneof![5 => Just(None::<String>), 1 => Just(Some("earlier@1".to_owned()))];
    let live = (1u32..3, any_record(), any_stamp(), hold).prop_map(
        |(incarnation, record, stamp, hold)| Live {
            incarnation,
            record,
            stamp,
            hold,
        },
    );
    let reason = select(TombstoneReason::ALL.to_vec());
    let dead = (1u32..3, any_stamp(), reason).prop_map(|(incarnation, stamp, reason)| Tombstone {
        incarnation,
        stamp,
        reason,
    });
    prop_oneof![
        1 => Just(Side::Absent),
        6 => live.prop_map(Side::Live),
        1 => dead.prop_map(Side::Dead),
    ]
}

/// A hub's side that comes from the base: mostly with some of the fields of another record.
fn step_from(base: Side) -> impl Strategy<Value = Side> {
    let changed = (any_record(), any_stamp(), 0u8..128).prop_map(move |(other, stamp, mask)| {
        let mut side = base.clone();
        if let Side::Live(live) = &mut side {
            live.stamp = stamp;
            take_some(&mut live.record, other, mask);
        }
        side
    });
    prop_oneof![4 => changed, 1 => any_side()]
}

fn take_some(record: &mut Record, other: Record, mask: u8) {
    let takes = |bit: u8| mask & (1 << bit) != 0;
    if takes(0) {
        record.enabled = other.enabled;
    }
    if takes(1) {
        record.status_reason = other.status_reason;
    }
    if takes(2) {
        record.credential = other.credential;
    }
    if takes(3) {
        record.iot_edge = other.iot_edge;
        record.managed_by = other.managed_by;
    }
    if takes(4) {
        record.parent = other.parent;
    }
    if takes(5) {
        record.tags.extend(other.tags);
    }
    if takes(6) {
        record.desired = other.desired;
    }
}

fn any_triple() -> impl Strategy<Value = Triple> {
    any_side().prop_flat_map(|base| {
        let steps = (step_from(base.clone()), step_from(base.clone()));
        steps.prop_map(move |(primary, secondary)| Triple {
            base: base.clone(),
            primary,
            secondary,
        })
    })
}

proptest! {
    #![proptest_config(cases(3000))]

    /// L1 to L4 and L6 to L9.
    #[test]
    fn all_laws_hold(triple in any_triple()) {
        let policy = Policy::default();
        let checked = check_all(&|triple: &Triple| merge_key(triple, &policy, &[]), &triple);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }

    /// An operator's choice of the whole record is what both hubs get, without a hold, and it
    /// comes out the same when the chosen hub has it already.
    #[test]
    fn a_resolved_record_is_the_chosen_one(
        triple in any_triple(), choice in select(Choice::ALL.to_vec())
    ) {
        let policy = Policy::default();
        let chosen = [Resolution { path: String::new(), choice }];
        let key = merge_key(&triple, &policy, &chosen);
        let sides = [&triple.base, &triple.primary, &triple.secondary];
        let latest = sides.map(Side::incarnation).into_iter().max();
        let chosen_side = triple.at(choice).live();
        let lives = key.merged.live().map(|live| live.incarnation);
        prop_assert_eq!(lives, latest.filter(|_| chosen_side.is_some()), "no hub goes back");
        if let (Some(merged), Some(chosen)) = (key.merged.live(), chosen_side) {
            prop_assert!(same_record(&merged.record, &chosen.record));
        }
        prop_assert!(!key.is_held() && !key.withheld);
        let mut applied = triple.clone();
        match choice {
            Choice::Primary => applied.primary = key.merged.clone(),
            Choice::Secondary => applied.secondary = key.merged.clone(),
        }
        let again = merge_key(&applied, &policy, &chosen).merged;
        prop_assert_eq!(text(&again), text(&key.merged));
    }
}

proptest! {
    #![proptest_config(cases(200))]

    /// L11: the same devices in any order give the same id and the same bytes.
    #[test]
    fn plans_do_not_depend_on_the_order_of_devices(
        (ordered, shuffled) in ordered_and_shuffled()
    ) {
        let policy = Policy::default();
        let one = Plan::of(ordered, &policy).unwrap();
        let other = Plan::of(shuffled, &policy).unwrap();
        prop_assert_eq!(one.id, other.id);
        prop_assert_eq!(&one.counts, &other.counts);
        let bytes = |plan: &Plan| plan.items.iter().map(PlanItem::canonical).collect::<Vec<_>>();
        prop_assert_eq!(bytes(&one), bytes(&other));
    }
}

/// The items of a plan, in order and shuffled.
fn ordered_and_shuffled() -> impl Strategy<Value = (Vec<PlanItem>, Vec<PlanItem>)> {
    prop::collection::vec(any_triple(), 1..12).prop_flat_map(|triples| {
        let items: Vec<PlanItem> = triples.into_iter().enumerate().map(item).collect();
        (Just(items.clone()), Just(items).prop_shuffle())
    })
}

fn item((i, triple): (usize, Triple)) -> PlanItem {
    PlanItem {
        device: RecordKey::new(format!("device-{i}")).unwrap(),
        outcome: merge_key(&triple, &Policy::default(), &[]),
        triple,
    }
}

fn live(record: Record, epoch: u64) -> Side {
    Side::Live(Live {
        incarnation: 1,
        record,
        stamp: Stamp {
            epoch: Epoch(epoch),
            sequence: 1,
            origin: HubId::new("east").unwrap(),
        },
        hold: None,
    })
}

fn plain() -> Record {
    Record {
        enabled: true,
        status_reason: None,
        credential: Credential {
            kind: CredentialKind::Sas,
            fingerprint: Fingerprint([1; 16]),
        },
        iot_edge: false,
        parent: None,
        managed_by: None,
        tags: Map::new(),
        desired: Map::new(),
    }
}

fn triple_of(
    change_primary: impl Fn(&mut Record),
    change_secondary: impl Fn(&mut Record),
) -> Triple {
    let (mut primary, mut secondary) = (plain(), plain());
    change_primary(&mut primary);
    change_secondary(&mut secondary);
    Triple {
        base: live(plain(), 1024),
        primary: live(primary, 1024),
        secondary: live(secondary, 2049),
    }
}

fn tag(name: &'static str, value: Value) -> impl Fn(&mut Record) {
    move |record: &mut Record| drop(record.tags.insert(name.to_owned(), value.clone()))
}

#[test]
fn a_plan_is_another_one_when_anything_it_depends_on_is_another() {
    let triple = triple_of(tag("a", json!(1)), tag("b", json!(1)));
    let policy = Policy::default();
    let id = |triple: &Triple, policy: &Policy| {
        Plan::of(vec![item((1, triple.clone()))], policy)
            .unwrap()
            .id
    };
    let swapped = id(&triple.swapped(), &policy);
    let newer = Policy {
        version: 2,
        ..policy.clone()
    };
    let first = id(&triple, &policy);
    assert!(first != swapped && first != id(&triple, &newer));
    assert_eq!(first, id(&triple, &policy));
    let twice = vec![item((1, triple.clone())), item((1, triple))];
    let refused = Plan::of(twice, &policy);
    assert!(matches!(refused, Err(PlanError::OutOfOrder(_))));
}

#[test]
fn a_leaf_is_resolved_by_its_path_and_the_other_leaves_are_left_alone() {
    let triple = triple_of(tag("a", json!("east")), tag("a", json!("west")));
    let policy = Policy::default();
    let key = merge_key(&triple, &policy, &[]);
    assert_eq!(key.merged.live().unwrap().record.tags["a"], json!("west"));
    assert_eq!(key.conflicts[0].path, "tags.a");
    assert_eq!(key.conflicts[0].kind, ConflictKind::FieldConflict);
    let resolution = Resolution {
        path: "tags.a".to_owned(),
        choice: Choice::Primary,
    };
    let key = merge_key(&triple, &policy, &[resolution]);
    assert_eq!(key.merged.live().unwrap().record.tags["a"], json!("east"));
    assert_eq!(key.conflicts[0].state, ConflictState::Resolved);
}

#[test]
fn a_row_is_about_its_values_whoever_wrote_them() {
    let triple = triple_of(tag("a", json!("east")), tag("a", json!("west")));
    let resolution = |path: &str| Resolution {
        path: path.to_owned(),
        choice: Choice::Primary,
    };
    let row = |triple: &Triple, path: &str| {
        let key = merge_key(triple, &Policy::default(), &[resolution(path)]);
        key.conflicts[0].clone()
    };
    let mut restamped = triple.clone();
    let mut other = triple.clone();
    if let (Side::Live(restamped), Side::Live(other)) =
        (&mut restamped.secondary, &mut other.secondary)
    {
        restamped.stamp.sequence += 1;
        tag("a", json!("somebody new"))(&mut other.record);
    }
    for path in ["tags.a", ""] {
        let first = row(&triple, path);
        let values = [&first.base, &first.primary, &first.secondary].map(Option::as_ref);
        assert!(row(&restamped, path).is_about(values), "{path}");
        assert!(!row(&other, path).is_about(values), "{path}");
    }
}

#[test]
fn two_documents_that_are_legal_alone_are_not_written_when_their_union_is_not() {
    let large = |name| tag(name, Value::from("x".repeat(5000)));
    let triple = triple_of(large("a"), large("b"));
    let policy = Policy::default();
    let key = merge_key(&triple, &policy, &[]);
    assert!(key.withheld);
    assert_eq!(key.conflicts[0].kind, ConflictKind::Oversize);
    let resolution = Resolution {
        path: "tags".to_owned(),
        choice: Choice::Secondary,
    };
    let key = merge_key(&triple, &policy, &[resolution]);
    assert!(!key.withheld && !key.is_held());
    assert!(key.merged.live().unwrap().record.tags.contains_key("b"));
}

#[test]
fn the_edge_capability_waits_for_an_operator() {
    let mut triple = triple_of(|record| record.iot_edge = true, |_| {});
    triple.base = Side::Absent;
    let policy = Policy::default();
    let key = merge_key(&triple, &policy, &[]);
    assert_eq!(key.conflicts[0].state, ConflictState::Held);
    assert!(!key.merged.live().unwrap().is_effectively_enabled());
    let applied = Triple {
        secondary: key.merged.clone(),
        ..triple.clone()
    };
    let resolution = Resolution {
        path: key.conflicts[0].path.clone(),
        choice: Choice::Primary,
    };
    for triple in [&triple, &applied] {
        let resolved = merge_key(triple, &policy, std::slice::from_ref(&resolution));
        let live = resolved.merged.live().unwrap();
        assert!(
            live.record.iot_edge && live.hold.is_none(),
            "{}",
            text(&resolved.merged)
        );
    }
}
