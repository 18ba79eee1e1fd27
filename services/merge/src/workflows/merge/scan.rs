//! Both hubs are read; the recovered one also for signs of a restore to an older state.

use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::{StoreError, commit};

use super::task::Polled;
use super::trouble::epoch_moved;
use super::{MergeFlow, State, fleet, guarded};
use crate::store::{authority, merge};

impl MergeFlow {
    pub(super) async fn scan(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        self.check_reign(state, cx).await?;
        state.goes_back = false;
        let (primary, secondary) = (state.primary.clone(), state.secondary.clone());
        // Once the hub was written, its versions say nothing of what it came back as.
        let detect = state.round == 0;
        let at_primary = self.poll_scan(state, cx, &primary, detect).await?;
        let at_secondary = self.poll_scan(state, cx, &secondary, false).await?;
        let (first, second) = match (at_primary, at_secondary) {
            (Polled::Done(first), Polled::Done(second)) => (first, second),
            (Polled::Wait(a), Polled::Wait(b)) => return Ok(Progress::Wait(a.min(b))),
            (Polled::Wait(after), _) | (_, Polled::Wait(after)) => {
                return Ok(Progress::Wait(after));
            }
        };
        if detect {
            state.is_rewound = first.is_rewound;
            state.rewound_evidence = first.evidence;
            self.note_rewound(state, cx).await?;
        }
        let word = format!(
            "{} devices at {primary}, {} at {secondary}",
            first.scan.devices, second.scan.devices
        );
        (state.primary_scan, state.secondary_scan) = (first.scan, second.scan);
        Ok(Progress::DoneWith(word))
    }

    /// The active hub still reigns in the epoch in which the merge was started.
    pub(super) async fn check_reign(&self, state: &State, cx: &StepCx) -> Result<(), StepError> {
        let mut connection = self.app.pool.acquire().await.map_err(StoreError::from)?;
        let authority = authority::authority(&mut connection, &fleet(cx)?).await?;
        let reigns = authority.is_some_and(|authority| {
            authority.epoch == state.epoch && authority.hub.as_str() == state.secondary
        });
        if reigns { Ok(()) } else { Err(epoch_moved()) }
    }

    async fn note_rewound(&self, state: &State, cx: &StepCx) -> Result<(), StepError> {
        let mut tx = guarded(cx).await?;
        let (is_rewound, evidence) = (state.is_rewound, &state.rewound_evidence);
        merge::set_rewound(&mut tx, cx.workflow_id, is_rewound, evidence).await?;
        commit(tx).await?;
        Ok(())
    }
}
