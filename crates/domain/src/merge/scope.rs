//! The check that no merge of single devices can make: after it, every gateway that a device
//! names must exist, and no device may be its own ancestor.

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::{Chosen, Conflict, ConflictKind, ConflictState, MergedKey, Stamps};
use super::policy::{FieldClass, Rule};
use super::side::{Side, Triple, hold_id};

/// The devices whose place in the hierarchy is broken, each with the reason. `parents` has all
/// devices that name a parent after the merge; `exists` knows the devices after the merge.
pub fn scope_faults<'a>(
    parents: &BTreeMap<&'a str, &'a str>,
    exists: impl Fn(&str) -> bool,
) -> BTreeMap<&'a str, ConflictKind> {
    let mut faults = BTreeMap::new();
    let mut whole = BTreeSet::new();
    for start in parents.keys().copied() {
        let trail = climb(parents, start, &whole);
        let last = trail.last().copied().unwrap_or(start);
        if let Some(loop_start) = parents.get(last).and_then(|next| position(&trail, next)) {
            let members = &trail[loop_start..];
            faults.extend(members.iter().map(|id| (*id, ConflictKind::ScopeCycle)));
        }
        whole.extend(trail);
    }
    for (id, parent) in parents {
        if !exists(parent) {
            faults.insert(*id, ConflictKind::ScopeMissing);
        }
    }
    faults
}

/// The way up from `start`, to a root, a device that was visited before, or into a circle.
fn climb<'a>(
    parents: &BTreeMap<&'a str, &'a str>,
    start: &'a str,
    visited: &BTreeSet<&'a str>,
) -> Vec<&'a str> {
    let mut trail = vec![];
    let mut on_trail = BTreeSet::new();
    let mut at = start;
    while !visited.contains(at) && on_trail.insert(at) {
        trail.push(at);
        match parents.get(at) {
            Some(parent) => at = *parent,
            None => break,
        }
    }
    trail
}

fn position(trail: &[&str], id: &str) -> Option<usize> {
    trail.iter().position(|other| *other == id)
}

/// Puts a hold on a merged device because of a fault of its hierarchy. Nothing of it is written: a
/// hub takes no child without its parent.
pub fn hold_scope(key: MergedKey, triple: &Triple, kind: ConflictKind) -> MergedKey {
    let Side::Live(mut live) = key.merged else {
        return key;
    };
    let path = FieldClass::Hierarchy.as_str();
    let parent = |side: &Side| {
        side.live()
            .map(|live| FieldClass::Hierarchy.value(&live.record))
    };
    let hold = hold_id(path, live.incarnation);
    live.hold = Some(live.hold.take().unwrap_or(hold));
    let row = Conflict {
        kind,
        path: path.to_owned(),
        base: parent(&triple.base),
        primary: parent(&triple.primary),
        secondary: parent(&triple.secondary),
        stamps: Stamps::of(triple),
        chosen: Chosen::Neither,
        policy: Rule::WholeHierarchy,
        state: ConflictState::Held,
    };
    let mut conflicts = key.conflicts;
    conflicts.push(row);
    MergedKey::new(triple, Side::Live(live), conflicts).withhold(vec![])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_parent_any_more_is_held_and_not_written() {
        let live = crate::merge::Live {
            incarnation: 1,
            record: crate::identity::Record {
                enabled: true,
                status_reason: None,
                credential: crate::identity::Credential {
                    kind: crate::identity::CredentialKind::Ca,
                    fingerprint: crate::identity::Fingerprint::default(),
                },
                iot_edge: false,
                parent: Some("gone".into()),
                managed_by: None,
                tags: serde_json::Map::new(),
                desired: serde_json::Map::new(),
            },
            stamp: crate::identity::Stamp {
                epoch: crate::epoch::Epoch(1024),
                sequence: 1,
                origin: crate::id::HubId::new("east").unwrap(),
            },
            hold: None,
        };
        let triple = Triple {
            base: Side::Absent,
            primary: Side::Live(live.clone()),
            secondary: Side::Absent,
        };
        let merged = MergedKey::new(&triple, Side::Live(live), vec![]);
        assert_eq!(merged.on_secondary, crate::merge::Action::Create);
        let held = hold_scope(merged, &triple, ConflictKind::ScopeMissing);
        assert!(held.withheld && held.is_held());
        assert_eq!(held.on_secondary, crate::merge::Action::Keep);
    }

    #[test]
    fn circles_and_missing_parents_are_found_and_nothing_else() {
        let parents = BTreeMap::from([
            ("leaf", "edge"),
            ("edge", "root"),
            ("a", "b"),
            ("b", "c"),
            ("c", "a"),
            ("below", "a"),
            ("self", "self"),
            ("orphan", "gone"),
        ]);
        let known = |id: &str| id == "root" || (id != "gone" && parents.contains_key(id));
        let faults = scope_faults(&parents, known);
        let cycle = ConflictKind::ScopeCycle;
        let expected = BTreeMap::from([
            ("a", cycle),
            ("b", cycle),
            ("c", cycle),
            ("self", cycle),
            ("orphan", ConflictKind::ScopeMissing),
        ]);
        assert_eq!(faults, expected);
    }
}
