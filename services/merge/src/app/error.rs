//! Why an operation did not happen, by what the caller can do about it.

use std::collections::HashMap;

use hubshift_api::fault::{self, ApiError};
use hubshift_domain::hub_state::HubState;
use hubshift_store::StoreError;
use hubshift_store::idem::ReplayError;
use tonic::{Code, Status};

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MergeError {
    #[error("fleet `{0}` does not exist")]
    FleetNotFound(String),
    #[error("fleet `{fleet}` has no hub `{hub}`")]
    HubNotFound { fleet: String, hub: String },
    #[error("merge `{0}` does not exist")]
    MergeNotFound(String),
    #[error("conflict `{0}` does not exist")]
    ConflictNotFound(String),
    #[error("{0} is not over; wait for its end")]
    MergeActive(String),
    #[error("hub `{hub}` is {state}; only a hub that missed an epoch is merged")]
    HubNotQuarantined { hub: String, state: HubState },
    #[error("the plan can't be applied: {0}")]
    PlanNotReady(String),
    #[error("the plan is now {0}; review it again")]
    PlanChanged(String),
    #[error("a breaker tripped; look again, then set override_breakers: {0}")]
    BreakerTripped(String),
    #[error("this can't be chosen: {0}")]
    ChoiceImpossible(String),
    #[error("it was changed since the merge; plan a new merge, or change it directly")]
    ConflictStale,
    #[error("a concurrent request was faster; read again, then decide")]
    Raced,
    #[error("registry-sync: {0}")]
    Remote(Box<Status>),
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ApiError for MergeError {
    fn code(&self) -> Code {
        match self {
            Self::FleetNotFound(_)
            | Self::HubNotFound { .. }
            | Self::MergeNotFound(_)
            | Self::ConflictNotFound(_) => Code::NotFound,
            Self::MergeActive(_) | Self::PlanChanged(_) | Self::ConflictStale | Self::Raced => {
                Code::Aborted
            }
            Self::HubNotQuarantined { .. }
            | Self::PlanNotReady(_)
            | Self::BreakerTripped(_)
            | Self::ChoiceImpossible(_) => Code::FailedPrecondition,
            Self::Remote(_) | Self::Replay(_) | Self::Store(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::FleetNotFound(_) => "FLEET_NOT_FOUND",
            Self::HubNotFound { .. } => "HUB_NOT_FOUND",
            Self::MergeNotFound(_) => "MERGE_NOT_FOUND",
            Self::ConflictNotFound(_) => "CONFLICT_NOT_FOUND",
            Self::MergeActive(_) => "MERGE_ACTIVE",
            Self::HubNotQuarantined { .. } => "HUB_NOT_QUARANTINED",
            Self::PlanNotReady(_) => "PLAN_NOT_READY",
            Self::PlanChanged(_) => "PLAN_CHANGED",
            Self::BreakerTripped(_) => "BREAKER_TRIPPED",
            Self::ChoiceImpossible(_) => "CHOICE_IMPOSSIBLE",
            Self::ConflictStale => "CONFLICT_STALE",
            Self::Raced => "CONCURRENT_CHANGE",
            Self::Remote(_) | Self::Replay(_) | Self::Store(_) => "INTERNAL",
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        let pair = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
        match self {
            Self::MergeActive(name) => pair("merge", name),
            Self::PlanChanged(plan) => pair("plan_id", plan),
            _ => HashMap::new(),
        }
    }
}

impl From<MergeError> for Status {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Store(error) => error.into(),
            MergeError::Replay(error) => error.into(),
            MergeError::Remote(status) => *status,
            other => fault::to_status(&other),
        }
    }
}
