//! What the outcomes of a batch say of the hub itself.

use hubshift_flow::StepError;

use crate::workflows::trouble::{THROTTLED, Turn};
use crate::write::WriteOutcome;

/// After so many tries in a row a hub that can't be written counts as unreachable.
const MAX_TRIES: u32 = 10;

/// Whether the hub asked to slow down.
pub(crate) fn is_throttled(outcome: &WriteOutcome) -> bool {
    matches!(
        outcome,
        WriteOutcome::Rejected {
            reason: "HUB_THROTTLED",
            ..
        }
    )
}

/// What a batch's outcomes say of the hub itself: a pause, or an error of the step.
pub(crate) fn judge(outcomes: &[&WriteOutcome], attempt: u32) -> Result<Turn, StepError> {
    let all_unknown = !outcomes.is_empty()
        && outcomes
            .iter()
            .all(|outcome| matches!(outcome, WriteOutcome::Unknown(_)));
    for outcome in outcomes {
        match outcome {
            WriteOutcome::Rejected {
                reason: "HUB_THROTTLED",
                ..
            } => {
                return Ok(Turn::Pause(THROTTLED));
            }
            WriteOutcome::Rejected {
                reason: reason @ ("HUB_UNAUTHORIZED" | "HUB_UNTRUSTED"),
                message,
            } => return Err(StepError::rejected(reason, message.clone())),
            WriteOutcome::Rejected {
                reason: "HUB_UNREACHABLE",
                message,
            } => {
                return Err(unreachable(message, attempt));
            }
            WriteOutcome::Unknown(message) if all_unknown => {
                return Err(unreachable(message, attempt));
            }
            _ => {}
        }
    }
    Ok(Turn::More)
}

fn unreachable(message: &str, attempt: u32) -> StepError {
    if attempt >= MAX_TRIES {
        return StepError::rejected("HUB_UNREACHABLE", message);
    }
    StepError::Unknown(anyhow::anyhow!("{message}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &'static str) -> WriteOutcome {
        WriteOutcome::Rejected {
            reason,
            message: "no".into(),
        }
    }

    #[test]
    fn one_refused_device_does_not_stop_the_others() {
        let refused = refused("HUB_REFUSED");
        let (already, unknown) = (
            WriteOutcome::Already(None),
            WriteOutcome::Unknown("x".into()),
        );
        assert_eq!(
            judge(&[&refused, &already, &unknown], 0).unwrap(),
            Turn::More
        );
    }

    #[test]
    fn a_hub_that_asks_to_slow_down_gets_a_pause_and_a_silent_one_another_try() {
        assert_eq!(
            judge(&[&refused("HUB_THROTTLED")], 0).unwrap(),
            Turn::Pause(THROTTLED)
        );
        let silent = refused("HUB_UNREACHABLE");
        assert!(matches!(judge(&[&silent], 0), Err(StepError::Unknown(_))));
        assert!(matches!(
            judge(&[&silent], MAX_TRIES),
            Err(StepError::Rejected { .. })
        ));
        let unknown = WriteOutcome::Unknown("x".into());
        assert!(matches!(
            judge(&[&unknown, &unknown], 0),
            Err(StepError::Unknown(_))
        ));
    }
}
