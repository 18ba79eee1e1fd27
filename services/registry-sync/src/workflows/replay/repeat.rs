//! Repeating one journaled write at the new active hub, by what is there now.

use std::time::Duration;

use hubshift_flow::StepError;

use crate::intent::IntentError;
use crate::pass::is_throttled;
use crate::store::replay::Journaled;
use crate::workflows::trouble::{Brake, THROTTLED, Turn, reread_failed};
use crate::write::{Wanted, WriteCx, WriteOp, WriteOutcome, reread, write};

/// What repeating a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Created,
    Updated,
    Deleted,
    /// The device was gone already.
    Gone,
    /// It was so already, or a later life is there.
    Nothing,
    /// It did not come through.
    Pending,
    /// The hub does not take it, however often it is tried.
    Refused,
    /// The hub asked for a pause of this long before it was through.
    Throttled(Duration),
}

/// One write, repeated.
#[derive(Debug)]
pub(super) struct Repeated {
    pub(super) device: String,
    pub(super) effect: Effect,
    /// What the hub made of it; nothing when it was not called.
    pub(super) outcome: Option<WriteOutcome>,
}

/// Reads the device and makes of it what the journal says.
pub(super) async fn repeat(
    cx: WriteCx,
    journaled: Journaled,
    hold: Option<String>,
    attempt: u32,
    brake: &Brake,
) -> Result<Repeated, StepError> {
    let device = journaled.device_id.clone();
    if brake.is_pulled() {
        return Ok(throttled(device, Duration::ZERO));
    }
    let read = reread(&cx.pool, &cx.keys, &*cx.hub, &cx.fleet, &cx.hub_id, &device).await;
    let seen = match read {
        Ok(seen) => seen,
        Err(error) => {
            let pause = match reread_failed(error, attempt)? {
                Turn::Pause(pause) => pause,
                Turn::Over | Turn::More => Duration::ZERO,
            };
            brake.pull();
            return Ok(throttled(device, pause));
        }
    };
    if seen
        .as_ref()
        .is_some_and(|seen| seen.incarnation > journaled.incarnation)
    {
        return Ok(Repeated {
            device,
            effect: Effect::Nothing,
            outcome: None,
        });
    }
    let wanted = journaled.wanted.map(|(record, sealed, _)| Wanted {
        device_id: device.clone(),
        incarnation: journaled.incarnation,
        record,
        sealed,
        hold,
    });
    let (effect, result) = match (&wanted, &seen) {
        (Some(to), None) => (Effect::Created, write(&cx, WriteOp::Create(to)).await),
        (Some(to), Some(seen)) => (
            Effect::Updated,
            write(&cx, WriteOp::Update { to, seen }).await,
        ),
        (None, Some(seen)) => {
            let op = WriteOp::Delete {
                device_id: &device,
                seen,
            };
            (Effect::Deleted, write(&cx, op).await)
        }
        (None, None) => {
            return Ok(Repeated {
                device,
                effect: Effect::Gone,
                outcome: None,
            });
        }
    };
    let outcome = result.map_err(|error: IntentError| StepError::from(error))?;
    if is_throttled(&outcome) {
        brake.pull();
        return Ok(throttled(device, THROTTLED));
    }
    let effect = came_to(effect, &outcome);
    Ok(Repeated {
        device,
        effect,
        outcome: Some(outcome),
    })
}

fn throttled(device: String, pause: Duration) -> Repeated {
    Repeated {
        device,
        effect: Effect::Throttled(pause),
        outcome: None,
    }
}

fn came_to(intended: Effect, outcome: &WriteOutcome) -> Effect {
    match (outcome, intended) {
        // It is gone, and its tombstone may say so.
        (WriteOutcome::Applied(_) | WriteOutcome::Already(_), Effect::Deleted) => Effect::Deleted,
        (WriteOutcome::Applied(_), intended) => intended,
        (WriteOutcome::Already(_), _) => Effect::Nothing,
        (
            WriteOutcome::Rejected {
                reason: "HUB_REFUSED" | "SECRET_UNREADABLE",
                ..
            },
            _,
        ) => Effect::Refused,
        (
            WriteOutcome::Stale
            | WriteOutcome::Gone
            | WriteOutcome::Rejected { .. }
            | WriteOutcome::Unknown(_),
            _,
        ) => Effect::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_come_through_is_pending_and_what_was_so_already_is_nothing() {
        assert_eq!(
            came_to(Effect::Created, &WriteOutcome::Applied(None)),
            Effect::Created
        );
        assert_eq!(
            came_to(Effect::Updated, &WriteOutcome::Already(None)),
            Effect::Nothing
        );
        assert_eq!(
            came_to(Effect::Deleted, &WriteOutcome::Already(None)),
            Effect::Deleted
        );
        assert_eq!(
            came_to(Effect::Created, &WriteOutcome::Stale),
            Effect::Pending
        );
        let unknown = WriteOutcome::Unknown("x".into());
        assert_eq!(came_to(Effect::Deleted, &unknown), Effect::Pending);
        let refused = |reason| WriteOutcome::Rejected {
            reason,
            message: "no".into(),
        };
        assert_eq!(
            came_to(Effect::Created, &refused("HUB_REFUSED")),
            Effect::Refused
        );
        assert_eq!(
            came_to(Effect::Created, &refused("TOO_LATE")),
            Effect::Pending
        );
    }
}
