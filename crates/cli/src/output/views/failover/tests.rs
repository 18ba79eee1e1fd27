//! One failover, whole, as JSON and as text.

use hubshift_api::pb::{concierge as pb, types};
use prost_types::{Duration, Timestamp};
use serde_json::json;

use super::*;

fn forced() -> pb::Failover {
    let check = pb::Check {
        check: "staleness".into(),
        verdict: pb::check::Verdict::Warn.into(),
        detail: "complete 7 s ago".into(),
    };
    pb::Failover {
        name: "fleets/acme/failovers/f1".into(),
        kind: pb::FailoverKind::Forced.into(),
        source_hub: "east".into(),
        target_hub: "west".into(),
        state: types::TaskState::Failed.into(),
        step: "publish".into(),
        done: true,
        failure: Some(types::Failure {
            reason: "NO_REPLICA".into(),
            message: "none lives".into(),
        }),
        plan: Some(pb::FailoverPlan {
            checks: vec![check],
            next_epoch: 1026,
            admission_window: Some(Duration {
                seconds: 2,
                nanos: 500_000_000,
            }),
            loss_bound: "up to 7 s".into(),
            staleness_seconds: 6.5,
            fence: "none".into(),
            steps: vec!["precheck".into(), "commit".into()],
            ..Default::default()
        }),
        report: Some(pb::FailoverReport {
            epoch: 1026,
            commit_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            control_plane: Some(Duration {
                seconds: 1,
                nanos: 0,
            }),
            live_replicas: 1,
            adoption: Some(pb::Adoption {
                polling_count: 10,
                attached_count: 9,
                ..Default::default()
            }),
            rpo_bound_seconds: 7.0,
            rpo_window_open: true,
            debts: vec!["MERGE_REQUIRED".into()],
            ..Default::default()
        }),
        history: vec![types::StepRecord {
            step: "commit".into(),
            phase: "succeeded".into(),
            elapsed: Some(Duration {
                seconds: 0,
                nanos: 12_000_000,
            }),
            ..Default::default()
        }],
        create_time: Some(Timestamp {
            seconds: 1_699_999_999,
            nanos: 0,
        }),
        trace_id: "abc".into(),
        supersedes: "fleets/acme/failovers/f0".into(),
        ..Default::default()
    }
}

#[test]
fn json_has_the_fields_of_the_protobuf_file() {
    let view = serde_json::to_value(FailoverView::from(forced())).unwrap();
    let expected = json!({
        "name": "fleets/acme/failovers/f1", "kind": "forced", "source_hub": "east",
        "target_hub": "west", "state": "failed", "step": "publish", "done": true,
        "failure": {"reason": "NO_REPLICA", "message": "none lives"},
        "plan": {
            "checks": [{"check": "staleness", "verdict": "warn", "detail": "complete 7 s ago"}],
            "blocked": false, "next_epoch": 1026, "frozen_for": null, "admission_window": 2.5,
            "loss_bound": "up to 7 s", "staleness_seconds": 6.5, "fence": "none",
            "steps": ["precheck", "commit"],
        },
        "report": {
            "epoch": 1026, "commit_time": "2023-11-14T22:13:20Z", "control_plane": 1.0,
            "published_replicas": 0, "live_replicas": 1, "replayed_count": 0,
            "late_landing_count": 0, "late_change_count": 0, "registry_closed": null,
            "adoption": {
                "polling_count": 10, "attached_count": 9, "registered_count": 0,
                "polling_error_percent": 0.0, "silent_count": 0, "text": "",
            },
            "rpo_bound_seconds": 7.0,
            "rpo_window_open": true, "verified_count": 0, "source_digest": "",
            "target_digest": "", "debts": ["MERGE_REQUIRED"],
        },
        "history": [{
            "step": "commit", "phase": "succeeded", "detail": "", "time": null, "elapsed": 0.012,
        }],
        "create_time": "2023-11-14T22:13:19Z", "update_time": null, "trace_id": "abc",
        "supersedes": "fleets/acme/failovers/f0",
    });
    assert_eq!(view, expected);
}

#[test]
fn people_see_why_it_failed_what_was_checked_and_what_may_be_lost() {
    let view = FailoverView::from(forced());
    let text = view.human();
    for part in [
        "none lives (NO_REPLICA)",
        "took over from  f0",
        "complete 7 s ago",
        "7 s, and the window is still open",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert_eq!(
        view.steps().collect::<Vec<_>>(),
        ["commit succeeded after 0.012 s"]
    );
    assert_eq!(view.standing(), "forced east → west: failed, publish");
}
