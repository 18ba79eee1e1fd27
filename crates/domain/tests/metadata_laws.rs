//! Documents: a merge depends on the set of branches alone, and repeating it changes nothing.
#![allow(clippy::unwrap_used)]

#[path = "laws/documents.rs"]
mod documents;

use std::collections::BTreeSet;

use documents::{Case, MUTANTS, nothing_is_lost, right};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::{Stamp, canonical_json};
use hubshift_domain::metadata::{
    Branch, MergedDocument, NamespacePolicy, VersionVector, merge_branches,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

const HUBS: [&str; 3] = ["east", "north", "west"];

fn cases(at_least: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let asked = asked.and_then(|text| text.parse().ok()).unwrap_or(0);
    ProptestConfig {
        cases: at_least.max(asked),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn branch(origin: usize, counts: [u64; 3], epoch: u64, value: Option<Value>) -> Branch {
    let hub = |i: usize| HubId::new(HUBS[i]).unwrap();
    let version = (0..3).map(|i| (hub(i), counts[i])).collect();
    Branch {
        deleted: value.is_none(),
        value: value.unwrap_or(Value::Null),
        version,
        stamp: Stamp {
            epoch: Epoch(epoch),
            sequence: 1,
            origin: hub(origin),
        },
        incarnation: 1,
    }
}

fn base_of(value: Value) -> Branch {
    branch(0, [1, 0, 0], 1024, Some(value))
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0i64..9).prop_map(Value::from),
        select(vec![json!(1.5), json!("a"), json!("b"), json!(u64::MAX)]),
        prop::collection::vec(0i64..4, 0..4).prop_map(Value::from),
        prop::collection::btree_map(select(vec!["a", "b"]), 0i64..3, 0..3)
            .prop_map(|map| json!(map)),
    ]
}

fn any_branch() -> impl Strategy<Value = Branch> {
    let value = prop_oneof![6 => any_value().prop_map(Some), 1 => Just(None)];
    let counts = [0u64..3, 0u64..3, 0u64..3];
    (0usize..3, counts, 1024u64..1026, value, 1u32..3).prop_map(
        |(origin, counts, epoch, value, incarnation)| Branch {
            incarnation,
            ..branch(origin, counts, epoch, value)
        },
    )
}

/// Branches, and the same in another order with some of them twice.
fn branches_and_shuffled() -> impl Strategy<Value = (Vec<Branch>, Vec<Branch>)> {
    prop::collection::vec(any_branch(), 0..5).prop_flat_map(|mut branches| {
        // No two writes carry the same version.
        let mut versions = BTreeSet::new();
        branches.retain(|branch| versions.insert(branch.version.clone()));
        let mut more = branches.clone();
        more.extend(branches.first().cloned());
        (Just(branches), Just(more).prop_shuffle())
    })
}

fn text(document: &MergedDocument) -> String {
    canonical_json(&json!({
        "branches": document.branches,
        "parked": document.parked,
        "clashes": document.clashes,
        "has_conflicts": document.has_conflicts,
    }))
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn order_and_repetition_make_no_difference(
        (branches, shuffled) in branches_and_shuffled(),
        base in prop::option::of(any_branch()),
        policy in select(NamespacePolicy::ALL.to_vec()),
        tombstone in prop::option::of(0u32..3),
    ) {
        let one = merge_branches(base.as_ref(), &branches, policy, tombstone);
        let other = merge_branches(base.as_ref(), &shuffled, policy, tombstone);
        prop_assert_eq!(text(&one), text(&other));
    }

    /// What was merged once stays, also beside the branches that it was made of; and nothing
    /// concurrent is lost: it is merged, kept, parked or reported.
    #[test]
    fn merging_again_changes_nothing(
        (branches, _) in branches_and_shuffled(),
        base in prop::option::of(any_branch()),
        policy in select(NamespacePolicy::ALL.to_vec()),
    ) {
        let once = merge_branches(base.as_ref(), &branches, policy, None);
        let again = merge_branches(base.as_ref(), &once.branches, policy, None);
        prop_assert_eq!(&again.branches, &once.branches);
        let beside: Vec<Branch> = once.branches.iter().chain(&branches).cloned().collect();
        let again = merge_branches(base.as_ref(), &beside, policy, None);
        prop_assert_eq!(&again.branches, &once.branches);
        let case = Case { base, branches, policy };
        let checked = nothing_is_lost(right, &case);
        prop_assert!(checked.is_ok(), "{}", checked.unwrap_err());
    }

    #[test]
    fn branches_of_a_deleted_life_are_parked_and_never_shown(
        (branches, _) in branches_and_shuffled(),
        policy in select(NamespacePolicy::ALL.to_vec()),
        tombstone in 1u32..3,
    ) {
        let merged = merge_branches(None, &branches, policy, Some(tombstone));
        prop_assert!(merged.branches.iter().all(|branch| branch.incarnation > tombstone));
        let dead = branches.iter().filter(|branch| branch.incarnation <= tombstone);
        for branch in dead {
            prop_assert!(merged.parked.iter().any(|parked| parked.version == branch.version));
        }
    }

    #[test]
    fn counters_add_what_each_region_added(start in -99i64..99, added in prop::array::uniform3(-99i64..99)) {
        let base = base_of(json!(start));
        let regions: Vec<Branch> = (0..3)
            .map(|i| {
                let mut counts = [1, 0, 0];
                counts[i] += 1;
                branch(i, counts, 1025, Some(json!(start + added[i])))
            })
            .collect();
        let merged = merge_branches(Some(&base), &regions, NamespacePolicy::Counter, None);
        let expected = start + added.iter().sum::<i64>();
        prop_assert_eq!(&merged.shown().unwrap().value, &json!(expected));
        prop_assert!(!merged.has_conflicts);
    }
}

/// Two regions that wrote apart from the same base.
fn apart(base: Value, east: Option<Value>, west: Option<Value>) -> (Branch, [Branch; 2]) {
    let east = branch(0, [2, 0, 0], 1024, east);
    let west = branch(2, [1, 0, 1], 2049, west);
    (base_of(base), [east, west])
}

fn merged(policy: NamespacePolicy, parts: &(Branch, [Branch; 2])) -> MergedDocument {
    merge_branches(Some(&parts.0), &parts.1, policy, None)
}

fn shown(policy: NamespacePolicy, parts: &(Branch, [Branch; 2])) -> Value {
    merged(policy, parts).shown().unwrap().value.clone()
}

/// Small documents, each of which some wrong merge loses something of.
fn losable() -> Vec<Case> {
    let case = |policy, (base, branches): (Branch, [Branch; 2])| Case {
        base: Some(base),
        branches: branches.to_vec(),
        policy,
    };
    let leaves = || {
        apart(
            json!({"a": 1, "b": 1}),
            Some(json!({"a": 2, "b": 1})),
            Some(json!({"a": 3, "b": 2})),
        )
    };
    let numbers = apart(json!(10), Some(json!(12)), Some(json!(11)));
    let sets = apart(json!([1, 2]), Some(json!([1, 3])), Some(json!([1, 2, 4])));
    let deleted = apart(json!({"a": 1}), None, Some(json!({"a": 2})));
    let mut lives = leaves();
    lives.1[1].incarnation = 2;
    vec![
        case(NamespacePolicy::JsonLeaf, leaves()),
        case(NamespacePolicy::JsonLeaf, deleted),
        case(NamespacePolicy::JsonLeaf, lives),
        case(NamespacePolicy::Counter, numbers),
        case(NamespacePolicy::SetUnion, sets),
        case(NamespacePolicy::Siblings, leaves()),
    ]
}

#[test]
fn a_merge_that_loses_something_is_caught() {
    let cases = losable();
    for case in &cases {
        nothing_is_lost(right, case).unwrap();
    }
    for mutant in MUTANTS {
        let is_caught = |case: &Case| nothing_is_lost(mutant.merge, case).is_err();
        assert!(cases.iter().any(is_caught), "{}", mutant.name);
    }
}

#[test]
fn each_policy_does_what_its_name_says() {
    let sets = apart(json!([1, 2]), Some(json!([1, 3])), Some(json!([1, 2, 4])));
    assert_eq!(shown(NamespacePolicy::SetUnion, &sets), json!([1, 3, 4]));
    let numbers = apart(json!(10), Some(json!(12)), Some(json!(11)));
    assert_eq!(shown(NamespacePolicy::Counter, &numbers), json!(13));
    assert_eq!(shown(NamespacePolicy::Max, &numbers), json!(12));
    assert_eq!(shown(NamespacePolicy::Min, &numbers), json!(11));
    assert_eq!(shown(NamespacePolicy::Lww, &numbers), json!(11));
    let leaves = apart(
        json!({"a": 1, "b": 1, "c": 1}),
        Some(json!({"a": 2, "b": 1, "c": 2})),
        Some(json!({"a": 1, "b": 3, "c": 3})),
    );
    let document = merged(NamespacePolicy::JsonLeaf, &leaves);
    assert_eq!(
        document.shown().unwrap().value,
        json!({"a": 2, "b": 3, "c": 3})
    );
    assert!(document.has_conflicts);
    assert_eq!(document.clashes[0].path, "c");
    assert_eq!(document.clashes[0].dropped[0].value, Some(json!(2)));
}

#[test]
fn siblings_and_manual_keep_all_and_always_say_so() {
    let parts = apart(json!(1), Some(json!(2)), None);
    for policy in [NamespacePolicy::Siblings, NamespacePolicy::Manual] {
        let document = merged(policy, &parts);
        assert_eq!(document.branches.len(), 2);
        assert!(document.has_conflicts);
        assert!(!document.shown().unwrap().deleted);
        let again = merge_branches(Some(&parts.0), &document.branches, policy, None);
        assert_eq!(again, document);
    }
}

#[test]
fn a_write_beside_a_deletion_stays_and_the_deletion_is_reported() {
    let parts = apart(json!({"a": 1}), None, Some(json!({"a": 2})));
    for policy in [NamespacePolicy::JsonLeaf, NamespacePolicy::SetUnion] {
        let document = merged(policy, &parts);
        assert_eq!(document.shown().unwrap().value, json!({"a": 2}));
        assert!(document.has_conflicts);
        assert_eq!(document.clashes.last().unwrap().dropped[0].value, None);
    }
}

#[test]
fn a_write_that_has_seen_the_other_simply_follows_it() {
    let (base, [east, _]) = apart(json!(1), Some(json!(2)), None);
    let document = merge_branches(None, &[base, east.clone()], NamespacePolicy::Manual, None);
    assert_eq!(document.branches, [east]);
    assert!(!document.has_conflicts);
    assert_ne!(document.version(), VersionVector::new());
}

#[test]
fn nulls_in_documents_are_values() {
    let parts = apart(
        json!({"a": 1, "b": 1}),
        Some(json!({"a": null, "b": 1})),
        Some(json!({"a": 1, "b": 2})),
    );
    assert_eq!(
        shown(NamespacePolicy::JsonLeaf, &parts),
        json!({"a": null, "b": 2})
    );
}
