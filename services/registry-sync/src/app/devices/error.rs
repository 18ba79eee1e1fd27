//! Why a call about a device fails, in the words of its callers.

use std::time::Duration;

use hubshift_api::fault;
use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_store::StoreError;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::authority::{EPOCH_FORGOTTEN, FORGOTTEN};
use crate::seal::KeyError;

/// A refusal that the journal remembers: the same request gets it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A device of this id is there already.
    Exists,
    /// There is no such device.
    NotFound,
    /// It is not as the caller read it, or a later request changed it.
    EtagMismatch,
    /// The hub does not take it as it is.
    HubRefused,
}

impl Refusal {
    const ALL: [Self; 4] = [
        Self::Exists,
        Self::NotFound,
        Self::EtagMismatch,
        Self::HubRefused,
    ];

    /// The stable reason, as the journal stores it.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Exists => "DEVICE_EXISTS",
            Self::NotFound => "DEVICE_NOT_FOUND",
            Self::EtagMismatch => "ETAG_MISMATCH",
            Self::HubRefused => "HUB_REFUSED",
        }
    }

    /// From the stored reason.
    pub(crate) fn parse(reason: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|refusal| refusal.reason() == reason);
        known.unwrap_or(Self::HubRefused)
    }

    fn code(self) -> Code {
        match self {
            Self::Exists => Code::AlreadyExists,
            Self::NotFound => Code::NotFound,
            Self::EtagMismatch => Code::Aborted,
            Self::HubRefused => Code::FailedPrecondition,
        }
    }
}

/// Why a call about a device fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeviceError {
    /// There is no such fleet.
    #[error("fleet `{0}` does not exist")]
    NoFleet(FleetId),
    /// The fleet's active hub has no connection.
    #[error("hub `{0}` has no connection; create one")]
    NoConnection(String),
    /// The fleet is frozen before a failover.
    #[error("the registry is frozen for a failover; try again when it is through")]
    Frozen(Duration),
    /// The fleet settles after a failover.
    #[error("the registry settles after a failover; try again soon")]
    Settling(Duration),
    /// A higher epoch was served than the database knows.
    #[error("{}", FORGOTTEN)]
    EpochForgotten,
    /// The hub does not answer, and certainly did nothing.
    #[error("the active hub cannot be reached: {0}; repeat with the same request_id")]
    Unreachable(String),
    /// It is not known whether it happened.
    #[error("{what}; repeat with the same request_id")]
    Unknown {
        /// What is not known, and why.
        what: String,
        /// When it is worth asking again.
        after: Duration,
    },
    /// The epoch moves faster than we can follow.
    #[error("the fleet's authority moves; repeat with the same request_id")]
    Moving,
    /// The request id stands for another request.
    #[error("request_id {0} was used with another body; use a new one")]
    Reused(Uuid),
    /// Certainly not done.
    #[error("{text}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// For a person.
        text: String,
    },
    /// A field does not go with the device as it is.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// Why.
        problem: String,
    },
    /// A credential can't be sealed or opened.
    #[error("the fleet's keys cannot be used")]
    Key(#[source] KeyError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DeviceError {
    /// There is no such device.
    pub(crate) fn not_found(device: &DeviceId) -> Self {
        let text = format!("device `{device}` does not exist at the active hub");
        Self::Refused {
            refusal: Refusal::NotFound,
            text,
        }
    }
}

impl From<KeyError> for DeviceError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(store) => Self::Store(store),
            other => Self::Key(other),
        }
    }
}

impl From<DeviceError> for Status {
    fn from(error: DeviceError) -> Self {
        let text = error.to_string();
        let second = Duration::from_secs(1);
        match error {
            DeviceError::NoFleet(_) => fault::status(Code::NotFound, "FLEET_NOT_FOUND", text),
            DeviceError::NoConnection(_) => {
                fault::status(Code::FailedPrecondition, "CONNECTION_NOT_FOUND", text)
            }
            DeviceError::Frozen(after) => {
                fault::retry(Code::FailedPrecondition, "REGISTRY_FROZEN", text, after)
            }
            DeviceError::Settling(after) => {
                fault::retry(Code::FailedPrecondition, "REGISTRY_SETTLING", text, after)
            }
            DeviceError::EpochForgotten => {
                fault::status(Code::FailedPrecondition, EPOCH_FORGOTTEN, text)
            }
            DeviceError::Unreachable(_) => {
                fault::retry(Code::Unavailable, "HUB_UNREACHABLE", text, second)
            }
            DeviceError::Unknown { after, .. } => {
                fault::retry(Code::Unavailable, "OUTCOME_UNKNOWN", text, after)
            }
            DeviceError::Moving => fault::retry(Code::Aborted, "EPOCH_MOVED", text, second),
            DeviceError::Reused(_) => fault::status(Code::AlreadyExists, "REQUEST_ID_REUSED", text),
            DeviceError::Refused { refusal, .. } => {
                fault::status(refusal.code(), refusal.reason(), text)
            }
            DeviceError::Invalid { field, problem } => {
                fault::invalid(vec![(field.to_owned(), problem)])
            }
            DeviceError::Key(source) => {
                tracing::error!(
                    error = &source as &dyn std::error::Error,
                    "fleet keys unusable"
                );
                fault::internal()
            }
            DeviceError::Store(store) => store.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_back_from_the_journal() {
        for refusal in Refusal::ALL {
            assert_eq!(Refusal::parse(refusal.reason()), refusal);
        }
    }

    #[test]
    fn what_may_be_repeated_says_when() {
        let error = DeviceError::Frozen(Duration::from_secs(7));
        let status = Status::from(error);
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(fault::reason(&status), "REGISTRY_FROZEN");
        let details = tonic_types::StatusExt::get_details_retry_info(&status).unwrap();
        assert_eq!(details.retry_delay, Some(Duration::from_secs(7)));
    }
}
