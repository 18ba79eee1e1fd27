//! Why a device got no answer, or can't start.

use std::path::PathBuf;
use std::time::Duration;

use super::{HttpError, Refused, TrustError};

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No concierge is configured.
    #[error("no concierge is configured")]
    NoConcierge,
    /// The state file can't be read. Repair or remove it; a removed one forgets the epoch.
    #[error("the state file {} can't be read", .path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The saved state is not believed: it was made under other keys.
    #[error("the saved route is not believed")]
    Saved(#[source] Refused),
    /// The saved key set is not believed.
    #[error("the saved key set is not believed")]
    SavedKeys(#[source] TrustError),
    /// No concierge gave an answer that is believed, and no route is held.
    #[error("no concierge gave an answer that can be believed")]
    NoRoute(#[source] PollError),
}

/// Why one concierge's answer did not count.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// It gave none.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Neither is its key set.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Every concierge asked for time, and none was asked.
    #[error("every concierge asked to be asked later")]
    HeldOff,
}

impl PollError {
    /// How much time the concierge asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Http(error) => error.retry_after(),
            Self::Refused(_) | Self::Trust(_) | Self::HeldOff => None,
        }
    }
}
