//! Why an operation did not happen, by what the caller can do about it.

use std::collections::HashMap;

use hubshift_api::fault::{self, ApiError};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_store::StoreError;
use hubshift_store::idem::ReplayError;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::table::EPOCH_FORGOTTEN;

/// Why an operation did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AppError {
    #[error("fleet `{0}` does not exist; `hubshift fleet list` shows those that do")]
    FleetNotFound(String),
    #[error("fleet `{fleet}` has no hub `{hub}`")]
    HubNotFound { fleet: String, hub: String },
    #[error("fleet `{0}` exists already")]
    FleetExists(String),
    #[error(
        "host `{0}` belongs to another hub: two fleets on one hub would delete each other's devices"
    )]
    HubHostTaken(String),
    #[error("the fleet changed since it was read; read it again, then decide")]
    EtagMismatch,
    #[error("the fleet never had epoch {0}")]
    EpochUnknown(u64),
    #[error("the fleet is in epoch {epoch}, not {expected}; look again, then decide")]
    EpochChanged { epoch: Epoch, expected: Epoch },
    #[error(
        "epoch {0} was served and the database does not know it; see \"After a restore or a promotion\" in docs/runbook.md"
    )]
    EpochForgotten(Epoch),
    #[error("canary {0} runs; stop it first, or wait until it is over")]
    CanaryRunning(Uuid),
    #[error("no such canary runs; its devices are told to be at the active hub")]
    CanaryNotRunning,
    #[error("hub `{hub}` is {state}; devices are tried at a standby that is ready, no other")]
    HubNotReady { hub: String, state: HubState },
    #[error("{0} is not over; devices are tried before or after a move")]
    OperationRunning(String),
    #[error(
        "devices can't be told so much: a route is a short document; name fewer devices or shorter prefixes"
    )]
    RouteTooLong,
    #[error("failover `{0}` does not exist")]
    FailoverNotFound(String),
    #[error(
        "{0} is not over; watch it, or cancel it before its commit; when its target is gone after \
         that, a forced move may supersede it"
    )]
    FailoverActive(String),
    #[error("{failover} {why}")]
    NotSupersedable { failover: String, why: String },
    #[error("the active hub is `{active}`, not `{expected}`; look again, then decide")]
    ActiveHubChanged { active: String, expected: String },
    #[error("the move does not start: {0}")]
    PrecheckBlocked(String),
    #[error(
        "a forced move may lose changes; acknowledge_loss_bound must repeat the plan's loss \
         bound, or be `any`: {0}"
    )]
    LossNotAcknowledged(String),
    #[error("the epoch is being moved, or has moved: from here there is only forward")]
    PastPointOfNoReturn,
    #[error("the failover is over")]
    FailoverDone,
    #[error("an equal request is under way; repeat this one")]
    Raced,
    #[error(transparent)]
    Replay(#[from] ReplayError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl ApiError for AppError {
    fn code(&self) -> Code {
        match self {
            Self::FleetNotFound(_) | Self::HubNotFound { .. } | Self::FailoverNotFound(_) => {
                Code::NotFound
            }
            Self::FleetExists(_) | Self::HubHostTaken(_) => Code::AlreadyExists,
            Self::EtagMismatch
            | Self::FailoverActive(_)
            | Self::ActiveHubChanged { .. }
            | Self::EpochChanged { .. }
            | Self::Raced => Code::Aborted,
            Self::EpochUnknown(_)
            | Self::EpochForgotten(_)
            | Self::CanaryRunning(_)
            | Self::CanaryNotRunning
            | Self::HubNotReady { .. }
            | Self::OperationRunning(_)
            | Self::RouteTooLong
            | Self::PrecheckBlocked(_)
            | Self::LossNotAcknowledged(_)
            | Self::NotSupersedable { .. }
            | Self::PastPointOfNoReturn
            | Self::FailoverDone => Code::FailedPrecondition,
            Self::Replay(_) | Self::Store(_) => Code::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::FleetNotFound(_) => "FLEET_NOT_FOUND",
            Self::HubNotFound { .. } => "HUB_NOT_FOUND",
            Self::FleetExists(_) => "FLEET_EXISTS",
            Self::HubHostTaken(_) => "HUB_HOST_TAKEN",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::EpochUnknown(_) => "EPOCH_UNKNOWN",
            Self::EpochChanged { .. } => "EPOCH_CHANGED",
            Self::EpochForgotten(_) => EPOCH_FORGOTTEN,
            Self::CanaryRunning(_) => "CANARY_RUNNING",
            Self::CanaryNotRunning => "CANARY_NOT_RUNNING",
            Self::HubNotReady { .. } => "HUB_NOT_READY",
            Self::OperationRunning(_) => "OPERATION_RUNNING",
            Self::RouteTooLong => "ROUTE_TOO_LONG",
            Self::FailoverNotFound(_) => "FAILOVER_NOT_FOUND",
            Self::FailoverActive(_) => "FAILOVER_ACTIVE",
            Self::NotSupersedable { .. } => "NOT_SUPERSEDABLE",
            Self::ActiveHubChanged { .. } => "ACTIVE_HUB_CHANGED",
            Self::PrecheckBlocked(_) => "PRECHECK_BLOCKED",
            Self::LossNotAcknowledged(_) => "LOSS_NOT_ACKNOWLEDGED",
            Self::PastPointOfNoReturn => "PAST_POINT_OF_NO_RETURN",
            Self::FailoverDone => "FAILOVER_DONE",
            Self::Raced => "CONCURRENT_CHANGE",
            Self::Replay(_) | Self::Store(_) => "INTERNAL",
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        let pair = |key: &str, value: &str| HashMap::from([(key.to_owned(), value.to_owned())]);
        match self {
            Self::FailoverActive(failover)
            | Self::OperationRunning(failover)
            | Self::NotSupersedable { failover, .. } => pair("failover", failover),
            Self::CanaryRunning(canary) => pair("canary", &canary.to_string()),
            Self::EpochChanged { epoch, .. } => pair("epoch", &epoch.to_string()),
            Self::HubNotReady { state, .. } => pair("state", state.as_str()),
            Self::ActiveHubChanged { active, .. } => pair("active_hub", active),
            Self::LossNotAcknowledged(bound) => pair("loss_bound", bound),
            Self::HubHostTaken(host) => pair("host", host),
            _ => HashMap::new(),
        }
    }
}

impl From<AppError> for Status {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Store(error) => error.into(),
            AppError::Replay(error) => error.into(),
            other => fault::to_status(&other),
        }
    }
}
