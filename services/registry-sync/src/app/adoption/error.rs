//! Why a plan is not applied.

use std::collections::HashMap;

use hubshift_api::fault::{self, ApiError};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_flow::StepError;
use tonic::{Code, Status};

/// Why a plan is not applied; nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AdoptionError {
    /// There is none.
    #[error("there is no such plan of hub {0}; plans are forgotten after 30 days")]
    NotFound(HubId),
    /// It is too old.
    #[error("the plan's 24 hours are over; make a new one")]
    Expired,
    /// The fleet moved since.
    #[error("the plan was made in epoch {planned}, and the fleet is in {current}; make a new one")]
    OtherEpoch {
        /// The plan's.
        planned: Epoch,
        /// The fleet's.
        current: Epoch,
    },
    /// It is history.
    #[error("every extra of the plan has its outcome; make a new plan to decide again")]
    Applied,
    /// A task is at it.
    #[error("{task} applies the plan; wait for its end")]
    Active {
        /// The task's name.
        task: String,
    },
    /// The hub must not be written.
    #[error("hub {hub} is {state}; only a standby is adopted, and written once it is syncing")]
    NotStandby {
        /// The hub.
        hub: HubId,
        /// What it is to the fleet.
        state: &'static str,
    },
    /// A deletion that nobody counted.
    #[error("extras are to be deleted: acknowledge that the plan has {expected}, not {given}")]
    NotAcknowledged {
        /// How many extras the plan has.
        expected: u64,
        /// How many were acknowledged.
        given: u64,
    },
}

impl ApiError for AdoptionError {
    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::NotFound,
            Self::Active { .. } => Code::Aborted,
            Self::Expired
            | Self::OtherEpoch { .. }
            | Self::Applied
            | Self::NotStandby { .. }
            | Self::NotAcknowledged { .. } => Code::FailedPrecondition,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "ADOPTION_NOT_FOUND",
            Self::Expired | Self::OtherEpoch { .. } => "ADOPTION_EXPIRED",
            Self::Applied => "ADOPTION_APPLIED",
            Self::Active { .. } => "ADOPTION_ACTIVE",
            Self::NotStandby { .. } => "HUB_NOT_STANDBY",
            Self::NotAcknowledged { .. } => "EXTRAS_NOT_ACKNOWLEDGED",
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        let entry = match self {
            Self::Active { task } => ("task", task.clone()),
            Self::NotAcknowledged { expected, .. } => ("extra_count", expected.to_string()),
            _ => return HashMap::new(),
        };
        HashMap::from([(entry.0.to_owned(), entry.1)])
    }
}

impl From<AdoptionError> for Status {
    fn from(error: AdoptionError) -> Self {
        fault::to_status(&error)
    }
}

impl From<AdoptionError> for StepError {
    fn from(error: AdoptionError) -> Self {
        Self::rejected(error.reason(), error.to_string())
    }
}
