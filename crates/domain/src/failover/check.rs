//! The findings before a move: what passes, what warns, what stops it.
//!
//! A pure function of the facts. A forced move may override what blocks, except what would make
//! the move meaningless: a target that is not a standby, or the same hub.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Kind;
use crate::hub_state::{HubState, RegistryMode, named};

named!(
    /// How a check comes out.
    Verdict {
        /// Good.
        Pass = "pass",
        /// Not good, and no reason to stop.
        Warn = "warn",
        /// The move does not start.
        Block = "block",
    }
);

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its stable name, `target_ready`.
    pub check: String,
    /// How it came out.
    pub verdict: Verdict,
    /// Whether an operator of a forced move may go on although it blocks.
    pub can_override: bool,
    /// For a person, with what to do next.
    pub detail: String,
}

/// What replication knows of one hub.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HubFacts {
    /// Whether its last call was answered.
    pub reachable: bool,
    /// Why not.
    pub last_error: String,
    /// Since when the hub is known to hold everything; `None` when it never did.
    pub staleness: Option<Duration>,
    /// Journaled writes that it is not known to hold.
    pub pending: u64,
    /// Why replication to it stopped; empty when it did not.
    pub blocked: String,
}

/// What replication knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplicationFacts {
    /// The hub to move from; `None` without a connection.
    pub source: Option<HubFacts>,
    /// The hub to move to; `None` without a connection.
    pub target: Option<HubFacts>,
}

/// What merging knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MergeFacts {
    /// Conflicts that hold a device.
    pub open_holds: u64,
    /// A merge that is not over; empty for none.
    pub active_merge: String,
}

/// What the findings are made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// What kind of move.
    pub kind: Kind,
    /// What the target is to the fleet.
    pub target_state: HubState,
    /// Whether the target is where the fleet is at home.
    pub target_is_home: bool,
    /// Whether the registry takes writes.
    pub registry_mode: RegistryMode,
    /// Whether somebody knows a higher epoch than the database.
    pub epoch_forgotten: bool,
    /// `None` when registry-sync does not answer.
    pub replication: Option<ReplicationFacts>,
    /// `None` when merge does not answer.
    pub merge: Option<MergeFacts>,
    /// How stale a target may be.
    pub max_staleness: Duration,
    /// Hubs with an unpaid `MERGE_REQUIRED`.
    pub merge_debts: Vec<String>,
    /// Hubs with an unpaid `FENCE_REQUIRED`.
    pub fence_debts: Vec<String>,
}

/// Every finding, in a fixed order.
pub fn precheck(facts: &Facts) -> Vec<Check> {
    let mut checks = vec![
        registry_open(facts),
        epoch_known(facts),
        target_standby(facts),
        target_ready(facts),
        answers(facts, "target_answers"),
    ];
    if facts.kind.has_source() {
        checks.push(answers(facts, "source_answers"));
    }
    checks.extend([
        staleness(facts),
        replication(facts),
        open_holds(facts),
        active_merge(facts),
    ]);
    checks.extend([merge_debts(facts), fence_debts(facts)]);
    if facts.kind == Kind::Failback {
        checks.push(target_home(facts));
    }
    checks
}

/// Whether the findings stop the move. `overridden`: the operator of a forced move said to go on.
pub fn is_blocked(checks: &[Check], overridden: bool) -> bool {
    let stops = |check: &&Check| !(overridden && check.can_override);
    checks
        .iter()
        .filter(|check| check.verdict == Verdict::Block)
        .any(|check| stops(&check))
}

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

fn registry_open(facts: &Facts) -> Check {
    match facts.registry_mode {
        RegistryMode::Open => pass("registry_open", "the registry takes writes"),
        mode => block(
            "registry_open",
            format!("the registry is {mode}; wait until the move before is through"),
        ),
    }
}

