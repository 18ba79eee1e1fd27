//! Repeating one journaled write at the new active hub, by what is there now.

use hubshift_flow::StepError;

use crate::intent::IntentError;
use crate::store::replay::Journaled;
use crate::workflows::trouble::reread_failed;
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
) -> Result<Repeated, StepError> {
    let device = journaled.device_id.clone();
    let read = reread(&cx.pool, &cx.keys, &*cx.hub, &cx.fleet, &cx.hub_id, &device).await;
    let seen = match read {
        Ok(seen) => seen,
        Err(error) => {
            // A throttled read is left to the next round.
            reread_failed(error, attempt)?;
            return Ok(Repeated {
                device,
                effect: Effect::Pending,
                outcome: None,
            });
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
    let effect = came_to(effect, &outcome);
    Ok(Repeated {
        device,
        effect,
        outcome: Some(outcome),
    })
}

fn came_to(intended: Effect, outcome: &WriteOutcome) -> Effect {
    match (outcome, intended) {
        // It is gone, and its tombstone may say so.
        (WriteOutcome::Applied(_) | WriteOutcome::Already(_), Effect::Deleted) => Effect::Deleted,
        (WriteOutcome::Applied(_), intended) => intended,
        (WriteOutcome::Already(_), _) => Effect::Nothing,
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
    }
}
