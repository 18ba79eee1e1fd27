//! Tasks of registry-sync: following one to its end, and what its end means.

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::types::{Failure, TaskState};

use super::Pauses;
use crate::connect::Session;
use crate::connect::clients::Replication;
use crate::exit::CliError;
use crate::output::views::{TaskView, last_segment};

/// Shows a task that was started, at its end if it is to be waited for.
///
/// # Errors
/// The task ended badly: it failed, it found that two hubs differ, or it left extras alone.
pub(super) async fn finish(session: &Session, task: pb::Task, wait: bool) -> Result<(), CliError> {
    let task = if wait {
        follow(session, task).await?
    } else {
        task
    };
    let verdict = judge(&task);
    session.output.show(&TaskView::from(task))?;
    verdict
}

/// A task at its end.
///
/// # Errors
/// As [`finish`].
pub(super) async fn ended(session: &Session, task: pb::Task) -> Result<pb::Task, CliError> {
    let task = follow(session, task).await?;
    judge(&task)?;
    Ok(task)
}

/// The task of this name.
pub(super) async fn fetch(session: &Session, name: String) -> Result<pb::Task, CliError> {
    let send = |c, r| async move { Replication::new(c).get_task(r).await };
    session
        .registry
        .call(pb::GetTaskRequest { name }, send)
        .await
}

async fn follow(session: &Session, mut task: pb::Task) -> Result<pb::Task, CliError> {
    let mut progress = session.output.progress();
    let mut pauses = Pauses::new();
    while !has_ended(&task) {
        progress.step(TaskView::from(task.clone()).standing());
        pauses.wait().await;
        task = fetch(session, task.name).await?;
    }
    Ok(task)
}

/// A stuck task waits for a person, not for time.
fn has_ended(task: &pb::Task) -> bool {
    task.done || task.state() == TaskState::Stuck
}

fn judge(task: &pb::Task) -> Result<(), CliError> {
    let what = format!("{} {}", task.kind, last_segment(&task.name));
    bad_end(&what, task.state(), task.failure.as_ref())?;
    match &task.result {
        Some(pb::task::Result::Verify(found)) if !found.equal => {
            let text = format!("{} devices differ", found.differing_count);
            Err(CliError::ended_badly("DIGEST_MISMATCH", text))
        }
        Some(pb::task::Result::Adoption(done)) if done.stale_count + done.rejected_count > 0 => {
            let left = done.stale_count + done.rejected_count;
            let text = format!(
                "{left} of {} extras were left as they are",
                done.extra_count
            );
            Err(CliError::ended_badly("EXTRAS_LEFT", text))
        }
        _ => Ok(()),
    }
}

/// The error of a long-running resource that did not end well.
pub(super) fn bad_end(
    what: &str,
    state: TaskState,
    failure: Option<&Failure>,
) -> Result<(), CliError> {
    let (how, reason) = match state {
        TaskState::Failed => ("failed", "FAILED"),
        TaskState::Cancelled => ("was cancelled", "CANCELLED"),
        TaskState::Stuck => ("is stuck, a person must look", "STUCK"),
        TaskState::Unspecified
        | TaskState::Running
        | TaskState::Unwinding
        | TaskState::Succeeded => return Ok(()),
    };
    let reason = failure.map_or(reason, |failure| failure.reason.as_str());
    let why = failure.map_or(String::new(), |failure| format!(": {}", failure.message));
    Err(CliError::ended_badly(reason, format!("{what} {how}{why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verify(equal: bool) -> pb::Task {
        let found = pb::VerifyResult {
            equal,
            differing_count: 2,
            ..Default::default()
        };
        let result = Some(pb::task::Result::Verify(found));
        pb::Task {
            done: true,
            state: TaskState::Succeeded.into(),
            result,
            ..Default::default()
        }
    }

    #[test]
    fn hubs_that_differ_are_a_bad_end_although_the_task_succeeded() {
        assert!(judge(&verify(true)).is_ok());
        let error = judge(&verify(false)).unwrap_err();
        assert_eq!(
            (error.code(), error.reason().as_str()),
            (1, "DIGEST_MISMATCH")
        );
    }

    #[test]
    fn extras_that_were_left_alone_are_a_bad_end_and_kept_ones_are_not() {
        let done = |stale_count, rejected_count| {
            let done = pb::AdoptionResult {
                extra_count: 5,
                kept_count: 5 - stale_count - rejected_count,
                stale_count,
                rejected_count,
                ..Default::default()
            };
            judge(&pb::Task {
                result: Some(pb::task::Result::Adoption(done)),
                ..Default::default()
            })
        };
        assert!(done(0, 0).is_ok());
        let error = done(1, 2).unwrap_err();
        assert_eq!((error.code(), error.reason().as_str()), (1, "EXTRAS_LEFT"));
        assert!(error.to_string().contains("3 of 5"), "{error}");
    }

    #[test]
    fn a_failure_keeps_its_own_reason() {
        let failure = Failure {
            reason: "MASS_DELETE".into(),
            message: "too many".into(),
        };
        let failed = pb::Task {
            name: "fleets/acme/tasks/t1".into(),
            kind: "pass".into(),
            state: TaskState::Failed.into(),
            failure: Some(failure),
            ..Default::default()
        };
        let error = judge(&failed).unwrap_err();
        assert_eq!(error.reason(), "MASS_DELETE");
        assert_eq!(error.to_string(), "pass t1 failed: too many");
    }

    #[test]
    fn a_task_that_goes_on_is_no_error_and_a_stuck_one_is() {
        let running = pb::Task {
            state: TaskState::Running.into(),
            ..Default::default()
        };
        assert!(judge(&running).is_ok());
        let stuck = pb::Task {
            state: TaskState::Stuck.into(),
            ..Default::default()
        };
        assert!(has_ended(&stuck));
        assert_eq!(judge(&stuck).unwrap_err().code(), 1);
    }
}