fn epoch_known(facts: &Facts) -> Check {
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

fn target_standby(facts: &Facts) -> Check {
    match facts.target_state {
        HubState::Ready | HubState::Syncing => pass("target_standby", "the target is a standby"),
        state => Check {
            can_override: false,
            ..block(
                "target_standby",
                format!("the target is {state}; only a ready or syncing standby can take over"),
            )
        },
    }
}

fn target_ready(facts: &Facts) -> Check {
    if facts.target_state == HubState::Ready {
        return pass(
            "target_ready",
            "the target was verified equal in this epoch",
        );
    }
    let detail = "the target was not verified equal in this epoch; run `hubshift sync run` and \
                  `hubshift sync verify`";
    block("target_ready", detail)
}

fn answers(facts: &Facts, check: &str) -> Check {
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

fn staleness(facts: &Facts) -> Check {
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

fn replication(facts: &Facts) -> Check {
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

fn open_holds(facts: &Facts) -> Check {
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

fn active_merge(facts: &Facts) -> Check {
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

fn merge_debts(facts: &Facts) -> Check {
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

fn fence_debts(facts: &Facts) -> Check {
    if facts.fence_debts.is_empty() {
        return pass("fence_debts", "no hub must be shut out");
    }
    let hubs = facts.fence_debts.join(", ");
    let detail = format!("{hubs} is not provably shut out (FENCE_REQUIRED)");
    found("fence_debts", Verdict::Warn, detail)
}

fn target_home(facts: &Facts) -> Check {
    if facts.target_is_home {
        return pass("target_home", "the target is the fleet's home");
    }
    block(
        "target_home",
        "the target is not the fleet's home; use a planned move",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(kind: Kind) -> Facts {
        let hub = HubFacts {
            reachable: true,
            staleness: Some(Duration::from_secs(3)),
            ..HubFacts::default()
        };
        Facts {
            kind,
            target_state: HubState::Ready,
            target_is_home: true,
            registry_mode: RegistryMode::Open,
            epoch_forgotten: false,
            replication: Some(ReplicationFacts {
                source: Some(hub.clone()),
                target: Some(hub),
            }),
            merge: Some(MergeFacts::default()),
            max_staleness: Duration::from_secs(300),
            merge_debts: vec![],
            fence_debts: vec![],
        }
    }

    fn blocking(facts: &Facts) -> Vec<String> {
        let blocks = |check: &Check| check.verdict == Verdict::Block;
        precheck(facts)
            .into_iter()
            .filter(blocks)
            .map(|check| check.check)
            .collect()
    }

    #[test]
    fn good_facts_block_nothing() {
        for kind in Kind::ALL {
            let checks = precheck(&good(*kind));
            assert!(
                checks.iter().all(|check| check.verdict == Verdict::Pass),
                "{checks:?}"
            );
            assert!(!is_blocked(&checks, false));
        }
    }

    #[test]
    fn a_dead_source_blocks_a_planned_move_and_no_forced_one() {
        let kill = |mut facts: Facts| {
            facts.replication.as_mut().unwrap().source = Some(HubFacts::default());
            blocking(&facts)
        };
        assert_eq!(kill(good(Kind::Planned)), ["source_answers"]);
        assert!(kill(good(Kind::Forced)).is_empty());
    }

    #[test]
    fn an_unpaid_merge_keeps_the_fleet_from_home() {
        let owing = |kind| Facts {
            merge_debts: vec!["east".into()],
            ..good(kind)
        };
        assert_eq!(blocking(&owing(Kind::Failback)), ["merge_debts"]);
        assert!(blocking(&owing(Kind::Forced)).is_empty());
    }

    #[test]
    fn a_failback_goes_home_alone() {
        let facts = Facts {
            target_is_home: false,
            ..good(Kind::Failback)
        };
        assert_eq!(blocking(&facts), ["target_home"]);
        assert!(
            blocking(&Facts {
                kind: Kind::Planned,
                ..facts
            })
            .is_empty()
        );
    }

    #[test]
    fn nobody_can_override_a_target_that_is_no_standby() {
        for state in HubState::ALL {
            let checks = precheck(&Facts {
                target_state: *state,
                ..good(Kind::Forced)
            });
            let standby = matches!(state, HubState::Ready | HubState::Syncing);
            assert_eq!(is_blocked(&checks, true), !standby, "{state}");
            assert_eq!(
                is_blocked(&checks, false),
                *state != HubState::Ready,
                "{state}"
            );
        }
    }

    #[test]
    fn silent_services_block_what_must_lose_nothing() {
        let silent = |kind| Facts {
            replication: None,
            merge: None,
            ..good(kind)
        };
        let planned = blocking(&silent(Kind::Planned));
        let expected = [
            "target_answers",
            "source_answers",
            "staleness",
            "open_holds",
            "no_merge",
        ];
        assert_eq!(planned, expected);
        assert_eq!(
            blocking(&silent(Kind::Forced)),
            ["target_answers", "staleness"]
        );
        assert!(!is_blocked(&precheck(&silent(Kind::Forced)), true));
    }

    #[test]
    fn a_stale_target_blocks_a_planned_move() {
        let facts = Facts {
            max_staleness: Duration::from_secs(2),
            ..good(Kind::Planned)
        };
        assert_eq!(blocking(&facts), ["staleness"]);
    }
}
