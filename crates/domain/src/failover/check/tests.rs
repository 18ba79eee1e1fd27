//! Which facts stop which move.

use super::*;
use crate::sketch::Count;

fn polling(number: u64) -> Coverage {
    let error_percent = 0.0;
    Coverage::new(
        1_000,
        Count {
            number,
            error_percent,
        },
    )
}

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
        superseded: None,
        epoch_forgotten: false,
        replication: Some(ReplicationFacts {
            source: Some(hub.clone()),
            target: Some(hub),
        }),
        merge: Some(MergeFacts::default()),
        max_staleness: Duration::from_secs(300),
        merge_debts: vec![],
        fence_debts: vec![],
        coverage: polling(1_000),
        observers: ObserverFacts::default(),
    }
}

fn warnings(facts: &Facts) -> Vec<Check> {
    let mut checks = precheck(facts);
    checks.retain(|check| check.verdict == Verdict::Warn);
    checks
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
fn what_cannot_carry_over_is_named_and_stops_nothing() {
    let mut facts = good(Kind::Planned);
    let replication = facts.replication.as_mut().unwrap();
    let target = replication.target.as_mut().unwrap();
    target.left_out_count = 2;
    target.left_out = vec!["d/m (DEVICE_DISABLED)".into(), "e (PARENT_MISSING)".into()];
    let checks = precheck(&facts);
    assert!(!is_blocked(&checks, false));
    let warned = checks.iter().find(|check| check.verdict == Verdict::Warn);
    let warned = warned.unwrap();
    assert_eq!(warned.check, "carries_over");
    assert!(warned.detail.contains("2 records"), "{}", warned.detail);
    assert!(
        warned.detail.contains("e (PARENT_MISSING)"),
        "{}",
        warned.detail
    );
}

#[test]
fn who_will_not_move_is_told_before_and_stops_nothing() {
    for kind in Kind::ALL {
        let facts = Facts {
            coverage: polling(700),
            ..good(*kind)
        };
        let found = warnings(&facts);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].check, "coverage");
        let text = "700 of 1,000 poll; 300 will not move by themselves";
        assert!(found[0].detail.starts_with(text), "{}", found[0].detail);
        assert!(blocking(&facts).is_empty());
    }
}

#[test]
fn a_target_that_looks_dead_from_somewhere_is_named_and_stops_nothing() {
    let facts = Facts {
        observers: ObserverFacts {
            tally: Tally { alive: 1, dead: 2 },
            dead: vec!["east (connect timed out)".into(), "north".into()],
        },
        ..good(Kind::Planned)
    };
    let found = warnings(&facts);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0].detail,
        "1 of 3 concierges reach the target as devices do; dead from east (connect timed out), north"
    );
    assert!(blocking(&facts).is_empty());
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
fn a_target_that_can_not_take_over_is_refused_whatever_an_operator_says() {
    for state in HubState::ALL {
        let checks = precheck(&Facts {
            target_state: *state,
            ..good(Kind::Forced)
        });
        let may = matches!(
            state,
            HubState::Ready | HubState::Syncing | HubState::Quarantined
        );
        assert_eq!(is_blocked(&checks, true), !may, "{state}");
        assert_eq!(
            is_blocked(&checks, false),
            *state != HubState::Ready,
            "{state}"
        );
    }
}

#[test]
fn a_move_that_takes_over_may_go_back_to_the_hub_that_was_left() {
    for state in [HubState::Draining, HubState::Fenced] {
        let back = Facts {
            target_state: state,
            registry_mode: RegistryMode::Settling,
            superseded: Some(Step::Settle),
            ..good(Kind::Forced)
        };
        assert!(blocking(&back).is_empty(), "{state}");
        let alone = Facts {
            superseded: None,
            ..back
        };
        let blocks = ["registry_open", "target_standby", "target_ready"];
        assert_eq!(blocking(&alone), blocks, "{state}");
        assert!(is_blocked(&precheck(&alone), true), "{state}");
    }
}

#[test]
fn a_quarantined_hub_is_a_target_only_for_a_forced_move_that_overrides() {
    let quarantined = |kind| Facts {
        target_state: HubState::Quarantined,
        ..good(kind)
    };
    let forced = precheck(&quarantined(Kind::Forced));
    assert!(is_blocked(&forced, false) && !is_blocked(&forced, true));
    assert!(is_blocked(&precheck(&quarantined(Kind::Planned)), true));
}

#[test]
fn a_new_epoch_begins_at_the_active_hub_only_to_recover_a_forgotten_one() {
    let stays = |epoch_forgotten| Facts {
        target_state: HubState::Active,
        epoch_forgotten,
        ..good(Kind::Forced)
    };
    assert!(is_blocked(&precheck(&stays(false)), true));
    assert!(is_blocked(&precheck(&stays(true)), false));
    assert!(!is_blocked(&precheck(&stays(true)), true));
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

#[test]
fn a_hub_that_is_shut_out_takes_nobody_whatever_an_operator_says() {
    let mut facts = good(Kind::Forced);
    let replication = facts.replication.as_mut().unwrap();
    replication.target.as_mut().unwrap().is_fenced = true;
    assert_eq!(blocking(&facts), ["target_open"]);
    assert!(is_blocked(&precheck(&facts), true));
}

#[test]
fn calls_whose_authority_outlives_them_are_named_and_stop_nothing() {
    for is_source in [true, false] {
        let mut facts = good(Kind::Forced);
        let replication = facts.replication.as_mut().unwrap();
        let hub = if is_source {
            &mut replication.source
        } else {
            &mut replication.target
        };
        hub.as_mut().unwrap().authority_outlives_call = true;
        let checks = precheck(&facts);
        let warnings = checks.iter().filter(|check| check.verdict == Verdict::Warn);
        let warnings: Vec<&str> = warnings.map(|check| check.check.as_str()).collect();
        assert_eq!(warnings, ["call_authority"]);
        assert!(!is_blocked(&checks, false));
    }
}

#[test]
fn only_a_forced_move_has_a_loss_window_to_close() {
    assert_eq!(
        fence_words(Kind::Forced, false),
        "none, loss window stays open"
    );
    assert_eq!(
        fence_words(Kind::Forced, true),
        "hard, by the management plane"
    );
    assert_eq!(fence_words(Kind::Planned, true), "none");
}
