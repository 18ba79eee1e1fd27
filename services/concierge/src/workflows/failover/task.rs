//! Long work at registry-sync: start it, keep its name, poll it.
//!
//! The request id depends on step, call and round alone, so that a repeated start gives the same
//! task. A task that gave up is replaced by a new round where only forward is allowed.

use std::time::Duration;

use hubshift_api::fault;
use hubshift_api::pb::registry::Task;
use hubshift_api::pb::types::{StepContext, TaskState};
use hubshift_flow::{Progress, StepCx, StepError};
use tonic::{Code, Status};

use super::state::{State, TaskRef};
use super::{Failover, operation};
use crate::app::remote::TaskCall;

/// A task is looked at after 50 ms, doubling up to this.
const SLOWEST_LOOK: Duration = Duration::from_secs(2);

/// A task that gave up is replaced after 200 ms, doubling up to this.
const SLOWEST_ROUND: Duration = Duration::from_secs(5);

/// Where a task stands.
#[derive(Debug)]
pub(super) enum Polled {
    /// Look again after this long.
    Wait(Duration),
    /// It is done and went well.
    Done(Box<Task>),
    /// It gave up. What is called next under the same label is a new task.
    GaveUp { round: u32, why: String },
}

/// A call that must come through, and has.
pub(super) enum Outcome {
    /// Not yet: this is the step's progress.
    Pending(Progress),
    /// Its task.
    Task(Box<Task>),
}

impl Failover {
    /// Starts the call's task or looks at it.
    pub(super) async fn poll(
        &self,
        state: &mut State,
        cx: &StepCx,
        call: &TaskCall,
    ) -> Result<Polled, StepError> {
        let key = format!("{}/{}", cx.step, call.label());
        let mut entry = state.tasks.get(&key).cloned().unwrap_or_default();
        let answer = match &entry.name {
            Some(name) => self.app.remote.task(name).await,
            None => self.start(state, cx, call, entry.round).await,
        };
        let task = match answer {
            Ok(task) => task,
            Err(status) if entry.name.is_some() && status.code() == Code::NotFound => {
                state.tasks.insert(key, next_round(&entry));
                return Ok(Polled::Wait(round_pause(entry.round)));
            }
            Err(status) => return Err(refusal(status, call, state.has_committed())),
        };
        entry.name = Some(task.name.clone());
        entry.polls += 1;
        let polled = judge(&entry, task, call);
        let kept = if matches!(polled, Polled::GaveUp { .. }) {
            next_round(&entry)
        } else {
            entry
        };
        state.tasks.insert(key, kept);
        Ok(polled)
    }

    async fn start(
        &self,
        state: &State,
        cx: &StepCx,
        call: &TaskCall,
        round: u32,
    ) -> Result<Task, Status> {
        let request_id = cx.request_id_for(&format!("{}/{round}", call.label()));
        let context = StepContext {
            operation: operation(cx),
            step: cx.step.clone(),
            lease_gen: cx.fence,
            epoch: state.epoch().0,
        };
        self.app
            .remote
            .start(call, &cx.fleet_id, request_id, context)
            .await
    }

    /// A call without which the move can't go on. Before the commit a task that gave up ends the
    /// move; after it another one is started.
    pub(super) async fn must(
        &self,
        state: &mut State,
        cx: &StepCx,
        call: &TaskCall,
    ) -> Result<Outcome, StepError> {
        match self.poll(state, cx, call).await? {
            Polled::Done(task) => Ok(Outcome::Task(task)),
            Polled::Wait(after) => Ok(Outcome::Pending(Progress::Wait(after))),
            Polled::GaveUp { round, why } if state.has_committed() => {
                tracing::warn!(failover = %cx.workflow_id, step = cx.step, round, why, "task gave up");
                Ok(Outcome::Pending(Progress::Wait(round_pause(round))))
            }
            Polled::GaveUp { why, .. } => Err(StepError::rejected("TASK_FAILED", why)),
        }
    }
}

