//! Backups, and a comparison of everything while everything still runs: nothing is frozen yet, so
//! this may take hours on a throttled hub.
//!
//! A forced move does not wait long for its backup: devices are without a hub.

use std::time::Duration;

use hubshift_api::pb::registry::task;
use hubshift_domain::failover::Kind;
use hubshift_flow::{Progress, StepCx, StepError};

use super::task::{Outcome, Polled};
use super::{Failover, State};
use crate::app::remote::TaskCall;
use crate::store::clock;

/// How long a forced move waits for the backup of its target; it goes on without the move.
const FORCED_LIMIT: Duration = Duration::from_secs(30);

/// How often a forced move asks for its backup again while registry-sync does not answer.
const FORCED_RETRY: Duration = Duration::from_secs(1);

impl Failover {
    pub(super) async fn snapshot(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        if state.kind == Kind::Forced {
            return self.snapshot_soon(state, cx).await;
        }
        let (source, target) = (state.source_hub.clone(), state.target_hub.clone());
        let calls = [
            TaskCall::Backup {
                hub: target.clone(),
            },
            TaskCall::Backup {
                hub: source.clone(),
            },
            TaskCall::Verify {
                source,
                target,
                full: true,
                read_after: None,
            },
        ];
        let mut pending = None;
        let mut words = Vec::new();
        for call in &calls {
            match self.must(state, cx, call).await? {
                Outcome::Pending(Progress::Wait(after)) => {
                    pending = Some(pending.map_or(after, |soonest: Duration| soonest.min(after)));
                }
                Outcome::Pending(_) => {}
                Outcome::Task(task) => words.push(word(task.result.as_ref())),
            }
        }
        Ok(match pending {
            Some(after) => Progress::Wait(after),
            None => Progress::DoneWith(words.join("; ")),
        })
    }

    async fn snapshot_soon(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let now = clock::now(&mut *self.app.connection().await?).await?;
        let since = *state.since.get_or_insert(now);
        let call = TaskCall::Backup {
            hub: state.target_hub.clone(),
        };
        let progress = match self.poll(state, cx, &call).await {
            Ok(Polled::Done(task)) => Progress::DoneWith(word(task.result.as_ref())),
            Ok(Polled::GaveUp { why, .. }) => Progress::DoneWith(format!("no backup: {why}")),
            Err(StepError::Rejected { message, .. }) => {
                Progress::DoneWith(format!("no backup: {message}"))
            }
            Err(StepError::Fenced) => return Err(StepError::Fenced),
            Ok(Polled::Wait(_)) | Err(StepError::Unknown(_)) if now >= since + FORCED_LIMIT => {
                Progress::DoneWith("the backup is not through yet; the move goes on".to_owned())
            }
            Ok(Polled::Wait(after)) => Progress::Wait(after),
            Err(StepError::Unknown(_)) => Progress::Wait(FORCED_RETRY),
        };
        if !matches!(progress, Progress::Wait(_)) {
            state.since = None;
        }
        Ok(progress)
    }
}

fn word(result: Option<&task::Result>) -> String {
    match result {
        Some(task::Result::Backup(backup)) => {
            format!("{} holds {} devices", backup.backup, backup.record_count)
        }
        Some(task::Result::Verify(found)) if found.equal => {
            format!("{} devices are equal", found.source_count)
        }
        Some(task::Result::Verify(found)) => {
            format!("{} devices still differ", found.differing_count)
        }
        Some(task::Result::Pass(_) | task::Result::Scan(_) | task::Result::Adoption(_)) | None => {
            "done".to_owned()
        }
    }
}
