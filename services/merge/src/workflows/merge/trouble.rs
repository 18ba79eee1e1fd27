//! What a call's failure means to a step: not now, not ours any more, or never.

use hubshift_api::fault;
use hubshift_flow::StepError;
use tonic::{Code, Status};

/// Reads the refusal of a call to registry-sync; `what` names the call for a person.
pub(super) fn refusal(status: &Status, what: &str) -> StepError {
    let reason = fault::reason(status);
    let text = format!("{what}: {}: {}", status.code(), status.message());
    match reason.as_str() {
        "STALE_FENCE" => StepError::Fenced,
        "EPOCH_MOVED" => epoch_moved(),
        // It stays shut until a person opens it.
        "HUB_FENCED" => StepError::rejected("HUB_FENCED", text),
        _ if is_final(status.code()) => StepError::rejected("CALL_REFUSED", text),
        _ => StepError::Unknown(anyhow::anyhow!(text)),
    }
}

/// The fleet was moved meanwhile.
pub(super) fn epoch_moved() -> StepError {
    StepError::rejected(
        "EPOCH_MOVED",
        "the fleet was moved meanwhile; plan the merge again",
    )
}

/// Whether the same call will be refused again. A closed registry opens by itself.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_epoch_ends_the_merge_and_a_closed_registry_is_waited_for() {
        let refused = |code, reason| refusal(&fault::status(code, reason, "no"), "apply");
        let moved = refused(Code::Aborted, "EPOCH_MOVED");
        assert!(matches!(
            moved,
            StepError::Rejected {
                reason: "EPOCH_MOVED",
                ..
            }
        ));
        let closed = refused(Code::FailedPrecondition, "REGISTRY_CLOSED");
        assert!(matches!(closed, StepError::Unknown(_)));
        assert!(matches!(
            refused(Code::Aborted, "STALE_FENCE"),
            StepError::Fenced
        ));
        let fenced = refused(Code::FailedPrecondition, "HUB_FENCED");
        assert!(matches!(
            fenced,
            StepError::Rejected {
                reason: "HUB_FENCED",
                ..
            }
        ));
        let gone = refused(Code::NotFound, "CONNECTION_NOT_FOUND");
        assert!(matches!(gone, StepError::Rejected { .. }));
    }
}
