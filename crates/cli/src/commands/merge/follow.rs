//! Following a merge while it plans or applies, and what its end means.

use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::MergeState;

use super::fetch;
use crate::commands::Pauses;
use crate::connect::Session;
use crate::exit::CliError;
use crate::output::views::{MergeView, last_segment};

/// Waits until there is a plan, or none can be made.
pub(super) async fn planning(session: &Session, merge: pb::Merge) -> Result<pb::Merge, CliError> {
    wait(session, merge, |merge| {
        merge.state() != MergeState::Planning
    })
    .await
}

/// Waits until the plan is applied, or is not applied any more.
pub(super) async fn applying(
    session: &Session,
    merge: pb::Merge,
    plan_id: &str,
) -> Result<pb::Merge, CliError> {
    let mut began = false;
    wait(session, merge, |merge| {
        has_applied(merge, plan_id, &mut began)
    })
    .await
}

/// Whether an apply has come to an end. A merge that still says `Planned` has not begun yet,
/// unless it was seen applying before, or has another plan by now.
fn has_applied(merge: &pb::Merge, plan_id: &str, began: &mut bool) -> bool {
    match merge.state() {
        MergeState::Planned => *began || merge.plan_id != plan_id,
        MergeState::Closed | MergeState::Failed => true,
        MergeState::Unspecified
        | MergeState::Planning
        | MergeState::Applying
        | MergeState::Verifying => {
            *began = true;
            false
        }
    }
}

async fn wait(
    session: &Session,
    mut merge: pb::Merge,
    mut has_ended: impl FnMut(&pb::Merge) -> bool,
) -> Result<pb::Merge, CliError> {
    let mut progress = session.output.progress();
    let mut pauses = Pauses::new();
    while !has_ended(&merge) {
        progress.step(MergeView::from(merge.clone()).standing());
        pauses.wait().await;
        merge = fetch(session, merge.name).await?;
    }
    Ok(merge)
}

/// The error of a merge that gave up.
pub(super) fn judge(merge: &pb::Merge) -> Result<(), CliError> {
    if merge.state() != MergeState::Failed {
        return Ok(());
    }
    let failure = merge.failure.as_ref();
    let reason = failure.map_or("FAILED", |failure| failure.reason.as_str());
    let why = failure.map_or(String::new(), |failure| format!(": {}", failure.message));
    let text = format!("merge {} failed{why}", last_segment(&merge.name));
    Err(CliError::ended_badly(reason, text))
}

/// The same for a merge that was waited for: anything but closed with equal digests is a bad end.
pub(super) fn judge_applied(merge: &pb::Merge) -> Result<(), CliError> {
    judge(merge)?;
    if merge.state() == MergeState::Planned {
        let text = "the plan changed while it was applied: review the new one";
        return Err(CliError::ended_badly("PLAN_CHANGED", text));
    }
    if merge.primary_digest != merge.secondary_digest {
        return Err(CliError::ended_badly(
            "DIGEST_MISMATCH",
            "both hubs differ after the merge",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(state: MergeState, plan_id: &str) -> pb::Merge {
        pb::Merge {
            state: state.into(),
            plan_id: plan_id.into(),
            ..Default::default()
        }
    }

    #[test]
    fn a_merge_that_has_not_begun_is_waited_for_and_one_that_was_replanned_is_not() {
        let mut began = false;
        assert!(!has_applied(
            &merge(MergeState::Planned, "p1"),
            "p1",
            &mut began
        ));
        assert!(has_applied(
            &merge(MergeState::Planned, "p2"),
            "p1",
            &mut began
        ));
        assert!(!has_applied(
            &merge(MergeState::Applying, "p1"),
            "p1",
            &mut began
        ));
        assert!(has_applied(
            &merge(MergeState::Planned, "p1"),
            "p1",
            &mut began
        ));
        assert!(has_applied(
            &merge(MergeState::Closed, "p1"),
            "p1",
            &mut began
        ));
    }

    #[test]
    fn only_a_closed_merge_with_equal_digests_ended_well() {
        let mut closed = merge(MergeState::Closed, "p1");
        assert!(judge_applied(&closed).is_ok());
        closed.primary_digest = "aa".into();
        assert_eq!(
            judge_applied(&closed).unwrap_err().reason(),
            "DIGEST_MISMATCH"
        );
        let planned = merge(MergeState::Planned, "p2");
        assert_eq!(
            judge_applied(&planned).unwrap_err().reason(),
            "PLAN_CHANGED"
        );
        assert_eq!(
            judge(&merge(MergeState::Failed, "p1")).unwrap_err().code(),
            1
        );
    }
}
