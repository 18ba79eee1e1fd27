//! Merge of one device: whether it exists after the merge, as which incarnation, and held or not.
//!
//! ```text
//! open hold in the base ──▶ nothing is written, unless both hubs agree
//! latest life, by incarnation, over base and both hubs:
//!   known only to the base ──▶ restored, under a hold        (absence is no deletion)
//!   older than a tombstone ──▶ deleted                       (it was superseded)
//!   as old as a tombstone  ──▶ deleted if verified, revoked or unchanged, else held
//!   newer than all tombstones ▶ it lives: fields of equal incarnations are merged
//! ```
//!
//! A tombstoned incarnation is never live without a hold (I8), and no other one is lost (I7).

use super::conflict::{Chosen, Conflict, ConflictKind, ConflictState, MergedKey};
use super::fields::Fields;
use super::limits::check_limits;
use super::policy::{Policy, Rule};
use super::side::{Choice, Live, Side, Tombstone, TombstoneReason, Triple, hold_id};
use super::{Resolution, resolution_at};
use crate::identity::Incarnation;

/// Merges one device: a pure function of what is known, the policy and the operator's decisions.
pub fn merge_key(triple: &Triple, policy: &Policy, resolutions: &[Resolution]) -> MergedKey {
    if let Some(choice) = resolution_at(resolutions, "") {
        return take_whole(triple, choice);
    }
    if triple.base.is_held() {
        return keep_held(triple);
    }
    let (merged, conflicts) = settle(triple, policy, resolutions);
    let illegal = check_limits(triple, &merged, policy);
    let key = MergedKey::new(triple, merged, conflicts);
    if illegal.is_empty() {
        return key;
    }
    key.withhold(illegal)
}

/// An operator chose one hub's side of the whole record. What lives then is the latest life that is
/// known, whosever record it has: a later one is at the other hub already, and no hub goes back.
pub(super) fn take_whole(triple: &Triple, choice: Choice) -> MergedKey {
    let merged = match triple.at(choice) {
        Side::Live(live) => Side::Live(Live {
            incarnation: latest_life(triple),
            hold: None,
            ..live.clone()
        }),
        Side::Dead(_) | Side::Absent => buried(triple),
    };
    let kind = kind_of_whole(triple);
    let row = Conflict::whole(triple, kind, Chosen::from(choice), Rule::Operator);
    if merged.same(&triple.primary) && merged.same(&triple.secondary) {
        return MergedKey::new(triple, merged, vec![]);
    }
    MergedKey::new(
        triple,
        merged,
        vec![row.with_state(ConflictState::Resolved)],
    )
}

/// The latest life of the device that anybody knows of, over or not.
fn latest_life(triple: &Triple) -> Incarnation {
    let others = triple
        .primary
        .incarnation()
        .max(triple.secondary.incarnation());
    triple.base.incarnation().max(others)
}

/// The tombstone of everything that is known; nothing if nothing is.
fn buried(triple: &Triple) -> Side {
    let sides = [&triple.base, &triple.primary, &triple.secondary];
    let incarnation = latest_life(triple);
    let stamp = sides.iter().filter_map(|side| side.stamp()).max();
    let revoked = triple
        .tombstone()
        .is_some_and(|tombstone| tombstone.reason == TombstoneReason::Revoked);
    match stamp {
        Some(stamp) => Side::Dead(Tombstone {
            incarnation,
            stamp: stamp.clone(),
            reason: match revoked {
                true => TombstoneReason::Revoked,
                false => TombstoneReason::Deleted,
            },
        }),
        None => Side::Absent,
    }
}

fn kind_of_whole(triple: &Triple) -> ConflictKind {
    match (&triple.primary, &triple.secondary) {
        (Side::Live(a), Side::Live(b)) if a.incarnation != b.incarnation => ConflictKind::Recreated,
        (Side::Live(_), Side::Live(_)) if triple.base.live().is_none() => {
            ConflictKind::CreateCreate
        }
        (Side::Live(_), Side::Live(_)) => ConflictKind::FieldConflict,
        (Side::Dead(_), _) | (_, Side::Dead(_)) => ConflictKind::DeleteModify,
        (Side::Absent, _) | (_, Side::Absent) => ConflictKind::ModifyMissing,
    }
}

/// A device whose hold is open isn't merged again: that would depend on how far an earlier merge
/// was applied. Only what both hubs already agree on is taken.
fn keep_held(triple: &Triple) -> MergedKey {
    let (primary, secondary) = (&triple.primary, &triple.secondary);
    if !primary.is_absent() && primary.same(secondary) {
        let agreed = match primary.stamp() >= secondary.stamp() {
            true => primary.clone(),
            false => secondary.clone(),
        };
        return MergedKey::new(triple, agreed, vec![]);
    }
    let kind = ConflictKind::LateChange;
    let row = Conflict::whole(triple, kind, Chosen::Neither, Rule::OpenHold);
    MergedKey::new(triple, triple.base.clone(), vec![])
        .withhold(vec![row.with_state(ConflictState::Held)])
}

fn settle(triple: &Triple, policy: &Policy, resolutions: &[Resolution]) -> (Side, Vec<Conflict>) {
    let tombstone = triple.tombstone();
    let buried_up_to = tombstone.map_or(0, |tombstone| tombstone.incarnation);
    let latest = latest_at_hubs(triple);
    if let Some(base) = triple.base.live()
        && base.incarnation > buried_up_to.max(latest)
    {
        return restore_base(triple, base);
    }
    match tombstone {
        _ if latest > buried_up_to => survive(triple, latest, policy, resolutions),
        Some(tombstone) if latest > 0 => bury(triple, tombstone, latest),
        Some(tombstone) => (Side::Dead(tombstone.clone()), vec![]),
        None => (Side::Absent, vec![]),
    }
}

