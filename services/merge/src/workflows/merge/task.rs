//! Scans at registry-sync: start one, keep its name, poll it.
//!
//! The request id depends on step, hub and round alone, so that a repeated start gives the same
//! task.

use std::time::Duration;

use hubshift_api::pb::registry::{StartScanRequest, Task, task};
use hubshift_api::pb::types::TaskState;
use hubshift_flow::{StepCx, StepError};
use tonic::Code;

use super::state::{Scan, TaskRef};
use super::trouble::refusal;
use super::{MergeFlow, State};

/// A task is looked at after 50 ms, doubling up to this.
const SLOWEST_LOOK: Duration = Duration::from_secs(2);

/// Where a scan stands.
#[derive(Debug)]
pub(super) enum Polled {
    /// Look again after this long.
    Wait(Duration),
    /// It is done.
    Done(Found),
}

/// What a scan found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) scan: Scan,
    pub(super) is_rewound: bool,
    pub(super) evidence: String,
}

impl MergeFlow {
    /// Starts a scan of a hub, or looks at it. A scan that gave up ends the merge.
    pub(super) async fn poll_scan(
        &self,
        state: &mut State,
        cx: &StepCx,
        hub: &str,
        detect_rewind: bool,
    ) -> Result<Polled, StepError> {
        let what = format!("scan of {hub}");
        let key = format!("{}/{hub}/{}", cx.step, state.round);
        let mut entry = state.tasks.get(&key).cloned().unwrap_or_default();
        let answer = match &entry.name {
            Some(name) => self.app.remote.task(name).await,
            None => {
                let request_id = cx.request_id_for(&format!("{key}/{}", entry.round));
                let message = StartScanRequest {
                    fleet: format!("fleets/{}", cx.fleet_id),
                    hub: hub.to_owned(),
                    request_id: request_id.to_string(),
                    detect_rewind,
                };
                self.app.remote.start_scan(message).await
            }
        };
        let task = match answer {
            Ok(task) => task,
            Err(status) if entry.name.is_some() && status.code() == Code::NotFound => {
                let lost = TaskRef {
                    round: entry.round + 1,
                    ..TaskRef::default()
                };
                state.tasks.insert(key, lost);
                return Ok(Polled::Wait(SLOWEST_LOOK));
            }
            Err(status) => return Err(refusal(&status, &what)),
        };
        entry.name = Some(task.name.clone());
        entry.polls += 1;
        let polls = entry.polls;
        state.tasks.insert(key, entry);
        judge(task, &what, polls)
    }
}

fn judge(task: Task, what: &str, polls: u32) -> Result<Polled, StepError> {
    match (task.state(), task.result) {
        (TaskState::Succeeded, Some(task::Result::Scan(scan))) => Ok(Polled::Done(Found {
            scan: Scan {
                snapshot: scan.snapshot,
                devices: scan.device_count,
                others: scan.scanned_count.saturating_sub(scan.device_count),
                digest: scan.digest,
            },
            is_rewound: scan.rewound,
            evidence: scan.rewound_evidence,
        })),
        (TaskState::Running | TaskState::Unwinding, _) => Ok(Polled::Wait(look_pause(polls))),
        (state, _) => {
            let (reason, message) = task.failure.map_or_else(
                || (String::new(), state.as_str_name().to_owned()),
                |failure| (failure.reason, failure.message),
            );
            Err(StepError::rejected(
                known(&reason),
                format!("{what}: {message}"),
            ))
        }
    }
}

/// Reasons are stable names that this binary knows.
fn known(reason: &str) -> &'static str {
    match reason {
        "HUB_UNREACHABLE" => "HUB_UNREACHABLE",
        "HUB_UNAUTHORIZED" => "HUB_UNAUTHORIZED",
        "HUB_UNTRUSTED" => "HUB_UNTRUSTED",
        "HUB_FENCED" => "HUB_FENCED",
        _ => "SCAN_FAILED",
    }
}

fn look_pause(polls: u32) -> Duration {
    let base = Duration::from_millis(50);
    base.saturating_mul(1 << polls.saturating_sub(1).min(10))
        .min(SLOWEST_LOOK)
}

#[cfg(test)]
mod tests {
    use hubshift_api::pb::types::Failure;

    use super::*;

    #[test]
    fn looks_get_rarer() {
        let pauses: Vec<_> = (1..=8).map(|polls| look_pause(polls).as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
    }

    #[test]
    fn a_scan_that_gave_up_ends_the_merge_with_its_reason() {
        let failure = Failure {
            reason: "HUB_UNREACHABLE".into(),
            message: "silent".into(),
        };
        let task = Task {
            state: TaskState::Failed.into(),
            done: true,
            failure: Some(failure),
            ..Task::default()
        };
        let refused = judge(task, "scan of east", 1).unwrap_err();
        assert!(matches!(
            refused,
            StepError::Rejected {
                reason: "HUB_UNREACHABLE",
                ..
            }
        ));
        assert!(refused.to_string().contains("scan of east: silent"));
    }
}
