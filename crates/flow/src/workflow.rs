//! What a workflow is: typed steps over typed state, and the context a step runs in.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use hubshift_store::StoreError;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::store;

/// A durable workflow. Steps are stored by name and never renamed.
pub trait Workflow: Send + Sync + 'static {
    /// The stored name of the kind, `failover`.
    const KIND: &'static str;
    /// Its steps; serialised as a plain string.
    type Step: Copy + PartialEq + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What it remembers between steps.
    type State: Serialize + DeserializeOwned + Clone + Send + Sync;

    /// The step after `done`. Pure.
    fn next(&self, done: Self::Step, state: &Self::State) -> Next<Self::Step>;

    /// Whether from this step on there is only forward. Pure.
    fn is_past_no_return(&self, _step: Self::Step) -> bool {
        false
    }

    /// How often an unknown outcome of this step is tried again before the workflow is unwound;
    /// never given up past the point of no return.
    fn max_attempts(&self, _step: Self::Step) -> u32 {
        30
    }

    /// Does the step, or the next bit of it. May run more than once.
    fn run(
        &self,
        step: Self::Step,
        state: &mut Self::State,
        cx: &StepCx,
    ) -> impl Future<Output = Result<Progress, StepError>> + Send;

    /// Takes back what the step did, if it did anything. May run more than once.
    fn undo(
        &self,
        _step: Self::Step,
        _state: &mut Self::State,
        _cx: &StepCx,
    ) -> impl Future<Output = Result<(), StepError>> + Send {
        async { Ok(()) }
    }
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next<S> {
    /// This step.
    Step(S),
    /// The end: the workflow succeeded.
    Finish,
}

/// How far a step came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is done.
    Done,
    /// It is done, with a word for the history.
    DoneWith(String),
    /// Not yet: its state is stored and it runs again after this time, at any replica.
    Wait(Duration),
}

/// Why a step did not come further.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It certainly did not happen and will not: the workflow is unwound.
    #[error("{message}")]
    Rejected {
        /// Stable reason, `DIGEST_MISMATCH`.
        reason: &'static str,
        /// For a person, with what to do next.
        message: String,
    },
    /// Not known, or not now: it is looked at again, and tried again.
    #[error("{0:#}")]
    Unknown(anyhow::Error),
    /// Another executor took over: this one stops at once and writes nothing.
    #[error("another executor took over")]
    Fenced,
}

impl StepError {
    /// A rejection.
    pub fn rejected(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Rejected {
            reason,
            message: message.into(),
        }
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Unknown(error.into())
    }
}

impl From<anyhow::Error> for StepError {
    fn from(error: anyhow::Error) -> Self {
        Self::Unknown(error)
    }
}

/// Where a step runs.
#[derive(Debug, Clone)]
pub struct StepCx {
    /// The workflow.
    pub workflow_id: Uuid,
    /// Its fleet.
    pub fleet_id: String,
    /// The step's stored name.
    pub step: String,
    /// The fence that this executor claimed: `lease_gen` towards others.
    pub fence: i64,
    /// How often this step was tried before.
    pub attempt: u32,
    /// The trace of who started the workflow.
    pub traceparent: Option<String>,
    /// When the workflow was started.
    pub create_time: time::OffsetDateTime,
    /// The service's database.
    pub pool: PgPool,
}

impl StepCx {
    /// The request id of this step's call to another service: the same for every try.
    pub fn request_id(&self) -> Uuid {
        Uuid::new_v5(&self.workflow_id, self.step.as_bytes())
    }

    /// The request id of one of several calls of this step.
    pub fn request_id_for(&self, call: &str) -> Uuid {
        Uuid::new_v5(
            &self.workflow_id,
            format!("{}/{call}", self.step).as_bytes(),
        )
    }

    /// Fails unless this executor still holds the workflow; holds its row until the transaction
    /// ends, so that nobody can take over before its effect is committed.
    pub async fn guard(&self, connection: &mut PgConnection) -> Result<(), StepError> {
        match store::hold(connection, self.workflow_id, self.fence).await? {
            true => Ok(()),
            false => Err(StepError::Fenced),
        }
    }
}
