//! The laws about what a merge must not do: lose, resurrect, invent, or forget.

use std::collections::{BTreeMap, BTreeSet};

use hubshift_domain::identity::{Record, canonical_json};
use hubshift_domain::json_merge::JsonPath;
use hubshift_domain::merge::{Choice, FieldClass, Live, MergedKey, Side, Triple, restore};
use serde_json::Value;

use super::{Merge, ensure};

fn sides(given: &Triple) -> [&Side; 3] {
    [&given.base, &given.primary, &given.secondary]
}

fn buried_up_to(given: &Triple) -> u32 {
    let dead = sides(given).into_iter().filter_map(Side::tombstone);
    dead.map(|tombstone| tombstone.incarnation)
        .max()
        .unwrap_or(0)
}

/// I7: the latest life that is known anywhere and not tombstoned is in the merge.
pub(super) fn no_lost_identity(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    if given.base.is_held() {
        return Ok(());
    }
    let lives = sides(given).into_iter().filter_map(Side::live);
    let latest = lives.map(|live| live.incarnation).max().unwrap_or(0);
    let merged = merge(given).merged;
    let kept = merged.live().is_some_and(|live| live.incarnation == latest);
    ensure(latest <= buried_up_to(given) || kept, || {
        format!("incarnation {latest} is not in {merged:#?}")
    })
}

/// I8: a tombstoned life never comes back without a hold, so no device of it can connect.
pub(super) fn no_resurrection(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let merged = merge(given).merged;
    let buried = buried_up_to(given);
    let back = |live: &Live| live.incarnation <= buried && live.hold.is_none();
    ensure(!merged.live().is_some_and(back), || {
        format!("incarnation {buried} was deleted, and came back as {merged:#?}")
    })
}

/// I9: every value, tombstone and stamp of the merge stands in the base or at a hub.
pub(super) fn no_invention(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let merged = merge(given).merged;
    let stamps: Vec<_> = sides(given).into_iter().filter_map(Side::stamp).collect();
    let stamped = merged.stamp().is_none_or(|stamp| stamps.contains(&stamp));
    ensure(stamped, || format!("the stamp of {merged:#?} is new"))?;
    match &merged {
        Side::Absent => Ok(()),
        Side::Dead(_) => ensure(sides(given).contains(&&merged), || {
            format!("the tombstone {merged:#?} is new")
        }),
        Side::Live(live) => {
            let lives = sides(given).into_iter().filter_map(Side::live);
            let known: BTreeSet<(String, String)> = lives
                .filter(|known| known.incarnation == live.incarnation)
                .flat_map(|known| units(&known.record))
                .collect();
            let fresh = units(&live.record)
                .into_iter()
                .find(|unit| !known.contains(unit));
            ensure(fresh.is_none(), || {
                format!("{fresh:?} is new in {merged:#?}")
            })
        }
    }
}

/// I13: with the conflict log, everything that a hub changed can be brought back.
pub(super) fn conflict_completeness(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let key = merge(given);
    for hub in Choice::ALL {
        let restored = restore(&key.merged, &key.conflicts, *hub).map_err(|e| e.to_string())?;
        let kept = is_kept(given.at(*hub), &given.base, &restored);
        ensure(kept, || lost_text(*hub, &key, &restored))?;
    }
    Ok(())
}

fn lost_text(hub: Choice, key: &MergedKey, restored: &Side) -> String {
    format!("the {hub}'s changes are lost: {key:#?} restores {restored:#?}")
}

/// Whether all that `side` changed in `base` is in `restored`.
fn is_kept(side: &Side, base: &Side, restored: &Side) -> bool {
    match side {
        Side::Absent => true,
        Side::Dead(tombstone) => match restored {
            Side::Absent => false,
            Side::Dead(kept) => kept.incarnation >= tombstone.incarnation,
            Side::Live(kept) => kept.incarnation > tombstone.incarnation,
        },
        Side::Live(live) => {
            let base = base
                .live()
                .filter(|base| base.incarnation == live.incarnation);
            if base.is_some_and(|base| base.same(live)) {
                return true;
            }
            let restored = restored.live();
            restored.is_some_and(|kept| {
                kept.incarnation == live.incarnation && changes_are_kept(live, base, kept)
            })
        }
    }
}

fn changes_are_kept(live: &Live, base: Option<&Live>, kept: &Live) -> bool {
    let all = |live: &Live| units(&live.record).into_iter().collect::<BTreeMap<_, _>>();
    let (now, kept) = (all(live), all(kept));
    let before = base.map(all).unwrap_or_default();
    let paths: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let mut paths = paths.into_iter();
    paths.all(|path| now.get(path) == before.get(path) || kept.get(path) == now.get(path))
}

/// Everything that a record says, in the smallest parts that a merge may take apart.
fn units(record: &Record) -> Vec<(String, String)> {
    let mut units = vec![];
    for class in FieldClass::ALL {
        let value = class.value(record);
        match class {
            FieldClass::Tags | FieldClass::Desired => {
                leaves(class.as_str().to_owned(), &value, &mut units);
            }
            _ => units.push((class.as_str().to_owned(), canonical_json(&value))),
        }
    }
    units
}

/// Scalars and arrays; null members are absent, and empty objects say nothing.
fn leaves(path: String, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (name, value) in map {
                leaves(format!("{path}.{}", JsonPath::of(name)), value, out);
            }
        }
        leaf => out.push((path, canonical_json(leaf))),
    }
}
