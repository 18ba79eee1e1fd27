//! Failovers as operators see them: the row, where its workflow stands, plan and report.

use std::time::Duration;

use hubshift_api::pb::concierge::check::Verdict as WireVerdict;
use hubshift_api::pb::concierge::{
    Adoption, Check as WireCheck, Failover, FailoverKind, FailoverPlan, FailoverReport,
};
use hubshift_api::pb::types::{Failure, StepRecord, TaskState};
use hubshift_api::times;
use hubshift_domain::failover::{Check, Kind, Step, Verdict};
use hubshift_flow::{Status, StepEvent, WorkflowState};
use hubshift_shell::trace;
use hubshift_store::StoreError;

use super::super::plan::Plan;
use crate::store::failover::{self as rows, FailoverRow};
use crate::workflows::failover::{Report, State};

/// A failover that runs or ran.
pub(super) fn failover(row: &FailoverRow, status: Option<&Status>) -> Result<Failover, StoreError> {
    let plan: Plan = decode(&row.plan)?;
    let mut failover = planned(row, &plan);
    failover.name = rows::name(&row.fleet_id, row.failover_id);
    failover.kind = wire_kind(row.kind()?).into();
    let Some(status) = status else {
        return Ok(Failover {
            done: true,
            ..failover
        });
    };
    let state: State = decode(&status.data)?;
    let superseded = state.superseded.as_ref();
    let supersedes = superseded.map(|one| rows::name(&row.fleet_id, one.failover_id));
    Ok(Failover {
        supersedes: supersedes.unwrap_or_default(),
        state: wire_state(status.state).into(),
        step: status.step.clone(),
        done: status.state.is_over(),
        failure: failure(status),
        report: Some(wire_report(&state.report)),
        history: history(&status.events),
        update_time: Some(times::timestamp(status.update_time)),
        trace_id: trace_id(status),
        ..failover
    })
}

/// A failover that was only planned: it has no name.
pub(super) fn planned(row: &FailoverRow, plan: &Plan) -> Failover {
    Failover {
        kind: row
            .kind()
            .map_or(FailoverKind::Unspecified, wire_kind)
            .into(),
        source_hub: row.source_hub_id.clone(),
        target_hub: row.target_hub_id.clone(),
        plan: Some(wire_plan(plan)),
        create_time: Some(times::timestamp(row.create_time)),
        ..Failover::default()
    }
}

fn decode<T: serde::de::DeserializeOwned>(value: &serde_json::Value) -> Result<T, StoreError> {
    serde_json::from_value(value.clone())
        .map_err(|error| StoreError::Bug(sqlx::Error::Decode(error.into())))
}

fn wire_kind(kind: Kind) -> FailoverKind {
    match kind {
        Kind::Planned => FailoverKind::Planned,
        Kind::Forced => FailoverKind::Forced,
        Kind::Failback => FailoverKind::Failback,
    }
}

fn wire_state(state: WorkflowState) -> TaskState {
    match state {
        WorkflowState::Running => TaskState::Running,
        WorkflowState::Unwinding => TaskState::Unwinding,
        WorkflowState::Succeeded => TaskState::Succeeded,
        WorkflowState::Failed => TaskState::Failed,
        WorkflowState::Cancelled => TaskState::Cancelled,
        WorkflowState::Stuck => TaskState::Stuck,
    }
}

/// While it unwinds the reason is known already; it is shown when it is over.
fn failure(status: &Status) -> Option<Failure> {
    let went_wrong = !matches!(
        status.state,
        WorkflowState::Running | WorkflowState::Succeeded
    );
    let (reason, message) = status.failure.clone().filter(|_| went_wrong)?;
    Some(Failure { reason, message })
}

fn trace_id(status: &Status) -> String {
    let traceparent = status.traceparent.as_deref().unwrap_or_default();
    trace::trace_id(traceparent).unwrap_or_default().to_owned()
}

fn history(events: &[StepEvent]) -> Vec<StepRecord> {
    let mut before = events.first().map(|event| event.time);
    events
        .iter()
        .map(|event| {
            let elapsed = before.map(|before| times::duration(event.time - before));
            before = Some(event.time);
            StepRecord {
                step: event.step.clone(),
                phase: event.phase.clone(),
                detail: event.detail.clone(),
                time: Some(times::timestamp(event.time)),
                elapsed,
            }
        })
        .collect()
}

fn wire_plan(plan: &Plan) -> FailoverPlan {
    let millis = |ms| Some(times::std_duration(Duration::from_millis(ms)));
    FailoverPlan {
        checks: plan.checks.iter().map(wire_check).collect(),
        blocked: plan.blocked,
        next_epoch: plan.next_epoch.0,
        frozen_for: millis(plan.closed_ms),
        admission_window: millis(plan.window_ms),
        loss_bound: plan
            .loss_bound
            .map(|bound| bound.to_string())
            .unwrap_or_default(),
        staleness_seconds: plan.staleness_seconds,
        fence: plan.fence.clone(),
        steps: plan
            .steps
            .iter()
            .map(|step: &Step| step.as_str().to_owned())
            .collect(),
    }
}

fn wire_check(check: &Check) -> WireCheck {
    let verdict = match check.verdict {
        Verdict::Pass => WireVerdict::Pass,
        Verdict::Warn => WireVerdict::Warn,
        Verdict::Block => WireVerdict::Block,
    };
    WireCheck {
        check: check.check.clone(),
        verdict: verdict.into(),
        detail: check.detail.clone(),
    }
}

fn wire_report(report: &Report) -> FailoverReport {
    let millis = |ms: Option<u64>| ms.map(|ms| times::std_duration(Duration::from_millis(ms)));
    FailoverReport {
        epoch: report.epoch.0,
        commit_time: report.commit_time.map(times::timestamp),
        control_plane: millis(report.control_plane_ms),
        published_replicas: report.published_replicas,
        live_replicas: report.live_replicas,
        replayed_count: report.replayed_count,
        late_landing_count: report.late_landing_count,
        late_change_count: report.late_change_count,
        registry_closed: millis(report.registry_closed_ms),
        adoption: report
            .adoption
            .map(|(polling_count, attached_count)| Adoption {
                polling_count,
                attached_count,
                ..Adoption::default()
            }),
        rpo_bound_seconds: report.rpo_bound_seconds,
        rpo_window_open: report.rpo_window_open,
        verified_count: report.verified_count,
        source_digest: report.source_digest.clone(),
        target_digest: report.target_digest.clone(),
        debts: report.debts.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    #[test]
    fn elapsed_is_since_the_event_before() {
        let event = |seconds: i64| StepEvent {
            step: "drain".into(),
            phase: "started".into(),
            detail: String::new(),
            time: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds as u64),
        };
        let records = history(&[event(5), event(7), event(7)]);
        let elapsed: Vec<_> = records.iter().map(|r| r.elapsed.unwrap().seconds).collect();
        assert_eq!(elapsed, [0, 2, 0]);
    }
}
