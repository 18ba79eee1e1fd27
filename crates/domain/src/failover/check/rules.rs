//! One function per check: what it looks at, how it comes out, and what to do next.

use super::{Check, Facts, Verdict};
use crate::failover::Kind;
use crate::hub_state::{HubState, RegistryMode};

fn found(check: &str, verdict: Verdict, detail: impl Into<String>) -> Check {
    Check {
        check: check.to_owned(),
        verdict,
        can_override: true,
        detail: detail.into(),
    }
}

fn pass(check: &str, detail: impl Into<String>) -> Check {
    found(check, Verdict::Pass, detail)
}

fn block(check: &str, detail: impl Into<String>) -> Check {
    found(check, Verdict::Block, detail)
}

/// Stops a move that must lose nothing; a forced one is only warned.
fn block_unless_forced(facts: &Facts, check: &str, detail: impl Into<String>) -> Check {
    let verdict = if facts.kind == Kind::Forced {
        Verdict::Warn
    } else {
        Verdict::Block
    };
    found(check, verdict, detail)
}

pub(super) fn registry_open(facts: &Facts) -> Check {
    match facts.registry_mode {
        RegistryMode::Open => pass("registry_open", "the registry takes writes"),
        RegistryMode::Settling if facts.superseded.is_some() => pass(
            "registry_open",
            "the registry is closed by the move that this one takes over from",
        ),
        mode => block(
            "registry_open",
            format!("the registry is {mode}; wait until the move before is through"),
        ),
    }
}

pub(super) fn epoch_known(facts: &Facts) -> Check {
    if !facts.epoch_forgotten {
        return pass(
            "epoch_known",
            "nobody knows a higher epoch than the database",
        );
    }
    let detail = "a concierge or a device knows a higher epoch than the database, which was \
                  restored or promoted; a forced move that overrides this starts a higher one";
    block("epoch_known", detail)
}

pub(super) fn target_standby(facts: &Facts) -> Check {
    match facts.target_state {
        HubState::Ready | HubState::Syncing => pass("target_standby", "the target is a standby"),
        _ if facts.is_way_back() => pass(
            "target_standby",
            "the target reigned until the move that this one takes over from",
        ),
        HubState::Active if facts.kind == Kind::Forced && facts.epoch_forgotten => block(
            "target_standby",
            "the fleet is there already; a new epoch begins at it, above every one that was \
             served, and every other hub must be merged; override this only when devices are \
             attached there",
        ),
        HubState::Quarantined if facts.kind == Kind::Forced => block(
            "target_standby",
            "the target is quarantined: it may hold changes that were never merged, and it lacks \
             what came after it was lost; override this only when no other hub answers: \
             journaled writes are repeated at it, the rest waits for the merge with the hub that \
             is left",
        ),
        state => Check {
            can_override: false,
            ..block(
                "target_standby",
                format!("the target is {state}; only a ready or syncing standby can take over"),
            )
        },
    }
}

pub(super) fn target_ready(facts: &Facts) -> Check {
    if facts.target_state == HubState::Ready {
        return pass(
            "target_ready",
            "the target was verified equal in this epoch",
        );
    }
    if facts.is_way_back() {
        let detail = "the target was the authority until the epoch moved; journaled writes since \
                      then are repeated at it";
        return found("target_ready", Verdict::Warn, detail);
    }
    let detail = "the target was not verified equal in this epoch; run `hubshift sync run` and \
                  `hubshift sync verify`";
    block("target_ready", detail)
}

/// A hub that is shut out takes no devices. The commit looks at this once more, while no order to shut
/// it can be given.
pub(super) fn target_open(facts: &Facts) -> Check {
    let target = facts
        .replication
        .as_ref()
        .and_then(|found| found.target.as_ref());
    if !target.is_some_and(|hub| hub.is_fenced) {
        return pass("target_open", "no hard fence shuts the target out");
    }
    Check {
        can_override: false,
        ..block(
            "target_open",
            "the target is shut out by a hard fence; `hubshift hub unfence` opens it, then give \
             registry-sync its new connection string",
        )
    }
}

pub(super) fn answers(facts: &Facts, check: &str) -> Check {
    let Some(replication) = &facts.replication else {
        return block(check, "registry-sync does not answer; see that it runs");
    };
    let target = check == "target_answers";
    match if target {
        &replication.target
    } else {
        &replication.source
    } {
        None => block(check, "registry-sync has no connection to the hub; set one"),
        Some(hub) if hub.reachable => pass(check, "its last call was answered"),
        Some(hub) if target => block(
            check,
            format!("the hub does not answer: {}", hub.last_error),
        ),
        Some(hub) => block(
            check,
            format!(
                "the hub does not answer: {}; if it is gone, force the move",
                hub.last_error
            ),
        ),
    }
}

pub(super) fn staleness(facts: &Facts) -> Check {
    let target = facts
        .replication
        .as_ref()
        .and_then(|found| found.target.as_ref());
    let Some(staleness) = target.and_then(|hub| hub.staleness) else {
        return block(
            "staleness",
            "the target is not known to have been complete at any time",
        );
    };
    let (seconds, limit) = (staleness.as_secs(), facts.max_staleness.as_secs());
    if staleness <= facts.max_staleness {
        return pass(
            "staleness",
            format!("complete {seconds} s ago, at most {limit} s is allowed"),
        );
    }
    block_unless_forced(
        facts,
        "staleness",
        format!("complete {seconds} s ago, at most {limit} s is allowed; run `hubshift sync run`"),
    )
}