fn latest_at_hubs(triple: &Triple) -> Incarnation {
    let hubs = [&triple.primary, &triple.secondary];
    let lives = hubs.into_iter().filter_map(Side::live);
    lives.map(|live| live.incarnation).max().unwrap_or(0)
}

/// What both hubs once had is at neither, and nobody deleted it: it comes back, held.
fn restore_base(triple: &Triple, base: &Live) -> (Side, Vec<Conflict>) {
    let merged = Live {
        hold: Some(hold_id("", base.incarnation)),
        ..base.clone()
    };
    let kind = match latest_at_hubs(triple) {
        0 => ConflictKind::ModifyMissing,
        _ => ConflictKind::Recreated,
    };
    let row = Conflict::whole(triple, kind, Chosen::Base, Rule::RestoreMissing);
    let row = row.with_state(ConflictState::Held);
    (Side::Live(merged), vec![row])
}

/// A tombstone ends every life that a hub has.
fn bury(triple: &Triple, tombstone: &Tombstone, latest: Incarnation) -> (Side, Vec<Conflict>) {
    let superseded = tombstone.incarnation > latest;
    let verified = triple
        .base
        .tombstone()
        .is_some_and(|base| base.incarnation >= latest);
    let lives = [&triple.primary, &triple.secondary];
    let lost = lives.into_iter().filter_map(Side::live);
    let changed = lost
        .filter(|live| !triple.is_unchanged(live))
        .max_by_key(|live| live.incarnation);
    let Some(changed) = changed else {
        return (Side::Dead(tombstone.clone()), vec![]);
    };
    let revoked = tombstone.reason == TombstoneReason::Revoked;
    if superseded || verified || revoked {
        let (kind, rule) = match (superseded, verified) {
            (true, _) => (ConflictKind::Recreated, Rule::HigherIncarnation),
            (false, true) => (ConflictKind::DeleteModify, Rule::VerifiedDeletion),
            (false, false) => (ConflictKind::DeleteModify, Rule::DeleteOrHold),
        };
        let row = Conflict::whole(triple, kind, owner(triple, tombstone), rule);
        return (Side::Dead(tombstone.clone()), vec![row]);
    }
    hold_changed(triple, changed)
}

/// One hub deleted what the other changed: it stays, held, until an operator decides.
fn hold_changed(triple: &Triple, changed: &Live) -> (Side, Vec<Conflict>) {
    let hold = hold_id("", changed.incarnation);
    let merged = Live {
        hold: Some(changed.hold.clone().unwrap_or(hold)),
        ..changed.clone()
    };
    let chosen = match triple.primary.live() {
        Some(_) => Chosen::Primary,
        None => Chosen::Secondary,
    };
    let row = Conflict::whole(
        triple,
        ConflictKind::DeleteModify,
        chosen,
        Rule::DeleteOrHold,
    );
    (
        Side::Live(merged),
        vec![row.with_state(ConflictState::Held)],
    )
}

/// Whose tombstone it is. Hubs come first: what both know is not the base's alone.
fn owner(triple: &Triple, tombstone: &Tombstone) -> Chosen {
    let is_at = |side: &Side| side.tombstone() == Some(tombstone);
    match (is_at(&triple.primary), is_at(&triple.secondary)) {
        (true, false) => Chosen::Primary,
        (false, true) => Chosen::Secondary,
        _ => Chosen::Base,
    }
}

/// The latest life lives on; fields are merged when both hubs have it.
fn survive(
    triple: &Triple,
    latest: Incarnation,
    policy: &Policy,
    resolutions: &[Resolution],
) -> (Side, Vec<Conflict>) {
    let latest_of = |side| Side::live(side).filter(|live| live.incarnation == latest);
    let base = latest_of(&triple.base);
    match (latest_of(&triple.primary), latest_of(&triple.secondary)) {
        (Some(primary), Some(secondary)) => {
            let fields = Fields {
                triple,
                policy,
                resolutions,
                primary,
                secondary,
                base,
                conflicts: vec![],
                raised: None,
            };
            let (live, conflicts) = fields.merge();
            (Side::Live(live), conflicts)
        }
        (Some(live), None) => alone(triple, live, Choice::Primary, &triple.secondary, base),
        (None, Some(live)) => alone(triple, live, Choice::Secondary, &triple.primary, base),
        (None, None) => (Side::Absent, vec![]),
    }
}

/// Only one hub has the latest life: it is taken as it is, the other's older one is logged.
fn alone(
    triple: &Triple,
    live: &Live,
    choice: Choice,
    other: &Side,
    base: Option<&Live>,
) -> (Side, Vec<Conflict>) {
    let reason = match other {
        Side::Absent if base.is_some() => Some((ConflictKind::ModifyMissing, Rule::RestoreMissing)),
        Side::Live(old) if !triple.is_unchanged(old) => {
            Some((ConflictKind::Recreated, Rule::HigherIncarnation))
        }
        Side::Absent | Side::Live(_) | Side::Dead(_) => None,
    };
    let row = |(kind, rule)| Conflict::whole(triple, kind, Chosen::from(choice), rule);
    let conflicts = reason.map(row).into_iter().collect();
    (Side::Live(live.clone()), conflicts)
}