/// Makes the next call of this kind a new task; how long to leave the hub in peace before it.
pub(super) fn another_round(state: &mut State, cx: &StepCx, call: &TaskCall) -> Duration {
    let key = format!("{}/{}", cx.step, call.label());
    let entry = state.tasks.entry(key).or_default();
    *entry = next_round(entry);
    round_pause(entry.round)
}

/// How often a task of this call was replaced.
pub(super) fn rounds(state: &State, cx: &StepCx, call: &TaskCall) -> u32 {
    let key = format!("{}/{}", cx.step, call.label());
    state.tasks.get(&key).map_or(0, |entry| entry.round)
}

fn judge(entry: &TaskRef, task: Task, call: &TaskCall) -> Polled {
    if task.state() == TaskState::Succeeded {
        return Polled::Done(Box::new(task));
    }
    if !task.done && task.state() != TaskState::Stuck {
        return Polled::Wait(look_pause(entry.polls));
    }
    let why = match &task.failure {
        Some(failure) => format!("{}: {}: {}", call.label(), failure.reason, failure.message),
        None => format!(
            "{}: {} is {}",
            call.label(),
            task.name,
            task.state().as_str_name()
        ),
    };
    Polled::GaveUp {
        round: entry.round,
        why,
    }
}

fn next_round(entry: &TaskRef) -> TaskRef {
    TaskRef {
        name: None,
        round: entry.round + 1,
        polls: 0,
    }
}

fn look_pause(polls: u32) -> Duration {
    doubled(Duration::from_millis(50), polls.saturating_sub(1)).min(SLOWEST_LOOK)
}

/// How long to leave a hub in peace after a task gave up.
pub(super) fn round_pause(round: u32) -> Duration {
    doubled(Duration::from_millis(200), round).min(SLOWEST_ROUND)
}

fn doubled(base: Duration, times: u32) -> Duration {
    base.saturating_mul(1 << times.min(10))
}

/// What a refused call means: not now, not ours any more, or never.
fn refusal(status: Status, call: &TaskCall, has_committed: bool) -> StepError {
    let reason = fault::reason(&status);
    if reason == "STALE_FENCE" {
        return StepError::Fenced;
    }
    let text = format!("{}: {}: {}", call.label(), status.code(), status.message());
    if is_final(status.code()) && !has_committed {
        return StepError::rejected("CALL_REFUSED", text);
    }
    StepError::Unknown(anyhow::anyhow!(text))
}

/// Whether the same call will be refused again.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_get_rarer() {
        let pauses: Vec<_> = (1..=8).map(|polls| look_pause(polls).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn a_refusal_ends_the_move_only_before_the_commit() {
        let call = TaskCall::Drain {
            target: "west".into(),
        };
        let refused = |committed| {
            let status = fault::status(Code::NotFound, "CONNECTION_NOT_FOUND", "no connection");
            refusal(status, &call, committed)
        };
        assert!(matches!(
            refused(false),
            StepError::Rejected {
                reason: "CALL_REFUSED",
                ..
            }
        ));
        assert!(matches!(refused(true), StepError::Unknown(_)));
        let stale = fault::status(Code::Aborted, "STALE_FENCE", "lower lease");
        assert!(matches!(refusal(stale, &call, true), StepError::Fenced));
    }

    #[test]
    fn a_task_that_is_over_without_success_gave_up() {
        let call = TaskCall::Drain {
            target: "west".into(),
        };
        let task = |state: TaskState, done| Task {
            state: state.into(),
            done,
            ..Task::default()
        };
        let judged = |state, done| judge(&TaskRef::default(), task(state, done), &call);
        assert!(matches!(judged(TaskState::Running, false), Polled::Wait(_)));
        assert!(matches!(
            judged(TaskState::Succeeded, true),
            Polled::Done(_)
        ));
        assert!(matches!(
            judged(TaskState::Cancelled, true),
            Polled::GaveUp { .. }
        ));
        assert!(matches!(
            judged(TaskState::Stuck, false),
            Polled::GaveUp { .. }
        ));
    }
}
