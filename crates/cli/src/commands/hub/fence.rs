//! `hubshift hub fence` and `hub unfence`: a hub that a forced move left is shut out through its
//! management plane, and opened again.

use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use crate::commands::{Pauses, names};
use crate::connect::Session;
use crate::connect::clients::Fences;
use crate::exit::CliError;
use crate::output::views::{FenceView, last_segment};

/// Shuts a hub out, and waits until it was seen shut.
pub(super) async fn shut(session: &Session, id: &FleetId, slug: &str) -> Result<(), CliError> {
    let request = pb::FenceHubRequest {
        fleet: id.name(),
        hub: hub(id, slug)?,
        // Whatever epoch it is: a hub that reigns is never shut out.
        epoch: 0,
        request_id: session.request_id(),
        context: None,
        again: true,
    };
    let send = |c, r| async move { Fences::new(c).fence_hub(r).await };
    let status = session.registry.call(request, send).await?;
    finish(session, id, slug, status, pb::FenceState::Done).await
}

/// Opens a hub again, and waits until it was seen open.
pub(super) async fn lift(session: &Session, id: &FleetId, slug: &str) -> Result<(), CliError> {
    let request = pb::UnfenceHubRequest {
        fleet: id.name(),
        hub: hub(id, slug)?,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Fences::new(c).unfence_hub(r).await };
    let status = session.registry.call(request, send).await?;
    finish(session, id, slug, status, pb::FenceState::Lifted).await
}

/// How a hub's fence stands; nothing where registry-sync is too old to have any.
pub(super) async fn fetch(
    session: &Session,
    id: &FleetId,
    slug: &str,
) -> Result<Option<pb::FenceStatus>, CliError> {
    let request = pb::GetFenceRequest {
        fleet: id.name(),
        hub: hub(id, slug)?,
    };
    let send = |c, r| async move { Fences::new(c).get_fence(r).await };
    match session.registry.call(request, send).await {
        Ok(status) => Ok(Some(status)),
        Err(error) if error.reason() == "UNIMPLEMENTED" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Shows how the fence stands when nobody works on it any more.
async fn finish(
    session: &Session,
    id: &FleetId,
    slug: &str,
    mut status: pb::FenceStatus,
    wanted: pb::FenceState,
) -> Result<(), CliError> {
    let mut progress = session.output.progress();
    let mut pauses = Pauses::new();
    while !status.task.is_empty() {
        progress.step(format!("hub {}: {}", last_segment(slug), said(&status)));
        pauses.wait().await;
        match fetch(session, id, slug).await? {
            Some(now) => status = now,
            None => break,
        }
    }
    let verdict = judge(&status, wanted);
    session.output.show(&FenceView::from(status))?;
    verdict
}

/// A hub that nobody shut is open.
fn judge(status: &pb::FenceStatus, wanted: pb::FenceState) -> Result<(), CliError> {
    let state = status.state();
    let is_open = wanted == pb::FenceState::Lifted && state == pb::FenceState::Unspecified;
    if state == wanted || is_open {
        return Ok(());
    }
    Err(CliError::ended_badly("FAILED", said(status)))
}

fn said(status: &pb::FenceStatus) -> String {
    let view = FenceView::from(status.clone());
    let state = view.state_text();
    match status.error.as_str() {
        "" => format!("the fence is {state}"),
        error => format!("the fence is {state}: {error}"),
    }
}

fn hub(id: &FleetId, slug: &str) -> Result<String, CliError> {
    let name = names::hub(id, slug)?;
    Ok(last_segment(&name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: pb::FenceState, error: &str) -> pb::FenceStatus {
        pb::FenceStatus {
            state: state.into(),
            error: error.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_hub_that_is_not_as_it_should_be_is_a_bad_end_with_its_cause() {
        let done = status(pb::FenceState::Done, "");
        assert!(judge(&done, pb::FenceState::Done).is_ok());
        let failed = status(pb::FenceState::Requested, "the plane refuses");
        let error = judge(&failed, pb::FenceState::Done).unwrap_err();
        assert_eq!((error.code(), error.reason().as_str()), (1, "FAILED"));
        assert_eq!(
            error.to_string(),
            "the fence is requested: the plane refuses"
        );
    }

    #[test]
    fn a_hub_that_was_never_shut_is_open() {
        let none = status(pb::FenceState::Unspecified, "");
        assert!(judge(&none, pb::FenceState::Lifted).is_ok());
        assert!(judge(&none, pb::FenceState::Done).is_err());
    }
}