pub(super) fn replication(facts: &Facts) -> Check {
    let target = facts
        .replication
        .as_ref()
        .and_then(|found| found.target.as_ref());
    match target.map(|hub| hub.blocked.as_str()).unwrap_or_default() {
        "" => pass(
            "replication_runs",
            "replication to the target is not stopped",
        ),
        why => block_unless_forced(
            facts,
            "replication_runs",
            format!("replication to the target stopped: {why}"),
        ),
    }
}

/// How many of those that cannot carry over are named.
const NAMED: usize = 10;

/// A move does not wait for what its target cannot take; who orders it is to know what that is.
pub(super) fn carries_over(facts: &Facts) -> Check {
    let target = facts
        .replication
        .as_ref()
        .and_then(|found| found.target.as_ref());
    let Some(hub) = target.filter(|hub| hub.left_out_count > 0) else {
        return pass(
            "carries_over",
            "nothing is known that the target cannot take",
        );
    };
    let named: Vec<&str> = hub
        .left_out
        .iter()
        .map(String::as_str)
        .take(NAMED)
        .collect();
    let detail = format!(
        "{} records stay behind as they are: {}; enable the devices of modules, and give children a \
         parent that is there or none",
        hub.left_out_count,
        named.join(", ")
    );
    found("carries_over", Verdict::Warn, detail)
}

/// Who will not move is told before the move. It stops nobody: a device that does not ask stays where
/// it is, whatever is done.
pub(super) fn coverage(facts: &Facts) -> Check {
    let text = facts.coverage.text();
    if facts.coverage.is_good() {
        return pass("coverage", text);
    }
    let detail =
        format!("{text}; after the move `hubshift fleet stragglers` names those left behind");
    found("coverage", Verdict::Warn, detail)
}

/// What the concierges see is for people: it warns, and stops nothing.
pub(super) fn target_seen(facts: &Facts) -> Check {
    let observers = &facts.observers;
    let (alive, all) = (observers.tally.alive, observers.tally.observers());
    match observers.dead.as_slice() {
        [] if all == 0 => pass(
            "target_seen",
            "no concierge has looked at the target lately",
        ),
        [] => pass(
            "target_seen",
            format!("{alive} of {all} concierges reach the target as devices do"),
        ),
        dead => found(
            "target_seen",
            Verdict::Warn,
            format!(
                "{alive} of {all} concierges reach the target as devices do; dead from {}",
                dead.join(", ")
            ),
        ),
    }
}

pub(super) fn open_holds(facts: &Facts) -> Check {
    match &facts.merge {
        None => block_unless_forced(
            facts,
            "open_holds",
            "merge does not answer; see that it runs",
        ),
        Some(merge) if merge.open_holds == 0 => pass("open_holds", "no conflict holds a device"),
        Some(merge) => block_unless_forced(
            facts,
            "open_holds",
            format!("{} conflicts hold devices; resolve them", merge.open_holds),
        ),
    }
}

pub(super) fn active_merge(facts: &Facts) -> Check {
    match facts
        .merge
        .as_ref()
        .map(|merge| merge.active_merge.as_str())
    {
        None => block_unless_forced(facts, "no_merge", "merge does not answer; see that it runs"),
        Some("") => pass("no_merge", "no merge is under way"),
        Some(name) => block_unless_forced(
            facts,
            "no_merge",
            format!("{name} is not over; apply it first"),
        ),
    }
}

/// Settling waits for the deadline of every call. That is the end of a call only where its authority
/// ends with it.
pub(super) fn call_authority(facts: &Facts) -> Check {
    let replication = facts.replication.iter();
    let mut hubs = replication.flat_map(|found| found.source.iter().chain(&found.target));
    if !hubs.any(|hub| hub.authority_outlives_call) {
        return pass(
            "call_authority",
            "what authorises a call ends with its deadline",
        );
    }
    let detail = "what authorises calls to a hub stays good after their deadline, as a bearer token \
                  does: one that was given up, and that something on the way kept, may land after \
                  settling; a hard fence shuts that out at the old hub, a shared access policy's key \
                  at both";
    found("call_authority", Verdict::Warn, detail)
}

pub(super) fn merge_debts(facts: &Facts) -> Check {
    if facts.merge_debts.is_empty() {
        return pass("merge_debts", "no hub must be merged");
    }
    let hubs = facts.merge_debts.join(", ");
    let detail = format!("{hubs} must be merged (MERGE_REQUIRED); run `hubshift merge plan`");
    // A planned move between two other hubs does not touch the hub that waits.
    let verdict = match facts.kind {
        Kind::Failback => Verdict::Block,
        Kind::Planned | Kind::Forced => Verdict::Warn,
    };
    found("merge_debts", verdict, detail)
}

pub(super) fn fence_debts(facts: &Facts) -> Check {
    if facts.fence_debts.is_empty() {
        return pass("fence_debts", "no hub must be shut out");
    }
    let hubs = facts.fence_debts.join(", ");
    let detail = format!("{hubs} is not provably shut out (FENCE_REQUIRED)");
    found("fence_debts", Verdict::Warn, detail)
}

pub(super) fn target_home(facts: &Facts) -> Check {
    if facts.target_is_home {
        return pass("target_home", "the target is the fleet's home");
    }
    block(
        "target_home",
        "the target is not the fleet's home; use a planned move",
    )
}
