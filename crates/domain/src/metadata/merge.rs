//! Brings the branches of one document together.

use std::cmp::Ordering;

use serde_json::Value;

use super::document::{Branch, MergedDocument, NamespacePolicy, joined_version};
use super::join::{Joined, join_values};
use super::vector::Dominance;
use crate::identity::{Incarnation, canonical_json};

/// Merges the branches of one document. `base` is the branch that was last the same everywhere;
/// `tombstone` the last deleted life of the device. Branches may come in any order and repeat.
pub fn merge_branches(
    base: Option<&Branch>,
    branches: &[Branch],
    policy: NamespacePolicy,
    tombstone: Option<Incarnation>,
) -> MergedDocument {
    let current = current_incarnation(branches, tombstone);
    let (alive, mut parked): (Vec<Branch>, Vec<Branch>) = branches
        .iter()
        .cloned()
        .partition(|branch| Some(branch.incarnation) == current);
    sort_and_dedup(&mut parked);
    let heads = heads(alive);
    let base = base.filter(|base| Some(base.incarnation) == current);
    let mut merged = match policy {
        _ if heads.len() < 2 => settled(heads),
        NamespacePolicy::Siblings | NamespacePolicy::Manual => MergedDocument {
            has_conflicts: true,
            ..settled(heads)
        },
        _ => bring_together(base, &heads, policy),
    };
    merged.parked = parked;
    merged
}

/// The life of the device that documents are merged for: the latest that isn't deleted.
fn current_incarnation(branches: &[Branch], tombstone: Option<Incarnation>) -> Option<Incarnation> {
    let incarnations = branches.iter().map(|branch| branch.incarnation);
    incarnations
        .filter(|incarnation| tombstone.is_none_or(|deleted| *incarnation > deleted))
        .max()
}

/// The branches that no other one has seen, the one to show first.
fn heads(branches: Vec<Branch>) -> Vec<Branch> {
    let mut branches = branches;
    sort_and_dedup(&mut branches);
    let seen = |branch: &Branch| {
        let covers =
            |other: &Branch| other.version.compare(&branch.version) == Dominance::Dominates;
        branches.iter().any(covers)
    };
    let heads = branches.iter().filter(|branch| !seen(branch));
    heads.cloned().collect()
}

fn sort_and_dedup(branches: &mut Vec<Branch>) {
    branches.sort_by(show_first);
    branches.dedup_by(|a, b| {
        a.version == b.version
            && a.incarnation == b.incarnation
            && a.deleted == b.deleted
            && canonical_json(&a.value) == canonical_json(&b.value)
    });
}

/// Not deleted before deleted, then the latest stamp, then the larger content: the same order at
/// every place.
fn show_first(a: &Branch, b: &Branch) -> Ordering {
    let by_text = || {
        let text = |branch: &Branch| canonical_json(&branch.value);
        text(b).cmp(&text(a))
    };
    a.deleted
        .cmp(&b.deleted)
        .then_with(|| b.stamp.cmp(&a.stamp))
        .then_with(|| b.version.cmp(&a.version))
        .then_with(|| b.incarnation.cmp(&a.incarnation))
        .then_with(by_text)
}

fn settled(branches: Vec<Branch>) -> MergedDocument {
    MergedDocument {
        branches,
        parked: vec![],
        clashes: vec![],
        has_conflicts: false,
    }
}

fn bring_together(
    base: Option<&Branch>,
    heads: &[Branch],
    policy: NamespacePolicy,
) -> MergedDocument {
    let Joined { value, clashes } = join_values(base.and_then(Branch::live_value), heads, policy);
    let latest = heads.iter().map(|head| &head.stamp).max();
    let merged = heads.first().zip(latest).map(|(first, stamp)| Branch {
        deleted: value.is_none(),
        value: value.unwrap_or(Value::Null),
        version: joined_version(heads),
        stamp: stamp.clone(),
        incarnation: first.incarnation,
    });
    MergedDocument {
        branches: merged.into_iter().collect(),
        parked: vec![],
        has_conflicts: !clashes.is_empty() && policy != NamespacePolicy::Lww,
        clashes,
    }
}
