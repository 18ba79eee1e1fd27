//! The laws that every merge of two registries keeps, as functions over any merge function, so
//! that wrong merges can be shown to break them.

mod safety;

use hubshift_domain::identity::canonical_json;
use hubshift_domain::merge::{Choice, Chosen, Conflict, MergedKey, Side, Triple, side_value};
use serde_json::{Value, json};

/// A merge of one key.
pub(crate) type Merge<'a> = dyn Fn(&Triple) -> MergedKey + 'a;

/// Says what is wrong with a merge of one triple.
pub(crate) type Law = fn(&Merge<'_>, &Triple) -> Result<(), String>;

/// All laws, by the names that the specification gives them.
pub(crate) const LAWS: &[(&str, Law)] = &[
    ("L1 idempotence", idempotence),
    ("L2 one-sidedness", one_sidedness),
    ("L3 symmetry", symmetry),
    ("L4 absorption", absorption),
    ("L6 no lost identity", safety::no_lost_identity),
    ("L7 no resurrection", safety::no_resurrection),
    ("L8 no invention", safety::no_invention),
    ("L9 conflict completeness", safety::conflict_completeness),
];

/// Checks all laws; the message names the law and the triple.
pub(crate) fn check_all(merge: &Merge<'_>, triple: &Triple) -> Result<(), String> {
    for (name, law) in LAWS {
        law(merge, triple).map_err(|what| format!("{name}: {what}\n{triple:#?}"))?;
    }
    Ok(())
}

/// A side with its stamp, as text that is equal exactly when the sides are.
pub(crate) fn text(side: &Side) -> String {
    canonical_json(&side_value(side).unwrap_or(Value::Null))
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

fn triple(base: &Side, primary: &Side, secondary: &Side) -> Triple {
    Triple {
        base: base.clone(),
        primary: primary.clone(),
        secondary: secondary.clone(),
    }
}

/// Whether a hub can have come from `base` to `side` with nothing missed: absence is never a
/// step, and neither is a life that the base already saw end.
fn follows(side: &Side, base: &Side) -> bool {
    match (base, side) {
        (Side::Absent, _) => true,
        (_, Side::Absent) => false,
        (Side::Dead(base), Side::Live(side)) => side.incarnation > base.incarnation,
        (Side::Dead(base), Side::Dead(side)) => {
            let revived = base.reason != side.reason && base.incarnation == side.incarnation;
            side.incarnation >= base.incarnation && !revived
        }
        (Side::Live(base), side) => side.incarnation() >= base.incarnation,
    }
}

fn idempotence(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let side = &given.primary;
    if !follows(side, &given.base) {
        return Ok(());
    }
    let merged = merge(&triple(&given.base, side, side));
    ensure(
        merged.merged.same(side) && merged.conflicts.is_empty(),
        || format!("equal sides became {merged:#?}"),
    )
}

fn one_sidedness(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let base = &given.base;
    if base.is_held() {
        return Ok(());
    }
    for side in [&given.primary, &given.secondary] {
        if !follows(side, base) {
            continue;
        }
        let left = merge(&triple(base, side, base));
        let right = merge(&triple(base, base, side));
        for merged in [left, right] {
            ensure(
                merged.merged.same(side) && merged.conflicts.is_empty(),
                || format!("a one-sided change to {side:#?} became {merged:#?}"),
            )?;
        }
    }
    Ok(())
}

fn symmetry(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let one = merge(given);
    let other = merge(&given.swapped());
    let rows = |key: &MergedKey, swap: bool| {
        let mut rows: Vec<String> = key
            .conflicts
            .iter()
            .map(|row| row_text(row, swap))
            .collect();
        rows.sort();
        rows
    };
    let equal = text(&one.merged) == text(&other.merged)
        && one.on_primary == other.on_secondary
        && one.on_secondary == other.on_primary
        && one.withheld == other.withheld
        && rows(&one, false) == rows(&other, true);
    ensure(equal, || format!("swapped: {one:#?}\n{other:#?}"))
}

fn row_text(row: &Conflict, swap: bool) -> String {
    let mut row = row.clone();
    if swap {
        std::mem::swap(&mut row.primary, &mut row.secondary);
        std::mem::swap(&mut row.stamps.primary, &mut row.stamps.secondary);
        row.chosen = match row.chosen {
            Chosen::Primary => Chosen::Secondary,
            Chosen::Secondary => Chosen::Primary,
            other => other,
        };
    }
    canonical_json(&json!(row))
}

/// Applied at one hub only, the merge comes out the same again: with its own stamp, or with the
/// stamp that the hub had before. Applied everywhere, it stays.
fn absorption(merge: &Merge<'_>, given: &Triple) -> Result<(), String> {
    let base = &given.base;
    let first = merge(given);
    if base.is_held() || first.withheld {
        return Ok(());
    }
    let merged = &first.merged;
    for hub in Choice::ALL {
        let again = merge(&applied(given, *hub, merged)).merged;
        ensure(text(&again) == text(merged), || {
            format!("applied at the {hub}: {merged:#?} became {again:#?}")
        })?;
        let old = restamped(merged, given.at(*hub));
        let again = merge(&applied(given, *hub, &old)).merged;
        ensure(again.same(merged), || {
            format!("applied at the {hub} with its old stamp: {merged:#?} became {again:#?}")
        })?;
    }
    let settled = merge(&triple(merged, merged, merged)).merged;
    ensure(text(&settled) == text(merged), || {
        format!("{merged:#?} became {settled:#?}")
    })
}

fn applied(given: &Triple, hub: Choice, merged: &Side) -> Triple {
    match hub {
        Choice::Primary => triple(&given.base, merged, &given.secondary),
        Choice::Secondary => triple(&given.base, &given.primary, merged),
    }
}

fn restamped(side: &Side, like: &Side) -> Side {
    let mut side = side.clone();
    if let Some(stamp) = like.stamp() {
        match &mut side {
            Side::Absent => {}
            Side::Live(live) => live.stamp = stamp.clone(),
            Side::Dead(tombstone) => tombstone.stamp = stamp.clone(),
        }
    }
    side
}
