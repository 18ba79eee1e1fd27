//! The table of steps, written out once more by hand.

use super::*;

fn walk(kind: Kind, source_needs_merge: bool) -> Vec<&'static str> {
    let mut steps = vec![Step::FIRST];
    while let Some(step) = next(kind, steps[steps.len() - 1], source_needs_merge) {
        steps.push(step);
    }
    steps.into_iter().map(Step::as_str).collect()
}

const ALL: [&str; 14] = [
    "precheck",
    "snapshot",
    "freeze",
    "drain",
    "verify",
    "commit",
    "publish",
    "settle",
    "replay",
    "fence",
    "open",
    "observe",
    "reverse_sync",
    "close",
];

#[test]
fn a_planned_move_and_a_failback_have_every_step() {
    assert_eq!(walk(Kind::Planned, false), ALL);
    assert_eq!(walk(Kind::Failback, false), ALL);
}

#[test]
fn a_forced_move_asks_nothing_of_the_source() {
    let expected = [
        "precheck", "snapshot", "commit", "publish", "settle", "replay", "fence", "open",
        "observe", "close",
    ];
    assert_eq!(walk(Kind::Forced, false), expected);
    assert_eq!(walk(Kind::Forced, true), expected);
}

#[test]
fn a_source_that_must_be_merged_is_not_synced() {
    let steps = walk(Kind::Planned, true);
    assert_eq!(steps.len(), ALL.len() - 1);
    assert!(!steps.contains(&"reverse_sync"));
}

#[test]
fn a_step_that_a_kind_lacks_leads_on_all_the_same() {
    // A workflow of an older binary may stand at a step that its kind no longer has.
    assert_eq!(next(Kind::Forced, Step::Freeze, false), Some(Step::Commit));
    assert_eq!(
        next(Kind::Forced, Step::ReverseSync, true),
        Some(Step::Close)
    );
    assert_eq!(next(Kind::Planned, Step::Close, false), None);
}

#[test]
fn the_commit_divides_what_can_be_undone_from_what_cannot() {
    let past: Vec<_> = Step::ALL
        .iter()
        .filter(|step| step.is_past_no_return())
        .collect();
    assert_eq!(past.len(), 8);
    assert!(!Step::Commit.is_past_no_return() && Step::Commit.is_too_late_to_cancel());
    assert!(!Step::Verify.is_too_late_to_cancel() && Step::Publish.is_past_no_return());
}

#[test]
fn names_are_as_stored() {
    for step in Step::ALL {
        assert_eq!(Step::parse(step.as_str()), Some(*step));
        let json = serde_json::to_value(step).unwrap();
        assert_eq!(json, serde_json::Value::String(step.as_str().to_owned()));
    }
    assert_eq!(Kind::parse("drill"), None);
}
