//! What an answer of registry-sync says of a hard fence, for the move that asks for it and for the
//! reconciler that asks again.

use hubshift_api::fault;
use hubshift_api::pb::registry::{FenceState, FenceStatus};
use tonic::{Code, Status};

/// How a fence stands that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fencing {
    /// The hub was seen shut out.
    Done,
    /// It is worked on.
    Working,
    /// Nobody said how to shut the hub out.
    Unavailable,
    /// A person opened the hub again, or said that it is not to be shut.
    Lifted,
    /// It came to nothing, for now.
    Failed(String),
    /// registry-sync does not answer.
    Silent(String),
}

impl Fencing {
    /// What the answer says.
    pub(crate) fn of(answer: Result<FenceStatus, Status>) -> Self {
        match answer {
            Ok(status) => standing(status),
            Err(status) => refusal(&status),
        }
    }
}

fn standing(status: FenceStatus) -> Fencing {
    match status.state() {
        FenceState::Done => Fencing::Done,
        FenceState::Lifting | FenceState::Lifted => Fencing::Lifted,
        FenceState::Requested | FenceState::Unknown if !status.task.is_empty() => Fencing::Working,
        FenceState::Requested | FenceState::Unknown if !status.error.is_empty() => {
            Fencing::Failed(status.error)
        }
        FenceState::Requested | FenceState::Unknown | FenceState::Unspecified => {
            Fencing::Failed("nobody works on it".to_owned())
        }
    }
}

fn refusal(status: &Status) -> Fencing {
    let text = status.message().to_owned();
    match fault::reason(status).as_str() {
        "FENCE_UNAVAILABLE" | "CONNECTION_NOT_FOUND" => return Fencing::Unavailable,
        _ => {}
    }
    match status.code() {
        // An older registry-sync has no fence.
        Code::Unimplemented => Fencing::Unavailable,
        Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled => {
            Fencing::Silent(text)
        }
        _ => Fencing::Failed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: FenceState, task: &str, error: &str) -> Fencing {
        Fencing::of(Ok(FenceStatus {
            state: state.into(),
            task: task.to_owned(),
            error: error.to_owned(),
            ..FenceStatus::default()
        }))
    }

    #[test]
    fn a_fence_that_nobody_works_on_came_to_nothing() {
        let task = "fleets/acme/tasks/1";
        assert_eq!(status(FenceState::Done, "", ""), Fencing::Done);
        let working = status(FenceState::Requested, task, "no answer in time");
        assert_eq!(working, Fencing::Working);
        let failed = status(FenceState::Unknown, "", "no answer in time");
        assert_eq!(failed, Fencing::Failed("no answer in time".into()));
        assert!(matches!(
            status(FenceState::Requested, "", ""),
            Fencing::Failed(_)
        ));
        assert_eq!(status(FenceState::Lifting, task, ""), Fencing::Lifted);
    }

    #[test]
    fn a_refusal_is_told_from_a_silence_and_from_a_fence_that_there_is_none() {
        let refused = |code, reason| Fencing::of(Err(fault::status(code, reason, "no")));
        let unavailable = refused(Code::FailedPrecondition, "FENCE_UNAVAILABLE");
        assert_eq!(unavailable, Fencing::Unavailable);
        assert_eq!(
            refused(Code::NotFound, "CONNECTION_NOT_FOUND"),
            Fencing::Unavailable
        );
        assert_eq!(
            refused(Code::Unimplemented, "UNIMPLEMENTED"),
            Fencing::Unavailable
        );
        let silent = refused(Code::Unavailable, "DATABASE_UNAVAILABLE");
        assert_eq!(silent, Fencing::Silent("no".into()));
        let failed = refused(Code::FailedPrecondition, "HUB_NOT_DEPOSED");
        assert_eq!(failed, Fencing::Failed("no".into()));
    }
}
