//! One turn of one workflow: steps forward, or undoes backward, until it waits or ends.

use std::time::Duration;

use hubshift_store::StoreError;
use rand::Rng as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::PgPool;
use tracing::Instrument as _;

use crate::handle::{encode_error, step_name};
use crate::store::{self, Change, Claimed};
use crate::workflow::{Next, Progress, StepCx, StepError, Workflow};

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It waits for its next turn.
    Waiting,
    /// It is over.
    Over,
    /// Another executor took over.
    Fenced,
}

/// After this many failed tries of one undo a person must look.
const MAX_UNDO_ATTEMPTS: i32 = 20;

pub(crate) async fn turn<W: Workflow>(
    workflow: &W,
    pool: &PgPool,
    claimed: Claimed,
) -> Result<Outcome, StoreError> {
    let mut turn = Turn {
        workflow,
        pool,
        claimed,
    };
    loop {
        let ended = if turn.claimed.state == "unwinding" {
            turn.undo_one().await?
        } else {
            turn.step_once().await?
        };
        if let Some(outcome) = ended {
            return Ok(outcome);
        }
    }
}

struct Turn<'a, W> {
    workflow: &'a W,
    pool: &'a PgPool,
    claimed: Claimed,
}

impl<W: Workflow> Turn<'_, W> {
    fn cx(&self, step: &str) -> StepCx {
        StepCx {
            workflow_id: self.claimed.workflow_id,
            fleet_id: self.claimed.fleet_id.clone(),
            step: step.to_owned(),
            fence: self.claimed.fence,
            attempt: u32::try_from(self.claimed.attempt).unwrap_or(0),
            traceparent: self.claimed.traceparent.clone(),
            create_time: self.claimed.create_time,
            pool: self.pool.clone(),
        }
    }

    async fn step_once(&mut self) -> Result<Option<Outcome>, StoreError> {
        let step: W::Step = decode(Value::String(self.claimed.step.clone()))?;
        let forward_only = self.workflow.is_past_no_return(step);
        if !forward_only && self.cancel_requested().await? {
            let message = "cancelled on request";
            return self.unwind("CANCELLED", message).await;
        }
        if self.claimed.attempt == 0 && !self.journal("started", "").await? {
            return Ok(Some(Outcome::Fenced));
        }
        let mut state: W::State = decode(self.claimed.data.clone())?;
        let cx = self.cx(&self.claimed.step);
        let result = self.run_traced(step, &mut state, &cx).await;
        let data = serde_json::to_value(&state).map_err(encode_error)?;
        match result {
            Ok(Progress::Done) => self.advance(step, &state, data, "").await,
            Ok(Progress::DoneWith(word)) => self.advance(step, &state, data, &word).await,
            Ok(Progress::Wait(after)) => self.wait(data, after).await,
            Err(StepError::Fenced) => Ok(Some(Outcome::Fenced)),
            Err(StepError::Rejected { reason, message }) if !forward_only => {
                self.claimed.data = data;
                self.unwind(reason, &message).await
            }
            Err(error) => self.try_again(step, forward_only, &error).await,
        }
    }

    async fn run_traced(
        &self,
        step: W::Step,
        state: &mut W::State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let span = tracing::info_span!(
            "flow.step",
            otel.name = format!("{} {}", W::KIND, cx.step),
            workflow = %cx.workflow_id,
            fleet = cx.fleet_id,
            fence = cx.fence,
            attempt = cx.attempt,
        );
        hubshift_shell::trace::with_parent(&span, cx.traceparent.as_deref());
        self.workflow.run(step, state, cx).instrument(span).await
    }

    async fn advance(
        &mut self,
        step: W::Step,
        state: &W::State,
        data: Value,
        word: &str,
    ) -> Result<Option<Outcome>, StoreError> {
        let next = self.workflow.next(step, state);
        let (name, over) = match next {
            Next::Step(next) => (step_name(&next)?, false),
            Next::Finish => (self.claimed.step.clone(), true),
        };
        let change = Change {
            state: if over { "succeeded" } else { "running" },
            step: &name,
            data: &data,
            attempt: 0,
            wake_after: Duration::ZERO,
            release: over,
            failure: None,
        };
        if !self.write(&change, Some(("succeeded", word))).await? {
            return Ok(Some(Outcome::Fenced));
        }
        (self.claimed.step, self.claimed.data, self.claimed.attempt) = (name, data, 0);
        Ok(over.then_some(Outcome::Over))
    }

    async fn wait(&mut self, data: Value, after: Duration) -> Result<Option<Outcome>, StoreError> {
        let first = self.claimed.attempt == 0;
        let change = Change {
            state: "running",
            step: &self.claimed.step,
            data: &data,
            attempt: 1,
            wake_after: after,
            release: true,
            failure: None,
        };
        let event = first.then_some(("waiting", ""));
        let ours = self.write(&change, event).await?;
        Ok(Some(if ours {
            Outcome::Waiting
        } else {
            Outcome::Fenced
        }))
    }

    async fn try_again(
        &mut self,
        step: W::Step,
        forward_only: bool,
        error: &StepError,
    ) -> Result<Option<Outcome>, StoreError> {
        let text = error.to_string();
        let attempt = self.claimed.attempt + 1;
        tracing::warn!(workflow = %self.claimed.workflow_id, step = self.claimed.step, attempt,
            error = text, "step did not come through; it is tried again");
        if !forward_only && attempt > i32::try_from(self.workflow.max_attempts(step)).unwrap_or(30)
        {
            return self.unwind("GAVE_UP", &text).await;
        }
        let change = Change {
            state: "running",
            step: &self.claimed.step,
            data: &self.claimed.data,
            attempt,
            wake_after: backoff(attempt),
            release: true,
            failure: None,
        };
        let ours = self.write(&change, Some(("failed", &text))).await?;
        Ok(Some(if ours {
            Outcome::Waiting
        } else {
            Outcome::Fenced
        }))
    }

    async fn unwind(&mut self, reason: &str, message: &str) -> Result<Option<Outcome>, StoreError> {
        let change = Change {
            state: "unwinding",
            step: &self.claimed.step,
            data: &self.claimed.data,
            attempt: 0,
            wake_after: Duration::ZERO,
            release: false,
            failure: Some((reason, message)),
        };
        if !self.write(&change, Some(("failed", message))).await? {
            return Ok(Some(Outcome::Fenced));
        }
        (self.claimed.state, self.claimed.attempt) = ("unwinding".to_owned(), 0);
        self.claimed.failure_reason = Some(reason.to_owned());
        Ok(None)
    }

    async fn undo_one(&mut self) -> Result<Option<Outcome>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let steps = store::steps_to_undo(&mut connection, self.claimed.workflow_id).await?;
        drop(connection);
        let Some(name) = steps.into_iter().next() else {
            return self.unwound().await;
        };
        let step: W::Step = decode(Value::String(name.clone()))?;
        let mut state: W::State = decode(self.claimed.data.clone())?;
        let result = self.workflow.undo(step, &mut state, &self.cx(&name)).await;
        let data = serde_json::to_value(&state).map_err(encode_error)?;
        let (attempt, phase, detail) = match &result {
            Ok(()) => (0, "undone", String::new()),
            Err(StepError::Fenced) => return Ok(Some(Outcome::Fenced)),
            Err(error) => (self.claimed.attempt + 1, "undo_failed", error.to_string()),
        };
        let stuck = attempt > MAX_UNDO_ATTEMPTS;
        let change = Change {
            state: if stuck { "stuck" } else { "unwinding" },
            step: &self.claimed.step,
            data: &data,
            attempt,
            wake_after: if attempt == 0 {
                Duration::ZERO
            } else {
                backoff(attempt)
            },
            release: attempt > 0,
            failure: None,
        };
        let ours = self
            .write_event(&change, Some((&name, phase, &detail)))
            .await?;
        (self.claimed.data, self.claimed.attempt) = (data, attempt);
        Ok(match (ours, attempt) {
            (false, _) => Some(Outcome::Fenced),
            (true, 0) => None,
            (true, _) => Some(Outcome::Waiting),
        })
    }

    async fn unwound(&mut self) -> Result<Option<Outcome>, StoreError> {
        let cancelled = self.claimed.failure_reason.as_deref() == Some("CANCELLED");
        let change = Change {
            state: if cancelled { "cancelled" } else { "failed" },
            step: &self.claimed.step,
            data: &self.claimed.data,
            attempt: 0,
            wake_after: Duration::ZERO,
            release: true,
            failure: None,
        };
        let ours = self.write(&change, None).await?;
        Ok(Some(if ours { Outcome::Over } else { Outcome::Fenced }))
    }

    async fn cancel_requested(&self) -> Result<bool, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let asked = store::is_cancel_requested(&mut connection, self.claimed.workflow_id).await?;
        Ok(asked || self.claimed.cancel_requested)
    }

    async fn journal(&self, phase: &str, detail: &str) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        if !store::hold(&mut tx, self.claimed.workflow_id, self.claimed.fence).await? {
            return Ok(false);
        }
        let id = self.claimed.workflow_id;
        store::append(&mut tx, id, &self.claimed.step, phase, detail).await?;
        hubshift_store::commit(tx).await?;
        Ok(true)
    }

    async fn write(
        &self,
        change: &Change<'_>,
        event: Option<(&str, &str)>,
    ) -> Result<bool, StoreError> {
        let event = event.map(|(phase, detail)| (self.claimed.step.as_str(), phase, detail));
        self.write_event(change, event).await
    }

    async fn write_event(
        &self,
        change: &Change<'_>,
        event: Option<(&str, &str, &str)>,
    ) -> Result<bool, StoreError> {
        let id = self.claimed.workflow_id;
        let mut tx = self.pool.begin().await?;
        if !store::change(&mut tx, id, self.claimed.fence, change).await? {
            return Ok(false);
        }
        if let Some((step, phase, detail)) = event {
            store::append(&mut tx, id, step, phase, detail).await?;
        }
        hubshift_store::commit(tx).await?;
        Ok(true)
    }
}

fn decode<T: DeserializeOwned>(value: Value) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(encode_error)
}

/// Full jitter: anything up to 100 ms doubled per attempt, at most 5 s.
fn backoff(attempt: i32) -> Duration {
    let cap = 100u64.saturating_mul(1 << attempt.clamp(0, 10)).min(5_000);
    Duration::from_millis(rand::rng().random_range(20..=cap.max(21)))
}
