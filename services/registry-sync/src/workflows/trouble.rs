//! What a hub's failure means to a step: wait, try again, or give up with a stable reason.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hubshift_domain::id::is_device;
use hubshift_flow::{Progress, StepError};
use hubshift_hub::{HubError, Rejection};

use crate::deps::WriterError;
use crate::intent::SettleError;
use crate::jobs::CloseError;
use crate::seal::KeyError;
use crate::write::RereadError;

/// After so many tries in a row a hub counts as unreachable.
const MAX_TRIES: u32 = 10;

/// How far a turn of a long step came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is nothing left to do.
    Over,
    /// There is more: store the state and go on.
    More,
    /// The hub asks for a pause.
    Pause(Duration),
}

impl From<Turn> for Progress {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::Over => Self::Done,
            Turn::More => Self::Wait(Duration::ZERO),
            Turn::Pause(after) => Self::Wait(after),
        }
    }
}

/// How long to leave a hub alone that asks to slow down and does not say for how long.
pub(crate) const THROTTLED: Duration = Duration::from_secs(5);

/// Shared by calls to one hub that run side by side: once one of them went wrong, no other begins.
#[derive(Debug, Default)]
pub(crate) struct Brake(AtomicBool);

impl Brake {
    /// Lets no other call begin.
    pub(crate) fn pull(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether no other call is to begin.
    pub(crate) fn is_pulled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether this is one module or configuration that the hub does not let be read, as it does with
/// the modules of disabled devices, or whose id we do not know how to say, and no trouble with the
/// hub.
pub(crate) fn is_unreadable(key: &str, error: &HubError) -> bool {
    let refused = matches!(
        error,
        HubError::Rejected(Rejection::Invalid(_) | Rejection::DeviceDisabled)
    );
    refused && !is_device(key)
}

/// What to do about a call that a hub did not do: a pause, or an error of the step.
pub(crate) fn hub_failed(error: HubError, attempt: u32) -> Result<Turn, StepError> {
    let text = error.to_string();
    match &error {
        HubError::Rejected(Rejection::Throttled { retry_after }) => Ok(Turn::Pause(*retry_after)),
        HubError::Rejected(Rejection::Unauthorized(_)) => {
            Err(StepError::rejected("HUB_UNAUTHORIZED", text))
        }
        HubError::Rejected(Rejection::Untrusted(_)) => {
            Err(StepError::rejected("HUB_UNTRUSTED", text))
        }
        _ if attempt >= MAX_TRIES => Err(StepError::rejected("HUB_UNREACHABLE", text)),
        _ => Err(StepError::Unknown(error.into())),
    }
}

impl From<KeyError> for StepError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(store) => store.into(),
            other => Self::Unknown(other.into()),
        }
    }
}

impl From<WriterError> for StepError {
    fn from(error: WriterError) -> Self {
        match error {
            WriterError::Hub(error) => error.into(),
            WriterError::Key(error) => error.into(),
        }
    }
}

/// What to do about intents that could not be settled.
pub(crate) fn settle_failed(error: SettleError, attempt: u32) -> Result<Turn, StepError> {
    match error {
        SettleError::Hubs(error) => Err(error.into()),
        SettleError::Key(error) => Err(error.into()),
        SettleError::Store(error) => Err(error.into()),
        SettleError::Reread(error) => reread_failed(error, attempt),
    }
}

/// What to do about a job that could not be closed yet.
pub(crate) fn close_failed(error: CloseError, attempt: u32) -> Result<Turn, StepError> {
    match error {
        CloseError::Hubs(error) => Err(error.into()),
        CloseError::Hub(error) => hub_failed(error, attempt),
        CloseError::Store(error) => Err(error.into()),
    }
}

/// What to do about a device that could not be looked at.
pub(crate) fn reread_failed(error: RereadError, attempt: u32) -> Result<Turn, StepError> {
    match error {
        RereadError::Hub(error) => hub_failed(error, attempt),
        RereadError::Key(error) => Err(error.into()),
        RereadError::Store(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use hubshift_hub::Cause;

    use super::*;

    #[test]
    fn a_throttled_call_waits_and_a_silent_hub_is_given_up_after_ten_tries() {
        let retry_after = Duration::from_secs(3);
        let throttled = HubError::Rejected(Rejection::Throttled { retry_after });
        assert_eq!(hub_failed(throttled, 99).unwrap(), Turn::Pause(retry_after));
        let silent = || HubError::Unknown(Cause::Timeout);
        assert!(matches!(
            hub_failed(silent(), 9),
            Err(StepError::Unknown(_))
        ));
        let given_up = hub_failed(silent(), 10);
        let Err(StepError::Rejected { reason, .. }) = given_up else {
            panic!("{given_up:?}")
        };
        assert_eq!(reason, "HUB_UNREACHABLE");
    }

    #[test]
    fn only_what_is_no_device_can_be_there_and_not_be_read() {
        let disabled = HubError::Rejected(Rejection::DeviceDisabled);
        assert!(is_unreadable("d/m", &disabled));
        let refused = HubError::Rejected(Rejection::Invalid("no such id".into()));
        assert!(is_unreadable("d/m", &refused));
        assert!(!is_unreadable("d", &refused));
        // One id that we do not know stops no scan.
        assert!(is_unreadable("/configurations/A", &refused));
        let closed = HubError::Rejected(Rejection::Unauthorized("no".into()));
        assert!(!is_unreadable("d/m", &closed));
    }

    #[test]
    fn a_refused_key_is_not_tried_again() {
        let refused = HubError::Rejected(Rejection::Unauthorized("no".into()));
        assert!(matches!(
            hub_failed(refused, 0),
            Err(StepError::Rejected { .. })
        ));
    }
}
