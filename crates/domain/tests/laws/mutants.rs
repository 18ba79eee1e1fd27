//! Wrong merges, each with a mistake that somebody once thought reasonable. The laws must catch
//! every one of them, or they prove nothing.

use hubshift_domain::merge::{
    Choice, Conflict, MergedKey, Policy, Side, Triple, merge_key, restore,
};
use serde_json::json;

/// A wrong merge, and the law that it breaks.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) breaks: &'static str,
    pub(crate) merge: fn(&Triple) -> MergedKey,
}

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "everything is held",
        breaks: "L1 idempotence",
        merge: hold_everything,
    },
    Mutant {
        name: "the active hub wins",
        breaks: "L2 one-sidedness",
        merge: secondary_wins,
    },
    Mutant {
        name: "the recovered hub wins conflicts",
        breaks: "L3 symmetry",
        merge: primary_wins_conflicts,
    },
    Mutant {
        name: "a conflict reverts to the base",
        breaks: "L4 absorption",
        merge: revert_to_base,
    },
    Mutant {
        name: "a hold is written as a disabled status",
        breaks: "L4 absorption",
        merge: disable_instead_of_hold,
    },
    Mutant {
        name: "a hold is written as a disabled status",
        breaks: "L7 no resurrection",
        merge: disable_instead_of_hold,
    },
    Mutant {
        name: "absence means deleted",
        breaks: "L6 no lost identity",
        merge: absence_deletes,
    },
    Mutant {
        name: "the live one is kept",
        breaks: "L7 no resurrection",
        merge: keep_the_live_one,
    },
    Mutant {
        name: "a conflict is marked in the tags",
        breaks: "L8 no invention",
        merge: mark_conflicts,
    },
    Mutant {
        name: "conflicts are not logged",
        breaks: "L9 conflict completeness",
        merge: log_nothing,
    },
    Mutant {
        name: "the later record wins whole",
        breaks: "L9 conflict completeness",
        merge: later_record_wins,
    },
];

fn right(triple: &Triple) -> MergedKey {
    merge_key(triple, &Policy::default(), &[])
}

fn instead(triple: &Triple, key: MergedKey, merged: Side) -> MergedKey {
    MergedKey::new(triple, merged, key.conflicts)
}

fn hold_everything(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let mut merged = key.merged.clone();
    if let Side::Live(live) = &mut merged {
        live.hold = Some("all".to_owned());
    }
    instead(triple, key, merged)
}

fn secondary_wins(triple: &Triple) -> MergedKey {
    instead(triple, right(triple), triple.secondary.clone())
}

fn field_rows(key: &MergedKey) -> Vec<Conflict> {
    let rows = key.conflicts.iter().filter(|row| !row.path.is_empty());
    rows.cloned().collect()
}

fn primary_wins_conflicts(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let merged = restore(&key.merged, &field_rows(&key), Choice::Primary).unwrap();
    instead(triple, key, merged)
}

fn revert_to_base(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let rows = field_rows(&key)
        .into_iter()
        .filter(|row| row.base.is_some());
    let rows: Vec<Conflict> = rows
        .map(|row| Conflict {
            primary: row.base.clone(),
            ..row
        })
        .collect();
    let merged = restore(&key.merged, &rows, Choice::Primary).unwrap();
    instead(triple, key, merged)
}

fn disable_instead_of_hold(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let mut merged = key.merged.clone();
    if let Side::Live(live) = &mut merged
        && live.hold.take().is_some()
    {
        live.record.enabled = false;
    }
    instead(triple, key, merged)
}

fn absence_deletes(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let gone = |side: &Side| side.is_absent() && triple.base.live().is_some();
    if gone(&triple.primary) || gone(&triple.secondary) {
        return instead(triple, key, Side::Absent);
    }
    key
}

fn keep_the_live_one(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let mut merged = key.merged.clone();
    if let Side::Live(live) = &mut merged {
        live.hold = None;
    }
    instead(triple, key, merged)
}

fn mark_conflicts(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let mut merged = key.merged.clone();
    if let Side::Live(live) = &mut merged
        && !key.conflicts.is_empty()
    {
        live.record.tags.insert("conflict".to_owned(), json!(true));
    }
    instead(triple, key, merged)
}

fn log_nothing(triple: &Triple) -> MergedKey {
    let key = right(triple);
    MergedKey::new(triple, key.merged, vec![])
}

fn later_record_wins(triple: &Triple) -> MergedKey {
    let key = right(triple);
    let (Side::Live(p), Side::Live(s)) = (&triple.primary, &triple.secondary) else {
        return key;
    };
    let later = if p.stamp > s.stamp { p } else { s };
    instead(triple, key, Side::Live(later.clone()))
}
