//! What back ends know of devices comes together: documents with branches, events that came late,
//! and back ends' own stores.

use std::time::Duration;

use hubshift_domain::id::FleetId;
use hubshift_domain::merge::ConflictState;
use hubshift_domain::metadata::Dropped;
use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::commit;
use serde_json::json;

use super::{MergeFlow, State, guarded};
use crate::app::documents::{self, Clash};
use crate::app::inbox;
use crate::store::conflict::{self, NewConflict, Scope};

/// Documents that are merged in one transaction.
const DOCUMENTS: i64 = 50;
/// Late events that are applied in one transaction.
const EVENTS: i64 = 200;

impl MergeFlow {
    pub(super) async fn documents(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let fleet = super::fleet(cx)?;
        while self.merge_documents(state, cx, &fleet).await? > 0 {}
        while merge_events(cx, &fleet).await? > 0 {}
        let Some(url) = state.sources.get(state.sources_done).cloned() else {
            return Ok(Progress::Done);
        };
        self.merge_source(state, cx, &url).await?;
        // Stored before the next one begins.
        Ok(Progress::Wait(Duration::ZERO))
    }

    async fn merge_documents(
        &self,
        state: &State,
        cx: &StepCx,
        fleet: &FleetId,
    ) -> Result<usize, StepError> {
        let mut tx = guarded(cx).await?;
        let (count, clashes) = documents::merge_some(&mut tx, fleet, DOCUMENTS).await?;
        let rows: Vec<_> = clashes
            .iter()
            .flat_map(|clash| rows(clash, &state.primary))
            .collect();
        conflict::put(&mut tx, &cx.fleet_id, cx.workflow_id, &rows).await?;
        commit(tx).await?;
        Ok(count)
    }
}

async fn merge_events(cx: &StepCx, fleet: &FleetId) -> Result<usize, StepError> {
    let mut tx = guarded(cx).await?;
    let count = inbox::merge_late(&mut tx, fleet, EVENTS).await?;
    commit(tx).await?;
    Ok(count)
}

/// The rows of a clash: one for each value that was dropped.
fn rows(clash: &Clash, primary: &str) -> Vec<NewConflict> {
    let row = |(number, dropped): (usize, &Dropped)| {
        let row = Clashed {
            scope: Scope::Document,
            key: &clash.key,
            policy: clash.policy.as_str(),
            is_open: clash.is_open,
            number,
        };
        row.against(&clash.clash, dropped, primary)
    };
    clash.clash.dropped.iter().enumerate().map(row).collect()
}

/// What a row says beside the values.
#[derive(Debug)]
pub(super) struct Clashed<'a> {
    pub(super) scope: Scope,
    pub(super) key: &'a str,
    pub(super) policy: &'a str,
    /// Whether a person must decide.
    pub(super) is_open: bool,
    /// Which of the dropped values it is.
    pub(super) number: usize,
}

impl Clashed<'_> {
    /// The row of one dropped value; it stands on the side of the hub that it was written at.
    pub(super) fn against(
        &self,
        clash: &hubshift_domain::metadata::DocumentClash,
        dropped: &Dropped,
        primary: &str,
    ) -> NewConflict {
        let is_primary = dropped.stamp.origin.as_str() == primary;
        let (mine, theirs) = (dropped.value.clone(), clash.taken.clone());
        let (primary, secondary, chosen) = match is_primary {
            true => (mine, theirs, "secondary"),
            false => (theirs, mine, "primary"),
        };
        NewConflict {
            scope: self.scope,
            key: self.key.to_owned(),
            kind: "field_conflict".to_owned(),
            path: clash.path.clone(),
            base: clash.base.clone(),
            primary,
            secondary,
            stamps: json!({"dropped": dropped.stamp}),
            chosen: (!self.is_open).then_some(chosen),
            policy: format!("{} v1", self.policy),
            state: if self.is_open {
                ConflictState::Held
            } else {
                ConflictState::Auto
            },
            generation: i32::try_from(self.number).unwrap_or(i32::MAX),
            is_applied: true,
        }
    }
}
