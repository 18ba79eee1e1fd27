//! The hierarchy of gateways over a plan's devices, and of modules below their devices: faults, and
//! the order of applying. Pure.
//!
//! Devices that are equal everywhere are not in a plan. A parent that is not in it is one that
//! both hubs know, as a hub does not take a device whose parent it lacks.

use std::collections::{BTreeMap, BTreeSet};

use hubshift_domain::id::{device_of_module, is_device};
use hubshift_domain::merge::{Along, Choice, ConflictKind, scope_faults};

use crate::store::item::Place;

/// Deletions come after everything else.
const DELETIONS: i32 = 1_000_000;
/// Hubs nest less deeply than this.
const DEEPEST: i32 = 64;

/// Devices whose place is broken.
pub(super) fn faults(places: &[Place]) -> BTreeMap<&str, ConflictKind> {
    let live = places.iter().filter(|place| place.is_live);
    let parents: BTreeMap<&str, &str> = live
        .filter_map(|place| Some((place.device.as_str(), place.above()?)))
        .collect();
    let gone = places.iter().filter(|place| !place.is_live);
    let gone: BTreeSet<&str> = gone.map(|place| place.device.as_str()).collect();
    scope_faults(&parents, |parent| !gone.contains(parent))
}

/// How modules go along with their devices: those of a held one wait, those of one that an operator
/// took whole from a hub are taken from there as well.
pub(super) fn along<'a>(
    places: &'a [Place],
    decided: &BTreeMap<String, Choice>,
) -> BTreeMap<&'a str, Along> {
    let held = places.iter().filter(|place| place.is_held);
    let held: BTreeSet<&str> = held.map(|place| place.device.as_str()).collect();
    let along = places.iter().filter_map(|place| {
        let device = device_of_module(&place.device)?;
        let along = match decided.get(device) {
            Some(choice) => Along::Follows(*choice),
            None if held.contains(device) => Along::Waits,
            None => return None,
        };
        Some((place.device.as_str(), along))
    });
    along.collect()
}

/// The order of each device: parents before children; deletions last, children before parents, and
/// modules after all, as a hub takes away those of a device by itself.
pub(super) fn ranks(places: &[Place]) -> BTreeMap<&str, i32> {
    let by_life = |is_live: bool| -> BTreeMap<&str, Option<&str>> {
        let of_life = places.iter().filter(|place| place.is_live == is_live);
        of_life
            .map(|place| (place.device.as_str(), place.above()))
            .collect()
    };
    let (live, gone) = (by_life(true), by_life(false));
    let created = live.keys().map(|device| (*device, depth(&live, device)));
    let deleted = gone.keys().map(|device| {
        let rank = match is_device(device) {
            true => DELETIONS - depth(&gone, device),
            false => DELETIONS + 1,
        };
        (*device, rank)
    });
    created.chain(deleted).collect()
}

fn depth(parents: &BTreeMap<&str, Option<&str>>, device: &str) -> i32 {
    let mut at = device;
    let mut depth = 0;
    while let Some(Some(parent)) = parents.get(at) {
        if depth == DEEPEST || !parents.contains_key(parent) {
            break;
        }
        (at, depth) = (*parent, depth + 1);
    }
    depth
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(device: &str, is_live: bool, parent: Option<&str>) -> Place {
        Place {
            device: device.to_owned(),
            is_live,
            parent: parent.map(str::to_owned),
            scope_fault: None,
            is_held: false,
            along: None,
            rank: 0,
        }
    }

    #[test]
    fn a_parent_that_the_merge_deletes_is_missing_and_an_unknown_one_is_not() {
        let places = [
            place("orphan", true, Some("gone")),
            place("gone", false, None),
            place("leaf", true, Some("elsewhere")),
        ];
        let expected = BTreeMap::from([("orphan", ConflictKind::ScopeMissing)]);
        assert_eq!(faults(&places), expected);
    }

    #[test]
    fn modules_share_the_fate_of_their_device() {
        let held = Place {
            is_held: true,
            ..place("d", true, None)
        };
        let places = [
            held,
            place("d/m", false, None),
            place("e", true, None),
            place("e/m", true, None),
            place("f/m", false, None),
        ];
        let decided = BTreeMap::from([("f".to_owned(), Choice::Primary)]);
        let expected = BTreeMap::from([
            ("d/m", Along::Waits),
            ("f/m", Along::Follows(Choice::Primary)),
        ]);
        assert_eq!(along(&places, &decided), expected);
    }

    #[test]
    fn parents_come_first_and_go_last() {
        let places = [
            place("leaf", true, Some("edge")),
            place("edge", true, Some("root")),
            place("root", true, None),
            place("old-leaf", false, Some("old-edge")),
            place("old-edge", false, None),
            place("round", true, Some("round")),
        ];
        let ranks = ranks(&places);
        assert!(ranks["root"] < ranks["edge"] && ranks["edge"] < ranks["leaf"]);
        assert!(ranks["leaf"] < ranks["old-leaf"] && ranks["old-leaf"] < ranks["old-edge"]);
        assert_eq!(ranks["round"], DEEPEST);
    }

    #[test]
    fn modules_come_after_their_device_and_cannot_be_without_it() {
        let places = [
            place("d", true, None),
            place("d/m", true, None),
            place("old", false, None),
            place("old/m", false, None),
            place("/configurations/a", true, None),
        ];
        let found = ranks(&places);
        assert!(found["d"] < found["d/m"] && found["old"] < found["old/m"]);
        assert!(faults(&places).is_empty());
        let left = [place("old", false, None), place("old/m", true, None)];
        let expected = BTreeMap::from([("old/m", ConflictKind::ScopeMissing)]);
        assert_eq!(faults(&left), expected);
    }
}
